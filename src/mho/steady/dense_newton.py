"""Steady states of a batch of a small circuit's samples, compiled whole: what learning calls in its loop.

The same element-limited Newton method as `mho.steady.newton`, with dense matrices, for circuits that have an energy. What
nudges or clamps the outputs is attached to the predictions: from each output node to its reference node.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.compensated import added
from mho.networks.circuit import Circuit, CircuitDrive
from mho.networks.network import Network
from mho.steady.attachment import Attached
from mho.steady.equations import correction, from_rest, imbalance, move, tangents
from mho.steady.reduced_system import reduced_system
from mho.steady.solver import Solution, Solver


def output_matrix(circuit: Circuit) -> Array:
    """∂prediction/∂(free groups' voltages), (outputs, free)."""
    ties = circuit.tied
    count = len(circuit.output)
    at = jnp.arange(count)
    factor, group = jnp.asarray(ties.factor), jnp.asarray(ties.group)
    matrix = jnp.zeros((count, ties.free + 1))
    matrix = matrix.at[at, group[circuit.output]].add(factor[circuit.output])
    return matrix.at[at, group[circuit.reference]].add(-factor[circuit.reference])[:, : ties.free]


def _free_groups(circuit: Circuit, voltages: Array, offsets: Array) -> Array:
    """Voltages of the free groups of nodes, (..., free), which all others follow from."""
    return (voltages - offsets)[..., circuit.tied.root]


class DenseNewton(Solver):
    """Newton's method, limited element by element, with dense matrices: for small circuits that have an energy."""

    def suits(self, network: Network) -> bool:
        """Circuits that have an energy."""
        return isinstance(network, Circuit) and network.ties is not None

    def solve(
        self,
        network: Circuit,
        drive: CircuitDrive,
        *,
        attached: Attached | None = None,
        start: Array | None = None,
    ) -> Solution:
        """Steady states; see `Solver.solve`. The steps are the slowest sample's.

        What is attached stands at the predictions; where nothing holds a node, it begins at 0 V.
        """
        return _settled(network, drive, attached, start, self.rtol, self.max_steps)

    def settles_together(self, network: Circuit, batch: int) -> bool:
        """No: from the free phase a nudged one is a step or two away."""
        return False

    def respond(self, network: Circuit, drive: CircuitDrive, voltages: Array, forces: Array) -> Solution:
        """By the matrix of Newton's next step; see `Solver.respond`."""
        return _response(network, drive, voltages, forces)


def _settled(
    circuit: Circuit,
    drive: CircuitDrive,
    attached: Attached | None,
    start: Array | None,
    rtol: float,
    max_steps: int,
) -> Solution:
    outputs = output_matrix(circuit)
    weight = circuit.output_weight

    def one(row: Array, begin: Array | None, attached: Attached | None) -> tuple[Array, Array, Array]:
        system = reduced_system(circuit, row)
        n = system.size
        rows, columns = system.places()
        offsets = circuit.offsets(row)
        offset = circuit.prediction(offsets)
        clamp: Any = attached if getattr(attached, "holds", False) else None
        element = None if clamp is not None else attached
        # A clamp's currents are unknowns after the voltages, as in modified nodal analysis.
        size = n + (outputs.shape[0] if clamp is not None else 0)

        def drawn(z: Array) -> Array:
            """What is attached to the outputs draws from the groups, (n,)."""
            if clamp is not None:
                return z[n:] @ outputs
            if element is not None:
                return weight * (element.current(outputs @ z + offset) @ outputs)
            return jnp.zeros(n, row.dtype)

        def step(state: tuple) -> tuple:
            (z, tail), (stands, laws), _, count = state
            entries, right = correction(system, stands, laws, (z[:n], tail[:n]))
            matrix = jnp.zeros((size, size), row.dtype).at[:n, :n].set(dense_matrix(rows, columns, entries, n))
            right = jnp.zeros(size, row.dtype).at[:n].set(right - drawn(z))
            if element is not None:
                hessian = jax.jacfwd(element.current)(outputs @ z + offset)
                matrix = matrix + weight * outputs.T @ hessian @ outputs
            if clamp is not None:
                matrix = matrix.at[n:, :n].set(outputs).at[:n, n:].set(outputs.T)
                right = right.at[n:].set(clamp.voltage - (outputs @ z[:n] + offset))
            z, tail = added((z, tail), jnp.linalg.solve(matrix, right))
            drops = system.drops(z[:n], tail[:n])
            there = tangents(system, drops)
            residual = imbalance(system, (z[:n], tail[:n]), there, drawn(z))[2]
            return (z, tail), move(system, stands, laws, drops, there), residual, count + 1

        def unsettled(state: tuple) -> Array:
            return ~(state[2] <= rtol) & (state[3] < max_steps)

        z = jnp.zeros(size, row.dtype)
        if begin is None:
            standing = from_rest(system, z[:n])
        else:
            z = z.at[:n].set(_free_groups(circuit, begin, offsets))
            drops = system.drops(z[:n])
            standing = drops, tangents(system, drops)
        first = ((z, jnp.zeros_like(z)), standing, jnp.asarray(jnp.inf, row.dtype), jnp.int32(0))
        (z, _), _, residual, count = lax.while_loop(unsettled, step, first)
        return circuit.node_voltages(z[:n], offsets), residual, count

    voltages, residual, count = jax.vmap(one)(drive.sources, start, attached)
    return Solution(voltages, residual, jnp.max(count))


def _response(circuit: Circuit, drive: CircuitDrive, voltages: Array, forces: Array) -> Solution:
    ties = circuit.tied
    factor, group = jnp.asarray(ties.factor), jnp.asarray(ties.group)

    def one(row: Array, at: Array, force: Array) -> tuple[Array, Array]:
        system = reduced_system(circuit, row)
        drops = system.drops(_free_groups(circuit, at, circuit.offsets(row)))
        slopes = tuple(g for _, g in tangents(system, drops))
        matrix = dense_matrix(*system.places(), system.entries(slopes), system.size)
        right = jnp.zeros(ties.free + 1, force.dtype).at[group].add(factor * force)[: ties.free]
        change = jnp.linalg.solve(matrix, right)
        largest = jnp.maximum(jnp.max(jnp.abs(right)), jnp.finfo(right.dtype).tiny)
        residual = jnp.max(jnp.abs(matrix @ change - right)) / largest
        return circuit.node_voltages(change, jnp.zeros(circuit.nodes)), residual

    change, residual = jax.vmap(one)(drive.sources, voltages, forces)
    return Solution(change, residual, jnp.int32(1))


def dense_matrix(rows: Array, columns: Array, entries: Array, size: int) -> Array:
    """F's derivative as an array, (size, size), from `System.places` and `System.entries`."""
    return jnp.zeros((size + 1, size + 1), entries.dtype).at[rows, columns].add(entries)[:size, :size]
