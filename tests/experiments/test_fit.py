"""`fit`: what a Python program brings is what is trained, as the command trains, and is found again."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mho.command import main
from mho.elements import IdealDiode, TwoTerminal
from mho.errors import InputError
from mho.experiments.analog import analog_learner, analog_network
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.circuits import circuit
from mho.experiments.configuration import AnalogConfiguration, CircuitConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.fit import classes_of, fit
from mho.experiments.found_runs import trained_network
from mho.experiments.learner import with_constants
from mho.experiments.prediction import load, predict
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.rule import learning_rule
from mho.experiments.run import checkpoint_folder, read_metrics
from mho.experiments.structure import built, structure_of
from mho.experiments.training import train
from mho.learning import EquilibriumPropagation, SquaredError
from mho.netlists import parse_netlist
from mho.netlists.circuits.network import netlist_network
from mho.networks import layered_network
from mho.steady import Auto, solve
from referee import batch_voltages


class SinhElement(TwoTerminal):
    """A user's element: its law alone."""

    scale: jax.Array

    def current(self, voltage: jax.Array) -> jax.Array:
        """I = I₀ sinh(v / 0.1 V)."""
        return self.scale * jnp.sinh(voltage / 0.1)


class Backwards:
    """A user's rule: another's gradient, and what it counts."""

    def __init__(self) -> None:
        self.inner, self.traced = EquilibriumPropagation(SquaredError(), beta=0.1), 0

    def gradient(self, network: Any, inputs: Any, targets: Any, *, trained: Any, key: Any = None) -> Any:
        self.traced += 1
        return self.inner.gradient(network, inputs, targets, trained=trained, key=key)


def small(nodes: int = 8, scale: float = 1e-3) -> Any:
    element = SinhElement(np.full(nodes, scale))  # type: ignore[arg-type]
    return layered_network((4, nodes, 3), jax.random.key(0), elements=(element,), input_gain=2.0)


def ideal() -> Any:
    return layered_network((4, 8, 3), jax.random.key(0), elements=(IdealDiode(np.repeat([1.0, -1.0], 4)),))  # type: ignore[arg-type]


def iris() -> Any:
    return load_dataset("iris")


def told(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in record.items() if k != "seconds"} for record in metrics]


