"""Nudging: what pulls the outputs towards their targets in the nudged phase.

With nudging factor β the energy becomes E + β C, so that each output node takes the current −β ∂C/∂v. Held nudging keeps the
value that this current has in the free phase (current sources, as Kendall et al. 2020 do it); energy nudging lets it
follow the outputs as they move, which the theory assumes. Both give the same gradient in the limit of small β.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import CurrentSource
from mho.learning.cost import Cost
from mho.steady import Attachment


def at_outputs(gradient: Array, paired: bool) -> Array:
    """∂C/∂v at the output nodes from ∂C/∂p, (batch, outputs): both signs where outputs are paired."""
    return jnp.concatenate([gradient, -gradient], -1) if paired else gradient


def held_nudge(cost: Cost, strength: Array, prediction: Array, target: Array, paired: bool) -> CurrentSource:
    """Current sources of −β ∂C/∂v, v the outputs of the free phase; `strength` β has shape (batch, 1)."""
    return CurrentSource(-strength * at_outputs(cost.gradient(prediction, target), paired))


class EnergyNudge(Attachment):
    """The current β ∂C/∂v(v) out of each output node: β C added to the energy.

    The cost may join the outputs.
    """

    cost: Cost
    strength: Array
    """β, (batch, 1)."""
    target: Array
    """(batch, classes)."""
    paired: bool = eqx.field(static=True)
    rest: Array | None = None
    """Output voltages that those given are deviations from [V], (batch, outputs)."""

    @property
    def exact(self) -> bool:
        """Where the cost has a closed form."""
        return self.cost.closed_form

    def current(self, voltage: Array) -> Array:
        """β ∂C/∂v at the output voltages [A]."""
        gradient = self.cost.gradient(self._prediction(voltage), self.target)
        return self.strength * at_outputs(gradient, self.paired)

    def _prediction(self, voltage: Array) -> Array:
        voltage = voltage if self.rest is None else self.rest + voltage
        half = voltage.shape[-1] // 2
        return voltage[..., :half] - voltage[..., half:] if self.paired else voltage

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The outputs' equations solved together: the cost joins them."""
        free, resistance = self._prediction(current / conductance), 1.0 / conductance
        if self.paired:
            half = resistance.shape[-1] // 2
            resistance = resistance[..., :half] + resistance[..., half:]
        reach, start = self.strength * resistance, self._prediction(start)
        gradient = self.cost.nudged_gradient(free, reach, self.target, start)
        return (current - self.strength * at_outputs(gradient, self.paired)) / conductance
