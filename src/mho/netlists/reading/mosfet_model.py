"""Models of MOSFETs: the parameters of `.model … NMOS(…)` and `PMOS(…)` of level 1 as ngspice 39 has them.

Sources: ngspice 39 manual, section 11.2; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed.,
chapter 4 (what follows from the oxide's thickness and the substrate's doping).
"""

import math
from collections.abc import Mapping

from mho.constants import ZERO_CELSIUS
from mho.elements.junction_temperature import band_gap
from mho.elements.shockley_diode import ELEMENTARY_CHARGE, thermal_voltage
from mho.errors import InputError
from mho.netlists.reading.model_parameters import Parameter, ParameterTable, not_negative, positive
from mho.netlists.reading.netlist import MosfetModel
from mho.netlists.reading.values import shown

_PERMITTIVITY = 8.854214871e-12  # F/m, the value ngspice computes with.
_OXIDE = 3.9 * _PERMITTIVITY
_SILICON = 11.7 * _PERMITTIVITY
_INTRINSIC = 1.45e16  # 1/m³
_MOST_CURRENT = 1e3

MOSFET = ParameterTable(
    what="MOSFET",
    known={
        "vto": Parameter("threshold", None),
        "kp": not_negative("transconductance", None),
        "gamma": not_negative("body_effect", None),
        "phi": positive("surface_potential", None),
        "lambda": not_negative("length_modulation"),
        "rd": not_negative("drain_resistance", None),
        "rs": not_negative("source_resistance", None),
        "rsh": not_negative("sheet_resistance", None),
        "is": not_negative("junction_current", 1e-14, _MOST_CURRENT),
        "js": not_negative("junction_current_density", 0.0),
        "tox": not_negative("oxide_thickness", 0.0),
        "uo": not_negative("mobility", 600.0),
        "nsub": not_negative("doping", None),
        "nss": Parameter("surface_states", 0.0),
        "tpg": Parameter("gate_type", 1.0),
        "ld": not_negative("lateral_diffusion"),
        "tnom": Parameter("nominal_temperature", None, -ZERO_CELSIUS, open=True),
        "cgso": not_negative("gate_source_overlap"),
        "cgdo": not_negative("gate_drain_overlap"),
        "cgbo": not_negative("gate_bulk_overlap"),
        "cbd": not_negative("bulk_drain_capacitance", None),
        "cbs": not_negative("bulk_source_capacitance", None),
        "cj": not_negative("bottom_capacitance"),
        "mj": Parameter("bottom_grading", 0.5, 0.0, 0.9999),
        "cjsw": not_negative("sidewall_capacitance"),
        "mjsw": Parameter("sidewall_grading", 0.5, 0.0, 0.9999),
        "pb": positive("junction_potential", 0.8),
        "fc": not_negative("forward_bias", 0.5, 0.9999),
    },
    aliases={"vt0": "vto", "u0": "uo"},
    without_effect=frozenset({"kf", "af"}),
)


def mosfet_model(name: str, kind: str, parameters: Mapping[str, float], nominal_temperature: float) -> MosfetModel:
    """A MOSFET's model with the defaults filled in, and with what its process parameters say where the card does not.

    With an oxide: KP = UO·C_ox. With a doping, too: PHI = 2·V_T·ln(NSUB/n_i), at least 0.1 V, GAMMA from the depletion
    charge and VTO from the work functions, NSS and TPG.

    Args:
        name: The model's name.
        kind: ``nmos`` or ``pmos``.
        parameters: By the names that the table's `first_name` gives.
        nominal_temperature: The circuit's (°C), for a model without TNOM.

    Raises:
        InputError: A value is out of its range.
    """
    fields = MOSFET.fields(name, parameters)
    if fields["nominal_temperature"] is None:
        fields["nominal_temperature"] = nominal_temperature
    oxide, doping = fields["oxide_thickness"] or 0.0, fields.pop("doping")
    states, gate = fields.pop("surface_states") or 0.0, fields.pop("gate_type") or 0.0
    mobility = fields.pop("mobility") or 0.0
    capacitance = _OXIDE / oxide if oxide > 0 else 0.0
    polarity = 1 if kind == "nmos" else -1
    if gate not in (-1.0, 0.0, 1.0):
        raise InputError(f"TPG of MOSFET model {shown(name)} is {gate:g}; it is 1, 0 or -1")
    if doping is not None and doping * 1e6 <= _INTRINSIC:
        raise InputError(
            f"NSUB of MOSFET model {shown(name)} is {doping:g}; it is in 1/cm³, above silicon's own {_INTRINSIC / 1e6:g}"
        )
    if capacitance > 0:
        _fill(fields, "transconductance", mobility * capacitance * 1e-4)
        if doping is not None:
            kelvin = (fields["nominal_temperature"] or 0.0) + ZERO_CELSIUS
            _from_doping(fields, polarity, doping * 1e6, capacitance, states * 1e4, gate, kelvin)
    for field, default in (
        ("transconductance", 2e-5),
        ("surface_potential", 0.6),
        ("body_effect", 0.0),
        ("threshold", 0.0),
    ):
        _fill(fields, field, default)
    return MosfetModel(name=name, polarity=polarity, oxide_capacitance=capacitance, **fields)  # pyright: ignore[reportArgumentType]


def _fill(fields: dict[str, float | None], field: str, value: float) -> None:
    if fields[field] is None:
        fields[field] = value


def _from_doping(
    fields: dict[str, float | None],
    polarity: int,
    doping: float,
    capacitance: float,
    states: float,
    gate: float,
    kelvin: float,
) -> None:
    """PHI [V], GAMMA [√V] and VTO [V] of a substrate doping and surface states, 1/m³ and 1/m², where they aren't given."""
    gap = float(band_gap(kelvin))
    _fill(fields, "surface_potential", max(0.1, 2.0 * float(thermal_voltage(kelvin)) * math.log(doping / _INTRINSIC)))
    phi = fields["surface_potential"] or 0.0
    # Work functions [V]: of the gate, aluminium's 3.2 or polysilicon's, and of the substrate.
    metal = 3.2 if gate == 0 else 3.25 + 0.5 * gap - 0.5 * polarity * gate * gap
    difference = metal - (3.25 + 0.5 * gap + 0.5 * polarity * phi)
    _fill(fields, "body_effect", math.sqrt(2.0 * _SILICON * ELEMENTARY_CHARGE * doping) / capacitance)
    flat = difference - states * ELEMENTARY_CHARGE / capacitance
    _fill(fields, "threshold", flat + polarity * ((fields["body_effect"] or 0.0) * math.sqrt(phi) + phi))
