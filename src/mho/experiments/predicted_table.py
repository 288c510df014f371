"""What a trained network says of samples that it has not seen: a table with its predictions beside it, or one sample's
voltages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from mho.errors import InputError
from mho.experiments.baselines import Perceptron
from mho.experiments.data.form import DataForm
from mho.experiments.data.samples import Samples
from mho.experiments.data.table import Table, csv_text
from mho.experiments.error import error_scale, sample_errors
from mho.experiments.export import node_voltages
from mho.experiments.held_sample import held_sample
from mho.experiments.new_samples import expected_of, known_form, read_samples
from mho.experiments.prediction import Run, load, predict
from mho.precision import double


@dataclass(frozen=True)
class PredictedTable:
    """Samples with their predictions."""

    text: str
    """CSV: the columns that there were, then the predictions."""
    samples: int
    error: float | None
    """Fraction of the samples not predicted, or of variance unexplained; None where what is to be predicted is not known."""


def predicted_table(run: Path, path: Path, *, scores: bool = False) -> PredictedTable:
    """A file's samples with what a run's network predicts of them, in the data's own terms.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.
        path: a table with the features' columns, in any order where they have names, or by number; other columns may stand
            between named ones. Or an archive with the array `x`, or a folder of pictures. What is to be predicted may be
            there or not.
        scores: whether the output voltages [V] are told, too.

    Raises:
        InputError: if there is no such run, or the file does not fit what it was trained on.
        MhoError: if a sample has no operating point.
    """
    trained = load(run)
    form, unit = known_form(run, trained.form), trained.target_voltage
    table, samples, files = read_samples(path, form, trained.configuration)
    volts = _predictions(trained, samples.inputs)
    added: list[tuple[str, Sequence[Any]]] = []
    told = form.told(volts, unit)
    if form.classes is not None:
        name = form.target_names[0] if form.target_names else "class"
        added.append((f"predicted_{name}", told.tolist()))
    else:
        added += [(f"predicted_{name}", _numbers(told[:, k])) for k, name in enumerate(form.labels)]
    if scores:
        labels = form.labels if volts.shape[1] == len(form.labels) else form.labels[-1:]
        added += [(f"volts_{name}", _numbers(volts[:, k])) for k, name in enumerate(labels)]
    text = _with_columns(table, added) if table is not None else _listed(files, added)
    return PredictedTable(text, len(volts), _error(samples, form, volts, unit))


def _predictions(run: Run, inputs: np.ndarray) -> np.ndarray:
    """Predictions [V], (samples, outputs), in float64, from the data's own numbers."""
    network, form = run.network, run.form
    if isinstance(network, Perceptron) and form is not None:
        return np.asarray(double(Perceptron.__call__)(network, form.inputs(inputs)))  # type: ignore[arg-type]
    return predict(run, inputs)


def _error(samples: Samples, form: DataForm, volts: np.ndarray, unit: float) -> float | None:
    expected = expected_of(samples, form)
    if expected is None:
        return None
    scale = error_scale(expected)
    if scale == 0.0:
        return None
    errors = np.asarray(double(sample_errors)(jnp.asarray(volts), jnp.asarray(expected), unit))
    return float(errors.mean()) / scale


def _numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.12g}" for value in values]


def _with_columns(table: Table, added: Sequence[tuple[str, Sequence[Any]]]) -> str:
    twice = next((name for name, _ in added if table.header and name in table.names), None)
    if twice is not None:
        raise InputError(f"{table.origin}: has a column {twice!r} already")
    rows = ([*row, *new] for (_, row), new in zip(table.rows(), zip(*(c for _, c in added), strict=True), strict=True))
    header = [*table.names, *(name for name, _ in added)] if table.header else None
    return csv_text(header, rows, table.delimiter)


def _listed(files: Sequence[tuple[str, Sequence[str]]], added: Sequence[tuple[str, Sequence[Any]]]) -> str:
    columns = [*files, *added]
    return csv_text([name for name, _ in columns], zip(*(values for _, values in columns), strict=True))


@dataclass(frozen=True)
class PredictedSample:
    """One sample, of a file or of a run's test set."""

    origin: str
    """The file; or "test", or "training" where the run is tested on the samples that it trains on."""
    prediction: str | list[float]
    """In the data's own terms."""
    expected: str | list[float] | None
    """None where that is not known."""
    nodes: dict[str, float]
    """Voltages [V] by the names of the nodes in an exported netlist."""


def predicted_sample(run: Path, sample: int, path: Path | None = None) -> PredictedSample:
    """Every node's voltage, and the prediction, of one sample, in float64.

    Args:
        run: see `predicted_table`.
        sample: counted from 0.
        path: the file that it is of, as in `predicted_table`; the run's test set if None.

    Raises:
        InputError: if there is no such run or sample, or the run trains a network in software.
        MhoError: if it has no operating point.
    """
    trained = load(run)
    held = held_sample(run, trained, sample, path)
    form, expected = held.form, held.expected
    told = form.told(predict(trained.network, held.inputs), trained.target_voltage)[0]
    if expected is not None:
        known = form.classes is not None
        expected = form.labels[expected] if known else form.target_scaling.undo(np.asarray(expected, float)).tolist()
    return PredictedSample(
        origin=held.origin,
        prediction=str(told) if form.classes is not None else told.tolist(),
        expected=expected,
        nodes=node_voltages(trained.network, held.inputs, None),
    )
