"""Models of elements: which kinds of `.model` cards there are, and which elements use them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mho.errors import InputError
from mho.netlists.reading.bipolar_model import BIPOLAR, bipolar_model
from mho.netlists.reading.diode_model import DIODE, diode_model
from mho.netlists.reading.jfet_model import JFET, jfet_model
from mho.netlists.reading.model_parameters import ParameterTable
from mho.netlists.reading.mosfet_model import MOSFET, mosfet_model
from mho.netlists.reading.scopes import Value
from mho.netlists.reading.switch_models import CURRENT_SWITCH, VOLTAGE_SWITCH, switch_model
from mho.netlists.reading.values import shown


@dataclass(frozen=True, slots=True)
class ModelKind:
    """One kind of ``.model`` card.

    Attributes:
        element: Letter of the elements that use it.
        parameter: From a parameter's name to its first name, or None where it has no effect; raises for others.
        build: From the model's name, its kind, its parameters by their first names and the circuit's nominal
            temperature (°C) to the model.
        table: The table of its parameters, where it has one.
    """

    element: str
    parameter: Callable[[str], str | None]
    build: Callable[[str, str, dict[str, float], float], Any]
    table: ParameterTable | None = None


# First name of each parameter of a resistor's or capacitor's model; None: noise and ratings, without effect here.
_RESISTOR_PARAMETERS = {
    **{name: name for name in ("rsh", "narrow", "short", "tc1", "tc2", "tce", "defw", "defl", "tnom", "r")},
    **{
        "dw": "narrow",
        "dlr": "short",
        "tc1r": "tc1",
        "tc2r": "tc2",
        "w": "defw",
        "l": "defl",
        "res": "r",
        "resistance": "r",
    },
    **dict.fromkeys(("kf", "af", "bv_max", "lf", "wf", "ef", "level")),
}
_CAPACITOR_PARAMETERS = {
    **{name: name for name in ("cap", "cj", "cjsw", "defw", "narrow", "short", "del", "tc1", "tc2", "tnom")},
    **{
        "di": "di",
        "thick": "thick",
        "cox": "cj",
        "capsw": "cjsw",
        "w": "defw",
        "bv_max": None,
        "defl": None,
        "l": None,
        "level": None,
    },
}


def _passive_kind(letter: str, known: dict[str, str | None]) -> ModelKind:
    """The kind of model of resistors or capacitors."""

    def parameter(name: str) -> str | None:
        if name not in known:
            raise InputError(f"unsupported parameter {shown(name)} of a model of {letter.upper()}: {' '.join(known)}")
        return known[name]

    def model(name: str, kind: str, parameters: dict[str, float], nominal_temperature: float) -> dict[str, float]:
        return {"tnom": nominal_temperature} | parameters

    return ModelKind(letter, parameter, model)


_RESISTOR, _CAPACITOR = _passive_kind("r", _RESISTOR_PARAMETERS), _passive_kind("c", _CAPACITOR_PARAMETERS)
MODEL_KINDS = {
    "d": ModelKind("d", DIODE.first_name, diode_model, DIODE),
    "sw": ModelKind("s", VOLTAGE_SWITCH.first_name, switch_model, VOLTAGE_SWITCH),
    "csw": ModelKind("w", CURRENT_SWITCH.first_name, switch_model, CURRENT_SWITCH),
    "nmos": ModelKind("m", MOSFET.first_name, mosfet_model, MOSFET),
    "pmos": ModelKind("m", MOSFET.first_name, mosfet_model, MOSFET),
    "njf": ModelKind("j", JFET.first_name, jfet_model, JFET),
    "pjf": ModelKind("j", JFET.first_name, jfet_model, JFET),
    "npn": ModelKind("q", BIPOLAR.first_name, bipolar_model, BIPOLAR),
    "pnp": ModelKind("q", BIPOLAR.first_name, bipolar_model, BIPOLAR),
    **{"r": _RESISTOR, "res": _RESISTOR, "c": _CAPACITOR, "cap": _CAPACITOR},
}
"""By the kind's name on the card."""


def model_kind(letter: str, kind: str, label: str) -> ModelKind:
    """The kind of a model that an element of this letter names.

    Raises:
        InputError: No such kind is supported, or it isn't this element's.
    """
    found = MODEL_KINDS.get(kind)
    if found is None or found.element != letter:
        kinds = " or ".join(name.upper() for name, known in MODEL_KINDS.items() if known.element == letter)
        raise InputError(f"model {shown(label)} is of kind {shown(kind)}; {letter.upper()} elements take {kinds}")
    return found


def model_parameters(kind: str, label: str, written: dict[str, Value | str]) -> dict[str, Value]:
    """The parameters of a card by their first names, those without effect left out.

    Raises:
        InputError: One isn't known, is given twice or is neither a number nor an expression.
    """
    parameters: dict[str, Value] = {}
    table, level = MODEL_KINDS[kind].table, written.get("level")
    if table is not None and isinstance(level, float):
        table.check_level(label, level)  # before another level's parameters seem wrong
    for name, value in written.items():
        known = MODEL_KINDS[kind].parameter(name)
        if known is None:
            continue
        if known in parameters:
            raise InputError(f"{name.upper()} of model {shown(label)} is given twice; give it once")
        if isinstance(value, str):
            raise InputError(
                f"{name.upper()} of model {shown(label)} is {shown(value)}; write a number or an expression"
            )
        parameters[known] = value
    return parameters
