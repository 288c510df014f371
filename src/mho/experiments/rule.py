"""Rules and optimizers: a configuration becomes the rule that gives a batch's gradient, and what makes a step of it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from mho.experiments.configuration import Configuration, RuleConfiguration, SimulatedConfiguration
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
    suited_beta,
)
from mho.networks import Circuit, LayeredNetwork, Network
from mho.ngspice.solver import Ngspice
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
    beta = 1.0 if configuration.beta == "auto" else configuration.beta  # each epoch has its own then
    match configuration.rule:
        case "implicit":
            return ImplicitGradient(configured_cost(configuration), solver=solver)
        case "coupled-learning":
            return CoupledLearning(eta=configuration.eta, readout=readout, solver=solver)
        case "equilibrium-propagation":
            return EquilibriumPropagation(
                configured_cost(configuration),
                beta=beta,
                variant=configuration.variant,
                nudging=configuration.nudging,
                readout=readout,
                solver=solver,
            )
    raise TypeError(f"{configuration.rule} is no rule")


def configured_ngspice(configuration: SimulatedConfiguration, network: LayeredNetwork | Circuit) -> Ngspice | None:
    """ngspice as a configuration's solver, to be closed in the end; None where mho's own solves."""
    if configuration.simulator != "ngspice":
        return None
    nudged_by = configured_cost(configuration) if configuration.nudging == "energy" else None
    return Ngspice(network, nudged_by, processes=configuration.processes, rtol=configuration.rtol)


def gradient_by(rule: Rule, trained: tuple[str, ...]) -> Callable[..., Gradient]:
    """What `mho.experiments.learner.Learner` has for a gradient."""

    def gradient(
        network: Network, inputs: Array, targets: Array, key: Array, beta: float | Array | None = None
    ) -> Gradient:
        nudged = beta is not None and isinstance(rule, EquilibriumPropagation)
        used: Any = dataclasses.replace(rule, beta=beta) if nudged else rule
        return used.gradient(network, inputs, targets, trained=trained, key=key)

    return gradient


def predicted_by(solver: Solver, rtol: float) -> Callable[[Any, Array], tuple[Array, Array]]:
    """What `mho.experiments.learner.Learner` has for predictions."""

    def predict(network: Network, inputs: Array) -> tuple[Array, Array]:
        point = solver.solve(network, network.drive(inputs))
        return network.prediction(point.voltages), point.residual <= rtol

    return predict


def share_by(rule: Rule) -> Callable[[Any, float | Array], Array | None]:
    """What `mho.experiments.learner.Learner` has for a nudging factor's share of its limit."""

    def share(network: Network, beta: float | Array) -> Array | None:
        return dataclasses.replace(rule, beta=beta).share(network) if isinstance(rule, EquilibriumPropagation) else None

    return share


def suited_by(rule: Rule, configuration: RuleConfiguration) -> Callable[[Any, Array, Array], Array] | None:
    """What `mho.experiments.learner.Learner` has for the nudging factor of an epoch."""
    if configuration.beta != "auto" or not isinstance(rule, EquilibriumPropagation):
        return None
    return functools.partial(suited_beta, rule)


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
