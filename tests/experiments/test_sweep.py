"""Sweeps: every member is the network that training alone would give, whatever varies; and they go on where they stopped."""

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import mho
from mho.command import main
from mho.experiments import sweep as sweeping
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.run import read_metrics
from mho.experiments.sweep_plot import axis_name
from mho.experiments.training import train

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

IRIS = AnalogConfiguration(
    dataset="iris",
    hidden=(6,),
    input_gain=5.0,
    beta=0.1,
    learning_rates=(0.01,),
    decay=0.9,
    batch_size=8,
    epochs=2,
    variant="random-sign",
    optimizer="momentum",
    initial=2.0,
)


def test_members_are_what_training_alone_gives(tmp_path: Path) -> None:
    scheduled = dataclasses.replace(IRIS, schedule="cosine", warm_up=0.5, device="constant-step", upper=4.0)
    vary: dict[str, Any] = {
        "learning-rates": [(0.01,), (0.005, 0.02)],
        "beta": [0.1, 0.05],
        "bias_rates": [(0.001,)],
        "initial": [1.5],
        "decay": [0.5],
    }
    members = mho.sweep(scheduled, vary, seeds=(3, 1), progress=False)
    assert len(members) == 2 * 2 * 2
    assert len({tuple(m.train_loss) for m in members}) == len(members), "no two members are the same"
    assert [member.seed for member in members] == 4 * [3, 1] and not any(member.unconverged for member in members)
    member = members[-1]
    train("iris", dataclasses.replace(scheduled, seed=member.seed, **member.setting), tmp_path / "alone")
    for metrics, *found in zip(
        read_metrics(tmp_path / "alone"), member.train_loss, member.train_error, member.test_error, strict=True
    ):
        assert metrics["train_loss"] == pytest.approx(found[0], rel=1e-4)
        assert metrics["train_error"] == pytest.approx(found[1], abs=0.02)
        assert metrics["test_error"] == pytest.approx(found[2], abs=0.04)


NETLIST = """no energy
Vx in 0 0
R1 in out 1k
R2 out 0 1k
E1 up 0 out 0 2
R3 up out 5k
.end
"""
OWN = "import optax\nslow = optax.sgd(1e-3)\nwild = optax.sgd(1e30)\n"
ROLES = "--dataset line.csv --inputs vx --outputs out --programmable r*"
KINDS = {
    "drn-conv-digits --filters 2 --batch-size 256 --rule implicit --vary initial=0.5,1": ["0.5", "1"],
    "allosteric --passes 3 --vary learning_rates=1e-4,1e-2": ["0.0001", "0.01"],
    f"gain.cir {ROLES} --rule implicit --vary learning_rates=1e-5": ["1e-05"],
    "mlp-digits --batch-size 256 --vary optimizer=mine:slow,mine:wild": ["mine:slow", "mine:wild"],
}
"""Commands and the values in their table; a convolutional network, a circuit, a netlist without an energy, a baseline."""


