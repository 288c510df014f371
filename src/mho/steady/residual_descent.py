"""Newton's method with a line search on the residual, for circuits that have no energy.

Source: Dennis and Schnabel, Numerical Methods for Unconstrained Optimization and Nonlinear Equations (1983), section 6.5.
It may stop at a local minimum of the residual, where no solution is; then continuation has to find another way.
"""

import numpy as np

from mho.compensated import Pair, added
from mho.steady.equations import System, imbalance, tangents
from mho.steady.limited_newton import is_small
from mho.steady.linear_solvers import LinearSolve

_SUFFICIENT = 0.1
_SHORTEST = 1e-3


def damped(system: System, linear: LinearSolve, y: np.ndarray, rtol: float, most: int) -> tuple[Pair | None, int]:
    """A solution near y, or None, with the number of steps taken.

    Every step is halved until the largest imbalance [A; V for the equations of sources] falls, but not for ever: a step that
    lets it rise a little may lead out of a fold.

    Args:
        system: a circuit's equations.
        linear: solves with their derivative.
        y: where to begin, (size,).
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
        if residual <= rtol and is_small(step, unknowns[0]):
            return added(unknowns, step), count
        largest, length = np.abs(value).max(), 1.0
        y = unknowns[0]
        while length > _SHORTEST and not _largest(system, y + length * step) <= largest * (1.0 - _SUFFICIENT * length):
            length *= 0.5
        unknowns = added(unknowns, length * step)
    return None, most


def _largest(system: System, y: np.ndarray) -> float:
    currents = tuple(i for i, _ in tangents(system, system.drops(y)))
    return float(np.abs(system.flows(currents) + system.constants(y)).max())
