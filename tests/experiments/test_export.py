"""`mho export`: ngspice, run unchanged on what a run learned, finds mho's voltages in both phases."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mho.command import main
from mho.elements import CurrentSource
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import checkpoint_folder, create_run
from mho.experiments.training import train, trained_network
from mho.learning import EnergyNudge, SquaredError
from mho.spice.layered_netlist import layer_voltages
from mho.steady import operating_point
from referee import batch_voltages

pytestmark = pytest.mark.usefixtures("compiled_once")

SAMPLE = 3
RUNS = {
    "energy": AnalogConfiguration(dataset="digits", hidden=(12,), input_gain=20.0, beta=0.1, epochs=1),
    "convolutional": dataclasses.replace(EXPERIMENTS["drn-conv-digits"].configuration, epochs=1),
    "held": AnalogConfiguration(
        dataset="iris",
        hidden=(16,),
        element="shockley",
        gains=(3.0,),
        bias_line=1.0,
        paired_outputs=True,
        variant="negative",
        nudging="held",
        beta=1e-3,
        learning_rates=(1e-3,),
        epochs=1,
    ),
}


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / request.param
    train(request.param, RUNS[request.param], folder)
    return folder


def test_ngspice_agrees_on_the_exported_file_in_both_phases(run: Path, tmp_path: Path) -> None:
    configuration = RUNS[run.name]
    _, network = trained_network(run)
    data = load_dataset(configuration.dataset)
    inputs = np.asarray(data.test_inputs[SAMPLE : SAMPLE + 1], np.float64) * data.scale
    target = np.eye(data.classes)[data.test_targets[SAMPLE : SAMPLE + 1]]
    free = operating_point(network, inputs).voltages
    if configuration.nudging == "energy":
        nudge = EnergyNudge(SquaredError(), np.full((1, 1), configuration.beta), target, False)
    else:
        half = len(target[0])
        pull = configuration.beta * (free[-1][:, :half] - free[-1][:, half:] - target)
        nudge = CurrentSource(np.concatenate([pull, -pull], 1))
    nudged = operating_point(network, inputs, nudge=nudge).voltages
    newest = next(checkpoint_folder(run).iterdir())
    for phase, source, expected in (("free", run, free), ("nudged", newest, nudged)):
        path = tmp_path / f"{phase}.cir"
        assert main(["export", str(source), "--sample", str(SAMPLE), "--phase", phase, "-o", str(path)]) == 0
        found = layer_voltages(network, batch_voltages(path.read_text(), tmp_path))
        for theirs, ours in zip(found, expected, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-6)
    assert np.abs(free[-1] - nudged[-1]).max() > 1e-3, "nudging moves nothing"


def test_what_cannot_be_exported_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(tmp_path / "mlp", "mlp-digits", EXPERIMENTS["mlp-digits"].configuration)
    samples = len(load_dataset(RUNS[run.name].dataset).test_inputs)
    good = str(tmp_path / "a.cir")
    wrong = {
        (str(tmp_path / "none"), "-o", good): "holds no run (config.json is missing)",
        (str(tmp_path / "mlp"), "-o", good): "has no checkpoint yet",
        (str(run / "none.npz"), "-o", good): "none.npz: no such checkpoint",
        (str(run), "--sample", str(samples), "-o", good): f"--sample {samples}: the test set of {run} has samples 0 to",
        (str(run), "--sample", "-1", "-o", good): "--sample -1: the test set of",
        (str(run), "-o", str(tmp_path / "no" / "a.cir")): "a.cir: cannot be written: No such file or directory",
        (str(run), "-o", str(tmp_path)): "is a folder; name the file to write in it",
    }
    for arguments, message in wrong.items():
        assert main(["export", *arguments]) == 2
        told = capsys.readouterr().err
        assert message in told and told.count("\n") == 1
    assert not Path(good).exists()
