"""Steady states of layered networks by exact block coordinate descent.

Given the other layers' voltages, the nodes of a layer are independent scalar equations a·v + i(v) = b, with a the total
conductance at the node, i its element's law and b the current that its neighbours would drive into it at 0 V. Each is
solved exactly, layer after layer from the inputs to the outputs; a sweep is one such pass. Every solve minimizes the
energy over its block, so the energy never rises, and where it is convex the sweeps converge to its one minimum.
Sources: Scellier 2024, arXiv:2402.11674 (ideal diodes); Tseng 2001 (convergence of block coordinate descent).
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array, lax

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork, Voltages


class Load(eqx.Module):
    """What all phases of a batch share: the sources' currents and the conductances at the nodes."""

    sources: Array
    """Voltages of the positive sources [V], (batch, pairs)."""
    input_current: Array
    """From the sources into the first layer's grounded nodes [A], (batch, nodes)."""
    conductances: tuple[Array, ...]
    """Total conductance at the nodes of each layer [S], (nodes,)."""

    def repeated(self, times: int) -> "Load":
        """The same load for `times` batches stacked into one."""
        return Load(
            jnp.concatenate([self.sources] * times),
            jnp.concatenate([self.input_current] * times),
            self.conductances,
        )

    def energy(self, network: LayeredNetwork, voltages: Voltages) -> Array:
        """E of each sample [W], (batch,), given node voltages [V]."""
        return network.energy(self.sources, voltages)


class OperatingPoint(eqx.Module):
    """Node voltages and how well they obey Kirchhoff's current law."""

    voltages: Any
    """Of each layer's nodes [V], (batch, nodes); of all nodes in one array where there are no layers."""
    residual: Array
    """Largest current imbalance found in each sample's last sweep, before that sweep removed it, relative to the largest
    current that neighbours drive into a node of the same layer; (batch,)."""
    sweeps: Array
    """Sweeps made; Newton's steps where they are the method."""


def load(network: LayeredNetwork, inputs: Array) -> Load:
    """Drive a network's sources with inputs of shape (batch, features)."""
    sources = network.source_voltages(inputs)
    input_current, first = network.layers[0].crossbar.load(sources)
    conductances = [first]
    for layer in network.layers[1:]:
        conductances[-1] = conductances[-1] + layer.crossbar.row_conductance()
        conductances.append(layer.crossbar.column_conductance())
    return Load(sources, input_current, tuple(conductances))


def settle(
    network: LayeredNetwork,
    load: Load,
    *,
    nudge: TwoTerminal | None = None,
    start: Voltages | None = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Sweep until every sample's residual is at most `rtol`, or `max_sweeps` times.

    Args:
        network: the network.
        load: its sources, from `load`.
        nudge: what the nudging attaches to the output nodes; None in the free phase.
        start: voltages to begin with; 0 V if None.
        rtol: tolerance of the residual; see `OperatingPoint`.
        max_sweeps: sweeps at the most. Samples above the tolerance by then are the caller's to count or to refuse.
    """
    layers = network.layers
    batch = load.input_current.shape[0]
    dtype = load.input_current.dtype
    if start is None:
        start = tuple(jnp.zeros((batch, *a.shape), dtype) for a in load.conductances)

    def sweep(state: tuple[Voltages, Array, Array]) -> tuple[Voltages, Array, Array]:
        voltages, _, sweeps = list(state[0]), state[1], state[2]
        residual = jnp.zeros(batch, dtype)
        for index, (layer, conductance) in enumerate(zip(layers, load.conductances, strict=True)):
            if index == 0:
                current = load.input_current
            else:
                current = layer.crossbar.current(layers[index - 1].amplified(voltages[index - 1]))
            if layer.bias is not None:
                current = current + layer.bias.injected
            if index + 1 < len(layers):
                back = layers[index + 1].crossbar.reverse_current(voltages[index + 1])
                current = current + layer.drawn(back)
            element = nudge if index + 1 == len(layers) else layer.element
            old = voltages[index]
            if element is None:
                voltages[index] = current / conductance
            else:
                voltages[index] = element.node_voltage(conductance, current, old)
            if index + 1 == len(layers) > 1:
                continue  # the last sweep left the outputs balanced; the first has none before it and decides nothing
            surplus = current - conductance * old
            if element is not None:
                surplus = element.mismatch(old, surplus)
            scale = jnp.max(jnp.abs(current), -1) + jnp.finfo(dtype).tiny
            residual = jnp.maximum(residual, jnp.max(jnp.abs(surplus), -1) / scale)
        if len(layers) > 1:
            residual = jnp.where(sweeps > 0, residual, jnp.inf)
        return tuple(voltages), residual, sweeps + 1

    def unsettled(state: tuple[Voltages, Array, Array]) -> Array:
        return jnp.any(~(state[1] <= rtol)) & (state[2] < max_sweeps)

    first = (start, jnp.full(batch, jnp.inf, dtype), jnp.int32(0))
    return OperatingPoint(*lax.while_loop(unsettled, sweep, first))
