"""Models of junction field-effect transistors: the parameters of `.model … NJF(…)` and `PJF(…)` of level 1.

Source: ngspice 39 manual, section 9.1; where it is silent, ngspice 39's behaviour.
"""

from collections.abc import Mapping

from mho.constants import ZERO_CELSIUS
from mho.netlists.reading.model_parameters import Parameter, ParameterTable, not_negative, positive
from mho.netlists.reading.netlist import JfetModel

_MOST_CURRENT = 1e3

JFET = ParameterTable(
    what="JFET",
    known={
        "vto": Parameter("threshold", -2.0),
        "beta": not_negative("transconductance", 1e-4),
        "lambda": not_negative("length_modulation"),
        "rd": not_negative("drain_resistance"),
        "rs": not_negative("source_resistance"),
        "is": positive("junction_current", 1e-14, _MOST_CURRENT),
        "b": Parameter("tail", 1.0),
        "pb": positive("gate_potential", 1.0),
        "tnom": Parameter("nominal_temperature", None, -ZERO_CELSIUS, open=True),
        "tcv": Parameter("threshold_falls", 0.0),
        "vtotc": Parameter("threshold_rises", None),
        "bex": Parameter("gain_exponent", 0.0),
        "betatce": Parameter("gain_growth", None),
        "xti": Parameter("saturation_exponent", 0.0),
        "eg": not_negative("activation_energy", 1.11),
        "cgs": not_negative("gate_source_capacitance"),
        "cgd": not_negative("gate_drain_capacitance"),
        "fc": not_negative("forward_bias", 0.5, 0.9999),
    },
    aliases={"vt0": "vto"},
    without_effect=frozenset({"kf", "af", "nlev", "gdsnoi"}),
    # PSpice's: recombination, ionisation and the capacitance's exponent.
    ignored=frozenset({"isr", "nr", "n", "alpha", "vk", "m", "mfg"}),
)


def jfet_model(name: str, kind: str, parameters: Mapping[str, float], nominal_temperature: float) -> JfetModel:
    """A JFET's model with the defaults filled in; without an XTI its junctions' currents grow by EG alone, as in ngspice.

    Args:
        name: The model's name.
        kind: ``njf`` or ``pjf``.
        parameters: By the names that the table's `first_name` gives.
        nominal_temperature: The circuit's (°C), for a model without TNOM.

    Raises:
        InputError: A value is out of its range.
    """
    fields = JFET.fields(name, parameters)
    if fields["nominal_temperature"] is None:
        fields["nominal_temperature"] = nominal_temperature
    return JfetModel(name=name, polarity=1 if kind == "njf" else -1, **fields)  # pyright: ignore[reportArgumentType]
