"""Coupled learning: the free state against one in which the outputs are held a little nearer to their targets.

Source: Stern, Hexner, Rocks and Liu 2021, "Supervised learning in physical networks: from machine learning to learning
machines", Phys. Rev. X 11, 021045 (arXiv:2011.00098).
"""

import jax
import jax.numpy as jnp
from jax import Array

from mho.errors import InputError
from mho.learning.cost import SquaredError
from mho.learning.gradient import Gradient, Phase, energy_slope
from mho.steady import Clamp, Network, load, settle


def clamp_towards(prediction: Array, target: Array, eta: float, paired: bool) -> Clamp:
    """Sources that hold the outputs at v_free + η·(target − v_free), (batch, outputs)."""
    return Clamp(prediction + eta * (target - prediction), paired)


def coupled_learning(
    network: Network,
    inputs: Array,
    targets: Array,
    *,
    eta: float,
    trained: tuple[str, ...] = ("conductance",),
    rtol: float = 1e-5,
    max_sweeps: int = 1000,
) -> Gradient:
    """Descent direction of coupled learning: (1/η) [∂E/∂θ(clamped) − ∂E/∂θ(free)], averaged over the batch.

    In the clamped phase sources hold the outputs at v_free + η·(target − v_free). For a conductance it is
    (1/η)·½[(Δv_clamped)² − (Δv_free)²]; a step of −γ times it is the paper's rule (its equation 8). As η → 0 it tends
    to the gradient of ½ (v − y)ᵀ R⁻¹ (v − y) at fixed R, the outputs' resistance matrix: a contrast, not the squared
    error's gradient. The `cost` reported is the squared error ½ Σ (v − y)².

    Args:
        network: the network.
        inputs: (batch, features).
        targets: (batch, outputs) [V].
        eta: η, in (0, 1].
        trained: kinds of parameters; see `mho.learning.gradient.trained_part`.
        rtol: tolerance of the steady states' residual; see `mho.steady`.
        max_sweeps: sweeps, or Newton's steps, at the most for each phase.

    Raises:
        InputError: for an η outside (0, 1], or a kind of parameter that the network has not.
    """
    if not 0 < eta <= 1:
        raise InputError(f"clamping amplitude η = {eta}: must be above 0 and at most 1")
    driven = load(network, inputs)
    free = settle(network, driven, rtol=rtol, max_sweeps=max_sweeps)
    prediction = network.prediction(free.voltages)
    clamp = clamp_towards(prediction, targets, eta, network.paired_outputs)
    clamped = settle(network, driven, nudge=clamp, start=free.start, rtol=rtol, max_sweeps=max_sweeps)
    weight = 1.0 / (eta * inputs.shape[0])

    def difference(varied: Network) -> Array:
        change = driven.energy(varied, clamped.voltages) - driven.energy(varied, free.voltages)
        return weight * jnp.sum(change)

    slope = energy_slope(
        network,
        trained,
        driven,
        jax.tree.map(lambda a, b: 0.5 * (a + b), clamped.voltages, free.voltages),
        jax.tree.map(lambda a, b: weight * (a - b), clamped.voltages, free.voltages),
        difference,
    )
    residual = jnp.concatenate([free.residual, clamped.residual])
    return Gradient(
        by_parameter=slope,
        cost=jnp.mean(SquaredError().value(prediction, targets)),
        prediction=prediction,
        residual=jnp.max(residual),
        unconverged=jnp.sum(~(residual <= rtol)),
        sweeps=free.sweeps + clamped.sweeps,
        phases=(Phase(driven.sources, free.voltages), Phase(driven.sources, clamped.voltages, clamp)),
    )
