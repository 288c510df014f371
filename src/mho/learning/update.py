"""Updates: a step against the gradient, conductances kept within their devices' bounds."""

from collections.abc import Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from mho.elements import ProgrammableResistor
from mho.errors import InputError

N = TypeVar("N")

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
        stages.append(optax.scale_by_schedule(lambda count: decay ** jnp.floor_divide(count, steps_per_epoch)))
    return optax.chain(*stages)


def apply_updates(network: N, updates: Any) -> N:
    """Add updates to a network's parameters; conductances that would leave their bounds stop there."""

    def is_resistor(x: Any) -> bool:
        return isinstance(x, ProgrammableResistor)

    def bounded(x: Any) -> Any:
        if not is_resistor(x):
            return x
        return eqx.tree_at(lambda r: r.conductance, x, x.within_bounds(x.conductance))

    moved = eqx.apply_updates(network, updates)
    return jax.tree.map(bounded, moved, is_leaf=is_resistor)
