"""Devices with a few conductances, and devices that are programmed until they read what they should."""

from typing import Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.devices.device import Device, finite_window
from mho.devices.noise import normal, rounded, words
from mho.elements import ProgrammableResistor
from mho.errors import InputError

Rounding = Literal["nearest", "stochastic"]


class Levels(Device):
    """Devices with n conductances, equally spaced over the window.

    The conductance asked for becomes the nearest level, or by `stochastic` rounding one of the two around it, so that
    small changes are made on average (Gupta et al. 2015, arXiv:1502.02551, section 3).
    """

    levels: int = eqx.field(static=True, default=64)
    """How many."""
    rounding: Rounding = eqx.field(static=True, default="stochastic")
    least: Array | float = 0.0
    """Lowest level [S], once drawn."""
    spacing: Array | float = 0.0
    """Between two levels [S], once drawn."""

    def __check_init__(self) -> None:
        if self.levels < 2:
            raise InputError(f"levels {self.levels}: a device has two at least")

    def drawn(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """The first conductances as levels."""
        least, largest = finite_window("levels", resistors)
        conductance = jnp.asarray(resistors.conductance)
        ends = jnp.asarray([least, (largest - least) / (self.levels - 1)], conductance.dtype)
        device = eqx.tree_at(lambda d: (d.least, d.spacing), self, (ends[0], ends[1]))
        return device._level(conductance, key), device

    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """One of the levels next to g + Δg; where no change is asked for, the level that is there."""
        return jnp.where(change == 0, conductance, self._level(conductance + change, key))

    def _level(self, conductance: Array, key: Array) -> Array:
        level = (conductance - self.least) / self.spacing
        word = words(key, conductance.shape, 1)[0]
        # A level is itself, whatever rounding made of it in floating point.
        here = jnp.round(level)
        level = jnp.where(jnp.abs(level - here) < 1e-3, here, rounded(level, self.rounding, word))
        return self.least + self.spacing * jnp.clip(level, 0, self.levels - 1)


class ProgramVerify(Device):
    """Devices that are pulsed and read in turn until they are within a range about the conductance asked for.

    σ(g) = `noise` + `noise_slope`·g, both in the unit of a device whose window ends at `largest`; the network's window is
    mapped onto [`least`, `largest`]. A change below the range is no change to such a scheme, so changes are asked for in
    multiples of it, by the rounding named. Source: Falcone et al. 2025, arXiv:2502.04524, as documented by aihwkit
    (docs/source/reram_inference.rst).
    """

    noise: float = eqx.field(static=True, default=0.0)
    """σ at 0 S [µS]."""
    noise_slope: float = eqx.field(static=True, default=0.0)
    """Of σ by g."""
    acceptance: float = eqx.field(static=True, default=0.02)
    """The range, as a share of the conductance asked for."""
    least: float = eqx.field(static=True, default=9.0)
    """The device's window [µS]."""
    largest: float = eqx.field(static=True, default=88.2)
    rounding: Rounding = eqx.field(static=True, default="stochastic")
    window: Array | None = None
    """The network's, (2,) [S], once drawn."""

    def drawn(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """The first conductances, programmed once."""
        window = jnp.asarray(finite_window("program-verify", resistors), jnp.asarray(resistors.conductance).dtype)
        device = eqx.tree_at(lambda d: d.window, self, window, is_leaf=lambda x: x is None)
        first = jnp.asarray(resistors.conductance)
        word, fill = words(key, first.shape, 2)
        return first + device._deviation(first) * normal(word, fill, first.dtype), device

    def _device(self, conductance: Array) -> tuple[Array, Array]:
        assert self.window is not None, "not drawn"
        unit = (self.largest - self.least) / (self.window[1] - self.window[0])
        return self.least + (conductance - self.window[0]) * unit, unit

    def _deviation(self, conductance: Array) -> Array:
        there, unit = self._device(conductance)
        return (self.noise + self.noise_slope * there) / unit

    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """g + n·a·g, a the acceptance range, and the scheme's error where n is not 0."""
        there, unit = self._device(conductance)
        word, dither = words(key, conductance.shape, 2)
        quantum = self.acceptance * there / unit
        count = rounded(jnp.abs(change) / quantum, self.rounding, dither)
        target = conductance + jnp.sign(change) * count * quantum
        reached = target + self._deviation(target) * normal(word, dither, conductance.dtype)
        return jnp.where(count == 0, conductance, reached)
