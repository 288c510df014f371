"""Steady states of a batch of a small circuit's samples, compiled whole: what learning calls in its loop.

The same element-limited Newton method as `mho.steady.newton`, with dense matrices, for circuits that have an energy; outputs
can be nudged (β C added to the energy) or clamped (held at given voltages by sources).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.networks.circuit import Circuit
from mho.steady.equations import System, correction, from_rest, imbalance, move, tangents
from mho.steady.reduced_system import reduced_system


class CircuitPoint(eqx.Module):
    """Steady states of a batch."""

    voltages: Array
    """Node voltages [V], (batch, nodes)."""
    free: Array
    """Voltages of the free groups of nodes [V], (batch, free)."""
    residual: Array
    """As `mho.steady.newton.CircuitSolution`, (batch,)."""
    iterations: Array
    """Newton steps of the slowest sample."""


class Attached(eqx.Module):
    """What the outputs are attached to in one sample; leading axis batch outside of `settle_circuit`."""

    current: Array | None = None
    """Held currents drawn from the outputs [A], (batch, outputs)."""
    voltage: Array | None = None
    """Voltages at which the outputs are clamped [V], (batch, outputs)."""
    nudge: "CostNudge | None" = None


class CostNudge(eqx.Module):
    """β ∂C/∂p(p) drawn from the outputs."""

    cost: eqx.Module
    strength: Array
    """β, (batch,)."""
    target: Array
    """(batch, outputs)."""

    def current(self, prediction: Array) -> Array:
        """What it draws at one sample's outputs [A], (outputs,)."""
        return self.strength * self.cost.gradient(prediction[None], self.target[None])[0]  # pyright: ignore


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


@eqx.filter_jit
def settle_circuit(
    circuit: Circuit,
    sources: Array,
    *,
    attached: Attached | None = None,
    start: Array | None = None,
    rtol: float,
    max_iterations: int = 100,
) -> CircuitPoint:
    """Steady states for source voltages of shape (batch, sources), by Newton's method with dense matrices.

    Args:
        circuit: a circuit that has an energy.
        sources: see `Circuit.sources`.
        attached: what stands at the outputs; None in the free phase.
        start: voltages of the free groups of nodes to begin with [V], (batch, free).
        rtol: tolerance of the residual.
        max_iterations: samples above the tolerance by then are the caller's to count or to refuse.
    """
    outputs = output_matrix(circuit)
    weight = output_weight(circuit)

    def one(row: Array, begin: Array | None, held: Attached | None) -> tuple[Array, Array, Array, Array]:
        system = reduced_system(circuit, row)
        n = system.size
        rows, columns = system.places()
        offset = circuit.prediction(circuit.offsets(row))
        clamped = held is not None and held.voltage is not None
        size = n + (outputs.shape[0] if clamped else 0)

        def drawn(z: Array) -> Array:
            """What the outputs' attachments draw from the groups, (n,)."""
            total = jnp.zeros(n, row.dtype)
            if held is None:
                return total
            if held.current is not None:
                total = total + weight * (held.current @ outputs)
            if held.nudge is not None:
                total = total + weight * (held.nudge.current(outputs @ z[:n] + offset) @ outputs)
            if clamped:
                total = total + z[n:] @ outputs
            return total

        def step(state: tuple) -> tuple:
            z, (stands, laws), _, count = state
            entries, right = correction(system, stands, laws, z[:n])
            matrix = jnp.zeros((size, size), row.dtype).at[:n, :n].set(dense_matrix(rows, columns, entries, n))
            right = jnp.zeros(size, row.dtype).at[:n].set(right - drawn(z))
            if held is not None and held.nudge is not None:
                hessian = jax.jacfwd(held.nudge.current)(outputs @ z[:n] + offset)
                matrix = matrix.at[:n, :n].add(weight * outputs.T @ hessian @ outputs)
            if held is not None and held.voltage is not None:
                matrix = matrix.at[n:, :n].set(outputs).at[:n, n:].set(outputs.T)
                right = right.at[n:].set(held.voltage - (outputs @ z[:n] + offset))
            z = z + jnp.linalg.solve(matrix, right)
            drops = system.drops(z[:n])
            there = tangents(system, drops)
            residual = imbalance(system, z[:n], there, drawn(z))[1]
            return z, move(system, stands, laws, drops, there), residual, count + 1

        def unsettled(state: tuple) -> Array:
            return ~(state[2] <= rtol) & (state[3] < max_iterations)

        z = jnp.zeros(size, row.dtype)
        if begin is None:
            standing = from_rest(system, z[:n])
        else:
            z = z.at[:n].set(begin)
            drops = system.drops(begin)
            standing = drops, tangents(system, drops)
        first = (z, standing, jnp.asarray(jnp.inf, row.dtype), jnp.int32(0))
        z, _, residual, count = lax.while_loop(unsettled, step, first)
        return z[:n], circuit.node_voltages(z[:n], circuit.offsets(row)), residual, count

    free, voltages, residual, count = jax.vmap(one)(sources, start, attached)
    return CircuitPoint(voltages, free, residual, jnp.max(count))


@eqx.filter_jit
def circuit_response(circuit: Circuit, sources: Array, point: CircuitPoint, injected: Array) -> Array:
    """Changes of the node voltages per unit of currents injected at the outputs, (batch, nodes).

    Args:
        circuit: the circuit.
        sources: of the steady state [V], (batch, sources).
        point: the steady state.
        injected: (batch, outputs).
    """
    outputs, weight = output_matrix(circuit), output_weight(circuit)

    def one(row: Array, free: Array, current: Array) -> Array:
        system: System = reduced_system(circuit, row)
        slopes = tuple(g for _, g in tangents(system, system.drops(free)))
        matrix = dense_matrix(*system.places(), system.entries(slopes), system.size)
        change = jnp.linalg.solve(matrix, weight * (current @ outputs))
        return circuit.node_voltages(change, jnp.zeros(circuit.nodes))

    return jax.vmap(one)(sources, point.free, injected)


def dense_matrix(rows: Array, columns: Array, entries: Array, size: int) -> Array:
    """F's derivative as an array, (size, size), from `System.places` and `System.entries`."""
    return jnp.zeros((size + 1, size + 1), entries.dtype).at[rows, columns].add(entries)[:size, :size]
