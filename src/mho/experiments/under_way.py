"""A run under way: from its first step, or a checkpoint, to its last epoch."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from mho.errors import InputError, MhoError
from mho.experiments.checkpoint import (
    Bookmark,
    checkpoint_path,
    read_checkpoint,
    write_checkpoint,
)
from mho.experiments.checkpoint_names import at_start, checkpoints
from mho.experiments.circuits import output_columns
from mho.experiments.conductances import bounds
from mho.experiments.configuration import (
    Configuration,
    shown,
    to_json,
)
from mho.experiments.data import Dataset
from mho.experiments.devices import Devices
from mho.experiments.diagnosis import divergence, guessing_error, warnings
from mho.experiments.epoch import (
    Advance,
    TrainingState,
    all_finite,
    compile_epoch,
    compile_test,
    fresh_tally,
    initial_state,
    sample_order,
)
from mho.experiments.error import error_scale, target_voltages
from mho.experiments.found_runs import started
from mho.experiments.gradient_health import Judge, compile_health
from mho.experiments.kinds import MakeLearner, averaging_after, learner
from mho.experiments.learner import with_constants
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.own_objects import is_own
from mho.experiments.plots import plot_curves, plot_histograms
from mho.experiments.probe import Probe, judge, root_mean_square, take_sample
from mho.experiments.progress import Quiet, Show, Standing
from mho.experiments.record import Metrics, told_error
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import (
    MetricsLog,
    checkpoint_folder,
)
from mho.experiments.shifts import configured_shifts
from mho.interruption import deferred
from mho.networks import Network

CHECKPOINT_MINUTES = 10.0
"""Between two checkpoints within an epoch, where nothing else is asked for."""


_SUITED = 64
"""Training samples from whose response a nudging factor is chosen, at the most."""


_PIECE_SECONDS = 0.5
"""How long the compiled loop may run before the caller has its say."""


class Interrupted(KeyboardInterrupt):
    """Training was interrupted and a checkpoint written, from which `resume` goes on."""


_NEAR = 0.9
"""Share of a nudging factor's limit from which on that is told."""


class Diverged(MhoError):
    """The loss or the network ceased to be finite, after the epochs of `metrics`."""

    def __init__(self, message: str, metrics: list[Metrics]) -> None:
        super().__init__(message)
        self.metrics = metrics


class NoNudgedState(Diverged, InputError):
    """A phase nudged by −β has no state."""


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    folder: Path
    metrics: list[Metrics]
    trained: bool
    """Whether there was anything left to do."""
    network: Any = None
    """What was trained; None where nothing was left to do."""


_NO_ENERGY = (
    "warning: the amplifiers' voltage and current gains differ apart, so the circuit has no energy and equilibrium "
    "propagation's gradient is not exact; gradient_cosine in metrics.jsonl tells how near it comes"
)


