"""The laws of behavioural sources: derivatives, the edges of domains, and those that are elements with an energy."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_netlist_forms import formula

from mho.elements import IdealDiode, PiecewiseDiode
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.netlists.circuits.own_voltage import own_voltage_law
from mho.netlists.circuits.transient import netlist_transient
from mho.netlists.reading.behavioural_law import FormulaLaw


def law_of(*formulas: str, kind: str = "v") -> tuple[FormulaLaw, int]:
    """The law of formulas that differ in their numbers alone, and how many quantities it senses."""
    cards = "\n".join(f"b{k} n{k} 0 {kind}={text}\nrn{k} n{k} 0 1" for k, text in enumerate(formulas))
    netlist = parse_netlist(f"t\nva a 0 1\nv2 b 0 1\nv3 c 0 1\n.param k=3\n{cards}")
    (group,) = netlist.behavioural
    return FormulaLaw(group.program, group.constants), group.sensed.shape[1]


@pytest.mark.parametrize("seed", range(3))
def test_derivatives_are_those_of_the_values(seed):
    draw = random.Random(seed)
    points = np.random.default_rng(seed)
    checked = 0
    for text in (formula(draw) for _ in range(150)):
        law, senses = law_of(text)
        at = points.uniform(-2, 2, (1, senses))
        value, derivative = law.tangent(at)
        if not np.abs(value) < 1e6:
            continue
        for column in range(senses):
            step = 1e-6 * np.eye(senses)[column]
            sides = (law.tangent(at + step)[0] - value) / 1e-6, (value - law.tangent(at - step)[0]) / 1e-6
            # At a kink or a jump the sides differ, and there is nothing to compare with.
            if np.abs(sides[0] - sides[1]) < 1e-3 * (1 + np.abs(sides[0])):
                assert derivative[0, column] == pytest.approx(0.5 * (sides[0] + sides[1])[0], rel=1e-3, abs=1e-3), text
                checked += 1
    assert checked > 150


@pytest.mark.parametrize(
    ("text", "at", "value", "slope"),
    [
        ("1/v(a)", 0.0, 1e32, -1e64),
        ("-1/v(a)", -0.0, -1e32, 1e64),
        ("exp(v(a))", 300.0, 1e99, 1e99),
        ("ln(v(a))", 0.0, -1e99, 1e32),
        ("log10(v(a))", 100.0, 2.0, 1 / (100 * np.log(10))),
        ("sqrt(v(a))", 0.0, 0.0, 1e99),
        ("pow(v(a),3)", -2.0, 8.0, -12.0),
        ("pwr(v(a),3)", -2.0, -8.0, 12.0),
        ("2^v(a)", 3.0, 8.0, 8 * np.log(2)),
        ("u(v(a))", 0.0, 0.5, 0.0),
        ("u2(v(a))", 0.25, 0.25, 1.0),
        ("uramp(v(a))", -1.0, 0.0, 0.0),
        ("exp(v(a))-1", 1e-12, 1e-12 + 0.5e-24, 1.0 + 1e-12),
        ("v(a)>1 ? ln(-v(a)) : v(a)", 0.5, 0.5, 1.0),
        ("v(a)*time+hertz", 5.0, 0.0, 0.0),
    ],
)
def test_functions_at_the_edges_of_their_domains_are_ngspices(text, at, value, slope):
    found, derivative = law_of(text)[0].tangent(np.array([[at]]))
    assert found[0] == pytest.approx(value, rel=1e-12, abs=0)
    assert derivative[0, 0] == pytest.approx(slope, rel=1e-12, abs=0)


def test_no_operating_point_is_accepted_outside_a_domain():
    law, _ = law_of("ln(v(a)+1)")
    np.testing.assert_array_equal(law.in_range(np.array([[-2.0], [1.0], [np.nan]]))[:3], [False, True, False])


def test_the_time_in_formulas_runs_in_transients():
    text = "t\nb1 a 0 v=1+sin(6283*time)*exp(-time*300)\nr1 a b 1k\nc1 b 0 0.2u\nb2 b 0 i=time>1m ? v(b)/2k : 0\n"
    netlist = parse_netlist(text + ".tran 10u 3m\n.options reltol=1e-6\n")
    found = netlist_transient(netlist)
    assert list(found.voltages) == ["a", "b"]
    time = found.times
    np.testing.assert_allclose(found.voltages["a"], 1 + np.sin(6283 * time) * np.exp(-time * 300), atol=1e-9)
    # The capacitor's law, by differences of what was found.
    middle = time[1:-1]
    rate = (found.voltages["b"][2:] - found.voltages["b"][:-2]) / (time[2:] - time[:-2])
    drawn = np.where(middle > 1e-3, found.voltages["b"][1:-1] / 2e3, 0.0)
    flows = (found.voltages["a"] - found.voltages["b"])[1:-1] / 1e3 - drawn
    smooth = np.abs(middle - 1e-3) > 2e-5
    np.testing.assert_allclose(0.2e-6 * rate[smooth], flows[smooth], atol=2e-6)


def test_sources_of_one_form_are_evaluated_together():
    cards = "\n".join(f"b{k} n{k} 0 i={k}m*v(n{k})^2+v(a,n{k})*{k}u\nr{k} n{k} 0 1k" for k in range(1, 50))
    cell = ".subckt s p k=2\nb1 p 0 i={k*1m}*tanh(v(p))\nr1 p 0 1k\n.ends\nx1 n1 s\nx2 n2 s k=3"
    netlist = parse_netlist(f"t\nv1 a 0 1\n{cards}\n{cell}")
    assert [len(group) for group in netlist.behavioural] == [49, 2]


positive = st.floats(1e-3, 1e3)


@given(
    on=positive, off=positive, threshold=st.floats(0, 5), polarity=st.sampled_from([-1.0, 1.0]), grounded=st.booleans()
)
def test_written_diodes_are_read_as_elements_with_an_energy(on, off, threshold, polarity, grounded):
    minus = "0" if grounded else "m"
    written = {
        "p": PiecewiseDiode(*np.array([[on], [off], [threshold], [polarity]])),  # pyright: ignore[reportArgumentType]
        "i": IdealDiode(np.array([polarity])),  # pyright: ignore[reportArgumentType]
    }
    drops = np.linspace(-7, 7, 29)
    for name, element in written.items():
        (card,) = element.card(name, "a", minus, 0)
        netlist = parse_netlist(f"t\nv1 a 0 1\nr1 a m 1\nr2 m 0 1\n{card}")
        law = own_voltage_law(netlist.behavioural[0])
        assert law is not None
        assert law.diode is not None
        ends = netlist.behavioural[0].sensed == netlist.behavioural[0].nodes[:, :1]
        sensed = np.where(ends, drops[:, None], 0.0)
        group = netlist.behavioural[0]
        value = FormulaLaw(group.program, np.repeat(group.constants, len(drops), 1)).tangent(sensed)[0]
        current = law.current + law.diode.current(drops)  # pyright: ignore[reportArgumentType]
        np.testing.assert_allclose(current, value, rtol=1e-9, atol=1e-9 * np.abs(value).max())
        circuit = netlist_circuit(netlist)
        assert not circuit.behavioural
        assert circuit.ties is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1m*(v(a,m)-2)", True),
        ("v(a,m)/3+1+2*v(a,m)", True),
        ("v(a,m) >= 1 ? v(a,m) : 1", True),
        ("0.5", True),
        ("-v(a,m)", False),
        ("v(a,m) > 0 ? v(a,m) : 1", False),
        ("v(a,m) > 0 ? -v(a,m) : 0", False),
        ("v(a)", False),
        ("v(a)+v(m)", False),
        ("v(a,m)*v(a,m)", False),
        ("v(a,m)-v(b)", False),
        ("exp(v(a,m))", False),
        ("i(v1)", False),
        ("v(a,m)*time", False),
    ],
)
def test_only_increasing_lines_of_the_own_voltage_are_elements(text, found):
    netlist = parse_netlist(f"t\nv1 a 0 1\nr1 a m 1\nr2 m 0 1\nr3 b 0 1\nb1 a m i={text}")
    assert (own_voltage_law(netlist.behavioural[0]) is not None) == found
    assert bool(netlist_circuit(netlist).behavioural) != found
