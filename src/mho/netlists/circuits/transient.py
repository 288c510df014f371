"""The transient analysis that a netlist asks for, by mho's own solvers.

As in SPICE the circuit starts from its operating point at time 0, nodes with an `.ic` held there; after `uic` from the
capacitors' own `ic=` or the `.ic` of their nodes, 0 V where there is none (ngspice 39 manual, sections 11.3.10 and 11.2.2).
Capacitors in parallel, or in loops with sources, whose voltages don't go together share their charges at once.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from mho.dynamics.equations import CircuitInTime
from mho.dynamics.integration import ERROR, Course, integrate
from mho.dynamics.junction_charge import DepletionCharge, JunctionCharge
from mho.errors import InputError
from mho.netlists.circuits.circuit import diode_group, named_currents, netlist_circuit, nodeset_voltages
from mho.netlists.circuits.diodes import depletion_layers, transit_times
from mho.netlists.reading.clock import CLOCK, with_clock
from mho.netlists.reading.netlist import GROUND, Netlist, Resistors, Sources
from mho.netlists.reading.reader import read_netlist
from mho.netlists.reading.topology import check_topology
from mho.netlists.reading.waveforms import PiecewiseLinear, Pulse, Transient, Waveform, fastest
from mho.networks.circuit import Circuit
from mho.steady.certificate import element_name
from mho.steady.modified_system import modified_system
from mho.steady.newton import solve_circuit

_MOST_POINTS = 1_000_000
_RELTOL = 1e-3
"""ngspice's default, which a netlist may tighten."""
_LEAST_STEPS = 50
"""As ngspice: of the whole time, what a step is at most."""
_LEAK = 1e30
"""Ohms: 1 fF keeps its charge behind it for 3e7 years."""
_PERIOD_STEPS = 8
"""Steps of a sine's period, at the least, so that none is passed over."""


@dataclasses.dataclass(frozen=True)
class NetlistTransient:
    """Node voltages in time."""

    times: np.ndarray
    """From the card's start to its stop, its step apart [s], (times,)."""
    voltages: dict[str, np.ndarray]
    """Of each node but ground [V], (times,)."""
    currents: dict[str, np.ndarray]
    """Through each V, E and H source, behavioural voltage source and inductor, from its first node through it to its second
    [A], (times,)."""
    course: Course
    """Steps, and the largest residual of them all."""


def transient(
    netlist: Netlist | str | Path, *, step: float | None = None, stop: float | None = None, capacitance: float = 0.0
) -> NetlistTransient:
    """Follow the voltages and currents of a netlist in time.

    Args:
        netlist: the netlist, or its file.
        step: between the times that are reported [s]; that of the netlist's `.tran` if None.
        stop: the last time [s]; that of the `.tran` if None. With both given the netlist needs no `.tran`.
        capacitance: of one more capacitor from every node to ground [F].

    Raises:
        InputError: as `netlist_transient`, or if the file cannot be read.
        MhoError: as `netlist_transient`.
    """
    read = netlist if isinstance(netlist, Netlist) else read_netlist(Path(netlist))
    card = read.transient
    if step is not None and stop is not None:
        card = Transient(step, stop) if card is None else dataclasses.replace(card, step=step, stop=stop)
    elif card is not None:
        card = dataclasses.replace(card, step=step or card.step, stop=stop or card.stop)
    return netlist_transient(dataclasses.replace(read, transient=card), capacitance=capacitance)


