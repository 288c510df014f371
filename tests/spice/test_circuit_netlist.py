"""Circuits as netlists: ngspice and mho's own reader find the operating point that the circuit has."""

import numpy as np
import pytest

from mho.elements import JunctionDiode
from mho.errors import InputError
from mho.networks import CircuitBuilder
from mho.networks.diode_graph import diode_graph
from mho.networks.lattice import lattice_edges
from mho.spice.circuit_netlist import circuit_netlist
from mho.steady.newton import solve_circuit
from referee import spice_operating_point


def test_lattice_of_diodes_is_that_of_ngspice():
    first, second = lattice_edges((12, 12), diagonals=True)
    circuit = diode_graph(first, second, driven=[1, 7, 144], voltages=[6.0, -1.0, -3.0], diodes=150, seed=2)
    netlist = circuit_netlist(circuit)
    assert netlist.count(".model") == 1
    theirs, ours = spice_operating_point(netlist), solve_circuit(circuit)
    for k in range(1, circuit.nodes):
        assert ours.voltages[k] == pytest.approx(theirs.voltages[circuit.node_names[k]], rel=1e-6, abs=1e-9)
    assert ours.source_currents[1] == pytest.approx(theirs.branches["v7"], rel=1e-6)


def test_inputs_and_models_of_their_own():
    builder = CircuitBuilder()
    builder.add_voltage_source("in", 0, 0.5, name="supply")
    builder.add_resistors(["in", "in"], ["a", "b"], [1e-3, 2e-3])
    builder.add_diodes(["a", "b"], 0, JunctionDiode.from_model(saturation_current=[1e-14, 1e-9], ideality=[1.0, 2.0]))
    builder.add_current_sources("a", "b", 1e-4)
    builder.set_inputs(["supply"], gains=2.0)
    circuit = builder.build()
    ours = solve_circuit(circuit, np.array([1.0])).voltages
    theirs = spice_operating_point(circuit_netlist(circuit, np.array([1.0]))).voltages
    for k in range(1, circuit.nodes):
        assert ours[k] == pytest.approx(theirs[circuit.node_names[k]], rel=1e-7)
    with pytest.raises(InputError, match=r"inputs of shape \(2, 1\)"):
        circuit_netlist(circuit, np.ones((2, 1)))
    builder.add_vcvs("c", 0, "a", 0, 2.0, name="e1")
    with pytest.raises(InputError, match="controlled sources"):
        circuit_netlist(builder.build())
