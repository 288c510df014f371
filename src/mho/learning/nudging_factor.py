"""The nudging factor by a network's measured response: large enough against rounding and noise, small enough for the bias.

In units ρ of the largest factor that leaves −β a state (`EquilibriumPropagation.share`), the phases' voltages differ by
d·ρ, d measured at a trial; each is known to ν, from rounding, where the solver stops, and the read-out. The gradient is
then off by about ρ^n from the bias, n = 2 for the centred variant and 1 for others, and by √2·ν/(m·d·ρ) from the noise,
m = 2 or 1 being the phases nudged. The sum of both is least at ρ = (√2·ν/(n·m·d))^(1/(n + 1)). The layer with the largest
ν/d decides.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array

from mho.learning.equilibrium_propagation import EquilibriumPropagation
from mho.networks import Network

_TRIAL = 0.1
_LEAST, _LARGEST = 0.01, 0.5
"""Shares of the limit between which a factor is chosen: the bias is 1e-4 and a quarter."""


def suited_beta(rule: EquilibriumPropagation, network: Network, inputs: Array, targets: Array) -> Array:
    """The nudging factor that suits a network as it is.

    Args:
        rule: with any factor; its limit must be known.
        network: the network.
        inputs: of some samples, (samples, features).
        targets: theirs, (samples, outputs).
    """
    unit = dataclasses.replace(rule, beta=1.0).share(network)
    assert unit is not None
    trial = dataclasses.replace(rule, beta=_TRIAL / unit)
    phases = trial.settled(network, inputs, targets)
    # Deviations from the free phase have digits of their own; phases in turn are as precise as where their solver stops.
    whole = phases.rest is None
    solved = 0.1 * rule.solver.rtol if whole and len(phases.settled) > 1 else 0.0
    read, nudged = rule.readout, 2 if rule.variant == "centred" else 1

    def ratio(free: Array, here: Array, there: Array) -> Array:
        size, response = _root_mean_square(free), _root_mean_square(here - there) / (nudged * _TRIAL)
        known = size if whole else response
        square = (jnp.maximum(jnp.finfo(free.dtype).eps, solved) * known) ** 2 + read.step**2 / 12.0
        square += (read.noise**2 + (read.relative_noise * size) ** 2) / read.reads
        return jnp.sqrt(square) / jnp.maximum(response, jnp.finfo(free.dtype).tiny)

    worst = jnp.max(jnp.stack(jax.tree.leaves(jax.tree.map(ratio, phases.free, phases.here, phases.there))))
    share = (2.0**0.5 * worst / nudged**2) ** (1.0 / (nudged + 1))
    return jnp.clip(share, _LEAST, _LARGEST) / unit


def _root_mean_square(values: Array) -> Array:
    return jnp.sqrt(jnp.mean(values**2))
