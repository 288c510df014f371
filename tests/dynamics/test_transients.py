"""Transients against ngspice's `.tran`: within 0.1 % of each node's swing."""

import csv
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

import mho
from mho.command import main
from mho.command.transient import as_json
from mho.dynamics.settling import settling
from mho.elements import AntiparallelDiodes
from mho.netlists import parse_netlist
from mho.netlists.circuits.transient import netlist_transient
from mho.netlists.writing.layered_netlist import layered_netlist
from mho.networks import layered_network
from mho.networks.layer_names import node_names
from mho.ngspice.simulator import transient
from mho.precision import double
from mho.steady import solve
from referee import require_ngspice

TIGHT = ".options reltol=1e-6 abstol=1e-14 vntol=1e-9 chgtol=1e-18 trtol=1 gmin=1e-12\n.end\n"
SHARE = 1e-3

# Each node's circuit is one of the analyses' difficulties; one netlist, for one compilation.
CIRCUITS = """an RC circuit, a clipper, a rectifier, an amplifier and a coupling capacitor
vp in 0 pulse(0 5 1u 10n 10n 3u 8u)
r1 in rc 1k
c1 rc 0 0.3n
vs sine 0 sin(0 2 200k)
r2 sine clip 1k
d1 clip 0 dm
d2 0 clip dm
c2 clip 0 10p
d3 sine peak dr
r3 peak 0 5k
c3 peak 0 2n
i1 0 held exp(0 1m 2u 1u 9u 2u)
r4 held 0 2k
c4 held 0 0.5n
.ic v(held)=1.5
e1 out 0 rc clip 2
r5 out behind 1k
c5 behind 0 0.2n
c6 out 0 1n
c7 in coupled 0.1n
r6 coupled 0 3k
.model dm d(is=1e-9 n=1.2)
.model dr d(is=1e-12 n=1.5 rs=20)
.tran 40n 16u
"""


def assert_as_ngspice(times: np.ndarray, voltages: dict[str, np.ndarray], netlist: str) -> None:
    require_ngspice()
    theirs = transient(netlist)
    for name, ours in voltages.items():
        other = np.interp(times, theirs.times, theirs.voltages[name])
        assert np.abs(other - ours).max() < SHARE * np.ptp(other), name
        assert np.ptp(other) > 0.01, f"{name} does not move, so the test tells nothing"


def test_netlists_as_ngspice() -> None:
    found = netlist_transient(parse_netlist(CIRCUITS + ".end\n"))
    assert_as_ngspice(found.times, found.voltages, CIRCUITS + TIGHT)


def test_modulated_sources_counted_pulses_and_multiplied_subcircuits_as_ngspice() -> None:
    circuit = """sources
v1 a 0 pulse(0 1 0.1m 0.1m 0.1m 0.3m 1m 2)
v2 b 0 am(1 0.5 1k 5k 0.2m 30 60)
v3 c 0 sin(1 2 1k -0.1m 100 20)
v4 e 0 sffm(1 2 2k 3 300 90 45)
r1 a d 1k
c1 d 0 0.1u
r2 b c 1k
r3 e d 10k
x1 d 0 s m=2
.subckt s a b
i1 a b pulse(0 1m 1m 1u)
r1 a b 1k
c1 a b 10n
.ends
.tran 2u 4m
"""
    found = netlist_transient(parse_netlist(circuit + ".end\n"))
    assert_as_ngspice(found.times, found.voltages, circuit + TIGHT)


def test_junction_charges_are_those_of_ngspice() -> None:
    # Reverse recovery, a junction's bend at FC·VJ, the series resistance outside the junction, a moving source beside it.
    circuit = """junctions
v1 in 0 pulse(2 -5 100n 50n 50n 200n 500n)
v2 q 0 sin(0 1 4meg)
r1 in a 500
d1 a 0 m1
r2 a b 200
d2 0 b m2
c1 e 0 50p
d3 in e m1
r3 e 0 2k
d4 q e m2
.model m1 d(is=1e-14 cjo=20p tt=10n rs=5)
.model m2 d(is=1e-12 n=1.5 cjo=40p vj=0.7 m=0.33 fc=0.4 tnom=40)
.temp 60
"""
    found = netlist_transient(parse_netlist(circuit + ".tran 2n 600n\n.end\n"))
    assert_as_ngspice(found.times, found.voltages, circuit + ".tran 0.05n 600n 0 0.05n\n.end\n")


def test_currents_and_times_of_one_s_own(tmp_path: Path) -> None:
    """By the public name, from a file, with steps that the file does not have; Kirchhoff's current law at each time."""
    netlist = tmp_path / "rlc.cir"
    netlist.write_text("rlc\nv1 in 0 pulse(0 1 0 1n 1n 1 2)\nr1 in a 1k\nl1 a b 1m\nc1 b 0 1n\n.end\n")
    found = mho.transient(netlist, step=1e-7, stop=2e-6)
    np.testing.assert_allclose(found.times, np.arange(21) * 1e-7)
    through = (found.voltages["in"] - found.voltages["a"]) / 1e3
    assert np.abs(through).max() > 1e-4
    np.testing.assert_allclose(found.currents["l1"], through, atol=1e-12)
    np.testing.assert_allclose(found.currents["v1"], -through, atol=1e-12)
    with pytest.raises(mho.InputError, match=r"rlc.cir: no .tran card"):
        mho.transient(netlist)


