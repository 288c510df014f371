"""Training: a configuration becomes a finished run in a folder."""

import dataclasses
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.errors import InputError, MhoError
from mho.experiments.analog import analog_learner, analog_network
from mho.experiments.baselines import baseline_learner, perceptron
from mho.experiments.checkpoint import (
    Bookmark,
    checkpoint_path,
    checkpoints,
    read_bookmark,
    read_state,
    write_checkpoint,
)
from mho.experiments.circuits import circuit, circuit_learner
from mho.experiments.configuration import (
    AnalogConfiguration,
    BaselineConfiguration,
    CircuitConfiguration,
    Configuration,
    RuleConfiguration,
    from_json,
    to_json,
)
from mho.experiments.data import Dataset, load_dataset, split_validation
from mho.experiments.devices import Devices, one_device
from mho.experiments.epoch import (
    TrainingState,
    all_finite,
    compile_epoch,
    compile_test,
    fresh_tally,
    initial_state,
    sample_order,
)
from mho.experiments.error import error_scale
from mho.experiments.learner import Learner
from mho.experiments.plots import plot_curves, plot_histograms
from mho.experiments.progress import Quiet, Show, Standing
from mho.experiments.run import (
    CHANGEABLE,
    Metrics,
    MetricsLog,
    checkpoint_folder,
    create_run,
    exclusive,
    read_configuration,
    write_configuration,
)
from mho.interruption import deferred

_PIECE_SECONDS = 0.5
"""How long the compiled loop may run before the caller has its say."""
_PROBED = 64
"""Test samples whose Kirchhoff residual is measured after each epoch."""
_SPLIT_SEED = 0
"""Draws the validation samples: the same ones for every seed of the training."""


class Interrupted(KeyboardInterrupt):
    """Training was interrupted and a checkpoint written, from which `resume` goes on."""


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    folder: Path
    metrics: list[Metrics]
    trained: bool
    """Whether there was anything left to do."""


def experiment_data(configuration: Configuration) -> Dataset:
    """The data that a configuration trains on and is tested on.

    Raises:
        InputError: for a regression where the network cannot learn one, or a set smaller than a batch or than the
            validation split.
        MhoError: if it cannot be fetched.
    """
    dataset = load_dataset(configuration.dataset, configuration.data_dir)
    if dataset.classes is None and not isinstance(configuration, CircuitConfiguration):
        raise InputError(f"--dataset {configuration.dataset}: has no classes, and a layered network learns classes")
    if dataset.classes is None and isinstance(configuration, CircuitConfiguration) and configuration.cost != "squared":
        raise InputError(f"--cost {configuration.cost}: {configuration.dataset} has no classes; its cost is squared")
    if configuration.validation:
        try:
            dataset = split_validation(dataset, configuration.validation, _SPLIT_SEED)
        except InputError as problem:
            raise InputError(f"--validation {configuration.validation}: {problem}") from problem
    for part, targets in (("training", dataset.train_targets), ("test", dataset.test_targets)):
        if error_scale(targets) == 0.0:
            raise InputError(
                f"{configuration.dataset}: all targets of the {part} set are equal: no variance to explain"
            )
    samples = len(dataset.train_inputs)
    if configuration.batch_size > samples:
        raise InputError(f"--batch-size {configuration.batch_size}: must not exceed the {samples} training samples")
    return dataset


def learner(configuration: Configuration, features: int, outputs: int, steps_per_epoch: int) -> Learner:
    """The learner of a configuration of any kind, with an output a class or a value to predict."""
    match configuration:
        case AnalogConfiguration():
            return analog_learner(configuration, features, outputs, steps_per_epoch)
        case CircuitConfiguration():
            return circuit_learner(configuration, features, outputs, steps_per_epoch)
        case BaselineConfiguration():
            return baseline_learner(configuration, features, outputs, steps_per_epoch)
    raise TypeError(f"{type(configuration).__name__} is no kind of configuration")


def untrained_network(configuration: Configuration, features: int, outputs: int) -> Any:
    """The network of a configuration of any kind, before training."""
    match configuration:
        case CircuitConfiguration():
            with jax.enable_x64(True):
                return circuit(configuration, features, outputs)
        case AnalogConfiguration():
            return analog_network(configuration, features, outputs)
        case BaselineConfiguration():
            return perceptron(configuration, features, outputs)
    raise TypeError(f"{type(configuration).__name__} is no kind of configuration")


