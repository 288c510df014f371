"""Steady states of a batch of a small circuit's samples, compiled whole: what learning calls in its loop.

The same element-limited Newton method as `mho.steady.newton`, with dense matrices, for circuits that have an energy. What
nudges or clamps the outputs is attached to the predictions: from each output node to its reference node.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.compensated import added
from mho.elements import TwoTerminal
from mho.networks.circuit import Circuit
from mho.steady.clamp import Clamp
from mho.steady.coordinate_descent import OperatingPoint
from mho.steady.equations import correction, from_rest, imbalance, move, tangents
from mho.steady.reduced_system import reduced_system


class CircuitLoad(eqx.Module):
    """What all phases of a batch share: the sources."""

    sources: Array
    """Their voltages [V], (batch, sources)."""

    def repeated(self, times: int) -> "CircuitLoad":
        """The same load for `times` batches stacked into one."""
        return CircuitLoad(jnp.concatenate([self.sources] * times))

    def energy(self, circuit: Circuit, voltages: Array) -> Array:
        """E of each sample [W], (batch,), given node voltages [V]."""
        return circuit.energy(voltages)


def load_circuit(circuit: Circuit, inputs: Array) -> CircuitLoad:
    """Drive a circuit's sources with inputs of shape (batch, features)."""
    return CircuitLoad(circuit.sources(inputs))


def output_matrix(circuit: Circuit) -> Array:
    """∂prediction/∂(free groups' voltages), (outputs, free)."""
    ties = circuit.tied
    count = len(circuit.output)
    at = jnp.arange(count)
    factor, group = jnp.asarray(ties.factor), jnp.asarray(ties.group)
    matrix = jnp.zeros((count, ties.free + 1))
    matrix = matrix.at[at, group[circuit.output]].add(factor[circuit.output])
    return matrix.at[at, group[circuit.reference]].add(-factor[circuit.reference])[:, : ties.free]


def output_weight(circuit: Circuit) -> Array:
    """Weight of a current drawn at the outputs in the circuit's equations: Π 1/A² over the amplifiers before them."""
    return jnp.asarray(circuit.tied.scale)[circuit.output[0]]


def _free_groups(circuit: Circuit, voltages: Array, offsets: Array) -> Array:
    """Voltages of the free groups of nodes, (..., free), which all others follow from."""
    return (voltages - offsets)[..., circuit.tied.root]


def settle_circuit(
    circuit: Circuit,
    load: CircuitLoad,
    *,
    nudge: TwoTerminal | None = None,
    start: Array | None = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Steady states by Newton's method with dense matrices, sample by sample.

    Args:
        circuit: a circuit that has an energy.
        load: its sources, from `load_circuit`.
        nudge: what stands at the outputs, its arrays' leading axis the batch: an element whose law gives the currents
            drawn as a function of the predictions (all of a sample's together), or a `Clamp`. None in the free phase.
        start: node voltages to begin with [V], (batch, nodes); 0 V at the nodes that no source holds if None.
        rtol: tolerance of the residual: the largest imbalance of Kirchhoff's current law at a node, relative to the largest
            branch current there.
        max_sweeps: Newton steps at the most. Samples above the tolerance by then are the caller's to count or to refuse.

    Returns:
        Node voltages, (batch, nodes), residuals and the steps of the slowest sample.
    """
    outputs = output_matrix(circuit)
    weight = output_weight(circuit)

    def one(row: Array, begin: Array | None, attached: TwoTerminal | None) -> tuple[Array, Array, Array]:
        system = reduced_system(circuit, row)
        n = system.size
        rows, columns = system.places()
        offsets = circuit.offsets(row)
        offset = circuit.prediction(offsets)
        clamp = attached if isinstance(attached, Clamp) else None
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
            return ~(state[2] <= rtol) & (state[3] < max_sweeps)

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

    voltages, residual, count = jax.vmap(one)(load.sources, start, nudge)
    return OperatingPoint(voltages, residual, jnp.max(count))


def circuit_response(circuit: Circuit, load: CircuitLoad, voltages: Array, injected: Array) -> OperatingPoint:
    """Changes of the node voltages per unit of currents injected at the outputs.

    Args:
        circuit: the circuit.
        load: its sources.
        voltages: its steady state [V], (batch, nodes).
        injected: currents [A], (batch, outputs).

    Returns:
        Changes, (batch, nodes), and the linear circuit's largest imbalance relative to the largest current injected.
    """
    outputs, weight = output_matrix(circuit), output_weight(circuit)

    def one(row: Array, at: Array, current: Array) -> tuple[Array, Array]:
        system = reduced_system(circuit, row)
        drops = system.drops(_free_groups(circuit, at, circuit.offsets(row)))
        slopes = tuple(g for _, g in tangents(system, drops))
        matrix = dense_matrix(*system.places(), system.entries(slopes), system.size)
        right = weight * (current @ outputs)
        change = jnp.linalg.solve(matrix, right)
        largest = jnp.maximum(jnp.max(jnp.abs(right)), jnp.finfo(right.dtype).tiny)
        residual = jnp.max(jnp.abs(matrix @ change - right)) / largest
        return circuit.node_voltages(change, jnp.zeros(circuit.nodes)), residual

    change, residual = jax.vmap(one)(load.sources, voltages, injected)
    return OperatingPoint(change, residual, jnp.int32(1))


def dense_matrix(rows: Array, columns: Array, entries: Array, size: int) -> Array:
    """F's derivative as an array, (size, size), from `System.places` and `System.entries`."""
    return jnp.zeros((size + 1, size + 1), entries.dtype).at[rows, columns].add(entries)[:size, :size]
