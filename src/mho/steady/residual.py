"""Kirchhoff's current law, checked: the one measure that operating points of every kind of network are judged by.

It is the largest imbalance of currents at a node, relative to the largest branch current at that node. A solver stops by a
cheaper measure of its own, relative to the largest current of a layer say, in which a node that carries next to no current
counts for nothing.
"""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.networks import Circuit, DenseCrossbar, LayeredNetwork, MirroredCrossbar, Voltages
from mho.precision import double
from mho.steady.attachment import Attached
from mho.steady.equations import imbalance
from mho.steady.modified_system import modified_system
from mho.steady.nodal_newton import unknowns


def kirchhoff_residual(
    network: LayeredNetwork | Circuit,
    sources: Array,
    voltages: Any,
    attached: Attached | None = None,
    deviation: Any = None,
) -> Array:
    """Each sample's largest current imbalance at a node, relative to the largest branch current at that node.

    Evaluated in float64 whatever the voltages' own precision, resistor by resistor, and so independently of the
    matrix products that the solvers use. No rounding is allowed for.

    Args:
        network: the network; a circuit to which something is attached must have an energy.
        sources: voltages of the positive sources [V], (batch, pairs); of a circuit, whose nodes' voltages
            include its voltage sources', the input currents alone are looked at.
        voltages: of every layer's nodes [V], or of a circuit's, (batch, nodes).
        attached: what is attached to the outputs.
        deviation: of the voltages from those given [V], in their structure; none if None. Added in float64.

    Returns:
        Relative residuals, (batch,); infinite where a current is not finite.
    """
    # The conductances of a wide layer are most of the memory: they keep their precision until a row is looked at.
    judged = _circuit_residual if isinstance(network, Circuit) else _residual
    return double(partial(_judged, partial(judged, network)))(sources, voltages, attached, deviation)


def _judged(judged: Any, sources: Array, voltages: Any, attached: Attached | None, deviation: Any) -> Array:
    if deviation is not None:
        voltages = jax.tree.map(jnp.add, voltages, deviation)
    residual = judged(sources, voltages, attached)
    return jnp.where(jnp.isfinite(residual), residual, jnp.inf)


@eqx.filter_jit
def _residual(network: LayeredNetwork, sources: Array, voltages: Voltages, attached: Attached | None) -> Array:
    network = jax.tree.map(_widened, network, is_leaf=_visited_by_rows)
    layers = network.layers
    drives = network.row_voltages(sources, voltages)
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
        element = attached if index + 1 == len(layers) else layer.element
        if element is not None:
            # What flows in must leave through the element: that current is a branch current at the node, too.
            largest = jnp.maximum(largest, jnp.abs(inflow))
            inflow = element.law_residual(voltage, inflow)
        relative = jnp.abs(inflow) / jnp.maximum(largest, jnp.finfo(largest.dtype).tiny)
        worst = jnp.maximum(worst, relative.max(-1))
    return worst


def _visited_by_rows(part: object) -> bool:
    return isinstance(part, DenseCrossbar | MirroredCrossbar)


def _widened(part: Any) -> Any:
    return part if _visited_by_rows(part) else jnp.asarray(part, float)


def _nodal_residual(circuit: Circuit, sources: np.ndarray, voltages: Array) -> np.ndarray:
    """Of a circuit without an energy, its sources' currents those that balance the voltages best."""
    found = []
    for row, driven in zip(np.asarray(voltages), sources, strict=True):
        held = row[circuit.source_plus] - row[circuit.source_minus]
        system = modified_system(circuit, np.append(held, driven[len(held) :]))
        y = unknowns(system, row)
        found.append(imbalance(system, (y, np.zeros_like(y)))[2])
    return np.array(found)


def _circuit_residual(circuit: Circuit, sources: Array, voltages: Array, attached: Attached | None) -> np.ndarray:
    # What sources and amplifiers tie together is one node with one balance, each current by the power that it brings:
    # they carry whatever current is wanted of them. In NumPy: a circuit's groups of elements would take long to compile.
    if circuit.ties is None and attached is None:
        return _nodal_residual(jax.tree.map(np.asarray, circuit), np.asarray(sources), voltages)
    ties, wide = circuit.tied, np.asarray(voltages)
    factor, group = np.asarray(ties.factor, float), np.asarray(ties.group)
    total, largest = (np.zeros((ties.free + 1, len(wide))) for _ in range(2))

    def into(node: Any, current: Any) -> None:
        scaled = (factor[node] * np.asarray(current)).T
        np.add.at(total, group[node], scaled)
        np.maximum.at(largest, group[node], np.abs(scaled))

    elements = circuit.elements(np.asarray(sources))
    for branch, element, weight in zip(circuit.branches, elements, ties.weights, strict=True):
        element = jax.tree.map(np.asarray, element)
        current = np.asarray(weight * element.current(wide[:, branch.first] - wide[:, branch.second]))
        into(branch.first, -current)
        into(branch.second, current)
    if attached is not None:
        # A clamp carries what the output's other branches bring.
        drawn: Any = total[group[circuit.output]].T / factor[circuit.output]
        if not getattr(attached, "holds", False):
            drawn = np.asarray(ties.scale)[circuit.output] * attached.current(circuit.prediction(voltages))
        into(circuit.output, -drawn)
        into(circuit.reference, drawn)
    relative = np.abs(total) / np.maximum(largest, np.finfo(float).tiny)
    return np.max(relative[: ties.free], 0, initial=0.0)
