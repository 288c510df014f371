"""What a network has learned: receptive fields, histograms of conductances within their window, and maps of them."""

import math
from typing import Any, NamedTuple

import numpy as np

from mho.experiments.baselines import Perceptron
from mho.networks import Circuit, LayeredNetwork, MirroredCrossbar
from mho.networks.convolution import MirroredConvolutionCrossbar
from mho.reporting.document import (
    Element,
    Section,
    axis,
    element,
    figure,
    paragraph,
    pictures,
    quantity,
    subheading,
    table,
)
from mho.reporting.measured import Measured
from mho.reporting.predictions import address

_BINS = 60
_NONE = 0.5
"""Where a bin of nothing stands on a logarithmic axis of counts."""
_BOUNDS = ("lower bound", "upper bound")
_SIDE = 160
"""Rows and columns of a map, at the most."""
_LISTED = 200
"""Resistors of a circuit up to which a table names them."""
_MAPPED = 8
"""Layers of which maps are shown."""


class _Weights(NamedTuple):
    name: str
    values: np.ndarray
    unit: str
    bounds: tuple[float, float] | None


def conductances_section(measured: Measured, images: int) -> Section | None:
    """Of a run of mho's networks, or in software its weights.

    Args:
        measured: the run.
        images: receptive fields that are shown, at the most.
    """
    groups = _groups(measured.network)
    if not groups:
        return None
    body = _fields(measured, images)
    body += [_histogram(group) for group in groups[:20]]
    if len(groups) > 20:
        body.append(paragraph(f"Histograms of 20 of {len(groups)} groups are shown."))
    body += [made for group in groups[:_MAPPED] for made in _map(group)]
    if isinstance(measured.network, Circuit):
        body += _listed(measured.network)
    return Section("Weights" if isinstance(measured.network, Perceptron) else "Conductances", body)


def _groups(network: Any) -> list[_Weights]:
    if isinstance(network, Perceptron):
        return [_Weights(f"Layer {k}", np.asarray(v.weight), "", None) for k, v in enumerate(network.layers, 1)]
    groups = []
    if isinstance(network, LayeredNetwork):
        for number, layer in enumerate(network.layers, 1):
            crossbar: Any = layer.crossbar
            if crossbar.mirrored:
                groups += [
                    _of(f"Layer {number}, at {sign}x", r) for sign, r in (("+", crossbar.plus), ("−", crossbar.minus))
                ]
            elif hasattr(crossbar, "resistors"):
                groups.append(_of(f"Layer {number}", crossbar.resistors))
    elif isinstance(network, Circuit):
        groups = [_of(f"Group {b.name}", b.element) for b in network.branches if b.programmable]
    return groups


def _of(name: str, resistors: Any) -> _Weights:
    bounds = float(np.min(resistors.lower)), float(np.max(resistors.upper))
    return _Weights(name, np.asarray(resistors.conductance, np.float64), "S", bounds)


def _histogram(group: _Weights) -> Element:
    values = group.values.ravel()
    low, high = float(values.min()), float(values.max())
    marks = [(n, b) for n, b in zip(_BOUNDS, group.bounds or (), strict=False) if 0.0 < b < math.inf]
    log = low > 0 and max([high, *(b for _, b in marks)]) / min([low, *(b for _, b in marks)]) >= 100.0
    at = np.log10 if log else np.asarray
    ends = (low, high) if low < high else (0.9 * low - 1e-12, 1.1 * low + 1e-12)
    counts, edges = np.histogram(at(values), int(np.clip(values.size / 8, 10, _BINS)), tuple(at(ends)))
    trace = {
        "type": "scatter",
        "mode": "lines",
        "line": {"shape": "hv", "color": "#1f5fa8"},
        "fill": "tozeroy",
        "x": 10.0**edges if log else edges,
        "y": np.maximum([*counts, 0], _NONE),
        "text": [*map(str, counts), ""],
        "hovertemplate": "from %{x}: %{text}<extra></extra>",
    }
    dash = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dash", "color": "#b3401b"}}
    note = {"yref": "paper", "y": 1, "yanchor": "top", "showarrow": False, "textangle": -90}
    notes = [
        note | {"x": float(at(b)), "text": name, "xanchor": "left" if name == _BOUNDS[0] else "right"}
        for name, b in marks
    ]
    what = "conductance" if group.unit else "weight"
    x = axis(what, unit=group.unit) | (
        {"type": "log", "exponentformat": "SI", "minexponent": 0, "dtick": 1} if log else {}
    )
    span = at([min([ends[0], *(b for _, b in marks)]), max([ends[1], *(b for _, b in marks)])])
    x["range"] = (span + 0.04 * (span[1] - span[0]) * np.array([-1.0, 1.0])).tolist()
    top = math.log10(2.0 * max(counts.max(), 1))
    y = axis("count", type="log", exponentformat="power", dtick=1, range=[math.log10(_NONE), top])
    said = f"{values.size:,} of them, median {quantity(float(np.median(values)), group.unit)}."
    if group.bounds is not None:
        shares = (
            f"{quantity(b, group.unit)} ({np.isclose(values, b, rtol=1e-5).mean():.1%} there)" for b in group.bounds
        )
        said += f" Window: {', '.join(shares)}."
    shapes = [dash | {"x0": b, "x1": b} for _, b in marks]
    return figure(f"{group.name}: {what}s", [trace], said, x=x, y=y, shapes=shapes, annotations=notes)


