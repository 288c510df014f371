"""The currents of a bipolar transistor that no diode carries: the transport and the modulated resistance of the base.

A transistor is two junction diodes, from base to emitter and from base to collector, each with a leakage of its own
emission coefficient; a current from collector to emitter that both control; and resistances.

Sources: Gummel and Poon, "An integral charge control model of bipolar transistors", Bell System Technical Journal 49
(1970) 827; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd ed., chapter 2; ngspice 39, against
which it was checked.
"""

from typing import Any, ClassVar

import numpy as np

from mho.elements.controlled_law import ControlledLaw
from mho.elements.junction_diode import exponential_law


class GummelPoonCharge(ControlledLaw):
    """The base charge of n transistors, which the transport and the base's resistance share.

    With v_BE and v_BC of the inner base (signs turned for a PNP), i_F and i_R the ideal currents of the two junctions:
    q_B = q₁·(1 + (1 + 4·q₂)^k)/2, q₁ = 1/(1 − v_BC/VAF − v_BE/VAR), q₂ = i_F/IKF + i_R/IKR, k = ½ but for NKF. Arrays have
    shape (n,), at the transistors' temperature and area.
    """

    polarity: Any
    """1 for NPN, −1 for PNP."""
    multiplier: Any
    """Transistors in parallel, m."""
    forward_saturation: Any
    """I_S of i_F [A]."""
    reverse_saturation: Any
    """I_S of i_R [A]."""
    forward_scale: Any
    """NF·V_T [V]."""
    reverse_scale: Any
    """NR·V_T [V]."""
    forward_early: Any
    """1/VAF [1/V]."""
    reverse_early: Any
    """1/VAR [1/V]."""
    forward_knee: Any
    """1/IKF [1/A]."""
    reverse_knee: Any
    """1/IKR [1/A]."""
    roll_off: Any
    """k."""

    def junctions(self, v_be: np.ndarray, v_bc: np.ndarray) -> tuple[np.ndarray, ...]:
        """i_F and i_R [A] with their slopes [S], and q_B with its derivatives by v_BE and v_BC [1/V], (n,) each."""
        i_f, g_f = exponential_law(v_be, self.forward_saturation, self.forward_scale)
        i_r, g_r = exponential_law(v_bc, self.reverse_saturation, self.reverse_scale)
        q_1 = 1.0 / (1.0 - self.forward_early * v_bc - self.reverse_early * v_be)
        injected = 1.0 + 4.0 * (self.forward_knee * i_f + self.reverse_knee * i_r)
        high = injected > 0
        base = np.where(high, injected, 1.0)
        power = np.where(high, base**self.roll_off, 1.0)
        charge = 0.5 * q_1 * (1.0 + power)
        steepness = np.where(high, 2.0 * q_1 * self.roll_off * power / base, 0.0)
        by_be = q_1 * charge * self.reverse_early + steepness * self.forward_knee * g_f
        by_bc = q_1 * charge * self.forward_early + steepness * self.reverse_knee * g_r
        return i_f, g_f, i_r, g_r, charge, by_be, by_bc

    def early_range(self, v_be: np.ndarray, v_bc: np.ndarray) -> np.ndarray:
        """Whether each transistor stands where the Early effect's formula holds: q₁ positive, (n,)."""
        return 1.0 - self.forward_early * v_bc - self.reverse_early * v_be > 0


class GummelPoonTransport(GummelPoonCharge):
    """Currents from collector to emitter, (i_F − i_R)/q_B, by the inner voltages of collector, base and emitter."""

    reference: ClassVar[int | None] = 1

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Currents [A], (n,), and their derivatives by collector, base and emitter voltage [S], (n, 3)."""
        v_be, v_bc = _junction_voltages(sensed, self.polarity)
        i_f, g_f, i_r, g_r, charge, by_be, by_bc = self.junctions(v_be, v_bc)
        with np.errstate(over="ignore", invalid="ignore"):
            current = (i_f - i_r) / charge
            by_be = (g_f - current * by_be) / charge
            by_bc = (-g_r - current * by_bc) / charge
        slopes = np.stack([-by_bc, by_be + by_bc, -by_be], axis=1) * self.multiplier[:, None]
        return self.multiplier * self.polarity * current, slopes

    def limited(self, stood: np.ndarray, sensed: np.ndarray) -> np.ndarray:
        """SPICE's step for junctions: no exponential grows by more than its logarithm allows."""
        before, after = _junction_voltages(stood, self.polarity), _junction_voltages(sensed, self.polarity)
        scales, currents = (self.forward_scale, self.reverse_scale), (self.forward_saturation, self.reverse_saturation)
        v_be, v_bc = (
            _junction_step(new, old, scale, current)
            for new, old, scale, current in zip(after, before, scales, currents, strict=True)
        )
        base = sensed[:, 1]
        return np.stack([base - self.polarity * v_bc, base, base - self.polarity * v_be], axis=1)

    def in_range(self, sensed: np.ndarray) -> np.ndarray:
        """Whether each transistor stands where the law is meant to hold, (n,)."""
        return super().in_range(sensed) & self.early_range(*_junction_voltages(sensed, self.polarity))


