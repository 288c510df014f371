"""Sweeps over seeds and hyperparameters: one compiled program trains many small networks at once.

The members of a sweep differ in numbers alone, so their epochs are one epoch mapped over a leading axis of all arrays
(`jax.vmap`); each member goes through the steps that `mho train` would make with its numbers, to rounding.
"""

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mho.errors import InputError
from mho.experiments.analog import layer_rates
from mho.experiments.circuits import output_columns
from mho.experiments.configuration import (
    AnalogConfiguration,
    Configuration,
    RuleConfiguration,
    UnlayeredConfiguration,
    option,
)
from mho.experiments.data import Dataset
from mho.experiments.devices import one_device
from mho.experiments.epoch import (
    TrainingState,
    batch_index,
    compile_test,
    fetch_batch,
    fresh_tally,
    sample_order,
    train_step,
)
from mho.experiments.error import error_scale
from mho.experiments.learner import Learner, with_constants
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.own_objects import is_own
from mho.experiments.training import experiment_data, learner, next_piece, untrained_network
from mho.learning.update import scale_by_layer

SWEPT = ("learning_rates", "beta", "decay", "initial")
"""Fields of a configuration, apart from the seed, in which members may differ."""


@dataclass(frozen=True)
class Member:
    """What one network of a sweep was trained with and what came of it."""

    seed: int
    setting: dict[str, Any]
    """The swept fields' values."""
    train_loss: list[float | None]
    """Mean over each epoch; None from the epoch on in which it ceased to be finite."""
    test_error: list[float | None]
    """After each epoch; None where the loss is not finite."""
    unconverged: int
    """Operating points for which the sweeps ran out, in training."""

    @property
    def diverged(self) -> bool:
        """Whether its loss ceased to be finite."""
        return self.train_loss[-1] is None


def settings_of(configuration: Configuration, values: Mapping[str, Sequence[Any]]) -> list[Configuration]:
    """A configuration for each combination of the swept fields' values.

    Raises:
        InputError: for a field that the configuration has not, that cannot be swept or that has no values, and for a
            value that the configuration refuses.
    """
    for name, given in values.items():
        if name not in SWEPT or not hasattr(configuration, name):
            swept = ", ".join(option(known) for known in SWEPT if hasattr(configuration, known))
            raise InputError(f"{option(name)}: this experiment's sweeps vary --seeds, {swept}")
        if not given:
            raise InputError(f"{option(name)}: no value")
    combinations = itertools.product(*values.values())
    return [dataclasses.replace(configuration, **dict(zip(values, chosen, strict=True))) for chosen in combinations]


def sweep(
    configuration: Configuration,
    seeds: Sequence[int],
    values: Mapping[str, Sequence[Any]],
    *,
    told: Callable[[str], None] = lambda line: None,
) -> list[Member]:
    """Train a network for each seed and each combination of values, all at once.

    Args:
        configuration: what they have in common.
        seeds: of the initial weights and the order of the samples.
        values: of the swept fields; see `SWEPT`.
        told: is told how far it has come, a line an epoch.

    Returns:
        The members, setting by setting, the seeds of each in their order.

    Raises:
        InputError: see `settings_of` and `mho.experiments.training.experiment_data`; or for a network that cannot be
            mapped over: another simulator's, or one whose conductances are not trained.
    """
    if not seeds:
        raise InputError("--seeds: no seed")
    settings = settings_of(configuration, values)
    refuse_if_too_large(configuration, 1, 1, 1, len(settings) * len(seeds))  # before there is a record of each
    members = [dataclasses.replace(setting, seed=seed) for setting in settings for seed in seeds]
    if (
        isinstance(configuration, RuleConfiguration)
        and configuration.rule != "equilibrium-propagation"
        and "beta" in values
    ):
        raise InputError(f"--beta: --rule {configuration.rule} has no nudging factor β")
    for name in ("optimizer", "rule"):
        if is_own(getattr(configuration, name, "")):
            raise InputError(
                f"{option(name)} {getattr(configuration, name)}: sweeps set rates and β of mho's own alone"
            )
    if getattr(configuration, "kind_rates", {}) or configuration.schedule != "constant" or configuration.warm_up:
        raise InputError("sweeps have one rate a layer and no schedule but --decay; run mho train for each setting")
    if getattr(configuration, "simulator", "mho") != "mho":
        raise InputError("--simulator ngspice: sweeps are computed by mho's own solver")
    if isinstance(configuration, AnalogConfiguration) and "conductance" not in configuration.trained:
        raise InputError("--trained: a sweep's networks learn their conductances")
    data = experiment_data(configuration)
    samples, features = data.train_inputs.shape
    classes = output_columns(configuration, data)
    outputs = data.train_targets.shape[1] if classes is None else classes
    refuse_if_too_large(configuration, features, outputs, samples * len(members), len(members))
    with jax.enable_x64(isinstance(configuration, UnlayeredConfiguration)):
        networks = [untrained_network(member, features, outputs, data.image_shape) for member in members]
        if getattr(networks[0], "programmables", ()):
            raise InputError("--programmable: a sweep's networks learn their resistors alone")
        found: dict[int, Member] = {}
        for rows in _alike(networks):
            alike = [members[row] for row in rows], [networks[row] for row in rows]
            found |= zip(rows, _together(configuration, *alike, values, data, classes, told), strict=True)
    return [found[row] for row in range(len(members))]


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


