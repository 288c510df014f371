"""The transient analysis that a netlist asks for, by mho's own solvers.

As in SPICE the circuit starts from its operating point at time 0, nodes with an `.ic` held there; after `uic` from the
capacitors' own `ic=` or the `.ic` of their nodes, 0 V where there is none (ngspice 39 manual, sections 11.3.10 and 11.2.2).
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements.junction_temperature import heated
from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.spice.netlist import Netlist, Sources
from mho.spice.netlist_circuit import netlist_circuit, nodeset_voltages
from mho.spice.netlist_diodes import ZERO_CELSIUS, junction_diodes
from mho.spice.waveforms import Transient
from mho.steady.newton import solve_circuit
from mho.transient.dynamics import Dynamics, circuit_dynamics
from mho.transient.junction_charge import JunctionCharge
from mho.transient.simulate import simulator

_MOST_POINTS = 1_000_000


@dataclasses.dataclass(frozen=True)
class NetlistTransient:
    """Node voltages in time."""

    times: np.ndarray
    """From the card's start to its stop, its step apart [s], (times,)."""
    voltages: dict[str, np.ndarray]
    """Of each node but ground [V], (times,)."""


def netlist_transient(netlist: Netlist, *, capacitance: float = 0.0) -> NetlistTransient:
    """Run a netlist's `.tran`.

    Args:
        netlist: the netlist.
        capacitance: of one more capacitor from every node to ground [F].

    Raises:
        InputError: if there is no `.tran` card, nothing to follow in time, or a diode with TT and without CJO.
        MhoError: if there is no operating point to start from, or the integration fails.
    """
    card = netlist.transient
    if card is None:
        raise InputError(f"{netlist.files[0]}: no .tran card; write .tran STEP STOP")
    if not (np.isfinite(capacitance) and capacitance >= 0):
        raise InputError(f"--capacitance {capacitance}: must be finite and not negative")
    inner = -len(netlist.nodes)
    netlist = _with_junctions(netlist)
    inner += len(netlist.nodes)
    beginning = _at_start(netlist)
    circuit = netlist_circuit(beginning)
    numbers = np.array([circuit.node_names.index(name, "node") for name in netlist.nodes])
    first, second, farads = _capacitors(netlist, numbers, capacitance)
    charge = _charge(netlist, numbers)
    dynamics = circuit_dynamics(circuit, (first, second, farads), charge=charge)
    if charge is not None:
        first, second = np.append(first, charge.first), np.append(second, charge.second)
        farads = np.append(farads, charge.reference)
    if card.use_initial:
        start = _initial_state(netlist, dynamics, numbers, (first, second, farads))
    else:
        start = dynamics.projection @ _operating_point(beginning, dynamics, numbers)
    times = _times(card)
    waves = [(s, k) for s in (netlist.voltage_sources, netlist.current_sources) for k in s.waveforms]
    simulate = simulator(dynamics, _sources(netlist, circuit, dynamics, numbers, card))
    waveforms = simulate(
        start,
        times if times[0] == 0 else np.append(0.0, times),
        corners=np.concatenate([np.zeros(0), *(s.waveforms[k].corners(card) for s, k in waves)]),
        max_step=card.max_step or card.stop / 50,
    )
    found = waveforms.unknowns[-len(times) :]
    given = len(netlist.nodes) - inner
    named = zip(netlist.nodes[:given], numbers[:given], strict=True)
    nodes = {name: found[:, n - 1] for name, n in named if n}
    return NetlistTransient(times, nodes)


def _charged(netlist: Netlist) -> np.ndarray:
    """Which diodes hold a charge of their own."""
    charged = [m.junction_capacitance > 0 or m.transit_time > 0 for m in netlist.models]
    return np.flatnonzero(np.array(charged, bool)[netlist.diodes.model])


def _with_junctions(netlist: Netlist) -> Netlist:
    """The netlist with the series resistance of each charged diode as a resistor: the charge is that of the junction."""
    diodes, resistors = netlist.diodes, netlist.resistors
    series = np.array([m.series_resistance for m in netlist.models])
    rows = _charged(netlist)
    rows = rows[series[diodes.model[rows]] > 0]
    if not len(rows):
        return netlist
    inner = len(netlist.nodes) + np.arange(len(rows), dtype=np.int32)
    names = [f"{diodes.names[k]}#junction" for k in rows]
    bare = [dataclasses.replace(m, series_resistance=0.0) for m in netlist.models]
    model, nodes = diodes.model.copy(), diodes.nodes.copy()
    model[rows] += len(bare)
    nodes[rows, 0] = inner
    return dataclasses.replace(
        netlist,
        nodes=[*netlist.nodes, *names],
        models=[*netlist.models, *bare],
        diodes=dataclasses.replace(diodes, model=model, nodes=nodes),
        resistors=dataclasses.replace(
            resistors,
            names=[*resistors.names, *names],
            nodes=np.concatenate([resistors.nodes, np.stack([diodes.nodes[rows, 0], inner], 1)]),
            file=np.append(resistors.file, diodes.file[rows]),
            line=np.append(resistors.line, diodes.line[rows]),
            resistance=np.append(resistors.resistance, series[diodes.model[rows]] / diodes.area[rows]),
        ),
    )


