"""What a run is judged by after each epoch: a few of its steps made once more on a copy, their states and their update.

The steps are the compiled ones that train: the phases are those that training settles, and are judged by Kirchhoff's current
law in float64 (`mho.steady.kirchhoff_residual`), apart from the solver.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from mho.elements import ProgrammableResistor
from mho.experiments.devices import Devices
from mho.experiments.epoch import Advance, Settled, TrainingState, fresh_tally, settled_samples
from mho.experiments.error import target_voltages
from mho.experiments.gradient_health import SAMPLES as COMPARED
from mho.experiments.gradient_health import Health
from mho.experiments.gradient_health import Judge as JudgeGradient
from mho.experiments.learner import Learner
from mho.experiments.shifts import Shifts
from mho.learning.gradient import Phase
from mho.networks import Circuit
from mho.steady import kirchhoff_residual

SAMPLES = 64
"""Training samples that are judged, at the most."""

_VOLTAGES = 2**18
"""Samples times nodes of the widest layer whose residual is computed at once, which bounds its memory."""


_STEPS = 4
"""Steps whose updates are measured, at the most: each passes over all weights."""

_PIECE = 2**20
"""Weights that are measured at once, which bounds the memory."""


@dataclass(frozen=True)
class Step:
    """What an update would do to the weights."""

    size: float
    """Its root mean square, relative to that of the weights."""
    at_bound: float
    """Share of the weights that stand at the lower or the upper bound of their devices."""
    weight: float
    """Root mean square of the weights."""


@dataclass(frozen=True)
class Probe:
    """What the probe found."""

    residuals: np.ndarray
    """Of each operating point, all phases, (probed,); empty where there is no circuit."""
    step: Step
    """The largest of the batches', entry by entry."""
    signal: float | None
    """Largest difference of a prediction between the two phases that are compared, relative to the largest prediction;
    None where there are no such phases."""
    reached: float | None
    """Mean share of the way to the targets that the nudged phases' predictions have gone."""
    beyond: float
    """By how much, at the most, a voltage is beyond those at which its element was measured [V]."""
    precision: float
    """Relative precision of that difference: of the voltages' rounding or, where the phases settle one after the other, of
    where their solver stops."""
    rounding: float
    """Relative precision of weights and voltages: the distance of 1 from the next number."""
    health: Health | None = None
    """Of the gradient, on the first few samples; None where the rule's is the exact one."""

    def above(self, tolerance: float) -> int:
        """How many operating points are above a tolerance."""
        return int(np.sum(~(self.residuals <= tolerance)))


@dataclass(frozen=True)
class Sample:
    """What the probe looks at: steps of an epoch, each from the network at the epoch's end."""

    rows: tuple[np.ndarray, ...]
    """Of the training set: those of each batch that the step tells of."""
    inputs: tuple[np.ndarray, ...]
    """As they were trained on, (samples, features)."""
    settled: tuple[Settled, ...]
    """Where each batch came to rest."""
    taken: tuple[Step, ...]
    """The first batches' updates."""


