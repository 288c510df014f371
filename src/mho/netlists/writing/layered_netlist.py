"""A layered network as a SPICE netlist, holding one sample: its sources' voltages and its nudging.

Nodes are called as `mho.networks.layer_names` says.

An element's cards are named after its node (`Dh1_7_u`, `Eh1_7`, `Ih1_7` its bias current), a resistor after the two
nodes it joins (`Rin12p_h1_7`); for what nudges or clamps the outputs see `mho.netlists.writing.nudging_cards`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mho.elements import VoltageSource
from mho.errors import InputError
from mho.netlists.writing.dialects import Simulator, check_dialect, whole_netlist
from mho.netlists.writing.nudging_cards import Ends, Nudge, nudge_cards
from mho.networks import Crossbar, LayeredNetwork, Voltages
from mho.networks.layer_names import node_names, row_nodes, source_nodes


def prediction_ends(network: LayeredNetwork) -> Ends:
    """The nodes that each prediction is measured between: a class's two outputs where they are paired, or ground."""
    outputs = node_names(network)[-1]
    half = len(outputs) // 2
    if network.paired_outputs:
        return list(zip(outputs[:half], outputs[half:], strict=True))
    return [(node, "0") for node in outputs]


def named_voltages(network: LayeredNetwork, voltages: Voltages) -> dict[str, float]:
    """One sample's voltages [V] by node name, from the layers' arrays, (1, nodes) each."""
    named = zip(node_names(network), voltages, strict=True)
    return {name: float(v) for names, row in named for name, v in zip(names, np.asarray(row)[0], strict=True)}


def layer_voltages(network: LayeredNetwork, voltages: Mapping[str, float]) -> Voltages:
    """Voltages by node name, as a simulator gives them, as the layers' arrays [V], (1, nodes) each.

    Raises:
        InputError: if a node is missing.
    """
    layers = node_names(network)
    missing = [name for names in layers for name in names if name not in voltages]
    if missing:
        raise InputError(f"no voltage of node {missing[0]!r} ({len(missing)} missing): is it this network's netlist?")
    return tuple(np.array([[voltages[name] for name in names]]) for names in layers)  # type: ignore[return-value]


def layered_netlist(
    network: LayeredNetwork,
    sources: ArrayLike,
    *,
    nudge: Nudge | None = None,
    title: str = "layered resistive network",
    told: Sequence[str] = (),
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a network in one sample's free or nudged phase, which the simulator runs unchanged.

    Numbers are written with 17 digits, so the circuit is the network's to the last bit of its conductances.

    Args:
        network: the network.
        sources: voltages of the positive sources [V], (pairs,): one row of `network.source_voltages(inputs)`.
        nudge: what is attached to the outputs, of this sample alone: currents into the output nodes, of shape (outputs,)
            or (1, outputs), an energy nudge with a strength of shape (1, 1) and a target of shape (1, classes), or a
            clamp of voltages of shape (1, classes).
        title: the netlist's first line.
        told: comments.
        simulator: whose options and analysis the netlist ends with; Xyce wants expressions in braces, too.

    Raises:
        InputError: if the sources or the nudge are not those of one sample, a value is not finite, a conductance is not
            positive, or the simulator is unknown.
    """
    check_dialect(title, simulator)
    lines = [title, "* nodes: in<k>p, in<k>n, biasp, biasn: sources; h<l>_<k>: hidden; a<l>_<k>: amplified; out_<k>"]

    drive = np.asarray(sources, np.float64)
    rows = source_nodes(network)
    if drive.shape != (len(rows[0]),):
        raise InputError(f"source voltages of shape {drive.shape}: one sample's, ({len(rows[0])},), are needed")
    if not np.isfinite(drive).all():
        raise InputError(f"source {rows[0][int(np.argmin(np.isfinite(drive)))]}: its voltage is not finite")
    for polarity, nodes in zip((1.0, -1.0), rows, strict=False):
        held = VoltageSource(np.asarray(polarity * drive))  # type: ignore[arg-type]
        for k, node in enumerate(nodes):
            lines += held.card(node, node, "0", k)
    lines += network_cards(network)
    grounded = [(node, "0") for node in node_names(network)[-1]]
    lines += [*nudge_cards(nudge, prediction_ends(network), grounded), *told]
    return whole_netlist(lines, simulator, source=f"V{rows[0][0]}", volts=float(drive[0]))


def network_cards(network: LayeredNetwork) -> list[str]:
    """All of the network but its voltage sources.

    Raises:
        InputError: if a conductance is not positive and finite, or the kind of crossbar is unknown.
    """
    lines: list[str] = []
    names, behind = node_names(network), row_nodes(network)
    for index, (layer, nodes, rows) in enumerate(zip(network.layers, names, behind, strict=True), 1):
        lines += _crossbar_cards(layer.crossbar, rows, nodes)
        for k, node in enumerate(nodes):
            if layer.element is not None:
                lines += layer.element.card(node, node, "0", k)
            if layer.bias is not None:
                lines += layer.bias.card(node, node, "0", k)
        if layer.amplifier is not None:
            for k, (node, far) in enumerate(zip(nodes, behind[index][0], strict=True)):
                lines += layer.amplifier.card(node, node, far, k)
    return lines


def _crossbar_cards(crossbar: Crossbar, rows: Sequence[list[str]], columns: list[str]) -> list[str]:
    lines = []
    for (row, column, conductance), nodes in zip(crossbar.single_resistors(), rows, strict=True):
        good = (conductance > 0) & np.isfinite(conductance)
        if not good.all():
            at = int(np.argmin(good))
            raise InputError(
                f"resistor {nodes[row[at]]} to {columns[column[at]]}: {conductance[at]} S; must be positive and finite"
            )
        # What ProgrammableResistor.card writes, without its call for each of the resistors.
        near, far = [nodes[k] for k in row.tolist()], [columns[k] for k in column.tolist()]
        ohms = (1.0 / conductance).tolist()
        lines += [f"R{n}_{f} {n} {f} {r:.17g}" for n, f, r in zip(near, far, ohms, strict=True)]
    return lines
