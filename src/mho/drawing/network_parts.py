"""The parts of a network: of a circuit, or of a layered network, resistor by resistor."""

from typing import Any

import jax
import numpy as np

from mho.drawing.parts import GROUND, Circuitry, Part, gain_text, symbol
from mho.elements import ProgrammableResistor
from mho.elements.two_terminal import entry
from mho.engineering import engineering
from mho.networks import Circuit, LayeredNetwork
from mho.networks.branches import Controlled
from mho.networks.convolution import PoolingCrossbar
from mho.networks.layer_names import node_names, row_nodes, source_nodes
from mho.precision import double


def circuit_parts(circuit: Circuit, inputs: np.ndarray | None, point: Any) -> Circuitry:
    """Elements called as an exported netlist calls them, or by the names that they have.

    Args:
        circuit: the circuit.
        inputs: one sample's, (features,); None for the sources' own voltages.
        point: its `mho.steady.newton.CircuitSolution`, or None where no voltages and currents are wanted.
    """
    circuit = jax.tree.map(np.asarray, circuit)
    name = [circuit.node_names[k] for k in range(circuit.nodes)]
    sources = np.asarray(circuit.sources(inputs), np.float64)
    parts: list[Part] = []
    for number, (branches, element) in enumerate(zip(circuit.branches, circuit.elements(sources), strict=True)):
        first, second = np.asarray(branches.first).tolist(), np.asarray(branches.second).tolist()
        currents: Any = [None] * len(first)
        if point is not None:
            drop = point.voltages[branches.first] - point.voltages[branches.second]
            currents = np.broadcast_to(np.asarray(element.current(drop)), drop.shape).tolist()
        for k, (a, b) in enumerate(zip(first, second, strict=True)):
            seen = symbol(element, k, programmable=branches.programmable)
            label = f"{seen.letter}{number}_{k}" if branches.labels is None else branches.labels[k]
            ends, sign = ((b, a), -1.0) if seen.turned else ((a, b), 1.0)
            parts.append(
                Part(
                    label,
                    seen.kind,
                    *(name[e] for e in ends),
                    value=seen.value,
                    conductance=_conductance(element, k),
                    current=None if currents[k] is None else sign * currents[k],
                )
            )
    through = [None] * len(circuit.branch_names) if point is None else point.source_currents.tolist()
    for k in range(len(circuit.source_names)):
        ends = name[circuit.source_plus[k]], name[circuit.source_minus[k]]
        value = engineering(sources[k], "V")
        parts.append(Part(circuit.source_names[k], "voltage source", *ends, value=value, current=through[k]))
    if circuit.amplifiers is not None:
        drawn = [None] * len(circuit.amplifiers.gain) if point is None else (-point.amplifier_currents).tolist()
        rows = zip(*(np.asarray(x).tolist() for x in vars(circuit.amplifiers).values()), drawn, strict=True)
        parts += [
            Part(f"A{k}", "amplifier", name[near], name[far], value=f"× {gain:.4g}", current=current)
            for k, (near, far, gain, current) in enumerate(rows)
        ]
    placed = len(circuit.source_names)
    for group in circuit.controlled:
        parts += _controlled(circuit, group, name, placed, through)
        placed += len(group.gain) if group.kind in "eh" else 0
    for group in circuit.behavioural:
        ends = zip(np.asarray(group.plus).tolist(), np.asarray(group.minus).tolist(), strict=True)
        kind = f"controlled {'current' if group.kind == 'i' else 'voltage'} source"
        for k, (a, b) in enumerate(ends):
            sensed = [name[s] if s >= 0 else f"i({circuit.branch_names[-1 - s]})" for s in group.sensed[k].tolist()]
            parts.append(Part(f"{group.name}_{k}", kind, name[a], name[b], value=f"f({', '.join(sensed)})"))
    outputs = list(dict.fromkeys(node for pair in circuit.prediction_ends for node in pair if node != GROUND))
    volts = None if point is None else dict(zip(name, point.voltages.tolist(), strict=True))
    return Circuitry(parts, outputs, volts)


