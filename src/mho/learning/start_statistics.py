"""What a layered network's start does to voltages and gradients: predicted layer by layer, and measured."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.learning.cost import SquaredError
from mho.learning.implicit_gradient import ImplicitGradient
from mho.networks import LayeredNetwork
from mho.precision import double
from mho.steady import Auto, solve

_ROUNDS = 200
"""In which the mean voltages of layers that feed each other settle."""
_SAMPLES = 8
"""Samples whose gradients are measured, at the most."""
_FAR = 1e6
"""Volts: targets of these gradients."""


@dataclass(frozen=True)
class LayerStart:
    """A layer at the start of training; root mean squares, measured over samples and predicted over draws of the network."""

    common: float
    """Of the mean voltage of the nodes [V]."""
    predicted_common: float
    spread: float
    """Of the voltages less that mean [V]."""
    predicted_spread: float
    gradient: float
    """Of single samples' ∂C/∂g over that of g, in units of the last layer's."""
    predicted_gradient: float


def start_statistics(network: LayeredNetwork, inputs: ArrayLike) -> list[LayerStart]:
    """Predicted and measured spread, common mode and gradient per weight of every layer.

    The prediction takes from the network no more than each crossbar's size, mean and deviation of conductance,
    gains and whether it is in mirrored blocks; see `mho.networks.balanced`. Common to the nodes is μ = (S ū + R
    ū')/(S + R), ū the rows' mean and ū' what the columns behind feed back; they differ by σ = c ḡ √n √⟨(u − μ)²⟩/(S
    + R). Diodes of both signs leave the mean μ/2 and, but in mirrored blocks, chance's σ/√(2m) of m nodes, and the
    mean square (μ² + σ²)/2. The gradient is that of a cost that pulls each output at random up or down.

    Args:
        network: dense layers; hidden nodes with diodes of both signs, half of each, or none.
        inputs: (samples, features).

    Raises:
        InputError: for layers that are not dense.
        MhoError: if a sample has no operating point.
    """
    given = np.asarray(inputs, np.float64)
    grids = [np.asarray(layer.crossbar.resistors.conductance, np.float64) for layer in _dense(network)]
    voltages = [np.asarray(v) for v in solve(network, given).voltages]
    measured = _gradients(network, given[:_SAMPLES])
    sources = np.asarray(double(network.source_voltages)(given))  # type: ignore[arg-type]
    predicted = _predicted(network, grids, math.sqrt(np.mean(sources**2)))
    return [
        LayerStart(_root(v.mean(-1)), common, _root(v.std(-1)), spread, gradient, relative)
        for v, (common, spread, relative), gradient in zip(voltages, predicted, measured, strict=True)
    ]


def _root(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _dense(network: LayeredNetwork) -> list[Any]:
    if not all(hasattr(layer.crossbar, "resistors") and len(layer.crossbar.shape) == 2 for layer in network.layers):
        raise InputError("start_statistics: is for networks of dense layers")
    return list(network.layers)


def _predicted(network: LayeredNetwork, grids: list[np.ndarray], source: float) -> list[tuple[float, float, float]]:
    """Common mode, spread and relative gradient of each layer, as root mean squares over draws of the network."""
    layers, last = network.layers, len(grids) - 1
    rows = [2 * g.shape[0] if g.ndim == 3 else g.shape[0] for g in grids]
    columns, mean, deviation = ([float(f(g)) for g in grids] for f in (lambda g: g.shape[-1], np.mean, np.std))
    gain = [1.0 if layer.amplifier is None else float(jnp.mean(layer.amplifier.gain)) for layer in layers]
    # Of the nodes half let one sign pass, half the other; of linear nodes all let both.
    passing = [0.5 if hasattr(layer.element, "polarity") else 1.0 for layer in layers]
    random = [0.0 if mirrored else 1.0 for mirrored in map(_mirrored, grids)]
    before = [n * g for n, g in zip(rows, mean, strict=True)]
    behind = [*(m * g for m, g in zip(columns[1:], mean[1:], strict=True)), 0.0]
    total = [s + r for s, r in zip(before, behind, strict=True)]
    # Means of layers: each has a share of its neighbours', and chance's.
    chain = np.eye(last + 1)
    for k in range(last):
        chain[k + 1, k] = -passing[k + 1] * before[k + 1] * gain[k] / total[k + 1]
        chain[k, k + 1] = -passing[k] * behind[k] / gain[k] / total[k]
    answers = np.linalg.inv(chain) ** 2
    square, common = np.zeros(last + 1), np.zeros(last + 1)
    for _ in range(_ROUNDS):
        chance, inner = np.zeros(last + 1), np.zeros(last + 1)
        for k in range(last + 1):
            row, row_mean = (source**2, 0.0) if k == 0 else (gain[k - 1] ** 2 * x[k - 1] for x in (square, common))
            passed = before[k] / total[k]
            inner[k] = deviation[k] ** 2 * rows[k] * (row - (2 * passed - passed**2) * row_mean) / total[k] ** 2
            chance[k] = random[k] * passing[k] * inner[k] / columns[k]
        common = answers @ chance
        square = np.array(passing) * inner + (common - chance) / np.array(passing)
    # The same backwards: what a change at the outputs leaves at the nodes, and of it what is common.
    change, shared = np.ones(last + 1), np.zeros(last + 1)
    shared[last] = 0.0 if network.paired_outputs else 1.0 / columns[last]
    scale = np.ones(last + 1)
    for k in range(last - 1, -1, -1):
        unit, m = (gain[k] * total[k]) ** 2, columns[k + 1]
        fluctuation = deviation[k + 1] ** 2 * m * change[k + 1] / unit
        coherent = mean[k + 1] ** 2 * m**2 * shared[k + 1] / unit
        change[k] = passing[k] * (fluctuation + coherent)
        shared[k] = passing[k] ** 2 * coherent + random[k + 1] * passing[k] * fluctuation / columns[k]
        scale[k] = scale[k + 1] * gain[k] ** 2
    drop = square + np.array([source**2, *(g**2 * q for g, q in zip(gain, square[:-1], strict=False))])
    move = change + np.array([0.0, *(g**2 * d for g, d in zip(gain, change[:-1], strict=False))])
    gradient = scale * np.sqrt(drop * move) / np.hypot(mean, deviation)
    spread = np.sqrt(np.maximum(square - common, 0.0))
    return list(zip(np.sqrt(common).tolist(), spread.tolist(), (gradient / gradient[last]).tolist(), strict=True))


def _mirrored(grid: np.ndarray) -> bool:
    """Whether a crossbar is [[P, M], [M, P]]."""
    plus, minus = (grid[:, 0], grid[:, 1]) if grid.ndim == 3 else np.split(grid, [grid.shape[0] // 2])
    half = grid.shape[-1] // 2
    return plus.shape == minus.shape and np.array_equal(plus, np.roll(minus, half, axis=-1))


def _gradients(network: LayeredNetwork, inputs: np.ndarray) -> list[float]:
    """Root mean square of each layer's gradients by its conductances over that of these, relative to the last layer's."""
    rule = ImplicitGradient(SquaredError(), solver=Auto(1e-9, 10_000))
    outputs = network.prediction(network.held(network.drive(jnp.zeros((1, inputs.shape[1]))))).shape[-1]

    # Targets of either sign, far from any prediction, nudge without regard to what the weights have made of the inputs.
    targets = _FAR * np.random.default_rng(0).choice([-1.0, 1.0], (len(inputs), outputs))

    def of_sample(network: LayeredNetwork, sample: Array, target: Array) -> Any:
        return rule.gradient(network, sample[None], target[None]).by_parameter

    compiled = double(jax.jit(of_sample))
    squares = np.zeros(len(network.layers))
    for sample, target in zip(inputs, targets, strict=True):
        found = compiled(network, sample, target)  # type: ignore[arg-type]
        squares += [
            np.mean(np.asarray(layer.crossbar.resistors.conductance, np.float64) ** 2) for layer in found.layers
        ]
    weights = [np.mean(np.asarray(layer.crossbar.resistors.conductance, np.float64) ** 2) for layer in _dense(network)]
    ratio = np.sqrt(squares / np.array(weights))
    return [float(value) for value in ratio / ratio[-1]]
