"""Operating points of any circuit by Newton's method, safeguarded element by element and, at need, by the energy.

The steps are those of `mho.steady.equations`. A circuit with an energy that has not converged so is taken over by Newton's
method with a line search on that energy, which converges from anywhere where the laws increase; one without by
damping, gmin stepping and source stepping.
"""

from collections.abc import Callable
from typing import get_args

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.arrays import Values
from mho.errors import InputError, MhoError
from mho.networks.circuit import Circuit
from mho.precision import double
from mho.steady.energy_descent import descend
from mho.steady.equations import System, Tangents, correction, from_rest, imbalance, move, tangents
from mho.steady.linear_solvers import LinearSolve, Method, Work, linear_solver
from mho.steady.modified_system import modified_system
from mho.steady.reduced_system import reduced_system, source_currents
from mho.steady.residual_descent import damped
from mho.steady.source_stepping import continued, gmin_stepped, source_stepped

_LIMITED_STEPS = 60
_SEARCH_STEPS = 300
_STEP_SHARE = 1e-7
_STEP_LEAST = 1e-10
"""A last step is small if it changes no unknown by more than this share of it and these volts (or amperes)."""
_HOLD = 1e6
"""Conductance that holds nodes at the voltages of a start that gives not all of them [S]."""


class CircuitSolution(eqx.Module):
    """An operating point, or a batch of them in the leading axis."""

    voltages: np.ndarray
    """Node voltages [V], (..., nodes)."""
    source_currents: np.ndarray
    """Through each of `Circuit.branch_names`: independent voltage sources, then E and H sources [A], from the positive node
    through the source to the negative node, as SPICE counts it; (..., branches)."""
    residual: np.ndarray
    """Largest imbalance of Kirchhoff's current law at a node, relative to the largest branch current there; (...)."""
    iterations: np.ndarray
    """Linear circuits solved, (...)."""
    factorisations: np.ndarray
    """Matrices factored for them, dense ones not counted, (...)."""
    gradient_steps: np.ndarray
    """Steps of conjugate gradients for them, (...)."""


def solve_circuit(
    circuit: Circuit,
    inputs: ArrayLike | None = None,
    *,
    method: Method = "auto",
    start: ArrayLike | None = None,
    rtol: float = 1e-9,
) -> CircuitSolution:
    """The operating point of a circuit, or of each input of a batch, in float64.

    Args:
        circuit: the circuit.
        inputs: None (sources at their own voltages), (features,) or (batch, features).
        method: how linear systems are solved; see `mho.steady.linear_solvers.linear_solver`.
        start: node voltages to begin with [V], (nodes,), NaN where there is no guess. A circuit that has an energy has one
            operating point, and `start` is used where its energy is below that of all free nodes at 0 V; a start far out
            of range costs nothing so. A circuit that has none may have several operating points: its nodes are first held
            at `start` and then released, as SPICE's .nodeset does.
        rtol: tolerance of the residual; see `CircuitSolution`.

    Raises:
        InputError: for an unknown method, a start of another shape, or conjugate gradients for a circuit without energy.
        MhoError: if an operating point is not found, with its residual.
    """
    if method not in get_args(Method):
        raise InputError(f"method {method!r}: must be one of {', '.join(get_args(Method))}")
    if method == "cg" and circuit.ties is None:
        raise InputError("method 'cg': the circuit has no energy, so its matrix is not symmetric; use 'superlu'")
    begin = None if start is None else np.asarray(start, np.float64)
    if begin is not None and begin.shape != (circuit.nodes,):
        raise InputError(
            f"start of shape {begin.shape}: must be ({circuit.nodes},), a voltage for every node, ground first"
        )
    circuit = jax.tree.map(_as_numpy, circuit)
    given = None if inputs is None else np.asarray(inputs, np.float64)
    # A law that JAX evaluates, a user's own say, is evaluated in float64 too.
    with np.errstate(all="ignore"):
        return double(_solve)(circuit, given, method, begin, rtol)


def _as_numpy(leaf: ArrayLike) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _solve(
    circuit: Circuit, inputs: np.ndarray | None, method: Method, start: np.ndarray | None, rtol: float
) -> CircuitSolution:
    sources = np.asarray(circuit.sources(inputs))
    batch = sources.reshape(-1, sources.shape[-1])
    with_energy = circuit.ties is not None
    make = reduced_system if with_energy else modified_system
    work = Work()
    linear = linear_solver(make(circuit, batch[0]), method, symmetric=with_energy, work=work)
    nodes, branches = circuit.nodes, len(circuit.branch_names)
    voltages, currents = np.empty((len(batch), nodes)), np.empty((len(batch), branches))
    residuals, counts = np.empty(len(batch)), np.empty(len(batch), np.int64)
    efforts = np.empty((len(batch), 2), np.int64)
    for k, row in enumerate(batch):
        system = make(circuit, row)
        if with_energy:
            y, counts[k] = _minimise(system, linear, _start(circuit, system, row, start), rtol)
        else:
            y, counts[k] = _without_energy(system, nodes - 1, linear, start, rtol)
        efforts[k] = work.factorisations, work.gradient_steps
        work.factorisations = work.gradient_steps = 0
        residuals[k] = imbalance(system, y)[1]
        if not residuals[k] <= rtol:
            raise MhoError(
                f"no operating point found in {counts[k]} iterations: residual {residuals[k]:.3g}, tolerance {rtol:g}"
            )
        if with_energy:
            voltages[k] = circuit.node_voltages(y, circuit.offsets(row))
            currents[k] = source_currents(circuit, voltages[k])
        else:
            voltages[k] = np.append(0.0, y[: nodes - 1])
            currents[k] = y[nodes - 1 : nodes - 1 + branches]
    shape = sources.shape[:-1]
    return CircuitSolution(
        voltages=voltages.reshape(*shape, -1),
        source_currents=currents.reshape(*shape, -1),
        residual=residuals.reshape(shape),
        iterations=counts.reshape(shape),
        factorisations=efforts[:, 0].reshape(shape),
        gradient_steps=efforts[:, 1].reshape(shape),
    )


