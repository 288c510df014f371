"""Elements of a measured current-voltage curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.arrays import Values, namespace
from mho.elements.two_terminal import TwoTerminal, bracketed_root, entry
from mho.errors import InputError


def curve_fault(voltage: Sequence[float], current: Sequence[float]) -> tuple[int, str] | None:
    """The number of the first point, from 0, that no curve of a monotone element has, and what is wrong with it."""
    if len(voltage) != len(current):
        return min(len(voltage), len(current)), f"{len(voltage)} voltages and {len(current)} currents"
    if len(voltage) < 2:
        return max(len(voltage) - 1, 0), "a curve needs at least two points"
    for k, (v, i) in enumerate(zip(voltage, current, strict=True)):
        if not (np.isfinite(v) and np.isfinite(i)):
            return k, f"{v:g} V, {i:g} A: both must be finite"
        if k and not v > voltage[k - 1]:
            return k, f"{v:.9g} V after {voltage[k - 1]:.9g} V: the voltage must increase from point to point"
        if k and i < current[k - 1]:
            return k, f"{i:.9g} A after {current[k - 1]:.9g} A: the current must not decrease with the voltage"
    return None


@dataclass(frozen=True)
class Curve:
    """A measured curve: the voltages increase, the currents do not decrease, and there are two points at the least.

    Raises:
        InputError: where they do.
    """

    voltage: tuple[float, ...]
    """V."""
    current: tuple[float, ...]
    """A."""

    def __post_init__(self) -> None:
        for name in ("voltage", "current"):
            object.__setattr__(self, name, tuple(np.asarray(getattr(self, name), np.float64).reshape(-1).tolist()))
        fault = curve_fault(self.voltage, self.current)
        if fault is not None:
            raise InputError(f"point {fault[0] + 1} of a curve: {fault[1]}")


_FEW = 64
"""Knots up to which comparing with all of them is faster than bisection."""


class _Pieces(NamedTuple):
    """A law piece by piece: c₀ + c₁·t + c₂·t² + c₃·t³ with t = (v − base)/width; one more than there are knots."""

    base: Values
    width: Values
    c0: Values
    c1: Values
    c2: Values
    c3: Values
    content: Values
    """Co-content at the base [W]."""


@lru_cache(maxsize=64)
def _pieces(curve: Curve) -> _Pieces:
    # Here alone: SciPy's interpolation takes a fifth of the time that a small netlist does.
    from scipy.interpolate import PchipInterpolator

    v, i = np.array(curve.voltage), np.array(curve.current)
    interpolant = PchipInterpolator(v, i)
    d = interpolant.derivative()(v)
    if 0.0 not in v:
        # A knot where the co-content begins makes it exactly 0 W there, and splits a cubic without changing it.
        at = int(np.searchsorted(v, 0.0))
        end = 0 if at == 0 else -1
        outside = at in (0, len(v))
        i_0 = i[end] - d[end] * v[end] if outside else interpolant(0.0)
        d_0 = d[end] if outside else interpolant.derivative()(0.0)
        v, i, d = np.insert(v, at, 0.0), np.insert(i, at, i_0), np.insert(d, at, d_0)
    h, rise = np.diff(v), np.diff(i)
    left, right = h * d[:-1], h * d[1:]
    c2, c3 = 3.0 * rise - 2.0 * left - right, left + right - 2.0 * rise
    areas = h * (i[:-1] + left / 2.0 + c2 / 3.0 + c3 / 4.0)
    zero = int(np.searchsorted(v, 0.0))
    content = np.concatenate([-np.cumsum(areas[:zero][::-1])[::-1], [0.0], np.cumsum(areas[zero:])])
    none = np.zeros(1)

    def framed(inner: np.ndarray, first: float, last: float) -> np.ndarray:
        return np.concatenate([[first], inner, [last]])

    return _Pieces(
        base=framed(v[:-1], v[0], v[-1]),
        width=framed(h, 1.0, 1.0),
        c0=framed(i[:-1], i[0], i[-1]),
        c1=framed(left, d[0], d[-1]),
        c2=np.concatenate([none, c2, none]),
        c3=np.concatenate([none, c3, none]),
        content=framed(content[:-1], content[0], content[-1]),
    )


class MeasuredElement(TwoTerminal):
    """Elements that share a measured curve f, each of an area and a polarity of its own: i = a·s·f(s·v).

    f passes through the measured points; between them it is the cubic Hermite interpolant with the slopes of Fritsch and
    Carlson's method in the form of Fritsch and Butland (PCHIP, by SciPy), which never overshoots: it is monotone where the
    points are, and has a continuous slope. Beyond the points it goes on in a straight line with the slope that it has at the
    last one. Co-content a·F(s·v), F the integral of f from 0 V: a quartic in each piece; slope a·f'(s·v), a quadratic. The
    currents of float32 are those of float64 to its rounding of voltages and currents. Between the points nothing is
    known: with n points of a smooth law the error falls as 1/n² at the least.

    Sources: Fritsch and Carlson, "Monotone piecewise cubic interpolation", SIAM J. Numer. Anal. 17 (1980) 238; Fritsch and
    Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {"area": (1e-12, 1e12)}

    curve: Curve = eqx.field(static=True)
    area: Array
    """a: devices in parallel, positive."""
    polarity: Array
    """s, +1 or −1: which way round the device stands."""

    def _located(self, voltage: Values) -> tuple[_Pieces, Values, Values]:
        """The pieces that s·v lies in, t there, and their numbers."""
        u = self.polarity * voltage
        pieces = _cast(_pieces(self.curve), voltage.dtype)
        xp = namespace(u)
        place = _place(pieces, xp.ones_like(u), xp.zeros_like(u), u, xp)
        found = _Pieces(*(xp.asarray(column)[place] for column in pieces))
        return found, (u - found.base) / found.width, place

    def current(self, voltage: Array) -> Array:
        """The cubic that the voltage lies in."""
        p, t, _ = self._located(voltage)
        return self.area * self.polarity * (p.c0 + t * (p.c1 + t * (p.c2 + t * p.c3)))

    def slope(self, voltage: Array) -> Array:
        """The cubic's derivative."""
        p, t, _ = self._located(voltage)
        return self._slope(p, t)

    def _slope(self, p: _Pieces, t: Values) -> Values:
        # It is 0 at the least but for rounding.
        least = namespace(t).maximum(p.c1 + t * (2.0 * p.c2 + t * 3.0 * p.c3), 0.0)
        return self.area * least / p.width

    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        """Both of one piece."""
        p, t, _ = self._located(voltage)
        return self.area * self.polarity * (p.c0 + t * (p.c1 + t * (p.c2 + t * p.c3))), self._slope(p, t)

    def beyond(self, voltage: Array) -> Array:
        """The distance from the first or the last point, where the law goes on straight."""
        xp, u = namespace(voltage, self.polarity), self.polarity * voltage
        return xp.maximum(xp.maximum(self.curve.voltage[0] - u, u - self.curve.voltage[-1]), 0.0)

    def co_content(self, voltage: Array) -> Array:
        """The quartic that the voltage lies in."""
        p, t, _ = self._located(voltage)
        inner = p.c0 + t * (p.c1 / 2.0 + t * (p.c2 / 3.0 + t * p.c3 / 4.0))
        return self.area * (p.content + t * p.width * inner)

    def change(self, voltage: Array, deviation: Array) -> Array:
        """By the cubic's own differences where both ends lie in one piece: no difference of currents."""
        xp = namespace(voltage, deviation)
        p, t, place = self._located(voltage)
        _, _, reached = self._located(voltage + deviation)
        d = self.polarity * deviation / p.width
        near = d * (p.c1 + p.c2 * (2.0 * t + d) + p.c3 * (3.0 * t * (t + d) + d**2))
        far = self.current(voltage + deviation) - self.current(voltage)
        return xp.where(place == reached, self.area * self.polarity * near, far)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The piece that the root lies in, then its cubic's root, by Newton's method within the piece."""
        pieces = _cast(_pieces(self.curve), current.dtype)
        wanted = self.polarity * current
        g, a = jnp.broadcast_arrays(conductance + 0.0 * wanted, self.area + 0.0 * wanted)
        place = _place(pieces, g, a, wanted, jnp)
        p = _Pieces(*(jnp.asarray(column)[place] for column in pieces))
        left = wanted - (g * p.base + a * p.c0)
        linear, square, cube = g * p.width + a * p.c1, a * p.c2, a * p.c3
        straight = left / linear
        t = bracketed_root(
            lambda t: (
                t * (linear + t * (square + t * cube)) - left,
                linear + t * (2.0 * square + 3.0 * t * cube),
            ),
            jnp.where(place == 0, straight, 0.0),
            jnp.where(place == 0, 0.0, jnp.where(place == len(pieces.base) - 1, straight, 1.0)),
            (self.polarity * start - p.base) / p.width,
        )
        return self.polarity * (p.base + t * p.width)

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """A behavioural current source with the same cubics, chosen by comparisons as in a balanced tree."""
        pieces = _pieces(self.curve)
        area, polarity = entry(self.area, index), entry(self.polarity, index)
        drop = f"V({node},{reference})" if polarity > 0 else f"(-V({node},{reference}))"

        def cubic(k: int) -> str:
            base, width, *coefficients = (float(column[k]) for column in pieces[:6])
            scaled = [area * polarity * c / width**power + 0.0 for power, c in enumerate(coefficients)]
            while len(scaled) > 1 and scaled[-1] == 0.0:
                scaled.pop()
            distance = f"({drop}-({base!r}))" if base else drop
            text = repr(scaled[-1])
            for c in reversed(scaled[:-1]):
                text = f"{c!r}+{distance}*({text})"
            return text

        def tree(first: int, last: int) -> str:
            if first == last:
                return cubic(first)
            middle = (first + last + 1) // 2
            lower, upper = tree(first, middle - 1), tree(middle, last)
            return f"({drop} < {float(pieces.base[middle])!r} ? ({lower}) : ({upper}))"

        return [f"B{name} {node} {reference} I = {tree(0, len(pieces.base) - 1)}"]


def _cast(pieces: _Pieces, dtype: np.dtype) -> _Pieces:
    return _Pieces(*(column.astype(dtype) for column in pieces))


def _place(pieces: _Pieces, conductance: Values, area: Values, current: Values, xp: Any) -> Values:
    """The piece that the root of g·v + a·f(v) = current lies in: at how many knots that is not above the current."""
    knots, at_knots = xp.asarray(pieces.base[1:]), xp.asarray(pieces.c0[1:])
    count = len(knots)
    if count <= _FEW:
        reached = conductance[..., None] * knots + area[..., None] * at_knots <= current[..., None]
        return xp.sum(reached, -1, dtype=np.int32)
    place = xp.zeros_like(current, np.int32)
    for power in reversed(range(count.bit_length())):
        tried = place + 2**power
        knot = xp.minimum(tried, count) - 1
        there = (tried <= count) & (conductance * knots[knot] + area * at_knots[knot] <= current)
        place = xp.where(there, tried, place)
    return place
