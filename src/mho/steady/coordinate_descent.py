"""Steady states of layered networks by exact block coordinate descent.

Given the other layers' voltages, the nodes of a layer are independent scalar equations a·v + i(v) = b, with a the total
conductance at the node, i its element's law and b the current that its neighbours would drive into it at 0 V. Each is
solved exactly, layer after layer from the inputs to the outputs; a sweep is one such pass. Every solve minimizes the
energy over its block, so the energy never rises, and where it is convex the sweeps converge to its one minimum. After a
sweep a layer is out of balance by what the current from the next layer has changed since; that current is the next
sweep's, so the residual costs no product with the conductances.
Sources: Scellier 2024, arXiv:2402.11674 (ideal diodes); Tseng 2001 (convergence of block coordinate descent).
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mho.networks import LayeredDrive, LayeredNetwork, Network, Voltages
from mho.steady.attachment import Attached
from mho.steady.linear_response import grounded, linearised
from mho.steady.solver import Solution, Solver


class LayeredSolver(Solver):
    """Solvers of layered networks; they differ in the order in which nodes are visited."""

    def suits(self, network: Network) -> bool:
        """Any layered network, if the method says no more."""
        return isinstance(network, LayeredNetwork)

    def respond(self, network: LayeredNetwork, drive: LayeredDrive, voltages: Voltages, forces: Any) -> Solution:
        """By the sweeps of the linearised network; see `Solver.respond`."""
        return self.solve(linearised(network.adjoint(), voltages, forces), grounded(drive))


class Sweeps(LayeredSolver):
    """Plain sweeps from the inputs to the outputs."""

    def solve(
        self,
        network: LayeredNetwork,
        drive: LayeredDrive,
        *,
        attached: Attached | None = None,
        start: Voltages | None = None,
    ) -> Solution:
        """Steady states; see `Solver.solve`."""
        return settle(network, drive, attached=attached, start=start, rtol=self.rtol, max_steps=self.max_steps)


def settle(
    network: LayeredNetwork,
    drive: LayeredDrive,
    *,
    attached: Attached | None = None,
    start: Voltages | None = None,
    rtol: float,
    max_steps: int,
) -> Solution:
    """Sweep until every sample's residual is at most `rtol`, or `max_steps` times.

    Args:
        network: the network.
        drive: its sources.
        attached: what is attached to the output nodes; None in the free phase.
        start: voltages to begin with; 0 V if None.
        rtol: tolerance of the residual; see `Solution`.
        max_steps: sweeps at the most. Samples above the tolerance by then are the caller's to count or to refuse. The
            first from 0 V never settles a network, and its residual is not computed.
    """
    layers, last = network.layers, len(network.layers) - 1
    batch, dtype = drive.input_current.shape[0], drive.input_current.dtype

    def ahead(index: int, before: Array) -> Array:
        # Into a layer's grounded nodes, from the nodes of the layer before or, into the first, from the sources.
        current = layers[index].crossbar.current(layers[index - 1].amplified(before)) if index > 0 else before
        bias = layers[index].bias
        return current if bias is None else current + bias.injected

    def solved(index: int, current: Array, before: Array) -> Array:
        element = attached if index == last else layers[index].element
        return node_voltage(element, drive.conductances[index], current, before)

    def first_sweep() -> tuple[Voltages, Voltages]:
        # From 0 V nothing flows back yet, so hidden layers stand alike in all phases; and none is settled.
        signal, voltages = drive.input_current[: batch // drive.phases], []
        for index in range(last):
            current = ahead(index, signal)
            signal = solved(index, current, jnp.zeros_like(current))
            voltages.append(signal)
        drawn = [drawn_back(network, index, v) for index, v in enumerate(voltages[1:])]
        current, *voltages = (jnp.concatenate([x] * drive.phases) for x in (ahead(last, signal), *voltages))
        outputs = solved(last, current, current / drive.conductances[last])
        drawn = [jnp.concatenate([x] * drive.phases) for x in drawn]
        if last > 0:
            drawn.append(drawn_back(network, last - 1, outputs))
        return (*voltages, outputs), tuple(drawn)

    def sweep(state: tuple[Voltages, Voltages, Array, Array]) -> tuple[Voltages, Voltages, Array, Array]:
        voltages, drawn, sweeps = list(state[0]), list(state[1]), state[3]
        residual, before = jnp.zeros(batch, dtype), drive.input_current
        for index in range(last + 1):
            driven = ahead(index, voltages[index - 1] if index > 0 else drive.input_current)
            current = driven if index == last else driven + drawn[index]
            voltages[index] = solved(index, current, voltages[index])
            if index > 0:
                # The layer before was in balance with this one's old voltages: what its current changes by is out of it.
                drawn[index - 1] = drawn_back(network, index - 1, voltages[index])
                residual = jnp.maximum(
                    residual, out_of_balance(index - 1, before + drawn[index - 1], voltages[index - 1])
                )
            before = driven
        if last == 0 or (attached is not None and not attached.exact):
            residual = jnp.maximum(residual, out_of_balance(last, before, voltages[last]))
        return tuple(voltages), tuple(drawn), residual, sweeps + 1

    def out_of_balance(index: int, current: Array, voltage: Array) -> Array:
        element = attached if index == last else layers[index].element
        out, total = imbalance(element, drive.conductances[index], current, voltage)
        return out / total

    def unsettled(state: tuple[Voltages, Voltages, Array, Array]) -> Array:
        return jnp.any(~(state[2] <= rtol)) & (state[3] < max_steps)

    if start is None:
        begin = (*first_sweep(), jnp.full(batch, jnp.inf, dtype), jnp.int32(1))
    else:
        drawn = tuple(drawn_back(network, index, v) for index, v in enumerate(start[1:]))
        begin = (start, drawn, jnp.full(batch, jnp.inf, dtype), jnp.int32(0))
    voltages, _, residual, sweeps = lax.while_loop(unsettled, sweep, begin)
    return Solution(voltages, residual, sweeps)


def drawn_back(network: LayeredNetwork, index: int, following: Array) -> Array:
    """Current into a layer's grounded nodes [A] from the next layer's nodes at voltages `following` [V]."""
    return network.layers[index].drawn(network.layers[index + 1].crossbar.reverse_current(following))


def node_voltage(element: Any, conductance: Array, current: Array, start: Array) -> Array:
    """Voltages of nodes [V] with an element to ground, or none."""
    return current / conductance if element is None else element.node_voltage(conductance, current, start)


def imbalance(element: Any, conductance: Array, current: Array, voltage: Array) -> tuple[Array, Array]:
    """Largest current out of balance in a layer, and largest that its neighbours drive into it [A], (batch,) each."""
    surplus = current - conductance * voltage
    out, driven = largest(surplus if element is None else element.law_residual(voltage, surplus), current)
    return out, driven + jnp.finfo(voltage.dtype).tiny


def largest(*values: Array) -> tuple[Array, ...]:
    """The largest magnitude in each row of some arrays of one shape, from one pass over all of them."""
    zero = jnp.zeros((), values[0].dtype)

    def greater(some: tuple[Array, ...], others: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(jnp.maximum(a, b) for a, b in zip(some, others, strict=True))

    return tuple(lax.reduce(tuple(jnp.abs(v) for v in values), (zero,) * len(values), greater, (1,)))
