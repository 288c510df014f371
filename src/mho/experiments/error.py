"""Errors: what a prediction is to be, and how far it is off.

A classification has labels of shape (batch,), and its error is the fraction of samples not predicted. A regression has
targets of shape (batch, outputs), and its error is the fraction of variance unexplained (1 − R²): Σ (p − y)² over
Σ (y − ȳ)², with ȳ the mean of all targets of the set, whichever sample and output they belong to.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def target_voltages(expected: Array, classes: int | None, unit: float) -> Array:
    """What the outputs are to be [V], (batch, outputs), with `unit` volts for a 1; one-hot where there are classes."""
    if classes is None:
        return expected.astype(float) * unit
    return jax.nn.one_hot(expected, classes, dtype=float) * unit


def sample_errors(prediction: Array, expected: Array, unit: float) -> Array:
    """1 for a sample not predicted, else 0; in a regression the mean of (p − y)² over the outputs; (batch,)."""
    if expected.ndim == 1:
        return (jnp.argmax(prediction, -1) != expected).astype(float)
    return jnp.mean((prediction / unit - expected) ** 2, -1)


def error_scale(targets: np.ndarray) -> float:
    """What the mean of the samples' errors is divided by: 1, or the variance of a regression's targets."""
    return 1.0 if targets.ndim == 1 else float(np.var(targets))
