"""Rules and optimizers: a configuration becomes the rule that gives a batch's gradient, and what makes a step of it."""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
import optax
from jax import Array

from mho.experiments.configuration import Configuration, RuleConfiguration
from mho.experiments.own_objects import is_own, own_made
from mho.learning import (
    Cost,
    CoupledLearning,
    CrossEntropy,
    EquilibriumPropagation,
    Gradient,
    ImplicitGradient,
    Readout,
    Rule,
    SquaredError,
    optimizer,
)
from mho.networks import Network
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
    readout = Readout(
        configuration.read_noise, configuration.relative_read_noise, configuration.reads, configuration.read_step
    )
    match configuration.rule:
        case "implicit":
            return ImplicitGradient(configured_cost(configuration), solver=solver)
        case "coupled-learning":
            return CoupledLearning(eta=configuration.eta, readout=readout, solver=solver)
        case "equilibrium-propagation":
            return EquilibriumPropagation(
                configured_cost(configuration),
                beta=configuration.beta,
                variant=configuration.variant,
                nudging=configuration.nudging,
                readout=readout,
                solver=solver,
            )
    raise TypeError(f"{configuration.rule} is no rule")


_EXACT_RTOL = 1e-10
"""Tolerance of the states that an exact gradient is of, in float64."""


def exact_gradient(rule: Rule, trained: tuple[str, ...]) -> Callable[..., Gradient] | None:
    """The exact gradient of a rule's cost, from a network, inputs and targets; None if that is what the rule computes.

    Of a rule without a cost, such as coupled learning, it is that of the squared error.
    """
    if isinstance(rule, ImplicitGradient):
        return None
    cost = getattr(rule, "cost", None) or SquaredError()

    def exact(network: Network, inputs: Array, targets: Array) -> Gradient:
        rtol = _EXACT_RTOL if inputs.dtype == jnp.float64 else rule.solver.rtol
        implicit = ImplicitGradient(cost, solver=Auto(rtol, rule.solver.max_steps))
        return implicit.gradient(network, inputs, targets, trained=trained)

    return exact


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
