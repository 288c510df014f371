"""What a report shows of a run, as numbers: its network, and what that does with samples of the test set."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mho.errors import InputError, MhoError
from mho.experiments.baselines import Perceptron
from mho.experiments.configuration import Configuration
from mho.experiments.data import Dataset
from mho.experiments.data.form import DataForm
from mho.experiments.error import error_scale, predicted_classes, sample_errors
from mho.experiments.found_runs import run_data
from mho.experiments.prediction import Run, load
from mho.experiments.run import read_configuration
from mho.networks import Circuit, LayeredNetwork, Network
from mho.precision import double, widened
from mho.steady import solve

_WORK = 2e10
"""Conductances times samples up to which the test set is solved as a whole."""
_OF_CIRCUITS = 200
"""Samples of a circuit without layers, each of which is solved and certified by itself."""
_AT_ONCE = 1024


@dataclass(frozen=True)
class Answers:
    """What a network answers to samples, in float64."""

    inputs: np.ndarray
    """What it sees, (samples, features)."""
    number: np.ndarray
    """Which samples of the test set they are."""
    expected: np.ndarray
    """Labels, (samples,), or a regression's targets, (samples, outputs), as training takes them."""
    prediction: np.ndarray
    """Outputs [V], or logits, (samples, outputs)."""
    voltages: Any = None
    """Node voltages [V], in the network's structure; None in software."""
    source_currents: np.ndarray | None = None
    """Of a circuit's points; see `mho.steady.newton.CircuitSolution`."""
    residual: np.ndarray | None = None
    """The solver's own measure of each sample; see `mho.Solution`."""
    steps: int | None = None
    """Sweeps, or Newton's steps, that a batch took at the most."""


@dataclass(frozen=True)
class Measured:
    """A run and what was found out about it."""

    name: str
    """What the page calls it."""
    experiment: str
    run: Run
    dataset: Dataset | None
    answers: Answers | None
    missing: str
    """Why there are no data or no answers."""

    @property
    def configuration(self) -> Configuration:
        """The run's."""
        return self.run.configuration

    @property
    def network(self) -> Any:
        """The run's, as its last checkpoint has it."""
        return self.run.network

    @property
    def form(self) -> DataForm | None:
        """Of the data, if they are known."""
        return self.dataset.form if self.run.form is None and self.dataset is not None else self.run.form

    @property
    def tested_on(self) -> str:
        """Which samples the answers are of."""
        if self.dataset is None or self.answers is None:
            return ""
        there, shown = len(self.dataset.test_inputs), len(self.answers.number)
        which = "training" if self.dataset.tests_what_it_trains else "test"
        return f"{shown:,} of {there:,} {which} samples" if shown < there else f"all {there:,} {which} samples"

    @cached_property
    def error(self) -> float | None:
        """Of the answers: the fraction of samples not predicted, or of variance unexplained."""
        answers = self.answers
        scale = 0.0 if answers is None else error_scale(answers.expected)
        if answers is None or scale == 0.0:
            return None
        found = double(sample_errors)(answers.prediction, answers.expected, self.run.target_voltage)  # type: ignore[arg-type]
        return float(np.mean(found)) / scale

    @cached_property
    def classes(self) -> np.ndarray:
        """The class that each answer tells, (samples,)."""
        assert self.answers is not None
        return np.asarray(predicted_classes(np.asarray(self.answers.prediction), self.run.target_voltage))  # type: ignore[arg-type]


def measure(run: Run | str | Path) -> Measured:
    """What there is to tell of a run.

    Args:
        run: its folder, one of its checkpoints, or what `mho.load` gave.

    Raises:
        InputError: if there is no run, or no checkpoint that can be read.
    """
    loaded = run if isinstance(run, Run) else load(run)
    path = loaded.folder if isinstance(run, Run) else Path(run)
    experiment, _ = read_configuration(loaded.folder)
    name = path.name if path.suffix != ".npz" else f"{loaded.folder.name}/{path.stem}"
    found = Measured(name or path.resolve().name, experiment, loaded, None, None, "")
    try:
        dataset = run_data(loaded.configuration, loaded.folder, loaded.form)
        found = replace(found, dataset=dataset)
        return replace(found, answers=_answers(loaded, dataset))
    except MhoError as problem:  # of bad input, too: what there is is reported all the same
        return replace(found, missing=str(problem))


def _answers(run: Run, dataset: Dataset) -> Answers:
    network, there = run.network, len(dataset.test_inputs)
    size = sum(np.size(values) for values in jax.tree.leaves(network))
    count = min(there, _OF_CIRCUITS if isinstance(network, Circuit) else max(100, int(_WORK / max(size, 1))))
    number = np.linspace(0, there - 1, count).astype(int)
    inputs = np.asarray(dataset.test_inputs[number], np.float64) * dataset.scale
    expected = dataset.test_targets[number]
    if isinstance(network, Perceptron):
        return Answers(inputs, number, expected, np.asarray(double(Perceptron.__call__)(network, inputs)))  # type: ignore[arg-type]
    if not isinstance(network, Network):
        raise InputError(f"a {type(network).__name__} is no network of mho's: what it predicts is not known")
    wide = widened(network) if isinstance(network, LayeredNetwork) else network
    found = [solve(wide, inputs[k : k + _AT_ONCE]) for k in range(0, count, _AT_ONCE)]
    if isinstance(found[0].voltages, tuple):
        voltages: Any = tuple(np.concatenate(layer) for layer in zip(*(s.voltages for s in found), strict=True))
    else:
        voltages = np.concatenate([np.asarray(s.voltages) for s in found])
    predicted: Any = double(network.prediction)  # type: ignore[arg-type]
    prediction = np.concatenate([np.asarray(predicted(s.voltages)) for s in found])
    residual = np.concatenate([np.ravel(s.residual) for s in found])
    steps = max(int(np.max(s.steps)) for s in found)
    currents = np.concatenate([s.source_currents for s in found]) if isinstance(network, Circuit) else None  # type: ignore[attr-defined]
    return Answers(inputs, number, expected, prediction, voltages, currents, residual, steps)
