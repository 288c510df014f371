"""A netlist of one's own: trained from the command and from Python, resumed, exported with its text kept, or refused."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.command import main
from mho.experiments.checkpoint_names import checkpoints
from mho.experiments.data import load_dataset
from mho.experiments.found_runs import trained_network
from mho.experiments.netlist_circuits import netlist_configuration
from mho.experiments.run import checkpoint_folder, read_metrics
from mho.experiments.training import train
from mho.steady.newton import solve_circuit
from referee import batch_voltages

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

RAILS = ("x1", "x2", "n1", "n2", "b")
WIRED = [f"R{i}{node} {node} h{i} {2 + (3 * i + k) % 5}k" for i in (1, 2) for k, node in enumerate(RAILS)]
XOR = """Exclusive or, by resistors and diodes
* Inverters need no backward half: sources hold what controls them.
Vx1 x1 0 DC 0   ; first input
VX2 x2 0 0.5
E1 n1 0 x1 0 -1
E2 n2 0 x2 0 -1
.include supply.inc
{wired}
R1out h1 OUT
+ 1.5k          ; goes on
R2out h2 out r=1500 tc1=1e-3
* the load is no weight
Xload out 0 load
.subckt load a b
rin a b 10k
.ends
Dh1 h1 0 dmod
Dh2 h2 0 dmod
D12 h1 h2 dmod
Cout out 0 1n
.model dmod d(is=1u)
.temp 37
.end
""".format(wired="\n".join(WIRED))
ROLES = ["--inputs", "VX1,vx2", "--outputs", "out", "--programmable", "r[12]*"]
OPTIONS = ["--dataset", "xor", *ROLES, "--epochs", "12"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run, and of another that Python made; the netlist has gone since."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "xor.cir").write_text(XOR)
    (folder / "supply.inc").write_text("Vb b 0 1\nR1bias b out 4k\n")
    assert main(["train", str(folder / "xor.cir"), *OPTIONS, "--out", str(folder / "run")]) == 0
    begun = netlist_configuration(folder / "xor.cir")
    roles: Any = {"inputs": ("vx1", "vx2"), "outputs": ("out",), "programmable": ("r1*", "r2*")}
    train("xor.cir", dataclasses.replace(begun, epochs=12, **roles), folder / "python")
    for name in ("xor.cir", "supply.inc"):
        (folder / name).unlink()
    return folder


def arrays(run: Path) -> dict[str, np.ndarray]:
    stored = np.load(checkpoints(checkpoint_folder(run))[0])
    return {name: stored[name] for name in stored.files if name != "about"}


def test_xor_is_learned_from_the_command_and_from_python_alike_and_resumed(folder: Path, tmp_path: Path) -> None:
    run, cut = folder / "run", tmp_path / "cut"
    shutil.copytree(run, cut)
    checkpoints(checkpoint_folder(cut))[0].unlink()  # as if it had been killed in the last epoch
    assert main(["train", "--resume", str(cut)]) == 0
    records = [[{k: v for k, v in m.items() if k != "seconds"} for m in read_metrics(r)] for r in (run, cut)]
    assert records[0] == records[1]
    assert records[0][-1]["error_after"] == 0.0 and records[0][-1]["warnings"] == []
    whole = arrays(run)
    for other in (arrays(cut), arrays(folder / "python")):
        assert whole.keys() == other.keys()
        for name in whole:
            np.testing.assert_array_equal(whole[name], other[name], err_msg=name)
    _, circuit = trained_network(run)
    data = load_dataset("xor")
    found = circuit.prediction(solve_circuit(circuit, data.test_inputs).voltages)
    np.testing.assert_allclose(found[:, 0], 0.1 * data.test_targets, atol=0.01)
    (tmp_path / "rows.csv").write_text("a,b,class\n-1,1,1\n1,1,0\n")
    assert main(["predict", str(run), str(tmp_path / "rows.csv"), "--scores", "-o", str(tmp_path / "out.csv")]) == 0
    header, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert header == "a,b,class,predicted_class,volts_1" and [row[:8] for row in rows] == ["-1,1,1,1", "1,1,0,0,"]


@pytest.mark.parametrize("phase", ["free", "nudged"])
def test_export_gives_the_netlist_s_own_text_back(
    folder: Path, tmp_path: Path, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trained.cir"
    assert main(["export", str(folder / "run"), "--sample", "1", "--phase", phase, "-o", str(path)]) == 0
    text = path.read_text()
    ours = XOR.replace(".include supply.inc", "* .include supply.inc\nVb b 0 1\nR1bias b out 4k").splitlines()
    kept = [theirs for theirs in text.splitlines() if theirs in ours]
    changed = [line for line in ours if line not in kept]
    assert kept == [line for line in ours if line not in changed], "order"
    assert all(line[:2] in ("R1", "R2", "Vx", "VX", "+ ") for line in changed) and len(changed) == 15
    assert "Vx1 x1 0 DC -1   ; first input" in text and "VX2 x2 0 1\n" in text
    # ngspice, `mho solve` and the comments agree.
    theirs = batch_voltages(text, tmp_path)
    capsys.readouterr()
    assert main(["solve", str(path), "--json"]) == 0
    solved = json.loads(capsys.readouterr().out)["nodes"]
    told = dict(re.findall(r"^\* v\((\S+)\) = (\S+)$", text, re.MULTILINE))
    assert told.keys() == solved.keys() == theirs.keys()
    for node, volts in theirs.items():
        assert solved[node] == pytest.approx(volts, rel=1e-6, abs=1e-6)
        assert float(told[node]) == pytest.approx(volts, rel=1e-6, abs=1e-6)
    assert ("Bnudge_0" in text) == (phase == "nudged")
    assert theirs["out"] == pytest.approx(0.1, abs=0.01)


WRONG = {
    ("--programmable", "q*"): "xor.cir: programmable 'q*': matches no resistor",
    ("--programmable", "r1x3"): "programmable 'r1x3': matches no resistor: did you mean r1 or",
    ("--programmable", "vx*"): "programmable 'vx*': matches a voltage source; resistors alone are programmable",
    (
        "--programmable",
        "rexp",
    ): "xor.cir:4: programmable resistor 'rexp' has the expression '{2*load}' for its value; a",
    ("--programmable", "rpar"): "xor.cir:5: programmable resistor 'rpar' has the name 'load' for its value",
    ("--programmable", "r.xa.r1"): "xor.cir:7: 'r.xb.r1' is an instance of the card of the programmable",
    ("--programmable", "r.x*"): "xor.cir:7: 'r.xa.r1' and 'r.xb.r1' are instances of one card, which cannot hold",
    (
        "--programmable",
        "r1",
        "--upper",
        "1e-6",
    ): "programmable resistor 'r1' begins at 0.001 S: must be within the bounds",
    ("--inputs", "vx1"): "--inputs: names 1 sources, and the data have 2 features",
    ("--inputs", "vx1,vx1"): "input 'vx1': is named twice",
    ("--inputs", "vx1,r1"): "input 'r1': is no voltage or current source",
    ("--inputs", "vx1,vx3"): "input 'vx3': no such source: did you mean vx2 or vx1?",
    ("--input-gain", "1", "2", "3"): "3 input gains for 2 inputs",
    ("--outputs", "0"): "output '0': is ground",
    ("--outputs", "a:a"): "output 'a:a': is twice the same node",
    ("--outputs", "aa"): "output 'aa': no node 'aa': did you mean a?",
    ("--outputs", "a,b,x1"): "--outputs: names 3 outputs, and the data need 2: one for each class or value",
    ("--outputs",): "--outputs: names nothing",
}
SMALL = """two sources
.param load=1k
R1 x1 a 1k
Rexp x2 a {2*load}
Rpar a 0 load
.subckt half p q
r1 p q 2k
.ends
Xa a b half
Xb b 0 half
Vx1 x1 0 1
Vx2 x2 0 1
.end
"""


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_what_does_not_fit_is_one_line(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("xor.cir").write_text(SMALL)
    good = ["--dataset", "xor", "--inputs", "vx1,vx2", "--outputs", "a", "--programmable", "r1", "--out", "run"]
    assert main(["train", "xor.cir", *good, *options]) == 2
    told = capsys.readouterr().err
    assert WRONG[options] in told and told.count("\n") == 1
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title\nR1 a 0\n", "bad.cir:2: 'r1' has 2 fields"),
        ("title\nVx1 a 0 1\nVx2 a 0 1\nR1 a 0 1\n", "loop of voltage sources"),
    ],
)
def test_a_netlist_that_is_none_is_one_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.cir").write_text(text)
    assert main(["train", str(tmp_path / "bad.cir"), *OPTIONS]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
