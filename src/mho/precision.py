"""Double precision without a global switch.

JAX computes in float32 unless its x64 mode is on. Training wants float32; operating points to be compared with
SPICE, and gradient checks, want float64. `double` runs one function in float64 whatever the process's setting is.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def _widen(leaf: object) -> object:
    if isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.floating):
        wide = isinstance(leaf, jax.Array) and leaf.dtype == np.float64
        return leaf if wide else np.asarray(leaf, np.float64)
    return leaf


def widened(tree: T) -> T:
    """A network, or any pytree, with its floating arrays in float64 on the device: for many calls of `double` functions.

    Each of them would otherwise widen and move the network anew.
    """
    with jax.enable_x64(True):
        return jax.tree.map(lambda leaf: leaf if (wide := _widen(leaf)) is leaf else jnp.asarray(wide), tree)


def _to_host(leaf: object) -> object:
    on_device = isinstance(leaf, jax.Array) and not jnp.issubdtype(leaf.dtype, jax.dtypes.extended)  # random keys
    return np.asarray(leaf) if on_device else leaf


def double(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in float64: floating arrays among its arguments are widened, results come back as NumPy arrays.

    The arguments and the result may be any pytrees (networks included). The process's own setting of JAX's x64
    mode is neither read nor changed.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            args, kwargs = jax.tree.map(_widen, (args, kwargs))
            return jax.tree.map(_to_host, function(*args, **kwargs))

    return run
