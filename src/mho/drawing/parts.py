"""What a picture of a circuit is made of: its elements one by one, each with its symbol, its ends and its value in words."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.elements import (
    AntiparallelDiodes,
    BidirectionalAmplifier,
    CurrentSource,
    IdealDiode,
    JunctionDiode,
    MeasuredElement,
    OffsetElement,
    PiecewiseDiode,
    ProgrammableResistor,
    ShockleyDiode,
    SinhConductor,
    VerilogAElement,
)
from mho.elements.two_terminal import entry
from mho.engineering import engineering

GROUND = "0"


@dataclasses.dataclass(frozen=True)
class Part:
    """One element."""

    name: str
    kind: str
    """Its symbol; see `mho.drawing.symbols`. What has none is a box."""
    first: str
    """Node that a positive current enters it from: anode, plus, drain, collector."""
    second: str
    value: str = ""
    """In words and engineering units."""
    third: str | None = None
    """Node of its gate or base."""
    conductance: float | None = None
    """Of a resistor [S]."""
    current: float | None = None
    """From its first node through it to its second [A], where that is known."""


@dataclasses.dataclass(frozen=True)
class Circuitry:
    """All of a circuit that is to be drawn."""

    parts: Sequence[Part]
    outputs: Sequence[str] = ()
    """Nodes that are read."""
    voltages: dict[str, float] | None = None
    """Of nodes [V], where they are to be shown."""
    notes: Sequence[str] = ()
    """What no symbol tells, such as coupled inductors."""


@dataclasses.dataclass(frozen=True)
class Symbol:
    """How one of an array of two-terminal elements is drawn."""

    kind: str
    letter: str
    """That its name begins with, as in netlists."""
    value: str
    turned: bool = False
    """Whether its second node is its first, as of a diode of polarity −1."""


def value_text(parameter: Any, k: int | None, unit: str) -> str:
    """Entry `k` of a parameter, or of one that all elements share; with None the range of all."""
    values = np.asarray(parameter, np.float64).reshape(-1)
    if k is not None or np.ptp(values) <= 1e-6 * np.abs(values).max():
        return engineering(float(values[0] if values.size == 1 else values[k or 0]), unit)
    return f"{engineering(float(values.min()), unit)} … {engineering(float(values.max()), unit)}"


def gain_text(amplifier: BidirectionalAmplifier, k: int | None = None) -> str:
    """Gain forward, and backward where it is not its inverse; see `value_text`."""
    back = "" if amplifier.current_gain is None else f", × {value_text(amplifier.current_gain, k, '')} back"
    return f"× {value_text(amplifier.gain, k, '')}{back}"


def symbol(element: Any, k: int | None = None, *, programmable: bool = False) -> Symbol:
    """How element `k` of an array is drawn; with None the value tells the range that the whole array spans."""

    def told(parameter: Any, unit: str) -> str:
        return value_text(parameter, k, unit)

    def bias(parameter: Any) -> str:
        return f", {told(parameter, 'V')}" if np.any(np.asarray(parameter)) else ""

    if isinstance(element, OffsetElement):
        seen = symbol(element.element, k)
        return dataclasses.replace(seen, value=f"{seen.value}, offset {told(element.offset_voltage, 'V')}")
    turned = k is not None and hasattr(element, "polarity") and entry(element.polarity, k) < 0
    match element:
        case ProgrammableResistor() if programmable:
            return Symbol("programmable resistor", "R", told(element.conductance, "S"))
        case ProgrammableResistor():
            return Symbol("resistor", "R", told(1.0 / np.asarray(element.conductance, np.float64), "Ω"))
        case ShockleyDiode():
            return Symbol("diode", "D", told(element.saturation_current, "A") + bias(element.bias), turned)
        case JunctionDiode():
            breaks = np.isfinite(np.asarray(element.breakdown_voltage)).all()
            return Symbol("zener diode" if breaks else "diode", "D", told(element.saturation_current, "A"), turned)
        case AntiparallelDiodes():
            value = told(element.up.saturation_current, "A")
            if np.any(np.asarray(element.up.bias)):
                value += f", ±{told(element.up.bias, 'V')}"
            return Symbol("antiparallel diodes", "D", value)
        case IdealDiode():
            # Polarity +1 has its anode at the second node.
            return Symbol("ideal diode", "D", "ideal", not turned)
        case PiecewiseDiode():
            return Symbol("diode", "D", f"{told(element.on_resistance, 'Ω')}, {told(element.threshold, 'V')}", turned)
        case SinhConductor():
            return Symbol("memristor", "N", told(element.conductance, "S"))
        case CurrentSource():
            # What is injected into the first node enters the symbol at its second.
            return Symbol("current source", "I", told(element.injected, "A"), True)
        case MeasuredElement():
            return Symbol("box", "N", "measured", turned)
        case VerilogAElement():
            return Symbol("box", "N", "Verilog-A", turned)
    return Symbol("box", "N", type(element).__name__, turned)
