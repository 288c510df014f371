"""Models of elements: which kinds there are, and their parameters' names, defaults and ranges.

Source of the diode's: ngspice 39 manual, section 7.2 ("Diode Model"), level 1. Where ngspice warns and clips
a parameter to its range, this refuses it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mho.errors import InputError
from mho.spice.netlist import DiodeModel
from mho.spice.scopes import Value
from mho.spice.values import shown

# SPICE's name: the field of DiodeModel, its default, its smallest and largest value, whether the smallest is allowed.
_PARAMETERS: dict[str, tuple[str, float | None, float, float, bool]] = {
    "is": ("saturation_current", 1e-14, 0.0, math.inf, False),
    "n": ("emission", 1.0, 0.0, math.inf, False),
    "rs": ("series_resistance", 0.0, 0.0, math.inf, True),
    "cjo": ("junction_capacitance", 0.0, 0.0, math.inf, True),
    "vj": ("junction_potential", 1.0, 0.0, math.inf, False),
    "m": ("grading", 0.5, 0.0, 0.9, True),
    "fc": ("forward_bias", 0.5, 0.0, 0.95, True),
    "tt": ("transit_time", 0.0, 0.0, math.inf, True),
    "bv": ("breakdown_voltage", None, 0.0, math.inf, False),
    "ibv": ("breakdown_current", 1e-3, 0.0, math.inf, False),
    "eg": ("activation_energy", 1.11, 0.1, math.inf, True),
    "xti": ("saturation_exponent", 3.0, -math.inf, math.inf, True),
    "tnom": ("nominal_temperature", None, -273.15, math.inf, False),
}
_OTHER_NAMES = {"cj0": "cjo"}

WITHOUT_EFFECT = frozenset({"kf", "af", "fv_max", "bv_max", "id_max", "te_max", "pd_max"})
"""Parameters that are read and dropped: noise, and ratings that only warn. No DC or transient solution has them."""


def diode_parameter(name: str) -> str | None:
    """The parameter's first name, or None if it has no effect and is to be dropped; ``level`` stands for itself.

    Raises:
        InputError: A diode model has no such parameter here.
    """
    name = _OTHER_NAMES.get(name, name)
    if name in _PARAMETERS or name == "level":
        return name
    if name in WITHOUT_EFFECT:
        return None
    raise InputError(
        f"unsupported diode parameter {shown(name)}; supported: {' '.join(_PARAMETERS)} cj0 level=1 (without "
        f"effect: {' '.join(sorted(WITHOUT_EFFECT))})"
    )


def diode_model(name: str, kind: str, parameters: dict[str, float], nominal_temperature: float) -> DiodeModel:
    """A diode model with the defaults filled in.

    Args:
        name: The model's name.
        kind: ``d``.
        parameters: By the names that ``diode_parameter`` gives.
        nominal_temperature: The circuit's (°C), for a model without TNOM.

    Raises:
        InputError: A value is out of its range.
    """
    fields: dict[str, float | None] = {}
    for parameter, (field, default, least, most, includes_least) in _PARAMETERS.items():
        value = parameters.get(parameter)
        if value is None:
            fields[field] = nominal_temperature if parameter == "tnom" else default
            continue
        if not least <= value <= most or (value == least and not includes_least):
            allowed = f"{'at least' if includes_least else 'above'} {least:g}"
            allowed += f" and at most {most:g}" if most < math.inf else ""
            raise InputError(f"{parameter.upper()} of diode model {shown(name)} is {value:g}; it must be {allowed}")
        fields[field] = value
    if parameters.get("level", 1.0) != 1:
        raise InputError(f"diode model {shown(name)} is of level {parameters['level']:g}; only level=1 is supported")
    return DiodeModel(name=name, **fields)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class ModelKind:
    """One kind of ``.model`` card.

    Attributes:
        element: Letter of the elements that use it.
        parameter: From a parameter's name to its first name, or None where it has no effect; raises for others.
        build: From the model's name, its kind, its parameters by their first names and the circuit's nominal
            temperature (°C) to the model.
    """

    element: str
    parameter: Callable[[str], str | None]
    build: Callable[[str, str, dict[str, float], float], Any]


# First name of each parameter of a resistor's or capacitor's model; None: noise and ratings, without effect here.
_RESISTOR_PARAMETERS = {
    **{name: name for name in ("rsh", "narrow", "short", "tc1", "tc2", "tce", "defw", "defl", "tnom", "r")},
    **{"dw": "narrow", "dlr": "short", "tc1r": "tc1", "tc2r": "tc2", "w": "defw", "l": "defl", "res": "r"},
    **dict.fromkeys(("kf", "af", "bv_max", "lf", "wf", "ef")),
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
    "d": ModelKind("d", diode_parameter, diode_model),
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
