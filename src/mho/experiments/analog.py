"""Analog networks as learners: a configuration becomes a circuit and its learning rule."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.constants import ZERO_CELSIUS
from mho.elements import AntiparallelDiodes, IdealDiode, MeasuredElement, PiecewiseDiode, TwoTerminal
from mho.elements.verilog_a import verilog_a_element
from mho.errors import InputError
from mho.experiments.conductances import conductances
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.curves import parse_curve
from mho.experiments.flaws import configured_flaws
from mho.experiments.learner import Learner
from mho.experiments.own_objects import is_own, own_made
from mho.experiments.programming import configured_device, configured_programming, configured_window
from mho.experiments.rule import (
    configured_ngspice,
    configured_optimizer,
    exact_gradient,
    gradient_by,
    learning_rule,
    predicted_by,
    share_by,
    suited_by,
)
from mho.learning.gradient import trained_part
from mho.networks import LayeredNetwork, PoolingCrossbar, convolutional_network, image_planes, layered_network
from mho.steady import Auto, Solver

_DIODE_FIELDS = ("saturation_current", "ideality", "diode_bias", "on_resistance", "off_resistance")


def hidden_elements(configuration: AnalogConfiguration, widths: Sequence[int]) -> list[TwoTerminal | None]:
    """What stands at the nodes of hidden layers of so many nodes each."""
    settings = configuration.in_layers(*_DIODE_FIELDS, hidden=True)
    return [_element(configuration, nodes, *values) for nodes, values in zip(widths, settings, strict=True)]


def _element(
    configuration: AnalogConfiguration,
    nodes: int,
    saturation_current: float,
    ideality: float,
    bias: float,
    on_resistance: float,
    off_resistance: float,
) -> TwoTerminal | None:
    # Ideal diodes hold the first half at v ≥ 0 and the second half at v ≤ 0 (Scellier 2024, section 4).
    polarity = jnp.where(jnp.arange(nodes) < nodes // 2, 1.0, -1.0)
    if is_own(configuration.element):
        return own_made("--element", configuration.element, TwoTerminal, nodes)
    match configuration.element:
        case "ideal":
            return IdealDiode(polarity)
        case "piecewise":
            # They conduct where s·v is above the threshold: the opposite side of the one to hold the node at.
            return PiecewiseDiode(
                on_resistance=jnp.full(nodes, on_resistance),
                off_resistance=jnp.full(nodes, off_resistance),
                threshold=jnp.full(nodes, bias),
                polarity=-polarity,
            )
        case "shockley":
            return AntiparallelDiodes.symmetric(
                nodes,
                saturation_current=saturation_current,
                ideality=ideality,
                bias=bias,
                temperature=ZERO_CELSIUS + configuration.temperature,
            )
        case "measured":
            curve = parse_curve(configuration.curve or "")
            return MeasuredElement(curve, area=jnp.ones(nodes), polarity=-polarity)
        case "veriloga":
            temperature = ZERO_CELSIUS + configuration.temperature
            made = verilog_a_element(configuration.module or "", nodes, temperature=temperature)
            return dataclasses.replace(jax.tree.map(jnp.asarray, made), polarity=-polarity)
        case "linear":
            return None


def analog_network(
    configuration: AnalogConfiguration, features: int, outputs: int, image: tuple[int, int, int] | None = None
) -> LayeredNetwork:
    """The network of a configuration before training.

    Args:
        configuration: the configuration.
        features: of the inputs.
        outputs: classes, or values to predict.
        image: height, width and channels of the inputs; if None, they are square images of one channel for convolutions.

    Raises:
        InputError: if there are convolutions and the features are no image, or one too small.
    """
    network = configured_flaws(configuration, _network(configuration, features, outputs, image))
    if configuration.input_step:
        network = dataclasses.replace(network, input_step=configuration.input_step)
    return configured_window(configuration, network)


def _network(
    configuration: AnalogConfiguration, features: int, outputs: int, image: tuple[int, int, int] | None
) -> LayeredNetwork:
    key = jax.random.fold_in(jax.random.key(configuration.seed), 0)
    if configuration.network is not None:
        return _own_network(configuration.network, features, outputs, key)
    settings: dict[str, Any] = {
        "gains": configuration.layer_gains,
        "current_gains": configuration.layer_current_gains,
        "input_gain": configuration.input_gain,
        "bias_currents": configuration.bias_currents,
        "paired_outputs": configuration.paired_outputs,
        "lower": configuration.lower,
        "upper": configuration.upper,
        "initial": configuration.initial,
        "initial_law": configuration.initial_law,
        "initial_spread": configuration.initial_spread,
    }
    if not configuration.filters:
        elements = hidden_elements(configuration, configuration.hidden)
        widths = (features, *configuration.hidden, outputs)
        return layered_network(widths, key, elements=elements, bias_line=configuration.bias_line, **settings)
    if image is None:
        side = math.isqrt(features)
        if side**2 != features:
            raise InputError(
                f"--filters: {configuration.dataset} has {features} features, which are no square image; others come in "
                "FILE.npz, as (samples, height, width) or with channels behind, or in a folder of pictures"
            )
        image = (side, side, 1)
    try:
        planes = image_planes(image, configuration.filters, configuration.window, configuration.pooling)
    except InputError as problem:
        raise InputError(f"--window {configuration.window} --pooling {configuration.pooling}: {problem}") from problem
    convolutions = planes[:: 1 if configuration.pooling == 1 else 2]
    nodes = [n * math.prod(p.steps) for n, p in zip(configuration.filters, convolutions, strict=True)]
    return convolutional_network(
        image,
        configuration.filters,
        (*configuration.hidden, outputs),
        key,
        window=configuration.window,
        pooling=configuration.pooling,
        elements=hidden_elements(configuration, (*nodes, *configuration.hidden)),
        **settings,
    )


def _own_network(name: str, features: int, outputs: int, key: Array) -> LayeredNetwork:
    network = own_made("--network", name, LayeredNetwork, features, outputs, key)
    drawn = jax.eval_shape(lambda x: network.prediction(network.held(network.drive(x))), jnp.zeros((1, features)))
    if drawn.shape[-1] != outputs:
        raise InputError(f"--network {name}: has {drawn.shape[-1]} outputs, and the data need {outputs}")
    return network


def layer_rates(rates: Sequence[float], network: LayeredNetwork) -> list[float]:
    """Of one rate, or one for each layer that learns, that of each layer; of a pooling layer that of the one before.

    Raises:
        InputError: if they are of another number, as may be with a network of the user's own.
    """
    if len(rates) == 1:
        return [rates[0]] * len(network.layers)
    learning = sum(not isinstance(layer.crossbar, PoolingCrossbar) for layer in network.layers)
    if len(rates) != learning:
        raise InputError(
            f"rates {' '.join(map(str, rates))}: {len(rates)} given, expected one for each of {learning} layers"
        )
    left = iter(rates)
    result: list[float] = []
    for layer in network.layers:
        result.append(result[-1] if isinstance(layer.crossbar, PoolingCrossbar) else next(left))
    return result


def analog_learner(
    configuration: AnalogConfiguration,
    features: int,
    outputs: int,
    steps_per_epoch: int,
    image: tuple[int, int, int] | None = None,
) -> Learner:
    """The learner of a configuration, for inputs of that many features.

    Raises:
        InputError: where its settings do not fit together.
    """
    network = analog_network(configuration, features, outputs, image)
    simulated = configured_ngspice(configuration, network)
    solver: Solver = simulated or Auto(configuration.rtol, configuration.max_sweeps)
    trained = configuration.trained
    rule = learning_rule(configuration, solver)
    return Learner(
        network=network,
        parameters=lambda network: eqx.filter(network, trained_part(network, trained)),
        optimizer=configured_optimizer(
            configuration,
            layer_rates(configuration.learning_rates, network),
            steps_per_epoch,
            {kind: layer_rates(rates, network) for kind, rates in configuration.kind_rates.items()},
        ),
        gradient=gradient_by(rule, trained),
        predict=predicted_by(solver, solver.rtol),
        exact=exact_gradient(rule, trained),
        share=share_by(rule),
        suited=suited_by(rule, configuration),
        tolerance=configuration.tolerance,
        weights=conductances,
        weight_name="conductance [S]",
        target_voltage=configuration.target_voltage,
        relative=configuration.relative_updates,
        kept=(1.0 - configuration.leakage) ** (1.0 / steps_per_epoch),
        programming=configured_programming(configured_device(configuration), configuration.seed, trained),
        traceable=simulated is None,
        close=(lambda: None) if simulated is None else simulated.close,
    )
