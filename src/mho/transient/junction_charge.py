"""The charge of junction diodes: a capacitance that depends on the junction's voltage.

C(v) = TT·di/dv + C_J(v), the diffusion and the depletion capacitance:

    C_J = CJO·(1 − v/VJ)^−M for v < FC·VJ, and on its tangent there, CJO·(1 − FC·(1+M) + M·v/VJ)/(1 − FC)^(1+M), above.

Sources: ngspice 39 manual, section 7.2; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed., chapter
1 (charge and temperature).
"""

import numpy as np

from mho.elements.shockley_diode import BOLTZMANN, ELEMENTARY_CHARGE, ROOM_TEMPERATURE


class JunctionCharge:
    """Charged junctions; parameters of shape (diodes,), at the diodes' temperature and area."""

    def __init__(
        self,
        *,
        transit_time: np.ndarray,
        zero_bias: np.ndarray,
        potential: np.ndarray,
        grading: np.ndarray,
        forward_bias: np.ndarray,
    ) -> None:
        """Take TT [s], CJO [F], VJ [V], M and FC."""
        self._transit_time, self._zero_bias, self._grading = transit_time, zero_bias, grading
        self._edge, self._steepness = forward_bias * potential, -1.0 / potential
        self._logarithmic = grading == 1.0
        # M = 1 is a logarithm's case.
        self._rest = np.where(self._logarithmic, 1.0, 1.0 - grading)
        self._scale = zero_bias * potential / self._rest
        self._gradient = zero_bias * grading / potential * (1.0 - forward_bias) ** -(1.0 + grading)
        self._depletes, self._diffuses = bool(zero_bias.any()), bool(transit_time.any())

    def at(self, voltage: np.ndarray, current: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Charges q(v) [C] and capacitances C(v) [F] at junction voltages, given the diodes' currents and slopes there.

        Args:
            voltage: [V], (..., diodes).
            current: [A], (..., diodes).
            slope: [S], (..., diodes).
        """
        if not self._depletes:
            return self._transit_time * current, self._transit_time * slope
        below = np.minimum(voltage, self._edge)
        logarithm = np.log1p(self._steepness * below)
        capacitance = self._zero_bias * np.exp(-self._grading * logarithm)
        share = -np.expm1(self._rest * logarithm)
        charge = self._scale * (np.where(self._logarithmic, -logarithm, share) if self._logarithmic.any() else share)
        over = voltage - below
        if over.any():
            # Above the edge the capacitance is a straight line in v.
            charge = charge + over * (capacitance + 0.5 * self._gradient * over)
            capacitance = capacitance + self._gradient * over
        if self._diffuses:
            return self._transit_time * current + charge, self._transit_time * slope + capacitance
        return charge, capacitance


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