def _conductance(element: Any, k: int) -> float | None:
    return entry(element.conductance, k) if isinstance(element, ProgrammableResistor) else None


def _controlled(circuit: Circuit, group: Controlled, name: list[str], placed: int, through: list) -> list[Part]:
    parts, control = [], np.asarray(group.control)
    for k, gain in enumerate(np.asarray(group.gain, np.float64).tolist()):
        if group.kind in "eg":
            by = f"v({', '.join(name[n] for n in control[:, k] if n)})"
        else:
            by = f"i({circuit.branch_names[control[k]]})"
        own = group.kind in "eh"
        parts.append(
            Part(
                circuit.branch_names[placed + k] if own else f"{group.kind.upper()}{k}",
                f"controlled {'voltage' if own else 'current'} source",
                name[group.plus[k]],
                name[group.minus[k]],
                value=f"{engineering(gain, {'g': 'S', 'h': 'Ω'}.get(group.kind, ''))} · {by}",
                current=through[placed + k] if own else None,
            )
        )
    return parts


def source_voltages(network: LayeredNetwork, inputs: np.ndarray) -> np.ndarray:
    """Of the positive sources [V], (pairs,), for one sample, (1, features), in float64."""
    return np.asarray(double(LayeredNetwork.source_voltages)(network, inputs))[0]  # type: ignore[arg-type]


def layered_parts(network: LayeredNetwork, inputs: np.ndarray | None, point: Any) -> Circuitry:
    """Elements called as an exported netlist calls them; see `circuit_parts`."""
    volts = {GROUND: 0.0}
    given = np.zeros((1, len(source_nodes(network)[0]) - (network.bias_line is not None)))
    drive = source_voltages(network, given if inputs is None else inputs[None])
    parts: list[Part] = []
    for sign, nodes in zip((1.0, -1.0), source_nodes(network), strict=False):
        volts |= dict(zip(nodes, (sign * drive).tolist(), strict=True))
        parts += [Part(f"V{n}", "voltage source", n, GROUND, value=engineering(volts[n], "V")) for n in nodes]
    for index, (nodes, rows) in enumerate(zip(node_names(network), row_nodes(network), strict=True)):
        layer = network.layers[index]
        if point is not None:
            volts |= dict(zip(nodes, np.asarray(point.voltages[index])[0].tolist(), strict=True))
            if layer.amplifier is not None:
                far = row_nodes(network)[index + 1][0]
                volts |= {n: entry(layer.amplifier.gain, k) * volts[nodes[k]] for k, n in enumerate(far)}
        kind = "resistor" if isinstance(layer.crossbar, PoolingCrossbar) else "programmable resistor"
        for side, (row, column, conductance) in zip(rows, layer.crossbar.single_resistors(), strict=True):
            for a, b, g in zip(row.tolist(), column.tolist(), conductance.tolist(), strict=True):
                i = None if point is None else g * (volts[side[a]] - volts[nodes[b]])
                value = engineering(g, "S") if kind != "resistor" else engineering(1.0 / g, "Ω")
                parts.append(Part(f"R{side[a]}_{nodes[b]}", kind, side[a], nodes[b], value, None, g, i))
        for k, node in enumerate(nodes):
            for element in (layer.element, layer.bias):
                if element is None:
                    continue
                seen = symbol(element, k)
                ends = (GROUND, node) if seen.turned else (node, GROUND)
                parts.append(Part(f"{seen.letter}{node}", seen.kind, *ends, value=seen.value))
            if layer.amplifier is not None:
                far = row_nodes(network)[index + 1][0][k]
                parts.append(Part(f"A{node}", "amplifier", node, far, value=gain_text(layer.amplifier, k)))
    return Circuitry(parts, node_names(network)[-1], None if point is None else volts)
