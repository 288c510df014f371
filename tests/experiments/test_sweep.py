"""Sweeps: every member is the network that training alone would give, and what cannot be swept is refused."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from mho.command import main
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.run import read_metrics
from mho.experiments.sweep import sweep
from mho.experiments.training import train

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
    values = {"learning_rates": [(0.01,), (0.005, 0.02)], "beta": [0.1, 0.05], "initial": [1.5], "decay": [0.5]}
    members = sweep(IRIS, (3, 1), values)
    assert len(members) == 2 * 2 * 2
    assert len({tuple(m.train_loss) for m in members}) == len(members), "no two members are the same"
    for member in (members[0], members[-1]):
        folder = tmp_path / str(member.seed)
        train("iris", dataclasses.replace(IRIS, seed=member.seed, **member.setting), folder)
        for metrics, loss, error in zip(read_metrics(folder), member.train_loss, member.test_error, strict=True):
            assert metrics["train_loss"] == pytest.approx(loss, rel=1e-4)
            assert metrics["test_error"] == pytest.approx(error, abs=0.04)
        assert member.unconverged == 0
    assert members[0].seed == 3 and members[-1].seed == 1


@pytest.mark.parametrize("rule", ["implicit", "coupled-learning"])
def test_rules_without_a_nudging_factor_are_swept(rule: str) -> None:
    members = sweep(dataclasses.replace(IRIS, rule=rule, epochs=1), (0,), {"learning_rates": [(1e-3,), (1e-2,)]})
    assert not any(member.diverged for member in members)
    assert len({tuple(member.train_loss) for member in members}) == 2


def test_the_command_prints_a_table_and_writes_every_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "sweep mlp-digits --seeds 0..2 --learning-rates 0.05,1e30 --epochs 1 --batch-size 32 --out s"
    arguments = command.split()
    assert main(arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith("learning rates 0.05 ") and out[1].split()[-3:] == ["3", "0", "0"]
    assert out[2].startswith("learning rates 1e+30 ") and out[2].split()[-3:] == ["3", "3", "0"]
    lines = [json.loads(line) for line in Path("s/results.jsonl").read_text().splitlines()]
    assert [r["seed"] for r in lines] == [0, 1, 2, 0, 1, 2]
    assert [r["diverged"] for r in lines] == [False, False, False, True, True, True]
    assert {p.name for p in Path("s").iterdir()} == {"results.jsonl", "sweep.png"}
    assert lines[5]["train_loss"] == lines[5]["test_error"] == [None]
    assert main(arguments) == 2
    assert capsys.readouterr().err == "mho: --out s: holds a sweep already; name another folder\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "mho sweep needs an experiment"),
        ("drn-digit", "unknown experiment 'drn-digit'"),
        ("drn-digits --seeds 3..1", "--seeds 3..1: expected a range like 0..31, upwards"),
        ("drn-digits --seeds 1,1", "--seeds 1,1: expected a range"),
        ("drn-digits --seeds 0,9999999999", "--seed 9999999999: must be below"),
        ("drn-digits --beta 1;2", "--beta 1;2: expected numbers, separated by ','"),
        ("drn-digits --beta 1,-2", "--beta -2.0: must be positive"),
        ("drn-digits --learning-rates 1:2:3", "--learning-rates: 3 given, expected one for each of 2 layers"),
        ("mlp-digits --beta 1", "--beta: this experiment's sweeps vary --seeds, --learning-rates, --decay"),
        ("own.toml", "--rule mine:rule: sweeps set rates and β of mho's own alone"),
        ("drn-digits --batch-size 99999", "--batch-size 99999: must not exceed"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text('kind = "analog"\ndataset = "digits"\nrule = "mine:rule"\n')
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which a file's folder is added
    assert main(["sweep", *arguments.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mho: {message}") and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.jsonl"))
