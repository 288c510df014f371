"""Schematics: every element by its symbol, with its name and value, and what flows and stands there if asked for."""

from typing import TYPE_CHECKING, Any

from mho.drawing.parts import GROUND, Circuitry, Part
from mho.drawing.placement import GATE, Placement, placed
from mho.drawing.style import CURRENT, FONT, LINE, VOLTAGE, blank_axes
from mho.drawing.symbols import ends_of, is_transistor, transistor, two_terminal
from mho.engineering import engineering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT, _HANGING = 3.5, 2.4
"""From rail to rail, and of an element that hangs from one, in schemdraw's units."""
_CHARACTER, _LINE = 0.19, 0.42
"""Width of a character, and from line to line."""
_NEGLIGIBLE = 1e-12
"""Of the largest voltage or current: what rounding leaves."""
_LEFT, _SYMBOL, _GATE = 0.7, 0.72, 1.5
"""Room left of an element, and to its label; from a gate's wire to the transistor."""


def schematic(circuitry: Circuitry, *, currents: bool) -> "Figure":
    """A figure of a circuit whose parts have different ends.

    Args:
        circuitry: what to draw.
        currents: whether currents are shown.
    """
    parts = list(circuitry.parts)
    placement = placed(parts)
    upper = [_upper(part, placement) for part in parts]
    labels = label_lines(circuitry, currents)
    rails = _rails(parts, placement)
    names = {node: _node_label(node, circuitry.voltages) for node in rails}
    x = _abscissas(parts, placement, labels, rails, names)
    height = (1 + max(placement.level.values())) * _HEIGHT
    width = x[-1] + 1.0
    axes, drawing = blank_axes((-_LEFT - 1.0, width + 1.0), (-height - 0.6, 1.2))
    touched: dict[str, list[tuple[float, int]]] = {node: [] for node in rails}

    def wire(*points: tuple[float, float]) -> None:
        axes.plot(*zip(*points, strict=True), color="black", linewidth=LINE, solid_capstyle="round")

    def ground(at: tuple[float, float]) -> None:
        import schemdraw.elements as elm

        drawing.add(elm.Ground().at(at))

    for part, column, top, label in zip(parts, placement.column, upper, labels, strict=True):
        at = x[column]
        y = -_HEIGHT * placement.level[top]
        touched[top].append((at, -1))
        ends = [n for n in (part.first, part.second) if n != top]
        low = y - (_HANGING if ends == [GROUND] else _HEIGHT)
        turned = part.first != top
        if is_transistor(part.kind):
            gate = _draw_transistor(drawing, wire, part, turned, (at, y), low)
            side = x[column - 1]
            if part.third == GROUND:
                wire(gate, (side, gate[1]), (side, low))
                ground((side, low))
            else:
                level = -_HEIGHT * placement.level[part.third or ""]
                wire(gate, (side, gate[1]), (side, level))
                touched[part.third or ""].append((side, 1 if gate[1] > level else -1))
        else:
            first, second = ((at, low), (at, y)) if turned else ((at, y), (at, low))
            drawing.add(two_terminal(part.kind).endpoints(*ends_of(part.kind, first, second)))
        if ends == [GROUND]:
            ground((at, low))
        else:
            level = -_HEIGHT * placement.level[ends[0]]
            if level < low:
                wire((at, low), (at, level))
            touched[ends[0]].append((at, 1))
        down = str.maketrans("⇢⇠", "↑↓" if turned else "↓↑")
        write(axes, [(text.translate(down), colour) for text, colour in label], at + _SYMBOL, y - GATE * (y - low))
    for node, (left, _) in rails.items():
        y = -_HEIGHT * placement.level[node]
        output = node in circuitry.outputs
        ends = [at for at, _ in touched[node]]
        begin, end = min(ends), max(ends) + (0.75 if output or len(ends) == 1 else 0.0)
        wire((begin, y), (end, y))
        if output:
            axes.plot([end], [y], "o", color="black", markerfacecolor="white", markersize=4, zorder=5)
        for at in set(ends):
            ways = len({way for where, way in touched[node] if where == at}) + (at > begin) + (at < end)
            if ways > 2:
                axes.plot([at], [y], "o", color="black", markersize=3, zorder=5)
        name, volts = names[node]
        written = axes.annotate(
            name, (x[left] + 0.12, y + 0.1), fontsize=FONT, weight="bold", va="bottom", parse_math=False
        )
        if volts:
            axes.annotate(
                volts, (1, 0), xycoords=written, xytext=(4, 0), textcoords="offset points", fontsize=FONT, color=VOLTAGE,
                va="bottom",
            )  # fmt: skip
    if circuitry.notes:
        axes.text(0.0, -height - 0.3, "\n".join(circuitry.notes), fontsize=FONT, va="top", parse_math=False)
    drawing.draw(show=False)
    return axes.figure


