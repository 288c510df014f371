"""Samples of a file that a run was not trained on, read in the form of its data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.experiments.configuration import Configuration
from mho.experiments.data.archive import read_archive
from mho.experiments.data.arrays import array_samples
from mho.experiments.data.files import read_bytes
from mho.experiments.data.form import DataForm
from mho.experiments.data.pictures import read_pictures
from mho.experiments.data.samples import Samples, encoded, in_bytes
from mho.experiments.data.table import Table, read_table, table_samples


def known_form(run: Path, form: DataForm | None) -> DataForm:
    """A run's form of data.

    Raises:
        InputError: for a run that knows none.
    """
    if form is None:
        raise InputError(f"{run}: does not tell what data it was trained on: it was begun by an earlier version of mho")
    return form


def read_samples(
    path: Path, form: DataForm, configuration: Configuration
) -> tuple[Table | None, Samples, list[tuple[str, Sequence[str]]]]:
    """A table, or None; its samples; and what else there is to tell them apart by, a column each.

    Args:
        path: a table, an archive or a folder of pictures; see `mho.experiments.predicted_table.predicted_table`.
        form: of the data that the run was trained on.
        configuration: the run's.

    Raises:
        InputError: if there is no such file, or it is of another form.
    """
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


def expected_of(samples: Samples, form: DataForm) -> np.ndarray | None:
    """What is to be predicted, as training takes it; None where that is not known."""
    if samples.targets is None:
        return None
    if form.classes is not None:
        return encoded(samples, form.labels)
    return form.target_scaling.apply(encoded(samples, None))


def _check_shape(samples: Samples, form: DataForm) -> None:
    if samples.inputs.shape[1] != form.features or (
        form.image_shape and samples.image_shape not in (None, form.image_shape)
    ):
        here, there = samples.image_shape or samples.inputs.shape[1], form.image_shape or form.features
        raise InputError(f"{samples.origin}: samples of shape {here}; the run was trained on {there}")
