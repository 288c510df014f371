"""How node voltages are read for an update: with noise, averaged over reads, in steps of a converter.

A chip learns from voltages that it measures in each phase and holds: v_read = v + ξ·√(σ² + (r·v)²)/√n, ξ standard
normal, drawn for every node, sample and phase; then rounded to a multiple of the converter's step. All resistors at a
node see the same reading. Sources are known, and the cost is that of the true voltages. Noise of about 5e-5 of the
voltages is where equilibrium propagation is reported to break, less by 1/√n with n reads (arXiv:2503.22810).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.errors import InputError


class Readout(eqx.Module):
    """Settings of a read-out; exact by default.

    Raises:
        InputError: for a negative or infinite noise or step, or fewer than one read.
    """

    noise: float = eqx.field(default=0.0, static=True)
    """Standard deviation σ of a read [V]."""
    relative_noise: float = eqx.field(default=0.0, static=True)
    """The same, r, relative to the voltage."""
    reads: int = eqx.field(default=1, static=True)
    """Reads n that are averaged."""
    step: float = eqx.field(default=0.0, static=True)
    """Of the converter [V]; 0 for none."""

    def __check_init__(self) -> None:
        for name in ("noise", "relative_noise", "step"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"read-out's {name} {getattr(self, name)}: must be at least 0 and finite")
        if self.reads < 1:
            raise InputError(f"read-out's reads {self.reads}: must be at least 1")

    @property
    def exact(self) -> bool:
        """Whether it reads what is there."""
        return not (self.noise or self.relative_noise or self.step)

    def read(self, deviations: Any, rest: Any, key: Array | None, phase: int = 0) -> Any:
        """What is read of node voltages `rest` + `deviations` [V], as deviations from `rest` again; None is 0 V.

        Each `phase` of one key has noise of its own.

        Raises:
            InputError: if there is noise and no random key.
        """
        if self.exact:
            return deviations
        leaves, structure = jax.tree.flatten(deviations)
        rests = [jnp.zeros(())] * len(leaves) if rest is None else jax.tree.leaves(rest)
        keys: list[Any] = [None] * len(leaves)
        if self.noise or self.relative_noise:
            if key is None:
                raise InputError("a read-out with noise needs a random key")
            # The rule draws from the key itself.
            keys = list(jax.random.split(jax.random.fold_in(key, 2 + phase), len(leaves)))
        return jax.tree.unflatten(structure, map(self._read, leaves, rests, keys))

    def _read(self, deviation: Array, rest: Array, key: Array | None) -> Array:
        if key is not None:
            spread = self.noise
            if self.relative_noise:
                spread = jnp.sqrt(self.noise**2 + (self.relative_noise * (rest + deviation)) ** 2)
            normal = jax.random.normal(key, deviation.shape, deviation.dtype)
            deviation = deviation + spread * normal / math.sqrt(self.reads)
        if self.step:
            deviation = self.step * jnp.round((rest + deviation) / self.step) - rest
        return deviation
