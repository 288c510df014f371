"""Pulsed devices whose steps fall in a straight line towards the bounds, and those in which they vanish there."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.devices.pulsed import Cells, PulsedDevice

_LEAST_FACTOR = 1e-6
_GENTLE = 0.25
"""Share of the step that all pulses of an update may take for the sum's first terms to do."""


class LinearStep(PulsedDevice):
    """f(w) = 1 − γ⁺ w/w_max up, 1 − γ⁻ w/w_min down.

    n pulses are a geometric sum, in closed form: 1 − κ w falls by the factor q = 1 − |κ|Δw at each, κ = γ/w_max or γ/w_min.
    Additive noise of n pulses has the variance (Δw σ)² (1 − q²ⁿ)/(1 − q²), multiplicative noise (Δw σ (1 − κ w))² n q²⁽ⁿ⁻¹⁾,
    but for terms of (κ Δw σ)². Source: aihwkit's `LinearStepDevice`.
    """

    gamma_up: float = eqx.field(static=True, default=0.0)
    gamma_down: float = eqx.field(static=True, default=0.0)
    """γ, and its deviation from device to device."""
    gamma_up_dtod: float = eqx.field(static=True, default=0.05)
    gamma_down_dtod: float = eqx.field(static=True, default=0.05)
    mean_bound_reference: bool = eqx.field(static=True, default=True)
    """Whether w_max and w_min in f are the mean bounds and not each device's own."""
    mult_noise: bool = eqx.field(static=True, default=True)
    """Whether σ is relative to the step at w, and not to that at 0."""

    def drawn_own(self, cells: Cells, normals: Any) -> Cells:
        """κ either way; 0 where the bound is 0."""
        mean = self.mean_bound_reference
        ends = (self.w_max, self.w_min) if mean else (cells.w_max, cells.w_min)
        given = ((self.gamma_up, self.gamma_up_dtod), (self.gamma_down, self.gamma_down_dtod))
        slopes = [jnp.abs(gamma + normals(dtod)) for gamma, dtod in given]
        bounds = [jnp.asarray(end, cells.up.dtype) for end in ends]
        own = tuple(
            jnp.where(bound == 0, 0.0, gamma / jnp.where(bound == 0, 1.0, bound))
            for gamma, bound in zip(slopes, bounds, strict=True)
        )
        return eqx.tree_at(lambda c: c.own, cells, own, is_leaf=lambda x: x is None)

    def _law(self, cells: Cells, up: Array) -> tuple[Array, Array]:
        return jnp.where(up, cells.up, cells.down), jnp.where(up, *cells.own)

    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """Δw (1 − κ w)."""
        scale, slope = self._law(cells, up)
        return scale * (1 - slope * weight)

    def _train(self) -> int:
        return self.pulses_per_update

    def moved(self, cells: Cells, weight: Array, up: Array, count: Array, noise: Array | None) -> Array:
        """n pulses in closed form."""
        scale, slope = self._law(cells, up)
        # A step beyond the end of the line ends at the bound, like one to it.
        loss, law = jnp.minimum(jnp.abs(slope) * scale, 1.0), 1 - slope * weight
        factor = jnp.maximum(1 - loss, _LEAST_FACTOR)
        if self._gentle:
            # The sum's first terms: to (|κ|Δw n)³/24.
            total = count * (1 - (count - 1) * loss * (1 / 2 - (count - 2) * loss * (1 / 6)))
            power = jnp.maximum(1 - loss * total, 0.0)
        else:
            power = jnp.exp(count * jnp.log(factor))
            # Where hardly anything is lost, the difference to 1 is rounding alone.
            total = jnp.where((count <= 1) | (loss < 1e-5), count, (1 - power) / jnp.maximum(loss, 1e-5))
        change = law * total
        if noise is not None:
            if self.mult_noise:
                spread = law * jnp.sqrt(count) * power / factor
            else:
                spread = jnp.sqrt(total * (1 + power) / (1 + factor))
            change = change + self.dw_min_std * spread * noise
        return jnp.clip(weight + jnp.where(up, scale, -scale) * change, cells.w_min, cells.w_max)

    @property
    def _gentle(self) -> bool:
        """Whether all pulses of an update take little of the step."""
        ends = (self.gamma_up, self.w_max), (self.gamma_down, self.w_min)
        slope = max(gamma / max(abs(bound), 1e-30) for gamma, bound in ends)
        return slope * self.dw_min * self.pulses_per_update <= _GENTLE


class SoftBounds(LinearStep):
    """f(w) = 1 − w/w_max up, 1 − w/w_min down, the bounds each device's own; maybe relative to a reference device.

    What the network sees is w − r, r of mean `reference_mean` and deviation `reference_std`, with `subtract_symmetry_point`
    counted from where steps up and down are equal. Source: aihwkit's `SoftBoundsDevice`, `SoftBoundsReferenceDevice`.
    """

    gamma_up: float = eqx.field(static=True, default=1.0)
    gamma_down: float = eqx.field(static=True, default=1.0)
    gamma_up_dtod: float = eqx.field(static=True, default=0.0)
    gamma_down_dtod: float = eqx.field(static=True, default=0.0)
    mean_bound_reference: bool = eqx.field(static=True, default=False)
    reference_mean: float = eqx.field(static=True, default=0.0)
    reference_std: float = eqx.field(static=True, default=0.0)
    subtract_symmetry_point: bool = eqx.field(static=True, default=False)

    def drawn_own(self, cells: Cells, normals: Any) -> Cells:
        """κ either way, and r."""
        cells = super().drawn_own(cells, normals)
        reference = self.reference_mean + normals(self.reference_std)
        if self.subtract_symmetry_point:
            gap = cells.up * cells.own[0] - cells.down * cells.own[1]
            reference = reference + jnp.where(gap == 0, 0.0, (cells.up - cells.down) / jnp.where(gap == 0, 1.0, gap))
        elif not (self.reference_mean or self.reference_std):
            return cells
        return eqx.tree_at(lambda c: c.reference, cells, reference, is_leaf=lambda x: x is None)
