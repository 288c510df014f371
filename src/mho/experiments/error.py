"""Errors: what a prediction is to be, and how far it is off.

A classification has labels of shape (batch,), and its error is the fraction of samples not predicted. The largest output
is the prediction; a single output tells two classes, by whether it is above half its target of the second. A regression has
targets of shape (batch, outputs), and its error is the fraction of variance unexplained (1 − R²): Σ (p − y)² over
Σ (y − ȳ)², with ȳ the mean of all targets of the set, whichever sample and output they belong to.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def target_voltages(expected: Array, classes: int | None, unit: float) -> Array:
    """What the outputs are to be [V], (batch, outputs), with `unit` volts for a 1.

    Args:
        expected: labels, (batch,), or a regression's targets, (batch, outputs).
        classes: outputs that are one-hot in the label, or 1 for one that follows it; None for a regression.
        unit: volts for a 1.
    """
    if classes is None:
        return expected.astype(float) * unit
    if classes == 1:
        return expected[:, None].astype(float) * unit
    return jax.nn.one_hot(expected, classes, dtype=float) * unit


def predicted_classes(prediction: Array, unit: float) -> Array:
    """The classes that outputs tell, (batch,), given their voltages [V], (batch, outputs), and the volts for a 1."""
    if prediction.shape[-1] == 1:
        return (prediction[..., 0] > 0.5 * unit).astype(int)
    return jnp.argmax(prediction, -1)


def sample_errors(prediction: Array, expected: Array, unit: float) -> Array:
    """1 for a sample not predicted, else 0; in a regression the mean of (p − y)² over the outputs; (batch,)."""
    if expected.ndim == 1:
        return (predicted_classes(prediction, unit) != expected).astype(float)
    return jnp.mean((prediction / unit - expected) ** 2, -1)


def error_scale(targets: np.ndarray) -> float:
    """What the mean of the samples' errors is divided by: 1, or the variance of a regression's targets."""
    return 1.0 if targets.ndim == 1 else float(np.var(targets))
