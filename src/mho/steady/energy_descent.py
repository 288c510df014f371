"""Newton's method with a line search on the energy: it converges from anywhere where the elements' laws increase.

Source: Boyd and Vandenberghe, Convex Optimization (2004), sections 9.2 (backtracking) and 9.5 (damped Newton).
"""

import numpy as np

from mho.steady.equations import System, imbalance, tangents
from mho.steady.linear_solvers import LinearSolve

_SUFFICIENT = 1e-4
_SHORTEST = 1e-12


def descend(system: System, linear: LinearSolve, y: np.ndarray, rtol: float, most: int) -> tuple[np.ndarray, int]:
    """The minimum of the energy, from y [V], (size,), with the number of steps taken.

    Args:
        system: a circuit's equations without K: their left-hand side is the energy's gradient.
        linear: solves with the gradient's derivative.
        y: where to begin.
        rtol: tolerance of the residual; see `mho.steady.equations.imbalance`.
        most: steps at the most. What has not converged by then is the caller's to refuse.
    """
    for count in range(most):
        laws = tangents(system, system.drops(y))
        value, residual = imbalance(system, y, laws)
        if residual <= rtol:
            return y, count
        step = linear(system.entries(tuple(g for _, g in laws)), -value)
        if not np.isfinite(step).all():
            return y, count
        energy, descent = _along(system, y, step, 0.0)
        length = 1.0
        # A convex energy falls along a Newton step until its slope changes sign; the last term is the energy's rounding.
        while length > _SHORTEST:
            there, slope = _along(system, y, step, length)
            enough = energy + _SUFFICIENT * length * descent + 1e-13 * abs(energy)
            if there <= enough and slope <= -0.9 * descent:
                break
            length *= 0.5
        y = y + length * step
    return y, most


def _along(system: System, y: np.ndarray, step: np.ndarray, length: float) -> tuple[float, float]:
    """Energy and its derivative along a step."""
    point = y + length * step
    currents = tuple(e.current(d) for e, d in zip(system.elements, system.drops(point), strict=True))
    return float(system.energy(point)), float(system.flows(currents) @ step)
