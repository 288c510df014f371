"""The circuit at work: residuals, node voltages against what conducts, currents and power."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.chip.circuit import chip_circuit
from mho.elements import CurrentSource, ProgrammableResistor
from mho.errors import MhoError
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layered import Layer
from mho.precision import double
from mho.reporting.document import Element, Section, axis, figure, lines, paragraph, plain, quantity, table
from mho.reporting.measured import Measured
from mho.steady import kirchhoff_residual
from mho.steady.power import Power, circuit_elements, static_power

_JUDGED = 16
"""Samples whose currents are looked at branch by branch."""
_BINS = 80
_ROUNDED = 1e-12
"""Share of all power below which a part of it is rounding."""
_SETTLED = 2000
"""Nodes up to which the time constants are found."""
_LISTED = 100
"""Elements of a circuit that are listed one by one, at the most."""
_NODES = 40
"""Nodes of a circuit up to which each has a voltage of its own in the figure."""


def operating_section(measured: Measured) -> Section | None:
    """Of a circuit's run whose data are there; None of others."""
    network, answers = measured.network, measured.answers
    if answers is None or not isinstance(network, LayeredNetwork | Circuit):
        return None
    assert answers.residual is not None
    few = np.linspace(0, len(answers.inputs) - 1, min(len(answers.inputs), _JUDGED)).astype(int)
    inputs, voltages = answers.inputs[few], jax.tree.map(lambda v: v[few], answers.voltages)
    drive: Any = double(lambda n, x: n.drive(jnp.asarray(x)))(network, inputs)
    residual = np.asarray(kirchhoff_residual(network, drive.sources, voltages))
    said = (
        f"Operating points of {measured.tested_on}, in float64, took at most {answers.steps} sweeps or Newton steps. "
        f"The largest Kirchhoff residual, by branch currents, of {len(few)} of them is {float(residual.max()):.1e}."
    )
    body = [paragraph(said)]
    if isinstance(network, LayeredNetwork):
        conductances = double(lambda n: n.drive(jnp.zeros((1, inputs.shape[1]))).conductances)(network)
        for number, (layer, v, g) in enumerate(zip(network.layers, answers.voltages, conductances, strict=True), 1):
            body.append(_layer(number, layer, v, g, len(network.layers)))
    else:
        body.append(_nodes(network, np.asarray(answers.voltages)))
        body += _elements(network, inputs, np.asarray(voltages))
    currents = None if answers.source_currents is None else answers.source_currents[few]
    body += _power(static_power(network, inputs, voltages, currents), len(few))
    return Section("Operating points", body + _settling(network, inputs[:1]))


def _layer(number: int, layer: Layer, voltages: np.ndarray, conductance: np.ndarray, layers: int) -> Element:
    """Histogram of a layer's voltages, and at which voltages its elements conduct."""
    counts, edges = np.histogram(voltages, _BINS)
    middle = 0.5 * (edges[1:] + edges[:-1])
    bars = {"type": "bar", "name": "operating points", "x": middle, "y": counts, "marker": {"color": "#7fa6d6"}}
    said = f"{voltages.size:,} voltages from {quantity(voltages.min(), 'V')} to {quantity(voltages.max(), 'V')}."
    title = f"Node voltages of layer {number}" + (" (outputs)" if number == layers else "")
    settings: dict[str, Any] = {"x": axis("voltage", unit="V"), "y": axis("nodes × samples"), "bargap": 0}
    if layer.element is None:
        return figure(title, [bars], said, **settings)

    def conducts(element: Any, g: Any, v: Any) -> Any:
        return element.slope(v) > g

    nodes = np.broadcast_to(edges[:, None], (len(edges), voltages.shape[1]))
    share = 100.0 * np.asarray(double(conducts)(layer.element, conductance, nodes)).mean(1)
    busy = float(np.mean(np.asarray(double(conducts)(layer.element, conductance, voltages))))
    curve = lines(
        {"elements that conduct": (edges.tolist(), share.tolist())}, mode="lines", yaxis="y2", line={"color": "#b3401b"}
    )
    said += (
        f" At {busy:.1%} of them the element conducts: its di/dv is above all other conductance at its node "
        f"(median {quantity(float(np.median(conductance)), 'S')}). The line tells of how many nodes it would, by voltage."
    )
    other = axis("conduct [%]", overlaying="y", side="right", range=[0, 105], tickvals=[0, 50, 100], showgrid=False)
    return figure(title, [bars, *curve], said, yaxis2=other, **settings)


