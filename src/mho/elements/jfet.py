"""The channel of a junction field-effect transistor: the level 1 of SPICE.

Sources: Shichman and Hodges, IEEE Journal of Solid-State Circuits 3 (1968) 285; for the doping tail B, Parker and Skellern,
"An improved FET model for computer simulators", IEEE Transactions on Computer-Aided Design 9 (1990) 551; ngspice 39 manual,
section 9.1. Checked against ngspice 39.
"""

from typing import Any, ClassVar

import numpy as np

from mho.elements.controlled_law import ControlledLaw
from mho.elements.mosfet import field_effect_step


class JunctionFieldEffectChannel(ControlledLaw):
    """Channels of n transistors, from drain to source, by the voltages of drain, gate and source.

    With voltages against the source (all signs turned for a p-channel), v_DS ≥ 0 and v = v_GS − VTO: no current for v ≤ 0;
    β·(1 + λ·v_DS)·v²·(B + F·v) for v ≤ v_DS; β·(1 + λ·v_DS)·v_DS·(v_DS·(F·v_DS − B) + v·(2·B + 3·F·(v − v_DS))) below. For
    v_DS < 0 drain and source change places. Arrays have shape (n,), at the transistors' temperature and area.
    """

    reference: ClassVar[int | None] = 2

    polarity: Any
    """1 for an n-channel, −1 for a p-channel."""
    threshold: Any
    """VTO [V]; negative for either channel that conducts at 0 V."""
    gain: Any
    """β [A/V²]."""
    length_modulation: Any
    """λ [1/V]."""
    tail: Any
    """B; 1 for Shichman and Hodges' square."""
    tail_slope: Any
    """F = (1 − B)/(PB − VTO) [1/V]."""

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drain currents [A], (n,), and their derivatives by drain, gate and source voltage [S], (n, 3)."""
        drain, gate, source = (sensed * self.polarity[:, None]).T
        swapped = drain < source
        v_ds = np.abs(drain - source)
        above = np.maximum(gate - np.where(swapped, drain, source) - self.threshold, 0.0)
        linear = v_ds < above
        lengthening = self.gain * (1.0 + self.length_modulation * v_ds)
        rest = np.where(linear, above - v_ds, 0.0)
        part = 2.0 * self.tail + 3.0 * self.tail_slope * rest
        triode = v_ds * (v_ds * (self.tail_slope * v_ds - self.tail) + above * part)
        saturated = above**2 * (self.tail + self.tail_slope * above)
        square = np.where(linear, triode, saturated)
        by_gate = np.where(
            linear, v_ds * (part + 3.0 * self.tail_slope * above), above * (part + 3.0 * self.tail_slope * above)
        )
        by_gate = lengthening * by_gate
        by_drain = self.gain * self.length_modulation * square + lengthening * rest * part
        by_low = -(by_gate + by_drain)
        turn = np.where(swapped, -1.0, 1.0)
        slopes = np.stack(
            [np.where(swapped, -by_low, by_drain), turn * by_gate, np.where(swapped, -by_drain, by_low)], axis=1
        )
        return turn * self.polarity * lengthening * square, slopes

    def limited(self, stood: np.ndarray, sensed: np.ndarray) -> np.ndarray:
        """SPICE's step for field-effect transistors."""
        sign = self.polarity[:, None]
        return field_effect_step(stood * sign, sensed * sign, self.threshold) * sign
