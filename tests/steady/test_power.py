"""Static power: what the sources give becomes heat, in a layered network as in its circuit of single resistors."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import mho
from mho.elements import AntiparallelDiodes, CurrentSource
from mho.networks.layered_circuit import layered_circuit
from mho.precision import double
from mho.steady.power import static_power


def test_what_sources_give_becomes_heat_as_in_the_circuit_of_single_resistors() -> None:
    diodes = AntiparallelDiodes.symmetric(4, saturation_current=1e-6, bias=0.1)
    network = mho.layered_network(
        (3, 4, 2),
        jax.random.key(1),
        elements=[diodes],
        gains=[3.0],
        current_gains=[0.2],
        bias_line=1.0,
        paired_outputs=True,
    )
    injected = [CurrentSource(jnp.full(n, 0.01)) for n in network.widths[1:]]
    network = eqx.tree_at(lambda n: [layer.bias for layer in n.layers], network, injected)
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    power = static_power(network, inputs, mho.solve(network, inputs).voltages)
    given, heat = (sum(part.values()) for part in (power.given, power.heat))
    np.testing.assert_allclose(given, heat, rtol=1e-10)
    circuit = layered_circuit(network)
    point = mho.solve(circuit, inputs)
    voltages = point.voltages
    expected = np.asarray(double(lambda c, v: c.power(v))(circuit, voltages))
    np.testing.assert_allclose(heat - power.given["bias current sources"], expected, rtol=1e-8)
    again = static_power(circuit, inputs, voltages, point.source_currents)
    controlled = again.given.pop("amplifiers and controlled sources") - again.heat.pop(
        "transistors and controlled sources"
    )
    for here, there in (
        (sum(again.heat.values()), heat),
        (again.given["current sources"], power.given["bias current sources"]),
        (again.given["voltage sources"], power.given["input sources"]),
        (controlled, power.given["amplifiers"]),
    ):
        np.testing.assert_allclose(here, there, rtol=1e-8)