def _start(circuit: Circuit, system: System, sources: np.ndarray, start: np.ndarray | None) -> np.ndarray | None:
    """The free groups' voltages in a start that is worth it."""
    if start is None:
        return None
    guess = (np.nan_to_num(start) - circuit.offsets(sources))[circuit.tied.root]
    # `not <=` would take a start whose energy overflows.
    return guess if system.energy(guess) < system.energy(np.zeros(system.size)) else None


def _limited_newton(
    system: System,
    linear: LinearSolve,
    y: np.ndarray,
    begin: tuple[tuple[Values, ...], Tangents] | None,
    rtol: float,
    visited: Callable[[int, np.ndarray], None] = lambda count, y: None,
    share: float = 1.0,
) -> tuple[np.ndarray | None, int]:
    """Element-limited Newton from y, the elements standing where `begin` says or else at y: the solution, or None, and the
    number of steps. Going but a `share` of each step breaks cycles of circuits with feedback.

    The residual does not see a high-impedance node beside large currents, whose rounding hides its own; so the last step
    has to be small, too, or the residual within the tolerance three times in a row.
    """
    within = 0
    drops = system.drops(y)
    stands, laws = (drops, tangents(system, drops)) if begin is None else begin
    for count in range(1, _LIMITED_STEPS + 1):
        step = linear(*correction(system, stands, laws, y))
        y = y + share * step
        if not np.isfinite(y).all():
            break
        drops = system.drops(y)
        there = tangents(system, drops)
        within = within + 1 if imbalance(system, y, there)[1] <= rtol else 0
        small = (np.abs(step) <= _STEP_SHARE * np.abs(y) + _STEP_LEAST).all()
        if within and (small or within == 3):
            return y, count
        visited(count, y)
        stands, laws = move(system, stands, laws, drops, there)
    return None, _LIMITED_STEPS


def _minimise(system: System, linear: LinearSolve, start: np.ndarray | None, rtol: float) -> tuple[np.ndarray, int]:
    """Element-limited Newton; then, at need, Newton with a line search on the energy from the lowest point visited."""
    if system.size == 0:
        return np.zeros(0), 0
    y = np.zeros(system.size) if start is None else start
    best, lowest = y, system.energy(y)

    def visited(count: int, y: np.ndarray) -> None:
        nonlocal best, lowest
        if count % 10 == 0 and (energy := system.energy(y)) < lowest:
            best, lowest = y, energy

    begin = from_rest(system, y) if start is None else None
    solved, count = _limited_newton(system, linear, y, begin, rtol, visited)
    if solved is not None:
        return solved, count
    y, searched = descend(system, linear, best, rtol, _SEARCH_STEPS)
    return y, count + searched


def _without_energy(
    system: System, nodes: int, linear: LinearSolve, start: np.ndarray | None, rtol: float
) -> tuple[np.ndarray, int]:
    """Element-limited Newton, at need with damping, gmin stepping and source stepping."""
    total = 0
    last = np.zeros(system.size)

    def visited(count: int, y: np.ndarray) -> None:
        nonlocal last
        last = y

    def newton(easier: System, y: np.ndarray, share: float = 1.0) -> np.ndarray | None:
        nonlocal total
        solved, count = _limited_newton(easier, linear, y, None, rtol, visited, share)
        total += count
        return solved

    zero = np.zeros(system.size)
    if start is not None:
        held = newton(_held(system, nodes, start[1:]), zero)
        solved = None if held is None else newton(system, held)
        if solved is not None:
            return solved, total
    solved = newton(system, zero)
    if solved is None:
        solved = newton(system, zero, share=0.5)
    if solved is None:
        solved, count = damped(system, linear, last, rtol, _SEARCH_STEPS)
        total += count
    if solved is None:
        solved = continued(lambda progress: gmin_stepped(system, nodes, progress), newton, zero)
    if solved is None:
        solved = continued(lambda progress: source_stepped(system, progress), newton, zero)
    return zero if solved is None else solved, total


def _held(system: System, nodes: int, voltages: np.ndarray) -> System:
    """The system with nodes held at voltages [V], (nodes,), through conductances; those at NaN are free."""
    given = np.isfinite(voltages)
    values, constant = system.values.copy(), system.constant.copy()
    values[-nodes:] += np.where(given, _HOLD, 0.0)
    constant[:nodes] += np.where(given, _HOLD * voltages, 0.0)
    return eqx.tree_at(lambda s: (s.values, s.constant), system, (values, constant))
