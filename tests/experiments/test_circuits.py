"""Circuits without layers, trained: every experiment's setting makes a learner, and `mho train xor` end to end."""

import dataclasses
import json
import shutil
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.command import main
from mho.errors import InputError
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.circuits import circuit, circuit_learner
from mho.experiments.configuration import CircuitConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.epoch import sample_order
from mho.experiments.error import error_scale, sample_errors, target_voltages
from mho.experiments.found_runs import trained_network
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import checkpoint_folder, read_metrics
from mho.experiments.training import train
from mho.networks.random_graph import random_graph
from mho.networks.square_lattice import square_lattice
from mho.steady.newton import solve_circuit
from referee import batch_voltages

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


def configured(name: str) -> CircuitConfiguration:
    configuration = EXPERIMENTS[name].configuration
    assert isinstance(configuration, CircuitConfiguration)
    return configuration


def test_xor_is_trained_resumed_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["train", "xor", "--epochs", "4", "--out", str(whole)]) == 0
    assert capsys.readouterr().out.startswith("error on the training samples 0.00% after 4 epochs")
    # As if it had been killed in the last epoch.
    shutil.copytree(whole, cut)
    checkpoints(checkpoint_folder(cut))[0].unlink()
    assert main(["train", "--resume", str(cut)]) == 0
    assert "epoch 4/4" in capsys.readouterr().err

    archives = [np.load(checkpoints(checkpoint_folder(folder))[0]) for folder in (whole, cut)]
    for name in set(archives[0].files) - {"about"}:
        np.testing.assert_array_equal(archives[0][name], archives[1][name], err_msg=name)
    runs = [[{k: v for k, v in m.items() if k != "seconds"} for m in read_metrics(f)] for f in (whole, cut)]
    assert runs[0] == runs[1]
    for record in runs[0]:
        assert record["out_of_sweeps"] == record["test_out_of_sweeps"] == record["above_tolerance"] == 0
        assert record["residual"] <= record["tolerance"] == pytest.approx(1e-6)
        assert record["test_error"] is None, "xor has no samples that it is not trained on"
    assert runs[0][-1]["train_loss"] < 1e-3 * runs[0][0]["train_loss"]
    assert {p.name for p in whole.iterdir()} >= {"config.json", "curves.png", "histograms.png"}
    assert json.loads((whole / "config.json").read_text())["kind"] == "circuit"

    # The trained circuit, solved by the other solver: the four rows' outputs stand at their targets.
    _, trained = trained_network(whole)
    data = load_dataset("xor")
    solved = solve_circuit(trained, data.test_inputs, rtol=1e-10).voltages
    wanted = 0.1 * np.eye(2)[data.test_targets]
    np.testing.assert_allclose(trained.prediction(solved), wanted, atol=0.01)

    for sample in range(4):
        assert main(["export", str(whole), "--sample", str(sample), "-o", "-"]) == 0
        netlist = capsys.readouterr().out
        assert netlist.startswith(f"* xor training sample {sample} of class {data.test_targets[sample]}, free phase\n")
        theirs = batch_voltages(netlist, tmp_path)
        for k in range(1, trained.nodes):
            assert theirs[trained.node_names[k]] == pytest.approx(solved[sample, k], rel=1e-6, abs=1e-6)
        assert main(["predict", str(whole), "--sample", str(sample), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["prediction"] == told["expected"] == str(data.test_targets[sample])
        assert told["nodes"].keys() <= theirs.keys()
        for name, volts in told["nodes"].items():
            assert theirs[name] == pytest.approx(volts, rel=1e-6, abs=1e-6)
    (tmp_path / "rows.csv").write_text("-1,1\n1,1\n")
    assert main(["predict", str(whole), str(tmp_path / "rows.csv")]) == 0
    assert capsys.readouterr().out == "-1,1,1\n1,1,0\n"
    assert main(["export", str(whole), "--sample", "4", "-o", "-"]) == 2
    assert f"--sample 4: the training set of {whole} has samples 0 to 3" in capsys.readouterr().err


def test_coupled_learning_meets_the_allosteric_targets(tmp_path: Path) -> None:
    metrics = train("allosteric", dataclasses.replace(configured("allosteric"), epochs=4), tmp_path / "run").metrics
    assert metrics[-1]["error_after"] < 1e-3 and metrics[-1]["test_error"] is None
    assert [(m["out_of_sweeps"], m["warnings"]) for m in metrics] == [(0, [])] * 4


def test_each_rule_s_learner_descends_a_circuit_s_cost() -> None:
    """Equilibrium propagation gives its derivative, coupled learning of one output what is parallel to it."""
    draw, inputs, target = np.random.default_rng(0), np.array([[0.6, -0.9]]), np.array([[0.05]])
    found = {}
    for rule in ("implicit", "equilibrium-propagation", "coupled-learning"):
        configuration = dataclasses.replace(configured("xor"), rule=rule, beta=1e-6, eta=1e-5, rtol=1e-11)
        with jax.enable_x64(True):
            subject = circuit_learner(configuration, 2, 1, 1)
            slope = jax.jit(subject.gradient)(subject.network, inputs, target, jax.random.key(0)).by_parameter
            state = subject.optimizer.init(subject.parameters(subject.network))
            assert jax.tree.structure(subject.optimizer.update(slope, state)[1]) == jax.tree.structure(state)
        (found[rule],) = map(np.asarray, jax.tree.leaves(slope))
    exact = found["implicit"]
    np.testing.assert_allclose(found["equilibrium-propagation"], exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    units = [g / np.linalg.norm(g) for g in (found["coupled-learning"], exact)]
    np.testing.assert_allclose(*units, rtol=0, atol=1e-4)

    network = circuit(configuration, 2, 1)
    (branch,) = (k for k, b in enumerate(network.branches) if b.programmable)
    first = np.asarray(network.branches[branch].element.conductance)  # type: ignore[attr-defined]
    direction = first * draw.normal(size=first.shape)

    def cost(step: float) -> float:
        moved = eqx.tree_at(lambda n: n.branches[branch].element.conductance, network, first + step * direction)
        return 0.5 * float(moved.prediction(solve_circuit(moved, inputs).voltages)[0, 0] - target[0, 0]) ** 2

    assert exact @ direction == pytest.approx((cost(1e-4) - cost(-1e-4)) / 2e-4, rel=1e-5, abs=0)


def test_errors_are_fractions_of_variance_unexplained() -> None:
    random = np.random.default_rng(0)
    expected, prediction = random.normal(1, 2, (50, 3)), random.normal(0, 1, (50, 3))
    found = np.mean(sample_errors(jnp.asarray(0.1 * prediction), jnp.asarray(expected), 0.1)) / error_scale(expected)
    assert found == pytest.approx(
        np.sum((prediction - expected) ** 2) / np.sum((expected - expected.mean()) ** 2), 1e-5
    )
    mean = np.full_like(expected, expected.mean())
    assert np.mean(sample_errors(mean, expected, 1.0)) / error_scale(expected) == pytest.approx(1.0, 1e-5)
    np.testing.assert_allclose(target_voltages(jnp.asarray(expected), None, 0.1), 0.1 * expected, rtol=1e-6)
    labels = np.array([0, 2])
    np.testing.assert_allclose(target_voltages(jnp.asarray(labels), 3, 0.5), 0.5 * np.eye(3)[labels])
    np.testing.assert_array_equal(sample_errors(jnp.eye(3)[:2], jnp.asarray(labels), 0.5), [0, 1])
    assert error_scale(labels) == 1.0


def test_passes_of_an_epoch_are_those_of_shorter_epochs() -> None:
    long = np.asarray(sample_order(3, 2, 10, passes=3)).reshape(3, 10)
    for number, order in enumerate(long, start=4):
        np.testing.assert_array_equal(order, sample_order(3, number, 10))


def test_a_lattice_s_voltages_are_weighted_means_of_its_sources() -> None:
    lattice = square_lattice(2, 3, side=5, seed=1, bias_line=1.0)
    answers = [lattice.prediction(solve_circuit(lattice, np.array(x)).voltages) for x in ([0.0, 0], [1, 0], [0, 1])]
    coefficients = np.array([answers[1] - answers[0], answers[2] - answers[0], answers[0]])
    assert (coefficients > 0).all() and (coefficients.sum(0) < 1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: square_lattice(3, 2, side=3, seed=0),
            "a lattice of side 3 has 8 nodes along its edge for 4 sources and 1",
        ),
        (lambda: square_lattice(1, 1, side=4, seed=0, lower=0.6), "first conductances, 0.5 to 1.5 S: must be within"),
        (lambda: random_graph(1, 1, hidden=0, diodes=0, seed=0), "0 hidden nodes: each must be positive"),
        (lambda: random_graph(1, 1, hidden=2, diodes=0, seed=0, upper=1e-3), "must be within the bounds"),
        (lambda: dataclasses.replace(configured("xor"), eta=1.5), "--eta 1.5: must be at most 1"),
        (lambda: dataclasses.replace(configured("xor"), density=0.0), "--density 0.0: must be above 0"),
        (lambda: dataclasses.replace(configured("allosteric"), cost="cross-entropy"), "coupled learning clamps"),
        (lambda: dataclasses.replace(configured("xor"), learning_rates=(1.0, 2.0)), "2 given, expected one"),
    ],
)
def test_what_makes_no_circuit_is_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_regression_without_variance_or_with_classes_cost_is_refused(tmp_path: Path) -> None:
    diabetes = configured("diabetes")
    for changes, message in [
        ({"validation": 1}, "all targets of the test set are equal"),
        ({"cost": "cross-entropy"}, "--cost cross-entropy: diabetes has no classes"),
    ]:
        with pytest.raises(InputError, match=message):
            train("diabetes", dataclasses.replace(diabetes, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
