"""What a configuration of any kind stands for: its data, its network, its learner."""

import math
from collections.abc import Callable
from typing import Any

import jax

from mho.errors import InputError
from mho.experiments.analog import analog_learner, analog_network
from mho.experiments.baselines import baseline_learner, perceptron
from mho.experiments.circuits import circuit, circuit_learner
from mho.experiments.configuration import (
    AnalogConfiguration,
    BaselineConfiguration,
    Configuration,
    RuleConfiguration,
    UnlayeredConfiguration,
)
from mho.experiments.data import Dataset, configured_data
from mho.experiments.error import error_scale
from mho.experiments.learner import Learner


def experiment_data(configuration: Configuration) -> Dataset:
    """The data that a configuration trains on and is tested on.

    Raises:
        InputError: for a regression where the network cannot learn one, or a set smaller than a batch or than the
            validation split.
        MhoError: if it cannot be fetched.
    """
    dataset = configured_data(configuration)
    check_data(configuration, dataset)
    return dataset


def check_data(configuration: Configuration, dataset: Dataset) -> None:
    """Refuse data that a configuration cannot learn.

    Raises:
        InputError: for a regression where the network or its cost cannot learn one, or a set smaller than a batch.
    """
    if dataset.classes is None and isinstance(configuration, BaselineConfiguration):
        raise InputError(f"--dataset {configuration.dataset}: has no classes, and a software baseline learns classes")
    if dataset.classes is None and isinstance(configuration, RuleConfiguration) and configuration.cost != "squared":
        raise InputError(f"--cost {configuration.cost}: {configuration.dataset} has no classes; its cost is squared")
    for part, targets in (("training", dataset.train_targets), ("test", dataset.test_targets)):
        if error_scale(targets) == 0.0:
            raise InputError(
                f"{configuration.dataset}: all targets of the {part} set are equal: no variance to explain"
            )
    samples = len(dataset.train_inputs)
    if configuration.batch_size > samples:
        raise InputError(f"--batch-size {configuration.batch_size}: must not exceed the {samples} training samples")


Image = tuple[int, int, int] | None
"""Height, width and channels of inputs that are images."""


MakeLearner = Callable[[int, int, int], Learner]
"""Makes a learner for inputs of so many features, so many outputs and so many steps an epoch."""


def learner(
    configuration: Configuration, features: int, outputs: int, steps_per_epoch: int, image: Image = None
) -> Learner:
    """The learner of a configuration of any kind, with an output a class or a value to predict."""
    match configuration:
        case AnalogConfiguration():
            return analog_learner(configuration, features, outputs, steps_per_epoch, image)
        case UnlayeredConfiguration():
            return circuit_learner(configuration, features, outputs, steps_per_epoch)
        case BaselineConfiguration():
            return baseline_learner(configuration, features, outputs, steps_per_epoch)
    raise TypeError(f"{type(configuration).__name__} is no kind of configuration")


def untrained_network(configuration: Configuration, features: int, outputs: int, image: Image = None) -> Any:
    """The network of a configuration of any kind, before training."""
    match configuration:
        case UnlayeredConfiguration():
            with jax.enable_x64(True):
                return circuit(configuration, features, outputs)
        case AnalogConfiguration():
            return analog_network(configuration, features, outputs, image)
        case BaselineConfiguration():
            return perceptron(configuration, features, outputs)
    raise TypeError(f"{type(configuration).__name__} is no kind of configuration")


def averaging_after(configuration: Configuration) -> float:
    """The epoch after which parameters are averaged; infinite for none."""
    last = getattr(configuration, "average_last", 0)
    return configuration.epochs - last if last else math.inf
