"""One formula for NumPy's arrays and JAX's.

A circuit that is solved once is solved in NumPy: there is nothing to compile. The same laws and equations are compiled by
JAX where they run many times, in learning.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.ops import segment_max, segment_sum

Values = Any
"""An array of NumPy's or JAX's; the two have no static type in common."""


def namespace(*arrays: Any) -> Any:
    """`numpy` if all arrays are NumPy's (or Python's numbers), else `jax.numpy`."""
    return np if all(isinstance(a, np.ndarray | np.generic | float | int) for a in arrays) else jnp


def sums_at(values: Any, places: Any, size: int) -> Any:
    """Σ of the values at each place, (size,), of arrays of shape (n,)."""
    if namespace(values) is np:
        return np.bincount(places, weights=values, minlength=size)
    return segment_sum(values, jnp.asarray(places), size)


def maxima_at(values: Any, places: Any, size: int) -> Any:
    """Largest of the values ≥ 0 at each place, 0 where there is none, (size,), of arrays of shape (n,)."""
    if namespace(values) is np:
        result = np.zeros(size)
        np.maximum.at(result, places, values)
        return result
    return jnp.maximum(segment_max(values, jnp.asarray(places), size), 0.0)


def added_at(values: Any, places: Any, size: int) -> Any:
    """Σ of the values at each place of the last axis, (..., size), of arrays of shape (..., n)."""
    shape = (*values.shape[:-1], size)
    if namespace(values) is np:
        result = np.zeros(shape)
        where: Any = (..., places)
        np.add.at(result, where, values)
        return result
    return jnp.zeros(shape, values.dtype).at[..., places].add(values)
