"""A trained network as a netlist: what a run learned, holding one sample."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mho.errors import InputError
from mho.experiments.circuits import output_columns
from mho.experiments.configuration import Configuration, NetworkConfiguration, RuleConfiguration
from mho.experiments.error import target_voltages
from mho.experiments.held_sample import HeldSample, held_sample
from mho.experiments.prediction import load
from mho.experiments.rule import learning_rule
from mho.netlists.writing.dialects import Simulator
from mho.netlists.writing.layered_netlist import named_voltages
from mho.netlists.writing.network_netlist import write_netlist
from mho.netlists.writing.nudging_cards import Nudge
from mho.networks import LayeredNetwork
from mho.precision import double
from mho.steady import Auto, solve

Phase = Literal["free", "nudged"]

_RTOL, _STEPS = 1e-10, 1000
"""To which residual a nudged phase settles, and in how many steps at the most."""


def trained_netlist(
    run: Path,
    *,
    sample: int = 0,
    path: Path | None = None,
    phase: Phase = "free",
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a trained network in the free or the nudged phase of one sample.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.
        sample: which sample, counted from 0.
        path: the file that it is of; see `mho.experiments.held_sample.held_sample`.
        phase: "free", or what the run's rule does to its outputs: see `mho.learning.Rule.attachment`.
        simulator: whose dialect to write.

    Raises:
        InputError: if there is no such run, checkpoint or sample, the run trains no analog network, or its rule has no
            nudged phase.
        MhoError: if the free phase, which held nudging and clamping need, has no operating point.
    """
    trained = load(run)
    held = held_sample(run, trained, sample, path)
    configuration = trained.configuration
    if phase == "nudged" and getattr(configuration, "beta", None) == "auto":
        if not trained.metrics:
            raise InputError(f"{run}: has no whole epoch, whose --beta auto would be exported")
        configuration = replace(configuration, **{"beta": trained.metrics[-1]["beta"]})
    return network_netlist(configuration, trained.network, held, phase=phase, simulator=simulator)


def network_netlist(
    configuration: Configuration,
    network: Any,
    held: HeldSample,
    *,
    phase: Phase = "free",
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a configuration's network, a `LayeredNetwork` or a `Circuit`; see `trained_netlist`."""
    nudge = phase_nudge(configuration, network, held) if phase == "nudged" else None
    of_class = "" if held.form.classes is None or held.expected is None else f" of class {int(held.expected)}"
    title = f"{configuration.dataset} {held.origin} sample {held.number}{of_class}, {phase} phase"
    expected = node_voltages(network, held.inputs, nudge)
    return write_netlist(network, held.inputs[0], nudge=nudge, title=title, expected=expected, simulator=simulator)


def node_voltages(network: Any, inputs: np.ndarray, nudge: Nudge | None) -> dict[str, float]:
    """The voltages that an exported netlist has [V], by its nodes' names, of one sample, in float64.

    Raises:
        MhoError: if mho finds no operating point.
    """
    solver = None if nudge is None or isinstance(network, LayeredNetwork) else Auto(_RTOL, _STEPS)
    voltages = solve(network, inputs, solver=solver, attached=nudge).voltages
    if isinstance(network, LayeredNetwork):
        return named_voltages(network, voltages)
    return {network.node_names[k]: float(voltages[0, k]) for k in range(1, network.nodes)}


def wanted_voltages(configuration: Configuration, held: HeldSample) -> np.ndarray:
    """What the outputs are to be [V], (1, outputs).

    Raises:
        InputError: if that is not known of the sample.
    """
    if held.expected is None:
        raise InputError(f"{held.origin}: does not tell what sample {held.number} is to be, which nudges the outputs")
    unit = configuration.target_voltage if isinstance(configuration, RuleConfiguration) else 1.0
    columns = output_columns(configuration, held.form)
    given: Any = np.asarray(held.expected)[None]
    return np.asarray(double(lambda t: target_voltages(t, columns, unit))(given))


def phase_nudge(configuration: Configuration, network: Any, held: HeldSample) -> Nudge:
    """What a rule attaches to the outputs in one sample's nudged phase, from its free phase if it needs that.

    Raises:
        InputError: if the rule has no such phase, or is not known.
        MhoError: if the free phase has no operating point.
    """

    def prediction() -> np.ndarray:
        return np.asarray(double(network.prediction)(solve(network, held.inputs).voltages))

    assert isinstance(configuration, RuleConfiguration)
    if configuration.rule == "implicit":
        raise InputError("--phase nudged: the run learns by --rule implicit, which nudges nothing; export --phase free")
    own = configuration.own if isinstance(configuration, NetworkConfiguration) else ()
    if unknown := [part for part in own if part.startswith(("rule ", "cost "))]:
        raise InputError(f"--phase nudged: a run does not keep the program's own {unknown[0]}; export --phase free")
    rule, target = learning_rule(configuration), wanted_voltages(configuration, held)
    return rule.attachment(prediction, target, network.paired_outputs)  # type: ignore[return-value]