def test_the_command_writes_what_it_finds(tmp_path: Path) -> None:
    """A capacitor discharges from its `.ic`, by the exponential law, beside a parasitic capacitor of the same size."""
    netlist = tmp_path / "rc.cir"
    netlist.write_text("discharge\nr1 a 0 1k\nc1 a 0 1n\n.ic v(a)=2\n.tran 0.5u 4u\n.end\n")
    files = ["-o", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]
    assert main(["transient", str(netlist), "--capacitance", "1e-9", *files]) == 0
    with (tmp_path / "a.csv").open() as file:
        header, *rows = csv.reader(file)
    times, voltages = np.array(rows, np.float64).T
    assert header == ["time", "a"]
    np.testing.assert_allclose(times, np.arange(9) * 0.5e-6)
    np.testing.assert_allclose(voltages, 2 * np.exp(-times / 2e-6), rtol=1e-5)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(as_json(times, {"a": voltages}))
    assert told == {"times": times.tolist(), "nodes": {"a": voltages.tolist()}}


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ("c1 a 0 1n", "no .tran card; write .tran STEP STOP"),
        (
            "q1 a a 0 q\n.model q npn(tf=1n)\n.tran 1n 1u",
            "bad.cir:5: q1: a transient does not know its model's forward",
        ),
        ("c1 a 0 1n\n.tran 1f 1", "1e+15 steps of 1e-15 s; at most 1000000 are reported"),
    ],
)
def test_bad_input_is_one_line(
    cards: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.cir").write_text(f"bad\nv1 in 0 1\nr1 in a 1k\nr2 a 0 1k\n{cards}\n.end\n")
    assert main(["transient", "bad.cir"]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_a_network_settles_as_in_ngspice() -> None:
    """From 0 V in the free phase, with amplifiers of one pole; both phases' ends, and what the sources spend."""
    key = jax.random.key(3)
    diodes = AntiparallelDiodes.symmetric(3, saturation_current=1e-9, bias=0.1)
    network = layered_network(
        (2, 3, 2), key, elements=[diodes], gains=[2.0], bias_line=1.0, input_gain=2.0, lower=1e-3, initial=0.05
    )
    sample, nudging, capacitance, bandwidth = np.array([0.4, -1.0]), np.array([5e-3, -2e-3]), 1e-12, 1e9
    free, nudged = settling(network, sample, nudging, capacitance=capacitance, bandwidth=bandwidth)

    sources = double(lambda n, x: n.source_voltages(x))(network, sample[None])[0]
    cards = layered_netlist(network, sources).splitlines()
    cards = [card for card in cards if not card.startswith((".op", ".end", ".options"))]
    nodes = [name for layer in node_names(network) for name in layer] + [f"a1_{k}" for k in range(3)]
    cards += [f"C{name} {name} 0 {capacitance:g}" for name in nodes]
    for k in range(3):
        # One pole in front of the amplifier: a buffer, a resistor and a capacitor.
        at = next(i for i, card in enumerate(cards) if card.startswith(f"Eh1_{k} "))
        cards[at] = cards[at].replace(f" 0 h1_{k} 0 ", f" 0 u{k} 0 ")
        cards += [
            f"Ebuffer{k} w{k} 0 h1_{k} 0 1",
            f"Rpole{k} w{k} u{k} 1k",
            f"Cpole{k} u{k} 0 {1e-3 / (2e9 * np.pi):.17g}",
        ]
    stop = free.times[-1]
    cards.append(f".tran {stop / 1000:.17g} {stop:.17g} 0 {stop / 2000:.17g} uic")
    late = free.times > 1e-3 * stop
    ours = dict(zip(nodes[:5], np.concatenate(free.voltages, 1)[late].T, strict=True))
    assert_as_ngspice(free.times[late], ours, "\n".join(cards) + "\n" + TIGHT)

    ends = solve(network, sample[None]).voltages
    swing = max(np.abs(v).max() for v in ends)
    for phase in (free, nudged):
        at = [np.array([np.interp(phase.time, phase.times, v) for v in layer.T]) for layer in phase.voltages]
        away = max(np.abs(a - layer[-1]).max() for a, layer in zip(at, phase.voltages, strict=True))
        widest = max(np.abs(layer[0] - layer[-1]).max() for layer in phase.voltages)
        assert away == pytest.approx(1e-3 * widest, rel=0.1)
    assert swing > 0.1

    # The sources' powers, from the resistors beside them and the waveforms, integrated on their own.
    conductance = np.asarray(network.layers[0].crossbar.resistors.conductance, np.float64)
    for phase, injected in ((free, 0.0 * nudging), (nudged, nudging)):
        hidden, outputs = phase.voltages
        plus, minus = ((sign * sources[:, None] - hidden[:, None]) * (sign * sources[:, None]) for sign in (1, -1))
        power = (conductance[:, 0] * plus + conductance[:, 1] * minus).sum((1, 2))
        for found, given in ((phase.voltage_source_energy, power), (phase.current_source_energy, outputs @ injected)):
            spent = cumulative_trapezoid(given, phase.times, initial=0.0)
            assert found == pytest.approx(np.interp(phase.time, phase.times, spent), rel=1e-3, abs=0)
