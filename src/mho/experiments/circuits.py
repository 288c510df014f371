"""Circuits without layers as learners: a configuration becomes a graph of elements and its learning rule."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.experiments.conductances import conductances
from mho.experiments.configuration import (
    CircuitConfiguration,
    Configuration,
    NetlistConfiguration,
    NetworkConfiguration,
    UnlayeredConfiguration,
)
from mho.experiments.data import Dataset
from mho.experiments.data.form import DataForm
from mho.experiments.flaws import configured_flaws
from mho.experiments.learner import Learner
from mho.experiments.netlist_circuits import configured_network
from mho.experiments.own_objects import is_own
from mho.experiments.programming import configured_device, configured_programming, configured_window
from mho.experiments.rule import (
    configured_ngspice,
    configured_optimizer,
    gradient_by,
    learning_rule,
    predicted_by,
)
from mho.learning import trained_part
from mho.networks import Circuit
from mho.networks.random_graph import random_graph
from mho.networks.square_lattice import square_lattice
from mho.steady import NodalNewton, Solver


def output_columns(configuration: Configuration, dataset: Dataset | DataForm) -> int | None:
    """How many outputs tell a classification's classes: one each, or 1 where one output tells two; None for a regression."""
    alone = isinstance(configuration, NetlistConfiguration) and len(configuration.outputs) == 1
    alone |= isinstance(configuration, NetworkConfiguration) and configuration.outputs == 1
    return 1 if alone and dataset.classes == 2 else dataset.classes


def circuit(configuration: UnlayeredConfiguration, features: int, outputs: int) -> Circuit:
    """The circuit of a configuration before training, in NumPy arrays of float64.

    Raises:
        InputError: where its settings do not fit together.
    """
    network = configured_flaws(configuration, _circuit(configuration, features, outputs))
    return configured_window(configuration, network)


def _circuit(configuration: UnlayeredConfiguration, features: int, outputs: int) -> Circuit:
    if isinstance(configuration, NetlistConfiguration):
        return configured_network(configuration, features, outputs)
    assert isinstance(configuration, CircuitConfiguration)
    common = {
        "seed": configuration.seed,
        "conductance": configuration.initial,
        "lower": configuration.lower,
        "upper": configuration.upper,
        "input_gain": configuration.input_gain,
        "bias_line": configuration.bias_line,
    }
    if configuration.graph == "lattice":
        return square_lattice(features, outputs, side=configuration.nodes, **common)
    return random_graph(
        features,
        outputs,
        hidden=configuration.nodes,
        diodes=configuration.diodes,
        density=configuration.density,
        saturation_current=configuration.saturation_current,
        ideality=configuration.ideality,
        temperature=ZERO_CELSIUS + configuration.temperature,
        **common,
    )


def circuit_learner(
    configuration: UnlayeredConfiguration, features: int, outputs: int, steps_per_epoch: int
) -> Learner:
    """The learner of a configuration, for inputs of that many features and so many values to predict.

    Raises:
        InputError: where its settings do not fit together.
    """
    network = circuit(configuration, features, outputs)
    solver = _solver(configuration, network)
    simulated = configured_ngspice(configuration, network)
    trained = tuple(
        kind
        for kind, there_is in (
            ("conductance", any(b.programmable for b in network.branches)),
            ("parameter", bool(network.programmables)),
        )
        if there_is
    )
    rule = learning_rule(configuration, simulated or solver)
    return Learner(
        network=network,
        parameters=lambda network: eqx.filter(network, trained_part(network, trained)),
        optimizer=_optimizer(configuration, network, steps_per_epoch),
        gradient=gradient_by(rule, trained),
        predict=predicted_by(rule.solver, configuration.rtol),
        tolerance=configuration.tolerance,
        weights=conductances,
        weight_name="conductance [S]" if "conductance" in trained else "parameter",
        target_voltage=configuration.target_voltage,
        double=True,
        relative=configuration.relative_updates,
        kept=(1.0 - configuration.leakage) ** (1.0 / steps_per_epoch),
        programming=configured_programming(configured_device(configuration), configuration.seed, trained),
        traceable=rule.solver.traceable,
        close=(lambda: None) if simulated is None else simulated.close,
    )


def _optimizer(
    configuration: UnlayeredConfiguration, network: Circuit, steps_per_epoch: int
) -> optax.GradientTransformation:
    """A configuration's, with the parameters' own rate."""
    common = configured_optimizer(configuration, configuration.rates[0], steps_per_epoch)
    if not network.programmables or is_own(configuration.optimizer):
        return common
    assert isinstance(configuration, NetlistConfiguration)
    return with_parameter_rate(common, configuration.parameter_rate / configuration.rates[0])


def with_parameter_rate(common: optax.GradientTransformation, share: float) -> optax.GradientTransformation:
    """An optimizer of circuits whose programmable parameters learn at another rate, so many times that of the others."""

    def scaled(updates: Any, _: Any = None) -> Any:
        own = jax.tree.map(lambda u: share * u, updates.programmables)
        return eqx.tree_at(lambda c: c.programmables, updates, own, is_leaf=lambda x: x is None)

    return optax.chain(common, optax.stateless(scaled))


def _solver(configuration: UnlayeredConfiguration, network: Circuit) -> Solver | None:
    """What finds a circuit's steady states, where that is not a rule's own choice.

    Raises:
        InputError: for a rule that compares energies, and a circuit that has none.
    """
    if network.ties is not None:
        ends = np.append(network.output, network.reference)
        free = np.asarray(network.ties.group)[ends] < network.ties.free
        scales = np.asarray(network.ties.scale)[ends[free]]
        if configuration.rule != "implicit" and not np.allclose(scales, scales[:1], rtol=1e-9):
            raise InputError(
                f"--rule {configuration.rule}: amplifiers stand between the output nodes, so what nudges one weighs more "
                "than what nudges another; name outputs behind the same amplifiers, or train by --rule implicit"
            )
        return None
    if configuration.rule != "implicit":
        raise InputError(
            f"--rule {configuration.rule}: the circuit has no energy, since it has transistors, controlled or behavioural "
            "sources; train it by --rule implicit"
        )
    return NodalNewton(configuration.rtol, configuration.max_sweeps)
