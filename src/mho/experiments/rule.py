"""Rules and optimizers: a configuration becomes the rule that gives a batch's gradient, and what makes a step of it."""

from collections.abc import Mapping, Sequence

import optax

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