def take_sample(
    learner: Learner,
    advance: Advance,
    state: TrainingState,
    order: Array,
    samples: tuple[Array, Array],
    key: Array,
    *,
    batch_size: int,
    devices: Devices,
    shifts: Shifts | None = None,
) -> Sample:
    """Make the first steps of an epoch once more, each from the same state, which stays as it is.

    All processes must call it together. The arguments are those of `mho.experiments.epoch.compile_epoch` and of the function
    that it returns.
    """
    kept = settled_samples(batch_size)
    count = max(1, min(-(-SAMPLES // kept), len(samples[0]) // batch_size))
    rows, shown, settled, taken = [], [], [], []
    moves = shifts.drawn(key, len(order)) if shifts is not None else order
    optimizer_state = _within_epoch(state.optimizer_state, devices)
    here = devices.gathered(state.network)
    for index in range(count):
        start = devices.replicated(np.int32(index))
        tally = jax.tree.map(devices.replicated, fresh_tally())
        network, before, beta = _copied((state.network, optimizer_state, state.beta))
        copy = TrainingState(network, before, start, tally, beta)
        moved, rests = advance(copy, devices.replicated(np.int32(index + 1)), order, *samples, key)
        if index < _STEPS:
            there = devices.gathered(moved.network)
            taken.append(_measured(_weights(learner.parameters(here)), _weights(learner.parameters(there))))
        settled.append(devices.gathered(rests))
        told = slice(index * batch_size, index * batch_size + kept)
        rows.append(np.asarray(order)[told])
        index, given = jnp.asarray(rows[-1]), samples[0]
        shown.append(np.asarray(shifts.taken(given, index, moves[told]) if shifts is not None else given[index]))
    return Sample(tuple(rows), tuple(shown), tuple(settled), tuple(taken))


def judge(
    learner: Learner,
    network: Any,
    sample: Sample,
    targets: np.ndarray,
    *,
    classes: int | None,
    scale: float,
    rtol: float,
    health: JudgeGradient | None = None,
    key: Array | None = None,
    beta: Array | None = None,
) -> Probe:
    """Judge what was taken.

    Args:
        learner: what trains.
        network: the network at the epoch's end.
        sample: the steps from there.
        targets: the training samples' classes or a regression's targets.
        classes: the number of classes; None for a regression.
        scale: what inputs are multiplied by.
        rtol: where the solver stops.
        health: compares the gradient with the exact one; nothing does if None.
        key: random key, where the gradient draws.
        beta: the nudging factor; the configuration's if None.
    """
    residuals, signals, reached, largest, beyond = [], [], [], 0.0, 0.0
    deviating = in_turn = False
    finite = np.finfo(np.float64 if learner.double else np.float32)
    for rows, inputs, settled in zip(sample.rows, sample.inputs, sample.settled, strict=True):
        batch = len(rows)
        phases = [_driven(network, phase, inputs, scale, finite.dtype) for phase in settled]
        for phase in phases:
            residuals.append(_residuals(network, phase))
            beyond = max(beyond, _beyond(network, phase))
            deviating |= phase.deviation is not None
            in_turn |= phase.attached is not None and len(phase.sources) == batch
        if phases:
            free, moved = _predictions(network, phases, batch)
            goal = np.asarray(target_voltages(jnp.asarray(targets[rows]), classes, learner.target_voltage), np.float64)
            largest = max(largest, float(np.max(np.abs(free))))
            signals += [float(np.max(np.abs(moved[0] - moved[-1] if len(moved) > 1 else moved[0])))] if moved else []
            for change in moved:
                way = goal - free
                reached.append(float(np.sum(change * way) / max(np.sum(way * way), np.finfo(float).tiny)))
    rows = sample.rows[0][:COMPARED]
    goal = np.asarray(target_voltages(jnp.asarray(targets[rows]), classes, learner.target_voltage))
    precision = finite.tiny if deviating else max(finite.eps, 0.1 * rtol if in_turn else 0.0)
    return Probe(
        residuals=np.concatenate(residuals) if residuals else np.zeros(0),
        step=Step(*(max(values) for values in zip(*map(dataclasses.astuple, sample.taken), strict=True))),
        signal=max(signals) / max(largest, float(np.finfo(np.float32).tiny)) if signals else None,
        reached=float(np.mean(np.abs(reached))) if reached else None,
        beyond=beyond,
        precision=float(precision),
        rounding=float(finite.eps),
        health=health(network, sample.inputs[0][:COMPARED] * scale, goal, key, beta) if health is not None else None,
    )


def _driven(network: Any, phase: Phase, inputs: np.ndarray, scale: float, kind: Any) -> Phase:
    """The phase with its sources, once for each set of the batch's samples."""
    voltages = jax.tree.leaves(phase.voltages)[0]
    if isinstance(network, Circuit):
        sources = np.asarray(network.sources(np.asarray(inputs, np.float64) * scale))
    else:
        sources = np.asarray(network.source_voltages(np.asarray(inputs, kind) * kind.type(scale)))
    return dataclasses.replace(phase, sources=np.tile(sources, (len(voltages) // len(inputs), 1)))


@jax.jit
def _copied(tree: Any) -> Any:
    """In buffers of its own, which the step may take."""
    return jax.tree.map(jnp.copy, tree)


def _within_epoch(optimizer_state: Any, devices: Devices) -> Any:
    """The state before the last step of the epoch, as far as learning rates go by it: they decay when it is over."""

    def scheduled(part: Any) -> bool:
        return isinstance(part, optax.ScaleByScheduleState)

    def back(part: Any) -> Any:
        if not scheduled(part):
            return part
        return part._replace(count=devices.replicated(np.maximum(np.asarray(part.count) - 1, 0)))

    return jax.tree.map(back, optimizer_state, is_leaf=scheduled)


_Weights = list[tuple[np.ndarray, float, float]]


def _weights(parameters: Any) -> _Weights:
    """Trained conductances and their bounds; all that is trained where none is a conductance."""

    def resistor(part: Any) -> bool:
        return isinstance(part, ProgrammableResistor)

    parts = jax.tree.leaves(parameters, is_leaf=resistor)
    resistors = [p for p in parts if resistor(p) and p.conductance is not None]
    if resistors:
        return [(np.ravel(np.asarray(p.conductance)), p.lower, p.upper) for p in resistors]
    return [(np.ravel(np.asarray(leaf)), -np.inf, np.inf) for leaf in jax.tree.leaves(parameters)]


def root_mean_square(learner: Learner, network: Any) -> float:
    """Of the trained weights of a network; see `Step.weight`."""
    weights = _weights(learner.parameters(network))
    return _measured(weights, weights).weight


def _measured(before: _Weights, after: _Weights) -> Step:
    # Relative to the largest weight: squares of 1e200 S are beyond float64.
    unit = max(float(max(np.max(x), -np.min(x))) for x, _, _ in (*before, *after)) or 1.0
    count, at_bound, change, square = 0, 0, 0.0, 0.0
    for (here, lower, upper), (there, _, _) in zip(before, after, strict=True):
        count += here.size
        for start in range(0, here.size, _PIECE):
            piece = here[start : start + _PIECE]
            at_bound += int(np.sum((piece <= lower) | (piece >= upper)))
            wide = piece / unit
            square += float(np.sum(wide**2, dtype=np.float64))
            change += float(np.sum((there[start : start + _PIECE] / unit - wide) ** 2, dtype=np.float64))
    root = math.sqrt(square)
    return Step(
        size=math.sqrt(change) / max(root, np.finfo(np.float64).tiny),
        at_bound=at_bound / count,
        weight=root * unit / math.sqrt(count),
    )


def _residuals(network: Any, phase: Phase) -> np.ndarray:
    samples = len(phase.sources)
    widest = max(leaf.shape[-1] for leaf in jax.tree.leaves(phase.voltages))
    pieces = min(samples, max(1, samples * widest // _VOLTAGES))
    found = []
    for rows in np.array_split(np.arange(samples), pieces):
        part = phase
        if pieces > 1:
            part = jax.tree.map(
                lambda leaf, r=rows: leaf[r] if jnp.ndim(leaf) and len(leaf) == samples else leaf, phase
            )
        found.append(kirchhoff_residual(network, part.sources, part.voltages, part.attached, part.deviation))
    return np.concatenate(found)


def _beyond(network: Any, phase: Phase) -> float:
    met: list[tuple[Any, Any]]
    if isinstance(network, Circuit):
        drops = [phase.voltages[:, b.first] - phase.voltages[:, b.second] for b in network.branches]
        met = list(zip((b.element for b in network.branches), drops, strict=True))
    else:
        met = list(zip((layer.element for layer in network.layers), phase.voltages, strict=True))
    return max((float(np.max(e.beyond(np.asarray(v)), initial=0.0)) for e, v in met if e is not None), default=0.0)


def _predictions(network: Any, phases: Sequence[Phase], batch: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Predictions of the free phase [V], and by how much each nudged or clamped one differs, (batch, outputs) each."""

    def sets(voltages: Any) -> list[np.ndarray]:
        wide = jax.tree.map(lambda v: np.asarray(v, np.float64), voltages)
        prediction = np.asarray(network.prediction(wide))
        return [prediction[start : start + batch] for start in range(0, len(prediction), batch)]

    free, *others = sets(phases[0].voltages)
    changes = [other - free for other in others]
    for phase in phases[1:]:
        if phase.deviation is not None:
            changes += sets(phase.deviation)
        else:
            changes += [other - free for other in sets(phase.voltages)]
    return free, changes
