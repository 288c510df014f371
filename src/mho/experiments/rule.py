"""Learning rules: a configuration becomes the function that gives a batch's gradient, of any kind of network."""

from collections.abc import Callable

from jax import Array

from mho.experiments.configuration import RuleConfiguration
from mho.learning import (
    Cost,
    CrossEntropy,
    Gradient,
    SquaredError,
    coupled_learning,
    equilibrium_propagation,
    implicit_gradient,
)
from mho.steady import Network, Settle, settle


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
