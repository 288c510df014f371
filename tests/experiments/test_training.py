"""Training: the compiled epoch against NumPy, runs that are cut off at any point, and faults that must not pass."""

import dataclasses
import errno
import json
import os
import re
import struct
from pathlib import Path
from typing import get_args, get_type_hints

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tensorboardX.proto import event_pb2

from mho.errors import InputError, MhoError
from mho.experiments import atomic_file
from mho.experiments.baselines import perceptron
from mho.experiments.checkpoint import read_bookmark
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.configuration import (
    OPTIMIZER_NAMES,
    AnalogConfiguration,
    BaselineConfiguration,
    from_json,
    to_json,
)
from mho.experiments.data import load_dataset
from mho.experiments.epoch import TrainingState, compile_epoch, compile_test, initial_state, sample_order
from mho.experiments.found_runs import trained_network
from mho.experiments.kinds import experiment_data, learner
from mho.experiments.learner import Learner
from mho.experiments.progress import Quiet, Standing
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.rule import configured_cost
from mho.experiments.run import checkpoint_folder, create_run, exclusive, read_metrics
from mho.experiments.training import resume, train
from mho.learning import OPTIMIZERS
from mho.learning.equilibrium_propagation import Nudging, Variant
from mho.networks import LayeredNetwork
from mho.steady import Auto, solve

DIGITS = EXPERIMENTS["drn-digits"].configuration
MLP = EXPERIMENTS["mlp-digits"].configuration
# With momentum, so that the optimizer's state matters; in epochs of 11 steps.
SMALL = BaselineConfiguration(
    dataset="iris", hidden=(4,), epochs=3, batch_size=11, learning_rates=(0.1,), optimizer="momentum", decay=0.9
)
EVERY_PIECE = 1e-9


def leaves(state: object) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def assert_same_bits(one: object, other: object) -> None:
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_run(one: Path, other: Path) -> None:
    """All that the last checkpoints and the metrics hold is the same, bit for bit, but for the seconds."""
    archives = [np.load(checkpoints(checkpoint_folder(folder))[0]) for folder in (one, other)]
    assert archives[0].files == archives[1].files
    for name in set(archives[0].files) - {"about"}:
        np.testing.assert_array_equal(archives[0][name], archives[1][name], err_msg=name)
    metrics = [[{k: v for k, v in m.items() if k != "seconds"} for m in read_metrics(f)] for f in (one, other)]
    assert metrics[0] == metrics[1]


@pytest.fixture(scope="module")
def drn_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drn") / "run"
    train("drn-digits", DIGITS, folder)
    return folder


def test_deep_resistive_network_learns_digits(drn_run: Path) -> None:
    metrics = read_metrics(drn_run)
    assert [m["epoch"] for m in metrics] == [1, 2, 3, 4, 5]
    assert metrics[-1]["test_error"] < 0.11
    assert metrics[-1]["train_loss"] < 0.6 * metrics[0]["train_loss"]
    for m in metrics:
        assert 0 < m["residual"] < 1e-4 and m["out_of_sweeps"] == m["test_out_of_sweeps"] == 0
        assert (m["above_tolerance"], m["probed"], m["tolerance"], m["warnings"]) == (0, 3 * 64, 1e-3, [])
        assert 3 < m["sweeps"] < 40 and m["seconds"] > 0
    assert {p.name for p in drn_run.iterdir()} >= {"config.json", "curves.png", "histograms.png"}
    assert len(checkpoints(checkpoint_folder(drn_run))) == 2


def test_convolutional_network_learns_digits(tmp_path: Path) -> None:
    train(
        "drn-conv-digits", dataclasses.replace(EXPERIMENTS["drn-conv-digits"].configuration, epochs=2), tmp_path / "run"
    )
    metrics = read_metrics(tmp_path / "run")
    assert metrics[-1]["test_error"] < 0.2
    assert metrics[-1]["out_of_sweeps"] == metrics[-1]["above_tolerance"] == 0
    assert 0 < metrics[-1]["residual"] < 3e-4, "pooling nodes of black pixels carry next to no current"


