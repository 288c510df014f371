"""Switches, inductors and their couplings at DC, against ngspice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parameters import linear, logarithmic

from mho.errors import InputError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.steady.newton import solve_circuit
from referee import spice_operating_point

# On the thresholds and between them, too: there the flag decides, or the kind of switch.
CONTROLS = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75)


@st.composite
def switch(draw: st.DrawFn, number: int) -> list[str]:
    """A switch of either kind between 1 V behind 1 kΩ and ground."""
    volts = draw(st.sampled_from(CONTROLS))
    threshold, hysteresis = draw(st.sampled_from((-0.25, 0.0, 0.25))), draw(st.sampled_from((-0.25, 0.0, 0.25)))
    resistances = f"ron={draw(logarithmic(1.0, 1e3))}" + draw(st.sampled_from(("", " roff=1e5")))
    flag = draw(st.sampled_from(("", "on", "off")))
    lines = [f"r{number} a b{number} 1k", f"vc{number} c{number} 0 {volts}", f"rc{number} c{number} 0 1"]
    if draw(st.booleans()):
        lines.append(f".model m{number} sw(vt={threshold} vh={hysteresis} {resistances})")
        return [*lines, f"s{number} b{number} 0 c{number} 0 m{number} {flag}"]
    lines.append(f".model m{number} csw(it={threshold} ih={hysteresis} {resistances})")
    # The current through a voltage source in series with 1 Ω.
    lines += [f"vm{number} c{number} e{number} 0", f"re{number} e{number} 0 1"]
    return [*lines, f"w{number} b{number} 0 vm{number} m{number} {flag}"]


@settings(max_examples=30, deadline=None)
@given(st.tuples(*(switch(k) for k in range(8))))
def test_switches_stand_as_those_of_ngspice(switches):
    text = "\n".join(["switches", "va a 0 1", *(line for one in switches for line in one), ".end"])
    point = spice_operating_point(text)
    circuit = netlist_circuit(parse_netlist(text))
    solved = solve_circuit(circuit)
    for k in range(8):
        ours = float(solved.voltages[circuit.node_names.index(f"b{k}", "node")])
        assert ours == pytest.approx(point.voltages[f"b{k}"], rel=1e-9), switches[k]


@settings(max_examples=15, deadline=None)
@given(st.lists(logarithmic(1.0, 1e4), min_size=7, max_size=7), linear(-10.0, 10.0))
def test_inductors_are_shorts_whose_currents_are_known(resistances, volts):
    # A ladder of inductors, two of them coupled, in subcircuits.
    lines = ["ladder", f"v1 n0 0 {volts}", ".subckt section p q r=1", "l1 p m 1m ic=3", "l2 m q 2u m=2", "k1 l1 l2 0.9"]
    lines += ["rm m 0 {r}", ".ends", *(f"x{k} n{k} n{k + 1} section r={r}" for k, r in enumerate(resistances))]
    text = "\n".join([*lines, "rl n7 0 50", ".end"])
    point = spice_operating_point(text)
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    solved = solve_circuit(circuit)
    for name in netlist.branches:
        ours = float(solved.source_currents[circuit.branch_names.index(name, "source")])
        assert ours == pytest.approx(point.branches[name], rel=1e-9, abs=1e-15), name
    assert netlist.inductors.names[netlist.couplings.inductors[3, 0]] == "l.x3.l1"
    assert netlist.inductors.names[netlist.couplings.inductors[3, 1]] == "l.x3.l2"
    np.testing.assert_allclose(netlist.inductors.inductance[:2], [1e-3, 1e-3])
    assert netlist.couplings.coefficient.tolist() == [0.9] * 7


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("l1 a 0 1m", "loop of voltage sources and inductors l1 v1"),
        ("k1 l1 l2 .5", "no inductor 'l1' for 'k1'; name two L elements"),
        ("l1 a b 1m\nk1 l1 l1 .5", "'k1' couples one inductor to itself"),
        ("l1 a b 1m\nl2 b 0 1m\nk1 l1 l2 1.5", "coefficient of 'k1' is 1.5; it must be from -1 to 1"),
        ("s1 a b c 0", "'s1' has 4 fields; a switch's card is SNAME NODE NODE CONTROL CONTROL MODEL [on|off]"),
        ("s1 a b a 0 d", "model 'd' is of kind 'd'; S elements take SW"),
        ("w1 a b r1 w", "no voltage source 'r1' to control 'w1'"),
        ("s1 a b a 0 zero", "RON of voltage-controlled switch model 'zero' is 0 ohm; it must be above 0"),
    ],
)
def test_faults_are_one_line(card, message):
    models = ".model d d\n.model w csw\n.model zero sw(ron=0)"
    with pytest.raises(InputError) as caught:
        parse_netlist(f"t\nv1 a 0 1\nr1 a b 1\nr2 b 0 1\n{card}\n{models}\n.end")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
