"""Graphs of circuits that are too large for a schematic: nodes as dots, elements as lines, conductances as colours.

Nodes stand in columns: the sources, then the nodes that are one element away
from these, and so on; the nodes that are read are last. In a column a node stands beside the mean of its neighbours, as in
the barycentre method of Sugiyama, Tagawa and Toda, IEEE Trans. Syst. Man Cybern. 11 (1981) 109.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.drawing.parts import Circuitry, Part
from mho.drawing.placement import distances
from mho.drawing.style import CURRENT, FONT, LINE, blank_axes
from mho.engineering import engineering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROUNDS = 8
"""Of the barycentre method."""
_APART, _BESIDE = 2.2, 1.2
"""From column to column, times the square root of its nodes, and from node to node in it."""
_NAMED = 200
"""Nodes up to which they are named."""
_COLOURS = {"diode": "#c05a00", "voltage source": "#1a7f37", "current source": "#1a7f37"}
Places = dict[str, tuple[float, float]]


def graph_view(circuitry: Circuitry, *, currents: bool) -> "Figure":
    """A figure of a circuit, whose lines' colours tell conductances or, where they are asked for, currents."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    places = _columns(circuitry)
    at = np.array(list(places.values()))
    (left, bottom), (right, top) = at.min(0), at.max(0)
    axes, _ = blank_axes((left - 4.2, right + 6.8), (bottom - 2.2, top + 1.2))
    lines, values, others = [], [], []
    for part in circuitry.parts:
        shown = part.current if currents else part.conductance
        ends = [places[n] for n in (part.first, part.second) if n in places]
        if len(ends) == 2 and shown:
            lines.append(ends)
            values.append(abs(shown))
        else:
            others.append(part)
    if lines:
        low, high = _decades(values)
        norm = LogNorm(low, high)
        collection = LineCollection(lines, array=np.array(values), cmap="viridis_r", norm=norm, linewidth=1.3, zorder=1)
        axes.add_collection(collection)
        span = right - left + 11.0
        beside = axes.figure.add_axes((1.0 - 2.6 / span, 0.2, 0.35 / span, 0.6))
        bar = axes.figure.colorbar(collection, cax=beside)
        beside.tick_params(labelsize=FONT)
        unit = "A" if currents else "S"
        bar.ax.yaxis.set_major_formatter(lambda value, _: engineering(value, unit))
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
        bar.ax.yaxis.set_minor_formatter(lambda value, _: "")
        bar.set_label("current" if currents else "conductance", fontsize=FONT)
    hanging: dict[str, int] = {}
    for part in others:
        _draw_other(axes, part, places, hanging)
    _draw_nodes(axes, circuitry, places)
    return axes.figure


def _decades(values: list[float]) -> tuple[float, float]:
    low, high = max(min(values), 1e-6 * max(values)), max(values)
    return (low, high) if high > 1.01 * low else (0.5 * low, 2.0 * high)


def _draw_other(axes: Any, part: Part, places: Places, hanging: dict[str, int]) -> None:
    """What has no colour of a conductance: elements with laws of their own between nodes, and what goes to ground."""
    colour = next((c for kind, c in _COLOURS.items() if kind in part.kind), "#777777")
    ends = [(n, places[n]) for n in (part.first, part.second) if n in places]
    if len(ends) == 2:
        (_, (x1, y1)), (_, (x2, y2)) = ends
        axes.plot([x1, x2], [y1, y2], color=colour, linewidth=LINE, linestyle=(0, (4, 2)), zorder=2)
        at, to = ((0.55 * x1 + 0.45 * x2, 0.55 * y1 + 0.45 * y2), (0.45 * x1 + 0.55 * x2, 0.45 * y1 + 0.55 * y2))
        axes.annotate("", to, at, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": LINE}, zorder=3)
    elif ends and "voltage source" not in part.kind:
        node, (x, y) = ends[0]
        number = hanging[node] = hanging.get(node, 0) + 1
        turn = -math.pi / 2 + 0.35 * (number // 2) * (-1) ** number
        tip = (x + 0.7 * math.cos(turn), y + 0.7 * math.sin(turn))
        begin, end = ((x, y), tip) if node == part.first else (tip, (x, y))
        axes.annotate(
            "", end, begin, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": LINE, "linestyle": "--"}
        )
        axes.plot(*tip, "_", color=colour, markersize=7)


def _draw_nodes(axes: Any, circuitry: Circuitry, places: Places) -> None:
    held = {n for p in circuitry.parts if p.kind == "voltage source" for n in (p.first, p.second)}
    for nodes, marker, colour in (
        ([n for n in places if n in held], "s", _COLOURS["voltage source"]),
        ([n for n in places if n in circuitry.outputs], "o", CURRENT),
        ([n for n in places if n not in held and n not in circuitry.outputs], "o", "black"),
    ):
        if nodes:
            axes.plot(
                *zip(*(places[n] for n in nodes), strict=True), marker, color=colour, markerfacecolor="white", markersize=6,
                zorder=4,
            )  # fmt: skip
    if len(places) > _NAMED:
        return
    for node, place in places.items():
        volts = (circuitry.voltages or {}).get(node)
        text = node if volts is None else f"{node}  {engineering(volts, 'V')}"
        left = node in held
        axes.annotate(
            text, place, (-6, 0) if left else (4, -8), textcoords="offset points", fontsize=FONT, parse_math=False, zorder=5,
            ha="right" if left else "left", va="center",
            bbox={"pad": 0.5, "facecolor": "white", "linewidth": 0, "alpha": 0.7},
        )  # fmt: skip


def _columns(circuitry: Circuitry) -> Places:
    far = distances(circuitry.parts)
    last = max(far.values()) + 1
    column = {n: last if n in circuitry.outputs and far[n] else d for n, d in far.items()}
    joined: dict[str, list[str]] = {n: [] for n in far}
    for part in circuitry.parts:
        if part.first in far and part.second in far:
            joined[part.first].append(part.second)
            joined[part.second].append(part.first)
    groups: dict[int, list[str]] = {}
    for node, number in column.items():
        groups.setdefault(number, []).append(node)
    used = sorted(groups)
    y = {n: 0.5 * (len(g) - 1) - k for g in groups.values() for k, n in enumerate(g)}
    for _ in range(_ROUNDS):
        for number in used:
            group = groups[number]
            if number:  # sources keep the order that they have
                group.sort(key=lambda n: -float(np.mean([y[m] for m in joined[n]] or [0.0])))
            y |= {n: 0.5 * (len(group) - 1) - k for k, n in enumerate(group)}
    tallest = max(map(len, groups.values()))
    wide = _APART * max(1.5, math.sqrt(tallest))
    places: Places = {}
    for number, key in enumerate(used):
        rows = groups[key]
        apart = _BESIDE * max(1.0, min(3.0, tallest / len(rows)))
        for k, node in enumerate(rows):
            # On an arc: so lines between nodes of one column are seen.
            aside = 1.5 * _BESIDE * math.sin(math.pi * (k + 0.5) / len(rows)) if 0 < key < last else 0.0
            places[node] = (number * wide + aside, apart * y[node])
    return places
