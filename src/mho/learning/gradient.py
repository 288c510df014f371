"""What every learning rule here returns, and the local products that it is made of."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.errors import InputError
from mho.networks import LayeredNetwork, Voltages

PARAMETERS = ("conductance", "bias", "element", "gain")
"""What can be trained: conductances, bias currents, parameters of the nodes' elements, amplifier gains.

Not the elements' polarities: which way round a diode stands is wiring, +1 or −1.
"""

Energy = Callable[[LayeredNetwork], Array]


class Gradient(eqx.Module):
    """A batch's gradient, and what was measured on the way."""

    by_parameter: LayeredNetwork
    """∂C/∂θ of the batch's mean cost in a network's structure; None in place of what is not trained."""
    cost: Array
    """Mean cost of the free phase."""
    prediction: Array
    """Of the free phase [V], (batch, classes)."""
    residual: Array
    """Largest residual of the batch over all phases."""
    unconverged: Array
    """Operating points above the tolerance, over all phases."""
    sweeps: Array
    """Sweeps made: by all phases together, or the sum over those settled in turn."""


def trained_part(network: LayeredNetwork, trained: tuple[str, ...]) -> LayeredNetwork:
    """Which leaves of a network are trained: its structure with True and False, a filter for Equinox.

    Raises:
        InputError: for an unknown kind of parameter.
    """
    for kind in trained:
        if kind not in PARAMETERS:
            raise InputError(f"cannot train {kind!r}; what can be trained: {', '.join(PARAMETERS)}")
    frozen = jax.tree.map(lambda _: False, network)

    def mark(kind: str, part: Callable) -> None:
        nonlocal frozen
        if kind in trained and jax.tree.leaves(part(frozen)):
            frozen = eqx.tree_at(part, frozen, replace_fn=lambda _: True)

    mark("conductance", lambda n: jax.tree.leaves([layer.crossbar for layer in n.layers]))
    mark("bias", lambda n: jax.tree.leaves([layer.bias for layer in n.layers]))
    mark("element", lambda n: jax.tree.leaves([layer.element for layer in n.layers]))
    mark("gain", lambda n: jax.tree.leaves([layer.amplifier for layer in n.layers]))
    return jax.tree_util.tree_map_with_path(lambda path, on: on and getattr(path[-1], "name", "") != "polarity", frozen)


def energy_slope(
    network: LayeredNetwork,
    trained: tuple[str, ...],
    sources: Array,
    mean: Voltages,
    change: Voltages,
    difference: Energy,
) -> LayeredNetwork:
    """∂/∂θ of the energy's difference between two phases, divided by the output layer's scale.

    Conductances and bias currents by their local products: Σ Δv·δΔv and −Σ δv, with Δv the mean and δ the change (its
    weights included); exact, since their co-contents are quadratic and linear. Other parameters by differentiating
    `difference`, the energy's weighted difference as a function of the network.
    """
    scales = network.scales()
    template = eqx.filter(network, trained_part(network, trained))
    drives = network.drives(sources, mean)
    drive_changes = [None, *network.drives(sources, change)[1:]]
    result = template
    others = tuple(kind for kind in trained if kind in ("element", "gain"))
    if others:
        free, held = eqx.partition(network, trained_part(network, others))
        slope = jax.grad(lambda p: difference(eqx.combine(p, held)))(free)
        slope = jax.tree.map(lambda x: x / scales[-1], slope)
        result = eqx.combine(slope, result)
    for index in range(len(network.layers)):
        # One scale for both: equal layers' ratio is 1, and XLA drops the product.
        scale = scales[index] / scales[-1]
        weighted = change[index] * scale
        if "conductance" in trained:
            behind = drive_changes[index]
            product = network.layers[index].crossbar.drop_product(
                drives[index], mean[index], None if behind is None else behind * scale, weighted
            )
            result = eqx.tree_at(lambda n, i=index: n.layers[i].crossbar, result, product)
        if "bias" in trained and network.layers[index].bias is not None:
            result = eqx.tree_at(lambda n, i=index: n.layers[i].bias.injected, result, -jnp.sum(weighted, 0))
    return result
