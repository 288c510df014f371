"""Square lattices, drawn as they lie."""

import math
from typing import TYPE_CHECKING

from mho.drawing.parts import GROUND, Circuitry
from mho.drawing.placement import distances
from mho.drawing.schematic import label_lines, write
from mho.drawing.style import FONT, LINE, VOLTAGE, blank_axes
from mho.drawing.symbols import ends_of, two_terminal
from mho.engineering import engineering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EDGE = 5.4
"""From node to node, in schemdraw's units."""
Places = dict[str, tuple[float, float]]


def lattice_places(circuitry: Circuitry) -> Places | None:
    """Places of a square lattice's nodes, row by row from the top as `mho.square_lattice` numbers them.

    None for a circuit that has other elements than one resistor from neighbour to neighbour and voltage sources to ground.
    """
    nodes = list(distances(circuitry.parts))
    side = math.isqrt(len(nodes))
    if side * side != len(nodes) or side < 2 or {*nodes} != {str(k + 1) for k in range(side * side)}:
        return None
    places = {n: (_EDGE * ((int(n) - 1) % side), -_EDGE * ((int(n) - 1) // side)) for n in nodes}
    seen: set[frozenset[str]] = set()
    for part in circuitry.parts:
        ends = frozenset((part.first, part.second))
        if ends in seen or part.kind not in ("resistor", "programmable resistor", "voltage source"):
            return None
        seen.add(ends)
        if GROUND in ends:
            if part.kind != "voltage source":
                return None
        elif math.dist(places[part.first], places[part.second]) > 1.01 * _EDGE:
            return None
    return places


def lattice_schematic(circuitry: Circuitry, places: Places, *, currents: bool) -> "Figure":
    """A figure with a symbol for every resistor and source; see `mho.drawing.schematic.schematic`."""
    import schemdraw.elements as elm

    side = math.isqrt(len(places)) - 1
    axes, drawing = blank_axes((-3.4, _EDGE * side + 3.6), (-_EDGE * side - 3.2, 3.4))
    lines = label_lines(circuitry, currents)
    for part, label in zip(circuitry.parts, lines, strict=True):
        if GROUND in (part.first, part.second):
            x, y = places[part.first if part.second == GROUND else part.second]
            # Outwards: first to the sides, where values beside them have room.
            dx, dy = (-1, 0) if x == 0 else (1, 0) if x == _EDGE * side else (0, 1) if y == 0 else (0, -1)
            far = (x + 2.4 * dx, y + 2.4 * dy)
            begin, end = ((x, y), far) if part.second == GROUND else (far, (x, y))
            drawing.add(elm.Ground().at(far))
        else:
            begin, end = places[part.first], places[part.second]
        drawing.add(two_terminal(part.kind).endpoints(*ends_of(part.kind, begin, end)))
        middle = (0.5 * (begin[0] + end[0]), 0.5 * (begin[1] + end[1]))
        upright = begin[0] == end[0]
        arrows = "↓↑" if upright else "→←"
        along = end[1] < begin[1] if upright else end[0] > begin[0]
        flow = str.maketrans("⇢⇠", arrows if along else arrows[::-1])
        at = (middle[0] + 0.72, middle[1]) if upright else (middle[0], middle[1] + 1.25)
        write(axes, [(text.translate(flow), colour) for text, colour in label], *at, centred=not upright)
    for node, (x, y) in places.items():
        output = node in circuitry.outputs
        axes.plot(x, y, "o", color="black", markersize=5 if output else 3, markerfacecolor="white" if output else "black",
                  markeredgewidth=LINE, zorder=5)  # fmt: skip
        axes.text(x + 0.15, y - 0.15, node, fontsize=FONT, weight="bold", va="top")
        if circuitry.voltages is not None:
            volts = engineering(circuitry.voltages[node], "V")
            axes.text(x + 0.15, y - 0.6, volts, fontsize=FONT, color=VOLTAGE, va="top")
    drawing.draw(show=False)
    return axes.figure
