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


def correction(system: System, stands: tuple[Values, ...], y: Values) -> tuple[Values, Values]:
    """The linear circuit at the voltages where the elements stand, as an equation for the change of y.

    Returns `entries` and the right-hand side, which is −F(y) once the elements stand at y's own voltages: a solution need
    then be good to a few digits only, for what it leaves is the next right-hand side.
    """
    slopes = tuple(e.slope(u) for e, u in zip(system.elements, stands, strict=True))
    predicted = tuple(
        e.current(u) + g * (d - u) for e, u, g, d in zip(system.elements, stands, slopes, system.drops(y), strict=True)
    )
    return system.entries(slopes), -system.flows(predicted) - system.constants(y)


def limited(element: TwoTerminal, stand: Values, drop: Values) -> Values:
    """Where an element moves that stood at one voltage and whose tangent predicts another [V].

    To where it carries the tangent's current, or to the predicted voltage, whichever is nearer.
    """
    xp = namespace(stand, drop)
    predicted = element.current(stand) + element.slope(stand) * (drop - stand)
    value = element.current(drop)
    beyond = xp.where(drop > stand, value > predicted, value < predicted)
    low, high = xp.minimum(stand, drop), xp.maximum(stand, drop)
    if xp is not np:
        return xp.where(beyond, element.voltage_near(predicted, low, high), drop)
    result = drop.copy()
    if beyond.any():
        part = jax.tree.map(lambda p: p[beyond], element)
        result[beyond] = part.voltage_near(predicted[beyond], low[beyond], high[beyond])
    return result


def move(system: System, stands: tuple[Values, ...], drops: tuple[Values, ...]) -> tuple[Values, ...]:
    """Where all elements move; see `limited`."""
    moved = zip(system.elements, stands, drops, strict=True)
    return tuple(d if is_linear(e) else limited(e, u, d) for e, u, d in moved)


def from_rest(system: System, y: Values) -> tuple[Values, ...]:
    """Where the elements begin: they move from 0 V towards y's voltages, however far those are out of range."""
    drops = system.drops(y)
    return move(system, tuple(0.0 * d for d in drops), drops)


def imbalance(system: System, y: Values, drawn: Values | None = None) -> tuple[Values, Values]:
    """F(y), `drawn` currents (size,) added, and its largest entry, relative to the largest current at the same unknown.

    Imbalance that the rounding of the voltages themselves explains does not count: 4 ulp of the two node voltages of a
    branch, times its slope.
    """
    xp = namespace(y)
    drops = system.drops(y)
    currents = tuple(e.current(d) for e, d in zip(system.elements, drops, strict=True))
    value = system.flows(currents) + system.constants(y)
    size, ulp = system.size, np.finfo(y.dtype).eps
    terms = xp.abs(system.values * y[system.columns])
    largest = xp.maximum(xp.abs(system.constant), maxima_at(terms, system.rows, size))
    rounding = sums_at(terms, system.rows, size) * ulp
    if drawn is not None:
        value = value + drawn
        largest = xp.maximum(largest, xp.abs(drawn))
    padded = xp.abs(_with_ground(y))
    largest, rounding = _with_ground(largest), _with_ground(rounding)
    for k, (a, b, e) in enumerate(zip(system.first, system.second, system.elements, strict=True)):
        fa, fb, w = system.first_factor[k], system.second_factor[k], system.weight[k]
        reach = xp.abs(fa) * padded[a] + xp.abs(fb) * padded[b] + xp.abs(system.offset[k])
        noise = 4 * ulp * (e.slope(drops[k]) * reach + xp.abs(currents[k]))
        for node, factor in ((a, fa), (b, fb)):
            scale = w * xp.abs(factor)
            largest = xp.maximum(largest, maxima_at(scale * xp.abs(currents[k]), node, size + 1))
            rounding = rounding + sums_at(scale * noise, node, size + 1)
    excess = xp.maximum(xp.abs(value) - rounding[:size], 0.0)
    relative = excess / xp.maximum(largest[:size], np.finfo(y.dtype).tiny)
    return value, xp.max(relative, initial=0.0)
