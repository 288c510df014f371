"""What the circuit is: its layers as a diagram and a table, or its groups of elements."""

import io
from collections import Counter
from typing import Any

import jax
import numpy as np

from mho.elements import OffsetElement, ProgrammableResistor
from mho.errors import InputError
from mho.experiments.baselines import Perceptron
from mho.experiments.configuration import RuleConfiguration
from mho.networks import Circuit, LayeredNetwork, PoolingCrossbar
from mho.networks.layered import Layer
from mho.reporting.document import Element, Section, data_address, element, paragraph, quantity, table
from mho.reporting.measured import Measured

_KINDS = {"schematic": "a schematic", "lattice": "a lattice", "graph": "a graph", "layers": "a diagram of its layers"}


def circuit_section(measured: Measured) -> Section:
    """Of any run."""
    network, configuration = measured.network, measured.configuration
    said = f"{measured.experiment}: {type(network).__name__} on {configuration.dataset}"
    if isinstance(configuration, RuleConfiguration):
        said += f", learning by {configuration.rule}, on {configuration.device} devices"
    return Section("Circuit", [paragraph(said + "."), *_drawing(network), *_details(network)])


def _drawing(network: Any) -> list[Element]:
    """The circuit as a picture, as `mho.draw` makes it."""
    if not isinstance(network, LayeredNetwork | Circuit):
        return []
    from mho.drawing.draw import picture

    try:
        made = picture(network)
    except InputError as problem:
        return [paragraph(f"There is no picture: {problem}.")]
    content = io.BytesIO()
    made.figure.savefig(content, format="svg", bbox_inches="tight")
    shown = element(
        "img", src=data_address(content.getvalue(), "image/svg+xml"), alt=f"The circuit as {_KINDS[made.kind]}."
    )
    return [
        element("div", shown, class_="wide", tabindex="0", role="region", aria_label="The circuit"),
        *(paragraph(f"This is {note}." if note.startswith("a ") else f"{note}.") for note in made.notes),
    ]


def _kind(layer: Layer) -> str:
    return type(layer.crossbar).__name__.replace("Crossbar", "").replace("Mirrored", "mirrored ").lower() + " crossbar"


def _standing(layer: Layer) -> list[str]:
    """What stands at a layer's nodes."""
    shifted = isinstance(layer.element, OffsetElement)
    kind = type(layer.element.element if shifted else layer.element).__name__ + (" with offsets" if shifted else "")  # type: ignore[union-attr]
    parts = [] if layer.element is None else [kind]
    parts += ["bias currents"] if layer.bias is not None else []
    if layer.amplifier is not None:
        gain = np.asarray(layer.amplifier.gain)
        parts.append(f"amplifiers of gain {gain.mean():.4g}" + (" in the mean" if gain.ndim else ""))
    return parts


def _conductances(layer: Layer) -> np.ndarray:
    """Of the resistors that learn, (resistors,)."""
    arrays = [] if isinstance(layer.crossbar, PoolingCrossbar) else jax.tree.leaves(layer.crossbar)
    return np.concatenate([np.zeros(0), *(np.ravel(values) for values in arrays)])


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
    if isinstance(network, Perceptron):
        shapes = [(*map(int, layer.weight.shape), layer.weight.size) for layer in network.layers]
        rows = [[f"{number}", *shape] for number, shape in enumerate(shapes, 1)]
        return [table("Layers in software", ("layer", "inputs", "units", "weights"), rows)]
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
