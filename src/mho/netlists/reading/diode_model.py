"""Diode models: the parameters of `.model … D(…)` as ngspice 39 has them.

Sources: ngspice 39 manual, section 7.2, levels 1 and 3; where it is silent, ngspice 39's behaviour.
"""

import math
from collections.abc import Mapping

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.netlists.reading.model_parameters import Parameter, ParameterTable, not_negative, positive
from mho.netlists.reading.netlist import DiodeModel
from mho.netlists.reading.values import shown

LEAST_CURRENT = 1e-28
"""SPICE's option epsmin [A]: the least saturation current, and below which a knee current stands for none."""
# Libraries have cards with a lost minus sign in the exponent, IS=2.5E13 say: a short circuit, and solved as one.
_MOST_CURRENT = 1e30

DIODE = ParameterTable(
    what="diode",
    known={
        "is": positive("saturation_current", 1e-14, _MOST_CURRENT),
        "n": positive("emission", 1.0),
        "rs": not_negative("series_resistance"),
        "trs1": Parameter("resistance_temperature_1", 0.0),
        "trs2": Parameter("resistance_temperature_2", 0.0),
        "ikf": not_negative("forward_knee", None),
        "ikr": not_negative("reverse_knee", None),
        "isr": not_negative("recombination_current", 0.0, _MOST_CURRENT),
        "nr": positive("recombination_emission", 1.0),
        "jsw": not_negative("sidewall_current", 0.0, _MOST_CURRENT),
        "ns": positive("sidewall_emission", None),
        "jtun": not_negative("tunnelling_current", 0.0, _MOST_CURRENT),
        "jtunsw": not_negative("tunnelling_sidewall_current", 0.0, _MOST_CURRENT),
        "ntun": positive("tunnelling_emission", 30.0),
        "xtitun": Parameter("tunnelling_exponent", 3.0),
        "keg": Parameter("tunnelling_energy_factor", 1.0),
        "bv": positive("breakdown_voltage", None),
        "ibv": not_negative("breakdown_current", 1e-3),
        "nbv": positive("breakdown_emission", None),
        "tcv": Parameter("breakdown_temperature", 0.0),
        "tlev": Parameter("breakdown_temperature_law", 0.0),
        "eg": not_negative("activation_energy", 1.11),
        "xti": Parameter("saturation_exponent", 3.0),
        "tnom": Parameter("nominal_temperature", None, -ZERO_CELSIUS, open=True),
        "cjo": not_negative("junction_capacitance"),
        "vj": positive("junction_potential", 1.0),
        "m": not_negative("grading", 0.5),
        "fc": not_negative("forward_bias", 0.5, 0.9999),
        "cjp": not_negative("sidewall_capacitance"),
        "php": positive("sidewall_potential", 1.0),
        "mjsw": Parameter("sidewall_grading", 0.33, 0.0, 0.9999),
        "fcs": not_negative("sidewall_forward_bias", 0.5, 0.9999),
        "tt": not_negative("transit_time"),
        "ttt1": Parameter("transit_temperature_1", 0.0),
        "ttt2": Parameter("transit_temperature_2", 0.0),
        "tm1": Parameter("grading_temperature_1", 0.0),
        "tm2": Parameter("grading_temperature_2", 0.0),
        "tlevc": Parameter("capacitance_temperature_law", 0.0, 0.0, 1.0),
        "cta": Parameter("capacitance_temperature", 0.0),
        "ctp": Parameter("sidewall_capacitance_temperature", 0.0),
        "tpb": Parameter("potential_temperature", 0.0),
        "tphp": Parameter("sidewall_potential_temperature", 0.0),
        "area": positive("area", 1.0),
        "pj": not_negative("perimeter"),
    },
    aliases={
        **{"js": "is", "cj0": "cjo", "cj": "cjo", "pb": "vj", "mj": "m", "cjsw": "cjp", "ik": "ikf", "ib": "ibv"},
        **{"trs": "trs1", "tref": "tnom", "ctc": "cta", "tvj": "tpb"},
    },
    # A thermal resistance heats nothing without a thermal node on the diode's card.
    without_effect=frozenset({"kf", "af", "ef", "fv_max", "bv_max", "id_max", "te_max", "pd_max", "rth0", "cth0"}),
    ignored=frozenset(
        {"tbv1", "tbv2", "tikf", "nbvl", "ibvl", "mfg", "type", "vpk", "iave", "ipk", "irms", "diss", "icrating"}
    ),
    levels=(1, 3),
    other_levels=1,
    limits={"m": 0.9},
)


def diode_model(name: str, kind: str, parameters: Mapping[str, float], nominal_temperature: float) -> DiodeModel:
    """A diode model with the defaults filled in.

    What ngspice does with a value, this does: IS below 1e-28 A counts as 1e-28 A, a knee current below that as none.

    Args:
        name: The model's name.
        kind: ``d``.
        parameters: By the names that the table's `first_name` gives.
        nominal_temperature: The circuit's (°C), for a model without TNOM.

    Raises:
        InputError: A value is out of its range.
    """
    fields = DIODE.fields(name, parameters)
    level = int(parameters["level"]) if parameters.get("level") in DIODE.levels else 1
    for knee in ("forward_knee", "reverse_knee"):
        current = fields[knee]
        fields[knee] = None if current is None or current < LEAST_CURRENT else current
    fields["saturation_current"] = max(_number(fields, "saturation_current"), LEAST_CURRENT)
    if fields["nominal_temperature"] is None:
        fields["nominal_temperature"] = nominal_temperature
    if _number(fields, "capacitance_temperature_law") not in (0.0, 1.0):
        raise InputError(
            f"TLEVC of diode model {shown(name)} is {fields['capacitance_temperature_law']:g}; it is 0 or 1"
        )
    return DiodeModel(name=name, level=level, **fields)  # pyright: ignore[reportArgumentType]


def _number(fields: Mapping[str, float | None], name: str) -> float:
    value = fields[name]
    return math.nan if value is None else value
