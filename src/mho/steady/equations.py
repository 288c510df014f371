"""A circuit's equations at its operating point, and what one step of Newton's method makes of them.

Every step replaces each element by its tangent at the voltage where the element stands, solves the linear circuit and moves
the elements. An exponential law makes plain Newton steps overshoot by volts, so an element moves to where it carries the
current that its tangent predicted, if that is nearer than the predicted voltage: the step limiting of SPICE (Nagel 1975),
here for any increasing law and without its constants.

The unknowns are pairs of a value and a tail (`mho.compensated`), and so are voltage drops before they are rounded: what
an element carries is then known to a few ulp of itself, however large its conductance, and the imbalance of Kirchhoff's law
needs no allowance for the rounding of voltages.

All functions work on NumPy's arrays (a circuit that is solved once) and on JAX's (compiled, in learning); behavioural
sources on NumPy's alone.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from mho.arrays import Values, namespace, sums_at
from mho.compensated import Pair, two_product, two_sum
from mho.compensated import sums_at as exact_sums_at
from mho.elements import ControlledLaw, CurrentSource, ProgrammableResistor, TwoTerminal

Tangents = tuple[tuple[Values, Values], ...]
"""Value [A; V] and slope of each group: of elements, then of behavioural sources."""

LEAST_CURRENT = 1e-24
"""Imbalance [A; V] that is none at any node: six electrons an hour."""

_SENSED = 1e-6
"""Most of the largest current at a node that the rounding of what behavioural sources sense may explain."""


class Sensing(eqx.Module):
    """A group of behavioural sources in a circuit's equations: F gains ± their values f(s)."""

    law: ControlledLaw
    sensed: np.ndarray
    """Unknowns, (n, k)."""
    against: np.ndarray | None
    """Unknowns that are subtracted, (n, k); None where none are (`ControlledLaw.reference`)."""
    rows: np.ndarray
    """Equations that they enter, (n, 2)."""
    signs: tuple[float, float] = eqx.field(static=True)
    """With which sign each."""

    def seen(self, y: np.ndarray, tail: np.ndarray | None) -> np.ndarray:
        """What they sense, (n, k), of unknowns with the ground's 0 V behind them."""
        if self.against is None:
            return y[self.sensed]
        return (y[self.sensed] - y[self.against]) + (0.0 if tail is None else tail[self.sensed] - tail[self.against])


