"""Devices that are programmed by pulses: each moves them by a step that depends on where they stand, and scatters.

Equations and names of settings are those of the IBM Analog Hardware Acceleration Kit (Rasch et al. 2021,
arXiv:2104.02184; aihwkit 1.1.0, `simulator/configs/devices.py` and `rpucuda/rpu_pulsed_device.cpp`), after Gokmen &
Vlasov 2016, doi:10.3389/fnins.2016.00333. Its weights w are numbers about 0; here the window [g_min, g_max] of a network's
resistors is the affine image of [`w_min`, `w_max`].
"""

import abc
import dataclasses
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.devices.device import Device, finite_window
from mho.devices.levels import Rounding
from mho.devices.noise import normal, rounded, words
from mho.elements import ProgrammableResistor
from mho.errors import InputError

_TRAIN = 0.05
"""Share of the range [w_min, w_max] that pulses which are taken together may move a device by."""
_GRID = 101


class Cells(eqx.Module):
    """What each of an array of devices has for itself, of the array's shape, or () where all are alike."""

    origin: Array
    """g at w = 0 [S]."""
    unit: Array
    """dg/dw [S]."""
    w_max: Array
    w_min: Array
    """Bounds of w."""
    up: Array
    down: Array
    """Δw of a pulse either way, before what depends on w."""
    own: Any = None
    """Of the family."""
    reference: Array | None = None
    """What is subtracted from w; None for nothing."""
    hidden: Array | None = None
    """w without its write noise; None where there is none."""
    kept: Array | None = None
    """Share of w that is left after an update's time; None for all."""