def next_piece(steps: int, seconds: float) -> int:
    """Steps of the next call of a compiled loop: more until one takes long enough, fewer if it takes too long."""
    if seconds < _PIECE_SECONDS:
        return 2 * steps
    return max(1, steps // 2) if seconds > 4 * _PIECE_SECONDS else steps


class Training:
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
        make: MakeLearner | None = None,
        keep: bool = True,
    ) -> None:
        if not configuration.epochs:
            raise InputError("--epochs 0: nothing would be trained; mho sweep judges what networks begin with")
        self.name, self.configuration, self.dataset = name, configuration, dataset
        devices.check_batch(configuration.batch_size)
        self.folder, self.devices, self.keep = folder, devices, keep
        self.show = show if devices.leads else Quiet()
        self.interval = 60.0 * checkpoint_minutes
        self.samples, self.features = dataset.train_inputs.shape
        self.classes = output_columns(configuration, dataset)
        self.outputs = dataset.train_targets.shape[1] if self.classes is None else self.classes
        self.steps = configuration.passes * (self.samples // configuration.batch_size)
        refuse_if_too_large(configuration, self.features, self.outputs, self.samples)
        if self.steps >= 2**31:
            raise InputError(
                f"--passes {configuration.passes}: an epoch of {self.steps} steps; there may be {2**31 - 1}"
            )
        self.shifts = configured_shifts(configuration.shift, dataset)
        make = make or partial(learner, configuration, image=dataset.image_shape)
        self.learner = make(self.features, self.outputs, self.steps)
        if not self.learner.traceable and devices.mesh.size > 1:
            self.learner.close()
            raise InputError(f"--devices {devices.mesh.size}: with another simulator there is nothing to share out")
        self.metrics: list[Metrics] = []
        self.seconds = 0.0
        """That the steps of the epoch under way took."""
        self.share: float | None = None
        """The nudging factor in units of the least that leaves a phase no state, when that was last looked at."""
        self.compared: Judge | None = None
        """Compares the gradient that trains with the exact one."""
        self.average: Any = None
        """The network with the mean of its parameters; None where the last epochs have not begun."""
        self._choose: Callable[..., jax.Array] | None = None
        self.start_weight = 0.0
        """Root mean square of the weights before training."""

    def run(self, saved: Path | None = None) -> Finished:
        """Train until all epochs are done, from a checkpoint if there is one."""
        with jax.enable_x64(self.learner.double):
            return self._run(saved)

    def _run(self, saved: Path | None) -> Finished:
        if saved is None:
            network, beyond = started(self.configuration, self.learner.network)
            self.learner = dataclasses.replace(self.learner, network=network)
            if beyond:
                self.show.line(
                    f"--start: {beyond} conductances lay beyond this network's bounds and begin at the nearest one"
                )
        if not getattr(self.learner.network, "reciprocal", True):
            self.show.line(_NO_ENERGY)
        if is_own(self.configuration.optimizer):
            self.show.line(
                f"{shown(self.configuration, 'optimizer')} has its own rate: rates, decay, schedule, warm-up are unused"
            )
        state = initial_state(self.learner)
        self.start_weight = root_mean_square(self.learner, state.network)
        # Of the network at its start the shapes are enough from here on; a wide one is most of the memory.
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), self.learner.network)
        self.learner = dataclasses.replace(self.learner, network=shapes)
        if saved is not None:
            stored = read_checkpoint(saved)
            bookmark = stored.bookmark
            begun = bookmark.epochs_done > averaging_after(self.configuration)
            state = stored.state(dataclasses.replace(state, average=state.network) if begun else state)
            self.average, state = state.average, dataclasses.replace(state, average=None)
            self.metrics, self.seconds = bookmark.metrics, bookmark.seconds
        self.learner = with_constants(self.learner, state.network)
        self.compared = compile_health(self.learner)
        state = self.devices.placed(state)
        if saved is None:
            self._checkpoint(state, 0)  # so that a run can be gone on with whenever it is killed
        log = MetricsLog(self.folder, self.metrics) if self.devices.leads and self.keep else None
        try:
            state = self.devices.together(lambda: self._epochs(state, log))
        finally:
            if log is not None:
                log.close()
            self.learner.close()
        network = self.devices.gathered(state.network if self.average is None else self.average)
        if self.devices.leads and self.keep:
            plot_curves(self.metrics, self.folder / "curves.png", regression=self.classes is None)
            weights, name = self.learner.weights(network), self.learner.weight_name
            plot_histograms(weights, name, self.folder / "histograms.png", bounds(network))
        return Finished(self.folder, self.metrics, trained=True, network=network)

    def _epochs(self, state: TrainingState, log: MetricsLog | None) -> TrainingState:
        configuration, dataset, devices = self.configuration, self.dataset, self.devices
        if len(self.metrics) == configuration.epochs:
            return state
        left_over = self.samples % configuration.batch_size
        if left_over:
            self.show.line(f"batches of {configuration.batch_size}: {left_over} samples are left out of each pass")
        inputs, labels, test_inputs, test_labels = map(
            devices.replicated,
            (
                dataset.train_inputs if self.shifts is None else self.shifts.padded(dataset.train_inputs),
                dataset.train_targets,
                dataset.test_inputs,
                dataset.test_targets,
            ),
        )
        advance = compile_epoch(
            self.learner,
            state,
            inputs,
            labels,
            classes=self.classes,
            scale=dataset.scale,
            batch_size=configuration.batch_size,
            passes=configuration.passes,
            devices=devices,
            shifts=self.shifts,
        )
        test = compile_test(self.learner, test_inputs, test_labels, scale=dataset.scale, devices=devices)
        with deferred() as interrupted:
            return self._advanced(state, log, advance, (inputs, labels), test, interrupted)

    def _advanced(
        self,
        state: TrainingState,
        log: MetricsLog | None,
        advance: Advance,
        samples: tuple[jax.Array, jax.Array],
        test: Callable[[Any], tuple[jax.Array, jax.Array]],
        interrupted: Callable[[], bool],
    ) -> TrainingState:
        """Train epoch by epoch, in pieces between which signals are heard."""
        configuration, devices = self.configuration, self.devices
        piece = 1
        written = time.monotonic()
        while len(self.metrics) < configuration.epochs:
            epoch = len(self.metrics) + 1
            state = self._nudged(state)
            order = devices.replicated(sample_order(configuration.seed, epoch, self.samples, configuration.passes))
            key = jax.random.wrap_key_data(
                devices.replicated(jax.random.key_data(jax.random.fold_in(jax.random.key(configuration.seed), epoch)))
            )
            step = int(state.step)
            while step < self.steps:
                began = time.perf_counter()
                stop = min(step + piece, self.steps)
                state, _ = advance(state, devices.replicated(np.int32(stop)), order, *samples, key)
                step = int(state.step)
                took = time.perf_counter() - began
                self.seconds += took
                piece = next_piece(piece, took)
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
            self._average(state.network, epoch)
            error, test_exhausted = test(state.network if self.average is None else self.average)
            found = self._probed(state, advance, order, samples, key)
            record = self._record(state, epoch, float(error), int(test_exhausted), found)
            if log is not None:
                log.append(record)
            self.metrics = [*self.metrics, record]
            self.show.line(_summary(record, configuration.epochs))
            for warning in record["warnings"]:
                self.show.line(f"warning: {warning}")
            state = dataclasses.replace(
                state, step=devices.replicated(np.int32(0)), tally=jax.tree.map(devices.replicated, fresh_tally())
            )
            self.seconds = 0.0
            self._checkpoint(state, 0)
            written = time.monotonic()
            _, stopping = devices.agreed((), interrupted())
            if stopping:
                raise Interrupted(f"interrupted after epoch {epoch} of {configuration.epochs}")
        return state

    def _average(self, network: Any, epoch: int) -> None:
        """Take what a network is after an epoch into the mean, if it is one of the last."""
        count = epoch - averaging_after(self.configuration)
        if count < 1:
            return
        before = network if count == 1 else self.average
        # A copy at first: the next step takes the network's buffers.
        mean = jax.tree.map(
            lambda old, new: old + (new - old) / count if jnp.issubdtype(new.dtype, jnp.inexact) else jnp.copy(new),
            before,
            network,
        )
        self.average = mean.consistent() if isinstance(mean, Network) else mean

    def _nudged(self, state: TrainingState) -> TrainingState:
        """The state at the beginning of an epoch with the nudging factor that suits it; refuses one beyond the limit."""
        data = self.dataset
        if self.learner.suited is not None and not int(state.step):
            if self._choose is None:
                self._choose = jax.jit(self.learner.suited)
            rows = slice(min(_SUITED, self.samples))
            targets = target_voltages(jnp.asarray(data.train_targets[rows]), self.classes, self.learner.target_voltage)
            chosen = self._choose(state.network, jnp.asarray(data.train_inputs[rows], float) * data.scale, targets)
            state = dataclasses.replace(state, beta=self.devices.replicated(self.devices.gathered(chosen)))
        self._look_at_share(state)
        if self.share is None or self.metrics:
            return state
        beta = self._beta(state)
        limit = f"{beta / self.share:.2g}" if self.share else "-"
        if self.share >= 1.0:
            raise NoNudgedState(
                f"--beta {beta:g}: must be below {limit} here, or the phase nudged by −β has no state: the outputs' "
                "conductance does not hold against the cost's curvature; or see --variant positive and --nudging held",
                [],
            )
        if self.share > _NEAR:
            self.show.line(f"warning: {_near(beta, self.share)}")
        return state

    def _beta(self, state: TrainingState) -> float:
        return float(self.configuration.beta if state.beta is None else state.beta)  # type: ignore[attr-defined]

    def _look_at_share(self, state: TrainingState) -> None:
        found = self.learner.share(
            state.network, state.beta if state.beta is not None else getattr(self.configuration, "beta", 1.0)
        )
        self.share = None if found is None else float(found)

    def _probed(
        self,
        state: TrainingState,
        advance: Advance,
        order: jax.Array,
        samples: tuple[jax.Array, jax.Array],
        key: jax.Array,
    ) -> Probe | None:
        """What the probe finds after an epoch; None on a host that does not write."""
        configuration, dataset, devices = self.configuration, self.dataset, self.devices
        sample = take_sample(
            self.learner,
            advance,
            state,
            order,
            samples,
            key,
            batch_size=configuration.batch_size,
            devices=devices,
            shifts=self.shifts,
        )
        network = devices.gathered(state.network)
        if not devices.leads:
            return None
        return judge(
            self.learner,
            network,
            sample,
            dataset.train_targets,
            classes=self.classes,
            scale=dataset.scale,
            rtol=getattr(configuration, "rtol", 0.0),
            health=self.compared,
            key=jax.random.key(configuration.seed),
            beta=state.beta,
        )

    def _record(
        self, state: TrainingState, epoch: int, error: float, test_exhausted: int, probe: Probe | None
    ) -> Metrics:
        """An epoch's line of metrics.jsonl; without the probe's part where there is none, on a host that does not write."""
        standing, dataset, tolerance = self._standing(state, epoch, self.steps), self.dataset, self.learner.tolerance
        error /= len(dataset.test_targets) * error_scale(dataset.test_targets)
        seen = dataset.tests_what_it_trains
        circuit = tolerance is not None
        judged: dict[str, Any] = dict.fromkeys(("residual", "above_tolerance", "probed"))
        # A rule of the user's own may tell of no phases.
        if probe is not None and tolerance is not None and len(probe.residuals):
            if not np.isfinite(probe.residuals).all():
                self._refuse("the voltages of a probe", epoch, self.steps)
            judged = {
                "residual": float(np.max(probe.residuals)),
                "above_tolerance": probe.above(tolerance),
                "probed": len(probe.residuals),
            }
        health = probe.health if probe is not None else None
        told = []
        if probe is not None:
            told = warnings(
                self.configuration,
                self.own,
                probe,
                epoch=epoch,
                error=standing.error,
                chance=guessing_error(dataset.train_targets),
                tolerance=tolerance,
                exhausted=standing.exhausted + test_exhausted if circuit else 0,
                start_weight=self.start_weight,
            )
        self._look_at_share(state)
        if self.share is not None and self.share > _NEAR:
            told = [*told, _near(self._beta(state), self.share)]
        return {
            "epoch": epoch,
            "train_loss": standing.loss,
            "train_error": standing.error,
            "test_error": None if seen else error,
            "seconds": self.seconds,
            **judged,
            "tolerance": tolerance,
            "out_of_sweeps": standing.exhausted if circuit else None,
            "test_out_of_sweeps": test_exhausted if circuit else None,
            "sweeps": int(state.tally.sweeps) / self.steps if circuit else None,
            "gradient_cosine": health and list(health.cosine),
            "gradient_ratio": health and list(health.ratio),
            "signal": probe and probe.signal,
            "signal_rounding": probe.precision if probe and probe.signal is not None else None,
            "beta": None if self.share is None else self._beta(state),
            "beta_share": self.share,
            "error_after": error if seen else None,
            "warnings": told,
        }

    def _standing(self, state: TrainingState, epoch: int, step: int) -> Standing:
        tally = jax.device_get(state.tally)
        return Standing(
            epoch=epoch,
            epochs=self.configuration.epochs,
            step=step,
            steps=self.steps,
            loss=float(tally.loss) / step,
            error=float(tally.error) / (step * self.configuration.batch_size) / error_scale(self.dataset.train_targets),
            exhausted=int(tally.unconverged),
        )

    @property
    def own(self) -> Configuration | None:
        """The named experiment's own configuration."""
        known = EXPERIMENTS.get(self.name)
        return known.configuration if known and type(known.configuration) is type(self.configuration) else None

    def _refuse_if_diverged(self, state: TrainingState, epoch: int, step: int) -> None:
        loss = float(state.tally.loss)
        if not math.isfinite(loss):
            self._refuse("the loss", epoch, step)
        if not bool(all_finite(self.learner.parameters(state.network))):
            self._refuse("the network", epoch, step)

    def _refuse(self, what: str, epoch: int, step: int) -> NoReturn:
        cause = divergence(self.configuration, self.own, epoch=epoch, share=self.share)
        saved = [path for path in checkpoints(checkpoint_folder(self.folder)) if not at_start(path)]
        kept = f"the checkpoint {saved[0]} stands" if saved else "there is no checkpoint yet"
        raise Diverged(
            f"{what} ceased to be finite in epoch {epoch}, step {step} of {self.steps}: likely {cause}; {kept}",
            self.metrics,
        )

    def _checkpoint(self, state: TrainingState, step: int) -> None:
        if not self.keep:
            return
        state = self.devices.gathered(dataclasses.replace(state, average=self.average))
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
            data=self.dataset.form.to_json(),
        )
        folder = checkpoint_folder(self.folder)
        try:
            write_checkpoint(folder, state, bookmark)
        except OSError as problem:
            raise MhoError(
                f"{checkpoint_path(folder, bookmark)} could not be written ({problem.strerror}); "
                "earlier checkpoints stand"
            ) from problem


def _near(beta: float, share: float) -> str:
    return (
        f"--beta {beta:.3g} is {share:.0%} of the least that leaves a phase nudged by −β no state; it bends the gradient: "
        "lower it, or --beta auto"
    )


def _summary(record: Metrics, epochs: int) -> str:
    parts = [
        f"epoch {record['epoch']}/{epochs}",
        f"loss {record['train_loss']:.4g}",
        f"train error {record['train_error']:.2%}",
        told_error(record),
        f"{record['seconds']:.1f} s",
    ]
    if record["residual"] is not None:
        parts.append(
            f"residual {record['residual']:.1e}, {record['above_tolerance']} of {record['probed']} above "
            f"{record['tolerance']:.0e}"
        )
    return "  ".join(parts)
