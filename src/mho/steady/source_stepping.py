"""Continuation for circuits without an energy: gmin stepping and source stepping.

Conductances to ground that fall to 0, or sources that rise from 0, lead from an easy circuit to the given one, each from
the last one's operating point. Source: ngspice manual, section 11.3.5.
"""

from collections.abc import Callable

import equinox as eqx
import numpy as np

from mho.elements import CurrentSource
from mho.steady.equations import System

Newton = Callable[[System, np.ndarray], np.ndarray | None]
"""The solution of a system from given unknowns, or None."""

_FIRST_STEP = 0.05
_LEAST_STEP = 1e-4
_DECADES = 14.0


def gmin_stepped(system: System, nodes: int, progress: float) -> System:
    """The system with 1 S from each of its nodes to ground at progress 0, none at 1.

    Args:
        system: of `mho.steady.modified_system`, whose last entries of K are those conductances.
        nodes: number of nodes, ground left out.
        progress: from 0 to 1.
    """
    conductance = 0.0 if progress >= 1.0 else 10.0 ** (-_DECADES * progress)
    values = system.values.copy()
    values[-nodes:] += conductance
    return eqx.tree_at(lambda s: s.values, system, values)


def source_stepped(system: System, progress: float) -> System:
    """The system with all independent sources at a share of their values."""
    elements = tuple(
        CurrentSource(e.injected * progress) if isinstance(e, CurrentSource) else e for e in system.elements
    )
    return eqx.tree_at(lambda s: (s.constant, s.elements), system, (system.constant * progress, elements))


def continued(
    easier: Callable[[float], System],
    newton: Newton,
    y: np.ndarray,
) -> np.ndarray | None:
    """The operating point of `easier(1)`, by way of all before it; None where a way is not found.

    Args:
        easier: the system at a progress from 0 to 1.
        newton: solves one.
        y: where to begin, (size,).
    """
    reached, step, solved = 0.0, _FIRST_STEP, None
    while reached < 1.0 and step > _LEAST_STEP:
        progress = min(1.0, reached + step)
        system = easier(progress)
        solved = newton(system, y)
        if solved is None:
            step *= 0.25
        else:
            y, reached, step = solved, progress, step * 1.5
    return solved if reached >= 1.0 else None
