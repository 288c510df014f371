"""Circuits: what the builder refuses, what its energy is, and layered networks as circuits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.elements import AntiparallelDiodes, IdealDiode
from mho.errors import InputError, MhoError
from mho.networks import CircuitBuilder, layered_circuit, layered_network
from mho.precision import double
from mho.steady import solve
from mho.steady.newton import solve_circuit


def divider() -> CircuitBuilder:
    builder = CircuitBuilder()
    builder.add_voltage_source("in", 0, 3.0, name="vin")
    builder.add_resistors(["in", "out"], ["out", 0], [1e-3, 2e-3])
    return builder


def unknown_output(b: CircuitBuilder) -> None:
    b.set_outputs("aut")


def floating_node(b: CircuitBuilder) -> None:
    b.add_resistors("island", "beach", 1.0, name="sand")


def behind_current_source(b: CircuitBuilder) -> None:
    b.add_current_sources("out", "cliff", 1e-3)


def source_loop(b: CircuitBuilder) -> None:
    b.add_voltage_sources(["in", "mid"], ["mid", 0], [1.0, 2.0], ["va", "vb"])


def negative(b: CircuitBuilder) -> None:
    b.add_resistors(["in", "in"], ["out", "out"], [1.0, -2.0], name="more", labels=["r7", "r8"])


def shapes(b: CircuitBuilder) -> None:
    b.add_resistors(["in", "in", "in"], "out", [1.0, 2.0], name="more")


def no_source(b: CircuitBuilder) -> None:
    b.set_inputs(["vout"])


def ideal(b: CircuitBuilder) -> None:
    b.add_elements("out", 0, IdealDiode(jnp.ones(1)), name="ideal")


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (unknown_output, "unknown node 'aut'"),
        (floating_node, r"floating node 'island' \(and 1 more\)"),
        (behind_current_source, "floating node 'cliff'"),
        (source_loop, "loop of voltage sources: vb, va, vin|loop of voltage sources: vb, vin, va"),
        (negative, r"r8 \(in to out\): conductance -2 S"),
        (shapes, r"more: nodes and parameters of shapes \(3,\), \(1,\), \(2,\)"),
        (no_source, "unknown voltage source 'vout'"),
        (ideal, "ideal diodes have no finite slope"),
    ],
)
def test_mistakes_are_refused_by_name(mistake, message):
    builder = divider()
    with pytest.raises(InputError, match=message):
        mistake(builder)
        builder.build()


def test_energy_is_what_it_is_on_paper():
    circuit = divider().build()
    solution = solve_circuit(circuit)
    # The divider stands at 1 V: ½(1 mS · 4 V² + 2 mS · 1 V²), and dissipates twice that.
    assert double(circuit.energy)(None, solution.voltages) == pytest.approx(3e-3, rel=1e-14)
    assert double(circuit.power)(solution.voltages) == pytest.approx(6e-3, rel=1e-14)
    np.testing.assert_allclose(solution.source_currents, [-2e-3], rtol=1e-14)


def test_controlled_sources_leave_no_energy():
    builder = divider()
    builder.add_vccs("out", 0, "in", 0, 1e-3, name="g")
    circuit = builder.build()
    with pytest.raises(MhoError, match="no energy"):
        circuit.energy(None, jnp.zeros(3))


def test_layered_network_is_the_same_circuit():
    elements = [AntiparallelDiodes.symmetric(4, saturation_current=1e-6, bias=0.1)]
    network = layered_network(
        (3, 4, 2), jax.random.key(0), elements=elements, gains=[4.0], input_gain=2.0, bias_line=0.5, paired_outputs=True
    )
    inputs = np.random.default_rng(0).uniform(-1, 1, (3, 3))
    circuit = layered_circuit(network)
    ours = solve_circuit(circuit, inputs)
    theirs = solve(network, inputs)
    outputs = [circuit.voltage(ours.voltages, f"out_{i}") for i in range(4)]
    np.testing.assert_allclose(np.stack(outputs, -1), theirs.voltages[-1], rtol=1e-9, atol=1e-12)

    @double
    def energies(network, circuit, inputs, layered, nodes):
        return network.energy(network.drive(inputs), layered), circuit.energy(None, nodes)

    np.testing.assert_allclose(*energies(network, circuit, inputs, theirs.voltages, ours.voltages), rtol=1e-10)
