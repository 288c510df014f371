"""The charge of junction diodes: a capacitance that depends on the junction's voltage.

C(v) = TT·di/dv + C_J(v), the diffusion and the depletion capacitance:

    C_J = CJO·(1 − v/VJ)^−M for v < FC·VJ, and on its tangent there, CJO·(1 − FC·(1+M) + M·v/VJ)/(1 − FC)^(1+M), above.

Sources: ngspice 39 manual, section 7.2; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed., chapter
1 (charge and temperature).
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements import JunctionDiode
from mho.elements.shockley_diode import BOLTZMANN, ELEMENTARY_CHARGE, ROOM_TEMPERATURE

_TYPICAL_CONDUCTANCE = 1e-3
"""Of a conducting junction [S]: for the scale of a diffusion capacitance."""


class JunctionCharge(eqx.Module):
    """Charged junctions; arrays of shape (diodes,), at the diodes' temperature and area."""

    first: np.ndarray
    """Node numbers of the anodes."""
    second: np.ndarray
    """Node numbers of the cathodes."""
    diode: JunctionDiode
    """The junctions, without series resistance."""
    transit_time: Any
    """TT [s]."""
    zero_bias: Any
    """CJO [F]."""
    potential: Any
    """VJ [V]."""
    grading: Any
    """M."""
    forward_bias: Any
    """FC."""

    @property
    def reference(self) -> Any:
        """A constant capacitance of about the size of each [F]."""
        return np.maximum(self.zero_bias, self.transit_time * _TYPICAL_CONDUCTANCE)

    def capacitance(self, voltage: Array) -> Array:
        """C(v) [F], at junction voltages (diodes,)."""
        edge = self.forward_bias * self.potential
        below = self.zero_bias * (1.0 - jnp.minimum(voltage, edge) / self.potential) ** -self.grading
        line = 1.0 - self.forward_bias * (1.0 + self.grading) + self.grading * voltage / self.potential
        above = self.zero_bias * line / (1.0 - self.forward_bias) ** (1.0 + self.grading)
        return self.transit_time * self.diode.slope(voltage) + jnp.where(voltage < edge, below, above)


def heated(
    zero_bias: np.ndarray, potential: np.ndarray, grading: np.ndarray, nominal: np.ndarray, temperature: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """CJO [F] and VJ [V] of silicon junctions at a temperature [K], from those at the nominal temperature [K].

    VJ falls as the intrinsic concentration rises; CJO changes with VJ and by 4e-4·M a kelvin.
    """

    def built_in(kelvin: np.ndarray) -> np.ndarray:
        gap = 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108.0)  # eV
        thermal = BOLTZMANN / ELEMENTARY_CHARGE * kelvin
        reference = BOLTZMANN / ELEMENTARY_CHARGE * ROOM_TEMPERATURE
        exponent = -gap / (2.0 * thermal) + 1.1150877 / (2.0 * reference)
        return -2.0 * thermal * (1.5 * np.log(kelvin / ROOM_TEMPERATURE) + exponent)

    at_room = (potential - built_in(nominal)) * ROOM_TEMPERATURE / nominal

    def growth(kelvin: np.ndarray, there: np.ndarray) -> np.ndarray:
        return 1.0 + grading * (4e-4 * (kelvin - ROOM_TEMPERATURE) - (there - at_room) / at_room)

    there = built_in(temperature) + temperature / ROOM_TEMPERATURE * at_room
    return zero_bias / growth(nominal, potential) * growth(temperature, there), there
