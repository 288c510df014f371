"""Netlists of layered networks: ngspice, run on them unchanged, and mho, reading them, find the same voltages."""

import time

import jax
import numpy as np
import pytest
from test_netlist_forms import solved

from mho.elements import AntiparallelDiodes, CurrentSource, ProgrammableResistor
from mho.errors import InputError
from mho.netlists import parse_netlist
from mho.netlists.writing.layered_netlist import layer_voltages, layered_netlist
from mho.networks import DenseCrossbar, Layer, LayeredNetwork, layered_network
from mho.networks.layer_names import node_names
from mho.precision import double
from mho.steady import solve
from random_circuits import BATCH, STRUCTURES, one_sample, random_network, random_nudges, random_samples
from referee import batch_voltages


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", STRUCTURES)
def test_ngspice_and_mho_agree_in_both_phases(name, seed, tmp_path):
    """To 1e-6 V; `random_circuits` says why SPICE's own diode law in reverse stays below that."""
    structure = STRUCTURES[name]
    network = random_network(structure, seed)
    inputs, _ = random_samples(structure, seed)
    held, energy = random_nudges(structure, network, seed)
    sources = double(lambda n, x: n.source_voltages(x))(network, inputs)
    zero = CurrentSource(np.zeros_like(held.injected))
    start = tuple(np.zeros((BATCH, n)) for n in network.widths[1:])
    states = []
    for nudge in (zero, held, energy):
        point = solve(network, inputs, attached=nudge, start=start)
        for sample in range(BATCH if nudge is energy else 1):
            given = None if nudge is zero else one_sample(nudge, sample)
            netlist = layered_netlist(network, sources[sample], nudge=given)
            for voltages in (batch_voltages(netlist, tmp_path), solved(parse_netlist(netlist))):
                for theirs, ours in zip(layer_voltages(network, voltages), point.voltages, strict=True):
                    np.testing.assert_allclose(theirs[0], ours[sample], rtol=1e-6, atol=1e-6)
        states.append(point.voltages[-1])
    assert min(np.abs(states[0] - states[1]).max(), np.abs(states[0] - states[2]).max()) > 1e-5, "nudging moves nothing"


def test_a_diode_keeps_its_saturation_current_at_its_own_temperature(tmp_path):
    """SPICE rescales IS from TNOM to the device's temperature; the element's is that at its temperature."""
    with jax.enable_x64(True):
        diodes = AntiparallelDiodes.symmetric(2, saturation_current=1e-9, temperature=350.0)
    first = Layer(DenseCrossbar(ProgrammableResistor(np.full((1, 2), 1e-3))), diodes)
    second = Layer(DenseCrossbar(ProgrammableResistor(np.array([[1e-3], [2e-3]]))))
    network = LayeredNetwork((first, second))
    ours = solve(network, np.array([[2.0]])).voltages
    theirs = layer_voltages(network, batch_voltages(layered_netlist(network, [2.0]), tmp_path))
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)
    assert 0.3 < ours[0].max() < 0.6, "the diodes do not conduct, so the test tells nothing"


def test_big_network_is_written_quickly_with_every_resistor():
    diodes = AntiparallelDiodes.symmetric(100, saturation_current=1e-9)
    network = layered_network((784, 100, 10), jax.random.key(0), elements=[diodes], gains=[4.0], paired_outputs=True)
    began = time.process_time()
    netlist = layered_netlist(network, np.linspace(-1, 1, 784))
    assert time.process_time() - began < 2.0
    lines = netlist.splitlines()
    resistors = [line.split() for line in lines if line.startswith("R")]
    assert len(resistors) == 1568 * 100 + 100 * 20
    names = [line.split()[0].lower() for line in lines[1:] if line[0] not in ".*"]
    assert len(set(names)) == len(names)
    assert [len(n) for n in node_names(network)] == [100, 20]
    name, row, column, ohms = resistors[-1]
    assert (name, row, column) == ("Ra1_99_out_19", "a1_99", "out_19")
    assert float(ohms) == 1.0 / np.float64(network.layers[1].crossbar.resistors.conductance[99, 19])


def test_xyce_wants_expressions_in_braces_and_a_sweep():
    structure = STRUCTURES["drn"]
    network = random_network(structure, 0)
    _, energy = random_nudges(structure, network, 0)
    netlist = layered_netlist(network, np.ones(3), nudge=one_sample(energy, 0), simulator="xyce")
    behavioural = [line for line in netlist.splitlines() if line.startswith("B")]
    assert len(behavioural) == 5 + 4 + 5 + 2
    assert all(line.split(" ", 3)[3].startswith("I={") and line.endswith("}") for line in behavioural)
    assert ".dc Vin0p 1 1 1\n.print dc v(*)\n.end\n" in netlist


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": np.ones(4)}, r"source voltages of shape \(4,\)"),
        ({"sources": np.array([1.0, np.nan, 0.0])}, "source in1p: its voltage is not finite"),
        ({"nudge": CurrentSource(np.zeros((3, 2)))}, "nudge of 6 currents"),
        ({"title": "two\nlines"}, "must be one line"),
        ({"simulator": "spice2"}, "must be one of ngspice, xyce"),
    ],
)
def test_what_is_no_sample_is_refused(change, message):
    network = random_network(STRUCTURES["linear"], 0)
    with pytest.raises(InputError, match=message):
        layered_netlist(network, **{"sources": np.ones(3), **change})


def test_another_netlist_s_voltages_are_refused():
    with pytest.raises(InputError, match="no voltage of node 'out_1'"):
        layer_voltages(random_network(STRUCTURES["linear"], 0), {"out_0": 1.0})
