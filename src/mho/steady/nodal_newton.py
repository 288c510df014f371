"""Steady states of circuits that have no energy: modified nodal analysis, sample by sample, and its adjoint.

With transistors, controlled or behavioural sources Kirchhoff's laws are F(y, θ) = 0, y the node voltages and the sources'
currents, and no energy's stationarity: the derivative J = ∂F/∂y is not symmetric. The change of a cost C with a parameter is
then dC/dθ = λᵀ ∂F/∂θ with Jᵀ λ = −∂C/∂y (Director and Rohrer 1969, the adjoint network), for a conductance the product of
its voltage drops in the circuit and in the adjoint one.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from mho.errors import InputError
from mho.networks.circuit import Circuit, CircuitDrive
from mho.networks.network import Network
from mho.steady.attachment import Attached
from mho.steady.equations import System, imbalance, tangents
from mho.steady.many_points import repeated_system
from mho.steady.modified_system import modified_system
from mho.steady.newton import solve_circuit
from mho.steady.solver import Solution, Solver

_DIFFERENCE = 1e-5
"""Step of a difference, as a share of the parameter."""
_CORRECTIONS = 3
"""Linear solutions for the sources' currents, which behavioural sources may sense."""


class NodalNewton(Solver):
    """`mho.steady.newton.solve_circuit`, certificate included, for any circuit; not to be traced by JAX."""

    traceable = False

    def suits(self, network: Network) -> bool:
        """Circuits."""
        return isinstance(network, Circuit)

    def solve(
        self, network: Circuit, drive: CircuitDrive, *, attached: Attached | None = None, start: Any = None
    ) -> Solution:
        """Steady states of the free phase; see `Solver.solve`.

        Raises:
            InputError: if something is attached.
            MhoError: if a sample has no operating point.
        """
        if attached is not None:
            raise InputError("to a circuit without an energy nothing can be attached: train it by implicit gradients")
        sources = np.asarray(drive.sources)
        circuit = jax.tree.map(np.asarray, network)
        each = np.arange(sources.shape[-1])
        directly = eqx.tree_at(
            lambda c: (c.input_source, c.input_feature, c.input_gain), circuit, (each, each, np.ones(len(each)))
        )
        point = solve_circuit(directly, sources - circuit.sources(), rtol=min(self.rtol, 1e-9))
        return Solution(point.voltages, point.residual, np.max(point.steps))  # type: ignore[arg-type]

    def respond(self, network: Circuit, drive: CircuitDrive, voltages: Any, forces: Any) -> Solution:
        """Jᵀ λ = forces; see `Solver.respond`."""
        circuit = jax.tree.map(np.asarray, network)
        changes, residuals, states, adjoints = [], [], [], []
        for row, at, force in zip(*map(np.asarray, (drive.sources, voltages, forces)), strict=True):
            system = modified_system(circuit, row)
            states.append(unknowns(system, at))
            matrix = _derivative(system, states[-1])
            right = np.append(force[1:], np.zeros(system.size - circuit.nodes + 1))
            change = np.linalg.solve(matrix.T, right)
            largest = max(float(np.max(np.abs(right))), np.finfo(float).tiny)
            residuals.append(np.max(np.abs(matrix.T @ change - right)) / largest)
            changes.append(np.append(0.0, change[: circuit.nodes - 1]))
            adjoints.append(change)
        kept = np.array(states), np.array(adjoints)
        return Solution(np.array(changes), np.array(residuals), np.int32(1), kept)  # type: ignore[arg-type]

    def sensitivity(self, network: Circuit, drive: CircuitDrive, response: Solution) -> list[np.ndarray]:
        """Σ λᵀ ∂F/∂p over the samples, of each of the circuit's programmable parameters.

        F is a sum of currents that are smooth in p, so the central difference is exact to some ten digits.

        Args:
            network: the circuit.
            drive: its sources.
            response: λ, from `respond`.
        """
        state, adjoint = response.kept
        zero, found = np.zeros(state.size), []
        for k, parameter in enumerate(network.programmables):
            step = _DIFFERENCE * abs(float(parameter.value)) or _DIFFERENCE * (parameter.largest - parameter.least)
            ends = []
            for side in (step, -step):
                moved = eqx.tree_at(
                    lambda c, k=k: c.programmables[k].value, network, np.float64(parameter.value + side)
                )
                circuit = jax.tree.map(np.asarray, moved.consistent())
                system = repeated_system(circuit, np.asarray(drive.sources), reduced=False)
                ends.append(imbalance(system, (state.reshape(-1), zero))[0])
            found.append(adjoint.reshape(-1) @ (ends[0] - ends[1]) / (2.0 * step))
        return found


def unknowns(system: System, voltages: np.ndarray) -> np.ndarray:
    """All unknowns of modified nodal analysis, (size,), from the node voltages [V]: the currents that balance them best."""
    nodes = len(voltages) - 1
    y = np.append(voltages[1:], np.zeros(system.size - nodes))
    if system.size > nodes:
        for _ in range(_CORRECTIONS):
            surplus = imbalance(system, (y, np.zeros_like(y)))[0]
            y[nodes:] -= np.linalg.lstsq(_derivative(system, y)[:, nodes:], surplus, rcond=None)[0]
    return y


def _derivative(system: System, y: np.ndarray) -> np.ndarray:
    """J, (size, size)."""
    rows, columns = system.places()
    matrix = np.zeros((system.size + 1, system.size + 1))
    np.add.at(matrix, (rows, columns), system.entries(tuple(slope for _, slope in tangents(system, system.drops(y)))))
    return matrix[:-1, :-1]