def _charge(netlist: Netlist, numbers: np.ndarray) -> JunctionCharge | None:
    """What the junctions hold, None where none holds anything."""
    diodes, rows = netlist.diodes, _charged(netlist)
    if not len(rows):
        return None

    def parameter(field: str) -> np.ndarray:
        return np.array([getattr(m, field) for m in netlist.models], np.float64)[diodes.model[rows]]

    for k in rows[parameter("junction_capacitance") == 0]:
        model = netlist.models[diodes.model[k]].name
        raise InputError(
            f"{netlist.where(diodes, k)}: {diodes.names[k]}: a transient takes no TT of model {model} without a CJO: "
            f"below 0 V the junction would hold no charge at all"
        )
    celsius = diodes.temperature[rows]
    if len(np.unique(celsius)) > 1:
        raise InputError(
            "diodes with CJO or TT at different temperatures: a transient takes one temperature for them all"
        )
    kelvin = celsius + ZERO_CELSIUS
    nominal, grading = parameter("nominal_temperature") + ZERO_CELSIUS, parameter("grading")
    capacitance, potential = parameter("junction_capacitance") * diodes.area[rows], parameter("junction_potential")
    capacitance, potential = heated(capacitance, potential, grading, nominal, kelvin)
    first, second = numbers[diodes.nodes[rows]].T
    return JunctionCharge(
        first=first,
        second=second,
        diode=junction_diodes(netlist, diodes, rows, float(celsius[0])),
        transit_time=parameter("transit_time"),
        zero_bias=capacitance,
        potential=potential,
        grading=grading,
        forward_bias=parameter("forward_bias"),
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


def _capacitors(netlist: Netlist, numbers: np.ndarray, capacitance: float) -> tuple[np.ndarray, ...]:
    first, second = numbers[netlist.capacitors.nodes].T
    farads = netlist.capacitors.capacitance
    if capacitance > 0:
        every = numbers[1:]
        first, second = np.append(first, every), np.append(second, np.zeros_like(every))
        farads = np.append(farads, np.full(len(every), capacitance))
    return first, second, farads


def _operating_point(netlist: Netlist, dynamics: Dynamics, numbers: np.ndarray) -> np.ndarray:
    """Node voltages [V], `.ic` nodes held, in the order of the unknowns."""
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
        at = len(sources)
        branches = [*netlist.branches[:at], *more.names[at:], *netlist.branches[at:]]
        # Controlling branches are numbered V, E, H.
        moved = {
            kind: dataclasses.replace(group, control=np.where(group.control < at, group.control, group.control + count))
            for kind, group in (("cccs", netlist.cccs), ("ccvs", netlist.ccvs))
        }
        held = dataclasses.replace(netlist, voltage_sources=more, branches=branches, **moved)
    circuit = netlist_circuit(held)
    voltages = solve_circuit(circuit, start=nodeset_voltages(held, circuit)).voltages
    y = np.zeros(dynamics.system.size)
    for name, number in zip(netlist.nodes, numbers, strict=True):
        if number:
            y[number - 1] = voltages[circuit.node_names.index(name, "node")]
    return y


def _initial_state(
    netlist: Netlist, dynamics: Dynamics, numbers: np.ndarray, capacitors: tuple[np.ndarray, ...]
) -> np.ndarray:
    """The state in which the capacitors hold their initial voltages."""
    first, second, farads = capacitors
    given = np.zeros(len(numbers))
    given[list(netlist.initial_conditions)] = list(netlist.initial_conditions.values())
    by_number = np.zeros(len(numbers))
    by_number[numbers] = given
    voltages = by_number[first] - by_number[second]
    own = len(netlist.capacitors)
    voltages[:own] = np.where(netlist.capacitors.has_initial, netlist.capacitors.initial, voltages[:own])
    charge = np.zeros(dynamics.system.size + 1)  # the last is the ground's
    np.add.at(charge, first - 1, farads * voltages)
    np.add.at(charge, second - 1, -farads * voltages)
    return -dynamics.drive @ charge[:-1]


def _times(card: Transient) -> np.ndarray:
    count = (card.stop - card.start) / card.step
    if count > _MOST_POINTS:
        raise InputError(f".tran: {count:.3g} steps of {card.step:g} s; at most {_MOST_POINTS} are reported")
    times = card.start + card.step * np.arange(int(count * (1 + 1e-12)) + 1)
    return times if np.isclose(times[-1], card.stop, rtol=1e-9) else np.append(times, card.stop)


def _sources(
    netlist: Netlist, circuit: Circuit, dynamics: Dynamics, numbers: np.ndarray, card: Transient
) -> Callable[[Array, Array], Array]:
    """The sources' values r as a function of time; currents are what they have changed since time 0."""
    constant = np.zeros(dynamics.system.size + 1)  # the last is the ground's
    constant[dynamics.source_rows] = circuit.source_voltage
    voltages, currents = netlist.voltage_sources, netlist.current_sources
    rows = [int(dynamics.source_rows[circuit.source_names.index(name, "source")]) for name in voltages.names]
    ends = numbers[currents.nodes] - 1

    def at(time: Array, argument: Array) -> Array:
        values = jnp.asarray(constant)
        for k, wave in voltages.waveforms.items():
            values = values.at[rows[k]].set(wave.at(time, card))
        for k, wave in currents.waveforms.items():
            change = wave.at(time, card) - wave.at_start
            values = values.at[ends[k, 0]].add(-change).at[ends[k, 1]].add(change)
        return values[:-1]

    return at
