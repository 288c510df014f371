"""The charge of junction diodes: a capacitance that depends on the junction's voltage.

C(v) = TT·di/dv + C_J(v), the diffusion and the depletion capacitance:

    C_J = CJO·(1 − v/VJ)^−M for v < FC·VJ, and on its tangent there, CJO·(1 − FC·(1+M) + M·v/VJ)/(1 − FC)^(1+M), above.

Source: ngspice 39 manual, section 7.2; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed.,
chapter 1.
"""

from collections.abc import Sequence

import numpy as np


class DepletionCharge:
    """The charge of depletion layers, C_J's integral; parameters of shape (junctions,), at temperature and area."""

    def __init__(
        self, zero_bias: np.ndarray, potential: np.ndarray, grading: np.ndarray, forward_bias: np.ndarray
    ) -> None:
        """Take CJO [F], VJ [V], M and FC."""
        self._zero_bias, self._grading = zero_bias, grading
        self._edge, self._steepness = forward_bias * potential, -1.0 / potential
        # M = 1 is a logarithm's case.
        self._logarithmic = grading == 1.0
        self._rest = np.where(self._logarithmic, 1.0, 1.0 - grading)
        self._scale = zero_bias * potential / self._rest
        self._gradient = zero_bias * grading / potential * (1.0 - forward_bias) ** -(1.0 + grading)

    def at(self, voltage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Charges [C] and capacitances [F] at junction voltages [V], (..., junctions)."""
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
        return charge, capacitance


class JunctionCharge:
    """The charge of junctions: TT·i and that of their depletion layers, bottom and sidewall."""

    def __init__(self, transit_time: np.ndarray, layers: Sequence[DepletionCharge]) -> None:
        """Take TT [s], (junctions,), and the layers."""
        self._transit_time = transit_time if np.any(transit_time) else None
        self._layers = layers

    def at(self, voltage: np.ndarray, current: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Charges q(v) [C] and capacitances C(v) [F] at voltages, currents and slopes, (..., junctions)."""
        parts = [layer.at(voltage) for layer in self._layers]
        if self._transit_time is not None:
            parts.append((self._transit_time * current, self._transit_time * slope))
        charge, capacitance = parts[0]
        for more, steeper in parts[1:]:
            charge, capacitance = charge + more, capacitance + steeper
        return charge, capacitance
