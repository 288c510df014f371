"""What every learning rule here returns, and the local products that it is made of."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.elements import TwoTerminal
from mho.errors import InputError
from mho.learning.circuit_slope import CIRCUIT_PARAMETERS, circuit_slope, trained_branches
from mho.networks import Circuit, LayeredNetwork, Voltages
from mho.steady import Network
from mho.steady.dense_newton import output_weight

PARAMETERS = ("conductance", "bias", "element", "gain")
"""What can be trained of a layered network: conductances, bias currents, parameters of the nodes' elements, amplifier gains.

Not the elements' polarities: which way round a diode stands is wiring, +1 or −1.
"""

Energy = Callable[[Any], Array]


class Phase(eqx.Module):
    """Where a batch came to rest in one phase or several, as `mho.steady.kirchhoff_residual` judges it."""

    sources: Array
    """Voltages [V], (samples, sources)."""
    voltages: Any
    """Of the nodes [V]."""
    nudge: TwoTerminal | None = None
    """What is attached to the outputs."""
    deviation: Any = None
    """Of the nodes' voltages from those above [V]; None for none."""


class Gradient(eqx.Module):
    """A batch's gradient, and what was measured on the way."""

    by_parameter: Any
    """∂C/∂θ of the batch's mean cost in a network's structure; None in place of what is not trained."""
    cost: Array
    """Mean cost of the free phase."""
    prediction: Array
    """Of the free phase [V], (batch, classes)."""
    residual: Array
    """Largest residual of the batch over all phases."""
    unconverged: Array
    """Operating points at which the solver's own measure stayed above the tolerance, over all phases."""
    sweeps: Array
    """Sweeps made, or Newton's steps: by all phases together, or the sum over those settled in turn."""
    phases: tuple[Phase, ...] = ()
    """What it was computed from: of each sample the free phase first, then the nudged or clamped ones."""


def trained_part(network: Network, trained: tuple[str, ...]) -> Any:
    """Which leaves of a network are trained: its structure with True and False, a filter for Equinox.

    Args:
        network: the network.
        trained: kinds of parameters, of `PARAMETERS` or of `mho.learning.circuit_slope.CIRCUIT_PARAMETERS`.

    Raises:
        InputError: for a kind of parameter that the network has not.
    """
    known = CIRCUIT_PARAMETERS if isinstance(network, Circuit) else PARAMETERS
    for kind in trained:
        if kind not in known:
            raise InputError(f"cannot train {kind!r}; what can be trained: {', '.join(known)}")
    marked = trained_branches(network, trained) if isinstance(network, Circuit) else _trained_layers(network, trained)
    return jax.tree_util.tree_map_with_path(lambda path, on: on and getattr(path[-1], "name", "") != "polarity", marked)


def _trained_layers(network: LayeredNetwork, trained: tuple[str, ...]) -> LayeredNetwork:
    frozen = jax.tree.map(lambda _: False, network)

    def mark(kind: str, part: Callable) -> None:
        nonlocal frozen
        if kind in trained and jax.tree.leaves(part(frozen)):
            frozen = eqx.tree_at(part, frozen, replace_fn=lambda _: True)

    mark("conductance", lambda n: jax.tree.leaves([layer.crossbar for layer in n.layers]))
    mark("bias", lambda n: jax.tree.leaves([layer.bias for layer in n.layers]))
    mark("element", lambda n: jax.tree.leaves([layer.element for layer in n.layers]))
    mark("gain", lambda n: jax.tree.leaves([layer.amplifier for layer in n.layers]))
    return frozen


def energy_slope(
    network: Network,
    trained: tuple[str, ...],
    load: Any,
    mean: Any,
    change: Any,
    difference: Energy,
) -> Any:
    """∂/∂θ of the energy's difference between two phases, divided by the outputs' scale.

    Conductances and bias currents by their local products: Σ Δv·δΔv and −Σ δv, with Δv the mean and δ the change (its
    weights included); exact, since their co-contents are quadratic and linear. Other parameters by differentiating
    `difference`, the energy's weighted difference as a function of the network.

    Args:
        network: the network.
        trained: kinds of parameters; see `trained_part`.
        load: its sources, from `mho.steady.load`.
        mean: of the two phases' voltages [V].
        change: from one to the other, weighted.
        difference: see above.

    Raises:
        InputError: see `trained_part`.
    """
    marked = trained_part(network, trained)
    scale = output_weight(network) if isinstance(network, Circuit) else network.scales()[-1]

    def by_differentiation(kinds: tuple[str, ...]) -> Any:
        free, held = eqx.partition(network, trained_part(network, kinds))
        slope = jax.grad(lambda p: difference(eqx.combine(p, held)))(free)
        return jax.tree.map(lambda x: x / scale, slope)

    if isinstance(network, Circuit):
        return circuit_slope(network, trained, mean, change, by_differentiation)
    return _layered_slope(network, trained, eqx.filter(network, marked), load.sources, mean, change, by_differentiation)


def _layered_slope(
    network: LayeredNetwork,
    trained: tuple[str, ...],
    template: LayeredNetwork,
    sources: Array,
    mean: Voltages,
    change: Voltages,
    by_differentiation: Callable[[tuple[str, ...]], LayeredNetwork],
) -> LayeredNetwork:
    scales = network.scales()
    drives = network.drives(sources, mean)
    drive_changes = [None, *network.drives(sources, change)[1:]]
    result = template
    others = tuple(kind for kind in trained if kind in ("element", "gain"))
    if others:
        result = eqx.combine(by_differentiation(others), result)
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
