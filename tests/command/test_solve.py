"""`mho solve`: its contract, and a clear line for every mistake."""

import json
import re

import pytest

from mho.command import main

DIVIDER = "a divider\nV1 in 0 3\nR1 IN out 1k\nR2 out 0 2k\n.end\n"


def test_contract(tmp_path, capsys):
    path = tmp_path / "divider.cir"
    path.write_text(DIVIDER)
    assert main(["solve", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["nodes"] == pytest.approx({"in": 3.0, "out": 2.0}, rel=1e-14)
    assert told["branches"] == pytest.approx({"v1": -1e-3}, rel=1e-14)
    assert told["residual"] <= 1e-9
    assert main(["solve", str(path)]) == 0
    assert "out" in capsys.readouterr().out


def test_what_is_not_run_is_noted(tmp_path, capsys):
    path = tmp_path / "divider.cir"
    path.write_text(DIVIDER.replace(".end", ".dc v1 0 1 1\n.print dc v(out)\n.end"))
    assert main(["solve", str(path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"note: {path}:5: not run, as only .op and .tran are: .dc",
        f"note: {path}:6: cards of output are passed over: .print",
    ]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("R3 x y 1", "divider.cir:5: r3: node 'x' has no DC path to ground"),
        ("V2 in 0 1", "divider.cir:5: loop of voltage sources v2 v1"),
        ("R3 in 0 1 m=0", "divider.cir:5: multiplier m of 'r3' is 0"),
        ("B3 in 0 v=1", "divider.cir:5: loop of voltage sources b3 v1"),
        ("D1 in 0 nosuch", "divider.cir:5: .*nosuch"),
        ("Xa in a\n.subckt a p\nXb p a\n.ends", "divider.cir:.*a"),
        ("Z1 a b c m", "divider.cir:5: unsupported element 'z1'"),
        (".include ../secret.cir", "divider.cir:5: .*secret"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, card, message):
    path = tmp_path / "divider.cir"
    path.write_text(DIVIDER.replace(".end", f"{card}\n.end"))
    assert main(["solve", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]


def test_a_missing_file_and_noise_are_one_line(tmp_path, capsys):
    noise = tmp_path / "noise.cir"
    noise.write_bytes(bytes(range(256)) * 40960)
    for path in (tmp_path / "missing.cir", noise):
        assert main(["solve", str(path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
