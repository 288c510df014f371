"""Clamping: voltage sources that hold the outputs, as coupled learning attaches them in place of nudging currents."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import TwoTerminal


class Clamp(TwoTerminal):
    """Voltage sources at the outputs, from each to ground, or between the two nodes of each where outputs are paired.

    They take any current, so the law v = V has no i(v) and no co-content: held outputs are no variables of the energy.
    """

    voltage: Array
    """V, of the predictions [V], (batch, outputs)."""
    paired: bool = eqx.field(static=True, default=False)

    def current(self, voltage: Array) -> Array:
        """Not defined.

        Raises:
            TypeError: always.
        """
        raise TypeError("a voltage source has no current-voltage law")

    def mismatch(self, voltage: Array, current: Array) -> Array:
        """None: any current is allowed."""
        return jnp.zeros_like(current)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The held voltages; where outputs are paired, those apart by V whose currents into the source are opposite."""
        if not self.paired:
            return self.voltage
        half = current.shape[-1] // 2
        free, resistance = current / conductance, 1.0 / conductance
        apart = free[..., :half] - free[..., half:] - self.voltage
        drawn = apart / (resistance[..., :half] + resistance[..., half:])
        return (current - jnp.concatenate([drawn, -drawn], -1)) / conductance
