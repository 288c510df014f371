"""The gradient's health: what trains, beside the exact gradient of the same samples, layer by layer.

Exact is the implicit function's derivative (`mho.learning.ImplicitGradient`). Equilibrium propagation meets it as β goes to
0; a larger β bends it, a smaller one drowns in rounding.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.experiments.learner import Learner
from mho.precision import double

SAMPLES = 8
"""Training samples whose gradients are compared, at the most."""
_WIDE = 2**22
"""Parameters from which the exact gradient is computed in float32, too: in float64 it would take twice their memory."""


@dataclass(frozen=True)
class Health:
    """Of the gradient by each layer's parameters; None where the exact one is 0."""

    cosine: tuple[float | None, ...]
    """Of the angle between the gradient that trains and the exact one."""
    ratio: tuple[float | None, ...]
    """Length of the gradient that trains, in lengths of the exact one."""


Judge = Callable[..., Health]


def compile_health(learner: Learner) -> Judge | None:
    """A function of a network, inputs (samples, features), targets (samples, outputs), a random key and a nudging factor
    (the configuration's if None), which JAX compiles when it is first used; None where there is nothing to compare.
    """
    exact = learner.exact
    if exact is None:
        return None

    def used(network: Any, inputs: Any, targets: Any, key: Any, beta: Any) -> Any:
        nudged = {} if beta is None else {"beta": beta}
        return learner.gradient(network, inputs, targets, key, **nudged).by_parameter

    def true(network: Any, inputs: Any, targets: Any) -> Any:
        return exact(network, inputs, targets).by_parameter

    used = jax.jit(used) if learner.traceable else used
    true = jax.jit(true)

    def judge(
        network: Any,
        inputs: np.ndarray,
        targets: np.ndarray,
        key: jax.Array | None,
        beta: jax.Array | None = None,
    ) -> Health:
        wide = sum(leaf.size for leaf in jax.tree.leaves(learner.parameters(network))) <= _WIDE
        given = jnp.asarray(inputs, float), jnp.asarray(targets, float)
        trains = used(network, *given, key, beta)
        right = (double(true) if wide else true)(network, *given)
        pairs = [_compared(here, there) for here, there in zip(_parts(trains), _parts(right), strict=True)]
        return Health(tuple(cosine for cosine, _ in pairs), tuple(ratio for _, ratio in pairs))

    return judge


def _parts(gradient: Any) -> list[list[np.ndarray]]:
    parts = [[np.asarray(leaf) for leaf in jax.tree.leaves(layer)] for layer in gradient.layers]
    return [part for part in parts if part]


def _compared(here: list[np.ndarray], there: list[np.ndarray]) -> tuple[float | None, float | None]:
    """Cosine and ratio; both gradients in units of their largest entries, whose squares may be beyond their range."""
    units = [max(float(np.max(np.abs(leaf))) for leaf in part) for part in (here, there)]
    if units[1] == 0.0 or not all(map(math.isfinite, units)):
        return None, None
    if units[0] == 0.0:
        return 0.0, 0.0
    product = squares = others = 0.0
    for a, b in zip(here, there, strict=True):
        a, b = np.ravel(a / a.dtype.type(units[0])), np.ravel(b / b.dtype.type(units[1]))
        product += float(np.dot(a, b))
        squares += float(np.dot(a, a))
        others += float(np.dot(b, b))
    return product / math.sqrt(squares * others), units[0] / units[1] * math.sqrt(squares / others)
