"""Pulsed devices whose steps change exponentially with where they stand."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.devices.pulsed import Cells, PulsedDevice


class ExponentialStep(PulsedDevice):
    """f(w) = max(0, 1 − A e^(±γ z)), z = 2 a w/(w_max − w_min) + b, the sign + up and − down.

    σ is `dw_min_std` (Δw f(w) + `dw_min_std_add` + `dw_min_std_slope` |w|). Source: aihwkit's `ExpStepDevice`.
    """

    A_up: float = eqx.field(static=True, default=0.00081)
    A_down: float = eqx.field(static=True, default=0.36833)
    gamma_up: float = eqx.field(static=True, default=12.44625)
    gamma_down: float = eqx.field(static=True, default=12.78785)
    a: float = eqx.field(static=True, default=0.244)
    b: float = eqx.field(static=True, default=0.2425)
    dw_min_std_add: float = eqx.field(static=True, default=0.0)
    dw_min_std_slope: float = eqx.field(static=True, default=0.0)

    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """Δw f(w)."""
        span = cells.w_max - cells.w_min
        z = 2 * self.a * weight / jnp.where(span > 0, span, 1.0) + self.b
        grown = jnp.exp(z * jnp.where(up, self.gamma_up, -self.gamma_down))
        law = jnp.maximum(1 - jnp.where(up, self.A_up, self.A_down) * grown, 0.0)
        return law * jnp.where(up, cells.up, cells.down)

    def deviation(self, cells: Cells, weight: Array, up: Array, step: Array) -> Array:
        """σ, with its own parts."""
        if self.dw_min_std_add or self.dw_min_std_slope:
            step = step + self.dw_min_std_add + self.dw_min_std_slope * jnp.abs(weight)
        return self.dw_min_std * step
