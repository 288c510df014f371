"""Devices of a measured curve or a Verilog-A module: they learn, are kept with the run, and are exported."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.command import main
from mho.experiments.analog import analog_network
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.export import node_voltages
from mho.experiments.prediction import load
from mho.experiments.study import Study
from mho.ngspice.simulator import operating_point
from referee import require_ngspice

MODULE = """`include "disciplines.vams"
module diode(a, c);
  inout a, c; electrical a, c;
  parameter real is = 1e-9;
  analog I(a,c) <+ is*(limexp(V(a,c)/0.03) - 1);
endmodule
"""


def test_a_measured_device_learns_and_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    volts = np.concatenate([[-2.0, -0.5], np.linspace(-0.1, 0.6, 29)])
    rows = (f"{v!r},{1e-9 * math.expm1(v / 0.03)!r}\n" for v in volts.tolist())
    Path("diode.csv").write_text("v,i\n" + "".join(rows))
    options = ["--element", "measured", "--curve", "diode.csv", "--epochs", "1"]
    assert main(["train", "drn-digits", *options, "--out", "run"]) == 0
    Path("diode.csv").unlink()
    run = load("run")
    assert run.metrics[-1]["test_error"] < 0.2 and run.metrics[-1]["above_tolerance"] == 0
    assert "beyond the measured curve" in run.metrics[-1]["warnings"][0]
    assert main(["export", "run", "--sample", "3", "-o", "run.cir"]) == 0
    check_netlist(Path("run.cir"), run.network, capsys)


def test_a_verilog_a_device_s_network_is_its_netlist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvaf_py")
    (tmp_path / "diode.va").write_text(MODULE)
    made = AnalogConfiguration(dataset="digits", element="veriloga", module=str(tmp_path / "diode.va"), hidden=(4,))
    network = analog_network(made, 64, 10)
    (tmp_path / "run.cir").write_text(mho.write_netlist(network, sample()[0]))
    check_netlist(tmp_path / "run.cir", network, capsys)


def sample() -> np.ndarray:
    data = load_dataset("digits")
    return np.asarray(data.test_inputs[3:4], np.float64) * data.scale


def check_netlist(netlist: Path, network: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Sample 3 in mho's own voltages, those that `mho solve` finds in the netlist, and ngspice's."""
    require_ngspice()
    capsys.readouterr()
    assert main(["solve", str(netlist), "--json"]) == 0
    solved = json.loads(capsys.readouterr().out)["nodes"]
    expected = node_voltages(network, sample(), None)
    spice = operating_point(netlist.read_text(), gmin=1e-18).voltages
    for name, volts in expected.items():
        assert solved[name] == pytest.approx(volts, abs=1e-6) and spice[name] == pytest.approx(volts, abs=1e-6)


def test_a_configuration_keeps_the_curve_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.csv").write_text("v,i\n0,0\n1,0.5\n")
    made = AnalogConfiguration(dataset="digits", element="measured", curve=str(tmp_path / "c.csv"))
    assert made.curve == "v,i\n0.0,0.0\n1.0,0.5\n"
    (tmp_path / "d.csv").write_text("v,i\n0,0\n1,0.7\n")
    files = [str(tmp_path / "c.csv"), str(tmp_path / "d.csv")]
    study = Study("devices", made, {"curve": files}, [0])
    assert [study.setting(row)["curve"] for row in range(len(study.members()))] == files and study.files() == set(files)
    (tmp_path / "mine.toml").write_text('kind = "analog"\ndataset = "digits"\nelement = "measured"\ncurve = "c.csv"\n')
    assert main(["show", str(tmp_path / "mine.toml")]) == 0
    shown = capsys.readouterr().out
    (tmp_path / "elsewhere.toml").write_text(shown)
    (tmp_path / "c.csv").write_text("v,i\n0,0\n1,-0.5\n")
    assert main(["show", str(tmp_path / "elsewhere.toml")]) == 0 and capsys.readouterr().out == shown
    for arguments, message in (
        (["show", str(tmp_path / "mine.toml")], f"mine.toml: {tmp_path / 'c.csv'}:3: -0.5 A after 0 A"),
        (["train", "drn-digits", "--element", "measured"], "--element measured: needs --curve FILE.csv"),
        (["train", "drn-digits", "--element", "veriloga"], "--element veriloga: needs --module FILE.va"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
