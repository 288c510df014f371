"""One epoch, compiled: no Python between a batch and the next.

The samples stay on the device in the form they have on disk (images as uint8) and are gathered and scaled a batch at a
time. The loop runs from wherever the state stands up to a given step, so one compiled function serves an epoch in one
piece or in many: where it is cut changes nothing but when the caller has its say. State buffers are donated: the
parameters are updated in place.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.experiments.devices import Devices, one_device
from mho.experiments.error import sample_errors, target_voltages
from mho.experiments.learner import Learner
from mho.experiments.shifts import Shifts
from mho.learning import Gradient, Programming, updated
from mho.learning.gradient import Phase

_SLICED_BATCH = 8
_TEST_BATCH = 1000
_TEST_VOLTAGES = 2**20
"""Samples times nodes of the widest layer in a batch of the test, which bounds its memory."""


class Tally(eqx.Module):
    """Sums over the steps of an epoch so far."""

    loss: Array
    """Σ of the batches' mean costs, before each update."""
    error: Array
    """Σ of the training samples' errors, before each update; see `mho.experiments.error`."""
    unconverged: Array
    """Operating points above the tolerance, over all phases."""
    sweeps: Array
    """Sweeps made, over all phases."""
    residual: Array
    """Largest residual that the solver stopped at."""


class TrainingState(eqx.Module):
    """All that changes while an epoch runs."""

    network: Any
    optimizer_state: Any
    step: Array
    """Steps of this epoch made."""
    tally: Tally
    beta: Array | None = None
    """This epoch's nudging factor; None where it is the configuration's."""
    average: Any = None
    """In checkpoints: the network with the mean of its parameters after the last epochs; None where these have not begun."""


def fresh_tally() -> Tally:
    """The tally at the start of an epoch."""
    return Tally(jnp.zeros(()), jnp.zeros(()), jnp.int32(0), jnp.int32(0), jnp.zeros(()))


def initial_state(learner: Learner) -> TrainingState:
    """The state before the first epoch."""
    # Copies: the buffers will be donated, and the learner keeps its own.
    network = jax.tree.map(jnp.copy, learner.network)
    network, optimizer_state = learner.programming(network, learner.optimizer.init(learner.parameters(network)))
    beta = None if learner.suited is None else jnp.zeros(())
    return TrainingState(network, optimizer_state, jnp.int32(0), fresh_tally(), beta)


@jax.jit
def _permutations(seed: Array, numbers: Array, indices: Array) -> Array:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), numbers)
    return jax.vmap(jax.random.permutation, (0, None))(keys, indices).reshape(-1)


def sample_order(seed: int, epoch: int, samples: int, passes: int = 1) -> Array:
    """The order of the samples in an epoch's passes, one after the other, (passes · samples,).

    It is a function of the seed and of a pass's number alone, counted from 1 in epoch 1.
    """
    numbers = jnp.arange(passes, dtype=jnp.uint32) + jnp.uint32(1 + (epoch - 1) * passes)
    return _permutations(jnp.uint32(seed), numbers, jnp.arange(samples, dtype=jnp.int32))


def take_rows(array: Array, index: Array) -> Array:
    """Rows of an array at an index of static length."""
    if index.shape[0] <= _SLICED_BATCH:
        # XLA's CPU gather visits its rows element by element; slices are copied whole.
        return jnp.concatenate([lax.dynamic_slice_in_dim(array, i, 1) for i in index])
    return array[index]


Batch = tuple[Array, Array]
"""A batch's inputs, (batch, features), and labels, (batch,), or a regression's targets, (batch, outputs)."""


