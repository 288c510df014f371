"""Runs found again: their data, their networks, and networks that begin with what another run has learned."""

import dataclasses
import reprlib
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import jax

from mho.errors import InputError, MhoError
from mho.experiments.checkpoint import (
    Bookmark,
    read_bookmark,
    read_checkpoint,
)
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.configuration import (
    Configuration,
    NetworkConfiguration,
    UnlayeredConfiguration,
    from_json,
)
from mho.experiments.data import DATASETS, Dataset
from mho.experiments.data.files import digest
from mho.experiments.data.form import DataForm
from mho.experiments.data_fields import is_file
from mho.experiments.kinds import averaging_after, experiment_data, untrained_network
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.run import (
    checkpoint_folder,
    may_change,
    read_configuration,
    read_structure,
)
from mho.experiments.transfer import programmed_with
from mho.networks import Network


def run_data(configuration: Configuration, run: Path, form: DataForm | None) -> Dataset:
    """The data of a run; see `experiment_data`.

    Args:
        configuration: the run's.
        run: where it is, for errors.
        form: the data that it began with; None for a run that knows none.

    Raises:
        InputError: if a file of them has changed since.
    """
    fitted = isinstance(configuration, NetworkConfiguration)
    known = configuration.dataset in DATASETS or is_file(configuration.dataset)
    if fitted and (not known or "data" in configuration.own):
        raise InputError(f"{run}: {_OWN_DATA}")
    for field, expected in (form.sha256 if form is not None else {}).items():
        actual = digest(Path(getattr(configuration, field)))
        if actual != expected:
            raise InputError(
                f"{getattr(configuration, field)}: is not what {run} was trained on: expected sha256 {expected}, actual "
                f"{actual}"
            )
    dataset = experiment_data(configuration)
    if fitted and form is not None and DataForm.from_json(dataset.form.to_json()) != form:
        raise InputError(f"{run}: {_OWN_DATA}")
    return dataset


_OWN_DATA = "mho.fit trained it on the program's own data, which a run does not keep; name a file of samples"


_ATTEMPTS = 20
"""Readings of the last checkpoint of a run that is being trained, until it is given up."""


def trained_network(run: Path, classes: Sequence[type] = ()) -> tuple[Configuration, Any]:
    """The configuration of a run and its network.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.
        classes: of a network that `mho.fit` trained, where they cannot be imported.

    Raises:
        InputError: if there is no run, or no checkpoint that can be read.
    """
    folder = run
    if run.suffix == ".npz":
        if not run.is_file():
            raise InputError(f"{run}: no such checkpoint")
        folder = run.absolute().parent.parent
    _, configuration = read_configuration(folder)
    fitted = isinstance(configuration, NetworkConfiguration)
    double = isinstance(configuration, UnlayeredConfiguration) or (fitted and configuration.precision == "float64")

    def read(checkpoint: Path) -> tuple[Configuration, Any]:
        # Once: a run that is being trained removes its older checkpoints.
        stored = read_checkpoint(checkpoint)
        bookmark = stored.bookmark
        refuse_if_edited(folder, configuration, bookmark)
        refuse_if_too_large(configuration, bookmark.features, bookmark.outputs)
        if fitted:
            template = read_structure(folder, classes)
        else:
            form = form_of(bookmark)
            image = None if form is None else form.image_shape
            template = untrained_network(configuration, bookmark.features, bookmark.outputs, image)
        with jax.enable_x64(True) if double else nullcontext():
            averaged = bookmark.epochs_done > averaging_after(configuration)
            return configuration, stored.state(template, part="average" if averaged else "network")

    if run is not folder:
        return read(run)
    for _ in range(_ATTEMPTS):
        saved = checkpoints(checkpoint_folder(folder))
        if not saved:
            raise InputError(f"{folder}: has no checkpoint yet")
        with suppress(FileNotFoundError):
            return read(saved[0])
    raise MhoError(f"{folder}: its checkpoints change faster than they can be read; name one of them")


def started(configuration: Configuration, network: Any) -> tuple[Any, int]:
    """An untrained network with what the run that its configuration starts from has learned; see `programmed_with`.

    Raises:
        InputError: if there is no such run, or one of another network.
    """
    start = getattr(configuration, "start", None)
    if start is None:
        return network, 0
    try:
        with jax.enable_x64(False):  # as it was trained, whatever this one is
            _, trained = trained_network(Path(start))
        if not isinstance(trained, Network):
            raise InputError("a network in software has no conductances")
        return programmed_with(network, trained)
    except InputError as problem:
        raise InputError(f"--start {start}: {problem}") from problem


def run_form(run: Path) -> DataForm | None:
    """The form of the data that a run was trained on; None for a run that knows none.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.

    Raises:
        InputError: if there is no checkpoint that can be read.
    """
    if run.suffix == ".npz":
        return form_of(read_bookmark(run))
    saved = checkpoints(checkpoint_folder(run))
    if not saved:
        raise InputError(f"{run}: has no checkpoint yet")
    return form_of(read_bookmark(saved[0]))


def form_of(bookmark: Bookmark) -> DataForm | None:
    """The form of the data that a checkpoint tells of; None where it tells of none."""
    return DataForm.from_json(bookmark.data) if bookmark.data else None


def refuse_if_edited(folder: Path, configuration: Configuration, bookmark: Bookmark) -> None:
    """Refuse a configuration that is not what a checkpoint was trained with.

    Raises:
        InputError: with the field.
    """
    try:
        trained = from_json(bookmark.configuration)
    except InputError as problem:
        raise InputError(f"{checkpoint_folder(folder)}: a checkpoint of another version of mho: {problem}") from problem
    for field in dataclasses.fields(configuration):
        before, now = getattr(trained, field.name, None), getattr(configuration, field.name)
        if not may_change(field.name, before, now):
            raise InputError(
                f"{folder / 'config.json'}: {field.name} is {_brief(now)}, but the run was trained with {_brief(before)}: "
                "put that back, or begin a new run"
            )


def _brief(value: object) -> str:
    """A value of a configuration in one line, which a netlist's text would not be."""
    return reprlib.repr(value) if isinstance(value, str) and "\n" in value else str(value)
