"""A circuit in time: F(y) + d/dt Q(y) = r(t), by modified nodal analysis with charges.

y are the node voltages and the currents of sources and inductors, F the currents of resistors, sources and nonlinear elements
(Kirchhoff's current law at the nodes, the branch laws of voltage sources), Q the charges of capacitors and junctions at the
nodes and −L i in the rows of inductors, r(t) the sources. Charges, not capacitances times voltage rates, are what is
differenced, so that no charge is lost where a junction's capacitance changes (Ward and Dutton 1978). Nodes without a
capacitor, and capacitors across sources, need no case of their own.

What is linear is kept in matrices. What is not is a list of laws: each of the P currents depends on one or more of M sensed
differences of unknowns, x = y S.
"""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from mho.elements import CurrentSource, ProgrammableResistor, TwoTerminal
from mho.steady.equations import System, is_linear
from mho.transient.collocation import STAGES
from mho.transient.junction_charge import JunctionCharge

DENSE_LIMIT = 60
"""Unknowns up to which matrices are dense: beyond, SuperLU is faster than LAPACK on the three coupled stages."""


@dataclass(frozen=True)
class Laws:
    """The nonlinear elements' currents and charges where they stand; the first axis is the stages'."""

    stands: np.ndarray
    """x, (stages, M)."""
    currents: np.ndarray
    """(stages, P)."""
    slopes: np.ndarray
    """Derivatives by what is sensed, (stages, M)."""
    charges: np.ndarray
    """Of the charged elements [C], (stages, charged)."""
    capacitances: np.ndarray
    """(stages, charged)."""


