"""Memristor models: their operating points, against ngspice and against what the papers' formulas give."""

import math

import memristors
import pytest

from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.steady.newton import solve_circuit
from referee import spice_operating_point

# Volts below the thresholds, where the state rests at x0; the drift models have no threshold but 0 V.
EXPECTED = {
    "joglekar": (0.0, 0.0),
    "biolek": (0.0, 0.0),
    "vteam": (0.35, 0.35 / (1e3 + 9e3 * 0.5)),
    "yakopcic": (-0.4, 1e-3 * 0.2 * math.sinh(1.2 * -0.4)),
}


@pytest.mark.parametrize("name", memristors.MODELS)
def test_a_memristor_at_rest_is_its_resistance(name):
    bias, expected = EXPECTED[name]
    text = memristors.circuit(name, bias)
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    solved = solve_circuit(circuit)
    current = -float(solved.source_currents[circuit.branch_names.index("vin", "source")])
    assert current == pytest.approx(expected, rel=1e-9, abs=1e-15)
    point = spice_operating_point(text)
    assert current == pytest.approx(-point.branches["vin"], rel=1e-9, abs=1e-15)
    for node in netlist.nodes[1:]:
        ours = float(solved.voltages[circuit.node_names.index(node, "node")])
        assert ours == pytest.approx(point.voltages[node], rel=1e-6, abs=1e-9)
