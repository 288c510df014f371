"""What a behavioural source is: a current or a voltage that is any function of node voltages and branch currents.

SPICE's B sources, the POLY, VALUE and TABLE forms of E, F, G and H sources, switches and a transistor's channel are such.
They have no co-content in general: a circuit with one has no energy and is solved by modified nodal analysis.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np


class ControlledLaw(eqx.Module):
    """The laws of n sources that each sense k voltages or currents: i = f(s) [A], or v = f(s) [V].

    Evaluated in NumPy and float64 alone: such circuits are solved, not trained by compiled sweeps.
    """

    reference: ClassVar[int | None] = None
    """Which sensed voltage the others may be counted from, of laws that see differences alone. A channel's drain and source
    may be closer to each other than doubles of their voltages tell."""

    @abc.abstractmethod
    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sources' values, (n,), and their derivatives by what they sense, (n, k).

        Args:
            sensed: node voltages [V] and branch currents [A], (n, k).
        """

    def limited(self, stood: np.ndarray, sensed: np.ndarray) -> np.ndarray:
        """Where the laws are evaluated in a step of Newton's method that goes from `stood` to `sensed`, (n, k) each.

        SPICE's step limiting (a transistor's fetlim); all the way unless a law says otherwise.
        """
        return sensed

    def repeated(self, count: int, times: int) -> "ControlledLaw":
        """The laws of all `count` sources so many times over, one set after the other: for several points at once.

        The last axis of a law's arrays is its sources'.
        """

        def tiled(leaf: Any) -> Any:
            many = isinstance(leaf, np.ndarray) and leaf.ndim > 0 and leaf.shape[-1] == count
            return np.tile(leaf, times) if many else leaf

        return self if times == 1 else jax.tree.map(tiled, self)

    def side(self, sensed: np.ndarray) -> np.ndarray | None:
        """On which side of its jump each law stands, (n,), at what is sensed, (n, k); None if it never jumps."""
        return None

    def after(self, sensed: np.ndarray) -> "ControlledLaw":
        """The law once a transient has come to what is sensed, (n, k): another one where the past decides."""
        return self

    def until_next_event(self, sensed: np.ndarray) -> "ControlledLaw | None":
        """What a law that jumps is in a transient until it jumps next, from what is sensed, (n, k); None if it never jumps.

        A step across a jump has no solution where what is sensed depends on the jump; so steps end at jumps.
        """
        return None

    def in_range(self, sensed: np.ndarray) -> np.ndarray:
        """Whether each source stands where its law is meant to hold, (n,); no operating point is accepted elsewhere."""
        return np.asarray(np.isfinite(sensed).all(-1))
