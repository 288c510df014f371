"""A circuit in time: F(y) + d/dt Q(y) = r(t), by modified nodal analysis with charges.

y are the node voltages and the currents of sources and inductors, F the currents of resistors, sources and nonlinear elements
(Kirchhoff's current law at the nodes, the branch laws of voltage sources), Q the charges of capacitors and junctions at the
nodes and −L i in the rows of inductors, r(t) the sources. Charges, not capacitances times voltage rates, are what is
differenced, so that no charge is lost where a junction's capacitance changes (Ward and Dutton 1978). Nodes without a
capacitor, and capacitors across sources, need no case of their own.

What is linear is kept in matrices. Each nonlinear element sees x = B y, the drop between its ends, and its current and charge
enter Kirchhoff's laws through B again. Behind them in x stands what behavioural sources sense, several for each. A diode's series resistance R is an unknown w of its own, the drop across it: x loses w,
and w/R is the current into the junction. A node behind it would do, too, but its voltage's rounding, over a small resistance,
would drown the leakage currents that a floating supply's voltage hangs on.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from mho.elements import ControlledLaw, CurrentSource, JunctionDiode, ProgrammableResistor, TwoTerminal
from mho.elements.shockley_diode import LARGEST_CURRENT
from mho.steady.equations import System
from mho.transient.collocation import STAGES
from mho.transient.junction_charge import JunctionCharge

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

    element: Any
    """As `_Plain`."""
    tangent: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    """As `prepared`."""
    charge: JunctionCharge | None
    elements: slice
    charged: slice


class _Plain:
    """An element's parameters and functions as plain attributes: those of a module take longer than a small circuit's law."""

    def __init__(self, element: TwoTerminal) -> None:
        self.__dict__.update({f.name: getattr(element, f.name) for f in fields(element)})
        self._kind = type(element)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kind, name)
        if isinstance(found, property):
            assert found.fget is not None
            return found.fget(self)
        return partial(found, self) if callable(found) else found


@dataclass(frozen=True)
class _Sensing:
    """A group of behavioural sources: where what they sense stands, (n, k) of it, and their values."""

    law: ControlledLaw
    sensed: slice
    values: slice
    shape: tuple[int, int]

    def tangents(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, (stages, n), and derivatives, (stages, n·k), at what they sense, (stages, n·k)."""
        # A law's parameters are one for each source: it takes the stages one by one.
        found = [type(self.law).tangent(self.law, row.reshape(self.shape)) for row in x]
        return np.stack([f for f, _ in found]), np.stack([g.reshape(-1) for _, g in found])

    def limited(self, stood: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Where the laws are evaluated in a step of Newton's method, (stages, n·k)."""
        rows = np.broadcast_to(stood, x.shape)
        pairs = zip(rows, x, strict=True)
        return np.stack([self.law.limited(u.reshape(self.shape), d.reshape(self.shape)).reshape(-1) for u, d in pairs])

    def in_range(self, x: np.ndarray) -> bool:
        """Whether all stand where their laws are meant to hold."""
        return all(self.law.in_range(row.reshape(self.shape)).all() for row in x)


class CircuitInTime:
    """The equations of a circuit; see the module. All arrays are NumPy's, in float64."""

    def __init__(
        self,
        system: System,
        capacitors: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        charges: dict[int, JunctionCharge] | None = None,
        fluxes: tuple[np.ndarray, np.ndarray, np.ndarray] = (np.zeros(0, int), np.zeros(0, int), np.zeros(0)),
    ) -> None:
        """Take a circuit's equations apart.

        Args:
            system: of `mho.steady.modified_system`, its sources at what they are when they don't change.
            capacitors: unknowns at their two ends, `system.size` for ground, and capacitances [F], (capacitors,) each.
            charges: of the junctions of a group of elements, by the group's place in `system.elements`.
            fluxes: inductances [H] between pairs of the unknowns that are inductors' currents, each in both orders.
        """
        charges = charges or {}
        before = system.size
        constant = np.append(np.array(system.constant, np.float64), 0.0)
        resistors = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
        self._with_series: list[TwoTerminal] = []
        groups: list[tuple[np.ndarray, np.ndarray, TwoTerminal, np.ndarray, JunctionCharge | None]] = []
        for k, (a, b, element) in enumerate(zip(system.first, system.second, system.elements, strict=True)):
            a, b = np.asarray(a), np.asarray(b)
            if isinstance(element, CurrentSource):
                np.add.at(constant, a, np.asarray(element.injected))
                np.add.at(constant, b, -np.asarray(element.injected))
            elif isinstance(element, ProgrammableResistor):
                resistors.append((a, b, np.asarray(element.slope(np.zeros(len(a))), np.float64)))
            else:
                series = np.zeros(len(a))
                if isinstance(element, JunctionDiode) and element.series_resistance is not None:
                    series = np.asarray(element.series_resistance)
                    element = replace(element, series_resistance=None)
                groups.append((a, b, element, series, charges.get(k)))
                self._with_series.append(system.elements[k])
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
            self._groups.append(_TwoTerminals(_Plain(element), element.prepared(), charge, here, holding))
            if charge is not None:
                charged.append(np.arange(here.start, here.stop))
            count, held = here.stop, holding.stop
        self.charged = np.concatenate(charged)
        """Numbers of the elements that hold a charge, (charged,)."""
        ends = [grown(np.concatenate([np.zeros(0, int), *(g[i] for g in groups)])) for i in (0, 1)]
        element = np.concatenate([np.arange(count), np.arange(count), self._behind])
        places = np.concatenate([*ends, before + np.arange(len(self._behind))])
        signs = np.concatenate([np.ones(count), -np.ones(count + len(self._behind))])
        sense = inject = _matrix((count, size), element, places, signs)
        self._elements, owner = count, [np.arange(count)]
        for group in system.behavioural:
            number, each = group.sensed.shape
            if not each:
                value, _ = type(group.law).tangent(group.law, np.zeros((number, 0)))
                for at, sign in enumerate(group.signs):
                    inside = group.rows[:, at] < before
                    np.add.at(self.constant, group.rows[inside, at], -sign * value[inside])
                continue
            seen = slice(sense.shape[0], sense.shape[0] + number * each)
            here = slice(inject.shape[0], inject.shape[0] + number)
            self._sensing.append(_Sensing(group.law, seen, here, (number, each)))
            row, made = np.arange(number * each), grown(group.sensed.reshape(-1))
            sense = sparse.vstack([sense, _matrix((number * each, size), row, made, np.ones(number * each))], "csr")
            row, rows = np.repeat(np.arange(number), 2), grown(group.rows.reshape(-1))
            inject = sparse.vstack([inject, _matrix((number, size), row, rows, np.tile(group.signs, number))], "csr")
            owner.append(np.repeat(np.arange(here.start, here.stop), each))
        self._owner = np.concatenate(owner)
        self._starts = np.searchsorted(self._owner, np.arange(inject.shape[0]))
        self.dense = size <= DENSE_LIMIT
        self._resistors = (
            *(grown(np.concatenate([r[i] for r in resistors])) for i in (0, 1)),
            np.concatenate([r[2] for r in resistors]),
        )
        self._capacitors = *(grown(c) for c in capacitors[:2]), np.asarray(capacitors[2], np.float64)
        behind = before + np.arange(len(self._behind))
        there = np.flatnonzero(system.values)
        self._own = (
            np.append(np.asarray(system.rows)[there], behind),
            np.append(np.asarray(system.columns)[there], behind),
            np.append(np.asarray(system.values)[there], 1.0 / self._series),
        )
        self._fluxes = fluxes
        square = (size, size)
        stiffness = _matrix(square, *_stamps(*self._resistors)) + _matrix(square, *self._own)
        capacitance = _matrix(square, *_stamps(*self._capacitors)) + _matrix(square, fluxes[0], fluxes[1], -fluxes[2])
        self.stiffness: Any = self._kept(stiffness)
        """K, (size, size)."""
        self.capacitance: Any = self._kept(capacitance)
        """C, (size, size)."""
        self._inject: Any = self._kept(inject)
        """Which equations each current enters, (currents, size)."""
        self.charged_incidence: Any = self._kept(inject[self.charged])
        """(charged, size)."""
        self._sense: Any = self._kept(sense.T.tocsr())
        entries = inject.tocoo()
        self.coupling = _products(inject, sense, self._owner)
        """Where the slopes enter F': numbers of what is sensed, rows, columns and signs."""
        stages = (size + 1) * np.arange(STAGES)[:, None]
        linear = [np.concatenate([self._resistors[i], self._capacitors[i]]) for i in (0, 1)]
        holding = inject[self.charged].tocoo()
        self._entered, self._held = (entries.row, entries.data), (holding.row, holding.data)
        at = np.concatenate([*linear, entries.col, holding.col, self._own[0], fluxes[0]]).astype(int) + stages
        self._at = at.ravel()
        self._noisy_at = (np.concatenate([*linear, self._own[0]]).astype(int) + stages).ravel()

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

    def in_range(self, laws: Laws) -> bool:
        """Whether every element stands where its law is meant to hold."""
        if not np.abs(laws.currents).max(initial=0.0) < LARGEST_CURRENT:
            return False
        return all(s.in_range(laws.stands[:, s.sensed]) for s in self._sensing)

    def passed(self, laws: Laws) -> None:
        """Let laws that depend on their past know where they have come to, at the last stage."""
        for k, sensing in enumerate(self._sensing):
            law = sensing.law.after(laws.stands[-1, sensing.sensed].reshape(sensing.shape))
            if law is not sensing.law:
                self._sensing[k] = replace(sensing, law=law)

    def moved(self, laws: Laws, x: np.ndarray) -> Laws:
        """Where the elements stand next, and their laws there, when a step of Newton's method predicts x.

        To where an element carries its tangent's current, or to x, whichever is nearer; see `mho.steady.equations`.
        """
        count = self._elements
        far = (x - laws.stands)[:, :count]
        limited: np.ndarray | None = None
        free = np.abs(far) <= _FREE
        if not free.all():
            stands = np.broadcast_to(laws.stands, x.shape)
            predicted = laws.currents[:, :count] + laws.slopes[:, :count] * far
            for group in self._groups:
                here = group.elements
                if not free[:, here].all():
                    near = group.element.voltage_near(predicted[:, here], stands[:, here], x[:, here])
                    near = np.where(free[:, here], x[:, here], near)
                    if (near != x[:, here]).any():
                        limited = x.copy() if limited is None else limited
                        limited[:, here] = near
        for sensing in self._sensing:
            here = sensing.sensed
            short = sensing.limited(laws.stands[:, here], x[:, here])
            if (np.abs(short - x[:, here]) > _ALIKE * (1.0 + np.abs(x[:, here]))).any():
                limited = x.copy() if limited is None else limited
                limited[:, here] = short
        return self.laws(x if limited is None else limited)

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
        stages, size = len(y), self.size
        padded, rated = (np.concatenate([v, np.zeros((stages, 1))], 1) for v in (y, rates))
        flows, reach = [], []
        for (a, b, factor), values in ((self._resistors, padded), (self._capacitors, rated)):
            va, vb = values[:, a], values[:, b]
            flows.append(factor * (va - vb))
            reach.append(factor * (np.abs(va) + np.abs(vb)))
        rows, columns, values = self._own
        own = values * padded[:, columns]
        entered, held = laws.currents[:, self._entered[0]], charging[:, self._held[0]]
        terms = [*flows, *(-f for f in flows), entered * self._entered[1], held * self._held[1]]
        fluxes = -self._fluxes[2] * rated[:, self._fluxes[1]]
        every = np.concatenate([*terms, own, fluxes], 1).ravel()
        left = np.bincount(self._at, weights=every, minlength=stages * (size + 1))
        most = np.zeros(stages * (size + 1))
        np.maximum.at(most, self._at, np.abs(every))
        either = np.concatenate([*reach, *reach, np.abs(own)], 1)
        noise = np.bincount(self._noisy_at, weights=either.ravel(), minlength=stages * (size + 1))
        left, most, noise = (v.reshape(stages, size + 1)[:, :size] for v in (left, most, noise))
        return left - r, np.maximum(most, np.abs(r)), 4.0 * np.finfo(np.float64).eps * noise


_FREE = 5e-2
"""V: an element that moves by less than this moves as its tangent predicts."""
_ALIKE = 1e-12
"""How closely what a behavioural source was limited to must be what it was to sense, for no limit."""


def _stamps(first: np.ndarray, second: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values that branches with a conductance or capacitance each enter a matrix with."""
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
