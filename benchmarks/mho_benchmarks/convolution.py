"""A step of training a convolutional network, against backpropagation in a JAX CNN of the same shape and batch.

The analog network is `drn-conv`, all three phases converged to 1e-4 relative; the CNN has its filters, windows, mean
pooling and outputs, ReLU units and plain gradient descent. Its convolution is a product with patches, as the analog
network's slope is: XLA's CPU is slower at the gradient of a convolution. Both make the same number of steps on the same
batches, in turns, each loop compiled as a whole; a time is the best of a contender's turns.
"""

import dataclasses
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.epoch import batch_index, sample_order, take_rows
from mho.experiments.registry import experiment
from mho.networks import Planes
from mho_benchmarks.epoch import JaxTurn

NETWORK = "drn-conv"
BATCHES = (16, 128)
RTOL = 1e-4
SAMPLES = 3200
"""Of a turn."""
TURNS = 5
RATE = 0.05

Row = dict[str, float | str | None]
Weights = tuple[Array, Array, Array, Array]
"""Kernel (filters, 1, window, window), bias (filters,), weights (units, classes), bias (classes,)."""


def measure(data_dir: str | None = None) -> list[Row]:
    """Microseconds a step of the network and of its peer, their ratio, and sweeps a step.

    Args:
        data_dir: folder that holds MNIST's files.
    """
    data = load_dataset("mnist", data_dir)
    rows: list[Row] = []
    for batch_size in BATCHES:
        analog = experiment(NETWORK).configuration
        assert isinstance(analog, AnalogConfiguration) and len(analog.filters) == 1 and not analog.hidden
        analog = dataclasses.replace(analog, batch_size=batch_size, rtol=RTOL)
        steps = SAMPLES // batch_size
        ours, theirs = JaxTurn(analog, data, steps), PeerTurn(analog, data, steps)
        best = [float("inf"), float("inf")]
        for _ in range(TURNS):
            best = [min(b, turn()) for b, turn in zip(best, (theirs, ours), strict=True)]
        rows.append(
            {
                "name": NETWORK,
                "batch_size": batch_size,
                "cnn_microseconds": best[0] / steps * 1e6,
                "microseconds": best[1] / steps * 1e6,
                "ratio": best[1] / best[0],
                "sweeps": float(ours.state.tally.sweeps) / steps,
            }
        )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    lines = [f"{'step':<10}{'batch':>7}{'CNN [µs]':>12}{'mho [µs]':>12}{'ratio':>8}{'sweeps':>8}"]
    lines += [
        f"{row['name']:<10}{row['batch_size']:>7}{row['cnn_microseconds']:>12.0f}{row['microseconds']:>12.0f}"
        f"{row['ratio']:>8.2f}{row['sweeps']:>8.1f}"
        for row in rows
    ]
    return lines


def logits(weights: Weights, images: Array, pooling: int) -> Array:
    """Of a convolution, ReLU units, mean pooling and a dense layer, (batch, classes); images (batch, 1, height, width)."""
    kernel, kernel_bias, dense, bias = weights
    planes = Planes(1, images.shape[2], images.shape[3], kernel.shape[-1], 1)
    patches = planes.patches(images.reshape(len(images), -1))
    sums = jnp.einsum("fe,bew->bfw", kernel.reshape(len(kernel), -1), patches) + kernel_bias[:, None]
    units = jax.nn.relu(sums).reshape(len(images), -1, *planes.steps)
    filters, down, across = (n // pooling if axis else n for axis, n in enumerate(units.shape[1:]))
    means = (
        units[:, :, : down * pooling, : across * pooling]
        .reshape(-1, filters, down, pooling, across, pooling)
        .mean((3, 5))
    )
    return means.reshape(len(images), -1) @ dense + bias


class PeerTurn:
    """A turn of some steps of the CNN of a configuration's shape; each goes on from the last."""

    def __init__(self, shape: AnalogConfiguration, data: Dataset, steps: int) -> None:
        assert data.classes is not None
        inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)
        side = round(inputs.shape[1] ** 0.5)
        (filters,), window, pooling, classes = shape.filters, shape.window, shape.pooling, data.classes
        units = filters * ((side - window + 1) // pooling) ** 2
        first, second = jax.random.split(jax.random.key(0))
        kernel = jax.random.normal(first, (filters, 1, window, window)) * (2.0 / window**2) ** 0.5
        dense = jax.random.normal(second, (units, classes)) * (2.0 / units) ** 0.5
        self._weights: Weights = (kernel, jnp.zeros(filters), dense, jnp.zeros(classes))
        self._data = (sample_order(0, 1, len(labels)), inputs, labels)

        def cost(weights: Weights, images: Array, expected: Array) -> Array:
            found = logits(weights, images, pooling)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, expected))

        def step(index: Array, weights: Weights, order: Array, inputs: Array, labels: Array) -> Weights:
            rows = batch_index(order, index, len(labels), shape.batch_size)
            images = take_rows(inputs, rows).astype(float).reshape(-1, 1, side, side) * data.scale
            slope = jax.grad(cost)(weights, images, take_rows(labels, rows).astype(int))
            return jax.tree.map(lambda w, s: w - RATE * s, weights, slope)

        def advance(weights: Weights, *data: Array) -> Weights:
            return lax.fori_loop(0, steps, lambda index, weights: step(index, weights, *data), weights)

        self._advance = jax.jit(advance, donate_argnums=0).lower(self._weights, *self._data).compile()

    def __call__(self) -> float:
        """Make the steps."""
        begin = time.perf_counter()
        self._weights = jax.block_until_ready(self._advance(self._weights, *self._data))
        return time.perf_counter() - begin
