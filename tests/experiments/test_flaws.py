"""Runs of flawed chips: they train, keep their flaws, export them, and take over what another chip has learned."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.command import main
from mho.errors import InputError
from mho.experiments.configuration import AnalogConfiguration, CircuitConfiguration
from mho.experiments.progress import Quiet
from mho.experiments.study import Study
from mho.experiments.training import resume, train

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

IDEAL = AnalogConfiguration(
    dataset="iris",
    hidden=(6,),
    element="shockley",
    gains=(4.0,),
    input_gain=2.0,
    input_scaling="standard",
    beta=0.01,
    learning_rates=(0.02, 0.1),
    initial=0.1,
    initial_law="uniform",
    lower=1e-3,
    batch_size=8,
    epochs=3,
)
FLAWED = dataclasses.replace(IDEAL, mismatch=0.2, element_offset=0.02, input_step=0.05)


class Lines(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def test_a_flawed_chip_learns_says_that_it_has_no_energy_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    show = Lines()
    whole = train("iris", FLAWED, tmp_path / "whole", show=show)
    assert any("no energy" in line for line in show.lines)
    assert whole.metrics[-1]["train_error"] < 0.3
    cosine = whole.metrics[-1]["gradient_cosine"]
    assert cosine is not None and 0.5 < min(cosine) < 0.999
    train("iris", dataclasses.replace(FLAWED, epochs=1), tmp_path / "part")
    resume(tmp_path / "part", epochs=3)
    runs = [mho.load(tmp_path / name) for name in ("whole", "part")]
    kept = [np.concatenate([np.ravel(leaf) for leaf in _leaves(run.network)]) for run in runs]
    np.testing.assert_array_equal(kept[0], kept[1])
    assert not runs[0].network.reciprocal


def _leaves(network: object) -> list[np.ndarray]:
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(network)]


def test_what_one_chip_has_learned_is_programmed_into_others(tmp_path: Path) -> None:
    train("iris", IDEAL, tmp_path / "ideal")
    name, moved = mho.experiments.registry.start(str(tmp_path / "ideal"))  # type: ignore[attr-defined]
    assert name == "iris" and moved == dataclasses.replace(IDEAL, start=str(tmp_path / "ideal"))
    judged = dataclasses.replace(moved, epochs=0)
    chips = mho.sweep(judged, {"mismatch": [0.0, 3.0]}, seeds=range(3), progress=False)
    run = mho.load(tmp_path / "ideal")
    assert {chip.test_error[-1] for chip in chips[:3]} == {run.metrics[-1]["test_error"]}
    errors = [chip.train_error[-1] for chip in chips[3:]]
    assert np.mean(errors) >= chips[0].train_error[-1] and len(set(errors)) > 1  # type: ignore[arg-type]
    # The chip at hand, trained on, is better than it began.
    tuned = train("iris", dataclasses.replace(moved, mismatch=3.0, epochs=2), tmp_path / "tuned")
    assert tuned.metrics[-1]["train_error"] < errors[0]
    with pytest.raises(InputError, match="mho sweep judges"):
        train("iris", judged, tmp_path / "nothing")


def test_a_circuit_keeps_its_wiring_on_every_chip() -> None:
    moved = CircuitConfiguration(dataset="xor", seed=5, epochs=0, start="run")
    members = Study("xor", moved, {"mismatch": [0.0, 0.5]}, (0, 1, 2)).members()
    assert [(m.seed, m.flaw_seed) for m in members] == 2 * [(5, 0), (5, 1), (5, 2)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["drn-digits", "--mismatch", "-0.1"], "--mismatch -0.1: must be at least 0 and finite"),
        (["drn-digits", "--mismatch", "0.1"], "ideal diodes have no parameters"),
        (["drn-digits", "--element-mismatch", "0.1"], "--element-mismatch: no elements to spread"),
        (["drn-digits", "--gain-mismatch", "0.1"], "--gain-mismatch 0.1: there are no amplifiers (--gains)"),
        (["drn-digits", "--current-gains", "0.5"], "--current-gains 0.5: there are no amplifiers (--gains)"),
        (["drn-digits", "--flaw-seed", "-1"], "--flaw-seed -1: must not be negative"),
        (["drn-digits", "--start", "nowhere"], "--start nowhere: nowhere: holds no run"),
        (["drn-digits", "--epochs", "0"], "--epochs 0: must be positive"),
        (["allosteric", "--mismatch", "0.1"], "no elements to spread in this network"),
    ],
)
def test_bad_flaws_are_one_line(options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", *options, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert told in said[-1] and not (tmp_path / "run").exists()
