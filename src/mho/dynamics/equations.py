"""A circuit in time: F(y) + d/dt Q(y) = r(t), by modified nodal analysis with charges.

y are the node voltages and the currents of sources and inductors, F the currents of resistors, sources and nonlinear
elements (Kirchhoff's current law at the nodes, the branch laws of voltage sources), Q the charges of capacitors and
junctions at the nodes and −L i in the rows of inductors, r(t) the sources. Charges, not capacitances times voltage
rates, are what is differenced, so that no charge is lost where a junction's capacitance changes (Ward and Dutton 1978).
Nodes without a capacitor, and capacitors across sources, need no case of their own.

What is linear is kept in matrices. Each nonlinear element sees x = B y, the drop between its ends, and its current and
charge enter Kirchhoff's laws through B again. Behind them in x stands what behavioural sources sense, several for each.
A diode's series resistance R is an unknown w of its own, the drop across it: x loses w, and w/R is the current into the
junction. A node behind it would do, too, but its voltage's rounding, over a small resistance, would drown the leakage
currents that a floating supply's voltage hangs on.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import numpy as np
from scipy import sparse

from mho.dynamics.junction_charge import JunctionCharge
from mho.elements import ControlledLaw, CurrentSource, JunctionDiode, ProgrammableResistor, TwoTerminal
from mho.elements.shockley_diode import LARGEST_CURRENT
from mho.steady.equations import System

DENSE_LIMIT = 60
"""Unknowns up to which matrices are dense: beyond, SuperLU is faster than LAPACK on the three coupled stages."""


@dataclass(slots=True)
class Laws:
    """The nonlinear elements' currents and charges where they stand; the first axis is the stages'."""

    stands: np.ndarray
    """x, (stages, sensed)."""
    currents: np.ndarray
    """[A], or [V] of behavioural voltages, (stages, currents)."""
    slopes: np.ndarray
    """By what is sensed, (stages, sensed)."""
    charges: np.ndarray
    """Of the charged elements [C], (stages, charged)."""
    capacitances: np.ndarray
    """(stages, charged)."""

    def last(self) -> "Laws":
        """Of the last stage alone."""
        return Laws(self.stands[-1:], self.currents[-1:], self.slopes[-1:], self.charges[-1:], self.capacitances[-1:])


@dataclass(frozen=True)
class _TwoTerminals:
    """A group of nonlinear elements: where they stand among all, and those that hold a charge."""

    near: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    """As `prepared_near`."""
    tangent: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    """As `prepared`."""
    charge: JunctionCharge | None
    elements: slice
    charged: slice


class _Plain:
    """A behavioural law's parameters and functions as plain attributes.

    Those of a module take longer than a small circuit's law.
    """

    def __init__(self, element: ControlledLaw) -> None:
        self.__dict__.update({f.name: getattr(element, f.name) for f in fields(element)})
        self._kind = type(element)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kind, name)
        if isinstance(found, property):
            assert found.fget is not None
            return found.fget(self)
        return partial(found, self) if callable(found) else found


@dataclass
class _Sensing:
    """A group of behavioural sources: where what they sense stands, (n, k) of it, and their values."""

    law: ControlledLaw
    """As it is until its next jump."""
    sensed: slice
    values: slice
    shape: tuple[int, int]
    whole: ControlledLaw

    side: np.ndarray | None = None
    """Of its jumps, where a transient has come to."""

    @cached_property
    def _repeated(self) -> dict[int, tuple[ControlledLaw, Any]]:
        """Laws of so many points at once, and as `_Plain`."""
        return {}

    def _at(self, points: int) -> tuple[ControlledLaw, Any]:
        if points not in self._repeated:
            law = self.law.repeated(self.shape[0], points)
            self._repeated[points] = law, _Plain(law)
        return self._repeated[points]

    @cached_property
    def _whole(self) -> "_Plain":
        return _Plain(self.whole)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """What is sensed, (points·n, k)."""
        return x.reshape(len(x) * self.shape[0], -1)[:, : self.shape[1]]

    def tangents(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, (stages, n), and derivatives, (stages, n·k), at what they sense, (stages, n·k)."""
        law, plain = self._at(len(x))
        values, slopes = type(law).tangent(plain, self._rows(x))
        return values.reshape(len(x), -1), slopes.reshape(x.shape) if slopes.size else np.zeros_like(x)

    def limited(self, stood: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Where the laws are evaluated in a step of Newton's method, (stages, n·k)."""
        if type(self.law).limited is ControlledLaw.limited:
            return x
        law, plain = self._at(len(x))
        return type(law).limited(plain, self._rows(np.broadcast_to(stood, x.shape)), self._rows(x)).reshape(x.shape)

    def in_range(self, x: np.ndarray) -> bool:
        """Whether all stand where their laws are meant to hold."""
        return bool(self._at(len(x))[0].in_range(self._rows(x)).all())

    def _stays(self, seen: np.ndarray) -> bool:
        """Whether the laws are where they were passed last, on the same side of their jumps."""
        side = type(self.whole).side(self._whole, seen)  # pyright: ignore[reportArgumentType]
        return side is not None and self.side is not None and bool((side == self.side).all())

    def switched(self, x: np.ndarray) -> bool:
        """Whether the law has got past its jump, at (n·k)."""
        seen = self._rows(x[None])
        return not self._stays(seen) and not eqx.tree_equal(self.whole.until_next_event(seen), self.law)

    def passed(self, x: np.ndarray) -> "_Sensing":
        """The group once it has come to (n·k)."""
        seen = self._rows(x[None])
        if self._stays(seen):
            return self
        whole = self.whole.after(seen)
        now = whole.until_next_event(seen)
        if now is None and whole is self.whole:
            return self
        return replace(self, whole=whole, law=now or whole, side=whole.side(seen))


class CircuitInTime:
    """The equations of a circuit; see the module. All arrays are NumPy's, in float64."""

    def __init__(
        self,
        system: System,
        capacitors: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        charges: dict[int, JunctionCharge] | None = None,
        storage: tuple[np.ndarray, np.ndarray, np.ndarray] = (np.zeros(0, int), np.zeros(0, int), np.zeros(0)),
        name: Callable[[int, int], str] = lambda group, k: f"element {k} of group {group}",
    ) -> None:
        """Take a circuit's equations apart.

        Args:
            system: of `mho.steady.modified_system`, its sources at what they are when they don't change.
            capacitors: unknowns at their two ends, `system.size` for ground, and capacitances [F], (capacitors,) each.
            charges: of the junctions of a group of elements, by the group's place in `system.elements`.
            storage: rows, columns and values of other entries of C, such as −L [H] in the rows of inductors.
            name: of an element of a group of `system.elements`, for messages.
        """
        charges = charges or {}
        before = system.size
        constant = np.append(np.array(system.constant, np.float64), 0.0)
        resistors = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
        self._with_series: list[TwoTerminal] = []
        self._name, self._places = name, list[int]()
        groups: list[tuple[Any, Any, TwoTerminal, Any, JunctionCharge | None]] = []
        for k, (a, b, element) in enumerate(zip(system.first, system.second, system.elements, strict=True)):
            a, b = np.asarray(a), np.asarray(b)
            if isinstance(element, CurrentSource):
                np.add.at(constant, a, np.asarray(element.injected))
                np.add.at(constant, b, -np.asarray(element.injected))
            elif isinstance(element, ProgrammableResistor):
                resistors.append((a, b, np.asarray(element.conductance, np.float64)))
            else:
                series = np.zeros(len(a))
                if isinstance(element, JunctionDiode) and element.series_resistance is not None:
                    series = np.asarray(element.series_resistance)
                    element = replace(element, series_resistance=None)
                groups.append((a, b, element, series, charges.get(k)))
                self._with_series.append(system.elements[k])
                self._places.append(k)
        series = np.concatenate([np.zeros(0), *(g[3] for g in groups)])
        self._behind = np.flatnonzero(series)
        self._series = series[self._behind]
        size = self.size = before + len(self._behind)
        self.constant = np.append(constant[:-1], np.zeros(len(self._behind)))
        """r of the sources at rest, (size,)."""

        def grown(ends: Any) -> np.ndarray:
            return np.where(np.asarray(ends) == before, size, ends).astype(int)

        self._groups: list[_TwoTerminals] = []
        self._sensing: list[_Sensing] = []
        charged, count, held = [np.zeros(0, int)], 0, 0
        for a, _, element, _, charge in groups:
            here, holding = slice(count, count + len(a)), slice(held, held + (len(a) if charge is not None else 0))
            self._groups.append(_TwoTerminals(element.prepared_near(), element.prepared(), charge, here, holding))
            if charge is not None:
                charged.append(np.arange(here.start, here.stop))
            count, held = here.stop, holding.stop
        self.charged = np.concatenate(charged)
        """Numbers of the elements that hold a charge, (charged,)."""
        sides = [[np.zeros(0, int), *(g[0] for g in groups)], [np.zeros(0, int), *(g[1] for g in groups)]]
        ends = [grown(np.concatenate(side)) for side in sides]
        element = np.concatenate([np.arange(count), np.arange(count), self._behind])
        places = np.concatenate([*ends, before + np.arange(len(self._behind))])
        signs = np.concatenate([np.ones(count), -np.ones(count + len(self._behind))])
        sense: Any = _matrix((count, size), element, places, signs)
        inject: Any = sense
        self._elements, owner = count, [np.arange(count)]
        for group in system.behavioural:
            # What senses nothing senses the ground.
            number, each = group.sensed.shape[0], max(group.sensed.shape[1], 1)
            places = group.sensed if group.sensed.shape[1] else np.full((number, 1), before)
            seen = slice(sense.shape[0], sense.shape[0] + number * each)
            here = slice(inject.shape[0], inject.shape[0] + number)
            self._sensing.append(_Sensing(group.law, seen, here, group.sensed.shape, group.law))
            row, made = np.arange(number * each), grown(places.reshape(-1))
            sense = sparse.vstack([sense, _matrix((number * each, size), row, made, np.ones(number * each))], "csr")
            row, rows = np.repeat(np.arange(number), 2), grown(group.rows.reshape(-1))
            inject = sparse.vstack([inject, _matrix((number, size), row, rows, np.tile(group.signs, number))], "csr")
            owner.append(np.repeat(np.arange(here.start, here.stop), each))
        self._peaks = np.zeros(count)
        self._owner = np.concatenate(owner)
        self._starts = np.searchsorted(self._owner, np.arange(inject.shape[0]))
        self.dense = size <= DENSE_LIMIT
        resistive: tuple[Any, ...] = (
            *(grown(np.concatenate([r[i] for r in resistors])) for i in (0, 1)),
            np.concatenate([r[2] for r in resistors]),
        )
        capacitive: tuple[Any, ...] = *(grown(c) for c in capacitors[:2]), np.asarray(capacitors[2], np.float64)
        behind = before + np.arange(len(self._behind))
        there = np.flatnonzero(system.values)
        own = (
            np.append(np.asarray(system.rows)[there], behind).astype(int),
            np.append(np.asarray(system.columns)[there], behind).astype(int),
            np.append(np.asarray(system.values)[there], 1.0 / self._series),
        )
        square = (size, size)
        stiffness = _matrix(square, *_stamps(resistive)) + _matrix(square, *own)
        capacitance = _matrix(square, *_stamps(capacitive)) + _matrix(square, *storage)
        self.stiffness: Any = self._kept(stiffness)
        """K, (size, size)."""
        self.capacitance: Any = self._kept(capacitance)
        """C, (size, size)."""
        self._inject: Any = self._kept(inject)
        """Which equations each current enters, (currents, size)."""
        self.charged_incidence: Any = self._kept(inject[self.charged])
        """(charged, size)."""
        self._sense: Any = self._kept(sense.T.tocsr())
        self.coupling = _products(inject, sense, self._owner)
        """Where the slopes enter F': numbers of what is sensed, rows, columns and signs."""
        self._branches = _Branches(size, resistive, capacitive, own, storage, inject, self.charged)
        self._absolute_charged: Any = self._kept(abs(inject[self.charged]))

    def complete(self, y: np.ndarray) -> np.ndarray:
        """The unknowns, (size,), with the drops of series resistances at unknowns of the system, (system.size,)."""
        if not len(self._behind):
            return y
        found = np.append(y, np.zeros(len(self._behind)))
        whole = self.sensed(found[None])[0]
        current = np.zeros(self._elements)
        for element, group in zip(self._with_series, self._groups, strict=True):
            current[group.elements] = type(element).tangent(element, whole[group.elements])[0]
        found[-len(self._behind) :] = self._series * current[self._behind]
        return found

    def _kept(self, matrix: Any) -> Any:
        return matrix.toarray() if self.dense else matrix.tocsr()

    @property
    def linear(self) -> bool:
        """Whether no element is nonlinear."""
        return not self._groups and not self._sensing

    @property
    def sensed_size(self) -> int:
        """How many voltages and currents are sensed."""
        return len(self._owner)

    def sensed(self, y: np.ndarray) -> np.ndarray:
        """X at unknowns of shape (stages, size): (stages, sensed)."""
        return y @ self._sense

    def laws(self, x: np.ndarray) -> Laws:
        """The nonlinear elements at x, (stages, sensed)."""
        if self.linear:
            return Laws(x, x, x, x, x)
        if len(self._groups) == 1 and not self._sensing:
            group = self._groups[0]
            i, g = group.tangent(x)
            q, c = (np.zeros((len(x), 0)),) * 2 if group.charge is None else group.charge.at(x, i, g)
            return Laws(x, i, g, q, c)
        currents, slopes = np.empty((len(x), len(self._starts))), np.empty_like(x)
        charges = np.empty((len(x), len(self.charged)))
        capacitances = np.empty_like(charges)
        for group in self._groups:
            here = x[:, group.elements]
            i, g = group.tangent(here)
            currents[:, group.elements], slopes[:, group.elements] = i, g
            if group.charge is not None:
                q, c = group.charge.at(here, i, g)
                charges[:, group.charged], capacitances[:, group.charged] = q, c
        for sensing in self._sensing:
            currents[:, sensing.values], slopes[:, sensing.sensed] = sensing.tangents(x[:, sensing.sensed])
        return Laws(x, currents, slopes, charges, capacitances)

    def out_of_range(self, laws: Laws) -> str | None:
        """An element that doesn't stand where its law is meant to hold, with its voltage and current, if one doesn't."""
        sizes = np.abs(laws.currents)
        if not np.maximum.reduce(sizes, axis=None, initial=0.0) < LARGEST_CURRENT:
            most = np.nan_to_num(sizes, nan=np.inf)
            stage, k = np.unravel_index(int(np.argmax(most)), most.shape)
            for group, place in zip(self._groups, self._places, strict=True):
                if k < group.elements.stop:
                    name = self._name(place, int(k) - group.elements.start)
                    return (
                        f"{name} at {laws.stands[stage, k]:.6g} V, where its law gives {laws.currents[stage, k]:.3g} A"
                    )
            return f"a behavioural source of {laws.currents[stage, k]:.3g} A or V"
        for sensing in self._sensing:
            if not sensing.in_range(laws.stands[:, sensing.sensed]):
                return "a behavioural source"
        return None

    def hardly_moved(self, before: Laws, laws: Laws) -> bool:
        """Whether no element moves by more than a few thermal voltages: then none has a pulse between stages."""
        return not self._sensing and bool(
            np.maximum.reduce(np.abs(laws.stands - before.stands), axis=None, initial=0.0) <= _FREE
        )

    def switched(self, laws: Laws) -> bool:
        """Whether a law that jumps has got past its jump, at the last stage."""
        return any(s.law is not s.whole and s.switched(laws.stands[-1, s.sensed]) for s in self._sensing)

    def passed(self, laws: Laws) -> None:
        """Let elements know where a transient has come to, at the last stage, above all laws that jump or remember."""
        self._peaks = np.maximum(self._peaks, np.abs(laws.currents[-1, : self._elements]))
        self._sensing = [s.passed(laws.stands[-1, s.sensed]) for s in self._sensing]

    def moved(self, laws: Laws, x: np.ndarray) -> Laws:
        """Where the elements stand next, and their laws there, when a step of Newton's method predicts x.

        To where an element carries its tangent's current, or to x, whichever is nearer; see `mho.steady.equations`. But
        what has conducted goes to a share of its largest current at once, rather than climb there from its leakage.
        """
        far, stands, slopes, currents, aim = x - laws.stands, laws.stands, laws.slopes, laws.currents, x
        if self._sensing:
            far, stands, slopes, currents, aim = (v[:, : self._elements] for v in (far, stands, slopes, currents, aim))
        limited: np.ndarray | None = None
        distance = np.abs(far)
        if not np.maximum.reduce(distance, axis=None, initial=0.0) <= _FREE:
            predicted = currents + slopes * far
            predicted = np.where(far > 0.0, np.maximum(predicted, _KNOWN * self._peaks), predicted)
            if len(self._groups) == 1:
                near = self._groups[0].near(predicted, stands, aim)
            else:
                near = np.empty_like(aim)
                for group in self._groups:
                    here = group.elements
                    near[:, here] = group.near(predicted[:, here], stands[:, here], aim[:, here])
            near = np.where(distance <= _FREE, aim, near)
            if self._sensing:
                limited = x.copy()
                limited[:, : self._elements] = near
            else:
                limited = near
            if (limited == x).all():
                limited = None
        for sensing in self._sensing:
            here = sensing.sensed
            short = sensing.limited(laws.stands[:, here], x[:, here])
            if (np.abs(short - x[:, here]) > _ALIKE * (1.0 + np.abs(x[:, here]))).any():
                limited = x.copy() if limited is None else limited
                limited[:, here] = short
        return self.laws(x if limited is None else limited)

    def turning_on(self, laws: Laws, shares: np.ndarray, y: np.ndarray) -> float:
        """When an element that has conducted, but doesn't, is to conduct again: the least of the shares of a step, or 1.

        Args:
            laws: where the elements stand as the step begins.
            shares: increasing times within the step, as shares of it, (times,).
            y: the unknowns that are predicted there, (times, size).
        """
        if not self._groups:
            return 1.0
        least = _ON * self._peaks
        off = np.abs(laws.currents[-1, : self._elements]) < least
        if not off.any():
            return 1.0
        x, earliest = self.sensed(y), 1.0
        for group in self._groups:
            here = group.elements
            begin = laws.stands[-1, here]
            end = np.maximum.reduce(x[:, here], axis=0)
            on = group.near(least[here], begin, end)
            for k in np.flatnonzero(off[here] & (begin < on) & (on < end)):
                voltages = np.append(begin[k], x[:, here.start + k])
                after = int(np.argmax(voltages >= on[k]))
                before, times = voltages[after - 1], np.append(0.0, shares)
                part = (on[k] - before) / (voltages[after] - before)
                earliest = min(earliest, float(times[after - 1] + part * (times[after] - times[after - 1])))
        return earliest

    def drawn(self, laws: Laws, x: np.ndarray) -> np.ndarray:
        """Currents of the nonlinear elements in each equation, on their tangents towards x; (stages, size)."""
        if laws.stands is x:
            return laws.currents @ self._inject
        change = laws.slopes * (x - laws.stands)
        if self._sensing:
            change = np.add.reduceat(change, self._starts, axis=1)
        return (laws.currents + change) @ self._inject

    def held(self, laws: Laws, x: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Charges of the junctions in each equation beyond those before, on their tangents towards x; (stages, size)."""
        gained = laws.charges - before
        if laws.stands is not x:
            gained += laws.capacitances * (x - laws.stands)[:, self.charged]
        return gained @ self.charged_incidence

    def conductance(self, y: np.ndarray) -> np.ndarray:
        """F' at unknowns, (size,), without junctions' charges: [S], (size, size)."""
        entry, row, column, sign = self.coupling
        slopes = self.laws(self.sensed(y[None])).slopes[0]
        found = np.array(self.stiffness if self.dense else self.stiffness.toarray())
        np.add.at(found, (row, column), sign * slopes[entry])
        return found

    def flows(self, y: np.ndarray, laws: Laws, x: np.ndarray) -> np.ndarray:
        """F(y), the nonlinear elements on their tangents towards x = `sensed(y)`; (stages, size)."""
        linear = _product(self.stiffness, y)
        return linear + self.drawn(laws, x) if laws.stands.shape[1] else linear

    def stored(self, change: np.ndarray, laws: Laws, x: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Q(y) − Q before, the junctions on their tangents towards x; (stages, size).

        Args:
            change: of the unknowns, (stages, size).
            laws: where the elements stand.
            x: `sensed` of the unknowns.
            before: charges of the charged elements [C], (charged,).
        """
        linear = _product(self.capacitance, change)
        return linear + self.held(laws, x, before) if len(self.charged) else linear

    def imbalance(
        self, y: np.ndarray, rates: np.ndarray, laws: Laws, charging: np.ndarray, r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What Kirchhoff's laws leave over, the largest term of each, and what rounding may leave; (stages, size) each.

        Summed branch by branch, apart from the matrices that a step is solved with.

        Args:
            y: the unknowns, (stages, size).
            rates: dy/dt, (stages, size).
            laws: the elements' laws at y.
            charging: currents that charge the charged elements [A], (stages, charged).
            r: the sources, (stages, size).
        """
        return self._branches.imbalance(y, rates, laws.currents, charging, r)

    def charged_noise(self, charging: np.ndarray) -> np.ndarray:
        """What rounding may leave of currents of so much each that charge elements, (stages, charged): (stages, size)."""
        return _ROUNDING * (charging @ self._absolute_charged)


class _Branches:
    """Kirchhoff's laws branch by branch: what each one carries, and the equations that it enters with a sign."""

    def __init__(
        self,
        size: int,
        resistors: tuple[Any, ...],
        capacitors: tuple[Any, ...],
        own: tuple[Any, ...],
        storage: tuple[Any, ...],
        inject: Any,
        charged: np.ndarray,
    ) -> None:
        """Take the parts of F and Q; ends at ground are `size`."""
        # Of all unknowns, their rates and a zero at the end: branches see a difference of two, single entries one.
        nothing = 2 * size

        def at(ends: np.ndarray, rated: bool) -> np.ndarray:
            return np.where(ends == size, nothing, ends + (size if rated else 0))

        single = [np.full(len(x[1]), nothing) for x in (own, storage)]
        parts = (resistors, False), (capacitors, True)
        self._first = np.concatenate([*(at(x[0], rated) for x, rated in parts), own[1], storage[1] + size]).astype(int)
        self._second = np.concatenate([*(at(x[1], rated) for x, rated in parts), *single]).astype(int)
        self._factor = np.concatenate([resistors[2], capacitors[2], own[2], storage[2]])
        # What rounds in a capacitor and a resistor is the difference of two voltages.
        self._reach = np.abs(self._factor)
        self._reach[len(self._reach) - len(storage[2]) :] = 0.0
        # Each term of each equation: the branches', the elements', the charges', and the source.
        both = len(resistors[0]) + len(capacitors[0])
        linear, entries, holding = len(self._factor), inject.tocoo(), inject[charged].tocoo()
        held = linear + inject.shape[0]
        branch, alone = np.arange(both), np.arange(both, linear)
        ends = [np.concatenate([x[i] for x in (resistors, capacitors)]) for i in (0, 1)]
        row = np.concatenate([*ends, own[0], storage[0], entries.col, holding.col, np.arange(size)])
        term = np.concatenate(
            [branch, branch, alone, linear + entries.row, held + holding.row, held + len(charged) + np.arange(size)]
        )
        sign = np.concatenate(
            [np.ones(both), -np.ones(both), np.ones(len(alone)), entries.data, holding.data, -np.ones(size)]
        )
        kept = np.flatnonzero(row < size)
        kept = kept[np.argsort(row[kept], kind="stable")]
        self._term, self._sign = term[kept].astype(int), sign[kept]
        self._starts = np.searchsorted(row[kept], np.arange(size))
        rows, terms = np.concatenate([*ends, own[0]]), np.concatenate([branch, branch, both + np.arange(len(own[0]))])
        self._noisy: Any = _matrix((linear, size), terms, rows.astype(int), np.ones(len(rows)))
        if size <= DENSE_LIMIT:
            self._noisy = self._noisy.toarray()

    def imbalance(
        self, y: np.ndarray, rates: np.ndarray, currents: np.ndarray, charging: np.ndarray, r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `CircuitInTime.imbalance`."""
        wide = np.concatenate([y, rates, np.zeros((len(y), 1))], 1)
        first, second = wide.take(self._first, 1), wide.take(self._second, 1)
        terms = np.concatenate([self._factor * (first - second), currents, charging, r], 1).take(self._term, 1)
        terms *= self._sign
        left = np.add.reduceat(terms, self._starts, 1)
        most = np.maximum.reduceat(np.abs(terms), self._starts, 1)
        noise = ((np.abs(first) + np.abs(second)) * self._reach) @ self._noisy
        return left, most, _ROUNDING * noise


_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""Of a term: what its computation may leave over."""
_FREE = 5e-2
"""V: an element that moves by less than this moves as its tangent predicts."""
_KNOWN = 0.1
"""Of the largest current that an element has carried: where it is taken to at once."""
_ON = 1e-3
"""Of the largest current that an element has carried: from where on it counts as conducting."""
_ALIKE = 1e-12
"""How closely what a behavioural source was limited to must be what it was to sense, for no limit."""


def _stamps(branches: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values that branches with a conductance or capacitance each enter a matrix with."""
    first, second, values = branches
    rows, columns = np.concatenate([first, second, first, second]), np.concatenate([first, second, second, first])
    return rows, columns, np.concatenate([values, values, -values, -values])


def _matrix(shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> Any:
    """Sums of entries, those of ground left out."""
    inside = (rows < shape[0]) & (columns < shape[1])
    return sparse.csr_array((values[inside], (rows[inside], columns[inside])), shape=shape)


def _products(inject: Any, sense: Any, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each equation that a current enters, with each unknown that its law senses."""
    entries = inject[owner].tocoo()
    number = np.diff(sense.indptr)[entries.row]
    begin = np.repeat(sense.indptr[entries.row] - np.cumsum(number) + number, number)
    at = begin + np.arange(len(begin))
    signs = np.repeat(entries.data, number) * sense.data[at]
    return np.repeat(entries.row, number), np.repeat(entries.col, number), sense.indices[at], signs


def _product(matrix: Any, rows: np.ndarray) -> np.ndarray:
    """Each row's image, (stages, size)."""
    return rows @ matrix.T if isinstance(matrix, np.ndarray) else (matrix @ rows.T).T
