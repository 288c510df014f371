"""Symbols of elements, as schemdraw's own or made of lines in the same style."""

from typing import Any

import schemdraw.elements as elm
from schemdraw.elements.elements import gap
from schemdraw.segments import Segment, SegmentPoly

_HALF = 0.32
"""Of an amplifier's triangle and of a pair of diodes, across."""


class AntiparallelDiodes(elm.Element2Term):
    """Two diodes side by side, the first forward, the second backward."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.segments.append(Segment([(0, 0), (0.15, 0), (0.15, _HALF), (0.85, _HALF), (0.85, 0), (1, 0)]))
        self.segments.append(Segment([(0.15, 0), (0.15, -_HALF), (0.85, -_HALF), (0.85, 0)]))
        for y, tip, base in ((_HALF, 0.68, 0.32), (-_HALF, 0.32, 0.68)):
            self.segments.append(SegmentPoly([(base, y + 0.2), (tip, y), (base, y - 0.2)], fill="black"))
            self.segments.append(Segment([(tip, y + 0.2), (tip, y - 0.2)]))


class Amplifier(elm.Element2Term):
    """A triangle that points from the near to the far side."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.segments.append(Segment([(0, 0), gap, (1, 0)]))
        self.segments.append(SegmentPoly([(0, 0.6), (0, -0.6), (1, 0)]))


_TWO_TERMINAL = {
    "resistor": elm.ResistorIEEE,
    "programmable resistor": elm.ResistorVarIEEE,
    "memristor": elm.Memristor,
    "capacitor": elm.Capacitor,
    "inductor": elm.Inductor2,
    "diode": elm.Diode,
    "zener diode": elm.Zener,
    "ideal diode": elm.Diode,
    "antiparallel diodes": AntiparallelDiodes,
    "voltage source": elm.SourceV,
    "current source": elm.SourceI,
    "controlled voltage source": elm.SourceControlledV,
    "controlled current source": elm.SourceControlledI,
    "switch": elm.Switch,
    "amplifier": Amplifier,
}
_TRANSISTORS = {
    "NMOS": (elm.NMos, "drain", "source", "gate"),
    "PMOS": (elm.PMos, "drain", "source", "gate"),
    "NPN": (elm.BjtNpn, "collector", "emitter", "base"),
    "PNP": (elm.BjtPnp, "collector", "emitter", "base"),
    "NJF": (elm.JFetN, "drain", "source", "gate"),
    "PJF": (elm.JFetP, "drain", "source", "gate"),
}


def two_terminal(kind: str) -> Any:
    """The symbol of an element with two ends, from its first to its second; a box for what has none."""
    made = _TWO_TERMINAL.get(kind, elm.RBox)()
    # Outlined, as on paper, what is ideal; filled what has a law of its own.
    return made.fill("black" if kind in ("diode", "zener diode", "antiparallel diodes") else None)


def ends_of(kind: str, first: tuple[float, float], second: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Where a symbol begins and ends: schemdraw's voltage sources have their plus at the end."""
    return (second, first) if "voltage source" in kind else (first, second)


def transistor(kind: str) -> tuple[Any, str, str, str]:
    """The symbol of a transistor, and its anchors: first and second end, gate or base."""
    made, *anchors = _TRANSISTORS[kind]
    symbol = made()
    return (symbol.reverse() if kind in ("NJF", "PJF") else symbol, *anchors)  # type: ignore[return-value]


def is_transistor(kind: str) -> bool:
    """Whether an element has a gate or base."""
    return kind in _TRANSISTORS
