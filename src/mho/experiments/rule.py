"""Learning rules: a configuration becomes the function that gives a batch's gradient, of any kind of network."""

from collections.abc import Callable

import numpy as np
from jax import Array

from mho.elements import CurrentSource
from mho.errors import InputError
from mho.experiments.configuration import RuleConfiguration
from mho.learning import (
    Cost,
    CrossEntropy,
    EnergyNudge,
    Gradient,
    SquaredError,
    coupled_learning,
    equilibrium_propagation,
    held_nudge,
    implicit_gradient,
)
from mho.learning.coupled_learning import clamp_towards
from mho.precision import double
from mho.steady import Clamp, Network, Settle, settle


def configured_cost(configuration: RuleConfiguration) -> Cost:
    """The cost that a configuration names."""
    return SquaredError() if configuration.cost == "squared" else CrossEntropy(configuration.logit_gain)


def learning_rule(
    configuration: RuleConfiguration, trained: tuple[str, ...], *, settle: Settle = settle
) -> Callable[..., Gradient]:
    """A configuration's learning rule, as `mho.experiments.learner.Learner.gradient`.

    Args:
        configuration: the configuration.
        trained: kinds of parameters that learn.
        settle: what finds the steady states of equilibrium propagation's phases.
    """
    cost = configured_cost(configuration)
    tolerance = {"rtol": configuration.rtol, "max_sweeps": configuration.max_sweeps}

    def gradient(
        network: Network, inputs: Array, targets: Array, key: Array, beta: float | Array = configuration.beta
    ) -> Gradient:
        match configuration.rule:
            case "implicit":
                return implicit_gradient(network, inputs, targets, cost, trained=trained, **tolerance)
            case "coupled-learning":
                return coupled_learning(network, inputs, targets, eta=configuration.eta, trained=trained, **tolerance)
            case "equilibrium-propagation":
                return equilibrium_propagation(
                    network,
                    inputs,
                    targets,
                    cost,
                    beta=beta,
                    variant=configuration.variant,
                    nudging=configuration.nudging,
                    trained=trained,
                    key=key,
                    settle=settle,
                    **tolerance,
                )

    return gradient


def first_nudge(
    configuration: RuleConfiguration, prediction: Callable[[], np.ndarray], target: np.ndarray, paired: bool
) -> CurrentSource | EnergyNudge | Clamp:
    """What a configuration's rule attaches to the outputs of one sample in the first of its nudged phases, in float64.

    Coupled learning clamps them, η of the way to the target. Equilibrium propagation nudges them by +β, or by −β in the
    negative variant; a random sign is taken for +.

    Args:
        configuration: the configuration.
        prediction: gives the outputs of the free phase [V], (1, outputs), where they are needed.
        target: what they are to be [V], (1, outputs).
        paired: whether two output nodes make a prediction.

    Raises:
        InputError: for implicit differentiation, which has the free phase alone.
    """
    match configuration.rule:
        case "implicit":
            raise InputError(
                "--phase nudged: the run learns by --rule implicit, which nudges nothing; export --phase free"
            )
        case "coupled-learning":
            return double(clamp_towards)(prediction(), target, configuration.eta, paired)  # type: ignore[arg-type]
        case "equilibrium-propagation":
            cost, sign = configured_cost(configuration), -1.0 if configuration.variant == "negative" else 1.0
            strength = np.full((1, 1), sign * configuration.beta)
            if configuration.nudging == "energy":
                return EnergyNudge(cost, strength, target, paired)  # type: ignore[arg-type]
            return double(held_nudge)(cost, strength, prediction(), target, paired)  # type: ignore[arg-type]
