"""Experiments as files, and the user's own objects that they name."""

import contextlib
import dataclasses
import io
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.command import main
from mho.elements import AntiparallelDiodes
from mho.errors import InputError
from mho.experiments.analog import analog_learner, analog_network
from mho.experiments.configuration import AnalogConfiguration, from_json, to_json
from mho.experiments.experiment_file import read_experiment, shown_experiment
from mho.experiments.registry import EXPERIMENTS
from mho.learning import optimizer
from mho.networks.crossbar import DenseCrossbar, MirroredCrossbar

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

MINE = """
import jax.numpy as jnp, numpy as np, optax, sys
from sklearn.datasets import load_iris
import mho

class Cubic(mho.TwoTerminal):
    strength: jnp.ndarray
    def current(self, voltage):
        return self.strength * voltage**3

def element(nodes):
    return Cubic(jnp.full(nodes, 0.1))

def network(features, outputs, key):
    return mho.layered_network((features, 5, 4, outputs), key, elements=[element(5), element(4)])

def data():
    x, y = load_iris(return_X_y=True)
    return mho.Dataset.from_arrays(x, y)

rule = mho.EquilibriumPropagation(beta=0.5, variant="positive")
adam = optax.adam(1e-2)
number = 3
def broken(*_):
    raise RuntimeError("no\\nsuch luck")
def leaves(*_):
    sys.exit("gone")
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "raises.py").write_text("1 / 0\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "lacks.py").write_text("import la\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("mine", "raises", "leaves", "lacks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_shown_is_the_same_experiment(name: str, tmp_path: Path) -> None:
    known = EXPERIMENTS[name]
    file = tmp_path / f"{name}.toml"
    file.write_text(shown_experiment(known.summary, known.configuration))
    assert read_experiment(file) == known
    assert file.read_text().count("\n# ") >= len(dataclasses.fields(known.configuration))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'kind = "analog"\n\nlearing_rates = [1.0]',
            ":3: unknown field 'learing_rates': did you mean 'learning_rates'?",
        ),
        ('kind = "baseline"\nbeta = 1.0', ":2: unknown field 'beta' of the kind baseline"),
        ('kind = "analog"\nepochs = "x"', ':2: epochs is "x": expected a whole number'),
        ('kind = "analog"\nhidden = 4]', ":2: not TOML: Expected newline"),
        ('kind = "analog"\n\n[learning_rates]\nbias = 1', ":3: learning_rates is "),
        ('kind = "analog"\nlearning_rates.bias = 1', ":2: learning_rates is "),
        ('kind = "analog"\nepochs = 0', ":2: --epochs 0: must be positive"),
        ('kind = "analog"\nwarm_up = 10', ":2: --warm-up 10"),
        ('kind = "analog"\nbias_rates = [1, 2, 3]', ":2: --bias-rates: 3 given, expected one for each of 2 layers"),
        ('kind = "analog"\ninitial = "x"', ':2: initial is "x": expected a number or a list of numbers'),
        (
            'kind = "analog"\nupper = [1, 1, 1]',
            ":2: --upper: 3 given, expected one for each of 2 layers, or one for all",
        ),
        ('kind = "analog"\nlower = [1, 2]\nupper = 2', ":3: --upper 2.0: must be above the lower conductance bound, 2"),
        ('kind = "analog"\ntemperature = -274', ":2: --temperature -274.0: must be above absolute zero"),
        ('kind = "analogue"', ":1: kind 'analogue': expected one of analog,"),
        ('kind = ["analog"]', ":1: kind ['analog']: expected one of analog,"),
        ('kind = "network"', ":1: kind 'network': expected one of analog,"),
        ("epochs = 1", ": kind None: expected one of analog,"),
    ],
)
def test_a_wrong_file_is_told_in_one_line_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text + "\n")
    with pytest.raises(InputError) as problem:
        read_experiment(file)
    assert str(problem.value).startswith(f"{file}{told}")
    assert "\n" not in str(problem.value)


def test_the_published_biases_learn_at_a_tenth_of_the_rates() -> None:
    known = EXPERIMENTS["drn-3h"].configuration
    assert isinstance(known, AnalogConfiguration)
    np.testing.assert_allclose(known.bias_rates, np.array(known.learning_rates) / 10)


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"decay": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"warm_up_epochs": 1.0}, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        ({"cosine_epochs": 3}, [(1 + np.cos(np.pi * k / 6)) / 2 for k in range(6)]),
        (
            {"cosine_epochs": 3, "warm_up_epochs": 1.0},
            [1 / 3, 2 / 3, *((1 + np.cos(np.pi * k / 4)) / 2 for k in range(4))],
        ),
    ],
)
def test_rates_follow_their_schedule(settings: dict, factors: list[float]) -> None:
    step = optimizer("sgd", 0.1, steps_per_epoch=2, **settings)
    state = step.init(np.ones(1))
    taken = []
    for _ in factors:
        update, state = step.update(np.ones(1, np.float32), state)
        taken.append(float(np.asarray(update)[0]))
    np.testing.assert_allclose(taken, [-0.1 * factor for factor in factors], rtol=1e-6, atol=1e-9)


LAYERS = """
kind = "analog"
dataset = "digits"
hidden = [8, 6]
element = "shockley"
temperature = 77
saturation_current = [1e-6, 1e-9]
initial = [0.1, 2, 0.5]
initial_law = "uniform"
lower = [1e-3, 1e-2, 1e-4]
upper = [inf, 2, 1]
learning_rates = [0.1, 0.2, 0.3]
bias_rates = [4]
element_rates = [5, 6]
gain_rates = [7]
gains = [2]
trained = ["conductance", "bias", "element", "gain"]
"""


def test_each_layer_and_kind_has_its_own_bounds_start_and_rate(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(LAYERS)
    known = read_experiment(file).configuration
    assert isinstance(known, AnalogConfiguration) and from_json(json.loads(json.dumps(to_json(known)))) == known
    file.write_text(shown_experiment("", known))
    assert read_experiment(file).configuration == known
    network = analog_network(known, 64, 10)
    learner = analog_learner(known, 64, 10, 1)
    slope = jax.tree.map(jnp.ones_like, learner.parameters(network))
    steps, _ = learner.optimizer.update(slope, learner.optimizer.init(slope))
    for index, layer in enumerate(network.layers):
        crossbar = layer.crossbar
        assert isinstance(crossbar, DenseCrossbar | MirroredCrossbar)
        first = crossbar.resistors
        g = np.asarray(first.conductance)
        lower, initial = known.lower[index], known.initial[index]  # type: ignore[index]
        assert (first.lower, first.upper) == (np.float64(lower), known.upper[index])  # type: ignore[index]
        assert lower <= g.min() and g.max() <= initial
        np.testing.assert_allclose(g.mean(), (lower + initial) / 2, rtol=0.2)
        taken = {
            float(x) for x in np.unique(np.concatenate([np.ravel(x) for x in jax.tree.leaves(steps.layers[index])]))
        }
        rates = (
            [known.learning_rates[index], 4.0] if index == 2 else [known.learning_rates[index], 4.0, 5.0 + index, 7.0]
        )
        np.testing.assert_allclose(sorted(taken), sorted(-rate for rate in rates), rtol=1e-6)
    for layer, current in zip(network.layers, (1e-6, 1e-9), strict=False):
        assert isinstance(layer.element, AntiparallelDiodes)
        assert layer.element.up.temperature == pytest.approx(350.15)
        np.testing.assert_allclose(layer.element.up.saturation_current, current)


def test_lognormal_conductances_have_their_median_and_spread_in_convolutions_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'kind = "analog"\nfilters = [16]\nhidden = []\ninitial_law = "lognormal"\ninitial = [1e-3, 1e-5]\n'
        "initial_spread = 0.5\nlower = 1e-9\n"
    )
    known = read_experiment(file).configuration
    assert isinstance(known, AnalogConfiguration)
    for layer, median in zip(analog_network(known, 64, 10).layers, (1e-3, 1e-5), strict=True):
        log = np.log(np.concatenate([np.ravel(x) for x in jax.tree.leaves(layer.crossbar)]))
        np.testing.assert_allclose([log.mean(), log.std()], [np.log(median), 0.5], atol=0.15)


def _toml(folder: Path, **fields: object) -> Path:
    file = folder / "mine.toml"
    settings = {
        "kind": "analog",
        "dataset": "iris",
        "epochs": 1,
        "hidden": [5],
        "batch_size": 8,
        "variant": "positive",
    } | fields
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return file


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": "mine:data", "element": "mine:element", "rule": "mine:rule", "optimizer": "mine:adam"},
        {"network": "mine:network", "learning_rates": [0.001, 0.002, 0.001]},
    ],
)
def test_objects_of_ones_own_train_and_go_on(fields: dict, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, run = _toml(mine, **fields), mine / "run"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["train", str(file), "--seed", "3", "--out", str(run)]) == 0
        file.unlink()
        assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    said = json.loads((run / "config.json").read_text())
    assert (
        fields.items() <= said["configuration"].items() if "configuration" in said else fields.items() <= said.items()
    )
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in records] == [1, 2]
    assert all(np.isfinite(r["train_loss"]) and r["residual"] < 1e-3 for r in records)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert main(["show", str(run)]) == 0
    again = mine / "again.toml"
    again.write_text(shown.getvalue())
    assert {name: getattr(read_experiment(again).configuration, name) for name in ("seed", "epochs")} == {
        "seed": 3,
        "epochs": 2,
    }


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"element": "mine:no"}, "--element mine:no: module 'mine' has no 'no'"),
        ({"element": "mine:number"}, "--element mine:number: is a int, expected TwoTerminal"),
        ({"element": "mine:data"}, "--element mine:data: raises TypeError: "),
        ({"rule": "mine:adam"}, "--rule mine:adam: is a GradientTransformationExtraArgs, expected Rule"),
        ({"optimizer": "mine:rule"}, "--optimizer mine:rule: is a EquilibriumPropagation, expected GradientTransform"),
        ({"dataset": "mine:broken"}, "--dataset mine:broken: raises RuntimeError: no such luck"),
        ({"network": "mine:leaves"}, "--network mine:leaves: raises SystemExit: gone"),
        ({"network": "raises:network"}, "--network raises:network: the module raises ZeroDivisionError: "),
        ({"network": "leaves:network"}, "--network leaves:network: the module raises SystemExit: 0"),
        ({"network": "lacks:network"}, "--network lacks:network: the module raises ModuleNotFoundError: "),
        ({"network": "absent:network"}, "--network absent:network: no module 'absent'"),
        (
            {"network": "mine:network", "learning_rates": [0.1, 0.1]},
            "rates 0.1 0.1: 2 given, expected one for each of 3",
        ),
    ],
)
def test_an_object_that_does_not_fit_is_told_in_one_line(
    fields: dict, told: str, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = mine / "run"
    assert main(["train", str(_toml(mine, **fields)), "--out", str(run)]) == 2
    said = capsys.readouterr().err.strip()
    assert told in said
    assert "\n" not in said
    assert not run.exists()
