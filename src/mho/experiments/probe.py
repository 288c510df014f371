"""What a run is judged by after each epoch: a few training batches settled once more, their states and their update.

The phases are those that training settles, by the same solver at the same batch size, and are judged by Kirchhoff's current
law in float64 (`mho.steady.kirchhoff_residual`), apart from the solver. The update that each batch would make is measured,
not made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from mho.elements import ProgrammableResistor
from mho.experiments.error import target_voltages
from mho.experiments.learner import Learner
from mho.learning import Gradient, apply_updates, coordinate_slope
from mho.learning.gradient import Phase
from mho.steady import kirchhoff_residual

SAMPLES = 64
"""Training samples that are judged, at the most."""

_VOLTAGES = 2**18
"""Samples times nodes of the widest layer whose residual is computed at once, which bounds its memory."""


class Step(eqx.Module):
    """What an update would do to the weights."""

    size: Array
    """Its root mean square, relative to that of the weights."""
    at_bound: Array
    """Share of the weights that stand at the lower or the upper bound of their devices."""
    weight: Array
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
    precision: float
    """Relative precision of that difference: of the voltages' rounding or, where the phases settle one after the other, of
    where their solver stops."""
    rounding: float
    """Relative precision of weights and voltages: the distance of 1 from the next number."""

    def above(self, tolerance: float) -> int:
        """How many operating points are above a tolerance."""
        return int(np.sum(~(self.residuals <= tolerance)))


Judge = Callable[[Any, Any, np.ndarray, Array], Probe]


def compile_probe(
    learner: Learner,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    classes: int | None,
    scale: float,
    batch_size: int,
    rtol: float = 0.0,
) -> Judge:
    """Make the probe of a learner.

    Args:
        learner: what trains.
        inputs: training inputs, (samples, features).
        targets: their classes or a regression's targets.
        classes: the number of classes; None for a regression.
        scale: what inputs are multiplied by.
        batch_size: samples a step.
        rtol: where the solver stops.

    Returns:
        A function of (network, optimizer's state, order of the samples, random key).
    """

    def step(network: Any, optimizer_state: Any, batch: Array, expected: Array, key: Array) -> tuple[Gradient, Step]:
        gradient = learner.gradient(network, batch, expected, key)
        slope: Any = coordinate_slope(network, gradient.by_parameter)
        updates, _ = learner.optimizer.update(slope, _within_epoch(optimizer_state))
        moved: Any = apply_updates(network, updates)
        taken = _measured(_weights(learner.parameters(network)), _weights(learner.parameters(moved)))
        return eqx.tree_at(lambda g: g.by_parameter, gradient, None), taken

    make: Any = jax.jit(step) if learner.traceable else step

    def judge(network: Any, optimizer_state: Any, order: np.ndarray, key: Array) -> Probe:
        steps, residuals, signals, reached, largest = [], [], [], [], 0.0
        count = max(1, min(-(-SAMPLES // batch_size), len(inputs) // batch_size))
        each = min(batch_size, SAMPLES)
        deviating = in_turn = False
        for index in range(count):
            rows = order[index * batch_size : (index + 1) * batch_size]
            batch = jnp.asarray(inputs[rows]).astype(float) * scale
            expected = target_voltages(jnp.asarray(targets[rows]), classes, learner.target_voltage)
            gradient, taken = make(network, optimizer_state, batch, expected, jax.random.fold_in(key, index))
            steps.append(jax.tree.map(float, taken))
            for phase in gradient.phases:
                residuals.append(_residuals(network, _shortened(phase, batch_size, each)))
                deviating |= phase.deviation is not None
                in_turn |= phase.nudge is not None and len(phase.sources) == len(batch)
            if gradient.phases:
                free, moved = _predictions(network, gradient.phases, batch_size)
                goal = np.asarray(expected, np.float64)
                largest = max(largest, float(np.max(np.abs(free))))
                signals += (
                    [float(np.max(np.abs(moved[0] - moved[-1] if len(moved) > 1 else moved[0])))] if moved else []
                )
                for change in moved:
                    way = goal - free
                    reached.append(float(np.sum(change * way) / max(np.sum(way * way), np.finfo(float).tiny)))
        finite = np.finfo(np.float64 if learner.double else np.float32)
        precision = finite.tiny if deviating else max(finite.eps, 0.1 * rtol if in_turn else 0.0)
        return Probe(
            residuals=np.concatenate(residuals) if residuals else np.zeros(0),
            step=jax.tree.map(lambda *values: max(values), *steps),
            signal=max(signals) / max(largest, float(np.finfo(np.float32).tiny)) if signals else None,
            reached=float(np.mean(np.abs(reached))) if reached else None,
            precision=float(precision),
            rounding=float(finite.eps),
        )

    return judge


def _within_epoch(optimizer_state: Any) -> Any:
    """The state before the last step of the epoch, as far as learning rates go by it: they decay when it is over."""

    def scheduled(part: Any) -> bool:
        return isinstance(part, optax.ScaleByScheduleState)

    def back(part: Any) -> Any:
        return part._replace(count=jnp.maximum(part.count - 1, 0)) if scheduled(part) else part

    return jax.tree.map(back, optimizer_state, is_leaf=scheduled)


def _weights(parameters: Any) -> list[tuple[Array, float, float]]:
    """Trained conductances and their bounds; all that is trained where none is a conductance."""

    def resistor(part: Any) -> bool:
        return isinstance(part, ProgrammableResistor)

    parts = jax.tree.leaves(parameters, is_leaf=resistor)
    conductances = [(p.conductance, p.lower, p.upper) for p in parts if resistor(p) and p.conductance is not None]
    return conductances or [(leaf, -np.inf, np.inf) for leaf in jax.tree.leaves(parameters)]


def root_mean_square(learner: Learner, network: Any) -> float:
    """Of the trained weights of a network; see `Step.weight`."""
    weights = _weights(learner.parameters(network))
    return float(_measured(weights, weights).weight)


def _measured(before: Sequence[tuple[Array, float, float]], after: Sequence[tuple[Array, float, float]]) -> Step:
    count = sum(max(1, weight.size) for weight, _, _ in before)
    at_bound = change = square = jnp.zeros(())
    # Relative to the largest weight: squares of 1e30 S are beyond float32.
    most = jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for pair in (before, after) for x, _, _ in pair]))
    unit = jnp.maximum(most, jnp.finfo(most.dtype).tiny)
    for (old, lower, upper), (new, _, _) in zip(before, after, strict=True):
        at_bound += jnp.sum((old <= lower) | (old >= upper))
        change += jnp.sum((new / unit - old / unit) ** 2)
        square += jnp.sum((old / unit) ** 2)
    root = jnp.sqrt(square)
    return Step(
        size=jnp.sqrt(change) / jnp.maximum(root, jnp.finfo(root.dtype).tiny),
        at_bound=at_bound / count,
        weight=root * unit / count**0.5,
    )


def _shortened(phase: Phase, batch_size: int, kept: int) -> Phase:
    """The first samples of each of a phase's sets of the batch."""
    samples = len(phase.sources)
    if kept == batch_size:
        return phase
    rows = np.concatenate([np.arange(start, start + kept) for start in range(0, samples, batch_size)])
    return jax.tree.map(lambda leaf: leaf[rows] if jnp.ndim(leaf) and len(leaf) == samples else leaf, phase)


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
        found.append(kirchhoff_residual(network, part.sources, part.voltages, part.nudge, part.deviation))
    return np.concatenate(found)


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
