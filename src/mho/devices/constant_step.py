"""Pulsed devices whose steps are equal wherever they stand."""

from jax import Array
from jax import numpy as jnp

from mho.devices.pulsed import Cells, PulsedDevice


class ConstantStep(PulsedDevice):
    """f(w) = 1. Source: Gokmen & Vlasov 2016, doi:10.3389/fnins.2016.00333; aihwkit's `ConstantStepDevice`."""

    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """Δw."""
        return jnp.where(up, cells.up, cells.down)

    def _train(self) -> int:
        # Equal steps add up.
        return self.pulses_per_update