def test_events_hold_the_metrics(drn_run: Path) -> None:
    (file,) = drn_run.glob("events.out.tfevents.*")
    content, shown = file.read_bytes(), {}
    # TFRecord: length, its checksum, the event, its checksum.
    while content:
        (length,) = struct.unpack_from("<Q", content)
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        shown |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
    for record in read_metrics(drn_run):
        for name in {name for name, value in record.items() if isinstance(value, float | int)} - {"epoch"}:
            assert shown[record["epoch"], name] == pytest.approx(record[name], rel=1e-6)


def test_trained_network_is_the_one_that_was_tested(drn_run: Path) -> None:
    configuration, network = trained_network(drn_run)
    assert configuration == DIGITS
    data = load_dataset("digits")
    prediction, converged = learner(DIGITS, 64, 10, 1).predict(network, jnp.asarray(data.test_inputs) / 16)
    assert converged.all()
    wrong = np.mean(np.argmax(prediction, -1) != data.test_targets)
    assert wrong == pytest.approx(read_metrics(drn_run)[-1]["test_error"])


def test_resuming_a_finished_run_does_nothing(drn_run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in drn_run.rglob("*") if p.name != ".lock"}
    finished = resume(drn_run)
    assert not finished.trained and finished.metrics == read_metrics(drn_run)
    assert {p: p.stat().st_mtime_ns for p in drn_run.rglob("*") if p.name != ".lock"} == before
    with pytest.raises(InputError, match=r"--epochs 4: .* is in epoch 5 already"):
        resume(drn_run, epochs=4)


def test_an_epoch_is_gradient_descent_over_the_epoch_s_order() -> None:
    configuration = BaselineConfiguration(dataset="digits", hidden=(), batch_size=5, learning_rates=(0.1,), decay=0.5)
    data = load_dataset("digits")
    subject = learner(configuration, 64, 10, steps_per_epoch=6)
    state = initial_state(subject)
    weight, bias = (np.asarray(x, np.float64) for x in (state.network.layers[0].weight, state.network.layers[0].bias))
    inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)
    advance = compile_epoch(subject, state, inputs, labels, classes=10, scale=data.scale, batch_size=5)
    order = sample_order(3, 1, len(labels))
    state, _ = advance(state, jnp.int32(9), order, inputs, labels, jax.random.key(0))

    loss = wrong = 0.0
    for step, batch in enumerate(np.asarray(order)[:45].reshape(9, 5)):
        x, y = data.train_inputs[batch] * data.scale, np.eye(10)[data.train_targets[batch]]
        logits = x @ weight + bias
        share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        loss -= np.mean(np.sum(y * np.log(share), 1))
        wrong += np.sum(logits.argmax(1) != data.train_targets[batch])
        rate = 0.1 if step < 6 else 0.05
        weight -= rate * x.T @ (share - y) / 5
        bias -= rate * np.mean(share - y, 0)
    np.testing.assert_allclose(state.network.layers[0].weight, weight, atol=1e-5)
    np.testing.assert_allclose(state.network.layers[0].bias, bias, atol=1e-5)
    assert float(state.tally.loss) == pytest.approx(loss, rel=1e-5)
    assert (int(state.tally.error), int(state.step)) == (wrong, 9)


def test_where_an_epoch_is_cut_changes_nothing() -> None:
    subject = learner(MLP, 64, 10, 359)
    data = load_dataset("digits")
    inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)
    first = initial_state(subject)
    advance = compile_epoch(subject, first, inputs, labels, classes=10, scale=data.scale, batch_size=4)
    order, key = sample_order(0, 1, len(labels)), jax.random.key(0)

    def run(*stops: int) -> TrainingState:
        state = initial_state(subject)
        for stop in stops:
            state, _ = advance(state, jnp.int32(stop), order, inputs, labels, key)
        return state

    assert_same_bits(run(359), run(1, 2, 100, 101, 359))


