"""A trained network as a netlist: what a run learned, holding one sample of its test set."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from mho.errors import InputError
from mho.experiments.circuits import output_columns
from mho.experiments.configuration import AnalogConfiguration, Configuration, RuleConfiguration, UnlayeredConfiguration
from mho.experiments.data import Dataset
from mho.experiments.error import target_voltages
from mho.experiments.rule import learning_rule
from mho.experiments.training import run_data, run_form, trained_network
from mho.netlists.writing.dialects import Simulator
from mho.netlists.writing.layered_netlist import node_names
from mho.netlists.writing.network_netlist import write_netlist
from mho.netlists.writing.nudging_cards import Nudge
from mho.networks import LayeredNetwork
from mho.precision import double
from mho.steady import Auto, solve

Phase = Literal["free", "nudged"]

_RTOL, _STEPS = 1e-10, 1000
"""To which residual a nudged phase settles, and in how many steps at the most."""


def trained_netlist(run: Path, *, sample: int = 0, phase: Phase = "free", simulator: Simulator = "ngspice") -> str:
    """The netlist of a trained network in the free or the nudged phase of one sample.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.
        sample: which sample of the run's test set (its validation split where it has one; its training set where it is
            tested on no other), counted from 0.
        phase: "free", or what the run's rule does to its outputs: see `mho.learning.Rule.attachment`.
        simulator: whose dialect to write.

    Raises:
        InputError: if there is no such run, checkpoint or sample, the run trains no analog network, or its rule has no
            nudged phase.
        MhoError: if the free phase, which held nudging and clamping need, has no operating point.
    """
    configuration, network = trained_network(run)
    if not isinstance(configuration, AnalogConfiguration | UnlayeredConfiguration):
        raise InputError(f"{run}: trains a network in software, which has no circuit; analog networks can be exported")
    dataset = run_data(configuration, run, run_form(run))
    part, samples = held_set(dataset), len(dataset.test_inputs)
    if not 0 <= sample < samples:
        raise InputError(f"--sample {sample}: the {part} set of {run} has samples 0 to {samples - 1}")
    return network_netlist(configuration, network, dataset, sample=sample, phase=phase, simulator=simulator)


def network_netlist(
    configuration: AnalogConfiguration | UnlayeredConfiguration,
    network: Any,
    dataset: Dataset,
    *,
    sample: int,
    phase: Phase = "free",
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a configuration's network, a `LayeredNetwork` or a `Circuit`; see `trained_netlist`."""
    inputs, target = held_sample(configuration, dataset, sample)
    nudge = phase_nudge(configuration, network, inputs, target) if phase == "nudged" else None
    expected = dataset.test_targets[sample]
    of_class = "" if dataset.classes is None else f" of class {int(expected)}"
    title = f"{configuration.dataset} {held_set(dataset)} sample {sample}{of_class}, {phase} phase"
    expected_voltages = node_voltages(network, inputs, nudge)
    return write_netlist(network, inputs[0], nudge=nudge, title=title, expected=expected_voltages, simulator=simulator)


def node_voltages(network: Any, inputs: np.ndarray, nudge: Nudge | None) -> dict[str, float]:
    """The voltages that an exported netlist has [V], by its nodes' names, of one sample, in float64.

    Raises:
        MhoError: if mho finds no operating point.
    """
    solver = None if nudge is None or isinstance(network, LayeredNetwork) else Auto(_RTOL, _STEPS)
    voltages = solve(network, inputs, solver=solver, attached=nudge).voltages
    if isinstance(network, LayeredNetwork):
        named = zip(node_names(network), voltages, strict=True)
        return {name: float(v) for names, row in named for name, v in zip(names, np.asarray(row)[0], strict=True)}
    return {network.node_names[k]: float(voltages[0, k]) for k in range(1, network.nodes)}


def held_sample(configuration: Configuration, dataset: Dataset, sample: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs, (1, features), and what the outputs are to be [V], (1, outputs), of a sample of the test set."""
    inputs = np.asarray(dataset.test_inputs[sample : sample + 1], np.float64) * dataset.scale
    unit = configuration.target_voltage if isinstance(configuration, RuleConfiguration) else 1.0
    expected: Any = dataset.test_targets[sample : sample + 1]
    columns = output_columns(configuration, dataset)
    return inputs, np.asarray(double(lambda t: target_voltages(t, columns, unit))(expected))


def phase_nudge(
    configuration: AnalogConfiguration | UnlayeredConfiguration, network: Any, inputs: np.ndarray, target: np.ndarray
) -> Nudge:
    """What a rule attaches to the outputs in one sample's nudged phase, from its free phase if it needs that.

    Raises:
        InputError: if the rule has no such phase.
        MhoError: if the free phase has no operating point.
    """

    def prediction() -> np.ndarray:
        return np.asarray(double(network.prediction)(solve(network, inputs).voltages))

    if configuration.rule == "implicit":
        raise InputError("--phase nudged: the run learns by --rule implicit, which nudges nothing; export --phase free")
    return learning_rule(configuration).attachment(prediction, target, network.paired_outputs)  # type: ignore[return-value]


def held_set(dataset: Dataset) -> str:
    """Which samples a run is tested on."""
    return "training" if dataset.tests_what_it_trains else "test"
