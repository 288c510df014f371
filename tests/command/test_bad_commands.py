"""Commands that cannot be: each is refused in one line, within about a second of work and before memory is taken."""

import os
import resource
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mho.command import main
from mho.netlists.circuits import transient as netlist_transient

_HUGE = "9" * 400

COMMANDS = {
    "train drn-digits --hidden 1000000000": "--hidden 1000000000: needs at least ",
    "train drn-xs --hidden 100000 100000": "--hidden 100000 100000: needs at least ",
    "train mlp-digits --hidden 2000000000": "--hidden 2000000000: needs at least ",
    "train drn-conv-digits --filters 1000000000": "--filters 1000000000: needs at least ",
    "train xor --nodes 1000000": "--nodes 1000000: needs at least ",
    "train xor --diodes 2000000000": "--diodes 2000000000: needs at least ",
    "train allosteric --nodes 100000": "--nodes 100000: needs at least ",
    "train mlp-digits --passes 2000000000": "--passes 2000000000: ",
    f"train drn-digits --hidden {_HUGE}": "--hidden ",
    f"train drn-digits --seed {_HUGE}": "--seed ",
    f"train drn-digits --epochs -{_HUGE}": "--epochs ",
    f"train drn-digits --epochs {'9' * 5000}": "",
    "train drn-digits --epochs 1e9": "--epochs 1e9: expected a whole number",
    "train drn-digits --initial 1e30": "--initial 1e+30: too large for float32",
    "train drn-digits --beta 1e-300": "--beta 1e-300: too small for float32",
    "train drn-digits --gains 1e300": "--gains 1e+300: too large for float32",
    "train drn-digits --bias-line 1e300": "--bias-line 1e+300: too large for float32",
    "train drn-digits --lower 1e-300": "--lower 1e-300: too small for float32",
    "train xor --initial 1e300": "--initial 1e+300: too large for float64",
    "train xor --input-gain 1e-300": "--input-gain 1e-300: too small for float64",
    "train drn-digits --learning-rates nan": "--learning-rates nan: must be positive and finite",
    "train drn-digits --rtol inf": "--rtol inf: must be positive and finite",
    "train drn-digits --decay 0": "--decay 0.0: must be positive and finite",
    "train drn-digits --checkpoint-minutes nan": "--checkpoint-minutes nan: must be positive",
    "train drn-digits --devices 1000000000": "--devices 1000000000: ",
    "train drn-digits --batch-size 1000000000": "--batch-size 1000000000: must not exceed",
    "train drn-digits --validation 1000000000": "--validation 1000000000: ",
    "train drn-digits --window 1000000000 --filters 2": "--",
    "train drn-digits --pooling 1000000000 --filters 2": "--window 3 --pooling 1000000000: ",
    "sweep drn-digits --seeds 0..100000000000": "--seeds 0..100000000000: must be below 2147483648",
    "sweep drn-digits --seeds 0..2000000000": "2000000001 networks (--seeds, --vary): a sweep has 100000",
    f"sweep drn-digits --seeds 0..{_HUGE}": "--seeds 0..9999",
    f"sweep drn-digits --seeds {'9' * 5000}": "--seed",
    "sweep drn-digits --beta 1e-300": "--beta 1e-300: too small for float32",
    "sweep drn-digits --beta ,": "--beta ,: expected a number",
    "bench -o .": "-o .: is a folder; name the file to write in it",
    "bench epoch -o no/such.json": "-o no/such.json: cannot be written: there is no folder",
    "bench epoch -o ": "",
    "bench nothing": "unknown benchmark 'nothing'",
    "export run -o .": "-o .: is a folder; name the file to write in it",
    "export run -o no/such.cir": "-o no/such.cir: cannot be written: there is no folder",
    "export nowhere -o a.cir": "nowhere: holds no run (config.json is missing)",
    "report": "mho report needs RUN",
    "report nowhere": "nowhere: holds no run (config.json is missing)",
    "report nowhere -o no/such.html": "-o no/such.html: cannot be written: there is no folder",
    "transient none.cir --plot .": "--plot .: is a folder",
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:60])
def test_it_is_refused_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mho.experiments.sweep  # noqa: F401 - the first import takes its time

    monkeypatch.chdir(tmp_path)
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert main(command.split(" ")) == 2
    took, grown = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith(f"mho: {COMMANDS[command]}") and len(captured.err) < 1000
    assert took < 2 and grown < 300e3, "kilobytes"
    assert not list(tmp_path.iterdir())


def test_output_follows_links_and_is_written_into_pipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rc.cir").write_text("rc\nV1 a 0 1\nR1 a 0 1k\n.tran 1u 2u\n.end\n")
    found = SimpleNamespace(times=np.arange(3.0), voltages={"a": np.ones(3)})
    monkeypatch.setattr(netlist_transient, "netlist_transient", lambda netlist, **_: found)
    assert main(["transient", "rc.cir", "-o", "plain.csv"]) == 0
    wanted = Path("plain.csv").read_text()
    assert wanted.startswith("time,a\n")

    Path("link").symlink_to("target.csv")
    assert main(["transient", "rc.cir", "-o", "link"]) == 0
    assert Path("link").is_symlink() and Path("target.csv").read_text() == wanted

    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert main(["transient", "rc.cir", "-o", "pipe"]) == 0
    assert os.read(reader, 10**6).decode() == wanted
    os.close(reader)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)

    Path("null").symlink_to(os.devnull)
    assert main(["transient", "rc.cir", "-o", "null"]) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)

    assert capfd.readouterr().out == ""
    assert main(["transient", "rc.cir", "-o", "-"]) == 0
    assert capfd.readouterr().out == wanted
    assert not list(tmp_path.glob(".*.partial"))