def batch_index(order: Array, step: Array, samples: int, batch_size: int) -> Array:
    """What of an epoch's order is a step's batch: a pass leaves out what makes no whole batch."""
    steps = samples // batch_size
    return lax.dynamic_slice_in_dim(order, step // steps * samples + step % steps * batch_size, batch_size)


def fetch_batch(
    inputs: Array,
    labels: Array,
    order: Array,
    step: Array,
    *,
    scale: float,
    batch_size: int,
    devices: Devices,
    shifts: Shifts | None = None,
    moves: Array | None = None,
) -> Batch:
    """The samples of an epoch's step; `moves` are those of its order, the other arguments as in `compile_epoch`."""
    index = batch_index(order, step, len(labels), batch_size)
    if shifts is None or moves is None:
        rows = take_rows(inputs, index)
    else:
        rows = shifts.taken(inputs, index, batch_index(moves, step, len(labels), batch_size))
    return devices.shared_samples(rows.astype(float) * scale), take_rows(labels, index)


_LEAST_SETTLED, _MOST_SETTLED = 4, 64

Settled = tuple[Phase, ...]
"""Where the first samples of a step's batch came to rest, as its gradient has it, but for the sources' voltages."""


def settled_samples(batch_size: int) -> int:
    """How many samples of a batch a step tells of: few, since their voltages are written in each step."""
    return min(batch_size, max(_LEAST_SETTLED, min(batch_size // 16, _MOST_SETTLED)))


def _settled(gradient: Gradient, batch_size: int) -> Settled:
    kept = settled_samples(batch_size)

    def first(leaf: Any, samples: int) -> Any:
        if kept == batch_size or not jnp.ndim(leaf) or len(leaf) != samples:
            return leaf
        # A phase's sets of the batch stand one after the other.
        return leaf.reshape(-1, batch_size, *leaf.shape[1:])[:, :kept].reshape(-1, *leaf.shape[1:])

    return tuple(
        jax.tree.map(lambda leaf, p=phase: first(leaf, len(p.sources)), eqx.tree_at(lambda p: p.sources, phase, None))
        for phase in gradient.phases
    )


def train_step(
    learner: Learner, state: TrainingState, batch: Batch, key: Array, *, classes: int | None, devices: Devices
) -> tuple[TrainingState, Settled]:
    """One update from a batch; the other arguments as in `compile_epoch`."""
    inputs, expected = batch
    targets = devices.shared_samples(target_voltages(expected, classes, learner.target_voltage))
    key = jax.random.fold_in(key, state.step)
    nudged = {} if state.beta is None else {"beta": state.beta}
    gradient: Any = learner.gradient(state.network, inputs, targets, key, **nudged)
    before = state.optimizer_state
    # The gradient's own random numbers are of the key itself.
    drawn = jax.random.fold_in(key, 1) if isinstance(before, Programming) else None
    network, optimizer_state = updated(
        state.network,
        gradient.by_parameter,
        learner.optimizer,
        before,
        drawn,
        relative=learner.relative,
        kept=learner.kept,
    )
    tally = Tally(
        state.tally.loss + gradient.cost,
        state.tally.error + jnp.sum(sample_errors(gradient.prediction, expected, learner.target_voltage)),
        state.tally.unconverged + gradient.unconverged.astype(jnp.int32),
        state.tally.sweeps + gradient.steps,
        jnp.maximum(state.tally.residual, gradient.residual),
    )
    moved = TrainingState(network, optimizer_state, state.step + 1, tally, state.beta)
    return moved, _settled(gradient, len(inputs))


Advance = Callable[[TrainingState, Array, Array, Array, Array, Array], tuple[TrainingState, Settled]]


def compile_epoch(
    learner: Learner,
    state: TrainingState,
    inputs: Array,
    labels: Array,
    *,
    classes: int | None,
    scale: float,
    batch_size: int,
    passes: int = 1,
    devices: Devices | None = None,
    shifts: Shifts | None = None,
) -> Advance:
    """Compile the steps of an epoch.

    Args:
        learner: what to train.
        state: a state, for its shapes.
        inputs: training inputs, (samples, features), of any dtype.
        labels: their classes, (samples,), or a regression's targets, (samples, outputs).
        classes: the number of classes; None for a regression.
        scale: what inputs are multiplied by.
        batch_size: samples a step.
        passes: through the training set in an epoch.
        devices: where all arguments stand and the samples of a batch are shared out; the first device alone if None.
        shifts: of the images, and then `inputs` are padded for them; none if None.

    Returns:
        A function of (state, stop, order, inputs, labels, key): it makes steps until `stop` of them are made in this
        epoch, and returns the new state and where the last step's samples came to rest; the old state's buffers are gone.
        It stops after the step whose loss is no longer finite. Where the learner calls another simulator, Python makes
        the steps.
    """
    spread = one_device() if devices is None else devices
    samples = len(labels)

    fetch = functools.partial(fetch_batch, scale=scale, batch_size=batch_size, devices=spread, shifts=shifts)

    def drawn(key: Array) -> Array | None:
        return None if shifts is None else shifts.drawn(key, passes * samples)

    def update(state: TrainingState, batch: Batch, key: Array) -> tuple[TrainingState, Settled]:
        return train_step(learner, state, batch, key, classes=classes, devices=spread)

    if learner.traceable:
        # Traced once, for the shapes and for the loop.
        update = jax.jit(update, inline=True)

    def going(state: TrainingState, stop: Array) -> Array:
        return (state.step < stop) & jnp.isfinite(state.tally.loss)

    def advance(
        state: TrainingState, stop: Array, order: Array, inputs: Array, labels: Array, key: Array
    ) -> tuple[TrainingState, Settled]:
        moves = drawn(key)

        # The next batch is carried along: else XLA converts it anew wherever a sample is read.
        def step(carry: tuple[TrainingState, Settled, Batch]) -> tuple[TrainingState, Settled, Batch]:
            state, _, batch = carry
            return *update(state, batch, key), fetch(inputs, labels, order, state.step + 1, moves=moves)

        first = fetch(inputs, labels, order, state.step, moves=moves)
        shapes = jax.eval_shape(update, state, first, key)[1]
        before = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        state, settled, _ = lax.while_loop(lambda carry: going(carry[0], stop), step, (state, before, first))
        return state, settled

    if not learner.traceable:

        def advance_outside(
            state: TrainingState, stop: Array, order: Array, inputs: Array, labels: Array, key: Array
        ) -> tuple[TrainingState, Settled]:
            settled: Settled = ()
            moves = drawn(key)
            while going(state, stop):
                state, settled = update(state, fetch(inputs, labels, order, state.step, moves=moves), key)
            return state, settled

        return advance_outside

    order = jax.ShapeDtypeStruct((passes * samples,), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    # What is split stays split as it is, and what is whole everywhere stays that: the caller reads it.
    here = jax.tree.map(lambda leaf: leaf.sharding, state)
    whole = spread.everywhere
    jitted = jax.jit(
        advance,
        donate_argnums=0,
        in_shardings=(here, whole, whole, whole, whole, whole),
        out_shardings=(here, None),
    )
    return jitted.lower(state, jnp.int32(0), order, inputs, labels, key).compile()


@jax.jit
def all_finite(network: Any) -> Array:
    """Whether all the numbers of a network are finite."""
    return jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(network)]))


def compile_test(
    learner: Learner, inputs: Array, labels: Array, *, scale: float, devices: Devices | None = None
) -> Callable[[Any], tuple[Array, Array]]:
    """Compile the test of a network.

    Args:
        learner: what to test.
        inputs: test inputs, (samples, features), of any dtype.
        labels: their classes, (samples,), or a regression's targets, (samples, outputs).
        scale: what inputs are multiplied by.
        devices: where all stands and the samples are shared out; the first device alone if None.

    Returns:
        A function from the network to the sum of the samples' errors and the number that did not converge.
    """
    spread = one_device() if devices is None else devices
    samples = len(labels)
    leaves = jax.tree.leaves(learner.parameters(learner.network))
    widest = max((leaf.shape[-1] for leaf in leaves if leaf.ndim), default=1)
    most = max(1, min(_TEST_BATCH, _TEST_VOLTAGES // widest, samples))
    batch_size = -(-most // spread.sample_shares) * spread.sample_shares
    # The last batch is filled up with the last sample; `counted` leaves the filling out.
    index = jnp.arange(-(-samples // batch_size) * batch_size).reshape(-1, batch_size)

    def judge(network: Any, rows: Array, inputs: Array, labels: Array) -> tuple[Array, Array]:
        batch = spread.shared_samples(inputs[rows].astype(float) * scale)
        prediction, converged = learner.predict(network, batch)
        return sample_errors(prediction, labels[rows], learner.target_voltage), ~converged

    if not learner.traceable:

        def test_outside(network: Any) -> tuple[Array, Array]:
            error, unconverged = judge(network, jnp.arange(samples), inputs, labels)
            return error.sum(), unconverged.sum()

        return test_outside

    @jax.jit
    def test(network: Any, inputs: Array, labels: Array) -> tuple[Array, Array]:
        def batch(index: Array) -> tuple[Array, Array]:
            counted = index < samples
            error, unconverged = judge(network, jnp.minimum(index, samples - 1), inputs, labels)
            return jnp.sum(jnp.where(counted, error, 0.0)), jnp.sum(unconverged & counted)

        error, unconverged = lax.map(batch, index)
        return error.sum(), unconverged.sum()

    return lambda network: test(network, inputs, labels)
