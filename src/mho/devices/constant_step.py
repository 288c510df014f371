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
        return self.pulses_per_update

    def moved(self, cells: Cells, weight: Array, up: Array, count: Array, noise: Array | None) -> Array:
        """Equal steps add up."""
        number = count if noise is None else count + self.dw_min_std * jnp.sqrt(count) * noise
        return jnp.clip(weight + jnp.where(up, cells.up, -cells.down) * number, cells.w_min, cells.w_max)
