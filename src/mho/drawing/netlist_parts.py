"""The parts of a netlist."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np

from mho.drawing.parts import GROUND, Circuitry, Part
from mho.engineering import engineering
from mho.netlists import Netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.netlists.circuits.operating_point import OperatingPoint
from mho.netlists.reading.netlist import Elements


def netlist_parts(
    netlist: Netlist, *, programmable: Collection[str] = (), outputs: Collection[str] = (), point: OperatingPoint | None
) -> Circuitry:
    """Its elements, subcircuits expanded.

    Currents are those of sources and of two-terminal elements; of transistors and switches they are not told.

    Args:
        netlist: the netlist.
        programmable: names of the resistors that learn.
        outputs: nodes that are read.
        point: its operating point, or None where no voltages and currents are wanted.
    """
    node, branch = netlist.nodes, netlist.branches
    parts: list[Part] = []

    def add(elements: Elements, kind: str, values: Any, **more: Any) -> None:
        listed = zip(elements.names, elements.nodes.tolist(), values, strict=True)
        for k, (name, (a, b), value) in enumerate(listed):
            extra = {key: given[k] for key, given in more.items()}
            parts.append(Part(name, kind, node[a], node[b], value=value, **extra))

    def named(indices: Any) -> list[str]:
        return [node[k] for k in indices]

    def models(elements: Any, known: list) -> list[str]:
        return [known[k].name.rpartition(":")[2] for k in elements.model]

    def across(pair: Any) -> str:
        return f"v({', '.join(node[k] for k in pair if k)})"

    r, sources = netlist.resistors, netlist.voltage_sources
    for name, (a, b), ohms in zip(r.names, r.nodes.tolist(), r.resistance.tolist(), strict=True):
        learns = name in programmable
        value = engineering(1.0 / ohms, "S") if learns else engineering(ohms, "Ω")
        kind = "programmable resistor" if learns else "resistor"
        parts.append(Part(name, kind, node[a], node[b], value=value, conductance=1.0 / ohms))
    add(netlist.capacitors, "capacitor", [engineering(c, "F") for c in netlist.capacitors.capacitance])
    add(netlist.inductors, "inductor", [engineering(h, "H") for h in netlist.inductors.inductance])
    for kind, table, unit in (("voltage", sources, "V"), ("current", netlist.current_sources, "A")):
        waves = [type(table.waveforms[k]).__name__.lower() if k in table.waveforms else "" for k in range(len(table))]
        told = [f"{engineering(v, unit)} {w}".strip() for v, w in zip(table.dc, waves, strict=True)]
        add(table, f"{kind} source", told)
    for k, name in enumerate(models(netlist.diodes, netlist.models)):
        breaks = netlist.models[netlist.diodes.model[k]].breakdown_voltage is not None
        a, b = netlist.diodes.nodes[k]
        area = netlist.diodes.area[k]
        value = name if area == 1.0 else f"{name} × {area:.4g}"
        parts.append(Part(netlist.diodes.names[k], "zener diode" if breaks else "diode", node[a], node[b], value=value))
    for table, kind, unit in ((netlist.vcvs, "voltage", ""), (netlist.vccs, "current", "S")):
        pairs = zip(table.gain, table.control_nodes, strict=True)
        add(table, f"controlled {kind} source", [f"{engineering(g, unit)} · {across(c)}" for g, c in pairs])
    for table, kind, unit in ((netlist.cccs, "current", ""), (netlist.ccvs, "voltage", "Ω")):
        pairs = zip(table.gain, table.control, strict=True)
        add(table, f"controlled {kind} source", [f"{engineering(g, unit)} · i({branch[c]})" for g, c in pairs])
    for group in netlist.behavioural:
        sensed = [", ".join(node[s] if s >= 0 else f"i({branch[-1 - s]})" for s in row) for row in group.sensed]
        kind = f"controlled {'current' if group.kind == 'i' else 'voltage'} source"
        add(group, kind, [f"f({s})" for s in sensed])
    add(netlist.switches, "switch", [across(pair) for pair in netlist.switches.control])
    add(netlist.current_switches, "switch", [f"i({branch[k]})" for k in netlist.current_switches.control])
    m, q, j = netlist.mosfets, netlist.bipolars, netlist.jfets
    sizes = [
        f"{name}\n{engineering(w, 'm')} / {engineering(l, 'm')}" + (f"\nbulk {node[b]}" if b not in (s, GROUND) else "")
        for name, w, l, b, (_, s) in zip(
            models(m, netlist.mosfet_models), m.width, m.length, m.bulk.tolist(), m.nodes.tolist(), strict=True
        )
    ]
    for table, values, gates, known, kinds in (
        (m, sizes, m.gate, netlist.mosfet_models, ("NMOS", "PMOS")),
        (q, models(q, netlist.bipolar_models), q.base, netlist.bipolar_models, ("NPN", "PNP")),
        (j, models(j, netlist.jfet_models), j.gate, netlist.jfet_models, ("NJF", "PJF")),
    ):
        for k, third in enumerate(named(gates)):
            a, b = named(table.nodes[k])
            kind = kinds[known[table.model[k]].polarity < 0]
            parts.append(Part(table.names[k], kind, a, b, value=values[k], third=third))
    coils = netlist.inductors.names
    coupled = zip(netlist.couplings.names, netlist.couplings.inductors, netlist.couplings.coefficient, strict=True)
    notes = [f"{name}: {coils[a]} and {coils[b]}, {k:.3g}" for name, (a, b), k in coupled]
    if point is None:
        return Circuitry(parts, tuple(outputs), None, notes)
    volts = {GROUND: 0.0, **point.nodes}
    known = _currents(netlist, volts, parts) | point.branches
    parts = [dataclasses.replace(part, current=known.get(part.name)) for part in parts]
    return Circuitry(parts, tuple(outputs), volts, notes)


def _currents(netlist: Netlist, volts: dict[str, float], parts: list[Part]) -> dict[str, float]:
    """Through the elements that have a law of their own, from their first node to their second [A]."""
    found = {p.name: p.conductance * (volts[p.first] - volts[p.second]) for p in parts if p.conductance is not None}
    found |= dict.fromkeys(netlist.capacitors.names, 0.0)
    found |= dict(zip(netlist.current_sources.names, netlist.current_sources.dc.tolist(), strict=True))
    controls = [volts[netlist.nodes[a]] - volts[netlist.nodes[b]] for a, b in netlist.vccs.control_nodes]
    found |= {name: float(g * v) for name, g, v in zip(netlist.vccs.names, netlist.vccs.gain, controls, strict=True)}
    circuit = netlist_circuit(netlist)
    for group in circuit.branches:
        if group.labels is None:
            continue
        ends = [[circuit.node_names[k] for k in np.asarray(e).tolist()] for e in (group.first, group.second)]
        drops = np.array([volts.get(a, np.nan) - volts.get(b, np.nan) for a, b in zip(*ends, strict=True)])
        currents = np.broadcast_to(np.asarray(group.element.current(drops)), drops.shape).tolist()  # type: ignore[arg-type]
        named = zip(range(len(drops)), currents, strict=True)
        found |= {group.labels[k]: current for k, current in named if np.isfinite(current)}
    return found
