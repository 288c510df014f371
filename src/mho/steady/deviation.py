"""How far a nudge moves a steady state: the nudged phase as deviations from the free one.

A nudge moves the layers far from the outputs by less than float32 tells apart in their voltages, so that the difference of
two voltages has lost what the learning rule is about. The deviations δ obey Kirchhoff's laws, too: of the network whose
elements follow δ ↦ i(v + δ) − i(v), sources at 0 V, which is a layered network and settles like any other. What the free
phase leaves out of balance acts like a bias source that both phases have, and is not in their difference.

Their tolerance is a phase's, and more: in every layer an imbalance is small against the currents of the free phase, and
against those of the deviations, too, which fall off from layer to layer.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork
from mho.steady.coordinate_descent import Load, OperatingPoint, largest, node_voltage
from mho.steady.mean_field import Standing, settle


def settle_deviation(
    network: LayeredNetwork,
    load: Load,
    rest: Standing,
    *,
    nudge: TwoTerminal,
    times: int = 1,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Deviations of the node voltages [V] from a free phase, of networks that `mho.steady.mean_field.suits`.

    Args:
        network: the network.
        load: its sources, from `mho.steady.load`.
        rest: where the free phase stands: its operating point's `start`.
        nudge: what the nudging attaches to the output nodes, of deviations: (times · batch, outputs).
        times: how many nudged phases of the same samples, one set after the other, settle together.
        rtol: tolerance of the residual, relative to the free phase's currents, and 10,000 times that relative to the
            deviations' own.
        max_sweeps: sweeps at the most.
    """

    def copies(array: Array) -> Array:
        return jnp.concatenate([array] * times)

    layers = []
    for index, layer in enumerate(network.layers):
        element = layer.element
        if element is not None:
            voltage = rest.voltages[index]
            net = rest.driven[index] - load.conductances[index] * voltage
            element = element.deviating(copies(voltage), copies(net))
        layers.append(eqx.tree_at(lambda k: (k.element, k.bias), layer, (element, None), is_leaf=lambda x: x is None))
    deviating = eqx.tree_at(lambda n: n.layers, network, tuple(layers))
    zero = Load(jnp.zeros_like(copies(load.sources)), jnp.zeros_like(copies(load.input_current)), load.conductances)
    # Nothing but the outputs is moved as yet.
    still = tuple(jnp.zeros_like(copies(v)) for v in rest.voltages)
    outputs = node_voltage(nudge, load.conductances[-1], still[-1], still[-1])
    start = Standing((*still[:-1], outputs), still[1:], still[:-1])
    scales = [copies(largest(current)[0]) for current in (*rest.driven, rest.ahead[-1])]
    return settle(deviating, zero, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps, scales=scales)
