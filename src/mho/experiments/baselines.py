"""Software baselines: networks of ReLU units by backpropagation, the yardstick of the analog networks' accuracy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array

from mho.experiments.configuration import BaselineConfiguration
from mho.experiments.learner import Learner
from mho.experiments.rule import configured_optimizer
from mho.learning import Gradient


class Dense(eqx.Module):
    """Weighted sums of the layer before, and a bias."""

    weight: Array
    """(inputs, units)."""
    bias: Array
    """(units,)."""


class Perceptron(eqx.Module):
    """Dense layers with ReLU units between them; logistic regression if there is one layer."""

    layers: tuple[Dense, ...]

    def __call__(self, inputs: Array) -> Array:
        """Logits, (batch, classes)."""
        signal = inputs
        for layer in self.layers[:-1]:
            signal = jax.nn.relu(signal @ layer.weight + layer.bias)
        return signal @ self.layers[-1].weight + self.layers[-1].bias


def perceptron(configuration: BaselineConfiguration, features: int, classes: int) -> Perceptron:
    """The network of a configuration before training: weights normal with variance 2/inputs (He et al. 2015)."""
    widths = (features, *configuration.hidden, classes)
    key = jax.random.fold_in(jax.random.key(configuration.seed), 0)
    keys = jax.random.split(key, len(widths) - 1)
    return Perceptron(
        tuple(
            Dense(jax.random.normal(k, (n, m)) * (2.0 / n) ** 0.5, jnp.zeros(m))
            for k, n, m in zip(keys, widths[:-1], widths[1:], strict=True)
        )
    )


def baseline_learner(
    configuration: BaselineConfiguration, features: int, classes: int, steps_per_epoch: int
) -> Learner:
    """The learner of a configuration, for inputs of that many features."""

    def gradient(network: Perceptron, inputs: Array, targets: Array, key: Array) -> Gradient:
        def cost(network: Perceptron) -> tuple[Array, Array]:
            logits = network(inputs)
            return jnp.mean(optax.softmax_cross_entropy(logits, targets)), logits

        (value, logits), slope = jax.value_and_grad(cost, has_aux=True)(network)
        return Gradient(
            by_parameter=slope,
            cost=value,
            prediction=logits,
            residual=jnp.zeros(()),
            unconverged=jnp.int32(0),
            steps=jnp.int32(0),
        )

    def predict(network: Perceptron, inputs: Array) -> tuple[Array, Array]:
        logits = network(inputs)
        return logits, jnp.isfinite(logits).all(-1)

    return Learner(
        network=perceptron(configuration, features, classes),
        parameters=lambda network: network,
        optimizer=configured_optimizer(configuration, configuration.rates, steps_per_epoch),
        gradient=gradient,
        predict=predict,
        tolerance=None,
        weights=lambda network: {
            f"layer {index}": layer.weight.ravel() for index, layer in enumerate(network.layers, start=1)
        },
        weight_name="weight",
    )