def _upper(part: Part, placement: Placement) -> str:
    ends = [node for node in (part.first, part.second) if node != GROUND]
    return min(ends, key=lambda node: placement.level[node])


def _draw_transistor(
    drawing: Any, wire: Any, part: Part, turned: bool, top: tuple[float, float], low: float
) -> tuple[float, float]:
    """Between the points at the top and at the bottom; where its gate or base is."""
    symbol, *anchors = transistor(part.kind)
    above = anchors[1] if turned else anchors[0]
    below = anchors[0] if turned else anchors[1]
    if symbol.anchors[above][1] < symbol.anchors[below][1]:
        symbol = symbol.flip()
    span = abs(symbol.anchors[above][1] - symbol.anchors[below][1])
    begin = (top[0], 0.5 * (top[1] + low + span))
    made = drawing.add(symbol.right().anchor(above).at(begin))
    wire(top, begin)
    wire((top[0], begin[1] - span), (top[0], low))
    gate = made.absanchors[anchors[2]]
    return float(gate[0]), float(gate[1])


Line = tuple[str, str]
"""Text and its colour."""


def label_lines(circuitry: Circuitry, currents: bool) -> list[list[Line]]:
    """Each part's name, value and, if asked for, current, which flows ⇢ from its first end or ⇠ from its second."""
    flowing = [abs(part.current) for part in circuitry.parts if part.current is not None]
    least = _NEGLIGIBLE * max(flowing, default=0.0)
    labels = []
    for part in circuitry.parts:
        lines = [(line, "black") for line in (part.name, *part.value.split("\n")) if line]
        if currents and part.current is not None:
            size = abs(part.current)
            arrow = "" if size == 0 else " ⇢" if part.current > 0 else " ⇠"
            lines.append(("≈ 0 A" if 0 < size < least else engineering(size, "A") + arrow, CURRENT))
        labels.append(lines)
    return labels


def write(axes: Any, lines: list[Line], x: float, y: float, *, centred: bool = False) -> None:
    """Lines of text, their middle at a height; from a place on, or around it."""
    for k, (text, colour) in enumerate(lines):
        place = (x, y + _LINE * (0.5 * (len(lines) - 1) - k))
        side = "center" if centred else "left"
        axes.text(*place, text, fontsize=FONT, va="center", ha=side, parse_math=False, color=colour)


def _node_label(node: str, voltages: dict[str, float] | None) -> Line:
    if voltages is None or node not in voltages:
        return node, ""
    small = 0 < abs(voltages[node]) < _NEGLIGIBLE * max(map(abs, voltages.values()))
    return node, "≈ 0 V" if small else engineering(voltages[node], "V")


def _rails(parts: list[Part], placement: Placement) -> dict[str, tuple[int, int]]:
    """First and last column of each node's rail."""
    reached: dict[str, list[int]] = {node: [] for node in placement.level}
    for part, column in zip(parts, placement.column, strict=True):
        for node, at in ((part.first, column), (part.second, column), (part.third, column - 1)):
            if node in reached:
                reached[node].append(at)
    return {node: (min(columns), max(columns)) for node, columns in reached.items()}


def _abscissas(
    parts: list[Part],
    placement: Placement,
    labels: list[list[Line]],
    rails: dict[str, tuple[int, int]],
    names: dict[str, Line],
) -> list[float]:
    """Where each column is, and the end."""
    room = [0.4] * placement.columns
    for part, column, label in zip(parts, placement.column, labels, strict=True):
        room[column] = max(room[column], _SYMBOL + _CHARACTER * max(len(text) for text, _ in label) + 0.15)
        if is_transistor(part.kind):
            room[column - 1] = max(room[column - 1], _GATE - _LEFT)
    for node, (left, _) in rails.items():
        room[left] = max(room[left], 0.1 + 1.15 * _CHARACTER * len(" ".join(names[node])))
    x = [0.0]
    for width in room:
        x.append(x[-1] + width + _LEFT)
    return x