class System(eqx.Module):
    """Equations F(y) = Σ_k ± w_k i_k + Σ_s ± f_s + K y − r = 0, where branch k sees f_a y[a] − f_b y[b] + offset.

    Eliminated sources leave K empty and the derivative of F symmetric; see `mho.steady.reduced_system`. Modified nodal
    analysis puts the equations of its sources into K and r; see `mho.steady.modified_system`.
    """

    first: tuple[Values, ...]
    second: tuple[Values, ...]
    first_factor: tuple[Values, ...] | None
    """None where all are 1, as `second_factor`."""
    second_factor: tuple[Values, ...] | None
    weight: tuple[Values, ...] | None
    """None where all are 1."""
    offset: tuple[Pair, ...] | None
    """What the sources add to each branch's voltage [V], with its tail; None where nothing."""
    elements: tuple[TwoTerminal, ...]
    behavioural: tuple[Sensing, ...]
    rows: Values
    columns: Values
    values: Values
    constant: Values
    """r, (size,)."""
    size: int = eqx.field(static=True)

    def drops(self, y: Values, tail: Values | None = None) -> tuple[Values, ...]:
        """Branch voltages [V], then what behavioural sources sense, (n, k), of the unknowns y + tail."""
        y = _with_ground(y)
        tail = None if tail is None else _with_ground(tail)
        found = []
        for k, (a, b) in enumerate(zip(self.first, self.second, strict=True)):
            high, low = y[a], -y[b]
            rest: Any = 0.0 if tail is None else tail[a] - tail[b]
            if self.first_factor is not None and self.second_factor is not None:
                fa, fb = self.first_factor[k], self.second_factor[k]
                (high, lost_a), (low, lost_b) = two_product(fa, high), two_product(fb, low)
                rest = (lost_a + lost_b) + (0.0 if tail is None else fa * tail[a] - fb * tail[b])
            if self.offset is None:
                found.append((high + low) + rest)
            else:
                drop, lost = two_sum(high, low)
                held, small = self.offset[k]
                drop, more = two_sum(drop, held)
                found.append(drop + (lost + more + (rest + small)))
        return (*found, *(s.seen(y, tail) for s in self.behavioural))

    def parts(self, currents: tuple[Values, ...]) -> list[tuple[Values, Values]]:
        """The terms of F that the elements and behavioural sources make, and where, (n,) each: two a group."""
        terms = []
        for k, (a, b) in enumerate(zip(self.first, self.second, strict=True)):
            i = currents[k] if self.weight is None else self.weight[k] * currents[k]
            if self.first_factor is None or self.second_factor is None:
                terms += [(i, a), (-i, b)]
            else:
                terms += [(self.first_factor[k] * i, a), (-self.second_factor[k] * i, b)]
        for s, f in zip(self.behavioural, currents[len(self.first) :], strict=True):
            terms += [(sign * f, s.rows[:, at]) for at, sign in enumerate(s.signs)]
        return terms

    def flows(self, currents: tuple[Values, ...]) -> Values:
        """Σ ± w i + Σ ± f at every unknown, (size,)."""
        total: Any = namespace(self.constant).zeros(self.size + 1)
        for values, places in self.parts(currents):
            total = total + sums_at(values, places, self.size + 1)
        return total[: self.size]

    def entries(self, slopes: tuple[Values, ...]) -> Values:
        """Values of F's derivative at the places that `places` gives, K's last."""
        parts = []
        for k in range(len(self.first)):
            g = slopes[k] if self.weight is None else self.weight[k] * slopes[k]
            if self.first_factor is None or self.second_factor is None:
                parts += [g, g, -g, -g]
            else:
                fa, fb = self.first_factor[k], self.second_factor[k]
                parts += [fa * fa * g, fb * fb * g, -fa * fb * g, -fa * fb * g]
        for s, slope in zip(self.behavioural, slopes[len(self.first) :], strict=True):
            parts += [(sign * slope).reshape(-1) for sign in s.signs if sign]
        return namespace(self.values, *slopes).concatenate([*parts, self.values])

    def places(self) -> tuple[Values, Values]:
        """Rows and columns of `entries`; those of held nodes are `size`."""
        rows, columns = [], []
        for a, b in zip(self.first, self.second, strict=True):
            rows += [a, b, a, b]
            columns += [a, b, b, a]
        for s in self.behavioural:
            for at, sign in enumerate(s.signs):
                if sign:
                    rows.append(np.repeat(s.rows[:, at], s.sensed.shape[1]))
                    columns.append(s.sensed.reshape(-1))
        xp = namespace(self.rows, *self.first)
        return xp.concatenate([*rows, self.rows]), xp.concatenate([*columns, self.columns])

    def constants(self, y: Values) -> Values:
        """K y − r, (size,)."""
        return sums_at(self.values * y[self.columns], self.rows, self.size) - self.constant

    def energy(self, y: Values) -> Values:
        """Σ w p [W]."""
        total = 0.0 * self.constant.sum()
        for k, (e, d) in enumerate(zip(self.elements, self.drops(y), strict=True)):
            total = total + (e.co_content(d) if self.weight is None else self.weight[k] * e.co_content(d)).sum()
        return total


def _with_ground(y: Values) -> Any:
    return namespace(y).append(y, 0.0)


def is_linear(element: TwoTerminal) -> bool:
    """Whether an element's tangent is the element."""
    return isinstance(element, ProgrammableResistor | CurrentSource)