def train(
    name: str,
    configuration: Configuration,
    folder: Path,
    *,
    checkpoint_minutes: float = 10.0,
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
    dataset = experiment_data(configuration)
    devices = devices or one_device()
    training = _Training(name, configuration, dataset, folder, checkpoint_minutes, devices, show or Quiet())
    if devices.leads:
        create_run(folder, name, configuration)
    with _held(folder, devices):
        return training.run()


def resume(
    folder: Path,
    *,
    epochs: int | None = None,
    data_dir: str | None = None,
    checkpoint_minutes: float = 10.0,
    devices: Devices | None = None,
    show: Show | None = None,
) -> Finished:
    """Go on with a run where its last checkpoint stands: the outcome is the uninterrupted run's, bit for bit.

    On other devices than it was begun on, to rounding.

    Args:
        folder: the run's folder.
        epochs: epochs to train in all; what the run was begun with if None.
        data_dir: where the data set's files are now; what the run was begun with if None.
        checkpoint_minutes: see `train`.
        devices: see `train`.
        show: see `train`.

    Raises:
        InputError: if the folder holds no run, its last checkpoint is damaged or of another configuration, or more epochs
            are done already.
        MhoError: see `train`.
        Interrupted: see `train`.
    """
    _check_interval(checkpoint_minutes)
    name, configuration = read_configuration(folder)
    changes = {k: v for k, v in {"epochs": epochs, "data_dir": data_dir}.items() if v is not None}
    changed = dataclasses.replace(configuration, **changes)
    devices = devices or one_device()
    with _held(folder, devices):
        saved = checkpoints(checkpoint_folder(folder))
        bookmark = read_bookmark(saved[0]) if saved else None
        if bookmark is not None:
            _refuse_if_edited(folder, configuration, bookmark)
            under_way = bookmark.epochs_done + (bookmark.step > 0)
            if changed.epochs < under_way:
                raise InputError(f"--epochs {changed.epochs}: {folder} is in epoch {under_way} already")
            if bookmark.epochs_done == changed.epochs and (folder / "histograms.png").exists():
                return Finished(folder, bookmark.metrics, trained=False)
        dataset = experiment_data(changed)
        training = _Training(name, changed, dataset, folder, checkpoint_minutes, devices, show or Quiet())
        if devices.leads:
            if changed != configuration:
                write_configuration(folder, name, changed)
            checkpoint_folder(folder).mkdir(exist_ok=True)
        return training.run(saved[0] if saved else None)


def trained_network(run: Path) -> tuple[Configuration, Any]:
    """The configuration of a run and its network.

    Args:
        run: the run's folder, whose last checkpoint counts, or one of its checkpoints.

    Raises:
        InputError: if there is no run, or no checkpoint that can be read.
    """
    folder = run
    if run.suffix == ".npz":
        if not run.is_file():
            raise InputError(f"{run}: no such checkpoint")
        folder = run.absolute().parent.parent
    _, configuration = read_configuration(folder)
    saved = [run] if run is not folder else checkpoints(checkpoint_folder(folder))
    if not saved:
        raise InputError(f"{folder}: has no checkpoint yet")
    bookmark = read_bookmark(saved[0])
    template = untrained_network(configuration, bookmark.features, bookmark.outputs)
    if isinstance(configuration, CircuitConfiguration):
        with jax.enable_x64(True):
            return configuration, read_state(saved[0], template, part="network")
    return configuration, read_state(saved[0], template, part="network")


def _refuse_if_edited(folder: Path, configuration: Configuration, bookmark: Bookmark) -> None:
    trained = from_json(bookmark.configuration)
    for field in dataclasses.fields(configuration):
        before, now = getattr(trained, field.name, None), getattr(configuration, field.name)
        if field.name not in CHANGEABLE and now != before:
            raise InputError(
                f"{folder / 'config.json'}: {field.name} is {now}, but the run was trained with {before}: put that back, "
                "or begin a new run"
            )


def _check_interval(checkpoint_minutes: float) -> None:
    if not checkpoint_minutes > 0:
        raise InputError(f"--checkpoint-minutes {checkpoint_minutes}: must be positive")


def _held(folder: Path, devices: Devices) -> AbstractContextManager[None]:
    """The folder is held by the process that writes in it."""
    return exclusive(folder) if devices.leads else nullcontext()


class _Training:
    """A run under way."""

    def __init__(
        self,
        name: str,
        configuration: Configuration,
        dataset: Dataset,
        folder: Path,
        checkpoint_minutes: float,
        devices: Devices,
        show: Show,
    ) -> None:
        self.name, self.configuration, self.dataset = name, configuration, dataset
        devices.check_batch(configuration.batch_size)
        self.folder, self.devices = folder, devices
        self.show = show if devices.leads else Quiet()
        self.interval = 60.0 * checkpoint_minutes
        self.samples, self.features = dataset.train_inputs.shape
        self.outputs = dataset.train_targets.shape[1] if dataset.classes is None else dataset.classes
        self.steps = configuration.passes * (self.samples // configuration.batch_size)
        self.learner = learner(configuration, self.features, self.outputs, self.steps)
        if not self.learner.traceable and devices.mesh.size > 1:
            self.learner.close()
            raise InputError(f"--devices {devices.mesh.size}: with another simulator there is nothing to share out")
        self.metrics: list[Metrics] = []
        self.seconds = 0.0
        """That the steps of the epoch under way took."""

    def run(self, saved: Path | None = None) -> Finished:
        """Train until all epochs are done, from a checkpoint if there is one."""
        with jax.enable_x64(self.learner.double):
            return self._run(saved)

    def _run(self, saved: Path | None) -> Finished:
        state = initial_state(self.learner)
        # Of the network at its start the shapes are enough from here on; a wide one is most of the memory.
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), self.learner.network)
        self.learner = dataclasses.replace(self.learner, network=shapes)
        if saved is not None:
            bookmark = read_bookmark(saved)
            state = read_state(saved, state)
            self.metrics, self.seconds = bookmark.metrics, bookmark.seconds
        state = self.devices.placed(state)
        log = MetricsLog(self.folder, self.metrics) if self.devices.leads else None
        try:
            with deferred() as interrupted:
                state = self.devices.together(lambda: self._epochs(state, log, interrupted))
        finally:
            if log is not None:
                log.close()
            self.learner.close()
        network = self.devices.gathered(state.network)
        if self.devices.leads:
            plot_curves(self.metrics, self.folder / "curves.png")
            plot_histograms(self.learner.weights(network), self.learner.weight_name, self.folder / "histograms.png")
        return Finished(self.folder, self.metrics, trained=True)

    def _epochs(self, state: TrainingState, log: MetricsLog | None, interrupted: Callable[[], bool]) -> TrainingState:
        configuration, dataset, devices = self.configuration, self.dataset, self.devices
        if len(self.metrics) == configuration.epochs:
            return state
        left_over = self.samples % configuration.batch_size
        if left_over:
            self.show.line(f"batches of {configuration.batch_size}: {left_over} samples are left out of each pass")
        inputs, labels, test_inputs, test_labels = map(
            devices.replicated,
            (dataset.train_inputs, dataset.train_targets, dataset.test_inputs, dataset.test_targets),
        )
        scale, passes = dataset.scale, configuration.passes
        advance = compile_epoch(
            self.learner,
            state,
            inputs,
            labels,
            classes=dataset.classes,
            scale=scale,
            batch_size=configuration.batch_size,
            passes=passes,
            devices=devices,
        )
        test = compile_test(self.learner, test_inputs, test_labels, scale=scale, devices=devices)
        probe = jnp.asarray(dataset.test_inputs[:_PROBED]).astype(float) * scale

        piece = 1
        written = time.monotonic()
        while len(self.metrics) < configuration.epochs:
            epoch = len(self.metrics) + 1
            order = devices.replicated(sample_order(configuration.seed, epoch, self.samples, passes))
            key = jax.random.wrap_key_data(
                devices.replicated(jax.random.key_data(jax.random.fold_in(jax.random.key(configuration.seed), epoch)))
            )
            step = int(state.step)
            while step < self.steps:
                began = time.perf_counter()
                stop = min(step + piece, self.steps)
                state = advance(state, devices.replicated(np.int32(stop)), order, inputs, labels, key)
                step = int(state.step)
                took = time.perf_counter() - began
                self.seconds += took
                # Pieces grow until they take long enough, and shrink again if they take too long.
                piece = (
                    2 * piece if took < _PIECE_SECONDS else max(1, piece // 2) if took > 4 * _PIECE_SECONDS else piece
                )
                self._refuse_if_diverged(state, epoch, step)
                self.show.standing(self._standing(state, epoch, step))
                due = time.monotonic() - written >= self.interval
                (piece, due), stopping = devices.agreed((piece, due), interrupted())
                if step < self.steps:
                    if stopping:
                        self._checkpoint(state, step)
                        raise Interrupted(f"interrupted in epoch {epoch}, step {step} of {self.steps}")
                    if due:
                        self._checkpoint(state, step)
                        written = time.monotonic()
            test_error, test_unconverged = test(state.network)
            standing = self._standing(state, epoch, step)
            circuit = self.learner.residual is not None
            network = devices.gathered(state.network)
            record: Metrics = {
                "epoch": epoch,
                "train_loss": standing.loss,
                "train_error": standing.error,
                "test_error": float(test_error) / len(test_labels) / error_scale(dataset.test_targets),
                "seconds": self.seconds,
                "residual": self.learner.residual(network, probe) if self.learner.residual and devices.leads else None,
                "unconverged": standing.unconverged if circuit else None,
                "test_unconverged": int(test_unconverged) if circuit else None,
                "sweeps": int(state.tally.sweeps) / self.steps if circuit else None,
            }
            if log is not None:
                log.append(record)
            self.metrics = [*self.metrics, record]
            self.show.line(_summary(record, configuration.epochs))
            state = dataclasses.replace(
                state, step=devices.replicated(np.int32(0)), tally=jax.tree.map(devices.replicated, fresh_tally())
            )
            self.seconds = 0.0
            self._checkpoint(state, 0)
            written = time.monotonic()
            _, stopping = devices.agreed((), interrupted())
            if stopping and epoch < configuration.epochs:
                raise Interrupted(f"interrupted after epoch {epoch} of {configuration.epochs}")
        return state

    def _standing(self, state: TrainingState, epoch: int, step: int) -> Standing:
        tally = jax.device_get(state.tally)
        return Standing(
            epoch=epoch,
            epochs=self.configuration.epochs,
            step=step,
            steps=self.steps,
            loss=float(tally.loss) / step,
            error=float(tally.error) / (step * self.configuration.batch_size) / error_scale(self.dataset.train_targets),
            residual=float(tally.residual),
            unconverged=int(tally.unconverged),
        )

    def _refuse_if_diverged(self, state: TrainingState, epoch: int, step: int) -> None:
        loss = float(state.tally.loss)
        if math.isfinite(loss) and bool(all_finite(state.network)):
            return
        what = "the network" if math.isfinite(loss) else "the loss"
        causes = f"a learning rate too large (--learning-rates {' '.join(map(str, self.configuration.learning_rates))})"
        by_rule = self.configuration if isinstance(self.configuration, RuleConfiguration) else None
        if by_rule is not None and by_rule.rule == "equilibrium-propagation":
            causes = f"the nudging factor too large (--beta {by_rule.beta:g}), or {causes}"
        saved = checkpoints(checkpoint_folder(self.folder))
        kept = f"the checkpoint {saved[0]} stands" if saved else "there is no checkpoint yet"
        raise MhoError(
            f"{what} ceased to be finite in epoch {epoch}, step {step} of {self.steps}: likely {causes}; {kept}"
        )

    def _checkpoint(self, state: TrainingState, step: int) -> None:
        state = self.devices.gathered(state)
        if not self.devices.leads:
            return
        bookmark = Bookmark(
            epochs_done=len(self.metrics),
            step=step,
            seconds=self.seconds,
            metrics=self.metrics,
            features=self.features,
            outputs=self.outputs,
            configuration=to_json(self.configuration),
        )
        folder = checkpoint_folder(self.folder)
        try:
            write_checkpoint(folder, state, bookmark)
        except OSError as problem:
            raise MhoError(
                f"{checkpoint_path(folder, bookmark)} could not be written ({problem.strerror}); "
                "earlier checkpoints stand"
            ) from problem


def _summary(record: Metrics, epochs: int) -> str:
    parts = [
        f"epoch {record['epoch']}/{epochs}",
        f"loss {record['train_loss']:.4g}",
        f"train error {record['train_error']:.2%}",
        f"test error {record['test_error']:.2%}",
        f"{record['seconds']:.1f} s",
    ]
    if record["residual"] is not None:
        unconverged = record["unconverged"] + record["test_unconverged"]
        parts += [f"residual {record['residual']:.1e}", f"unconverged {unconverged}"]
    return "  ".join(parts)
