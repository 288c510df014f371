"""Many devices and many processes: the losses of one device, and a clear end where they cannot go on."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from mho.errors import InputError
from mho.experiments.data import load_dataset
from mho.experiments.devices import check_hosts, mesh_devices
from mho.experiments.epoch import initial_state
from mho.experiments.kinds import learner
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import read_metrics
from mho.experiments.training import resume, train
from mho_benchmarks.devices import run_steps

COMMAND = [sys.executable, "-c", "import sys; from mho.command import main; sys.exit(main())"]
STEPS = 12
DIGITS = dataclasses.replace(EXPERIMENTS["drn-digits"].configuration, batch_size=8)
MLP = dataclasses.replace(
    EXPERIMENTS["mlp-digits"].configuration, batch_size=16, epochs=2, optimizer="momentum", learning_rates=(0.01,)
)


def check_four_devices(folder: Path) -> None:
    """What the test below runs in a process of four devices."""
    data = load_dataset("digits")
    random_sign = dataclasses.replace(DIGITS, variant="random-sign", nudging="held")
    for configuration, columns in ((DIGITS, 2), (random_sign, 1)):
        one, _ = run_steps(mesh_devices(1), configuration, data, STEPS)
        four, _ = run_steps(mesh_devices(4, tensor_parallel=columns), configuration, data, STEPS)
        assert np.all(one > 0) and len(np.unique(one)) == STEPS
        np.testing.assert_allclose(four, one, rtol=2e-5)

    # Begun on four devices, finished on two: what one device does.
    train("mlp-digits", MLP, folder / "one")
    train("mlp-digits", dataclasses.replace(MLP, epochs=1), folder / "many", devices=mesh_devices(4))
    resume(folder / "many", epochs=2, devices=mesh_devices(2, tensor_parallel=2))
    for ours, theirs in zip(read_metrics(folder / "many"), read_metrics(folder / "one"), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)
        assert ours["test_error"] == pytest.approx(theirs["test_error"], abs=0.004)

    def refused(work: Callable[[], object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            work()

    refused(lambda: mesh_devices(8), r"--devices 8: this machine has 4 \(cpu\).*device_count=8 makes 8 of a CPU")
    refused(lambda: mesh_devices(0), "--devices 0: must be positive")
    refused(lambda: mesh_devices(4, tensor_parallel=3), "--tensor-parallel 3: does not divide the 4 devices")
    refused(
        lambda: train("mlp-digits", MLP, folder / "no", devices=mesh_devices(3)),
        "--batch-size 16: does not divide over 3 devices; 18 would",
    )
    odd = dataclasses.replace(DIGITS, hidden=(7,))
    refused(lambda: mesh_devices(3, tensor_parallel=3).placed({"v": jnp.zeros(7)}), "divides no layer's nodes")
    assert mesh_devices(4, tensor_parallel=4).placed(initial_state(learner(odd, 64, 10, 1))).network.widths[1] == 7
    assert not (folder / "no").exists()


def test_four_devices_make_the_steps_of_one(tmp_path: Path) -> None:
    script = "import pathlib, sys, test_devices; test_devices.check_four_devices(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=900
    )
    assert run.returncode == 0, run.stdout + run.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pair:
    """The command in two processes on loopback."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        together = ["--coordinator", f"127.0.0.1:{free_port()}", "--hosts", "2"]
        self.folder = folder
        self.processes = [
            subprocess.Popen(
                [*COMMAND, "train", *arguments, *together, "--host-id", str(i)],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for i in (0, 1)
        ]

    def wait_for_epochs(self, count: int) -> None:
        deadline = time.monotonic() + 200
        while len(read_metrics(self.folder / "run")) < count:
            assert all(p.poll() is None for p in self.processes), [p.communicate() for p in self.processes]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def ended(self) -> list[tuple[int, str, str]]:
        said = [p.communicate(timeout=200) for p in self.processes]
        return [(p.returncode, out, err) for p, (out, err) in zip(self.processes, said, strict=True)]


def test_two_processes_train_are_interrupted_and_die_together(tmp_path: Path) -> None:
    options = ["mlp-digits", "--batch-size", "16", "--learning-rates", "0.01", "--epochs", "2000", "--out", "run"]
    pair = Pair(tmp_path, *options)
    pair.wait_for_epochs(2)
    pair.processes[1].send_signal(signal.SIGINT)
    ends = pair.ended()
    for code, out, err in ends:
        assert (code, out) == (130, "")
        assert "go on with: mho train --resume run" in err.splitlines()[-1]
    assert ends[1][2].count("\n") == 1, "the second process shows no progress"

    pair = Pair(tmp_path, "--resume", "run")
    pair.wait_for_epochs(len(read_metrics(tmp_path / "run")) + 2)
    pair.processes[1].kill()
    (code, out, err), _ = pair.ended()
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("mho: host 0 of 2 lost the others: one of them ended")

    done = len(read_metrics(tmp_path / "run"))
    resume(tmp_path / "run", epochs=done + 1)
    configuration = dataclasses.replace(MLP, optimizer="sgd", epochs=3)
    train("mlp-digits", configuration, tmp_path / "one")
    for ours, theirs in zip(read_metrics(tmp_path / "run"), read_metrics(tmp_path / "one"), strict=False):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["epochs"] == done + 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None, 2, 0), "--coordinator HOST:PORT and --hosts above 1 go together"),
        (("a:1", 1, 0), "--coordinator HOST:PORT and --hosts above 1 go together"),
        (("a:1", 2, 2), "--host-id 2: must be from 0 to 1"),
        (("a:1", 0, 0), "--hosts 0: must be positive"),
        (("host", 2, 0), "--coordinator host: expected HOST:PORT"),
        (("host:0", 2, 0), "--coordinator host:0: expected HOST:PORT"),
    ],
)
def test_processes_that_could_not_meet_are_refused(given: tuple, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        check_hosts(*given)