def test_orders_are_permutations_that_depend_on_seed_and_epoch_alone() -> None:
    orders = {(s, e): np.asarray(sample_order(s, e, 1000)) for s in (0, 1) for e in (1, 2)}
    for order in orders.values():
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    np.testing.assert_array_equal(orders[1, 2], np.asarray(sample_order(1, 2, 1000)))
    assert len({order.tobytes() for order in orders.values()}) == 4


@pytest.mark.parametrize("samples", [7, 1000, 2345])
def test_the_test_counts_every_sample_once(samples: int) -> None:
    inputs = np.random.default_rng(samples).integers(0, 256, (samples, 3), dtype=np.uint8)
    labels = np.random.default_rng(0).integers(0, 3, samples).astype(np.int32)
    subject = Learner(
        network=None,
        parameters=lambda n: n,
        optimizer=optax.identity(),
        gradient=None,  # type: ignore[arg-type]
        predict=lambda n, x: (x * n, x[:, 0] < 0.5),
        tolerance=None,
        weights=lambda n: {},
        weight_name="",
    )
    wrong, unconverged = compile_test(subject, jnp.asarray(inputs), jnp.asarray(labels), scale=1 / 255)(jnp.ones(3))
    assert int(wrong) == np.sum(inputs.argmax(1) != labels)
    assert int(unconverged) == np.sum(inputs[:, 0] >= 127.5)


class Killed(BaseException):
    pass