@pytest.mark.parametrize("command", KINDS)
def test_every_kind_of_experiment_sweeps_over_any_field(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    Path("mine.py").write_text(OWN)
    Path("gain.cir").write_text(NETLIST)
    Path("line.csv").write_text("x,y\n" + "".join(f"{k / 10},{k / 20 + 0.01 * k * k}\n" for k in range(-8, 9)))
    arguments = ["sweep", *command.split(), *["--epochs", "1", "--seeds", "0", "--out", "s"]]
    assert main(arguments) == 0, capsys.readouterr().err
    with Path("s/results.csv").open() as file:
        rows = list(csv.reader(file))
    field = command.rpartition("--vary ")[2].partition("=")[0]
    assert rows[0] == [field, "seed", "train_loss", "train_error", "test_error", "diverged", "unconverged"]
    assert [row[0] for row in rows[1:]] == KINDS[command]
    assert [row[-2] for row in rows[1:]] == ["True" if row[0] == "mine:wild" else "False" for row in rows[1:]]
    assert len({row[2] for row in rows[1:]}) == len(rows) - 1, "what varies makes a difference"
    for number, row in enumerate(rows[1:], start=1):
        run = Path("s/runs", str(number))
        # Of what diverges in its first epoch there is no run.
        assert run.exists() == ("gain.cir" in command or row[0] == "mine:slow")
        for record in read_metrics(run):  # by the very code of mho train
            assert float(row[2]) == record["train_loss"]


def test_the_command_prints_a_table_and_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "sweep mlp-digits --seeds 0..2 --learning-rates 0.05,1e30 --vary hidden=30,40 --epochs 1 --batch-size 32"
    arguments = command.split()
    assert main([*arguments, "--out", "s"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith("learning rates 0.05, hidden 30 ") and out[1].split()[-3:] == ["3", "0", "0"]
    assert out[4].startswith("learning rates 1e+30, hidden 40 ") and out[4].split()[-3:] == ["3", "3", "0"]
    lines = [json.loads(line) for line in Path("s/results.jsonl").read_text().splitlines()]
    assert [r["seed"] for r in lines] == 4 * [0, 1, 2]
    assert [r["diverged"] for r in lines] == 6 * [False] + 6 * [True]
    assert lines[-1]["train_loss"] == lines[-1]["train_error"] == lines[-1]["test_error"] == [None]
    made = {"results.jsonl", "results.csv", "sweep.json", "sweep.png", "sweep.pdf", "sweep.csv", ".lock"}
    assert {p.name for p in Path("s").iterdir()} == made
    assert Path("s/sweep.pdf").read_bytes().startswith(b"%PDF")
    with Path("s/sweep.csv").open() as file:
        points = list(csv.DictReader(file))
    found = [(p["line"], p["learning_rates"], p["networks"], p["diverged"], p["test_error_mean"] == "") for p in points]
    sound, lost = ("0.05", "3", "0", False), ("1e+30", "3", "3", True)
    assert found == [("hidden 30", *sound), ("hidden 30", *lost), ("hidden 40", *sound), ("hidden 40", *lost)]
    mean = sum(r["test_error"][-1] for r in lines[:3]) / 3
    assert float(points[0]["test_error_mean"]) == pytest.approx(mean)

    def interrupted(*given: Any) -> None:
        write(*given)
        raise KeyboardInterrupt

    write = sweeping.write_members
    monkeypatch.setattr(sweeping, "write_members", interrupted)
    assert main([*arguments, "--out", "cut"]) == 130
    assert capsys.readouterr().err.endswith("mho: interrupted; go on with: mho sweep --resume cut\n")
    assert len(Path("cut/results.jsonl").read_text().splitlines()) == 6
    monkeypatch.setattr(sweeping, "write_members", write)
    assert main(["sweep", "--resume", "cut", "--plot", "figure.svg"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:-1] == out[:-1] and captured.err.count("\n") == 1, "one group was left"
    for name in ("results.jsonl", "results.csv"):
        assert Path("cut", name).read_text() == Path("s", name).read_text()
    assert Path("figure.csv").read_text() == Path("s/sweep.csv").read_text() and Path("figure.svg").exists()
    assert main([*arguments, "--out", "cut"]) == 0
    assert "the sweep in cut is finished" in capsys.readouterr().err
    assert main([*arguments, "--out", "cut", "--optimizer", "adam"]) == 2
    told = "mho: --out cut: holds another sweep: optimizer is 'sgd' there, here 'adam'; name another folder\n"
    assert capsys.readouterr().err == told


def test_axes_have_the_units_of_the_fields() -> None:
    names = [axis_name(AnalogConfiguration, field) for field in ("beta", "input_gain", "on_resistance", "decay")]
    assert names == ["beta [S]", "input gain [V]", "on resistance [Ω]", "decay"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "mho sweep needs an experiment"),
        ("drn-digit", "unknown experiment 'drn-digit'"),
        ("drn-digits --seeds 3..1", "--seeds 3..1: expected a range like 0..31, upwards"),
        ("drn-digits --seeds 1,1", "--seeds 1,1: expected a range"),
        ("drn-digits --seeds 0,9999999999", "--seed 9999999999: must be below"),
        ("drn-digits --beta 1;2", "--beta 1;2: expected a number or auto, or several with commas between"),
        ("drn-digits --beta 1,-2", "--beta -2.0: must be positive"),
        ("drn-digits --beta 1,1.0", "--beta 1: given twice"),
        ("drn-digits --beta 1 --vary beta=2", "--beta: is varied twice"),
        ("drn-digits --learning-rates 1:2:3", "--learning-rates: 3 given, expected one for each of 2 layers"),
        ("drn-digits --vary bta=1", "--vary bta: no field of this experiment: did you mean beta?"),
        ("drn-digits --vary batch-size=1.5", "--batch-size 1.5: expected a whole number"),
        ("drn-digits --vary element=ideal,shokley", "--element shokley: did you mean shockley?"),
        ("drn-digits --vary seed=1", "--vary seed: a sweep's seeds are given by --seeds"),
        (
            "drn-digits --vary rule=implicit,coupled-learning --beta 1",
            "--beta: --rule coupled-learning and implicit has",
        ),
        ("mlp-digits --beta 1", "--vary beta: no field of this experiment"),
        ("own.toml", "--rule nowhere:rule: no module 'nowhere'"),
        ("drn-digits --vary batch_size=4,99999", "--batch-size 99999: must not exceed"),
        ("drn-digits --vary filters=2 --vary window=3,99", "--window 99"),
        ("drn-digits --plot figure.jpg", "--plot figure.jpg: expected a name that ends in .png, .pdf, .svg"),
        ("--resume nowhere --epochs 2", "unknown option --epochs"),
        ("drn-digits --out=", "--out: names no"),
        ("--resume nowhere", "nowhere: holds no sweep (sweep.json is missing)"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text('kind = "analog"\ndataset = "digits"\nrule = "nowhere:rule"\n')
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which a file's folder is added
    assert main(["sweep", *arguments.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mho: {message}") and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["own.toml"]
