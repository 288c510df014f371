"""A circuit's equations at its operating point, and what one step of Newton's method makes of them.

Every step replaces each element by its tangent at the voltage where the element stands, solves the linear circuit and moves
the elements. An exponential law makes plain Newton steps overshoot by volts, so an element moves to where it carries the
current that its tangent predicted, if that is nearer than the predicted voltage: the step limiting of SPICE (Nagel 1975),
here for any increasing law and without its constants.

All functions work on NumPy's arrays (a circuit that is solved once) and on JAX's (compiled, in learning).
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from mho.arrays import Values, maxima_at, namespace, sums_at
from mho.elements import CurrentSource, ProgrammableResistor, TwoTerminal

Tangents = tuple[tuple[Values, Values], ...]
"""Current [A] and slope [S] of each group of elements."""


class System(eqx.Module):
    """Equations F(y) = Σ_k ± w_k i_k + K y − r = 0, where branch k sees f_a y[a] − f_b y[b] + offset.

    Eliminated sources leave K empty and the derivative of F symmetric; see `mho.steady.reduced_system`. Modified nodal
    analysis puts the equations of its sources into K and r; see `mho.steady.modified_system`.
    """

    first: tuple[Values, ...]
    second: tuple[Values, ...]
    first_factor: tuple[Values, ...]
    second_factor: tuple[Values, ...]
    weight: tuple[Values, ...]
    offset: tuple[Values, ...]
    """What the sources add to each branch's voltage [V]."""
    elements: tuple[TwoTerminal, ...]
    rows: Values
    columns: Values
    values: Values
    constant: Values
    """r, (size,)."""
    size: int = eqx.field(static=True)

    def drops(self, y: Values) -> tuple[Values, ...]:
        """Branch voltages [V]."""
        y = _with_ground(y)
        return tuple(
            fa * y[a] - fb * y[b] + o
            for a, b, fa, fb, o in zip(
                self.first, self.second, self.first_factor, self.second_factor, self.offset, strict=True
            )
        )

    def flows(self, currents: tuple[Values, ...]) -> Values:
        """Σ_k ± w_k i_k at every unknown, (size,)."""
        total: Any = namespace(self.constant).zeros(self.size + 1)
        for a, b, fa, fb, w, i in zip(
            self.first, self.second, self.first_factor, self.second_factor, self.weight, currents, strict=True
        ):
            total = total + sums_at(w * fa * i, a, self.size + 1) - sums_at(w * fb * i, b, self.size + 1)
        return total[: self.size]

    def entries(self, slopes: tuple[Values, ...]) -> Values:
        """Values of F's derivative at the places that `places` gives, K's last."""
        parts = []
        for fa, fb, w, g in zip(self.first_factor, self.second_factor, self.weight, slopes, strict=True):
            parts += [w * fa * fa * g, w * fb * fb * g, -w * fa * fb * g, -w * fa * fb * g]
        return namespace(self.values, *slopes).concatenate([*parts, self.values])

    def places(self) -> tuple[Values, Values]:
        """Rows and columns of `entries`; those of held nodes are `size`."""
        rows, columns = [], []
        for a, b in zip(self.first, self.second, strict=True):
            rows += [a, b, a, b]
            columns += [a, b, b, a]
        xp = namespace(self.rows, *self.first)
        return xp.concatenate([*rows, self.rows]), xp.concatenate([*columns, self.columns])

    def constants(self, y: Values) -> Values:
        """K y − r, (size,)."""
        return sums_at(self.values * y[self.columns], self.rows, self.size) - self.constant

    def energy(self, y: Values) -> Values:
        """Σ w p [W]."""
        terms = zip(self.weight, self.elements, self.drops(y), strict=True)
        return sum(((w * e.co_content(d)).sum() for w, e, d in terms), start=0.0 * self.constant.sum())


def _with_ground(y: Values) -> Any:
    return namespace(y).append(y, 0.0)


def is_linear(element: TwoTerminal) -> bool:
    """Whether an element's tangent is the element."""
    return isinstance(element, ProgrammableResistor | CurrentSource)


def tangents(system: System, voltages: tuple[Values, ...]) -> Tangents:
    """Currents and slopes of all elements at branch voltages."""
    # Through the class: Equinox makes a module of every bound method, which takes longer than a small circuit's law.
    return tuple(type(e).tangent(e, v) for e, v in zip(system.elements, voltages, strict=True))