def netlist_transient(
    netlist: Netlist, *, capacitance: float = 0.0, visited: Callable[[float], None] = lambda time: None
) -> NetlistTransient:
    """Run a netlist's `.tran`.

    A step's error is estimated to be below 1e-5 of each node's swing; `.options reltol` below 1e-3 tightens that in
    proportion.

    Args:
        netlist: the netlist.
        capacitance: of one more capacitor from every node to ground [F].
        visited: called with the time [s] of every step, for a progress bar.

    Raises:
        InputError: if there is no `.tran` card, or a transistor's model has capacitances or transit times.
        MhoError: if there is no operating point to start from, or a step fails however small it is.
    """
    card = netlist.transient
    if card is None:
        raise InputError(f"{netlist.files[0]}: no .tran card; write .tran STEP STOP")
    if not (np.isfinite(capacitance) and capacitance >= 0):
        raise InputError(f"--capacitance {capacitance}: must be finite and not negative")
    _require_no_transistor_charges(netlist)
    times = _times(card)
    netlist = with_clock(netlist, card)
    beginning = _at_start(netlist)
    circuit = netlist_circuit(_with_charged_nodes(beginning) if card.use_initial else beginning)
    circuit = jax.tree.map(lambda leaf: np.asarray(leaf), circuit)
    numbers = np.array([circuit.node_names.index(name, "node") for name in netlist.nodes])
    system = modified_system(circuit, np.asarray(circuit.source_voltage))
    first, second, farads = _capacitors(netlist, numbers, capacitance)
    ends = (np.where(n == 0, system.size, n - 1) for n in (first, second))
    inductors = _current_rows(circuit, netlist.inductors.names)
    equations = CircuitInTime(
        system,
        (*ends, farads),  # pyright: ignore[reportArgumentType]
        charges=_charges(netlist, circuit),
        storage=_fluxes(netlist, inductors),
        name=lambda group, k: element_name(circuit, circuit.branches[group], k),
    )
    surplus = np.zeros(system.size)
    if card.use_initial:
        start, surplus = _initial_state(netlist, system.size, numbers)
        start[inductors] = netlist.inductors.initial
    else:
        start = _operating_point(beginning, system.size, numbers, inductors)
    judged = np.arange(system.size) < circuit.nodes - 1
    judged[inductors] = True
    reltol = netlist.options.get("reltol", _RELTOL)
    course = integrate(
        equations,
        _Waves(netlist, circuit, equations, numbers, card),
        start,
        times,
        names=[*(circuit.node_names[n] for n in range(1, circuit.nodes)), *_current_names(circuit, system.size)],
        judged=judged,
        max_step=_max_step(netlist, card),
        error=ERROR * min(1.0, float(reltol) / _RELTOL),
        surplus=surplus,
        visited=visited,
    )
    found = course.unknowns
    nodes = {name: found[:, n - 1] for name, n in zip(netlist.nodes, numbers, strict=True) if n}
    nodes.pop(CLOCK, None)
    first, last = circuit.nodes - 1, circuit.nodes - 1 + len(circuit.branch_names)
    currents = named_currents(netlist, circuit, found[:, first:last], found[:, last:])
    currents.pop(CLOCK, None)
    return NetlistTransient(times, nodes, currents, course)


def _current_rows(circuit: Circuit, names: list[str]) -> np.ndarray:
    """Where the unknowns hold the currents of named branches."""
    return np.array([circuit.nodes - 1 + circuit.branch_names.index(n, "branch") for n in names], np.int64)


