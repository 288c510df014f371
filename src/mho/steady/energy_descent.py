"""Newton's method with a line search on the energy: it converges from anywhere where the elements' laws increase.

Source: Boyd and Vandenberghe, Convex Optimization (2004), sections 9.2 (backtracking) and 9.5 (damped Newton).
"""

import numpy as np

from mho.compensated import Pair, added
from mho.steady.equations import System, imbalance, tangents
from mho.steady.limited_newton import is_small
from mho.steady.linear_solvers import LinearSolve

_SUFFICIENT = 1e-4
_SHORTEST = 1e-12
_REACH = 10.0
"""Longest step, as a multiple of the largest voltage."""


def descend(system: System, linear: LinearSolve, y: np.ndarray, rtol: float, most: int) -> tuple[Pair | None, int]:
    """The minimum of the energy, from y [V], (size,), or None, with the number of steps taken.

    Args:
        system: a circuit's equations without K: their left-hand side is the energy's gradient.
        linear: solves with the gradient's derivative.
        y: where to begin.
        rtol: tolerance of the residual; see `mho.steady.equations.imbalance`.
        most: steps at the most.
    """
    unknowns: Pair = (y, np.zeros_like(y))
    for count in range(most):
        laws = tangents(system, system.drops(*unknowns))
        value, _, residual = imbalance(system, unknowns, laws)
        step = linear(system.entries(tuple(g for _, g in laws)), -value)
        if not np.isfinite(step).all():
            return None, count
        if is_small(step, unknowns[0]):
            # Below the rounding of the energy, where a line search sees nothing.
            unknowns = added(unknowns, step)
            if residual <= rtol:
                return unknowns, count
            continue
        y = unknowns[0]
        energy, descent = _along(system, y, step, 0.0)
        # From a flat place a Newton step goes to where exponentials overflow.
        length = min(1.0, _REACH * _scale(system, y) / np.abs(step).max())
        # A convex energy falls along a Newton step until its slope changes sign; the last term is the energy's rounding.
        while length > _SHORTEST:
            there, slope = _along(system, y, step, length)
            enough = energy + _SUFFICIENT * length * descent + 1e-13 * abs(energy)
            if there <= enough and slope <= -0.9 * descent:
                break
            length *= 0.5
        unknowns = added(unknowns, length * step)
    return None, most


def _scale(system: System, y: np.ndarray) -> float:
    """The largest voltage about [V], and 1 V."""
    offsets = () if system.offset is None else (o for o, _ in system.offset)
    return 1.0 + max((np.abs(v).max(initial=0.0) for v in (y, *offsets)), default=0.0)


def _along(system: System, y: np.ndarray, step: np.ndarray, length: float) -> tuple[float, float]:
    """Energy and its derivative along a step."""
    point = y + length * step
    currents = tuple(e.current(d) for e, d in zip(system.elements, system.drops(point), strict=True))
    return float(system.energy(point)), float(system.flows(currents) @ step)