@pytest.mark.parametrize("name", ["drn-digits", "xor"])
def test_fit_is_what_the_command_does(name: str, tmp_path: Path) -> None:
    configuration = dataclasses.replace(EXPERIMENTS[name].configuration, epochs=1)
    data = load_dataset(configuration.dataset)
    features, classes = data.train_inputs.shape[1], data.classes
    assert classes is not None and isinstance(configuration, AnalogConfiguration | CircuitConfiguration)
    if isinstance(configuration, AnalogConfiguration):
        network, trained = analog_network(configuration, features, classes), configuration.trained
    else:
        network, trained = circuit(configuration, features, classes), ("conductance",)
    found = fit(
        network,
        data,
        rule=learning_rule(configuration),
        optimizer=configuration.optimizer,
        learning_rates=configuration.learning_rates[0],
        decay=configuration.decay,
        epochs=1,
        batch_size=configuration.batch_size,
        passes=configuration.passes,
        trained=trained,
        target_voltage=getattr(configuration, "target_voltage", 1.0),
        progress=False,
    )
    run = tmp_path / "run"
    assert told(found.metrics) == told(train(name, configuration, run).metrics)
    for one, other in zip(jax.tree.leaves(found.network), jax.tree.leaves(trained_network(run)[1]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_own_element_rule_optimizer_and_solver(tmp_path: Path) -> None:
    rule = Backwards()
    found = fit(small(), iris(), rule=rule, optimizer=optax.adam(0.01), epochs=2, out=tmp_path / "run", progress=False)
    assert rule.traced and found.metrics[-1]["train_loss"] < found.metrics[0]["train_loss"]
    _, network = trained_network(tmp_path / "run")
    prediction = network.prediction(solve(network, iris().test_inputs, solver=Auto(1e-10)).voltages)
    wrong = np.mean(np.argmax(prediction, -1) != iris().test_targets)
    assert wrong == pytest.approx(read_metrics(tmp_path / "run")[-1]["test_error"])
    # A class that isn't there any more is one line.
    (tmp_path / "run" / "network.json").write_text(
        (tmp_path / "run" / "network.json").read_text().replace("SinhElement", "CoshElement")
    )
    with pytest.raises(InputError, match=r"network.json: .*CoshElement"):
        trained_network(tmp_path / "run")


def test_a_run_that_was_cut_off_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def run(folder: Path, epochs: int, resume: bool = False) -> Any:
        return fit(
            ideal(), iris(), optimizer=optax.adam(0.01), epochs=epochs, out=folder, resume=resume, progress=False
        )

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = run(whole, 3)
    shutil.copytree(whole, cut)
    checkpoints(checkpoint_folder(cut))[0].unlink()
    found = run(cut, 3, resume=True)
    assert told(found.metrics) == told(expected.metrics)
    for one, other in zip(jax.tree.leaves(found.network), jax.tree.leaves(expected.network), strict=True):
        np.testing.assert_array_equal(one, other)
    assert json.loads((cut / "config.json").read_text()) == json.loads((whole / "config.json").read_text())


def test_the_network_that_is_given_is_the_one_that_is_trained_and_tested() -> None:
    # A learner computes with the network that it is given, until it is told to hold the constants of one.
    configuration = EXPERIMENTS["drn-digits"].configuration
    assert isinstance(configuration, AnalogConfiguration)
    subject = analog_learner(configuration, 64, 10, 1)
    flipped = eqx.tree_at(lambda n: n.layers[0].element.polarity, subject.network, replace_fn=lambda p: -p)
    inputs, targets, key = jnp.ones((4, 64)), jnp.ones((4, 10)), jax.random.key(0)
    for learner, network in ((subject, flipped), (with_constants(subject, flipped), subject.network)):
        voltages = jnp.asarray(solve(flipped, inputs, solver=Auto(1e-6)).voltages[-1])
        np.testing.assert_allclose(learner.predict(network, inputs)[0], voltages, atol=1e-3)
        np.testing.assert_allclose(learner.gradient(network, inputs, targets, key).prediction, voltages, atol=1e-3)


DIVIDER = """a divider that learns
Vx x 0 0
Vb b 0 1 ; a supply
R1 x a 1k
R2 b a 2k
R3 a out 1k
Rload out 0 3k
.end
"""


def test_a_netlist_s_network_is_fitted_found_again_resumed_and_exported(tmp_path: Path, capsys: Any) -> None:
    volts = np.linspace(-1, 1, 6)
    rows = [f"{v},{0.3 * v + 0.1}" for v in volts]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["v,wanted", *rows, ""]))
    network = netlist_network(parse_netlist(DIVIDER), inputs="vx", outputs="out", programmable="r?")

    def run(name: str, **options: Any) -> Any:
        return fit(network, str(table), epochs=3, passes=5, out=tmp_path / name, progress=False, **options)

    whole = run("whole")
    assert whole.metrics[-1]["train_loss"] < whole.metrics[0]["train_loss"]
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    checkpoints(checkpoint_folder(tmp_path / "cut"))[0].unlink()  # as if it had been killed
    assert told(run("cut", resume=True).metrics) == told(whole.metrics)
    for folder in ("whole", "cut"):
        found = load(tmp_path / folder)
        assert found.network.netlist == DIVIDER
        for one, other in zip(jax.tree.leaves(found.network), jax.tree.leaves(whole.network), strict=True):
            np.testing.assert_array_equal(one, other)
    predicted = predict(tmp_path / "cut", volts[:, None])
    np.testing.assert_array_equal(predicted, predict(whole.network, volts[:, None]))
    # The same from the command; ngspice agrees, with a sample of the run's own data and of another file.
    (tmp_path / "new.csv").write_text("v\n0.25\n0.5\n")
    expected = predict(whole.network, [[volts[1]], [0.5]])[:, 0]
    for file, sample, output in (([], 1, expected[0]), ([str(tmp_path / "new.csv")], 1, expected[1])):
        cut, options = [str(tmp_path / "cut"), *file], ["--sample", str(sample)]
        assert main(["predict", *cut, *options, "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["nodes"]["out"] == pytest.approx(output, rel=1e-12) and (shown["expected"] is None) == bool(file)
        assert main(["export", *cut, *options, "-o", str(tmp_path / "out.cir")]) == 0
        text = (tmp_path / "out.cir").read_text()
        assert "Vb b 0 1 ; a supply" in text and "R1 x a 1k" not in text
        assert batch_voltages(text, tmp_path)["out"] == pytest.approx(output, rel=1e-6)
    assert main(["export", *cut, "--phase", "nudged", "-o", str(tmp_path / "nudged.cir")]) == 2
    assert "new.csv: does not tell what sample 0 is to be" in capsys.readouterr().err
    of_an_earlier_version(tmp_path / "cut")
    np.testing.assert_array_equal(predict(tmp_path / "cut", volts[:, None]), predicted)


def of_an_earlier_version(run: Path) -> None:
    """Fields that a run's version did not know yet, taken out of what it wrote."""
    path = run / "config.json"
    configuration = json.loads(path.read_text())
    del configuration["warm_up"], configuration["precision"]
    path.write_text(json.dumps(configuration | {"precision": "float64"}))
    structure = json.loads((run / "network.json").read_text())
    del structure["fields"]["current_inputs"]
    (run / "network.json").write_text(json.dumps(structure))
    for saved in checkpoints(checkpoint_folder(run)):
        with np.load(saved) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("about")))
        del about["configuration"]["warm_up"]
        np.savez(saved, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of_the_future": 1}))
    with pytest.raises(InputError, match=r"config.json: of_the_future: unknown"):
        load(run)
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "of_the_future"}))


def test_a_class_of_the_program_itself_is_given_to_be_found_again() -> None:
    class Local(SinhElement):
        pass

    network = layered_network((4, 8, 3), jax.random.key(0), elements=(Local(np.full(8, 1e-3)),))  # type: ignore[arg-type]
    structure = json.loads(json.dumps(structure_of(network)))
    with pytest.raises(
        InputError, match=r"Local was defined in the program itself; give it by mho.load\(RUN, classes="
    ):
        built(structure)
    for classes in ([Local], classes_of(network)):
        assert jax.tree.structure(built(structure, classes)) == jax.tree.structure(network)
