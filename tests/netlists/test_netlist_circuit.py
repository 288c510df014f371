"""Netlists solved by mho against ngspice: random ones of every kind, and what SPICE's details make of one."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_netlists import random_netlist

from mho.errors import MhoError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages
from mho.netlists.circuits.operating_point import operating_point
from mho.networks import Circuit
from mho.ngspice.simulator import SpiceError, SpiceOperatingPoint, operating_points
from mho.steady.newton import CircuitSolution, solve_circuit
from referee import require_ngspice, spice_operating_point

NETLISTS = 30


def worst(circuit: Circuit, solution: CircuitSolution, theirs: SpiceOperatingPoint) -> float:
    """Largest difference of the nodes' voltages, in units of 1e-6 V or 1e-6 of the voltage."""
    voltages = np.array([theirs.voltages[circuit.node_names[k]] for k in range(1, circuit.nodes)])
    return float(np.max(np.abs(solution.voltages[1:] - voltages) / (1e-6 * np.maximum(1.0, np.abs(voltages)))))


def agrees(text: str, theirs: SpiceOperatingPoint | SpiceError) -> bool:
    """Whether mho's operating point is ngspice's; False where there are several, or where neither finds one."""
    circuit = netlist_circuit(parse_netlist(text))
    try:
        ours = solve_circuit(circuit)
    except MhoError:
        # Strong feedback may leave no operating point: then ngspice has none to show.
        assert circuit.ties is None and isinstance(theirs, SpiceError), text
        return False
    assert ours.residual <= 1e-9
    if isinstance(theirs, SpiceError):
        print(f"{text.splitlines()[0]}: ngspice fails ({theirs}), mho converges, residual {ours.residual:.3g}")
        return True
    if worst(circuit, ours, theirs) <= 1.0:
        for k in range(len(circuit.branch_names)):
            current = theirs.branches[circuit.branch_names[k]]
            assert ours.source_currents[k] == pytest.approx(current, rel=1e-6, abs=1e-9)
        return True
    # Feedback through controlled sources may leave several operating points: ngspice's has to be one of mho's.
    assert circuit.ties is None, text
    start = [0.0, *(theirs.voltages[circuit.node_names[k]] for k in range(1, circuit.nodes))]
    assert worst(circuit, solve_circuit(circuit, start=start), theirs) <= 1.0, text
    return False


@settings(max_examples=11, phases=[Phase.generate])  # shrinking a list of seeds teaches nothing
@given(seeds=st.lists(st.integers(0, 10**6), min_size=NETLISTS, max_size=NETLISTS, unique=True))
def test_operating_points_of_random_netlists_are_those_of_ngspice(seeds):
    require_ngspice()
    netlists = [random_netlist(seed) for seed in seeds]
    theirs = operating_points(netlists)
    others = sum(not agrees(text, point) for (text, _), point in zip(netlists, theirs, strict=True))
    assert others <= 2


FLIP_FLOP = """two stable states
vdd vdd 0 1
ea x 0 0 b 10
ra x a 1k
eb y 0 0 a 10
rb y b 1k
da a c m
dc 0 a m
db b c m
dd 0 b m
vc c 0 1
.model m d(is=1e-12)
.nodeset v({}) = 1
.end
"""


@pytest.mark.parametrize("high", ["a", "b"])
def test_nodeset_chooses_among_several_operating_points(high):
    require_ngspice()
    text = FLIP_FLOP.format(high)
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    ours = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
    (theirs,) = operating_points([(text, 1e-12)])
    assert isinstance(theirs, SpiceOperatingPoint)
    assert worst(circuit, ours, theirs) <= 1.0
    assert circuit.voltage(ours.voltages, high) > 1.0


def test_what_an_e_source_is_controlled_by_does_not_feel_it():
    text = (
        "inverters of inputs, one behind the other\nv1 a 0 1\nr1 a 0 1k\ne1 b 0 a 0 -2\nr2 b c 1k\ne2 d 0 0 b 3\n"
        "r3 d c 2k\nd1 c 0 dm\n.model dm d\n.end\n"
    )
    theirs = spice_operating_point(text)
    ours = operating_point(parse_netlist(text))
    assert ours.branches == {name: pytest.approx(theirs.branches[name], rel=1e-6) for name in ("v1", "e1", "e2")}
    assert ours.nodes == {name: pytest.approx(theirs.voltages[name], rel=1e-6) for name in "abcd"}
