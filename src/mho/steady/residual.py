"""Kirchhoff's current law, checked: what an operating point is judged by."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork, Voltages
from mho.precision import double


@double
@eqx.filter_jit
def kirchhoff_residual(
    network: LayeredNetwork, sources: Array, voltages: Voltages, nudge: TwoTerminal | None = None
) -> Array:
    """Each sample's largest current imbalance at a node, relative to the largest branch current at that node.

    Evaluated in float64 whatever the voltages' own precision, resistor by resistor, and so independently of the
    matrix products that the solvers use.

    Args:
        network: the network.
        sources: voltages of the positive sources [V], (batch, pairs).
        voltages: of every layer's nodes [V].
        nudge: what the nudging attaches to the output nodes.

    Returns:
        Relative residuals, (batch,).
    """
    layers = network.layers
    drives = network.drives(sources, voltages)
    worst = jnp.zeros(sources.shape[0])
    reach = [layer.crossbar.largest_branch_current(u, v) for layer, u, v in zip(layers, drives, voltages, strict=True)]
    for index, (layer, drive, voltage) in enumerate(zip(layers, drives, voltages, strict=True)):
        inflow = layer.crossbar.current(drive) - layer.crossbar.column_conductance() * voltage
        largest = reach[index][1]
        if layer.bias is not None:
            inflow += layer.bias.injected
            largest = jnp.maximum(largest, jnp.abs(layer.bias.injected))
        if index + 1 < len(layers):
            following = layers[index + 1].crossbar
            drawn = following.row_conductance() * drives[index + 1]
            drawn -= following.reverse_current(voltages[index + 1])
            inflow -= layer.drawn(drawn)
            largest = jnp.maximum(largest, jnp.abs(layer.drawn(reach[index + 1][0])))
        element = nudge if index + 1 == len(layers) else layer.element
        if element is not None:
            # What flows in must leave through the element: that current is a branch current at the node, too.
            largest = jnp.maximum(largest, jnp.abs(inflow))
            inflow = element.mismatch(voltage, inflow)
        relative = jnp.abs(inflow) / jnp.maximum(largest, jnp.finfo(largest.dtype).tiny)
        worst = jnp.maximum(worst, relative.max(-1))
    return worst