def tangents(system: System, drops: tuple[Values, ...]) -> Tangents:
    """Values and slopes of all elements and behavioural sources at what `System.drops` gives."""
    count = len(system.elements)
    # Through the class: Equinox makes a module of every bound method, which takes longer than a small circuit's law.
    own = tuple(type(e).tangent(e, v) for e, v in zip(system.elements, drops[:count], strict=True))
    return own + tuple(type(s.law).tangent(s.law, at) for s, at in zip(system.behavioural, drops[count:], strict=True))


def _predicted(stand: Values, law: tuple[Values, Values], drop: Values) -> Values:
    value, slope = law
    change = slope * (drop - stand)
    return value + (change if stand.ndim == 1 else change.sum(-1))


def correction(
    system: System,
    stands: tuple[Values, ...],
    laws: Tangents,
    unknowns: Pair,
    drops: tuple[Values, ...] | None = None,
    *,
    exactly: bool = True,
) -> tuple[Values, Values]:
    """The linear circuit at the voltages where the elements stand, as an equation for the change of the unknowns.

    Args:
        system: the equations.
        stands: where the elements stand [V].
        laws: their `tangents` there.
        unknowns: y and its tail.
        drops: `System.drops` there, if they are known.
        exactly: whether sums are to be exact: far from the operating point there is no need.

    Returns:
        `entries` and the right-hand side, which is −F once the elements stand at the unknowns' own voltages: a solution need
        then be good to a few digits only, for what it leaves is the next right-hand side.
    """
    drops = system.drops(*unknowns) if drops is None else drops
    # Where an element stands at its drop its current is taken as it is, not as the tangent's with a difference of 0.
    predicted = tuple(_predicted(u, law, d) for u, law, d in zip(stands, laws, drops, strict=True))
    entries = system.entries(tuple(g for _, g in laws))
    if not exactly:
        return entries, -system.flows(predicted) - system.constants(unknowns[0])
    return entries, -_summed(system, predicted, unknowns)[0]


def move(
    system: System, stands: tuple[Values, ...], laws: Tangents, drops: tuple[Values, ...], there: Tangents
) -> tuple[tuple[Values, ...], Tangents]:
    """Where all elements move that stood at one voltage and whose tangents predict another, with their tangents there.

    To where an element carries its tangent's current, or to the predicted voltage, whichever is nearer; and beyond the
    latter where a law says so (`TwoTerminal.voltage_past`).

    Args:
        system: the equations.
        stands: where the elements stand [V].
        laws: their `tangents` there.
        drops: the predicted voltages [V].
        there: their `tangents` at those.
    """
    moved, at = [], []
    count = len(system.elements)
    for e, u, (i, g), d, (value, slope) in zip(
        system.elements, stands[:count], laws[:count], drops[:count], there[:count], strict=True
    ):
        if is_linear(e):
            moved.append(d)
            at.append((value, slope))
            continue
        xp = namespace(u, d)
        predicted = i + g * (d - u)
        beyond = xp.where(d > u, value > predicted, value < predicted)
        if xp is not np:
            limited = xp.where(beyond, e.voltage_near(predicted, u, d), e.voltage_past(predicted, u, d))
            moved.append(limited)
            at.append(e.tangent(limited))
            continue
        limited = np.asarray(e.voltage_past(predicted, u, d)).copy()
        if beyond.any():
            part = jax.tree.map(lambda p, chosen=beyond: p[chosen], e)
            limited[beyond] = part.voltage_near(predicted[beyond], u[beyond], d[beyond])
        changed = limited != d
        # Not `copy`: a law that is written for JAX alone gives arrays that cannot be written to.
        currents, slopes = np.array(value), np.array(slope)
        if changed.any():
            part = jax.tree.map(lambda p, chosen=changed: p[chosen], e)
            currents[changed], slopes[changed] = part.tangent(limited[changed])
        moved.append(limited)
        at.append((currents, slopes))
    for s, u, d, law in zip(system.behavioural, stands[count:], drops[count:], there[count:], strict=True):
        limited = s.law.limited(u, d)
        moved.append(limited)
        at.append(law if limited is d else s.law.tangent(limited))
    return tuple(moved), tuple(at)


