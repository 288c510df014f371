"""Diagrams of layered networks: one line for all nodes of a layer, with what stands at each of them, between crossbars."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mho.drawing.parts import gain_text, symbol, value_text
from mho.drawing.style import CURRENT, FONT, LINE, VOLTAGE, blank_axes
from mho.drawing.symbols import ends_of, two_terminal
from mho.engineering import engineering
from mho.networks import Crossbar, LayeredNetwork
from mho.networks.convolution import ConvolutionCrossbar, MirroredConvolutionCrossbar, PoolingCrossbar
from mho.precision import double

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BOX, _LANE, _AMPLIFIER, _LEAD, _BUS = 2.6, 3.9, 2.0, 0.8, 1.5
"""Side of a crossbar's square; room for an element and for an amplifier; lines before and behind a crossbar. In schemdraw's
units."""
_ROW, _PER_ROW = 9.4, 4
"""From one row of layers to the next, and layers in it."""
_STEP = 0.46
"""From line to line."""
_THIN = "#666666"
Text = list[tuple[str, str]]


def layer_diagram(
    network: LayeredNetwork, *, point: Any, sources: np.ndarray | None, voltages: bool, currents: bool
) -> "Figure":
    """A figure of a network.

    Args:
        network: the network.
        point: steady state of one sample, which voltages and currents need; else None.
        sources: voltages of its positive sources [V], (pairs,); None without a steady state.
        voltages: whether the range of each layer's voltages is shown.
        currents: whether the largest current of a resistor in each crossbar is shown, too.
    """
    layers = network.layers
    rows = [layers[k : k + _PER_ROW] for k in range(0, len(layers), _PER_ROW)]
    width = max(3.0 * (k == 0) + sum(_width(layer, voltages) for layer in row) for k, row in enumerate(rows)) + 3.2
    axes, drawing = blank_axes((-1.4, width), (-_ROW * len(rows) + 3.2, 3.0))
    pen = _Pen(axes, drawing)
    x = _draw_sources(pen, network, sources if voltages else None)
    solved = [] if point is None else [np.asarray(v)[0] for v in point.voltages]
    driven = [sources, *_behind(network, solved)] if solved else []
    y = 0.0
    for index, layer in enumerate(layers):
        if index and index % _PER_ROW == 0:
            axes.annotate("", (0.0, y - _ROW), (-1.2, y - _ROW), arrowprops={"arrowstyle": "-|>", "linewidth": LINE})
            axes.annotate("", (x + 1.2, y), (x, y), arrowprops={"arrowstyle": "-|>", "linewidth": LINE})
            x, y = 0.0, y - _ROW
        crossbar, last = layer.crossbar, index == len(layers) - 1
        told = _crossbar_text(crossbar)
        if currents:
            found = double(crossbar.largest_branch_current)(driven[index][None], solved[index][None])
            largest = max(np.max(np.asarray(c)) for c in found)
            told.append((f"at most {engineering(float(largest), 'A')}", CURRENT))
        pen.wire((x, y), (x + _LEAD, y))
        x += _LEAD
        planes = getattr(crossbar, "planes", None)
        kind = "crossbar" if planes is None else "pooling" if isinstance(crossbar, PoolingCrossbar) else "convolution"
        pen.write([(f"layer {index + 1}: {kind}", "black")], x + _BOX / 2, y + _BOX / 2 + 0.6, bold=True)
        if planes is None:
            pen.grid(x, y)
        else:
            pen.planes(x, y, planes.window / min(planes.height, planes.width))
        pen.write(told, x + _BOX / 2, y - _BOX / 2 - 0.7)
        x += _BOX
        pen.bus((x, y), (x + _BUS, y), crossbar.shape[1])
        x += _BUS
        if voltages:
            pen.write([(value_text(solved[index], None, "V"), VOLTAGE)], x, y + 0.55, centred=False)
            if layer.element is layer.bias is None:
                pen.wire((x, y), (x + _LANE, y))
                x += _LANE
        for element in (layer.element, layer.bias):
            if element is not None:
                x = _draw_element(pen, element, x, y)
        if layer.amplifier is not None:
            drawing.add(two_terminal("amplifier").endpoints((x, y), (x + _AMPLIFIER, y)))
            told = [(line, "black") for line in gain_text(layer.amplifier).split(", ")]
            pen.write(told, x + 0.5 * _AMPLIFIER, y - 0.95)
            x += _AMPLIFIER
        if last:
            pen.wire((x, y), (x + _LEAD, y))
            axes.plot(x + _LEAD, y, "o", color="black", markerfacecolor="white", markersize=5, zorder=5)
            count = crossbar.shape[1]
            pair = f"{count // 2} outputs,\ndifferences of pairs" if network.paired_outputs else f"{count} outputs"
            pen.write([(line, "black") for line in pair.split("\n")], x + _LEAD, y - 0.8)
    drawing.draw(show=False)
    return axes.figure


def _width(layer: Any, voltages: bool) -> float:
    hung = (layer.element is not None) + (layer.bias is not None)
    lanes = _LANE * max(hung, voltages)
    return _LEAD + _BOX + _BUS + lanes + (_AMPLIFIER if layer.amplifier is not None else 0.0)


def _behind(network: LayeredNetwork, voltages: list[np.ndarray]) -> list[np.ndarray]:
    gains = [1.0 if layer.amplifier is None else np.asarray(layer.amplifier.gain) for layer in network.layers[:-1]]
    return [gain * v for gain, v in zip(gains, voltages, strict=False)]


def _crossbar_text(crossbar: Crossbar) -> Text:
    """How many resistors there are, and between which conductances."""
    rows, columns = crossbar.shape
    if isinstance(crossbar, PoolingCrossbar):
        planes = crossbar.planes
        shape = [_planes(planes.channels, planes.height, planes.width), f"mean of {planes.window} × {planes.window}"]
        return [*((line, "black") for line in shape), (f"{engineering(crossbar.conductance, 'S')} each", _THIN)]
    if isinstance(crossbar, ConvolutionCrossbar | MirroredConvolutionCrossbar):
        planes = crossbar.planes
        of = crossbar.plus if isinstance(crossbar, MirroredConvolutionCrossbar) else crossbar.resistors
        shape = [
            _planes(planes.channels, planes.height, planes.width),
            f"{of.conductance.shape[0]} filters of {planes.window} × {planes.window}",
            f"to {_planes(of.conductance.shape[0], *planes.steps)}",
        ]
    else:
        of = crossbar.plus if crossbar.mirrored else crossbar.resistors  # type: ignore[attr-defined]
        shape = [f"{'2 × ' if crossbar.mirrored else ''}{rows:,} × {columns:,}"]
    sides = [crossbar.plus, crossbar.minus] if crossbar.mirrored else [of]  # type: ignore[attr-defined]
    values = [np.asarray(side.conductance) for side in sides]
    shape.append(f"{sum(v.size for v in values):,} conductances")
    found = value_text([extreme for v in values for extreme in (v.min(), v.max())], None, "S")
    bounds = f"within {engineering(of.lower, 'S')} … {engineering(of.upper, 'S')}"
    bounds = f"at least {engineering(of.lower, 'S')}" if np.isinf(of.upper) else bounds
    return [*((line, "black") for line in shape), (found, "black"), (bounds, _THIN)]


def _planes(channels: int, height: int, width: int) -> str:
    return f"{channels} plane{'s' if channels > 1 else ''} of {height} × {width}"


def _draw_sources(pen: "_Pen", network: LayeredNetwork, sources: np.ndarray | None) -> float:
    """Where the line behind them goes on."""
    first = network.layers[0].crossbar
    features = first.shape[0] - (network.bias_line is not None)
    pen.hang("voltage source", 0.0, 0.0)
    told: Text = [(f"{features:,} inputs", "black")]
    if first.mirrored:
        told.append((f"at +x and −x, × {network.input_gain:.4g} V", "black"))
    if network.bias_line is not None:
        told.append((f"and ±{engineering(network.bias_line, 'V')}", "black"))
    if sources is not None:
        told.append((value_text(sources, None, "V"), VOLTAGE))
    pen.write(told, 0.0, -3.9, centred=False, back=1.0)
    pen.bus((0.0, 0.0), (3.0, 0.0), network.widths[0])
    return 3.0


def _draw_element(pen: "_Pen", element: Any, x: float, y: float) -> float:
    """An element from the line to ground; where the line goes on."""
    seen = symbol(element)
    polarity = getattr(getattr(element, "element", element), "polarity", None)  # what is behind an offset has its own
    signs = {float(s) for s in np.unique(np.asarray(polarity))} if polarity is not None else set()
    kind = seen.kind
    at = x + 0.7
    pen.dot(at, y)
    if kind == "ideal diode" and len(signs) == 2:
        # Half of the nodes at v ≥ 0, half at v ≤ 0.
        pen.hang(kind, at, y, turned=True)
        pen.wire((at, y), (at + 1.3, y))
        pen.dot(at + 1.3, y)
        pen.hang(kind, at + 1.3, y)
        told = ["ideal diodes", "one way round", "or the other", *seen.value.split(", ")[1:]]
    else:
        turned = seen.turned or (kind == "ideal diode" and signs == {1.0}) or kind == "current source"
        pen.hang(kind, at, y, turned=turned)
        named = type(element).__name__ if kind == "box" and seen.value != type(element).__name__ else kind
        told = [f"{named}s" if not named.endswith("s") else named, *seen.value.split(", ")]
    pen.write([(line, "black") for line in told], at - 0.5, y - 3.9, centred=False)
    pen.wire((x, y), (x + _LANE, y))
    return x + _LANE


class _Pen:
    """What draws on a diagram's axes."""

    def __init__(self, axes: Any, drawing: Any) -> None:
        self._axes, self._drawing = axes, drawing

    def wire(self, *points: tuple[float, float]) -> None:
        """A line."""
        self._axes.plot(*zip(*points, strict=True), color="black", linewidth=LINE, solid_capstyle="round")

    def bus(self, begin: tuple[float, float], end: tuple[float, float], count: int) -> None:
        """A line that stands for many, with their number on a slash."""
        self.wire(begin, end)
        x, y = begin[0] + 0.75, begin[1]
        self.wire((x - 0.15, y - 0.25), (x + 0.15, y + 0.25))
        self.write([(f"{count:,}", "black")], x, y + 0.55)

    def dot(self, x: float, y: float) -> None:
        """A joint."""
        self._axes.plot(x, y, "o", color="black", markersize=3, zorder=5)

    def hang(self, kind: str, x: float, y: float, *, turned: bool = False) -> None:
        """An element to ground, its first end above unless it is turned."""
        import schemdraw.elements as elm

        ends = ((x, y), (x, y - 2.5))
        self._drawing.add(two_terminal(kind).endpoints(*ends_of(kind, *(ends[::-1] if turned else ends))))
        self._drawing.add(elm.Ground().at(ends[1]))

    def write(
        self, lines: Text, x: float, y: float, *, bold: bool = False, centred: bool = True, back: float = 0.0
    ) -> None:
        """Lines of text, one below the other."""
        for k, (line, colour) in enumerate(lines):
            self._axes.text(
                x - back, y - _STEP * k, line, fontsize=FONT, color=colour, ha="center" if centred else "left", va="center",
                weight="bold" if bold else "normal",
            )  # fmt: skip

    def grid(self, x: float, y: float) -> None:
        """A crossbar: rows, columns and a device at every crossing."""
        from matplotlib.patches import Rectangle

        self._axes.add_patch(Rectangle((x, y - _BOX / 2), _BOX, _BOX, fill=False, linewidth=LINE))
        places = np.linspace(0.15, 0.85, 5) * _BOX
        for p in places:
            self._axes.plot([x + 0.1, x + _BOX - 0.1], [y - _BOX / 2 + p] * 2, color=_THIN, linewidth=0.5)
            self._axes.plot([x + p] * 2, [y - _BOX / 2 + 0.1, y + _BOX / 2 - 0.1], color=_THIN, linewidth=0.5)
        for p, q in np.ndindex(5, 5):
            a, b, r = x + places[p], y - _BOX / 2 + places[q], 0.11
            self._axes.plot([a - r, a + r], [b - r, b + r], color="black", linewidth=1.6)

    def planes(self, x: float, y: float, share: float) -> None:
        """Planes of nodes one behind the other, and a window, whose width is a share of the front one's, on them."""
        from matplotlib.patches import Rectangle

        side, shift = 1.3, 0.18
        for left, base in ((x, y - 0.9), (x + 1.5, y - 0.55)):
            size = side if left == x else 0.75
            for k in (2, 1, 0):
                corner = (left + k * shift, base + k * shift)
                self._axes.add_patch(Rectangle(corner, size, size, facecolor="white", edgecolor="black", linewidth=0.8))
        w = max(0.25, min(1.0, share) * side)
        a, b = x + 0.2, y - 0.9 + 0.4
        self._axes.add_patch(Rectangle((a, b), w, w, facecolor="#d9e4f2", edgecolor=VOLTAGE, linewidth=0.8))
        tip = (x + 1.5 + 0.4, y - 0.55 + 0.35)
        for corner in ((a + w, b + w), (a + w, b)):
            self._axes.plot([corner[0], tip[0]], [corner[1], tip[1]], color=VOLTAGE, linewidth=0.6, zorder=3)
        self._axes.plot(*tip, "s", color=VOLTAGE, markersize=2, zorder=4)