def correction(system: System, stands: tuple[Values, ...], laws: Tangents, y: Values) -> tuple[Values, Values]:
    """The linear circuit at the voltages where the elements stand, as an equation for the change of y.

    Args:
        system: the equations.
        stands: where the elements stand [V].
        laws: their `tangents` there.
        y: the unknowns.

    Returns:
        `entries` and the right-hand side, which is −F(y) once the elements stand at y's own voltages: a solution need then
        be good to a few digits only, for what it leaves is the next right-hand side.
    """
    predicted = tuple(i + g * (d - u) for u, (i, g), d in zip(stands, laws, system.drops(y), strict=True))
    return system.entries(tuple(g for _, g in laws)), -system.flows(predicted) - system.constants(y)


def move(
    system: System, stands: tuple[Values, ...], laws: Tangents, drops: tuple[Values, ...], there: Tangents
) -> tuple[tuple[Values, ...], Tangents]:
    """Where all elements move that stood at one voltage and whose tangents predict another, with their tangents there.

    To where an element carries its tangent's current, or to the predicted voltage, whichever is nearer.

    Args:
        system: the equations.
        stands: where the elements stand [V].
        laws: their `tangents` there.
        drops: the predicted voltages [V].
        there: their `tangents` at those.
    """
    moved, at = [], []
    for e, u, (i, g), d, (value, slope) in zip(system.elements, stands, laws, drops, there, strict=True):
        if is_linear(e):
            moved.append(d)
            at.append((value, slope))
            continue
        xp = namespace(u, d)
        predicted = i + g * (d - u)
        beyond = xp.where(d > u, value > predicted, value < predicted)
        if xp is not np:
            limited = xp.where(beyond, e.voltage_near(predicted, u, d), d)
            moved.append(limited)
            at.append(e.tangent(limited))
        elif beyond.any():
            part = jax.tree.map(lambda p, chosen=beyond: p[chosen], e)
            limited, currents, slopes = d.copy(), value.copy(), slope.copy()
            limited[beyond] = part.voltage_near(predicted[beyond], u[beyond], d[beyond])
            currents[beyond], slopes[beyond] = part.tangent(limited[beyond])
            moved.append(limited)
            at.append((currents, slopes))
        else:
            moved.append(d)
            at.append((value, slope))
    return tuple(moved), tuple(at)


def from_rest(system: System, y: Values) -> tuple[tuple[Values, ...], Tangents]:
    """Where the elements begin: they move from 0 V towards y's voltages, however far those are out of range."""
    drops = system.drops(y)
    rest = tuple(0.0 * d for d in drops)
    return move(system, rest, tangents(system, rest), drops, tangents(system, drops))


def imbalance(
    system: System, y: Values, laws: Tangents | None = None, drawn: Values | None = None
) -> tuple[Values, Values]:
    """F(y) and its largest entry, relative to the largest current at the same unknown.

    Imbalance that the rounding of the voltages themselves explains does not count: 4 ulp of the two node voltages of a
    branch, times its slope.

    Args:
        system: the equations.
        y: the unknowns.
        laws: the elements' `tangents` at y, if they are known.
        drawn: currents to be added to F [A], (size,).
    """
    xp = namespace(y)
    laws = tangents(system, system.drops(y)) if laws is None else laws
    value = system.flows(tuple(i for i, _ in laws)) + system.constants(y)
    size, ulp = system.size, np.finfo(y.dtype).eps
    terms = xp.abs(system.values * y[system.columns])
    largest = xp.maximum(xp.abs(system.constant), maxima_at(terms, system.rows, size))
    rounding = sums_at(terms, system.rows, size) * ulp
    if drawn is not None:
        value = value + drawn
        largest = xp.maximum(largest, xp.abs(drawn))
    padded = xp.abs(_with_ground(y))
    largest, rounding = _with_ground(largest), _with_ground(rounding)
    ends = zip(system.first, system.second, system.first_factor, system.second_factor, strict=True)
    for (a, b, fa, fb), w, o, (i, g) in zip(ends, system.weight, system.offset, laws, strict=True):
        reach = xp.abs(fa) * padded[a] + xp.abs(fb) * padded[b] + xp.abs(o)
        noise = 4 * ulp * (g * reach + xp.abs(i))
        for node, factor in ((a, fa), (b, fb)):
            scale = w * xp.abs(factor)
            largest = xp.maximum(largest, maxima_at(scale * xp.abs(i), node, size + 1))
            rounding = rounding + sums_at(scale * noise, node, size + 1)
    excess = xp.maximum(xp.abs(value) - rounding[:size], 0.0)
    relative = excess / xp.maximum(largest[:size], np.finfo(y.dtype).tiny)
    return value, xp.max(relative, initial=0.0)
