"""Element-limited Newton's method: the steps of `mho.steady.equations` until an operating point is reached."""

from collections.abc import Callable

import numpy as np

from mho.arrays import Values
from mho.compensated import Pair, added
from mho.steady.equations import System, Tangents, correction, imbalance, move, tangents
from mho.steady.linear_solvers import LinearSolve

_STEP_SHARE = 1e-7
_STEP_LEAST = 1e-10
"""A last step is small if it changes no unknown by more than this share of it and these volts (or amperes)."""
_FAR_STEPS, _NEAR = 8, 1e-2
"""Steps from which on, and volts (or amperes) of a last step below which, sums are exact."""


def nothing(count: int, y: np.ndarray) -> None:
    """What is done at each point visited."""


def limited_newton(
    system: System,
    linear: LinearSolve,
    y: np.ndarray,
    rtol: float,
    most: int,
    *,
    begin: tuple[tuple[Values, ...], Tangents] | None = None,
    visited: Callable[[int, np.ndarray], None] = nothing,
    share: float = 1.0,
) -> tuple[Pair | None, np.ndarray, int]:
    """An operating point from y, or None; the last step; the number of steps.

    The residual does not see a high-impedance node beside large currents; so the last step, which is the residual through
    the inverse of the derivative, has to be small, too.

    Args:
        system: the equations.
        linear: solves with their derivative.
        y: where to begin, (size,).
        rtol: tolerance of the residual; see `mho.steady.equations.imbalance`.
        most: steps at the most.
        begin: where the elements stand; at y if None.
        visited: called with the number of steps and the unknowns.
        share: how much of each step to go: less than 1 breaks cycles of circuits with feedback.
    """
    unknowns: Pair = (y, np.zeros_like(y))
    drops = system.drops(*unknowns)
    stands, laws = (drops, tangents(system, drops)) if begin is None else begin
    step = np.full_like(y, np.inf)
    for count in range(1, most + 1):
        exactly = count > _FAR_STEPS or bool(np.abs(step).max() < _NEAR)
        step = share * linear(*correction(system, stands, laws, unknowns, drops, exactly=exactly))
        if not np.isfinite(step).all():
            return None, step, count
        unknowns = added(unknowns, step)
        drops = system.drops(*unknowns)
        there = tangents(system, drops)
        if is_small(step, unknowns[0]) and imbalance(system, unknowns, there)[2] <= rtol:
            return unknowns, step, count
        visited(count, unknowns[0])
        stands, laws = move(system, stands, laws, drops, there)
    return None, step, most


def small(step: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which unknowns a step changes by no more than what an operating point may still move."""
    return np.abs(step) <= _STEP_SHARE * np.abs(y) + _STEP_LEAST


def is_small(step: np.ndarray, y: np.ndarray) -> bool:
    """Whether that is so of all."""
    return bool(small(step, y).all())
