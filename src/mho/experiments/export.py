"""A trained network as a netlist: what a run learned, holding one sample of its test set."""

from pathlib import Path
from typing import Literal

import jax
import numpy as np

from mho.elements import CurrentSource
from mho.errors import InputError
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.rule import configured_cost
from mho.experiments.training import experiment_data, trained_network
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.networks import LayeredNetwork
from mho.precision import double
from mho.spice.layered_netlist import Simulator, layered_netlist
from mho.steady import operating_point

Phase = Literal["free", "nudged"]


def trained_netlist(run: Path, *, sample: int = 0, phase: Phase = "free", simulator: Simulator = "ngspice") -> str:
    """The netlist of a trained network in the free or the nudged phase of one sample.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.
        sample: which sample of the run's test set (its validation split where it has one), counted from 0.
        phase: "free", or "nudged" towards the sample's target as the run nudges: with its nudging factor, in the first
            of its nudged phases (+β; −β for the negative variant).
        simulator: whose dialect to write.

    Raises:
        InputError: if there is no such run, checkpoint or sample, or the run trains no analog network.
        MhoError: if the free phase, which held nudging needs, does not converge.
    """
    configuration, network = trained_network(run)
    if not isinstance(configuration, AnalogConfiguration):
        raise InputError(f"{run}: trains no layered analog network, and those alone can be exported")
    dataset = experiment_data(configuration)
    samples = len(dataset.test_inputs)
    if not 0 <= sample < samples:
        raise InputError(f"--sample {sample}: the test set of {run} has samples 0 to {samples - 1}")
    inputs = np.asarray(dataset.test_inputs[sample : sample + 1], np.float64) * dataset.scale
    label = int(dataset.test_targets[sample])
    assert dataset.classes is not None  # by `experiment_data`
    target = np.eye(dataset.classes)[[label]]

    nudge = None if phase == "free" else _nudge(configuration, network, inputs, target)
    sources = double(LayeredNetwork.source_voltages)(network, inputs)  # type: ignore[arg-type]
    title = f"{configuration.dataset} test sample {sample} of class {label}, {phase} phase"
    return layered_netlist(network, sources[0], nudge=nudge, title=title, simulator=simulator)


def _nudge(
    configuration: AnalogConfiguration, network: LayeredNetwork, inputs: np.ndarray, target: np.ndarray
) -> CurrentSource | EnergyNudge:
    cost = configured_cost(configuration)
    sign = -1.0 if configuration.variant == "negative" else 1.0
    strength = np.full((1, 1), sign * configuration.beta)
    if configuration.nudging == "energy":
        return EnergyNudge(cost, strength, target, configuration.paired_outputs)  # type: ignore[arg-type]
    point = operating_point(network, inputs)

    @double
    def held(voltages: tuple[jax.Array, ...], strength: jax.Array, target: jax.Array) -> CurrentSource:
        return held_nudge(cost, strength, network.prediction(voltages), target, configuration.paired_outputs)

    return held(point.voltages, strength, target)  # type: ignore[arg-type]
