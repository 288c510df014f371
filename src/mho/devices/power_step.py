"""Pulsed devices whose steps are a power of the distance from the bound ahead."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.devices.pulsed import Cells, PulsedDevice
from mho.errors import InputError


class PowerStep(PulsedDevice):
    """f(w) = ((w_max − w)/(w_max − w_min))^γ up, ((w − w_min)/(w_max − w_min))^γ down.

    Source: Fusi & Abbott 2007, doi:10.1038/nn1859; aihwkit's `PowStepDevice`.
    """

    pow_gamma: float = eqx.field(static=True, default=1.0)
    """Mean γ."""
    pow_gamma_dtod: float = eqx.field(static=True, default=0.1)
    pow_up_down: float = eqx.field(static=True, default=0.0)
    """By how much γ is smaller down, where negative up; as all here relative to the mean γ."""
    pow_up_down_dtod: float = eqx.field(static=True, default=0.0)

    def drawn_own(self, cells: Cells, normals: Any) -> Cells:
        """γ either way."""
        gain, tilt = 1 + normals(self.pow_gamma_dtod), normals(self.pow_up_down_dtod)
        relative = (gain + min(self.pow_up_down, 0.0) + tilt, gain - max(self.pow_up_down, 0.0) - tilt)
        own = tuple(jnp.abs(self.pow_gamma * part) for part in relative)
        return eqx.tree_at(lambda c: c.own, cells, own, is_leaf=lambda x: x is None)

    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """Δw f(w)."""
        span = cells.w_max - cells.w_min
        way = jnp.where(up, cells.w_max - weight, weight - cells.w_min) / jnp.where(span > 0, span, 1.0)
        return jnp.where(up, cells.up, cells.down) * jnp.maximum(way, 0.0) ** jnp.where(up, *cells.own)


class PiecewiseStep(PulsedDevice):
    """f(w) by straight lines between values at equal distances from w_min to w_max: aihwkit's `PiecewiseStepDevice`."""

    piecewise_up: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    piecewise_down: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    """The values, as many either way."""

    def __check_init__(self) -> None:
        # Equinox calls those of the classes above, too.
        if not 0 < len(self.piecewise_up) == len(self.piecewise_down):
            raise InputError("piecewise_up, piecewise_down: must have equally many values, one at least")

    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """Δw f(w)."""
        parts = len(self.piecewise_up) - 1
        span = cells.w_max - cells.w_min
        place = jnp.clip((weight - cells.w_min) / jnp.where(span > 0, span, 1.0), 0, 1) * parts
        # Values weighted by hats: no look-up in a table, which XLA makes entry by entry.
        law = jnp.zeros_like(weight)
        for index, values in enumerate(zip(self.piecewise_up, self.piecewise_down, strict=True)):
            law = law + jnp.maximum(1 - jnp.abs(place - index), 0.0) * jnp.where(up, *values)
        return jnp.where(up, cells.up, cells.down) * law
