"""Training: a configuration becomes a finished run in a folder."""

import dataclasses
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from mho.errors import InputError
from mho.experiments.checkpoint import (
    read_bookmark,
)
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.configuration import (
    Configuration,
    NetworkConfiguration,
)
from mho.experiments.data.form import DataForm
from mho.experiments.devices import Devices, one_device
from mho.experiments.found_runs import form_of, refuse_if_edited, run_data
from mho.experiments.kinds import experiment_data
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.progress import Quiet, Show
from mho.experiments.run import (
    checkpoint_folder,
    create_run,
    discard_unbegun,
    exclusive,
    may_change,
    read_configuration,
    write_configuration,
)
from mho.experiments.structure import Structure
from mho.experiments.under_way import CHECKPOINT_MINUTES, Finished, Interrupted, Training


def train(
    name: str,
    configuration: Configuration,
    folder: Path,
    *,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    devices: Devices | None = None,
    show: Show | None = None,
) -> Finished:
    """Train a configuration from its start.

    Args:
        name: the experiment's name, for config.json.
        configuration: what to train.
        folder: where the run goes; it must not hold one.
        checkpoint_minutes: time between two checkpoints within an epoch; there is one after each epoch anyway.
        devices: what to train on; the first device if None. They change nothing but rounding.
        show: shows the progress; nothing is shown if it is None.

    Raises:
        InputError: where configuration, data, devices and folder do not fit.
        MhoError: if the loss or the network ceases to be finite, or another host of the run ends.
        Interrupted: on SIGINT or SIGTERM, once a checkpoint is written.
    """
    _check_interval(checkpoint_minutes)
    refuse_if_too_large(configuration, 1, 1)  # before the data are fetched
    dataset = experiment_data(configuration)
    devices = devices or one_device()
    training = Training(name, configuration, dataset, folder, checkpoint_minutes, devices, show or Quiet())
    return begin(training)


def begin(training: "Training", structure: Structure | None = None) -> Finished:
    """Make the folder of a run and train it; `structure` is of a network that no configuration can make."""
    folder, devices = training.folder, training.devices
    made = create_run(folder, training.name, training.configuration, structure) if devices.leads else []
    with _advising(folder):
        try:
            with _held(folder, devices):
                return training.run()
        except (Exception, KeyboardInterrupt):
            if devices.leads:
                discard_unbegun(folder, made)
            raise


def resume(
    folder: Path,
    *,
    epochs: int | None = None,
    data_dir: str | None = None,
    dataset: str | None = None,
    test_dataset: str | None = None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    devices: Devices | None = None,
    show: Show | None = None,
) -> Finished:
    """Go on with a run where its last checkpoint stands: the outcome is the uninterrupted run's, bit for bit.

    On other devices than it was begun on, to rounding.

    Args:
        folder: the run's folder.
        epochs: epochs to train in all; what the run was begun with if None.
        data_dir: where the data set's files are now; what the run was begun with if None.
        dataset: where the user's own data are now, which must be the same; what the run was begun with if None.
        test_dataset: where those to test on are now.
        checkpoint_minutes: see `train`.
        devices: see `train`.
        show: see `train`.

    Raises:
        InputError: if the folder holds no run or no checkpoint, its last checkpoint is damaged or of another configuration,
            or more epochs are done already.
        MhoError: see `train`.
        Interrupted: see `train`.
    """
    _check_interval(checkpoint_minutes)
    name, configuration = read_configuration(folder)
    if isinstance(configuration, NetworkConfiguration):
        raise InputError(f"--resume {folder}: is a run of mho.fit; go on with it by mho.fit(..., resume=True)")
    given = {"epochs": epochs, "data_dir": data_dir, "dataset": dataset, "test_dataset": test_dataset}
    changed = dataclasses.replace(configuration, **{k: v for k, v in given.items() if v is not None})
    for field in given:
        if not may_change(field, getattr(configuration, field), getattr(changed, field)):
            began = getattr(configuration, field)
            raise InputError(f"--{field.replace('_', '-')} {given[field]}: {folder} was begun with {began}")
    if changed.epochs != configuration.epochs and getattr(configuration, "average_last", 0):
        raise InputError(
            f"--epochs {changed.epochs}: {folder} averages over the last of its {configuration.epochs} epochs"
        )
    devices = devices or one_device()

    def training(form: DataForm | None) -> Training:
        data = run_data(changed, folder, form)
        return Training(name, changed, data, folder, checkpoint_minutes, devices, show or Quiet())

    return go_on(folder, configuration, changed, devices, training)


def go_on(
    folder: Path,
    configuration: Configuration,
    changed: Configuration,
    devices: Devices,
    training: "Callable[[DataForm | None], Training]",
) -> Finished:
    """Go on with a run from its last checkpoint; see `resume`.

    Args:
        folder: the run's folder.
        configuration: what it was begun with.
        changed: what it is to end with.
        devices: to train on.
        training: makes what is under way, given the form of the data that it began with, once there is something left to do.
    """
    with _held(folder, devices), _advising(folder):
        saved = checkpoints(checkpoint_folder(folder))
        if not saved:
            raise InputError(
                f"--resume {folder}: has no checkpoint to go on from; begin it anew by "
                f"mho train {read_configuration(folder)[0]} --out {shlex.quote(str(folder))}"
            )
        bookmark = read_bookmark(saved[0])
        refuse_if_edited(folder, configuration, bookmark)
        under_way = bookmark.epochs_done + (bookmark.step > 0)
        if changed.epochs < under_way:
            raise InputError(f"--epochs {changed.epochs}: {folder} is in epoch {under_way} already")
        if bookmark.epochs_done == changed.epochs and (folder / "histograms.png").exists():
            return Finished(folder, bookmark.metrics, trained=False)
        made = training(form_of(bookmark))
        if devices.leads:
            if changed != configuration:
                write_configuration(folder, made.name, changed)
            checkpoint_folder(folder).mkdir(exist_ok=True)
        return made.run(saved[0])


def _check_interval(checkpoint_minutes: float) -> None:
    if not checkpoint_minutes > 0:
        raise InputError(f"--checkpoint-minutes {checkpoint_minutes}: must be positive")


def _held(folder: Path, devices: Devices) -> AbstractContextManager[None]:
    """The folder is held by the process that writes in it."""
    return exclusive(folder) if devices.leads else nullcontext()


@contextmanager
def _advising(folder: Path) -> Iterator[None]:
    """An interruption before the first step, or after the last, can be gone on from where there is a checkpoint."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as interruption:
        if checkpoints(checkpoint_folder(folder)):
            raise Interrupted(str(interruption) or "interrupted") from interruption
        raise