def _map(group: _Weights) -> list[Element]:
    values = group.values
    across, along = "row (driven)", "column (node)"
    if values.ndim == 4:  # a convolution's
        values, across, along = values.reshape(len(values), -1).T, "entry of the window", "filter"
    if values.ndim != 2 or min(values.shape) < 2:
        return []
    rows, columns = (np.unique(np.linspace(0, n - 1, min(n, _SIDE)).astype(int)) for n in values.shape)
    shown = values[np.ix_(rows, columns)]
    log = group.bounds is not None and shown.min() > 0 and shown.max() / shown.min() >= 100.0
    largest = float(np.abs(shown).max())
    heat = {
        "type": "heatmap",
        "z": (np.log10(shown) if log else shown).astype(np.float32),
        "x": columns,
        "y": rows,
        "colorbar": {"title": {"text": "log₁₀ S" if log else group.unit}, "thickness": 12, "exponentformat": "SI"},
        "hovertemplate": "row %{y}, column %{x}: %{z:.4g}<extra></extra>",
    }
    heat |= (
        {"colorscale": "Viridis"}
        if group.bounds
        else {"colorscale": "RdBu", "reversescale": True, "zmin": -largest, "zmax": largest}
    )
    size = " × ".join(f"{len(part):,} of {n:,}" for part, n in zip((rows, columns), values.shape, strict=True))
    ends = " to ".join(quantity(float(v), group.unit) for v in (values.min(), values.max()))
    said = f"Rows × columns: {size} shown; from {ends}."
    y = axis(across, autorange="reversed")
    return [figure(f"{group.name}: map", [heat], said, x=axis(along), y=y, height=380)]


def _fields(measured: Measured, images: int) -> list[Element]:
    """What each node of the first layer looks for: G₊ − G₋ as an image."""
    form, network = measured.form, measured.network
    shape = None if form is None else form.image_shape
    if shape is None or not isinstance(network, LayeredNetwork | Perceptron):
        return []
    height, width, channels = shape
    first: Any = network.layers[0]
    if isinstance(network, Perceptron):
        weights, unit = np.asarray(first.weight).T.reshape(-1, channels, height, width), ""
        what = "Weights"
    elif isinstance(first.crossbar, MirroredCrossbar):
        both = np.asarray(first.crossbar.resistors.conductance[: height * width * channels], np.float64)
        weights, unit, what = (both[:, 0] - both[:, 1]).T.reshape(-1, channels, height, width), "S", "G₊ − G₋"
    elif isinstance(first.crossbar, MirroredConvolutionCrossbar):
        kernels = (np.asarray(r.conductance, np.float64) for r in (first.crossbar.plus, first.crossbar.minus))
        plus, minus = kernels
        weights, unit, what = plus - minus, "S", "G₊ − G₋ of the filter"
    else:
        return []
    shown = np.linspace(0, len(weights) - 1, min(len(weights), images)).astype(int)
    largest = float(np.quantile(np.abs(weights[shown]), 0.995)) or 1.0
    found = []
    for k in shown:
        field = np.concatenate(list(weights[k]), 1)  # channels side by side
        found.append((address(_diverging(field / largest)), f"node {k}: {_told(weights[k], unit)}", f"{k}"))
    title = f"Receptive fields: {len(shown)} of {len(weights):,} nodes of the first layer"
    said = f"{what}: blue is below 0, white 0, red above; the colours end at ±{quantity(largest, unit)}."
    return [subheading(title), paragraph(said), pictures(found)]


def _told(field: np.ndarray, unit: str) -> str:
    return f"from {quantity(float(field.min()), unit)} to {quantity(float(field.max()), unit)}"


def _diverging(field: np.ndarray) -> np.ndarray:
    """Bytes of red, green and blue: blue at −1, white at 0, red at +1."""
    x = np.clip(field, -1.0, 1.0)[..., None]
    ends = np.array([33.0, 90.0, 168.0]), np.array([178.0, 40.0, 30.0])
    return np.round(255.0 + np.where(x < 0, -x * (ends[0] - 255.0), x * (ends[1] - 255.0))).astype(np.uint8)


def _listed(network: Circuit) -> list[Element]:
    """Programmable resistors, one by one."""
    rows, count = [], 0
    for branch in network.branches:
        if not branch.programmable:
            continue
        values: Any = branch.element
        conductance, first, second = (np.asarray(v) for v in (values.conductance, branch.first, branch.second))
        count += conductance.size
        for k in range(min(conductance.size, _LISTED - len(rows))):
            name = branch.labels[k] if branch.labels is not None else f"{branch.name} {k}"
            ends = [network.node_names[int(node)] for node in (first[k], second[k])]
            rows.append([name, *ends, (float(conductance[k]), quantity(float(conductance[k]), "S"))])
    if not rows:
        return []
    of = f" ({len(rows)} of {count:,})" if count > len(rows) else ""
    listed = table("Programmable resistors", ("resistor", "from", "to", "conductance"), rows)
    return [element("details", element("summary", f"Programmable resistors, one by one{of}"), listed)]
