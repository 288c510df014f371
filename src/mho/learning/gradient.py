"""What every learning rule here returns, and the local products that it is made of."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax import Array

from mho.errors import InputError
from mho.networks import Network
from mho.steady import Attached

Energy = Callable[[Any], Array]


class Phase(eqx.Module):
    """Where a batch came to rest in one phase or several, as `mho.steady.kirchhoff_residual` judges it."""

    sources: Array
    """Voltages [V], (samples, sources)."""
    voltages: Any
    """Of the nodes [V]."""
    attached: Attached | None = None
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
    steps: Array
    """Sweeps made, or Newton's steps: by all phases together, or the sum over those settled in turn."""
    phases: tuple[Phase, ...] = ()
    """What it was computed from: of each sample the free phase first, then the nudged or clamped ones."""


def trained_part(network: Network, trained: tuple[str, ...]) -> Any:
    """Which leaves of a network are trained: its structure with True and False, a filter for Equinox.

    Args:
        network: the network.
        trained: kinds of parameters, of `network.parameters`.

    Raises:
        InputError: for a kind of parameter that the network has not.
    """
    for kind in trained:
        if kind not in network.parameters:
            raise InputError(f"cannot train {kind!r}; what can be trained: {', '.join(network.parameters)}")
    return network.marked(trained)


def energy_gradient(
    network: Network,
    trained: tuple[str, ...],
    drive: Any,
    mean: Any,
    change: Any,
    difference: Energy,
    *,
    local: bool = True,
) -> Any:
    """∂/∂θ of the energy's difference between two phases, divided by the outputs' weight.

    By local products where a kind of parameter has them (`Network.local_gradient`); others by differentiating `difference`,
    the energy's weighted difference as a function of the network.

    Args:
        network: the network.
        trained: kinds of parameters; see `trained_part`.
        drive: its sources.
        mean: of the two phases' node voltages [V].
        change: from one to the other, weighted.
        difference: see above.
        local: whether local products may be taken.

    Returns:
        The network's structure, None in place of what is not trained.

    Raises:
        InputError: see `trained_part`.
    """
    trained_part(network, trained)
    near = tuple(kind for kind in trained if local and kind in network.local_parameters)
    products = network.local_gradient(near, drive, mean, change)
    others = tuple(kind for kind in trained if kind not in near)
    if not others:
        return products
    weight = network.output_weight
    free, held = eqx.partition(network, trained_part(network, others))
    slope = jax.grad(lambda p: difference(eqx.combine(p, held)))(free)
    return eqx.combine(products, jax.tree.map(lambda x: x / weight, slope))
