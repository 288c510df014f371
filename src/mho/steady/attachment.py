"""What a phase attaches to the outputs: nudging currents, a cost in the energy, or clamps.

An attachment is no element of the network. Its arrays' leading axis is the batch.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import CurrentSource


class Attachment(eqx.Module):
    """What stands at the outputs' nodes, from each to ground; in a circuit from each output to its reference node."""

    holds: ClassVar[bool] = False
    """Whether it holds voltages and takes any current."""

    @abc.abstractmethod
    def current(self, voltage: Array) -> Array:
        """Drawn from the outputs [A] at their voltages [V], (batch, outputs): all of a sample's together."""

    @abc.abstractmethod
    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Voltages v of the outputs at which conductance·v + i(v) = current; see `mho.elements.TwoTerminal.node_voltage`."""

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """How far currents [A] are from what the law allows at voltages [V]."""
        return current - self.current(voltage)

    @property
    def exact(self) -> bool:
        """Whether `node_voltage` solves to rounding at every call and in every precision."""
        return True

    def slope(self, voltage: Array) -> Any:
        """Not defined: outputs may be joined by the law."""
        raise TypeError(f"{type(self).__name__} has no differential conductance at a node of its own")


class Clamp(Attachment):
    """Voltage sources at the outputs, from each to ground, or between the two nodes of each where outputs are paired.

    They take any current, so the law v = V has no i(v) and no co-content: held outputs are no variables of the energy.
    """

    holds = True

    voltage: Array
    """V, of the predictions [V], (batch, outputs)."""
    paired: bool = eqx.field(static=True, default=False)

    def current(self, voltage: Array) -> Array:
        """Not defined.

        Raises:
            TypeError: always.
        """
        raise TypeError("a voltage source has no current-voltage law")

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """None: any current is allowed, but what enters one node of a pair leaves the other."""
        if not self.paired:
            return jnp.zeros_like(current)
        half = current.shape[-1] // 2
        surplus = current[..., :half] + current[..., half:]
        return jnp.concatenate([surplus, surplus], -1)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The held voltages; where outputs are paired, those apart by V whose currents into the source are opposite."""
        if not self.paired:
            return self.voltage
        half = current.shape[-1] // 2
        free, resistance = current / conductance, 1.0 / conductance
        apart = free[..., :half] - free[..., half:] - self.voltage
        drawn = apart / (resistance[..., :half] + resistance[..., half:])
        return (current - jnp.concatenate([drawn, -drawn], -1)) / conductance


Attached = Attachment | CurrentSource
"""Held nudging is nothing but current sources, (batch, outputs)."""
