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
    form, unit = _known(run, trained.form), trained.target_voltage
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


def _known(run: Path, form: DataForm | None) -> DataForm:
    if form is None:
        raise InputError(f"{run}: does not tell what data it was trained on: it was begun by an earlier version of mho")
    return form


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
    return predict(run, inputs)


def _expected(samples: Samples, form: DataForm) -> np.ndarray | None:
    """What is to be predicted, as training takes it; None where that is not known."""
    if samples.targets is None:
        return None
    if form.classes is not None:
        return encoded(samples, form.labels)
    return form.target_scaling.apply(encoded(samples, None))


def _error(samples: Samples, form: DataForm, volts: np.ndarray, unit: float) -> float | None:
    expected = _expected(samples, form)
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
    configuration, network, form = trained.configuration, trained.network, trained.form
    if isinstance(network, Perceptron):
        raise InputError(
            f"{run}: trains a network in software, which has no voltages; predict from a file, without --sample"
        )
    expected: Any = None
    if path is None:
        dataset = run_data(configuration, run, form)
        form, origin, whose = dataset.form, held_set(dataset), f"the {held_set(dataset)} set of {run}"
        count = len(dataset.test_inputs)
        if 0 <= sample < count:
            inputs, expected = held_sample(configuration, dataset, sample)[0], dataset.test_targets[sample]
    else:
        _, samples, _ = _read(path, form := _known(run, form), configuration)
        origin = whose = str(path)
        count = len(samples.inputs)
        if 0 <= sample < count:
            inputs, expected = form.inputs(samples.inputs[sample : sample + 1]), _expected(samples, form)
            expected = None if expected is None else expected[sample]
    if not 0 <= sample < count:
        raise InputError(f"--sample {sample}: {whose} has samples 0 to {count - 1}")
    told = form.told(predict(network, inputs), trained.target_voltage)[0]
    if expected is not None:
        known = form.classes is not None
        expected = form.labels[expected] if known else form.target_scaling.undo(np.asarray(expected, float)).tolist()
    return PredictedSample(
        origin=origin,
        prediction=str(told) if form.classes is not None else told.tolist(),
        expected=expected,
        nodes=node_voltages(network, inputs, None),
    )