class PulsedDevice(Device):
    """A device that takes whole pulses, up or down: w ← clip(w ± Δw·f(w) + σ·ξ), ξ standard normal, at each pulse.

    A subclass gives Δw·f(w), `step`. `dtod` is deviation from device to device, `std` from cycle to cycle.

    A change of Δg asks for |Δg|/(dg/dw·`dw_min`) pulses, made a whole number by `rounding`, `pulses_per_update` at the most:
    the rest is not made. n > 1 pulses are taken together, in trains that move a device by 5 % of its range at the most: the
    step of their middle n times, the noise of n. One pulse is exact; more are to 0.3 % of the change, where f is smooth.
    """

    dw_min: float = eqx.field(static=True, default=0.001)
    """Mean Δw."""
    dw_min_dtod: float = eqx.field(static=True, default=0.3)
    """Of Δw, relative to it."""
    dw_min_dtod_log_normal: bool = eqx.field(static=True, default=False)
    """Whether Δw is lognormal with that deviation of its logarithm."""
    dw_min_std: float = eqx.field(static=True, default=0.3)
    """σ relative to the step."""
    up_down: float = eqx.field(static=True, default=0.0)
    """By how much pulses down are smaller than those up, relative to Δw; those up are where it is negative."""
    up_down_dtod: float = eqx.field(static=True, default=0.01)
    w_max: float = eqx.field(static=True, default=0.6)
    w_max_dtod: float = eqx.field(static=True, default=0.3)
    w_min: float = eqx.field(static=True, default=-0.6)
    w_min_dtod: float = eqx.field(static=True, default=0.3)
    """Bounds, mean and deviation relative to it."""
    write_noise_std: float = eqx.field(static=True, default=0.0)
    """Deviation, in `dw_min`, of what is read from what is programmed: drawn anew whenever a device is."""
    corrupt_devices_prob: float = eqx.field(static=True, default=0.0)
    """Share of devices that are stuck."""
    corrupt_devices_range: float = eqx.field(static=True, default=0.1)
    """Largest |w| at which they are."""
    lifetime: float = eqx.field(static=True, default=0.0)
    """Updates in which w leaks to 1/e; 0 for no leakage."""
    lifetime_dtod: float = eqx.field(static=True, default=0.0)
    pulses_per_update: int = eqx.field(static=True, default=31)
    """Pulses at an update, at the most (31: aihwkit's length of pulse trains)."""
    rounding: Rounding = eqx.field(static=True, default="stochastic")
    """Of numbers of pulses."""
    train: int = eqx.field(static=True, default=1)
    """Pulses that are taken together, once drawn."""
    cells: Cells | None = None
    """The devices' own numbers, once drawn."""

    def __check_init__(self) -> None:
        if not self.w_min <= 0 <= self.w_max or self.w_min == self.w_max:
            raise InputError(f"w_min {self.w_min}, w_max {self.w_max}: must have 0 between them")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name.endswith(("_dtod", "_std", "_prob")) and not 0 <= value < float("inf"):
                raise InputError(f"{field.name} {value}: must not be negative")
        if not self.dw_min > 0:
            raise InputError(f"dw_min {self.dw_min}: must be positive")
        if self.pulses_per_update < 1:
            raise InputError(f"pulses_per_update {self.pulses_per_update}: must be at least 1")

    @abc.abstractmethod
    def step(self, cells: Cells, weight: Array, up: Array) -> Array:
        """By how much the next pulse moves devices on average, ≥ 0.

        Args:
            cells: the devices' own numbers.
            weight: w.
            up: whether the pulse is one up.
        """

    def deviation(self, cells: Cells, weight: Array, up: Array, step: Array) -> Array:
        """σ of that pulse."""
        return self.dw_min_std * step

    def drawn_own(self, cells: Cells, normals: Any) -> Cells:
        """The devices with the family's own numbers; `normals` gives deviations of a size, of an array's shape."""
        return cells

    def drawn(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """The first conductances within the devices' own bounds, and their numbers."""
        g_min, g_max = finite_window(type(self).__name__, resistors)
        conductance = jnp.asarray(resistors.conductance)
        dtype, keys = conductance.dtype, iter(jax.random.split(key, 16))

        def normals(deviation: float) -> Array:
            here = next(keys)
            if not deviation:
                return jnp.zeros((), dtype)
            return deviation * jax.random.normal(here, conductance.shape, dtype)

        most, least = (
            mean * (1 + normals(dtod)) for mean, dtod in ((self.w_max, self.w_max_dtod), (self.w_min, self.w_min_dtod))
        )
        w_max, w_min = jnp.abs(jnp.maximum(most, least)), -jnp.abs(jnp.minimum(most, least))
        gain = normals(self.dw_min_dtod)
        gain = jnp.exp(gain) if self.dw_min_dtod_log_normal else 1 + gain
        tilt = normals(self.up_down_dtod)
        up = jnp.abs(gain + min(self.up_down, 0.0) + tilt) * self.dw_min
        down = jnp.abs(gain - max(self.up_down, 0.0) - tilt) * self.dw_min
        if self.corrupt_devices_prob:
            stuck = jax.random.bernoulli(next(keys), self.corrupt_devices_prob, conductance.shape)
            ends = (jnp.maximum(w_min, -self.corrupt_devices_range), jnp.minimum(w_max, self.corrupt_devices_range))
            at = ends[0] + (ends[1] - ends[0]) * jax.random.uniform(next(keys), conductance.shape, dtype)
            w_max, w_min = (jnp.where(stuck, at, bound) for bound in (w_max, w_min))
            up, down = (jnp.where(stuck, 0.0, step) for step in (up, down))
        unit = (g_max - g_min) / (self.w_max - self.w_min)
        origin = jnp.asarray(g_min - self.w_min * unit, dtype)
        cells = Cells(origin, jnp.asarray(unit, dtype), w_max, w_min, up, down)
        cells = self.drawn_own(cells, normals)
        if self.lifetime:
            life = self.lifetime * (1 + normals(self.lifetime_dtod))
            cells = eqx.tree_at(lambda c: c.kept, cells, jnp.where(life > 1, 1 - 1 / life, 0.0), is_leaf=_none)
        shift = 0.0 if cells.reference is None else cells.reference
        weight = jnp.clip((conductance - origin) / unit + shift, cells.w_min, cells.w_max) - shift
        if self.write_noise_std:
            cells = eqx.tree_at(lambda c: c.hidden, cells, weight, is_leaf=_none)
            weight = weight + self.write_noise_std * self.dw_min * jax.random.normal(next(keys), weight.shape, dtype)
        device = dataclasses.replace(self, cells=cells, train=self._train())
        return resistors.within_bounds(origin + unit * weight), device

    def _train(self) -> int:
        """How many pulses may be taken together."""
        grid = jnp.linspace(self.w_min, self.w_max, _GRID)
        mean = jnp.asarray(self.dw_min)
        cells = Cells(mean, mean, jnp.asarray(self.w_max), jnp.asarray(self.w_min), mean, mean)
        cells = self.drawn_own(cells, lambda deviation: jnp.zeros(()))
        steps = [self.step(cells, grid, jnp.full(_GRID, up)) for up in (True, False)]
        largest = max(float(jnp.max(step)) for step in steps)
        return max(1, min(self.pulses_per_update, int(_TRAIN * (self.w_max - self.w_min) / largest)))

    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """As `programmed`, without what it remembers."""
        return self.programmed(conductance, change, key)[0]

    def programmed(self, conductance: Array, change: Array, key: Array) -> tuple[Array, Self]:
        """Whole pulses; devices that get none stay as they are, but for leakage."""
        cells = self.cells
        if cells is None:
            raise InputError(f"device {type(self).__name__}: has no cells; use what its `drawn` returns")
        dtype = conductance.dtype
        dither, *more = words(key, conductance.shape, 1 + (self.dw_min_std > 0) + (self.write_noise_std > 0))
        asked = jnp.abs(change) * (1 / (cells.unit * self.dw_min))
        count = jnp.minimum(rounded(asked, self.rounding, dither), self.pulses_per_update)
        before = (conductance - cells.origin) * (1 / cells.unit) if cells.hidden is None else cells.hidden
        shift = 0.0 if cells.reference is None else cells.reference
        noise = normal(more[0], dither, dtype) if self.dw_min_std else None
        after = self._pulsed(cells, before + shift, change > 0, count, noise, key) - shift
        if cells.kept is not None:
            after = jnp.where(count == 0, before, after) * cells.kept
        device, read = self, after
        if cells.hidden is not None:
            device = eqx.tree_at(lambda d: d.cells.hidden, self, jnp.where(count == 0, before, after))
            read = after + self.write_noise_std * self.dw_min * normal(more[-1], dither >> 4, dtype)
        new = cells.origin + cells.unit * read
        return (new if cells.kept is not None else jnp.where(count == 0, conductance, new)), device

    def _pulsed(self, cells: Cells, weight: Array, up: Array, count: Array, noise: Array | None, key: Array) -> Array:
        if self.train >= self.pulses_per_update:
            return self.moved(cells, weight, up, count, noise)
        trains = -(-self.pulses_per_update // self.train)

        def next_train(state: tuple[Array, Array]) -> tuple[Array, Array]:
            index, weight = state
            here = jnp.clip(count - index * self.train, 0, self.train)
            drawn = None
            if self.dw_min_std:
                word, fill = words(jax.random.fold_in(key, index), weight.shape, 2)
                drawn = normal(word, fill, weight.dtype)
            return index + 1, self.moved(cells, weight, up, here, drawn)

        def left(state: tuple[Array, Array]) -> Array:
            # A number of pulses that is none goes on to the end, and so does its device.
            return (state[0] < trains) & ~jnp.all(count <= state[0] * self.train)

        return lax.while_loop(left, next_train, (jnp.int32(0), weight))[1]

    def moved(self, cells: Cells, weight: Array, up: Array, count: Array, noise: Array | None) -> Array:
        """w after a train of pulses.

        Args:
            cells: the devices' own numbers.
            weight: w before.
            up: whether the pulses are ones up.
            count: how many, 0 to `train`.
            noise: standard normal; None for none.
        """
        first = self.step(cells, weight, up)
        sign = jnp.where(up, 1.0, -1.0)
        mean = first
        if self.train > 1:
            middle = weight + sign * first * jnp.maximum(count - 1, 0) / 2
            mean = jnp.where(count > 1, self.step(cells, jnp.clip(middle, cells.w_min, cells.w_max), up), first)
        after = weight + sign * count * mean
        if noise is not None:
            after = after + self.deviation(cells, weight, up, first) * jnp.sqrt(count) * noise
        return jnp.clip(after, cells.w_min, cells.w_max)


def _none(leaf: Any) -> bool:
    return leaf is None
