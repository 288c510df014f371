"""The command: its exit codes, one line for each error, and runs that are interrupted and killed."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mho.command
from mho.command import main

COMMAND = [sys.executable, "-c", "import sys; from mho.command import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as end:  # --help
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_and_list_do_not_wait_for_jax() -> None:
    for arguments in (["--help"], ["list"], ["train", "--help"], ["train", "drn-xs", "--help"]):
        script = (
            "import sys; from mho.command import main\n"
            "try: main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "sys.exit('jax' in sys.modules)"
        )
        run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_messages_are_the_same_in_any_encoding(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "30"}

    def command(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True)

    run = command("train", "drn-digits", "--bta", "3")
    assert run.returncode == 2
    assert run.stderr == b"mho: unknown option --bta: did you mean --beta? (see mho train drn-digits --help)\n"
    for arguments in (["list"], ["train", "drn-digits", "--help"]):
        assert (command(*arguments).returncode, command(*arguments).stderr) == (0, b"")


def test_help_has_an_example_that_the_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["train"], ["list"], ["train", "drn-xs"]):
        code, out, err = outcome(capsys, *arguments, "--help")
        assert (code, err) == (0, "")
        example = re.search(r"Example: mho ([^\n]*)", out)
        assert example is not None
        words = example[1].split()
        assert words[0] in mho.command.SUBCOMMANDS
        if words[0] == "train":
            assert outcome(capsys, *words, "--help")[0] == 0


def test_list_names_the_experiments(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, "list")
    assert (code, err) == (0, "")
    names = [line.split()[0] for line in out.splitlines()]
    assert {"paper-mnist", "drn-xs", "drn-1h", "mlp-mnist", "logistic-mnist", "drn-digits"} <= set(names)


def test_every_field_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import fields

    from mho.experiments.configuration import AnalogConfiguration

    out = outcome(capsys, "train", "paper-mnist", "--help")[1]
    for name in [f.name for f in fields(AnalogConfiguration)] + ["out", "resume", "checkpoint_minutes"]:
        assert f"--{name.replace('_', '-')}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "mho needs a subcommand (see mho --help)"),
        ("trian", "unknown subcommand 'trian': expected one of train, solve, "),
        ("list all", "mho list takes no arguments, but was given 'all'"),
        ("train", "mho train needs an experiment or --resume DIR (see mho train --help)"),
        ("train --epochs 3", "mho train needs an experiment before --epochs, or --resume DIR"),
        ("train drn-digit", "unknown experiment 'drn-digit': did you mean drn-digits"),
        ("train qwerty", "unknown experiment 'qwerty': known are paper-mnist,"),
        ("train drn-digits --bta 3", "unknown option --bta: did you mean --beta?"),
        ("train drn-digits --beta much", "--beta much: expected a number"),
        ("train drn-digits --epochs 1.5", "--epochs 1.5: expected a whole number"),
        ("train drn-digits --bogus", "unknown option --bogus (see "),
        ("train drn-digits --beta", "missing value for argument '--beta'."),
        ("train drn-digits --rule hebb", "--rule hebb: expected one of equilibrium-propagation,"),
        ("train drn-digits --beta 0", "--beta 0.0: must be positive and finite"),
        ("train drn-digits --trained gain", "--trained gain: there are no amplifiers"),
        ("train drn-digits --trained element", "--trained element: --element ideal has no parameters to train"),
        ("train drn-digits --no-bias-currents --trained bias", "--trained bias: names nothing that this network has"),
        ("train drn-digits --lower -1", "--lower -1.0: must be positive and finite"),
        ("train drn-digits --batch-size 1438", "--batch-size 1438: must not exceed the 1437 training samples"),
        ("train drn-digits --dataset cifar", "unknown data set 'cifar': expected one of mnist,"),
        ("train drn-digits --checkpoint-minutes 0", "--checkpoint-minutes 0.0: must be positive"),
        ("train drn-digits --out file/run", "--out file/run: cannot be made: Not a directory"),
        ("train drn-digits --out run", "--out run: holds a run already; go on with it by --resume run"),
        ("train drn-digits --out=", "--out: names no folder"),
        ("train drn-digits --data-dir none", "--data-dir none: the data set digits comes with scikit-learn"),
        ("train drn-digits --data-dir none --dataset mnist", "none: no such folder"),
        ("train drn-digits --data-dir cut --dataset mnist", "cut/train-images-idx3-ubyte"),
        ("train --resume", "--resume: names no folder"),
        ("train --resume=", "--resume: names no folder"),
        ("train --resume run --resume nowhere", "nowhere: holds no run"),
        ("train --resume nowhere", "nowhere: holds no run (config.json is missing)"),
        ("train --resume damaged", "damaged/config.json: not JSON: "),
        ("train --resume run --beta 2", "--beta 2.0: run was begun with 0.5, and a resumed run may change --epochs"),
        ("train --resume run --hidden 3 4", "--hidden 3 4: run was begun with 32"),
        ("train --resume run --out other", "--out other: a resumed run stays in its folder, run"),
        ("train drn-xs --resume run", "--resume run: is a run of drn-digits, not of drn-xs"),
    ],
)
def test_wrong_usage_is_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    from mho.experiments.registry import EXPERIMENTS
    from mho.experiments.run import create_run

    Path("file").touch()
    create_run(Path("run"), "drn-digits", EXPERIMENTS["drn-digits"].configuration)
    Path("run", "checkpoints", "epochs-00000-steps-000000001.npz").touch()
    Path("damaged").mkdir()
    Path("damaged/config.json").write_text('{"experiment": ')
    Path("cut").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        Path("cut", f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    code, out, err = outcome(capsys, *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"mho: {message}") and err.count("\n") == 1
    assert not Path("runs").exists()


def test_work_that_fails_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mho.errors import MhoError
    from mho.experiments import kinds

    failures = {
        MhoError("no\nsource answers"): "mho: no source answers\n",
        OSError(28, "No space left on device", "runs/a"): "mho: runs/a: No space left on device\n",
        PermissionError(13, "Permission denied", "cache"): "mho: cache: Permission denied\n",
    }
    for failure, line in failures.items():

        def fail(*_: object, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(kinds, "configured_data", fail)
        assert outcome(capsys, "train", "drn-digits") == (1, "", line)


def run_of(folder: str) -> tuple[dict[str, np.ndarray], list[dict]]:
    newest = max(Path(folder, "checkpoints").glob("*.npz"))
    arrays = dict(np.load(newest))
    del arrays["about"]
    lines = Path(folder, "metrics.jsonl").read_text().splitlines()
    return arrays, [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_killed_then_interrupted_then_resumed_is_as_if_nothing_had_happened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["drn-digits", "--epochs", "3", "--hidden", "128", "--batch-size", "3"]
    often = ["--checkpoint-minutes", "1e-9"]

    killed = subprocess.Popen([*COMMAND, "train", *options, "--out", "cut", *often], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 100
    while not list(Path("cut").glob("checkpoints/epochs-00000-steps-*[1-9]*.npz")):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    # On a terminal, so with the bar.
    terminal, end = pty.openpty()
    interrupted = subprocess.Popen([*COMMAND, "train", "--resume", "cut", *often], stderr=end, env=os.environ)
    os.close(end)
    shown = b""
    while b"loss" not in shown:
        shown += os.read(terminal, 1000)
    assert b"epoch 1/3" in shown
    interrupted.send_signal(signal.SIGINT)
    while True:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # its other end is closed
            break
    assert interrupted.wait() == 130
    assert re.search(rb"mho: interrupted .*; go on with: mho train --resume cut\r\n$", shown)

    code, out, err = outcome(capsys, "train", "--resume", "cut")
    assert code == 0 and "epoch 3/3" in err
    assert re.match(r"test error \d+\.\d\d% after 3 epochs; the run is in cut\n$", out)
    code, out, _ = outcome(capsys, "train", "--resume", "cut")
    assert code == 0 and out.startswith("cut is finished; --epochs above 3 would go on with it\ntest error ")

    assert outcome(capsys, "train", *options)[0] == 0
    (arrays, metrics), (expected_arrays, expected_metrics) = run_of("cut"), run_of("runs/drn-digits-seed0")
    assert metrics == expected_metrics
    assert arrays.keys() == expected_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected_arrays[name], err_msg=name)