def _fluxes(netlist: Netlist, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """−L [H] between the currents of inductors: their own, and −k·√(L₁·L₂) of those that are coupled, twice."""
    own, couplings = netlist.inductors.inductance, netlist.couplings
    first, second = couplings.inductors.T
    mutual = couplings.coefficient * np.sqrt(own[first] * own[second])
    a, b = np.concatenate([rows, rows[first], rows[second]]), np.concatenate([rows, rows[second], rows[first]])
    return a, b, -np.concatenate([own, mutual, mutual])


def _current_names(circuit: Circuit, size: int) -> list[str]:
    names = [circuit.branch_names[k] for k in range(len(circuit.branch_names))]
    return names + [f"amplifier {k}" for k in range(size - circuit.nodes + 1 - len(names))]


def _max_step(netlist: Netlist, card: Transient) -> float:
    steps = [card.max_step or np.inf, card.stop / _LEAST_STEPS]
    for sources in (netlist.voltage_sources, netlist.current_sources):
        for wave in sources.waveforms.values():
            if frequency := fastest(wave, card):
                steps.append(1.0 / (_PERIOD_STEPS * frequency))
    return min(steps)


def _charges(netlist: Netlist, circuit: Circuit) -> dict[int, JunctionCharge]:
    """What junctions hold, by the place of their group among the circuit's; see `mho.netlists.circuits.circuit`."""
    diodes = netlist.diodes
    places = {branch.name: k for k, branch in enumerate(circuit.branches)}
    found: dict[int, JunctionCharge] = {}
    for celsius in np.unique(diodes.temperature):
        rows = np.flatnonzero(diodes.temperature == celsius)
        layers = [layer for layer in depletion_layers(netlist, diodes, rows) if layer.zero_bias.any()]
        transit = transit_times(netlist, diodes, rows)
        if layers or transit.any():
            made = [DepletionCharge(x.zero_bias, x.potential, x.grading, x.forward_bias) for x in layers]
            found[places[diode_group(celsius)]] = JunctionCharge(transit, made)
    return found


_TRANSISTOR_CHARGES = {
    "jfets": ("gate_source_capacitance", "gate_drain_capacitance"),
    "mosfets": (
        *(
            "oxide_thickness",
            "gate_source_overlap",
            "gate_drain_overlap",
            "gate_bulk_overlap",
            "bulk_drain_capacitance",
        ),
        *("bulk_source_capacitance", "bottom_capacitance", "sidewall_capacitance"),
    ),
    "bipolars": (
        *("emitter_capacitance", "collector_capacitance", "substrate_capacitance", "forward_transit_time"),
        "reverse_transit_time",
    ),
}


def _require_no_transistor_charges(netlist: Netlist) -> None:
    """Refuse what would change the waveforms and is not computed."""
    for kind, fields in _TRANSISTOR_CHARGES.items():
        group, models = getattr(netlist, kind), getattr(netlist, f"{kind[:-1]}_models")
        for k, model in enumerate(group.model):
            for field in fields:
                if getattr(models[model], field):
                    raise InputError(
                        f"{netlist.where(group, k)}: {group.names[k]}: a transient does not know its model's "
                        f"{field.replace('_', ' ')}; take it out, or put capacitors beside the transistor"
                    )


def _at_start(netlist: Netlist) -> Netlist:
    """The netlist with its sources at what their waveforms are at time 0."""

    def begun(sources: Sources) -> Sources:
        dc = np.array(sources.dc, np.float64)
        for k, wave in sources.waveforms.items():
            dc[k] = wave.at_start
        return dataclasses.replace(sources, dc=dc)

    voltages, currents = begun(netlist.voltage_sources), begun(netlist.current_sources)
    return dataclasses.replace(netlist, voltage_sources=voltages, current_sources=currents)


def _with_charged_nodes(netlist: Netlist) -> Netlist:
    """The netlist with a leak to ground at nodes that capacitors alone connect, which a circuit at rest doesn't have."""
    try:
        check_topology(netlist)
    except InputError:
        held = netlist.resistors
        nodes = np.unique(netlist.capacitors.nodes)
        nodes = nodes[nodes != GROUND]
        count = len(nodes)
        leaks = Resistors(
            names=[*held.names, *(f"leak of {netlist.nodes[n]}" for n in nodes)],
            nodes=np.concatenate([held.nodes, np.stack([nodes, np.full_like(nodes, GROUND)], 1)]),
            file=np.append(held.file, np.zeros(count, np.int32)),
            line=np.append(held.line, np.zeros(count, np.int32)),
            resistance=np.append(held.resistance, np.full(count, _LEAK)),
        )
        return dataclasses.replace(netlist, resistors=leaks)
    return netlist


def _capacitors(netlist: Netlist, numbers: np.ndarray, capacitance: float) -> tuple[np.ndarray, ...]:
    first, second = numbers[netlist.capacitors.nodes].T
    farads = netlist.capacitors.capacitance
    if capacitance > 0:
        every = numbers[1:]
        first, second = np.append(first, every), np.append(second, np.zeros_like(every))
        farads = np.append(farads, np.full(len(every), capacitance))
    return first, second, farads


def _operating_point(netlist: Netlist, size: int, numbers: np.ndarray, inductors: np.ndarray) -> np.ndarray:
    """Node voltages [V], `.ic` nodes held, and the currents of inductors [A], in the order of the unknowns."""
    held = netlist
    if netlist.initial_conditions:
        sources = netlist.voltage_sources
        nodes = np.array(list(netlist.initial_conditions), np.int32)
        count = len(nodes)
        more = Sources(
            names=[*sources.names, *(f".ic of {netlist.nodes[n]}" for n in nodes)],
            nodes=np.concatenate([sources.nodes, np.stack([nodes, np.zeros_like(nodes)], 1)]),
            file=np.append(sources.file, np.zeros(count, np.int32)),
            line=np.append(sources.line, np.zeros(count, np.int32)),
            dc=np.append(sources.dc, list(netlist.initial_conditions.values())),
            waveforms=sources.waveforms,
        )
        # Controlled sources find what controls them by its place in `branches`, which needs no name of these.
        held = dataclasses.replace(netlist, voltage_sources=more)
    circuit = netlist_circuit(held)
    found = solve_circuit(circuit, start=nodeset_voltages(held, circuit))
    voltages, y = found.voltages, np.zeros(size)
    y[inductors] = [
        found.source_currents[circuit.branch_names.index(name, "branch")] for name in netlist.inductors.names
    ]
    for name, number in zip(netlist.nodes, numbers, strict=True):
        if number:
            y[number - 1] = voltages[circuit.node_names.index(name, "node")]
    return y


def _initial_state(netlist: Netlist, size: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voltages that `.ic` gives nodes [V], and what capacitors with an `ic=` hold beyond those [C], (size,) each."""
    given, surplus = np.zeros(size + 1), np.zeros(size + 1)
    for node, voltage in netlist.initial_conditions.items():
        given[numbers[node] - 1] = voltage
    # Ground's, where the numbers put it.
    given[-1] = 0.0
    own = netlist.capacitors
    rows = np.flatnonzero(own.has_initial)
    first, second = numbers[own.nodes[rows]].T - 1
    more = own.capacitance[rows] * (own.initial[rows] - given[first] + given[second])
    np.add.at(surplus, first, more)
    np.add.at(surplus, second, -more)
    return given[:-1], surplus[:-1]


def _times(card: Transient) -> np.ndarray:
    count = (card.stop - card.start) / card.step
    if count > _MOST_POINTS:
        raise InputError(f".tran: {count:.3g} steps of {card.step:g} s; at most {_MOST_POINTS} are reported")
    times = card.start + card.step * np.arange(int(count * (1 + 1e-12)) + 1)
    return times if np.isclose(times[-1], card.stop, rtol=1e-9) else np.append(times, card.stop)


class _Waves:
    """The sources' values r in time; see `mho.dynamics.step.Drive`."""

    def __init__(
        self, netlist: Netlist, circuit: Circuit, equations: CircuitInTime, numbers: np.ndarray, card: Transient
    ) -> None:
        self._card, self._constant = card, equations.constant
        voltages, currents = netlist.voltage_sources, netlist.current_sources
        rows = circuit.nodes - 1 + np.arange(len(circuit.source_names))
        size = equations.size
        places: list[tuple[Waveform, dict[int, float]]] = []
        for k, wave in voltages.waveforms.items():
            row = rows[circuit.source_names.index(voltages.names[k], "source")]
            places.append((wave, {int(row): 1.0}))
        for k, wave in currents.waveforms.items():
            plus, minus = numbers[currents.nodes[k]] - 1
            places.append((wave, {int(plus): -1.0, int(minus): 1.0} if plus != minus else {}))
        self._straight = [(w, at) for w, at in places if isinstance(w, Pulse | PiecewiseLinear)]
        self._curved = [(w, at) for w, at in places if not isinstance(w, Pulse | PiecewiseLinear)]

        def matrix(waves: Sequence[tuple[Waveform, dict[int, float]]]) -> np.ndarray:
            made = np.zeros((len(waves), size + 1))
            for k, (_, at) in enumerate(waves):
                for row, sign in at.items():
                    made[k, row] += sign
            return made[:, :size]

        self._straight_at, self._curved_at = matrix(self._straight), matrix(self._curved)
        self._prepared = [wave.prepared(card) for wave, _ in self._curved]
        # Constant parts hold the waves' values at time 0 already.
        begun = np.array([w.at_start for w, _ in self._straight + self._curved], np.float64)
        self._constant = self._constant - begun.reshape(-1) @ np.concatenate([self._straight_at, self._curved_at])
        corners = np.concatenate([[card.stop], *(w.corners(card) for w, _ in places)])
        corners = np.unique(corners[(corners > 0) & (corners <= card.stop)])
        apart = np.append(np.diff(corners) > 16.0 * np.spacing(card.stop), True)
        self.corners = corners[apart]
        self._begin = self._end = 0.0
        self._line = np.zeros((2, size))
        self._offset, self._slope = self._constant, np.zeros(size)

    def enter(self, begin: float, end: float) -> bool:
        """Between two corners what is straight is a line: two of its points will do."""
        before = self._line[1]
        inside = begin + (end - begin) * np.array([0.25, 0.75])
        points = (
            np.stack([w.at(inside, self._card) for w, _ in self._straight], 1) if self._straight else np.zeros((2, 0))
        )
        ends = np.array([[1.5, -0.5], [-0.5, 1.5]]) @ points
        self._begin, self._end, self._line = begin, end, ends @ self._straight_at
        self._offset, self._slope = self._constant + self._line[0], self._line[1] - self._line[0]
        most = np.maximum(np.abs(self._line).max(0), np.abs(before))
        return bool((np.abs(self._line[0] - before) > 1e-6 * most).any())

    def at(self, times: np.ndarray) -> np.ndarray:
        """r, (times, size)."""
        share = (times - self._begin) / (self._end - self._begin)
        r = self._offset + share[:, None] * self._slope
        for wave, at in zip(self._prepared, self._curved_at, strict=True):
            r += wave(times)[:, None] * at
        return r
