"""Programmable resistor (memristor): the weight of an analog neural network."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.arrays import namespace
from mho.elements.two_terminal import TwoTerminal, entry
from mho.errors import InputError

OPEN = 1e-24
"""What stands for 0 S, a dead device's conductance, where SPICE wants ohms [S]."""


class ProgrammableResistor(TwoTerminal):
    """Ohmic resistors whose conductances can be set, within the bounds that the device has.

    Law i = g v; co-content ½ g v²; di/dv = g. Source: Kendall et al. 2020, section 3.
    """

    conductance: Array
    """Siemens, any shape."""
    lower: float = eqx.field(static=True, default=1e-7)
    """Smallest conductance the device can be programmed to [S]."""
    upper: float = eqx.field(static=True, default=float("inf"))
    """Largest conductance the device can be programmed to [S]."""

    def __check_init__(self) -> None:
        if not (np.isfinite(self.lower) and self.lower > 0):
            raise InputError(f"lower conductance bound {self.lower} S: a conductance bound must be positive")
        if not self.upper > self.lower:
            raise InputError(f"upper conductance bound {self.upper} S: must be above the lower bound, {self.lower} S")

    def current(self, voltage: Array) -> Array:
        """i = g v."""
        return self.conductance * voltage

    def slope(self, voltage: Array) -> Array:
        """di/dv = g."""
        return namespace(self.conductance, voltage).broadcast_to(self.conductance, voltage.shape)

    def co_content(self, voltage: Array) -> Array:
        """½ g v²."""
        return 0.5 * self.conductance * voltage**2

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Current over total conductance."""
        return current / (conductance + self.conductance)

    def within_bounds(self, conductance: Array) -> Array:
        """The nearest conductances that the device can be programmed to."""
        if np.isinf(self.upper):
            return jnp.maximum(conductance, self.lower)
        return jnp.clip(conductance, self.lower, self.upper)

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE resistor: Rname node reference ohms."""
        return [f"R{name} {node} {reference} {1.0 / entry(self.conductance, index):.17g}"]
