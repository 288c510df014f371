"""Rules, optimizers, devices: a configuration becomes what gives a batch's gradient, and what makes a step of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import optax

from mho.devices import Device, Ideal, named_device, windowed
from mho.errors import InputError
from mho.experiments.configuration import Configuration, RuleConfiguration
from mho.experiments.own_objects import is_own, own_made
from mho.learning import (
    Cost,
    CoupledLearning,
    CrossEntropy,
    EquilibriumPropagation,
    ImplicitGradient,
    Rule,
    SquaredError,
    optimizer,
    programming,
)
from mho.steady import Auto, Solver


def configured_cost(configuration: RuleConfiguration) -> Cost:
    """The cost that a configuration names."""
    return SquaredError() if configuration.cost == "squared" else CrossEntropy(configuration.logit_gain)


def learning_rule(configuration: RuleConfiguration, solver: Solver | None = None) -> Rule:
    """A configuration's learning rule.

    Args:
        configuration: the configuration.
        solver: finds the steady states; the one that suits if None.
    """
    if is_own(configuration.rule):
        return own_made("--rule", configuration.rule, Rule)
    solver = solver or Auto(configuration.rtol, configuration.max_sweeps)
    match configuration.rule:
        case "implicit":
            return ImplicitGradient(configured_cost(configuration), solver=solver)
        case "coupled-learning":
            return CoupledLearning(eta=configuration.eta, solver=solver)
        case "equilibrium-propagation":
            return EquilibriumPropagation(
                configured_cost(configuration),
                beta=configuration.beta,
                variant=configuration.variant,
                nudging=configuration.nudging,
                solver=solver,
            )
    raise TypeError(f"{configuration.rule} is no rule")


def configured_optimizer(
    configuration: Configuration,
    rates: Sequence[float] | float,
    steps_per_epoch: int,
    kind_rates: Mapping[str, Sequence[float]] | None = None,
) -> optax.GradientTransformation:
    """A configuration's optimizer, with one learning rate for each layer or one for all.

    Raises:
        InputError: for one of the user's own that is not there, or is no transformation of Optax's.
    """
    if is_own(configuration.optimizer):
        return own_made("--optimizer", configuration.optimizer, optax.GradientTransformation)
    return optimizer(
        configuration.optimizer,
        rates,
        kind_rates=kind_rates,
        decay=configuration.decay,
        steps_per_epoch=steps_per_epoch,
        cosine_epochs=configuration.epochs if configuration.schedule == "cosine" else None,
        warm_up_epochs=configuration.warm_up,
    )


_DRAWN = 2**32 - 1
"""Folded into a seed's key for the devices' own numbers: no epoch has this number."""

Programs = Callable[[Any, Any], tuple[Any, Any]]
"""See `mho.experiments.learner.Learner.programming`."""


def configured_device(configuration: RuleConfiguration) -> Device:
    """What a configuration's conductances are.

    Raises:
        InputError: for a setting that the device has not, or one of the user's own that is none.
    """
    name, settings = configuration.device, configuration.device_settings
    if is_own(name):
        if settings:
            raise InputError(f"--device-settings {settings[0]}: {name} is a device of your own; set it there")
        return own_made("--device", name, Device)
    common = {field: getattr(configuration, field) for field in ("levels", "rounding", "pulses_per_update")}
    return named_device(name, settings, **common)


def configured_window(configuration: RuleConfiguration, network: Any) -> Any:
    """A network in its configuration's window, if it has one."""
    if not configuration.has_window:
        return network
    ratio, floor, headroom = configuration.on_off_ratio, configuration.floor, configuration.headroom
    return windowed(network, ratio, floor=floor, headroom=headroom)


def configured_programming(device: Device, seed: int, trained: Sequence[str]) -> Programs:
    """What makes such devices of a network's conductances; ideal ones they are already."""
    if isinstance(device, Ideal):
        return lambda network, state: (network, state)
    key = jax.random.fold_in(jax.random.key(seed), _DRAWN)
    return lambda network, state: programming(network, device, state, trained, key)
