"""Continuation: gmin stepping, source stepping and pseudo-transients.

Conductances to ground that fall to 0, or sources that rise from 0, lead from an easy circuit to the given one, each from
the last one's operating point. Source: ngspice manual, section 11.3.5. A pseudo-transient follows the circuit in time with a
capacitor at every node, by implicit Euler steps that grow (Kelley and Keyes 1998, "Convergence analysis of pseudo-transient
continuation"): it does not lose its way where an operating point turns back.
"""

from collections.abc import Callable

import equinox as eqx
import numpy as np

from mho.compensated import Pair
from mho.elements import CurrentSource
from mho.steady.equations import System

Newton = Callable[[System, np.ndarray], Pair | None]
"""The solution of a system from given unknowns, or None."""

_FIRST_STEP = 0.05
_LEAST_STEP = 1e-4
_DECADES = 14.0
_FIRST_CONDUCTANCE, _LAST_CONDUCTANCE, _LARGEST_CONDUCTANCE = 1e-2, 1e-13, 1e6
"""Of the pseudo-transient's capacitors over its steps [S]: where it begins, where a step is as good as at rest, where it
gives up."""
_MOST_STEPS = 200


def grounded(system: System, nodes: int) -> System:
    """The system with conductances of 0 S from its first `nodes` unknowns to ground as K's last entries."""
    at = np.arange(nodes, dtype=np.int32)
    return eqx.tree_at(
        lambda s: (s.rows, s.columns, s.values),
        system,
        (np.append(system.rows, at), np.append(system.columns, at), np.append(system.values, np.zeros(nodes))),
    )


def held(system: System, nodes: int, conductance: np.ndarray | float, voltages: np.ndarray | float) -> System:
    """A `grounded` system with conductances [S] from its nodes to voltages [V], (nodes,)."""
    values, constant = system.values.copy(), system.constant.copy()
    values[-nodes:] += conductance
    constant[:nodes] += conductance * voltages
    return eqx.tree_at(lambda s: (s.values, s.constant), system, (values, constant))


def gmin_stepped(system: System, nodes: int, progress: float) -> System:
    """A `grounded` system with 1 S from each of its nodes to ground at progress 0, none at 1."""
    return held(system, nodes, 0.0 if progress >= 1.0 else 10.0 ** (-_DECADES * progress), 0.0)


def source_stepped(system: System, progress: float) -> System:
    """The system with all independent sources at a share of their values."""
    elements = tuple(
        CurrentSource(e.injected * progress) if isinstance(e, CurrentSource) else e for e in system.elements
    )
    offset = None if system.offset is None else tuple((progress * o, progress * t) for o, t in system.offset)
    return eqx.tree_at(
        lambda s: (s.constant, s.elements, s.offset),
        system,
        (system.constant * progress, elements, offset),
        is_leaf=lambda x: x is None,
    )


def continued(easier: Callable[[float], System], newton: Newton, y: np.ndarray) -> Pair | None:
    """The operating point of `easier(1)`, by way of all before it; None where a way is not found.

    Args:
        easier: the system at a progress from 0 to 1.
        newton: solves one.
        y: where to begin, (size,).
    """
    reached, step, solved = 0.0, _FIRST_STEP, None
    while reached < 1.0 and step > _LEAST_STEP:
        progress = min(1.0, reached + step)
        solved = newton(easier(progress), y)
        if solved is None:
            step *= 0.25
        else:
            y, reached, step = solved[0], progress, step * 1.5
    return solved if reached >= 1.0 else None


def pseudo_transient(
    system: System, nodes: int, newton: Newton, y: np.ndarray, first: float = _FIRST_CONDUCTANCE
) -> Pair | None:
    """The operating point to which a `grounded` system with a capacitor at every node comes from y, or None.

    Args:
        system: the system.
        nodes: its nodes.
        newton: solves one.
        y: where to begin, (size,).
        first: of the capacitors over the first step [S].
    """
    conductance = first
    for _ in range(_MOST_STEPS):
        if conductance < _LAST_CONDUCTANCE:
            return newton(system, y)
        if conductance > max(_LARGEST_CONDUCTANCE, 10.0 * first):
            break
        solved = newton(held(system, nodes, conductance, y[:nodes]), y)
        if solved is None:
            conductance *= 10.0
        else:
            y, conductance = solved[0], conductance / 3.0
    return None
