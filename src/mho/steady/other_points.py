"""Whether a circuit has more than one operating point: a search, no proof that there is none.

A circuit with an energy has one. One without, with positive feedback, may have several, of which SPICE and mho each find
one; which of them a chip would take, its history decides. So the circuit is solved again from other starts, and an operating
point is judged by the eigenvalues of the circuit with a capacitor at every node: where one grows, it doesn't last
(Chua and Lin 1975, Computer-Aided Analysis of Electronic Circuits, chapter 17).
"""

from typing import Any

import numpy as np
import scipy.linalg

from mho.compensated import Pair
from mho.errors import MhoError
from mho.networks.circuit import Circuit
from mho.precision import double
from mho.steady.equations import System, is_linear, tangents
from mho.steady.limited_newton import limited_newton
from mho.steady.linear_solvers import Work, linear_solver
from mho.steady.modified_system import modified_system
from mho.steady.newton import CircuitSolution, solve_circuit
from mho.steady.source_stepping import grounded, held, pseudo_transient

MOST_NODES = 150
"""Nodes up to which a circuit is searched."""
_REACHES = (1.0, 1.0, 0.3, 0.3, 0.1, 0.1)
"""How far from 0 V other starts are, as shares of the largest voltage."""
_PUSH = 0.1
"""As a share of the largest voltage."""
_SLOWER = 2.0
"""Conductance of the pseudo-transient's capacitors, as a multiple of the rate at which the deviation grows."""
_GROWING_STEPS = 100
_RTOL, _NEWTON_STEPS = 1e-9, 100
_APART = 1e-6
"""Voltages that differ by more than this [V; relative above 1 V] are two operating points."""


def other_point(circuit: Circuit, found: CircuitSolution) -> CircuitSolution | None:
    """Another operating point of a circuit than the one found, or None where none turned up.

    Circuits with an energy or without nonlinear elements have no other; those of more than 150 nodes are not searched.

    Args:
        circuit: the circuit.
        found: its operating point, for one input.
    """
    linear = all(is_linear(b.element) for b in circuit.branches) and not circuit.behavioural
    if circuit.ties is not None or linear or circuit.nodes > MOST_NODES:
        return None
    scale = float(max(np.abs(found.voltages).max(), np.abs(circuit.source_voltage).max(initial=0.0), 1.0))
    random = np.random.default_rng(0)
    starts = [-found.voltages, *(reach * scale * random.uniform(-1.0, 1.0, circuit.nodes) for reach in _REACHES)]
    ran_away = _run_away(circuit, found, scale)
    if ran_away is not None:
        starts.insert(0, ran_away)
    for start in starts:
        try:
            again = solve_circuit(circuit, start=np.append(0.0, start[1:]))
        except MhoError:
            continue
        if (np.abs(again.voltages - found.voltages) > _APART * np.maximum(1.0, np.abs(found.voltages))).any():
            return again
    return None


def lasts(circuit: Circuit, point: CircuitSolution) -> bool:
    """Whether a small deviation from an operating point dies away, with equal capacitors at all nodes."""
    rate, _ = _fastest(circuit, point)
    return rate <= 0


def _unknowns(point: CircuitSolution) -> np.ndarray:
    return np.concatenate([point.voltages[1:], point.source_currents, point.amplifier_currents])


def _fastest(circuit: Circuit, point: CircuitSolution) -> tuple[float, np.ndarray]:
    """The deviation that grows fastest, and its rate [S; 1/s for capacitors of 1 F]."""
    system = modified_system(circuit, np.asarray(circuit.source_voltage))
    nodes = circuit.nodes - 1
    with np.errstate(all="ignore"):
        slopes = tuple(g for _, g in double(tangents)(system, system.drops(_unknowns(point))))
        rows, columns = system.places()
        jacobian = np.zeros((system.size + 1, system.size + 1))
        np.add.at(jacobian, (rows, columns), system.entries(slopes))
        storing = np.diag(np.where(np.arange(system.size) < nodes, 1.0, 0.0))
        found: Any = scipy.linalg.eig(-jacobian[:-1, :-1], storing)
    rates, modes = found
    growth = np.real(rates)
    growth[~np.isfinite(rates) | (np.abs(rates) > 1e12 * np.abs(jacobian).max())] = -np.inf
    fastest = int(np.argmax(growth))
    return float(growth[fastest]), np.real(modes[:, fastest])


def _run_away(circuit: Circuit, point: CircuitSolution, scale: float) -> np.ndarray | None:
    """Where a circuit comes to that is pushed off an operating point that does not last: node voltages [V], or None."""
    rate, mode = _fastest(circuit, point)
    if not rate > 0:
        return None
    nodes = circuit.nodes - 1
    base = grounded(modified_system(circuit, np.asarray(circuit.source_voltage)), nodes)
    linear = linear_solver(base, "auto", symmetric=False, work=Work())

    def newton(system: System, y: np.ndarray) -> Pair | None:
        return limited_newton(system, linear, y, _RTOL, _NEWTON_STEPS)[0]

    pushed = _unknowns(point) + _PUSH * scale * mode / max(np.abs(mode[:nodes]).max(), np.finfo(np.float64).tiny)
    with np.errstate(all="ignore"):
        y = pushed
        for _ in range(_GROWING_STEPS):
            # Each doubles the deviation for as long as it grows.
            moved = newton(held(base, nodes, _SLOWER * rate, y[:nodes]), y)
            if moved is None or np.abs(moved[0] - y)[:nodes].max() <= _APART * scale:
                break
            y = moved[0]
        found = double(pseudo_transient)(base, nodes, newton, y, first=_SLOWER * rate)
    return None if found is None else np.append(0.0, found[0][:nodes])
