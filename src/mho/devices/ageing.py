"""Devices that are stuck or dead from the start, wear out, drift and forget, whatever else they are."""

import dataclasses
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.devices.device import Device, Ideal, finite_window
from mho.devices.pulsed import PulsedDevice
from mho.elements import ProgrammableResistor
from mho.errors import InputError


class AgeingDevice(Device):
    """A device, ideal or any other, of which some take no programming, and whose conductance time changes.

    - A share is dead (0 S: an open cell), shares are stuck at the least or the largest conductance. Of the ReRAM arrays of
      Gong, Rasch et al. 2022 (IEDM, ieeexplore 10019569) 10 to 14 % were stuck.
    - Drift: g(t) = g(0)·((t + t₀)/t₀)^−ν, t since the device was programmed last. For phase-change memory t₀ = 20 s and ν is
      0.05 to 0.1, larger for smaller conductances, with a deviation from device to device of 0.008 to 0.045 (Nandakumar et
      al. 2019, ICECS, ieeexplore 8964852, as aihwkit's `PCMLikeNoiseModel` has it).
    - Retention: g relaxes to a level as e^(−t/τ).
    - Endurance: after so many programmings, lognormal about a median, a device stays where it is.

    A programming is an update that moves the device. `update_time` passes at each update, `idle_time` after the first
    programming, before anything else.
    """

    device: Device = dataclasses.field(default_factory=Ideal)
    stuck_low: float = eqx.field(static=True, default=0.0)
    """Share of devices at the least conductance."""
    stuck_high: float = eqx.field(static=True, default=0.0)
    """Share at the largest."""
    dead: float = eqx.field(static=True, default=0.0)
    """Share at 0 S."""
    drift: float = eqx.field(static=True, default=0.0)
    """Mean ν."""
    drift_spread: float = eqx.field(static=True, default=0.0)
    """Deviation of ν from device to device."""
    drift_start: float = eqx.field(static=True, default=20.0)
    """t₀ [s]."""
    retention_time: float = eqx.field(static=True, default=0.0)
    """τ [s]; 0 for no relaxation."""
    retention_level: float = eqx.field(static=True, default=0.0)
    """The level, as a share of the window."""
    endurance: float = eqx.field(static=True, default=0.0)
    """Median number of programmings; 0 for no limit."""
    endurance_spread: float = eqx.field(static=True, default=0.0)
    """Deviation of its logarithm."""
    update_time: float = eqx.field(static=True, default=1e-3)
    """Between two updates [s]."""
    idle_time: float = eqx.field(static=True, default=0.0)
    """After the first programming [s]."""
    level: float = eqx.field(static=True, default=0.0)
    """That of retention [S], once drawn."""
    fixed: Array | None = None
    """Where stuck and dead devices are [S], −1 for the others; None where there are none, as for the next ones."""
    lives: Array | None = None
    """Programmings left."""
    exponent: Array | None = None
    """ν."""
    programmed_at: Array | None = None
    """Conductance when it was programmed last [S]."""
    age: Array | None = None
    """Time since [s]."""

    def __check_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata.get("static") and not 0 <= value < float("inf"):
                raise InputError(f"{field.name} {value}: must be at least 0 and finite")
        if self.dead + self.stuck_low + self.stuck_high > 1:
            raise InputError("dead, stuck_low, stuck_high: shares of devices, 1 together at the most")
        if not self.drift_start > 0:
            raise InputError(f"drift_start {self.drift_start}: must be positive")
        if self.retention_level > 1:
            raise InputError(f"retention_level {self.retention_level}: a share of the window, 1 at the most")
        noise = isinstance(self.device, PulsedDevice) and self.device.write_noise_std
        if noise and (self.drift or self.drift_spread or self.retention_time):
            raise InputError(
                f"write_noise_std {noise}: the device reads other than it is programmed; without that, it may drift or relax"
            )

    def placed(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """The device's own first conductances after the idle time, and who is stuck, wears out and drifts how."""
        conductance, device = self.device.placed(resistors, key)
        shape, dtype = conductance.shape, conductance.dtype
        keys = jax.random.split(jax.random.fold_in(key, 1), 3)
        made: Any = dataclasses.replace(self, device=device)
        if self.stuck_high or self.retention_time:
            least, largest = finite_window(type(self.device).__name__, resistors)
            made = dataclasses.replace(made, level=least + self.retention_level * (largest - least))
        if self.dead or self.stuck_low or self.stuck_high:
            drawn, fixed = jax.random.uniform(keys[0], shape), -jnp.ones(shape, dtype)
            high = self.stuck_high + self.stuck_low + self.dead
            for share, at in ((high, resistors.upper), (self.stuck_low + self.dead, resistors.lower), (self.dead, 0.0)):
                fixed = jnp.where(drawn < share, at, fixed)
            made = dataclasses.replace(made, fixed=fixed)
        if self.endurance:
            spread = jnp.exp(self.endurance_spread * jax.random.normal(keys[1], shape))
            made = dataclasses.replace(
                made, lives=jnp.round(jnp.minimum(self.endurance * spread, 2e9)).astype(jnp.int32)
            )
        if self.drift or self.drift_spread:
            exponent = jnp.abs(self.drift + self.drift_spread * jax.random.normal(keys[2], shape, dtype))
            made = dataclasses.replace(made, exponent=exponent, programmed_at=conductance, age=jnp.zeros(shape, dtype))
        return made._later(conductance, jnp.zeros(shape, bool), self.idle_time)

    def drawn(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """As `placed`."""
        return self.placed(resistors, key)

    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """The device's own."""
        return self.device.program(conductance, change, key)

    def reprogrammed(self, resistors: ProgrammableResistor, change: Array, key: Array) -> tuple[Array, Self]:
        """The device's own programming of those that take it, and what the time of an update makes of all."""
        before = resistors.conductance
        new, device = self.device.reprogrammed(resistors, change, key)
        moved = new != before
        made: Any = dataclasses.replace(self, device=device)
        if self.lives is not None:
            moved &= self.lives > 0
            new = jnp.where(moved, new, before)
            made = dataclasses.replace(made, lives=self.lives - moved)
        return made._later(new, moved, self.update_time)

    def _later(self, conductance: Array, moved: Array, time: float) -> tuple[Array, Self]:
        """After a time, those programmed that moved."""
        made: Any = self
        if self.exponent is not None:
            assert self.programmed_at is not None and self.age is not None
            base, age = jnp.where(moved, conductance, self.programmed_at), jnp.where(moved, 0.0, self.age) + time
            made = dataclasses.replace(self, programmed_at=base, age=age)
            conductance = base * (1.0 + age / self.drift_start) ** -self.exponent
        if self.retention_time:
            left = jnp.exp(jnp.asarray(-time / self.retention_time, conductance.dtype))
            conductance = self.level + (conductance - self.level) * left
        if self.fixed is not None:
            conductance = jnp.where(self.fixed >= 0, self.fixed, conductance)
        return conductance, made
