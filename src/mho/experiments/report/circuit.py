"""What the circuit is: its layers as a diagram and a table, or its groups of elements."""

from collections import Counter
from typing import Any

import numpy as np

from mho.elements import ProgrammableResistor
from mho.experiments.baselines import Perceptron
from mho.experiments.configuration import RuleConfiguration
from mho.experiments.report.document import Element, Section, element, paragraph, quantity, table
from mho.experiments.report.measured import Measured
from mho.networks import Circuit, LayeredNetwork, PoolingCrossbar
from mho.networks.layered import Layer


def circuit_section(measured: Measured) -> Section:
    """Of any run."""
    network, configuration = measured.network, measured.configuration
    said = f"{measured.experiment}: {type(network).__name__} on {configuration.dataset}"
    if isinstance(configuration, RuleConfiguration):
        said += f", learning by {configuration.rule}, on {configuration.device} devices"
    return Section("Circuit", [paragraph(said + "."), *drawing(network), *_details(network)])


def drawing(network: Any) -> list[Element]:
    """The circuit as a picture: a layer diagram of a layered one, nothing yet of others."""
    if isinstance(network, LayeredNetwork):
        sources = f"{network.widths[0]:,} sources" + (" (±x)" if network.layers[0].crossbar.mirrored else "")
        boxes = [[sources, f"input gain {network.input_gain:g}"]]
        for number, layer in enumerate(network.layers, 1):
            last = number == len(network.layers)
            crossbar = f"{_kind(layer)}, {_conductances(layer).size:,} conductances"
            nodes = f"{layer.crossbar.shape[1]:,} {'outputs' if last else 'nodes'}"
            boxes += [[crossbar], [nodes, *_standing(layer)]]
        if network.paired_outputs:
            boxes[-1].append("in pairs: the prediction is their difference")
    elif isinstance(network, Perceptron):
        boxes = [[f"{network.layers[0].weight.shape[0]:,} inputs"]]
        for layer in network.layers:
            boxes += [[f"{layer.weight.size:,} weights"], [f"{layer.weight.shape[1]:,} units"]]
    else:
        return []
    steps = [element("li", *(element("span", line) for line in box)) for box in boxes]
    return [element("ol", *steps, class_="layers", aria_label="Layer diagram, from the inputs to the outputs")]


def _kind(layer: Layer) -> str:
    return type(layer.crossbar).__name__.replace("Crossbar", "").replace("Mirrored", "mirrored ").lower() + " crossbar"


def _standing(layer: Layer) -> list[str]:
    """What stands at a layer's nodes."""
    parts = [] if layer.element is None else [type(layer.element).__name__]
    parts += ["bias currents"] if layer.bias is not None else []
    if layer.amplifier is not None:
        gain = np.asarray(layer.amplifier.gain)
        parts.append(f"amplifiers of gain {gain.mean():.4g}" + (" in the mean" if gain.ndim else ""))
    return parts


def _conductances(layer: Layer) -> np.ndarray:
    return np.concatenate([np.ravel(v) for v in _arrays(layer.crossbar)]) if _arrays(layer.crossbar) else np.zeros(0)


def _arrays(crossbar: Any) -> list[np.ndarray]:
    import jax

    return [] if isinstance(crossbar, PoolingCrossbar) else [np.asarray(v) for v in jax.tree.leaves(crossbar)]


def _details(network: Any) -> list[Element]:
    if isinstance(network, LayeredNetwork):
        rows = []
        for number, layer in enumerate(network.layers, 1):
            values, (n, m) = _conductances(layer), layer.crossbar.shape
            low, high = (float(values.min()), float(values.max())) if values.size else (None, None)
            shown = [(v, quantity(v, "S")) for v in (low, high)]
            rows.append(
                [f"{number}", _kind(layer), n, m, values.size, *shown, ", ".join(_standing(layer)) or "nothing"]
            )
        columns = ("layer", "crossbar", "rows", "nodes", "conductances", "smallest", "largest", "at its nodes")
        return [table("Layers; a row of a mirrored crossbar is a pair of sources", columns, rows)]
    if not isinstance(network, Circuit):
        return []
    kinds: Counter[str] = Counter()
    for branch in network.branches:
        resistor = "programmable resistor" if branch.programmable else "resistor"
        kind = resistor if isinstance(branch.element, ProgrammableResistor) else type(branch.element).__name__
        kinds[kind] += len(np.asarray(branch.first))
    counted = [[kind, count] for kind, count in kinds.items()]
    counted += [["voltage source", len(network.source_names)]] if len(network.source_names) else []
    if network.amplifiers is not None:
        counted.append(["bidirectional amplifier", len(np.asarray(network.amplifiers.near))])
    for source in network.controlled:
        counted.append([f"controlled source ({source.kind.upper()})", len(np.asarray(source.plus))])
    for source in network.behavioural:
        counted.append([f"behavioural source ({source.kind})", len(np.asarray(source.plus))])
    outputs = ", ".join(plus if minus == "0" else f"{plus}:{minus}" for plus, minus in network.prediction_ends[:20])
    return [
        paragraph(f"{network.nodes:,} nodes, ground included; outputs: {outputs}."),
        table("Elements by kind", ("element", "count"), counted),
    ]
