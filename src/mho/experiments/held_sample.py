"""The one sample that a circuit's sources hold: of a run's test set, or of a file of the user's."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.experiments.baselines import Perceptron
from mho.experiments.data import Dataset
from mho.experiments.data.form import DataForm
from mho.experiments.found_runs import run_data
from mho.experiments.new_samples import expected_of, known_form, read_samples
from mho.experiments.prediction import Run


@dataclass(frozen=True)
class HeldSample:
    """One sample."""

    origin: str
    """Its file; or "test", or "training" where the run is tested on the samples that it trains on."""
    number: int
    """Counted from 0."""
    inputs: np.ndarray
    """What the network sees, (1, features)."""
    expected: np.ndarray | None
    """Its label, or a regression's targets, (outputs,), as training takes them; None where that is not known."""
    form: DataForm


def held_sample(folder: Path, run: Run, sample: int, path: Path | None = None) -> HeldSample:
    """A sample of a file, or of a run's test set.

    Args:
        folder: of the run, or one of its checkpoints: for errors.
        run: the run.
        sample: counted from 0.
        path: see `mho.experiments.predicted_table.predicted_table`; the test set (a validation split where there is one, the
            training set where the run is tested on no other) if None.

    Raises:
        InputError: if there is no such sample, or the run trains a network in software.
    """
    if isinstance(run.network, Perceptron):
        raise InputError(f"{folder}: trains a network in software, which has no circuit and no voltages")
    if path is None:
        dataset = run_data(run.configuration, folder, run.form)
        _check(sample, len(dataset.test_inputs), f"the {_set(dataset)} set of {folder}")
        return of_test_set(dataset, sample)
    form = known_form(folder, run.form)
    samples = read_samples(path, form, run.configuration)[1]
    _check(sample, len(samples.inputs), str(path))
    expected = expected_of(samples, form)
    inputs = form.inputs(samples.inputs[sample : sample + 1])
    return HeldSample(str(path), sample, inputs, None if expected is None else expected[sample], form)


def of_test_set(dataset: Dataset, sample: int) -> HeldSample:
    """A sample of a data set's test set."""
    inputs = np.asarray(dataset.test_inputs[sample : sample + 1], np.float64) * dataset.scale
    return HeldSample(_set(dataset), sample, inputs, dataset.test_targets[sample], dataset.form)


def _check(sample: int, count: int, whose: str) -> None:
    if not 0 <= sample < count:
        raise InputError(f"--sample {sample}: {whose} has samples 0 to {count - 1}")


def _set(dataset: Dataset) -> str:
    return "training" if dataset.tests_what_it_trains else "test"