class BaseResistance(GummelPoonCharge):
    """Currents from the base's terminal to the inner base, through a resistance that falls as the base is flooded.

    RBM + (RB − RBM)/q_B; or, with the base current i_B and IRB, RBM + 3·(RB − RBM)·(tan z − z)/(z·tan² z),
    z = (√(1 + 14.59025·x) − 1)/(2.4317·√x), x = i_B/IRB. By the voltages of base, inner collector, base and emitter.
    """

    reference: ClassVar[int | None] = 2

    minimum: Any
    """RBM [Ω]."""
    modulated: Any
    """RB − RBM [Ω]."""
    half_current: Any
    """IRB [A]; infinite for none: the charge decides."""
    base_currents: tuple[Any, ...]
    """Saturation current [A] and scale [V] of the base current's four exponentials: ideal and leaking, of base-emitter and
    of base-collector junction."""
    gmin: Any
    """Across each junction [S]."""

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Currents [A], (n,), and their derivatives by the voltages [S], (n, 4)."""
        drop = sensed[:, 0] - sensed[:, 2]
        v_be, v_bc = _junction_voltages(sensed[:, 1:], self.polarity)
        *_, charge, by_be, by_bc = self.junctions(v_be, v_bc)
        resistance = self.minimum + self.modulated / charge
        r_be, r_bc = (-self.modulated * d / charge**2 for d in (by_be, by_bc))
        current, g_be, g_bc = self._base_current(v_be, v_bc)
        crowded = np.isfinite(self.half_current)
        half = np.where(crowded, self.half_current, 1.0)
        ratio = np.maximum(current / half, 1e-9)
        root = np.sqrt(ratio)
        wide = np.sqrt(1.0 + 14.59025 * ratio)
        z = (wide - 1.0) / (2.4317 * root)
        tangent = np.tan(z)
        share = (tangent - z) / (z * tangent**2)
        by_z = 1.0 / z - share * (1.0 / z + 2.0 * (1.0 + tangent**2) / tangent)
        by_ratio = by_z * (14.59025 / (2.0 * wide * 2.4317 * root) - z / (2.0 * ratio))
        steep = np.where(current / half > 1e-9, 3.0 * self.modulated * by_ratio / half, 0.0)
        resistance = np.where(crowded, self.minimum + 3.0 * self.modulated * share, resistance)
        r_be, r_bc = np.where(crowded, steep * g_be, r_be), np.where(crowded, steep * g_bc, r_bc)
        conductance = self.multiplier / resistance
        through = conductance * drop
        by_be, by_bc = (-through / resistance * r * self.polarity for r in (r_be, r_bc))
        slopes = np.stack([conductance, -by_bc, by_be + by_bc - conductance, -by_be], axis=1)
        return through, slopes

    def _base_current(self, v_be: np.ndarray, v_bc: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """i_B of one transistor [A], and its derivatives by v_BE and v_BC [S]."""
        saturations, scales = self.base_currents[::2], self.base_currents[1::2]
        parts = [
            exponential_law(v, current, scale)
            for v, current, scale in zip((v_be, v_be, v_bc, v_bc), saturations, scales, strict=True)
        ]
        current = sum(i for i, _ in parts) + self.gmin * (v_be + v_bc)
        return current, parts[0][1] + parts[1][1] + self.gmin, parts[2][1] + parts[3][1] + self.gmin


def _junction_voltages(inner: np.ndarray, polarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """v_BE and v_BC [V], signs turned for a PNP, of the voltages of collector, base and emitter, (n, 3)."""
    collector, base, emitter = inner.T
    return polarity * (base - emitter), polarity * (base - collector)


def _junction_step(new: np.ndarray, old: np.ndarray, scale: np.ndarray, saturation: np.ndarray) -> np.ndarray:
    """Where a junction's voltage may go in one step: where it conducts, to the current that its tangent predicts."""
    with np.errstate(divide="ignore"):
        critical = scale * np.log(scale / (np.sqrt(2.0) * saturation))
    far = (new > critical) & (new - old > 2.0 * scale)
    change = np.where(far, (new - old) / scale, 0.0)
    on = old + scale * np.log1p(change)
    off = scale * np.log(np.maximum(new, scale) / scale)
    return np.where(far, np.where(old > 0, on, off), new)
