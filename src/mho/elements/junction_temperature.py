"""What temperature does to silicon junctions: their saturation currents, built-in potentials and capacitances.

Sources: Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed., chapter 1; ngspice 39, checked
against it.
"""

from typing import Any

import numpy as np

from mho.constants import BOLTZMANN, ELEMENTARY_CHARGE, ROOM_TEMPERATURE

_MIDGAP = 1.1150877  # eV, the silicon gap at room temperature with which SPICE's potentials were fitted.


def band_gap(kelvin: Any) -> Any:
    """Silicon's energy gap [eV] at a temperature [K]: 1.16 − 7.02e-4·T²/(T + 1108)."""
    return 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108.0)


def built_in_shift(kelvin: Any) -> Any:
    """How far a junction's potential falls by the intrinsic concentration's rise from room temperature [V]."""
    thermal = BOLTZMANN / ELEMENTARY_CHARGE * kelvin
    reference = BOLTZMANN / ELEMENTARY_CHARGE * ROOM_TEMPERATURE
    exponent = -band_gap(kelvin) / (2.0 * thermal) + _MIDGAP / (2.0 * reference)
    return -2.0 * thermal * (1.5 * np.log(kelvin / ROOM_TEMPERATURE) + exponent)


def potential_at_room(potential: Any, nominal: Any) -> Any:
    """A potential [V] that was measured at the nominal temperature [K], at room temperature."""
    return (potential - built_in_shift(nominal)) * ROOM_TEMPERATURE / nominal


def heated_potential(potential: Any, nominal: Any, temperature: Any) -> Any:
    """A potential [V] at a temperature [K], from that at the nominal temperature [K]."""
    at_room = potential_at_room(potential, nominal)
    return built_in_shift(temperature) + temperature / ROOM_TEMPERATURE * at_room


def heated(zero_bias: Any, potential: Any, grading: Any, nominal: Any, temperature: Any) -> tuple[Any, Any]:
    """CJO [F] and VJ [V] of silicon junctions at a temperature [K], from those at the nominal temperature [K].

    VJ falls as the intrinsic concentration rises; CJO changes with VJ and by 4e-4·M a kelvin.
    """
    at_room = potential_at_room(potential, nominal)

    def growth(kelvin: Any, there: Any) -> Any:
        return 1.0 + grading * (4e-4 * (kelvin - ROOM_TEMPERATURE) - (there - at_room) / at_room)

    there = heated_potential(potential, nominal, temperature)
    return zero_bias / growth(nominal, potential) * growth(temperature, there), there


def saturation_growth(ideality: Any, energy: Any, exponent: Any, nominal: Any, temperature: Any) -> Any:
    """By what factor a saturation current grows from the nominal temperature to another [K].

    exp(EG·(T/TNOM − 1)/(N·V_T))·(T/TNOM)^(XTI/N).
    """
    ratio = temperature / nominal
    thermal = BOLTZMANN / ELEMENTARY_CHARGE * temperature
    return np.exp((ratio - 1.0) * energy / (ideality * thermal) + exponent / ideality * np.log(ratio))
