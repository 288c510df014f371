"""Equilibrium propagation: the gradient of the cost from two or three steady states.

∂C/∂θ = lim 1/β [∂E/∂θ(β) − ∂E/∂θ(0)] for every parameter θ of the energy E (Scellier and Bengio 2017). For a conductance
the difference is ½(Δv^β)² − ½(Δv^0)² (Kendall et al. 2020, theorem 2): local to the resistor. The centred variant takes the
difference of a positively and a negatively nudged phase and has a bias of O(β²) instead of O(β) (Laborieux et al. 2021).
"""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.gradient import Gradient, energy_slope
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.networks import LayeredNetwork
from mho.steady import Network, Settle, load, settles_by_mean_field
from mho.steady import settle as settle_by_kind

Variant = Literal["positive", "negative", "random-sign", "centred"]
Nudging = Literal["energy", "held"]


def check_settings(variant: str, nudging: str, beta: float | Array) -> None:
    """Refuse settings with which there is no gradient; a traced β cannot be looked at.

    Raises:
        InputError: for β that is not positive and finite, an unknown variant or an unknown nudging.
    """
    if not isinstance(beta, Tracer) and not (beta > 0 and beta < float("inf")):
        raise InputError(f"nudging factor β = {beta}: must be positive and finite (its sign is the variant's)")
    for name, value, known in (("variant", variant, Variant), ("nudging", nudging, Nudging)):
        if value not in get_args(known):
            raise InputError(f"{name} {value!r}: must be one of {', '.join(get_args(known))}")


def equilibrium_propagation(
    network: Network,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    beta: float | Array,
    variant: Variant = "centred",
    nudging: Nudging = "energy",
    trained: tuple[str, ...] = ("conductance", "bias"),
    rtol: float = 1e-5,
    max_sweeps: int = 1000,
    key: Array | None = None,
    settle: Settle = settle_by_kind,
) -> Gradient:
    """Gradient of a batch's mean cost by equilibrium propagation.

    Args:
        network: the network.
        inputs: (batch, features).
        targets: (batch, outputs).
        cost: the cost of a sample.
        beta: nudging factor β > 0 [S, for a squared error].
        variant: one-sided with β or −β, one-sided with the sign drawn for each sample, or centred.
        nudging: "held" current sources or the cost itself in the "energy"; see `mho.learning.nudging`.
        trained: kinds of parameters to differentiate by; see `mho.learning.gradient.trained_part`.
        rtol: tolerance of the steady states' residual.
        max_sweeps: sweeps, or Newton's steps, at the most for each phase.
        key: JAX random key for the random sign.
        settle: what finds the steady states.

    Raises:
        InputError: see `check_settings`; or no key for the random sign.
    """
    check_settings(variant, nudging, beta)
    batch = inputs.shape[0]
    driven = load(network, inputs)
    sign = jnp.ones((batch, 1), driven.sources.dtype)
    if variant == "negative":
        sign = -sign
    elif variant == "random-sign":
        if key is None:
            raise InputError("the random-sign variant needs a random key")
        sign = jax.random.rademacher(key, (batch, 1), sign.dtype)
    times = 2 if variant == "centred" else 1
    strength = beta * (jnp.concatenate([sign, -sign]) if times == 2 else sign)
    paired = network.paired_outputs

    def copies(x: Array, count: int) -> Array:
        return jnp.concatenate([x] * count)

    free: Any
    layered = isinstance(network, LayeredNetwork)
    # A deep network's free phase is the better part of the way to the others; of a centred pair that begin there, what is
    # left of the free phase's error cancels in the difference.
    in_turn = layered and variant == "centred" and settles_by_mean_field(network, batch)
    if nudging == "energy" and layered and not in_turn:
        # No phase needs another's result, so all settle as one batch: each sweep passes over the conductances once.
        nudge = EnergyNudge(cost, jnp.concatenate([0 * sign, strength]), copies(targets, 1 + times), paired)
        point = settle(network, driven.repeated(1 + times), nudge=nudge, rtol=rtol, max_sweeps=max_sweeps)
        free = tuple(v[:batch] for v in point.voltages)
        nudged = tuple(v[batch:] for v in point.voltages)
        residual, sweeps = point.residual, point.sweeps
    else:
        first = settle(network, driven, rtol=rtol, max_sweeps=max_sweeps)
        free = first.voltages
        if nudging == "energy":
            # Newton's method has but a step or two to go from the free phase.
            nudge = EnergyNudge(cost, strength, copies(targets, times), paired)
        else:
            nudge = held_nudge(cost, strength, copies(network.prediction(free), times), copies(targets, times), paired)
        second = settle(
            network,
            driven.repeated(times),
            nudge=nudge,
            start=jax.tree.map(lambda v: copies(v, times), first.start),
            rtol=rtol,
            max_sweeps=max_sweeps,
        )
        nudged = second.voltages
        residual = jnp.concatenate([first.residual, second.residual])
        sweeps = first.sweeps + second.sweeps
    here = jax.tree.map(lambda v: v[:batch], nudged)
    there = jax.tree.map(lambda v: v[batch:], nudged) if times == 2 else free
    prediction = network.prediction(free)
    weight = sign / (times * beta * batch)

    def difference(varied: Network) -> Array:
        change = driven.energy(varied, here) - driven.energy(varied, there)
        return jnp.sum(weight[:, 0] * change)

    slope = energy_slope(
        network,
        trained,
        driven,
        jax.tree.map(lambda a, b: 0.5 * (a + b), here, there),
        jax.tree.map(lambda a, b: weight * (a - b), here, there),
        difference,
    )
    return Gradient(
        by_parameter=slope,
        cost=jnp.mean(cost.value(prediction, targets)),
        prediction=prediction,
        residual=jnp.max(residual),
        unconverged=jnp.sum(~(residual <= rtol)),
        sweeps=sweeps,
    )