def _together(
    configuration: Configuration,
    members: Sequence[Configuration],
    networks: Sequence[Any],
    values: Mapping[str, Sequence[Any]],
    data: Dataset,
    classes: int | None,
    told: Callable[[str], None],
) -> list[Member]:
    """Train networks that are wired alike, in one program."""
    batch_size, passes, seeds = configuration.batch_size, configuration.passes, {member.seed for member in members}
    samples, features = data.train_inputs.shape
    outputs = data.train_targets.shape[1] if classes is None else classes
    steps = passes * (samples // batch_size)
    # Rates, decay and nudging factor are each member's own, so the learner that all share has none.
    template = dataclasses.replace(configuration, learning_rates=(1.0,), decay=1.0, seed=members[0].seed)
    common = learner(template, features, outputs, steps, data.image_shape)
    common = with_constants(common, common.network)
    if not common.traceable:
        common.close()
        raise InputError("a sweep's networks train in one compiled program, which a circuit without an energy cannot")
    rates = np.array([_rates(member, common.network) for member in members], float)
    decays = np.array([member.decay for member in members], float)
    betas = np.array([getattr(member, "beta", 1.0) for member in members], float)
    # One structure for all: names of nodes are equal, but not the same.
    structure = jax.tree.structure(networks[0])
    named = [jax.tree.unflatten(structure, jax.tree.leaves(network)) for network in networks]
    state = _stacked([_initial(common, network, jnp.asarray(rates)[0]) for network in named])
    inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)

    def step(state: TrainingState, rates: Array, beta: Array, order: Array, key: Array) -> TrainingState:
        index = batch_index(order, state.step, samples, batch_size)
        batch = fetch_batch(inputs, labels, index, data.scale, one_device())
        shared = _with(common, rates, beta)
        return train_step(shared, state, batch, key, classes=classes, devices=one_device())[0]

    @functools.partial(jax.jit, donate_argnums=0)
    def advance(
        state: TrainingState, count: Array, rates: Array, betas: Array, orders: Array, keys: Array
    ) -> TrainingState:
        each = jax.vmap(step)
        return lax.fori_loop(0, count, lambda _, state: each(state, rates, betas, orders, keys), state)

    judge = compile_test(common, jnp.asarray(data.test_inputs), jnp.asarray(data.test_targets), scale=data.scale)
    test = jax.jit(jax.vmap(judge))

    piece = 1
    losses: list[list[float | None]] = [[] for _ in members]
    errors: list[list[float | None]] = [[] for _ in members]
    unconverged = np.zeros(len(members), int)
    for number in range(1, configuration.epochs + 1):
        orders = {seed: sample_order(seed, number, samples, passes) for seed in seeds}
        keys = {seed: jax.random.fold_in(jax.random.key(seed), number) for seed in seeds}
        given = (
            jnp.asarray(rates * decays[:, None] ** (number - 1)),
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
        mean_loss = np.asarray(state.tally.loss, float) / steps
        unconverged += np.asarray(state.tally.unconverged)
        for index, (loss, count) in enumerate(zip(mean_loss.tolist(), np.asarray(wrong).tolist(), strict=True)):
            sound = math.isfinite(loss) and None not in losses[index]
            losses[index].append(loss if sound else None)
            errors[index].append(count / len(data.test_targets) / error_scale(data.test_targets) if sound else None)
        state = eqx.tree_at(
            lambda s: (s.step, s.tally), state, _stacked([(jnp.int32(0), fresh_tally())] * len(members))
        )
        sound_errors = [error[-1] for error in errors if error[-1] is not None]
        best = f"least test error {min(sound_errors):.2%}" if sound_errors else "all have diverged"
        told(f"epoch {number}/{configuration.epochs}  {len(members)} networks  {best}")
    return [
        Member(member.seed, {name: getattr(member, name) for name in values}, loss, error, int(count))
        for member, loss, error, count in zip(members, losses, errors, unconverged, strict=True)
    ]


def _rates(configuration: Configuration, network: Any) -> list[float]:
    """Learning rate of each layer of the network."""
    if isinstance(configuration, AnalogConfiguration):
        return layer_rates(configuration.learning_rates, network)
    return list(configuration.rates)


def _with(common: Learner, rates: Any, beta: Any) -> Learner:
    """The learner with a member's own learning rates and nudging factor, which may be traced."""
    analog = common.tolerance is not None
    each = [rates[index] for index in range(len(rates))]
    whole = optax.stateless(lambda updates, _=None: jax.tree.map(lambda u: u * each[0], updates))
    return dataclasses.replace(
        common,
        optimizer=optax.chain(common.optimizer, scale_by_layer(each) if hasattr(common.network, "layers") else whole),
        gradient=(lambda *given: common.gradient(*given, beta=beta)) if analog else common.gradient,
    )


def _initial(common: Learner, network: Any, rates: Any) -> TrainingState:
    optimizer_state = _with(common, rates, 1.0).optimizer.init(common.parameters(network))
    return TrainingState(network, optimizer_state, jnp.int32(0), fresh_tally())


def _stacked(trees: Sequence[Any]) -> Any:
    # Placed as what a step gives back is: else the steps would be compiled a second time.
    stack = one_device().replicated
    return jax.tree.map(lambda *leaves: stack(jnp.stack([jnp.asarray(leaf) for leaf in leaves])), *trees)
