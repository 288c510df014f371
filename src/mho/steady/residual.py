"""Kirchhoff's current law, checked: what an operating point is judged by."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.elements import TwoTerminal
from mho.networks import DenseCrossbar, LayeredNetwork, MirroredCrossbar, Voltages
from mho.precision import double


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
    # The conductances of a wide layer are most of the memory: they keep their precision until a row is looked at.
    return double(partial(_residual, network))(sources, voltages, nudge)


@eqx.filter_jit
def _residual(network: LayeredNetwork, sources: Array, voltages: Voltages, nudge: TwoTerminal | None) -> Array:
    network = jax.tree.map(_widened, network, is_leaf=_visited_by_rows)
    layers = network.layers
    drives = network.drives(sources, voltages)
    worst = jnp.zeros(sources.shape[0])
    reach = [layer.crossbar.largest_branch_current(u, v) for layer, u, v in zip(layers, drives, voltages, strict=True)]
    balances = [layer.crossbar.balance(u, v) for layer, u, v in zip(layers, drives, voltages, strict=True)]
    for index, (layer, voltage) in enumerate(zip(layers, voltages, strict=True)):
        inflow = balances[index][1]
        largest = reach[index][1]
        if layer.bias is not None:
            inflow += layer.bias.injected
            largest = jnp.maximum(largest, jnp.abs(layer.bias.injected))
        if index + 1 < len(layers):
            inflow -= layer.drawn(balances[index + 1][0])
            largest = jnp.maximum(largest, jnp.abs(layer.drawn(reach[index + 1][0])))
        element = nudge if index + 1 == len(layers) else layer.element
        if element is not None:
            # What flows in must leave through the element: that current is a branch current at the node, too.
            largest = jnp.maximum(largest, jnp.abs(inflow))
            inflow = element.mismatch(voltage, inflow)
        relative = jnp.abs(inflow) / jnp.maximum(largest, jnp.finfo(largest.dtype).tiny)
        worst = jnp.maximum(worst, relative.max(-1))
    return worst


def _visited_by_rows(part: object) -> bool:
    return isinstance(part, DenseCrossbar | MirroredCrossbar)


def _widened(part: Any) -> Any:
    return part if _visited_by_rows(part) else jnp.asarray(part, float)
