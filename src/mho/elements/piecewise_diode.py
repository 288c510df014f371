"""Piecewise-linear diode: off-resistance below a threshold, on-resistance above it."""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.arrays import namespace
from mho.elements.two_terminal import TwoTerminal, entry


class PiecewiseDiode(TwoTerminal):
    """Piecewise-linear diodes.

    With u = s·v: law s·i = u/R_off for u ≤ V_t, u/R_off + (u − V_t)·(1/R_on − 1/R_off) above; the co-content is
    ½u²/R_off + ½·max(u − V_t, 0)²·(1/R_on − 1/R_off). Polarity s = +1 has its anode at the first terminal. Source: the
    standard two-segment model, e.g. Chua, Desoer, Kuh, Linear and Nonlinear Circuits (1987), section 2.2.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {
        "on_resistance": (1e-12, 1e15),
        "off_resistance": (1e-12, 1e15),
        "threshold": (0.0, float("inf")),
    }

    on_resistance: Array
    """R_on [Ω]."""
    off_resistance: Array
    """R_off [Ω]."""
    threshold: Array
    """V_t [V], at least 0."""
    polarity: Array
    """+1 or −1."""

    @property
    def _step(self) -> Array:
        return 1.0 / self.on_resistance - 1.0 / self.off_resistance

    def _above(self, voltage: Array) -> Array:
        return namespace(self.polarity, voltage).maximum(self.polarity * voltage - self.threshold, 0.0)

    def current(self, voltage: Array) -> Array:
        """The two-segment law."""
        return voltage / self.off_resistance + self.polarity * self._step * self._above(voltage)

    def slope(self, voltage: Array) -> Array:
        """1/R_off below the threshold, 1/R_on above."""
        on = self.polarity * voltage > self.threshold
        return namespace(on).where(on, 1.0 / self.on_resistance, 1.0 / self.off_resistance)

    def change(self, voltage: Array, deviation: Array) -> Array:
        """Segment by segment: no difference of currents on the same one."""
        above, move = self.polarity * voltage - self.threshold, self.polarity * deviation
        step = jnp.where(above > 0, jnp.maximum(move, -above), jnp.maximum(above + move, 0.0))
        return deviation / self.off_resistance + self.polarity * self._step * step

    def co_content(self, voltage: Array) -> Array:
        """The integral of the law from 0 V."""
        return 0.5 * voltage**2 / self.off_resistance + 0.5 * self._step * self._above(voltage) ** 2

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """One of two linear solutions: the one on whose segment it lies."""
        off = self.polarity * current / (conductance + 1.0 / self.off_resistance)
        on = (self.polarity * current + self._step * self.threshold) / (conductance + 1.0 / self.on_resistance)
        return self.polarity * jnp.where(off > self.threshold, on, off)

    def voltage_near(self, current: Array, stand: Array, drop: Array) -> Array:
        """The law inverted, kept between `stand` and `drop`; at `drop` where an open diode carries nothing anyway."""
        xp = namespace(current, stand, drop)
        forward, corner = self.polarity * current, self.threshold / self.off_resistance
        on = self.threshold + (forward - corner) * self.on_resistance
        with np.errstate(invalid="ignore"):
            off = forward * self.off_resistance
        voltage = self.polarity * xp.where(forward > corner, on, off)
        return xp.clip(xp.where(xp.isfinite(voltage), voltage, drop), xp.minimum(stand, drop), xp.maximum(stand, drop))

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """A behavioural current source with the two-segment law."""
        on, off, threshold, polarity = (
            entry(p, index) for p in (self.on_resistance, self.off_resistance, self.threshold, self.polarity)
        )
        drop = f"V({node},{reference})"
        above = f"({polarity:+g}*{drop} - {threshold:.17g})"
        step = polarity * (1.0 / on - 1.0 / off)
        return [f"B{name} {node} {reference} I = {drop}*{1.0 / off:.17g} + ({above} > 0 ? {above}*{step:.17g} : 0)"]
