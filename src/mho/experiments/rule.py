"""Learning rules: a configuration becomes the rule that gives a batch's gradient, of any kind of network."""

from mho.experiments.configuration import RuleConfiguration
from mho.learning import (
    Cost,
    CoupledLearning,
    CrossEntropy,
    EquilibriumPropagation,
    ImplicitGradient,
    Rule,
    SquaredError,
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