def _nodes(circuit: Circuit, voltages: np.ndarray) -> Element:
    """Range of each node's voltage over the samples; of many nodes a histogram."""
    said = f"{circuit.nodes - 1:,} nodes, {len(voltages)} samples."
    if circuit.nodes - 1 > _NODES:
        counts, edges = np.histogram(voltages[:, 1:], _BINS)
        bars = {"type": "bar", "x": 0.5 * (edges[1:] + edges[:-1]), "y": counts}
        return figure("Node voltages", [bars], said, x=axis("voltage", unit="V"), y=axis("nodes × samples"), bargap=0)
    names = [circuit.node_names[k] for k in range(1, circuit.nodes)]
    boxes = [{"type": "box", "y": voltages[:, k], "name": plain(name)} for k, name in enumerate(names, 1)]
    x = axis("node", type="category")
    return figure("Node voltages", boxes, said, x=x, y=axis("voltage", unit="V"), showlegend=False)


def _elements(circuit: Circuit, inputs: np.ndarray, voltages: np.ndarray) -> list[Element]:
    """What stands across elements that are no resistors, and what they carry."""
    rows, count = [], 0
    for branch, element in zip(circuit.branches, circuit_elements(circuit, inputs), strict=True):
        if isinstance(element, ProgrammableResistor | CurrentSource):
            continue
        first, second = np.asarray(branch.first), np.asarray(branch.second)
        drop = voltages[:, first] - voltages[:, second]
        current = np.abs(np.asarray(double(lambda e, v: e.current(jnp.asarray(v)))(element, drop))).max(0)
        count += len(first)
        for k in range(min(len(first), _LISTED - len(rows))):
            name = branch.labels[k] if branch.labels is not None else f"{branch.name} {k}"
            ends = [circuit.node_names[int(node)] for node in (first[k], second[k])]
            across = [(float(v), quantity(float(v), "V")) for v in (drop[:, k].min(), drop[:, k].max())]
            rows.append([name, *ends, *across, (float(current[k]), quantity(float(current[k]), "A"))])
    columns = ("element", "from", "to", "least voltage", "largest voltage", "largest current")
    caption = f"Elements that are no resistors, in {len(inputs)} samples"
    caption += f": {len(rows)} of {count:,}" if count > len(rows) else ""
    return [table(caption, columns, rows)] if rows else []


def _power(found: Power, samples: int) -> list[Element]:
    total = sum(found.given.values())
    rows = [["all sources together", *_spread(total)]]
    least = _ROUNDED * float(np.max(total))
    for verb, part in (("given by", found.given), ("heat in", found.heat)):
        rows += [[f"{verb} {name}", *_spread(p)] for name, p in part.items() if np.max(np.abs(p)) > least]
    which = f"mean over {samples} samples"
    carried = [[name, (i, quantity(i, "A"))] for name, i in found.currents.items()]
    return [
        paragraph(
            f"Static power of an inference: {quantity(float(np.mean(total)), 'W')} ({which}). Conductances and voltages are "
            "the network's own; of a chip whose conductances are all k times as large it is k times as much."
        ),
        table(f"Static power, {which}, and the largest", ("where", "mean", "largest"), rows),
        table("Largest current through a branch", ("branches", "current"), carried),
    ]


def _settling(network: LayeredNetwork | Circuit, inputs: np.ndarray) -> list[Element]:
    if (network.nodes if isinstance(network, Circuit) else sum(network.widths[1:])) > _SETTLED:
        return []
    try:
        slowest = chip_circuit(network, inputs).time_constant(0.0, 1e-12)
    except MhoError as problem:
        return [paragraph(f"How it settles is not known: {problem}.")]
    said = (
        f"With 1 pF at each node the slowest time constant is {quantity(slowest, 's')} (one sample): after "
        f"{quantity(math.log(1000.0) * slowest, 's')} a thousandth of a small deviation is left. In proportion to the "
        "capacitance, and to one over the conductances; mho estimate tells what a chip would take."
    )
    return [paragraph(said)]


def _spread(power: Any) -> list[tuple[float, str]]:
    return [(float(p), quantity(float(p), "W")) for p in (np.mean(power), np.max(power))]
