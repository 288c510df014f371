import dataclasses
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.command import main
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import write_configuration
from mho.experiments.watch import curves, rate_factor
from mho.learning.update import optimizer

CONFIGURATION = dataclasses.replace(EXPERIMENTS["drn-digits"].configuration, epochs=4, decay=0.5)


def record(epoch: int) -> str:
    fields = {"epoch": epoch, "train_loss": 10.0**-epoch, "train_error": 0.5 / epoch, "test_error": 0.25, "seconds": 90.0,
              "residual": 2e-6, "above_tolerance": 1, "probed": 64, "tolerance": 1e-5, "out_of_sweeps": 3, "sweeps": 5.0,
              "test_out_of_sweeps": 0, "gradient_cosine": [0.9991, None], "gradient_ratio": [1.25, None], "signal": 0.01,
              "signal_rounding": 1e-7, "error_after": None, "warnings": ["too far from rest"] * (epoch == 3)}  # fmt: skip
    return json.dumps(fields) + "\n"


@pytest.fixture
def run(tmp_path):
    write_configuration(tmp_path, "drn-digits", CONFIGURATION)
    (tmp_path / "metrics.jsonl").write_text("".join(map(record, (1, 2, 3))) + '{"epoch": 4, "tra')
    return tmp_path


def test_a_frame_tells_what_the_files_say_without_jax(run):
    code = (
        "import sys; from mho.command import main; c = main(['watch', sys.argv[1]]); exit(c + ('jax' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run)], capture_output=True, text=True, env={**os.environ, "COLUMNS": "110"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("epoch 3/4", "0:01:30 an epoch, 0:04:30 so far, about 0:01:30 left", "train loss 0.001  log",
                 "test error 25",
                 "2e-06 of a node's largest current; 3 of 192 above the tolerance 1e-05", "9 operating points ran out",
                 "0.9991 –", "1.2500 –", "in 1 of 3 epochs", "too far from rest", "(0.125 of the first)"):  # fmt: skip
        assert text in done.stdout, text


def test_waits_for_the_first_epoch_and_says_what_is_no_run(run, capsys):
    (run / "metrics.jsonl").unlink()
    assert main(["watch", str(run), "--once"]) == 0
    assert "waiting for the first epoch" in capsys.readouterr().out
    (run / "metrics.jsonl").write_text("no record\n")
    assert main(["watch", str(run)]) == 2
    assert main(["watch", str(run / "other")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "metrics.jsonl:1" in said[0] and "holds no run" in said[1] and len(said) == 2


@pytest.mark.parametrize(("end", "code"), [("q", 0), ("interrupt", 130), ("last epoch", 0)])
def test_follows_a_run_until_a_key_or_its_last_epoch(run, end, code):
    terminal, inside = pty.openpty()
    environment = {**os.environ, "COLUMNS": "110", "LINES": "40", "TERM": "xterm"}
    ends = {"stdin": inside, "stdout": inside, "stderr": inside}
    process = subprocess.Popen([sys.executable, "-m", "mho", "watch", str(run)], env=environment, **ends)
    os.close(inside)
    seen, begun, acted = b"", time.monotonic(), False
    while time.monotonic() < begun + 60:
        try:
            seen += os.read(terminal, 65536) if select.select([terminal], [], [], 0.1)[0] else b""
        except OSError:
            break
        if b"epoch 3/4" in seen and not acted:
            acted = True
            if end == "last epoch":
                (run / "metrics.jsonl").write_text("".join(map(record, (1, 2, 3, 4))))
            elif end == "q":
                os.write(terminal, b"q")
            else:
                process.send_signal(signal.SIGINT)
    assert process.wait(10) == code
    os.close(terminal)
    assert (b"epoch 4/4" in seen) == (end == "last epoch")


@settings(max_examples=10)
@given(
    st.sampled_from([1.0, 0.9]), st.sampled_from(["constant", "cosine"]), st.sampled_from([0.0, 2.0]), st.integers(0, 5)
)
def test_learning_rates_are_those_of_the_optimizer(decay, schedule, warm_up, done):
    steps = 50
    shown = dataclasses.replace(CONFIGURATION, epochs=6, decay=decay, schedule=schedule, warm_up=warm_up)
    cosine = 6 if schedule == "cosine" else None
    rule = optimizer("sgd", 1.0, decay=decay, steps_per_epoch=steps, cosine_epochs=cosine, warm_up_epochs=warm_up)
    state = rule.init(jnp.ones(()))
    for _ in range(done * steps + 1):
        update, state = rule.update(jnp.ones(()), state)
    assert -float(np.asarray(update)) == pytest.approx(rate_factor(shown, done), abs=0.02)


def test_a_curve_falls_where_its_values_do_on_the_axis_that_they_span():
    straight = curves({"loss": [10.0**-k for k in range(16)]}, 40, 8).plain.splitlines()
    ends = [(row, column) for row, line in enumerate(straight[:8]) for column, c in enumerate(line) if "⠀" < c <= "⣿"]
    rows = [row for row, _ in sorted(ends, key=lambda end: end[1])]
    assert rows == sorted(rows) and {*rows} == {*range(8)} and "log" in straight[-1]
    assert straight[0].startswith("    1┤") and straight[7].startswith("1e-15┤")
