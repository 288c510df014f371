"""The transient analysis that a netlist asks for, by mho's own solvers.

As in SPICE the circuit starts from its operating point at time 0, nodes with an `.ic` held there; after `uic` from the
capacitors' own `ic=` or the `.ic` of their nodes, 0 V where there is none (ngspice 39 manual, sections 11.3.10 and 11.2.2).
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.spice.netlist import Netlist, Sources
from mho.spice.netlist_circuit import netlist_circuit, nodeset_voltages
from mho.spice.waveforms import Transient
from mho.steady.newton import solve_circuit
from mho.transient.dynamics import Dynamics, circuit_dynamics
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
        InputError: if there is no `.tran` card, nothing to follow in time, or a diode with a capacitance of its own.
        MhoError: if there is no operating point to start from, or the integration fails.
    """
    card = netlist.transient
    if card is None:
        raise InputError(f"{netlist.files[0]}: no .tran card; write .tran STEP STOP")
    if not (np.isfinite(capacitance) and capacitance >= 0):
        raise InputError(f"--capacitance {capacitance}: must be finite and not negative")
    for k, model in enumerate(netlist.diodes.model):
        held = netlist.models[model]
        if held.junction_capacitance > 0 or held.transit_time > 0:
            raise InputError(
                f"{netlist.where(netlist.diodes, k)}: {netlist.diodes.names[k]}: a transient takes no CJO or TT of model "
                f"{held.name}; put a capacitor across the diode"
            )
    beginning = _at_start(netlist)
    circuit = netlist_circuit(beginning)
    numbers = np.array([circuit.node_names.index(name, "node") for name in netlist.nodes])
    first, second, farads = _capacitors(netlist, numbers, capacitance)
    dynamics = circuit_dynamics(circuit, (first, second, farads))
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
    nodes = {name: found[:, n - 1] for name, n in zip(netlist.nodes, numbers, strict=True) if n}
    return NetlistTransient(times, nodes)


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