def from_rest(system: System, y: Values) -> tuple[tuple[Values, ...], Tangents]:
    """Where the elements begin: they move from 0 V towards y's voltages, however far those are out of range."""
    drops = system.drops(y)
    rest = tuple(0.0 * d for d in drops)
    return move(system, rest, tangents(system, rest), drops, tangents(system, drops))


def _summed(system: System, currents: tuple[Values, ...], unknowns: Pair, drawn: Values | None = None) -> Pair:
    """F and its largest term at each unknown, (size,) each."""
    y, tail = unknowns
    terms = system.parts(currents)
    if len(system.rows):
        product, lost = two_product(system.values, y[system.columns])
        terms += [(product, system.rows), (lost + system.values * tail[system.columns], system.rows)]
    places = np.arange(system.size)
    terms.append((-system.constant, places))
    if drawn is not None:
        terms.append((drawn, places))
    value, largest = exact_sums_at(terms, system.size + 1)
    return value[: system.size], largest[: system.size]


def imbalance(
    system: System, unknowns: Pair, laws: Tangents | None = None, drawn: Values | None = None
) -> tuple[Values, Values, Values]:
    """F, and by how much it breaks Kirchhoff's laws: relative to the largest current at the same unknown, (size,).

    No rounding of the voltages hides in it (see the module): the imbalance that does not count is what the rounding of the
    unknowns' tails explains, ulp² of the node voltages times the conductance between them, and `LEAST_CURRENT`. Elements
    out of their range (`TwoTerminal.in_range`) have such conductances that this would excuse anything; no operating point
    may have one. Behavioural sources sense doubles: the rounding of these is allowed for, up to `_SENSED` of the largest
    current.

    Args:
        system: the equations.
        unknowns: y and its tail.
        laws: the elements' `tangents` there, if they are known.
        drawn: currents to be added to F [A], (size,).

    Returns:
        F; the relative imbalance of each unknown; the largest of these.
    """
    y, tail = unknowns
    xp = namespace(y)
    laws = tangents(system, system.drops(y, tail)) if laws is None else laws
    value, largest = _summed(system, tuple(i for i, _ in laws), unknowns, drawn)
    padded = xp.abs(_with_ground(y))
    rounding: Any = xp.zeros_like(padded)
    for k, (a, b) in enumerate(zip(system.first, system.second, strict=True)):
        fa = fb = 1.0
        if system.first_factor is not None and system.second_factor is not None:
            fa, fb = xp.abs(system.first_factor[k]), xp.abs(system.second_factor[k])
        reach = fa * padded[a] + fb * padded[b] + (0.0 if system.offset is None else xp.abs(system.offset[k][0]))
        noise = reach * laws[k][1] if system.weight is None else reach * laws[k][1] * system.weight[k]
        noise = xp.where(xp.isfinite(noise), noise, 0.0)  # a slope that overflows excuses nothing
        rounding = rounding + sums_at(fa * noise, a, system.size + 1) + sums_at(fb * noise, b, system.size + 1)
    ulp = np.finfo(y.dtype).eps
    allowed = (4.0 * ulp**2) * rounding[: system.size] + LEAST_CURRENT
    for s, law in zip(system.behavioural, laws[len(system.first) :], strict=True):
        # What they sense is rounded to doubles.
        noise = 4.0 * ulp * np.abs(law[1] * s.seen(_with_ground(y), _with_ground(tail))).sum(-1)
        for at, sign in enumerate(s.signs):
            if sign:
                allowed = allowed + np.minimum(sums_at(noise, s.rows[:, at], system.size + 1)[:-1], _SENSED * largest)
    excess = xp.maximum(xp.abs(value) - allowed, 0.0)
    relative = excess / xp.maximum(largest, np.finfo(y.dtype).tiny)
    return value, relative, xp.max(relative, initial=0.0)
