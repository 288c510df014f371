"""Equilibrium propagation: the gradient of the cost from two or three steady states.

∂C/∂θ = lim 1/β [∂E/∂θ(β) − ∂E/∂θ(0)] for every parameter θ of the energy E (Scellier and Bengio 2017). For a conductance
the difference is ½(Δv^β)² − ½(Δv^0)² (Kendall et al. 2020, theorem 2): local to the resistor. The centred variant takes the
difference of a positively and a negatively nudged phase and has a bias of O(β²) instead of O(β) (Laborieux et al. 2021).
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.gradient import Gradient, energy_slope
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.networks import LayeredNetwork
from mho.steady import load, settle

Variant = Literal["positive", "negative", "random-sign", "centred"]
Nudging = Literal["energy", "held"]


def check_settings(variant: str, nudging: str, beta: float) -> None:
    """Refuse settings with which there is no gradient.

    Raises:
        InputError: for β that is not positive and finite, an unknown variant or an unknown nudging.
    """
    if not (beta > 0 and beta < float("inf")):
        raise InputError(f"nudging factor β = {beta}: must be positive and finite (its sign is the variant's)")
    for name, value, known in (("variant", variant, Variant), ("nudging", nudging, Nudging)):
        if value not in get_args(known):
            raise InputError(f"{name} {value!r}: must be one of {', '.join(get_args(known))}")


def equilibrium_propagation(
    network: LayeredNetwork,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    beta: float,
    variant: Variant = "centred",
    nudging: Nudging = "energy",
    trained: tuple[str, ...] = ("conductance", "bias"),
    rtol: float = 1e-5,
    max_sweeps: int = 1000,
    key: Array | None = None,
) -> Gradient:
    """Gradient of a batch's mean cost by equilibrium propagation.

    Args:
        network: the network.
        inputs: (batch, features).
        targets: (batch, classes).
        cost: the cost of a sample.
        beta: nudging factor β > 0 [S, for a squared error].
        variant: one-sided with β or −β, one-sided with the sign drawn for each sample, or centred.
        nudging: "held" current sources or the cost itself in the "energy"; see `mho.learning.nudging`.
        trained: kinds of parameters to differentiate by; see `mho.learning.gradient.PARAMETERS`.
        rtol: tolerance of the steady states' residual.
        max_sweeps: sweeps at the most for each phase.
        key: JAX random key for the random sign.

    Raises:
        InputError: see `check_settings`; or no key for the random sign.
    """
    check_settings(variant, nudging, beta)
    batch = inputs.shape[0]
    driven = load(network, inputs)
    free = settle(network, driven, rtol=rtol, max_sweeps=max_sweeps)
    prediction = network.prediction(free.voltages)

    sign = jnp.ones((batch, 1), driven.input_current.dtype)
    if variant == "negative":
        sign = -sign
    elif variant == "random-sign":
        if key is None:
            raise InputError("the random-sign variant needs a random key")
        sign = jax.random.rademacher(key, (batch, 1), sign.dtype)
    # The centred variant's two nudged phases settle as one batch of twice the size.
    times = 2 if variant == "centred" else 1
    strength = beta * (jnp.concatenate([sign, -sign]) if times == 2 else sign)

    def again(x: Array) -> Array:
        return jnp.concatenate([x] * times)

    if nudging == "held":
        nudge = held_nudge(cost, strength, again(prediction), again(targets), network.paired_outputs)
    else:
        nudge = EnergyNudge(cost, strength, again(targets), network.paired_outputs)
    nudged = settle(
        network,
        driven.repeated(times),
        nudge=nudge,
        start=tuple(again(v) for v in free.voltages),
        rtol=rtol,
        max_sweeps=max_sweeps,
    )
    here = tuple(v[:batch] for v in nudged.voltages)
    there = tuple(v[batch:] for v in nudged.voltages) if times == 2 else free.voltages
    weight = sign / (times * beta * batch)

    def difference(varied: LayeredNetwork) -> Array:
        change = varied.energy(driven.sources, here) - varied.energy(driven.sources, there)
        return jnp.sum(weight[:, 0] * change)

    slope = energy_slope(
        network,
        trained,
        driven.sources,
        tuple(0.5 * (a + b) for a, b in zip(here, there, strict=True)),
        tuple(weight * (a - b) for a, b in zip(here, there, strict=True)),
        difference,
    )
    residual = jnp.concatenate([free.residual, nudged.residual])
    return Gradient(
        by_parameter=slope,
        cost=jnp.mean(cost.value(prediction, targets)),
        prediction=prediction,
        residual=jnp.max(residual),
        unconverged=jnp.sum(~(residual <= rtol)),
        sweeps=free.sweeps + nudged.sweeps,
    )