@dataclass(frozen=True)
class _TwoTerminals:
    """A group of nonlinear two-terminal elements: where its sensed voltages, its currents and its charges stand."""

    kind: type[TwoTerminal]
    element: Any
    """As `_Plain`."""
    charge: JunctionCharge | None
    sensed: slice
    currents: slice
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
        size = self.size = system.size
        sensed: list[tuple[np.ndarray, np.ndarray]] = []
        self._groups: list[_TwoTerminals] = []
        ends: list[tuple[np.ndarray, np.ndarray]] = []
        constant = np.array(system.constant, np.float64)
        resistors: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        charged_places: list[np.ndarray] = []
        count = held = 0
        for k, (a, b, element) in enumerate(zip(system.first, system.second, system.elements, strict=True)):
            a, b = np.asarray(a), np.asarray(b)
            if isinstance(element, CurrentSource):
                given = np.append(constant, 0.0)
                np.add.at(given, a, np.asarray(element.injected))
                np.add.at(given, b, -np.asarray(element.injected))
                constant = given[:-1]
            elif isinstance(element, ProgrammableResistor):
                resistors.append((a, b, np.asarray(element.slope(np.zeros(len(a))), np.float64)))
            else:
                assert not is_linear(element)
                charge = charges.get(k)
                here = slice(count, count + len(a))
                charged = slice(held, held + (len(a) if charge is not None else 0))
                self._groups.append(_TwoTerminals(type(element), _Plain(element), charge, here, here, charged))
                if charge is not None:
                    charged_places.append(np.arange(here.start, here.stop))
                sensed.append((a, b))
                ends.append((a, b))
                count, held = here.stop, charged.stop
        self.constant = constant
        """r of the sources at rest, (size,)."""
        none = [(np.zeros(0, int), np.zeros(0, int))]
        self.plus, self.minus = (np.concatenate([s[i] for s in sensed or none]) for i in (0, 1))
        into, out = (np.concatenate([e[i] for e in ends or none]) for i in (0, 1))
        self.charged = np.concatenate(charged_places) if charged_places else np.zeros(0, int)
        self.owner = np.arange(count)
        self.dense = size <= DENSE_LIMIT
        first, second, conductance = (np.concatenate([r[i] for r in resistors] or [np.zeros(0)]) for i in range(3))
        self._resistors = first.astype(int), second.astype(int), conductance
        self._capacitors = tuple(np.asarray(c) for c in capacitors)
        self._own = np.asarray(system.rows), np.asarray(system.columns), np.asarray(system.values)
        stiffness = _matrix(size, *_stamps(*self._resistors)) + _matrix(size, *self._own)
        capacitance = _matrix(size, *_stamps(*self._capacitors)) + _matrix(size, fluxes[0], fluxes[1], -fluxes[2])
        self._fluxes = fluxes
        inject = _incidence(size, into, out)
        sense = _incidence(size, self.plus, self.minus).T.tocsr()
        self.stiffness: Any = self._kept(stiffness)
        """K, (size, size)."""
        self.capacitance: Any = self._kept(capacitance)
        """C, (size, size)."""
        self.inject: Any = self._kept(inject)
        """Which equations each current enters, (P, size)."""
        self.inject_charge: Any = self._kept(inject[self.charged])
        """(charged, size)."""
        self.sense: Any = self._kept(sense)
        """S, (size, M)."""
        coupling = [np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), np.zeros(0)]
        if count:
            by_entry, by_sense = inject[self.owner].tocoo(), sense.T.tocsr()
            starts = np.diff(by_sense.indptr)[by_entry.row]
            entry = np.repeat(by_entry.row, starts)
            row = np.repeat(by_entry.col, starts)
            within = np.arange(len(entry)) - np.repeat(np.cumsum(starts) - starts, starts)
            at = by_sense.indptr[entry] + within
            coupling = [entry, row, by_sense.indices[at], np.repeat(by_entry.data, starts) * by_sense.data[at]]
        self.coupling: tuple[np.ndarray, ...] = tuple(coupling)
        """Where the derivatives by what is sensed enter F': numbers of the sensed, rows, columns and signs."""

        linear = [np.concatenate([self._resistors[i], self._capacitors[i]]) for i in (0, 1)]
        branches = [np.concatenate([part, e, e[self.charged]]) for part, e in zip(linear, (into, out), strict=True)]
        stages = (size + 1) * np.arange(STAGES)[:, None]
        self._at = np.concatenate([*branches, self._own[0], self._fluxes[0]]).astype(int) + stages
        self._noisy_at = np.concatenate([*linear, self._own[0]]).astype(int) + stages

    def _kept(self, matrix: Any) -> Any:
        return matrix.toarray() if self.dense else matrix.tocsr()

    @property
    def linear(self) -> bool:
        """Whether no element is nonlinear."""
        return not self._groups

    def sensed(self, y: np.ndarray) -> np.ndarray:
        """X at unknowns of shape (stages, size): (stages, M)."""
        return y @ self.sense

    def laws(self, x: np.ndarray) -> Laws:
        """The nonlinear elements at sensed voltages, (stages, M)."""
        currents, slopes = np.empty_like(x), np.empty_like(x)
        charges = np.empty((len(x), len(self.charged)))
        capacitances = np.empty_like(charges)
        for group in self._groups:
            here = x[:, group.sensed]
            i, g = group.kind.tangent(group.element, here)
            currents[:, group.currents], slopes[:, group.sensed] = i, g
            if group.charge is not None:
                q, c = group.charge.at(here, i, g)
                charges[:, group.charged], capacitances[:, group.charged] = q, c
        return Laws(x, currents, slopes, charges, capacitances)

    def moved(self, laws: Laws, x: np.ndarray) -> Laws:
        """Where the elements stand next, and their laws there, when a step of Newton's method predicts x.

        To where an element carries its tangent's current, or to x, whichever is nearer; see `mho.steady.equations`.
        """
        there = self.laws(x)
        limited: np.ndarray | None = None
        for group in self._groups:
            u, d = laws.stands[:, group.sensed], x[:, group.sensed]
            predicted = laws.currents[:, group.currents] + laws.slopes[:, group.sensed] * (d - u)
            value = there.currents[:, group.currents]
            far = d - u
            if not (np.abs(far) > _FREE).any():
                continue
            beyond = ((value - predicted) * far > 0.0) & (np.abs(far) > _FREE)
            if beyond.any():
                near = group.kind.voltage_near(group.element, predicted, np.broadcast_to(u, d.shape), d)
                limited = x.copy() if limited is None else limited
                limited[:, group.sensed] = np.where(beyond, near, d)
        return there if limited is None else self.laws(limited)

    def flows(self, y: np.ndarray, laws: Laws, x: np.ndarray) -> np.ndarray:
        """F(y), the nonlinear elements on their tangents towards x = `sensed(y)`; (stages, size)."""
        predicted = laws.currents + laws.slopes * (x - laws.stands)
        return _product(self.stiffness, y) + predicted @ self.inject

    def stored(self, change: np.ndarray, laws: Laws, x: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Q(y) − Q before, the junctions on their tangents towards x; (stages, size).

        Args:
            change: of the unknowns, (stages, size).
            laws: where the elements stand.
            x: `sensed` of the unknowns.
            before: charges of the charged elements [C], (charged,).
        """
        linear = _product(self.capacitance, change)
        if not len(self.charged):
            return linear
        moved = laws.charges - before + laws.capacitances * (x - laws.stands)[:, self.charged]
        return linear + moved @ self.inject_charge

    def largest(
        self, y: np.ndarray, rates: np.ndarray, laws: Laws, charging: np.ndarray, r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The largest term in each equation, and what rounding of linear terms may leave there; (stages, size) each.

        Args:
            y: the unknowns, (stages, size).
            rates: dy/dt, (stages, size).
            laws: the elements' laws at y.
            charging: currents that charge the charged elements [A], (stages, charged).
            r: the sources, (stages, size).
        """
        stages, size = len(y), self.size
        padded, rated = (np.concatenate([v, np.zeros((stages, 1))], 1) for v in (y, rates))
        terms, reach = [], []
        for (a, b, factor), values in ((self._resistors, padded), (self._capacitors, rated)):
            va, vb = values[:, a], values[:, b]
            terms.append(factor * (va - vb))
            reach.append(factor * (np.abs(va) + np.abs(vb)))
        flows = np.abs(np.concatenate([*terms, laws.currents, charging], 1))
        rows, columns, values = self._own
        own = np.abs(values * padded[:, columns])
        fluxes = np.abs(self._fluxes[2] * rated[:, self._fluxes[1]])
        most = np.zeros(stages * (size + 1))
        np.maximum.at(most, self._at[:stages].ravel(), np.concatenate([flows, flows, own, fluxes], 1).ravel())
        either = np.concatenate([*reach, *reach, own], 1)
        noise = np.bincount(self._noisy_at[:stages].ravel(), weights=either.ravel(), minlength=stages * (size + 1))
        most, noise = (v.reshape(stages, size + 1)[:, :size] for v in (most, noise))
        return np.maximum(most, np.abs(r)), 4.0 * np.finfo(np.float64).eps * noise


_FREE = 1e-3
"""V: an element that moves by less than this moves as its tangent predicts."""


def _stamps(first: np.ndarray, second: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values that branches with a conductance or capacitance each enter a matrix with."""
    rows, columns = np.concatenate([first, second, first, second]), np.concatenate([first, second, second, first])
    return rows, columns, np.concatenate([values, values, -values, -values])


def _matrix(size: int, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> Any:
    """Sums of entries, those of ground left out."""
    inside = (rows < size) & (columns < size)
    return sparse.csr_array((values[inside], (rows[inside], columns[inside])), shape=(size, size))


def _incidence(size: int, plus: np.ndarray, minus: np.ndarray) -> Any:
    """+1 at the first and −1 at the second unknown of each branch, (branches, size)."""
    branch = np.arange(len(plus))
    rows, columns = np.concatenate([branch, branch]), np.concatenate([plus, minus])
    values = np.repeat([1.0, -1.0], len(plus))
    inside = columns < size
    return sparse.csr_array((values[inside], (rows[inside], columns[inside])), shape=(len(plus), size))


def _product(matrix: Any, rows: np.ndarray) -> np.ndarray:
    """Each row's image, (stages, size)."""
    return rows @ matrix.T if isinstance(matrix, np.ndarray) else (matrix @ rows.T).T