class KilledAfter(Quiet):
    """Ends the run after so many pieces, as a kill would: nothing is written on the way out."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def standing(self, standing: Standing) -> None:
        self.pieces -= 1
        if self.pieces < 0:
            raise Killed


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train("iris", SMALL, folder)
    return folder


def test_killed_runs_resume_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        train("iris", SMALL, folder, checkpoint_minutes=EVERY_PIECE, show=KilledAfter(1))
    seen = set()
    for pieces in (0, 2, 1, 3, 3):  # each time from where the last checkpoint stands
        # A kill within a write leaves this; the lines and the checkpoint may be of different epochs.
        (checkpoint_folder(folder) / ".epochs-00009-steps-000000000.npz.1.partial").write_bytes(b"PK")
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"epoch": 1, "train_loss": 7}\n{"epo')
        with pytest.raises(Killed):
            resume(folder, checkpoint_minutes=EVERY_PIECE, show=KilledAfter(pieces))
        seen.add(checkpoints(checkpoint_folder(folder))[0].name)
        assert len(checkpoints(checkpoint_folder(folder))) <= 2
    assert len(seen) > 2 and any("steps-000000000" not in name for name in seen)
    assert resume(folder).trained
    assert_same_run(folder, uninterrupted)
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        ({"shift": 1, "beta": "auto", "epochs": 2}, 3),
        ({"average_last": 2, "relative_updates": True, "leakage": 0.1, "initial_law": "lognormal", "initial": 0.1}, 5),
    ],
)
def test_a_killed_run_goes_on_with_what_it_draws_and_keeps(changes: dict, pieces: int, tmp_path: Path) -> None:
    configuration = dataclasses.replace(DIGITS, **({"batch_size": 128, "epochs": 3} | changes))
    train("drn-digits", configuration, tmp_path / "whole")
    with pytest.raises(Killed):
        train("drn-digits", configuration, tmp_path / "run", checkpoint_minutes=EVERY_PIECE, show=KilledAfter(pieces))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    *_, before, last = read_metrics(tmp_path / "run")
    if "beta" in changes:
        assert 0 < before["beta"] != last["beta"] > 0 and last["beta_share"] < 0.5
        assert last["above_tolerance"] == 0, "what is judged are the shifted images' operating points"
    else:
        saved = [trained_network(path)[1] for path in checkpoints(checkpoint_folder(tmp_path / "run"))]
        archive = np.load(checkpoints(checkpoint_folder(tmp_path / "run"))[0])
        name = "network.layers.1.crossbar.resistors.conductance"
        mean = (np.asarray(saved[1].layers[1].crossbar.resistors.conductance) + archive[name]) / 2
        np.testing.assert_allclose(saved[0].layers[1].crossbar.resistors.conductance, mean, rtol=1e-5)
        with pytest.raises(InputError, match=r"--epochs 4: .* averages over the last of its 3 epochs"):
            resume(tmp_path / "run", epochs=4)


def test_killed_before_its_first_step_is_done_it_goes_on_from_the_start(uninterrupted: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train("iris", SMALL, tmp_path / "run", show=KilledAfter(0))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", uninterrupted)


def test_more_epochs_make_the_longer_run(uninterrupted: Path, tmp_path: Path) -> None:
    train("iris", dataclasses.replace(SMALL, epochs=1), tmp_path / "run")
    resume(tmp_path / "run", epochs=3)
    assert_same_run(tmp_path / "run", uninterrupted)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["epochs"] == 3


def test_a_full_disk_leaves_the_last_checkpoint(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class FullAfterAnEpoch(Quiet):
        def line(self, text: str) -> None:
            if text.startswith("epoch 2/"):
                monkeypatch.setattr(atomic_file.os, "fsync", full)

    with pytest.raises(MhoError, match=r"epochs-00002-steps-0+\.npz could not be written \(No space left on device\)"):
        train("iris", SMALL, tmp_path / "run", show=FullAfterAnEpoch())
    monkeypatch.undo()
    last = checkpoints(checkpoint_folder(tmp_path / "run"))[0]
    assert last.name.startswith("epochs-00001")
    assert not list((tmp_path / "run").rglob("*.partial"))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", uninterrupted)


def test_a_run_that_diverges_names_the_epoch_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    configuration = dataclasses.replace(MLP, epochs=3, decay=1e30)
    with pytest.raises(MhoError, match=r"ceased to be finite in epoch 2, step \d+ of 359: .*--decay 1e\+30"):
        train("mlp-digits", configuration, tmp_path / "run")
    kept = checkpoints(checkpoint_folder(tmp_path / "run"))[0]
    assert kept.name.startswith("epochs-00001-steps-000000000")
    assert [m["epoch"] for m in read_metrics(tmp_path / "run")] == [1]
    assert np.isfinite(trained_network(tmp_path / "run")[1].layers[0].weight).all()


def test_a_nudging_factor_too_large_is_named(tmp_path: Path) -> None:
    assert isinstance(DIGITS, AnalogConfiguration)
    configuration = dataclasses.replace(DIGITS, variant="negative", beta=500.0)
    with pytest.raises(InputError, match=r"--beta 500: must be below \S+ here, or the phase nudged by −β has no state"):
        train("drn-digits", configuration, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_named(uninterrupted: Path, tmp_path: Path) -> None:
    train("iris", dataclasses.replace(SMALL, epochs=2), tmp_path / "run")
    newest, _ = checkpoints(checkpoint_folder(tmp_path / "run"))
    content = newest.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [content[: len(content) // 2], b""]
    for place in rng.integers(len(content) - 1500, len(content), 150):  # the archive's directory, which has no checksum
        damaged.append(content[:place] + bytes([content[place] ^ rng.integers(1, 256)]) + content[place + 1 :])
    known = 0
    for damage in damaged:
        newest.write_bytes(damage)
        try:
            read_bookmark(newest)
        except InputError as problem:
            assert re.search(
                r"epochs-00002-steps-0+\.npz: (damaged checkpoint; without it|not a checkpoint)", str(problem)
            )
            known += 1
    assert known > 80
    with pytest.raises(InputError, match="damaged checkpoint"):
        newest.write_bytes(damaged[0])
        resume(tmp_path / "run")
    newest.unlink()
    resume(tmp_path / "run", epochs=3)
    assert_same_run(tmp_path / "run", uninterrupted)


def test_an_edited_configuration_is_named(tmp_path: Path) -> None:
    train("iris", dataclasses.replace(SMALL, epochs=1), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"decay": 0.9', '"decay": 0.8'))
    with pytest.raises(InputError, match=r"config\.json: decay is 0\.8, but the run was trained with 0\.9"):
        resume(tmp_path / "run", epochs=2)


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_file.os, "fsync", full)
    with pytest.raises(InputError, match=r"--out .*: cannot be made: No space left on device"):
        create_run(tmp_path / "a" / "b", "iris", SMALL)
    assert not list(tmp_path.iterdir())


def test_two_processes_cannot_train_the_same_run(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path),
        pytest.raises(MhoError, match="another process is training this run"),
        exclusive(tmp_path),
    ):
        pass


def test_left_over_samples_are_told_once(tmp_path: Path) -> None:
    told: list[str] = []

    class Telling(Quiet):
        def line(self, text: str) -> None:
            told.append(text)

    train("iris", dataclasses.replace(SMALL, epochs=2), tmp_path / "run", show=Telling())
    assert [t for t in told if "left out" in t] == ["batches of 11: 10 samples are left out of each pass"]


def test_validation_samples_are_held_out_of_the_training_set() -> None:
    whole, split = experiment_data(DIGITS), experiment_data(dataclasses.replace(DIGITS, validation=400))
    assert (len(split.train_inputs), len(split.test_inputs)) == (len(whole.train_inputs) - 400, 400)
    rows = sorted(map(bytes, np.concatenate([split.train_inputs, split.test_inputs])))
    assert rows == sorted(map(bytes, whole.train_inputs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "--epochs 0: must be positive"),
        ({"batch_size": -1}, "--batch-size -1: must be positive"),
        ({"beta": 0.0}, "--beta 0.0: must be positive"),
        ({"beta": float("nan")}, "--beta nan: must be positive"),
        ({"lower": 0.0}, "--lower 0.0: must be positive"),
        ({"lower": -1e-6}, "--lower -1e-06: must be positive"),
        ({"upper": 1e-9}, "--upper 1e-09: must be above the lower"),
        ({"learning_rates": (0.1, -0.1)}, "--learning-rates -0.1: must be positive"),
        ({"learning_rates": (0.1, 0.1, 0.1)}, "--learning-rates: 3 given, expected one for each of 2 layers"),
        ({"hidden": (10, 0)}, "--hidden 0: must be positive"),
        ({"gains": (4.0, 4.0)}, "--gains: 2 given, expected one for each of 1 hidden layer"),
        ({"bias_line": float("inf")}, "--bias-line inf: must be finite"),
        ({"trained": ()}, "--trained: names nothing"),
        ({"filters": (0,)}, "--filters 0: must be positive"),
        ({"filters": (2,), "bias_line": 1.0}, "--bias-line 1.0: convolutions have none"),
        ({"seed": -1}, "--seed -1: must not be negative"),
    ],
)
def test_a_wrong_field_is_refused_by_its_option(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        dataclasses.replace(DIGITS, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1438}, "--batch-size 1438: must not exceed the 1437 training samples"),
        ({"batch_size": 1000, "validation": 500}, "--batch-size 1000: must not exceed the 937 training samples"),
        ({"validation": 1437}, "--validation 1437: "),
        ({"dataset": "diabetes", "cost": "cross-entropy"}, "--cost cross-entropy: diabetes has no classes"),
        ({"dataset": "wine", "filters": (2,)}, "--filters: wine has 13 features, which are no square image"),
        ({"filters": (2,), "window": 9}, "--window 9 --pooling 1: a window of 9 × 9 does not fit 8 × 8 nodes"),
    ],
)
def test_a_configuration_that_the_data_cannot_serve_is_refused(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^" + message):
        train("drn-digits", dataclasses.replace(DIGITS, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_configurations_survive_json(name: str) -> None:
    configuration = EXPERIMENTS[name].configuration
    written = json.dumps(to_json(configuration), allow_nan=False)
    assert from_json(json.loads(written)) == configuration


@pytest.mark.parametrize("change", [{"beta": "1"}, {"epochs": 1.5}, {"variant": "sideways"}, {"betta": 1.0}])
def test_a_configuration_of_wrong_fields_is_refused(change: dict) -> None:
    (name,) = change
    with pytest.raises(InputError, match=f"^{name}: "):
        from_json(to_json(DIGITS) | change)


def test_the_choices_are_those_that_learning_has() -> None:
    fields = get_type_hints(AnalogConfiguration)
    assert get_args(fields["variant"]) == get_args(Variant)
    assert get_args(fields["nudging"]) == get_args(Nudging)
    assert get_args(get_args(fields["trained"])[0]) == LayeredNetwork.parameters
    assert tuple(OPTIMIZERS) == OPTIMIZER_NAMES


@pytest.mark.parametrize(
    "changes",
    [
        {"element": "shockley", "gains": (4.0,), "paired_outputs": True, "nudging": "held"},
        {
            "element": "piecewise",
            "diode_bias": 0.3,
            "hidden": (7, 6),
            "learning_rates": (0.1, 0.1, 0.2),
            "bias_currents": False,
            "variant": "negative",
            "optimizer": "adam",
        },
        {"element": "linear", "rule": "implicit", "cost": "cross-entropy", "bias_line": 1.0},
        {
            "element": "shockley",
            "variant": "random-sign",
            "trained": ("conductance", "element", "gain"),
            "gains": (2.0,),
        },
        {"filters": (4, 2), "window": 2, "pooling": 2, "hidden": (5,), "learning_rates": (0.1, 0.2, 0.3, 0.4)},
    ],
)
def test_every_choice_s_learner_descends_its_cost(changes: dict) -> None:
    """Its gradient is the cost's derivative in a random direction of all that is trained; its optimizer takes it."""
    configuration = dataclasses.replace(DIGITS, **{"beta": 1e-5, "rtol": 1e-12, "max_sweeps": 1000} | changes)
    draw = np.random.default_rng(0)
    inputs, targets = draw.uniform(0, 1, (3, 64)), np.eye(10)[:3]
    with jax.enable_x64(True):
        subject = learner(configuration, 64, 10, 100)
        network = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), subject.network)
        parameters = subject.parameters(network)
        slope = jax.jit(subject.gradient)(network, inputs, targets, jax.random.key(0)).by_parameter
        state = subject.optimizer.init(parameters)
        assert jax.tree.structure(subject.optimizer.update(slope, state)[1]) == jax.tree.structure(state)
        direction = jax.tree.map(lambda p: draw.normal(size=p.shape) * (np.abs(p) + 1e-3 * (p == 0)), parameters)

        def cost(step: float) -> float:
            moved = eqx.combine(jax.tree.map(lambda p, d: p + step * d, parameters, direction), network)
            voltages = solve(moved, inputs, solver=Auto(1e-12, 10_000)).voltages
            return float(configured_cost(configuration).value(moved.prediction(voltages), targets).mean())

        along = sum(float(np.vdot(s, d)) for s, d in zip(leaves(slope), leaves(direction), strict=True))
        assert along == pytest.approx((cost(1e-5) - cost(-1e-5)) / 2e-5, rel=2e-3)
    layer = slope.layers[0]
    assert bool(jax.tree.leaves(layer.element)) == ("element" in configuration.trained)
    assert bool(jax.tree.leaves(layer.amplifier)) == ("gain" in configuration.trained)
    assert bool(jax.tree.leaves(layer.bias)) == (configuration.bias_currents and "bias" in configuration.trained)


def test_the_experiments_have_their_papers_architectures() -> None:
    for name, widths in {"paper-mnist": (1568, 100, 20), "drn-xs": (1568, 100, 10), "drn-1h": (1568, 1024, 10)}.items():
        network = jax.eval_shape(lambda c=EXPERIMENTS[name].configuration: learner(c, 784, 10, 1).network)
        assert network.widths == widths
    mlp = jax.eval_shape(lambda: perceptron(EXPERIMENTS["mlp-mnist"].configuration, 784, 10))
    assert [layer.weight.shape for layer in mlp.layers] == [(784, 100), (100, 10)]
