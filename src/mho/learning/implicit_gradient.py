"""The exact gradient, by implicit differentiation of the steady state: the referee of equilibrium propagation.

At a steady state ∂E/∂v = 0, so dC/dθ = −∂C/∂vᵀ (∂²E/∂v²)⁻¹ ∂²E/∂v∂θ. With ζ the linear response of the node voltages to
currents −∂C/∂v at the outputs, that is ζᵀ ∂²E/∂v∂θ: equilibrium propagation in the limit of small β.
"""

import jax
import jax.numpy as jnp
from jax import Array

from mho.learning.cost import Cost
from mho.learning.gradient import Gradient, Phase, energy_slope, trained_part
from mho.learning.nudging import at_outputs
from mho.steady import Network, linear_response, load, settle


def implicit_gradient(
    network: Network,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    trained: tuple[str, ...] = ("conductance", "bias"),
    rtol: float = 1e-5,
    max_sweeps: int = 1000,
) -> Gradient:
    """Gradient of a batch's mean cost by implicit differentiation.

    Args:
        network: the network.
        inputs: (batch, features).
        targets: (batch, outputs).
        cost: the cost of a sample.
        trained: kinds of parameters to differentiate by; see `mho.learning.gradient.trained_part`.
        rtol: tolerance of the residuals of the steady state and of its linear response.
        max_sweeps: sweeps, or Newton's steps, at the most for each of the two.
    """
    trained_part(network, trained)  # refuses what cannot be trained before the work
    driven = load(network, inputs)
    free = settle(network, driven, rtol=rtol, max_sweeps=max_sweeps)
    prediction = network.prediction(free.voltages)
    pull = -at_outputs(cost.gradient(prediction, targets), network.paired_outputs)
    response = linear_response(network, driven, free.voltages, pull, rtol=rtol, max_sweeps=max_sweeps)
    change = jax.tree.map(lambda v: v / inputs.shape[0], response.voltages)

    def difference(varied: Network) -> Array:
        energies = jax.jvp(lambda v: driven.energy(varied, v), (free.voltages,), (change,))[1]
        return jnp.sum(energies)

    slope = energy_slope(network, trained, driven, free.voltages, change, difference)
    residual = jnp.concatenate([free.residual, response.residual])
    return Gradient(
        by_parameter=slope,
        cost=jnp.mean(cost.value(prediction, targets)),
        prediction=prediction,
        residual=jnp.max(residual),
        unconverged=jnp.sum(~(residual <= rtol)),
        sweeps=free.sweeps + response.sweeps,
        phases=(Phase(driven.sources, free.voltages),),
    )
