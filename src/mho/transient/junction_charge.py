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
