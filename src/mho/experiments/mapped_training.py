"""Many networks trained at once: the members of a sweep that differ in numbers alone, in one compiled program.

Their epochs are one epoch mapped over a leading axis of all arrays (`jax.vmap`); each member goes through the steps that
`mho train` would make with its numbers, to rounding.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mho.experiments.analog import layer_rates
from mho.experiments.circuits import output_columns
from mho.experiments.configuration import AnalogConfiguration, Configuration
from mho.experiments.data import Dataset
from mho.experiments.devices import one_device
from mho.experiments.epoch import (
    TrainingState,
    compile_test,
    fetch_batch,
    fresh_tally,
    sample_order,
    train_step,
)
from mho.experiments.error import error_scale
from mho.experiments.found_runs import started
from mho.experiments.kinds import learner, untrained_network
from mho.experiments.learner import Learner, is_trained, with_constants
from mho.experiments.memory import machine_memory, needed_memory
from mho.experiments.own_objects import is_own
from mho.experiments.programming import Programs
from mho.experiments.shifts import configured_shifts
from mho.experiments.under_way import next_piece
from mho.learning.update import scale_by_layer

_MAPPED = (
    *("seed", "initial", "learning_rates", "bias_rates", "element_rates", "gain_rates", "decay", "beta", "start"),
    *("flaw_seed", "mismatch", "element_mismatch", "gain_mismatch", "current_gain_mismatch", "element_offset"),
)
"""Fields of a configuration in which the networks of one program may differ."""

Course = dict[str, Any]
"""`train_loss`, `train_error`, `test_error` and `unconverged` of a `mho.experiments.sweep_results.Member`."""


def common(configuration: Configuration) -> tuple[Any, ...]:
    """What the networks of one program have in common: equal of configurations that differ in numbers to be mapped alone."""
    values = [getattr(configuration, f.name) for f in dataclasses.fields(configuration) if f.name not in _MAPPED]
    # Where a kind of parameters has rates of its own, it has them in all networks.
    return (*getattr(configuration, "kind_rates", {}), *values)


def mappable(configuration: Configuration, data: Dataset) -> bool:
    """Whether networks of a configuration can be trained at once; its learner is made, which refuses what does not fit.

    They cannot where another simulator is called, for a circuit without an energy or with parameters that learn, of real
    devices, or with an optimizer or a rule of the user's own, which has its own rate or β.
    """
    made = _learner(configuration, data, 1)
    made.close()
    if configuration.epochs == 0:
        return made.traceable
    if getattr(configuration, "average_last", 0):
        return False
    windowed = getattr(configuration, "has_window", False) or not getattr(configuration, "ideal_devices", True)
    if windowed or getattr(made.network, "programmables", ()):
        return False
    return made.traceable and not any(is_own(getattr(configuration, name, "")) for name in ("optimizer", "rule"))


def _outputs(configuration: Configuration, data: Dataset) -> int:
    return output_columns(configuration, data) or data.train_targets.shape[1]


def _learner(configuration: Configuration, data: Dataset, steps: int) -> Learner:
    features = data.train_inputs.shape[1]
    return learner(configuration, features, _outputs(configuration, data), steps, data.image_shape)


def at_once(members: Sequence[Configuration], data: Dataset) -> int:
    """How many of the members there is memory to train at once for."""
    samples, features = data.train_inputs.shape
    outputs, size = _outputs(members[0], data), len(members)
    while size > 1:
        needed = needed_memory(members[0], features, outputs, samples * size, size)
        if sum(needed.values()) <= machine_memory():
            break
        size = -(-size // 2)
    return size


def networks_alike(members: Sequence[Configuration], data: Dataset) -> list[tuple[list[int], list[Any]]]:
    """The untrained networks of members, those together that are wired alike: rows of `members`, and their networks."""
    features, outputs = data.train_inputs.shape[1], _outputs(members[0], data)
    made = ((m, untrained_network(m, features, outputs, data.image_shape)) for m in members)
    networks = [started(member, network)[0] for member, network in made]
    return [(rows, [networks[row] for row in rows]) for rows in _alike(networks)]


def _alike(networks: Sequence[Any]) -> list[list[int]]:
    """Which networks are wired alike, so that they differ in numbers alone: those of circuits depend on the seed."""
    groups: list[list[int]] = []
    wirings: list[list[np.ndarray]] = []
    for row, network in enumerate(networks):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(network)]
        wiring = [np.asarray(leaf.shape) if leaf.dtype.kind == "f" else leaf for leaf in leaves]
        for group, known in zip(groups, wirings, strict=True):
            if len(known) == len(wiring) and all(map(np.array_equal, known, wiring)):
                group.append(row)
                break
        else:
            groups.append([row])
            wirings.append(wiring)
    return groups


def train_at_once(
    members: Sequence[Configuration], networks: Sequence[Any], data: Dataset, told: Callable[[int, str], None]
) -> list[Course]:
    """Train networks that are wired alike, in one program.

    Args:
        members: their configurations, which differ in the fields of `_MAPPED` alone.
        networks: before training.
        data: to train on.
        told: is told how far it has come after each epoch: the epoch and a line.
    """
    configuration = members[0]
    batch_size, passes, seeds = configuration.batch_size, configuration.passes, {member.seed for member in members}
    samples, classes = len(data.train_inputs), output_columns(configuration, data)
    steps = passes * (samples // batch_size)
    # Rates, decay and nudging factor are each member's own, so the learner that all share has none.
    kinds = getattr(configuration, "kind_rates", {})
    own = {f"{kind}_rates": () for kind in kinds}
    shared = _learner(dataclasses.replace(configuration, learning_rates=(1.0,), decay=1.0, **own), data, steps)
    if _constants_equal(shared, networks):
        shared = with_constants(shared, shared.network)
    rates = np.array([_rates(member, member.learning_rates, shared.network) for member in members], float)
    kind_rates = {
        kind: np.array([_rates(member, member.kind_rates[kind], shared.network) for member in members], float)  # type: ignore[attr-defined]
        for kind in kinds
    }
    decays = np.array([member.decay for member in members], float)
    betas = np.array([getattr(member, "beta", 1.0) for member in members], float)
    # One structure for all: names of nodes are equal, but not the same.
    structure = jax.tree.structure(networks[0])
    named = [jax.tree.unflatten(structure, jax.tree.leaves(network)) for network in networks]
    first = jax.tree.map(lambda each: jnp.asarray(each)[0], (rates, kind_rates))
    # On the mesh from the start, where a step leaves the state: else each kind of state is compiled for anew.
    placed = functools.partial(jax.tree.map, one_device().replicated)
    programs = [_programming(member, data, steps) for member in members]
    starts = [_initial(shared, network, first, program) for network, program in zip(named, programs, strict=True)]
    state = placed(_stacked(starts))
    shifts = configured_shifts(configuration.shift, data)
    inputs = jnp.asarray(data.train_inputs if shifts is None else shifts.padded(data.train_inputs))
    labels = jnp.asarray(data.train_targets)

    fetch = functools.partial(fetch_batch, scale=data.scale, batch_size=batch_size, devices=one_device(), shifts=shifts)

    def step(
        state: TrainingState, rates: Any, beta: Array, order: Array, key: Array, moves: Array | None
    ) -> TrainingState:
        batch = fetch(inputs, labels, order, state.step, moves=moves)
        return train_step(_with(shared, rates, beta), state, batch, key, classes=classes, devices=one_device())[0]

    @functools.partial(jax.jit, donate_argnums=0)
    def advance(
        state: TrainingState, count: Array, rates: Any, betas: Array, orders: Array, keys: Array
    ) -> TrainingState:
        each = jax.vmap(step)
        moves = None if shifts is None else jax.vmap(functools.partial(shifts.drawn, count=passes * samples))(keys)
        return lax.fori_loop(0, count, lambda _, state: each(state, rates, betas, orders, keys, moves), state)

    judge = compile_test(shared, jnp.asarray(data.test_inputs), jnp.asarray(data.test_targets), scale=data.scale)
    test = jax.jit(jax.vmap(judge))

    piece = 1
    courses = [Course(train_loss=[], train_error=[], test_error=[], unconverged=0) for _ in members]
    for number in range(1, configuration.epochs + 1):
        orders = {seed: sample_order(seed, number, samples, passes) for seed in seeds}
        keys = {seed: jax.random.fold_in(jax.random.key(seed), number) for seed in seeds}
        fall = decays[:, None] ** (number - 1)
        given = (
            jax.tree.map(lambda each, fall=fall: jnp.asarray(each * fall), (rates, kind_rates)),
            jnp.asarray(betas),
            jnp.stack([orders[member.seed] for member in members]),
            jnp.stack([keys[member.seed] for member in members]),
        )
        done = 0
        while done < steps:
            # In pieces, between which signals are heard.
            began, count = time.perf_counter(), min(piece, steps - done)
            state = jax.block_until_ready(advance(state, jnp.int32(count), *given))
            done += count
            piece = next_piece(piece, time.perf_counter() - began)
        wrong, _ = test(state.network)
        tally = jax.tree.map(lambda sums: np.asarray(sums, float), state.tally)
        ends = {
            "train_loss": tally.loss / steps,
            "train_error": tally.error / (steps * batch_size) / error_scale(data.train_targets),
            "test_error": np.asarray(wrong, float) / len(data.test_targets) / error_scale(data.test_targets),
        }
        for row, course in enumerate(courses):
            sound = math.isfinite(ends["train_loss"][row]) and None not in course["train_loss"]
            for name, values in ends.items():
                course[name].append(float(values[row]) if sound else None)
            course["unconverged"] += int(tally.unconverged[row])
        state = eqx.tree_at(
            lambda s: (s.step, s.tally), state, placed(_stacked([(jnp.int32(0), fresh_tally())] * len(members)))
        )
        sound_errors = [course["test_error"][-1] for course in courses if course["test_error"][-1] is not None]
        best = f"least test error {min(sound_errors):.2%}" if sound_errors else "all have diverged"
        told(number, f"epoch {number}/{configuration.epochs}  {len(members)} networks  {best}")
    return courses


def judge_at_once(members: Sequence[Configuration], networks: Sequence[Any], data: Dataset) -> list[Course]:
    """Test networks that are wired alike as they begin, on the training samples and on those for the test.

    Args:
        members: their configurations, which differ in the fields of `_MAPPED` alone.
        networks: as they begin.
        data: to test on.
    """
    shared = _learner(members[0], data, 1)
    held = [_initial(shared, n, None, _programming(m, data, 1)).network for m, n in zip(members, networks, strict=True)]
    parts = {
        "train_error": (data.train_inputs, data.train_targets),
        "test_error": (data.test_inputs, data.test_targets),
    }
    found: dict[str, list[float]] = {}
    unconverged = np.zeros(len(members), int)
    for name, (inputs, targets) in parts.items():
        judge = compile_test(shared, jnp.asarray(inputs), jnp.asarray(targets), scale=data.scale)
        if shared.traceable:
            structure = jax.tree.structure(held[0])
            wrong, lost = jax.jit(jax.vmap(judge))(
                _stacked([jax.tree.unflatten(structure, jax.tree.leaves(network)) for network in held])
            )
        else:
            wrong, lost = (np.array(each) for each in zip(*map(judge, held), strict=True))
        found[name] = (np.asarray(wrong, float) / len(targets) / error_scale(targets)).tolist()
        unconverged += np.asarray(lost)
    shared.close()
    return [
        Course(
            train_loss=[None],
            train_error=[found["train_error"][row]],
            test_error=[found["test_error"][row]],
            unconverged=int(unconverged[row]),
        )
        for row in range(len(members))
    ]


def _constants_equal(shared: Learner, networks: Sequence[Any]) -> bool:
    """Whether the networks have equal numbers where they do not learn."""
    fixed = [jax.tree.leaves(eqx.filter(n, is_trained(shared, n), inverse=True)) for n in (shared.network, *networks)]
    return all(all(map(np.array_equal, leaves, fixed[0])) for leaves in fixed[1:])


def _rates(configuration: Configuration, rates: Sequence[float], network: Any) -> list[float]:
    """Learning rate of each layer of the network."""
    if isinstance(configuration, AnalogConfiguration):
        return layer_rates(rates, network)
    return list(configuration.rates)


def _with(shared: Learner, rates: Any, beta: Any) -> Learner:
    """The learner with a member's own learning rates and nudging factor, which may be traced."""
    by_layer, by_kind = rates
    each = [by_layer[index] for index in range(len(by_layer))]
    whole = optax.stateless(lambda updates, _=None: jax.tree.map(lambda u: u * each[0], updates))
    layered = hasattr(shared.network, "layers")
    return dataclasses.replace(
        shared,
        optimizer=optax.chain(shared.optimizer, scale_by_layer(each, by_kind) if layered else whole),
        gradient=(lambda *given: shared.gradient(*given, beta=beta))
        if shared.tolerance is not None
        else shared.gradient,
    )


def _programming(member: Configuration, data: Dataset, steps: int) -> Programs:
    """What makes real devices of a member's conductances: its seed draws their numbers."""
    if getattr(member, "ideal_devices", True):
        return lambda network, state: (network, state)
    return _learner(member, data, steps).programming


def _initial(shared: Learner, network: Any, rates: Any, program: Programs) -> TrainingState:
    learner = shared if rates is None else _with(shared, rates, 1.0)
    optimizer_state = learner.optimizer.init(shared.parameters(network))
    network, optimizer_state = program(network, optimizer_state)
    return TrainingState(network, optimizer_state, jnp.int32(0), fresh_tally())


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)
