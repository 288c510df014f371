"""Circuits as netlists: ngspice and mho's own reader find the operating point that the circuit has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_netlists import random_netlist

from mho.elements import JunctionDiode, ShockleyDiode, TwoTerminal
from mho.errors import InputError, MhoError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit, source_currents
from mho.netlists.writing.circuit_netlist import circuit_netlist
from mho.networks import Circuit, CircuitBuilder
from mho.networks.diode_graph import diode_graph
from mho.networks.lattice import lattice_edges
from mho.steady.newton import solve_circuit
from mho_benchmarks.referee.amplifier_circuits import bidirectional, chain, op_amps
from referee import batch_voltages, spice_operating_point


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


def assert_solved_alike(circuit: Circuit, netlist: str, folder: Path) -> None:
    """The circuit, ngspice run on its netlist and mho that reads it back have the same node voltages."""
    wanted = solve_circuit(circuit).voltages
    read = netlist_circuit(parse_netlist(netlist))
    assert read.nodes >= circuit.nodes
    back: Any = solve_circuit(read).voltages
    theirs = batch_voltages(netlist, folder)
    for k in range(1, circuit.nodes):
        name = circuit.node_names[k].lower()
        assert theirs[name] == pytest.approx(wanted[k], rel=1e-6, abs=1e-6), netlist
        assert read.voltage(back, name) == pytest.approx(wanted[k], rel=1e-6, abs=1e-6), netlist


@pytest.mark.parametrize("family", [bidirectional, chain, op_amps])
def test_amplifiers_are_those_of_ngspice(family, tmp_path):
    for seed in range(4):
        text = "\n".join(["a family's circuit", *family(np.random.default_rng(seed)), ".op", ".end", ""])
        circuit = netlist_circuit(parse_netlist(text))
        netlist = circuit_netlist(circuit)
        assert (circuit.ties is not None) == (netlist_circuit(parse_netlist(netlist)).ties is not None)
        assert_solved_alike(circuit, netlist, tmp_path)


@pytest.mark.parametrize(
    ("forward", "backward", "reciprocal"),
    [
        ("far 0 a 0 3", f"a 0 E1 {-1 / 3:.17g}", True),
        ("far 0 0 a -3", f"0 a E1 {1 / 3:.17g}", True),
        ("0 far 0 a 3", f"a 0 E1 {1 / 3:.17g}", True),
        ("0 far a 0 -3", f"0 a E1 {-1 / 3:.17g}", True),
        ("far 0 a 0 3", "a 0 E1 -0.33333", False),
        ("far 0 a 0 3", f"a 0 E1 {1 / 3:.17g}", False),
    ],
)
def test_an_amplifier_is_known_however_its_sources_are_turned(forward, backward, reciprocal):
    text = f"t\nV1 in 0 1\nR1 in a 1k\nR2 a 0 2k\nE1 {forward}\nF1 {backward}\nR3 far out 1k\nD1 out 0 m\n.model m d\n.end\n"
    netlist = parse_netlist(text)
    circuit = netlist_circuit(netlist)
    assert (circuit.ties is not None) == reciprocal
    theirs, ours = spice_operating_point(text), solve_circuit(circuit)
    for node in ("a", "far", "out"):
        assert circuit.voltage(ours.voltages, node) == pytest.approx(theirs.voltages[node], rel=1e-7)
    for name, current in source_currents(netlist, circuit, ours).items():
        assert current == pytest.approx(theirs.branches[name], rel=1e-6, abs=1e-15), name


def test_controlled_sources_of_every_kind_are_those_of_ngspice(tmp_path):
    kinds = set()
    for seed in range(40):
        text, _ = random_netlist(seed)
        circuit = netlist_circuit(parse_netlist(text))
        if circuit.behavioural or not circuit.controlled:
            continue
        try:
            found = [solve_circuit(circuit).voltages]
        except MhoError:
            continue  # strong feedback, and no operating point
        voltages = batch_voltages(circuit_netlist(circuit), tmp_path)
        theirs = np.array([0.0, *(voltages[circuit.node_names[k]] for k in range(1, circuit.nodes))])
        if not np.allclose(theirs, found[0], rtol=1e-6, atol=1e-6):
            # One of several operating points, then: it has to be the circuit's, too.
            found = [solve_circuit(circuit, start=theirs).voltages]
        np.testing.assert_allclose(theirs, found[0], rtol=1e-6, atol=1e-6, err_msg=text)
        kinds |= {group.kind for group in circuit.controlled}
    assert kinds == set("efgh")


class Uncarded(TwoTerminal):
    """An element whose law SPICE has not been told."""

    conductance: np.ndarray

    def current(self, voltage):
        return self.conductance * voltage


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.add_resistors("IN", "in", 1.0, name="r2"), "node 'IN': SPICE takes it for 'in'; rename it"),
        (lambda b: b.add_resistors("GND", "in", 1.0, name="r2"), "node 'GND': SPICE takes it for '0'"),
        (lambda b: b.add_resistors("a node", "in", 1.0, name="r2"), "node 'a node': SPICE reads no such name"),
        (lambda b: b.add_voltage_source("in", "up", 1.0, name="IN"), "both be called 'vin' in the netlist"),
        (
            lambda b: b.add_elements("in", 0, Uncarded(np.ones(1)), name="cubes"),
            "'cubes': Uncarded defines no",
        ),
        (
            lambda b: b.add_diodes("in", 0, JunctionDiode.from_model(forward_knee=1e-3)),
            "'diodes': JunctionDiode with a sidewall, recombination",
        ),
    ],
)
def test_what_a_netlist_cannot_say_is_refused(change, message):
    builder = CircuitBuilder()
    builder.add_voltage_source("in", 0, 0.5, name="vin")
    builder.add_resistors("in", 0, 1.0)
    change(builder)
    with pytest.raises(InputError, match=message):
        circuit_netlist(builder.build())


def test_inner_nodes_of_diodes_are_none_of_the_circuit_s(tmp_path):
    builder = CircuitBuilder()
    builder.add_voltage_source("0_0_b", 0, 2.0, name="vin")
    parameters: Any = (np.full(1, 1e-12), np.ones(1), np.full(1, 0.3), np.ones(1))
    builder.add_elements("x", 0, ShockleyDiode(*parameters), name="diodes")
    builder.add_resistors("0_0_b", "x", 1e-3)
    circuit = builder.build()
    assert_solved_alike(circuit, circuit_netlist(circuit), tmp_path)
