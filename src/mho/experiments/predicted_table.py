"""What a trained network says of samples that it has not seen: a table with its predictions beside it, or one sample's
voltages.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from mho.errors import InputError
from mho.experiments.baselines import Perceptron
from mho.experiments.configuration import Configuration
from mho.experiments.data.archive import read_archive
from mho.experiments.data.arrays import array_samples
from mho.experiments.data.files import read_bytes
from mho.experiments.data.form import DataForm
from mho.experiments.data.pictures import read_pictures
from mho.experiments.data.samples import Samples, encoded, in_bytes
from mho.experiments.data.table import Table, read_table, table_samples
from mho.experiments.error import error_scale, sample_errors
from mho.experiments.export import held_sample, held_set, node_voltages
from mho.experiments.prediction import Run, load, predict
from mho.experiments.training import run_data
from mho.networks import Circuit
from mho.precision import double
from mho.steady import Auto

_RTOL, _STEPS = 1e-10, 1000
"""Of circuits that have an energy, which settle many samples at a time so; others are solved one by one."""


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
    form, unit = trained.form, trained.target_voltage
    if form is None:
        raise InputError(f"{run}: does not tell what data it was trained on: it was begun by an earlier version of mho")
    table, samples, files = _read(path, form, trained.configuration)
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


def _read(
    path: Path, form: DataForm, configuration: Configuration
) -> tuple[Table | None, Samples, list[tuple[str, Sequence[str]]]]:
    """A table, or None; its samples; and what else there is to tell them apart by, a column each."""
    if path.is_dir():
        samples, found = read_pictures(path, targets=False)
        _check_shape(samples, form)
        return None, replace(samples, inputs=samples.inputs * in_bytes(samples)), [("file", [str(p) for p in found])]
    content = read_bytes(path)
    if path.suffix.lower() == ".npz":
        (x, y), _ = read_archive(content, str(path), targets=False)
        samples = array_samples(x, y, str(path))
        _check_shape(samples, form)
        return None, samples, [("sample", [str(k) for k in range(len(samples.inputs))])]
    table = read_table(content, str(path))
    wanted = form.target_names or ()
    if form.feature_names is not None and table.header:
        features = [table.place(name) for name in form.feature_names]
        targets = [table.place(name) for name in wanted if name in table.names]
    else:
        count, outputs = len(table.names), 1 if form.classes is not None else form.outputs
        if count not in (form.features, form.features + outputs):
            raise InputError(
                f"{path}: has {count} columns; expected {form.features} features, or {form.features + outputs} columns with "
                "what is to be predicted"
            )
        named = [table.names.index(name) for name in configuration.target if name in table.names]
        last = list(range(form.features, count))
        targets = [] if count == form.features else named if len(named) == outputs else last
        features = [k for k in range(count) if k not in targets]
    if targets and len(targets) != (1 if form.classes is not None else form.outputs):
        targets = []
    return table, table_samples(table, features, targets), []


def _check_shape(samples: Samples, form: DataForm) -> None:
    if samples.inputs.shape[1] != form.features or (
        form.image_shape and samples.image_shape not in (None, form.image_shape)
    ):
        here, there = samples.image_shape or samples.inputs.shape[1], form.image_shape or form.features
        raise InputError(f"{samples.origin}: samples of shape {here}; the run was trained on {there}")


def _predictions(run: Run, inputs: np.ndarray) -> np.ndarray:
    """Predictions [V], (samples, outputs), in float64, from the data's own numbers."""
    network, form = run.network, run.form
    if isinstance(network, Perceptron) and form is not None:
        return np.asarray(double(Perceptron.__call__)(network, form.inputs(inputs)))  # type: ignore[arg-type]
    solver = Auto(_RTOL, _STEPS) if isinstance(network, Circuit) and network.ties is not None else None
    return predict(run, inputs, solver=solver)


def _error(samples: Samples, form: DataForm, volts: np.ndarray, unit: float) -> float | None:
    if samples.targets is None:
        return None
    expected = encoded(samples, form.labels if form.classes is not None else None)
    if form.classes is None:
        expected = form.target_scaling.apply(expected)
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
    return _csv(header, rows, table.delimiter)


def _listed(files: Sequence[tuple[str, Sequence[str]]], added: Sequence[tuple[str, Sequence[Any]]]) -> str:
    columns = [*files, *added]
    return _csv([name for name, _ in columns], zip(*(values for _, values in columns), strict=True), ",")


def _csv(header: Sequence[str] | None, rows: Iterable[Sequence[Any]], delimiter: str) -> str:
    content = io.StringIO()
    writer = csv.writer(content, delimiter=delimiter, lineterminator="\n")
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return content.getvalue()


@dataclass(frozen=True)
class PredictedSample:
    """One sample of a run's test set."""

    part: str
    """"test", or "training" where the run is tested on the samples that it trains on."""
    prediction: str | list[float]
    """In the data's own terms."""
    expected: str | list[float]
    nodes: dict[str, float]
    """Voltages [V] by the names of the nodes in an exported netlist."""


def predicted_sample(run: Path, sample: int) -> PredictedSample:
    """Every node's voltage, and the prediction, of a sample of a run's test set, in float64.

    Raises:
        InputError: if there is no such run or sample, or the run trains a network in software.
        MhoError: if it has no operating point.
    """
    trained = load(run)
    configuration, network = trained.configuration, trained.network
    if isinstance(network, Perceptron):
        raise InputError(f"{run}: trains a network in software, which has no voltages; predict from a file")
    dataset = run_data(configuration, run, trained.form)
    part, samples = held_set(dataset), len(dataset.test_inputs)
    if not 0 <= sample < samples:
        raise InputError(f"--sample {sample}: the {part} set of {run} has samples 0 to {samples - 1}")
    inputs, _ = held_sample(configuration, dataset, sample)
    told = dataset.form.told(predict(network, inputs), trained.target_voltage)[0]
    expected = dataset.test_targets[sample]
    known = (
        dataset.form.labels[expected]
        if dataset.classes is not None
        else dataset.target_scaling.undo(np.asarray(expected, float)).tolist()
    )
    return PredictedSample(
        part=part,
        prediction=str(told) if dataset.classes is not None else told.tolist(),
        expected=known,
        nodes=node_voltages(network, inputs, None),
    )
