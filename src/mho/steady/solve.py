"""The one entry to steady states: `solve`, for any network, by any solver, and what JAX differentiates through."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from numpy.typing import ArrayLike

from mho.errors import InputError, MhoError
from mho.networks import Circuit, Network
from mho.precision import double
from mho.steady.attachment import Attached
from mho.steady.auto import Auto
from mho.steady.newton import solve_circuit
from mho.steady.solver import Solution, Solver


def solve(
    network: Network,
    inputs: ArrayLike | Array | None = None,
    *,
    solver: Solver | None = None,
    attached: Attached | None = None,
    start: Any = None,
    throw: bool = True,
) -> Solution:
    """Steady states of a network that has an energy, one of each sample.

    Called with arrays it computes in float64 whatever JAX's own setting is, and gives NumPy's arrays. Called by a function
    that JAX traces (`jax.jit`, `jax.grad`, `jax.vmap`) it computes in that function's precision; the derivative of the
    voltages by the network's parameters and the inputs is that of the implicit function: H·λ = v̄, with H the energy's second
    derivative, by the solver's `respond`. The derivative of residual and steps is zero.

    Args:
        network: the network: layered, convolutional, or a circuit.
        inputs: (batch, features); None for a circuit whose sources stand at voltages of their own: one state, no batch.
        solver: finds the states. If None, a circuit with nothing attached is solved and certified by
            `mho.steady.newton.solve_circuit`, whatever is in it; others by `Auto(rtol=1e-13, max_steps=10_000)`, and a
            traced call by `Auto()`.
        attached: what is attached to the outputs; None in the free phase.
        start: voltages to begin with, or an earlier solution's `start`; 0 V if None.
        throw: whether a sample above the tolerance is an error. A traced call cannot throw: look at `residual`.

    Raises:
        InputError: if it is no network, or has no energy and something is attached, or the call is traced.
        MhoError: if a sample stays above the tolerance, or a circuit's operating point is refused by its certificate.
    """
    if not isinstance(network, Network):
        raise InputError(f"a {type(network).__name__} is no network; mho.netlist_circuit makes one of a netlist")
    if inputs is not None and not isinstance(inputs, Array):
        inputs = np.asarray(inputs, np.float64)
    leaves, structure = jax.tree.flatten((network, inputs, attached, start))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return _differentiable(network, jnp.asarray(inputs), solver or Auto(), attached, start)
    if solver is None and isinstance(network, Circuit) and attached is None:
        return solve_circuit(network, inputs, start=start)  # type: ignore[arg-type]
    solver = solver or Auto(1e-13, 10_000)
    rows = len(inputs) if np.ndim(inputs) == 2 and attached is None and start is None else 0  # type: ignore[arg-type]
    fills = solver.traceable and rows & (rows - 1) != 0
    if fills:
        leaves, structure = jax.tree.flatten((network, _filled(np.asarray(inputs)), None, None))
    solution = double(_compiled if solver.traceable else _solved)(leaves, structure, solver)
    if fills:
        solution = jax.tree.map(lambda leaf: leaf[:rows] if leaf.ndim else leaf, solution)
    if throw:
        require_converged(solution, solver.rtol)
    return jax.tree.map(lambda x: x[0] if x.ndim else x, solution) if inputs is None else solution


def _filled(rows: np.ndarray) -> np.ndarray:
    """A batch with its last sample repeated up to a power of two: a program is compiled for each size that there is."""
    return rows[np.minimum(np.arange(1 << (len(rows) - 1).bit_length()), len(rows) - 1)]


def require_converged(solution: Solution, rtol: float) -> None:
    """Refuse operating points above a tolerance.

    Raises:
        MhoError: if there is one.
    """
    above = int(np.sum(~(np.asarray(solution.residual) <= rtol)))
    if above:
        raise MhoError(
            f"{above} of {len(solution.residual)} operating points above the tolerance {rtol:g} after "
            f"{int(solution.steps)} sweeps; the largest residual is {float(np.max(solution.residual)):.3g}"
        )


def _solved(leaves: list[Any], structure: Any, solver: Solver) -> Solution:
    network, inputs, attached, start = jax.tree.unflatten(structure, map(jnp.asarray, leaves))
    drive = network.drive(None if inputs is None else inputs.astype(float))
    return solver.solve(network, drive, attached=attached, start=start)


# A flat list: a network is taken apart once, which is a third of a single sample's time.
_compiled = jax.jit(_solved, static_argnums=(1, 2))


def _differentiable(network: Network, inputs: Array, solver: Solver, attached: Attached | None, start: Any) -> Solution:
    network = jax.tree.map(jnp.asarray, network)
    return _with_response((network, inputs), solver, attached, start)


@eqx.filter_custom_vjp
def _with_response(varied: tuple, solver: Solver, attached: Attached | None, start: Any) -> Solution:
    network, inputs = varied
    return solver.solve(network, network.drive(inputs), attached=attached, start=start)


@_with_response.def_fwd
def _forward(
    perturbed: Any, varied: tuple, solver: Solver, attached: Attached | None, start: Any
) -> tuple[Solution, Any]:
    del perturbed
    network, inputs = varied
    solution = solver.solve(network, network.drive(inputs), attached=attached, start=start)
    return solution, solution.voltages


@_with_response.def_bwd
def _backward(
    voltages: Any,
    cotangent: Solution,
    perturbed: Any,
    varied: tuple,
    solver: Solver,
    attached: Attached | None,
    start: Any,
) -> Any:
    del perturbed, start
    if attached is not None:
        raise NotImplementedError("only the free phase is differentiated through; attach nothing")
    network, inputs = varied
    forces = jax.tree.map(lambda v, g: jnp.zeros_like(v) if g is None else g, voltages, cotangent.voltages)
    response = solver.respond(network, network.drive(inputs), voltages, forces).voltages
    still = jax.tree.map(jnp.subtract, voltages, network.held(network.drive(inputs)))
    free, fixed = eqx.partition(varied, eqx.is_inexact_array)

    def pulled(free: Any) -> Array:
        """⟨v̄, v⟩ − λ·∂E/∂v, whose derivative by the parameters, the free voltages held, is the one looked for."""
        network, inputs = eqx.combine(free, fixed)
        drive = network.drive(inputs)
        there = jax.tree.map(jnp.add, still, network.held(drive))
        change = network.work(drive, there, response)
        direct = jax.tree.map(lambda f, v: jnp.sum(f * v), forces, there)
        return sum(jax.tree.leaves(direct)) - jnp.sum(change)

    return jax.grad(pulled)(free)
