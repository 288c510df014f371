"""Models of bipolar transistors: the parameters of `.model … NPN(…)` and `PNP(…)` of level 1 as ngspice 39 has them.

Source: ngspice 39 manual, section 8.2 (Gummel-Poon).
"""

from collections.abc import Mapping

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.netlists.reading.model_parameters import Parameter, ParameterTable, not_negative, positive
from mho.netlists.reading.netlist import BipolarModel
from mho.netlists.reading.values import shown

_MOST_CURRENT = 1e3

BIPOLAR = ParameterTable(
    what="bipolar transistor",
    known={
        "is": positive("saturation_current", 1e-16, _MOST_CURRENT),
        "bf": positive("forward_gain", 100.0),
        "nf": positive("forward_emission", 1.0),
        "vaf": not_negative("forward_early", None),
        "ikf": not_negative("forward_knee", None),
        "nkf": positive("roll_off", 0.5),
        "ise": not_negative("emitter_leakage", 0.0),
        "ne": positive("emitter_leakage_emission", 1.5),
        "br": positive("reverse_gain", 1.0),
        "nr": positive("reverse_emission", 1.0),
        "var": not_negative("reverse_early", None),
        "ikr": not_negative("reverse_knee", None),
        "isc": not_negative("collector_leakage", 0.0),
        "nc": positive("collector_leakage_emission", 2.0),
        "rb": not_negative("base_resistance"),
        "irb": not_negative("base_half_current", None),
        "rbm": not_negative("least_base_resistance", None),
        "re": not_negative("emitter_resistance"),
        "rc": not_negative("collector_resistance"),
        "iss": not_negative("substrate_current", 0.0, _MOST_CURRENT),
        "ns": positive("substrate_emission", 1.0),
        "subs": Parameter("geometry", None),
        "xtb": Parameter("gain_exponent", 0.0),
        "eg": not_negative("activation_energy", 1.11),
        "xti": Parameter("saturation_exponent", 3.0),
        "tnom": Parameter("nominal_temperature", None, -ZERO_CELSIUS, open=True),
        "cje": not_negative("emitter_capacitance"),
        "vje": positive("emitter_potential", 0.75),
        "mje": Parameter("emitter_grading", 0.33, 0.0, 0.999),
        "tf": not_negative("forward_transit_time"),
        "xtf": Parameter("forward_transit_bias", 0.0),
        "vtf": not_negative("forward_transit_voltage", None),
        "itf": not_negative("forward_transit_current", 0.0),
        "ptf": Parameter("excess_phase", 0.0),
        "cjc": not_negative("collector_capacitance"),
        "vjc": positive("collector_potential", 0.75),
        "mjc": Parameter("collector_grading", 0.33, 0.0, 0.999),
        "xcjc": Parameter("inner_share", 1.0, 0.0, 1.0),
        "tr": not_negative("reverse_transit_time"),
        "cjs": not_negative("substrate_capacitance"),
        "vjs": positive("substrate_potential", 0.75),
        "mjs": Parameter("substrate_grading", 0.0, 0.0, 0.999),
        "fc": not_negative("forward_bias", 0.5, 0.9999),
    },
    aliases={
        **{"va": "vaf", "ik": "ikf", "nk": "nkf", "vb": "var", "c2": "ise", "c4": "isc", "pe": "vje", "me": "mje"},
        **{"pc": "vjc", "mc": "mjc", "csub": "cjs", "ccs": "cjs", "ps": "vjs", "ms": "mjs", "tref": "tnom"},
    },
    without_effect=frozenset(
        {"kf", "af", "vbe_max", "vbc_max", "vce_max", "pd_max", "ic_max", "ib_max", "te_max", "rth0"}
    ),
    ignored=frozenset({"mfg", "vceo", "icrating", "type"}),
    limits={"nkf": 1.0},
)


def bipolar_model(name: str, kind: str, parameters: Mapping[str, float], nominal_temperature: float) -> BipolarModel:
    """A bipolar transistor's model with the defaults filled in.

    As in ngspice an Early voltage, a knee current or IRB of 0 stands for none, an ISE or ISC above 1e-4 is a multiple of
    IS, and NKF is at most 1.

    Args:
        name: The model's name.
        kind: ``npn`` or ``pnp``.
        parameters: By the names that the table's `first_name` gives.
        nominal_temperature: The circuit's (°C), for a model without TNOM.

    Raises:
        InputError: A value is out of its range.
    """
    fields = BIPOLAR.fields(name, parameters)
    if fields["nominal_temperature"] is None:
        fields["nominal_temperature"] = nominal_temperature
    for field in ("forward_early", "reverse_early", "forward_knee", "reverse_knee", "base_half_current"):
        fields[field] = fields[field] or None
    fields["roll_off"] = min(fields["roll_off"] or 0.5, 1.0)
    saturation = fields["saturation_current"] or 0.0
    for field in ("emitter_leakage", "collector_leakage"):
        leakage = fields[field] or 0.0
        fields[field] = leakage * saturation if leakage > 1e-4 else leakage
    if fields["least_base_resistance"] is None:
        fields["least_base_resistance"] = fields["base_resistance"]
    geometry = fields.pop("geometry")
    if geometry not in (None, 1.0, -1.0):
        raise InputError(f"SUBS of bipolar transistor model {shown(name)} is {geometry:g}; it is 1 (vertical) or -1")
    polarity = 1 if kind == "npn" else -1
    vertical = polarity > 0 if geometry is None else geometry > 0
    return BipolarModel(name=name, polarity=polarity, vertical=vertical, **fields)  # pyright: ignore[reportArgumentType]
