"""Switches that a voltage or a current turns on and off, with a hysteresis: SPICE's S and W elements at DC.

Source: ngspice manual, section 3.2.3, and what ngspice 39 does between the thresholds, where the manual is silent.
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from mho.elements.controlled_law import ControlledLaw


class Switch(ControlledLaw):
    """n switches: i = g·(v_+ − v_−), g the closed switch's above the upper threshold and the open one's below the lower.

    Between the thresholds, and on them, a switch stands as `between` says: its past decides there, which a DC operating
    point doesn't have. Arrays have shape (n,). The law jumps at the thresholds; its derivative by the control is 0.
    """

    reference: ClassVar[int | None] = 1

    closed: Any
    """Conductance of the closed switch [S]."""
    open: Any
    """Conductance of the open one [S]."""
    lower: Any
    """Open below this [V or A]."""
    upper: Any
    """Closed above this [V or A]."""
    between: Any
    """Whether it is closed from `lower` to `upper`."""
    remembers: Any = True
    """Whether a transient changes `between`: a negative hysteresis is no memory."""

    def is_closed(self, control: np.ndarray) -> np.ndarray:
        """Whether each switch is closed, at the voltages or currents that control them, (n,)."""
        return np.where(control > self.upper, True, np.where(control < self.lower, False, self.between))

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Currents [A], (n,), and their derivatives.

        By the voltages of the two ends and of the two controlling nodes, (n, 4), or of the ends and by the controlling
        current, (n, 3).
        """
        conductance = np.where(self.side(sensed), self.closed, self.open)
        slopes = np.zeros_like(sensed)
        slopes[:, 0], slopes[:, 1] = conductance, -conductance
        return conductance * (sensed[:, 0] - sensed[:, 1]), slopes

    def side(self, sensed: np.ndarray) -> np.ndarray:
        """Whether each switch is closed."""
        return self.is_closed(_control(sensed))

    def after(self, sensed: np.ndarray) -> "Switch":
        """Between the thresholds a switch stays as it was."""
        return replace(self, between=np.where(self.remembers, self.side(sensed), self.between))

    def until_next_event(self, sensed: np.ndarray) -> "Switch":
        """As it stands, whatever controls it."""
        never = np.full(len(sensed), np.inf)
        return replace(self, lower=-never, upper=never, between=self.side(sensed))


def _control(sensed: np.ndarray) -> np.ndarray:
    return sensed[:, 2] - sensed[:, 3] if sensed.shape[1] == 4 else sensed[:, 2]
