"""From a SPICE netlist to the circuit that mho's own solvers take: what stands in the DC operating point.

Capacitors are open, inductors sources of 0 V. Diodes of one temperature are one group of elements. Source of the laws:
see `mho.elements`; of the signs: ngspice 39 manual, chapters 3 to 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.netlists.circuits.bidirectional_amplifiers import Pairs, amplifier_pairs
from mho.netlists.circuits.bipolars import add_bipolars
from mho.netlists.circuits.diodes import junction_diodes
from mho.netlists.circuits.jfets import add_jfets
from mho.netlists.circuits.mosfets import add_mosfets
from mho.netlists.circuits.own_voltage import own_voltage_law
from mho.netlists.circuits.switches import add_switches
from mho.netlists.reading.behavioural_law import FormulaLaw
from mho.netlists.reading.netlist import GROUND, BehaviouralSources, Netlist, Resistors, VoltageControlled
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.steady.newton import CircuitSolution

PROGRAMMABLE = "programmable resistors"
"""What the group of all resistors that learn is called."""


@dataclass(frozen=True)
class Roles:
    """What parts of a netlist do in a network that learns."""

    inputs: Sequence[str]
    """Sources, one for each feature."""
    input_gain: np.ndarray
    """Volts or amperes at each for a feature of 1, (inputs,)."""
    outputs: Sequence[tuple[str, str]]
    """Pairs of nodes."""
    resistors: np.ndarray
    """Rows of the resistors that learn, in their order."""
    conductance: np.ndarray
    """Of these [S]."""
    lower: float
    """Their smallest [S]."""
    upper: float
    """Their largest [S]."""


def netlist_circuit(
    netlist: Netlist, roles: Roles | None = None, *, energy: bool = True, currents: bool = False
) -> Circuit:
    """The circuit of a netlist, at its operating point; nodes and voltage sources keep their names.

    Args:
        netlist: the netlist.
        roles: what parts of it do in a network that learns; see `mho.netlists.circuits.network.netlist_network`.
        energy: whether bidirectional amplifiers are looked for, with which the circuit has an energy.
        currents: whether sources' currents are to be the netlist's: then an E source that is controlled from a node that
            sources hold is no amplifier, which would draw from these.

    Raises:
        InputError: for a fault of the circuit as a whole; see `mho.networks.circuit_builder.CircuitBuilder.build`.
    """
    programmable = () if roles is None else roles.resistors.tolist()
    pairs = amplifier_pairs(netlist, programmable, whole=currents) if energy else None
    if pairs is not None and (circuit := _circuit(netlist, pairs, roles)).ties is not None:
        return circuit
    return _circuit(netlist, None, roles)


def source_currents(netlist: Netlist, circuit: Circuit, point: CircuitSolution) -> dict[str, float]:
    """What flows through each of `Netlist.branches`, from its first node through it to its second [A]."""
    found = named_currents(netlist, circuit, point.source_currents, point.amplifier_currents)
    return {name: float(current) for name, current in found.items()}


def named_currents(
    netlist: Netlist, circuit: Circuit, sources: np.ndarray, amplifiers: np.ndarray
) -> dict[str, np.ndarray]:
    """The same of many points, from what flows through `Circuit.branch_names` and into the amplifiers, (..., branches)."""
    found = {}
    forward = set(netlist.vcvs.names) if circuit.amplifiers is not None else set()
    for name in netlist.branches:
        if name in forward:
            k = netlist.vcvs.names.index(name)
            turned = netlist.vcvs.nodes[k, 0] == GROUND
            found[name] = (-1.0 if turned else 1.0) * amplifiers[..., k]
        else:
            found[name] = sources[..., circuit.branch_names.index(name, "voltage source")]
    return found


def _circuit(netlist: Netlist, pairs: Pairs | None, roles: Roles | None) -> Circuit:
    builder = CircuitBuilder()
    nodes = np.array(netlist.nodes, dtype=object)
    resistors, currents, voltages = netlist.resistors, netlist.current_sources, netlist.voltage_sources
    held = np.array(voltages.dc)
    if roles is not None:
        if len(roles.resistors):
            first, second = nodes[resistors.nodes[roles.resistors]].T
            builder.add_resistors(
                first,
                second,
                roles.conductance,
                name=PROGRAMMABLE,
                labels=[resistors.names[row] for row in roles.resistors.tolist()],
                programmable=True,
                lower=roles.lower,
                upper=roles.upper,
            )
        held[np.isin(voltages.names, roles.inputs)] = 0.0
        builder.set_inputs(roles.inputs, gains=roles.input_gain)
        builder.set_outputs([plus for plus, _ in roles.outputs], references=[minus for _, minus in roles.outputs])
        kept = np.delete(np.arange(len(resistors)), roles.resistors)
        resistors = Resistors(
            [resistors.names[row] for row in kept.tolist()],
            *(values[kept] for values in (resistors.nodes, resistors.file, resistors.line, resistors.resistance)),
        )
    positive = resistors.resistance > 0
    if positive.any():
        first, second = nodes[resistors.nodes[positive]].T
        labels = [name for name, one in zip(resistors.names, positive.tolist(), strict=True) if one]
        # The least of doubles have no finite inverse, which `add_resistors` refuses by name.
        with np.errstate(over="ignore"):
            conductance = 1.0 / resistors.resistance[positive]
        builder.add_resistors(first, second, conductance, labels=labels)
    if not positive.all():
        # A negative resistance has no place among elements whose energy is convex: it is a source that senses itself.
        first, second = nodes[resistors.nodes[~positive]].T
        labels = [name for name, one in zip(resistors.names, positive.tolist(), strict=True) if not one]
        builder.add_vccs(first, second, first, second, 1.0 / resistors.resistance[~positive], name=labels)
    for celsius in np.unique(netlist.diodes.temperature):
        rows = np.flatnonzero(netlist.diodes.temperature == celsius)
        anode, cathode = nodes[netlist.diodes.nodes[rows]].T
        diode = junction_diodes(netlist, netlist.diodes, rows, float(celsius))
        labels = [netlist.diodes.names[k] for k in rows]
        builder.add_diodes(anode, cathode, diode, name=diode_group(celsius), labels=labels)
    taken = np.zeros(len(currents), bool) if roles is None else np.isin(currents.names, roles.inputs)
    for rows, name in ((np.flatnonzero(~taken), "current-sources"), (np.flatnonzero(taken), "input current sources")):
        if rows.size:
            first, second = nodes[currents.nodes[rows]].T
            driven = np.where(taken, 0.0, currents.dc)[rows]
            builder.add_current_sources(first, second, driven, name=name, labels=[currents.names[k] for k in rows])
    if len(voltages):
        plus, minus = nodes[voltages.nodes].T
        builder.add_voltage_sources(plus, minus, held, voltages.names)
    if len(netlist.inductors):
        first, second = nodes[netlist.inductors.nodes].T
        builder.add_voltage_sources(first, second, np.zeros(len(netlist.inductors)), netlist.inductors.names)
    if pairs is not None:
        builder.add_amplifiers(nodes[pairs.near], nodes[pairs.far], pairs.gain)
    else:
        _add_voltage_controlled(builder.add_vcvs, nodes, netlist.vcvs)
        _add_voltage_controlled(builder.add_vccs, nodes, netlist.vccs)
        for add, sources in ((builder.add_cccs, netlist.cccs), (builder.add_ccvs, netlist.ccvs)):
            if len(sources):
                plus, minus = nodes[sources.nodes].T
                control = [netlist.branches[k] for k in sources.control]
                add(plus, minus, control, sources.gain, name=sources.names)
    add_switches(builder, netlist)
    add_mosfets(builder, netlist)
    add_bipolars(builder, netlist)
    add_jfets(builder, netlist)
    for group in netlist.behavioural:
        _add_behavioural(builder, nodes, netlist, group)
    return builder.build()


def _add_behavioural(builder: CircuitBuilder, nodes: np.ndarray, netlist: Netlist, group: BehaviouralSources) -> None:
    plus, minus = nodes[group.nodes].T
    own = own_voltage_law(group)
    if own is not None:
        name = f"elements {group.names[0]} ..."
        if own.diode is not None:
            builder.add_elements(plus, minus, own.diode, name=name)
        conducting = own.conductance > 0
        if conducting.any():
            labels = [label for label, one in zip(group.names, conducting.tolist(), strict=True) if one]
            ends = plus[conducting], minus[conducting]
            builder.add_resistors(*ends, own.conductance[conducting], name=name, labels=labels)
        if own.current.any():
            builder.add_current_sources(plus, minus, own.current, name=f"currents {group.names[0]} ...")
        return
    sensed = [
        [f"v:{netlist.nodes[q]}" if q >= 0 else f"i:{netlist.branches[-1 - q]}" for q in row]
        for row in group.sensed.tolist()
    ]
    law = FormulaLaw(group.program, group.constants, netlist.gmin)
    kind = "i" if group.kind == "i" else "v"
    builder.add_behavioural_sources(plus, minus, sensed, law, kind=kind, names=group.names)


def diode_group(celsius: float) -> str:
    """What the group of all diodes at a temperature [°C] is called."""
    return f"diodes at {celsius:.17g} °C"


def nodeset_voltages(netlist: Netlist, circuit: Circuit) -> np.ndarray | None:
    """Where .nodeset cards say to start, for `mho.steady.newton.solve_circuit`: [V], (nodes,), NaN elsewhere."""
    if not netlist.nodesets:
        return None
    start = np.full(circuit.nodes, np.nan)
    for node, voltage in netlist.nodesets.items():
        start[circuit.node_names.index(netlist.nodes[node], "node")] = voltage
    return start


def _add_voltage_controlled(add, nodes: np.ndarray, sources: VoltageControlled) -> None:
    if len(sources):
        plus, minus = nodes[sources.nodes].T
        control_plus, control_minus = nodes[sources.control_nodes].T
        add(plus, minus, control_plus, control_minus, sources.gain, name=sources.names)
