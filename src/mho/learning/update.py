"""Updates: a step against the gradient, every parameter kept within what its device can be."""

from collections.abc import Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax

from mho.elements import ProgrammableResistor
from mho.errors import InputError

Network = TypeVar("Network")

OPTIMIZERS = {
    "sgd": optax.identity,
    "momentum": lambda: optax.trace(decay=0.9),
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
}
"""Optax transformations by name, each before its learning rate."""


def scale_by_layer(rates: Sequence[float]) -> optax.GradientTransformation:
    """Multiply each layer's updates by its own rate."""

    def scale(updates: Any, _: Any = None) -> Any:
        layers = tuple(
            jax.tree.map(lambda u, r=rate: u * r, layer) for rate, layer in zip(rates, updates.layers, strict=True)
        )
        return eqx.tree_at(lambda n: n.layers, updates, layers)

    return optax.stateless(scale)


def optimizer(
    name: str, rates: Sequence[float] | float, *, decay: float = 1.0, steps_per_epoch: int = 1
) -> optax.GradientTransformation:
    """An optimizer with one learning rate a layer, or one for all, multiplied by `decay` after each epoch.

    Raises:
        InputError: for an unknown name or a rate that is not positive.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer {name!r}: must be one of {', '.join(OPTIMIZERS)}")
    one = isinstance(rates, int | float)
    for rate in [rates] if one else rates:
        if not rate > 0:
            raise InputError(f"learning rate {rate}: must be positive")
    step = optax.scale(-rates) if one else scale_by_layer([-rate for rate in rates])
    stages = [OPTIMIZERS[name](), step]
    if decay != 1.0:

        def decayed(steps: Any) -> Any:
            count = jnp.asarray(steps)
            return decay ** lax.div(count, jnp.asarray(steps_per_epoch, count.dtype))

        stages.append(optax.scale_by_schedule(decayed))
    return optax.chain(*stages)


def _restricted(x: Any) -> bool:
    return isinstance(x, ProgrammableResistor) or bool(getattr(type(x), "domain", None))


def coordinate_slope(network: Network, slope: Network) -> Network:
    """A gradient by the coordinates that an optimizer moves: ∂C/∂(ln θ) = θ·∂C/∂θ where θ is positive by its domain.

    Such parameters, a diode's saturation current say, span decades: a step that suits one is of no use to another. In the
    logarithm a step is relative, and θ stays positive.

    Args:
        network: the network, layered or a circuit.
        slope: ∂C/∂θ in its structure, None in place of what is not trained.
    """

    def converted(part: Any, slope: Any) -> Any:
        if not _restricted(part) or isinstance(part, ProgrammableResistor):
            return slope
        for name, (least, _) in part.domain.items():
            by_parameter = getattr(slope, name)
            if least > 0 and by_parameter is not None:
                slope = eqx.tree_at(lambda e, n=name: getattr(e, n), slope, getattr(part, name) * by_parameter)
        return slope

    return jax.tree.map(converted, network, slope, is_leaf=_restricted)


def apply_updates(network: Network, updates: Network) -> Network:
    """Move a network's parameters by updates of their coordinates (see `coordinate_slope`).

    Conductances that would leave their devices' bounds stop there, other parameters at the ends of their elements' domains.
    """

    def moved(part: Any, step: Any) -> Any:
        if not _restricted(part):
            return part if step is None else part + step
        new = eqx.apply_updates(part, step)
        if isinstance(part, ProgrammableResistor):
            # The bounds are those of devices that are programmed: what is not trained may stand anywhere.
            still = step.conductance is None
            return part if still else eqx.tree_at(lambda r: r.conductance, new, part.within_bounds(new.conductance))
        for name, (least, largest) in part.domain.items():
            change = getattr(step, name)
            if change is None:
                continue
            value = getattr(part, name)
            value = value * jnp.exp(change) if least > 0 else value + change
            new = eqx.tree_at(lambda e, n=name: getattr(e, n), new, jnp.clip(value, least, largest))
        return new

    return jax.tree.map(moved, network, updates, is_leaf=_restricted)
