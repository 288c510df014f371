"""Ideal diode: no current in reverse, no voltage in forward direction."""

import jax.numpy as jnp
from jax import Array

from mho.elements.two_terminal import TwoTerminal, entry


class IdealDiode(TwoTerminal):
    """Ideal diodes from nodes to ground.

    The law is a set, not a function: i = 0 where s·v > 0, any current with s·i ≤ 0 where v = 0, and s·v < 0 cannot
    be. Polarity s = +1 holds its node at v ≥ 0 (anode at ground), s = −1 at v ≤ 0 (cathode at ground). Co-content: 0
    on the allowed side, infinite on the other. Source: Scellier 2024, arXiv:2402.11674, section 3.
    """

    polarity: Array
    """+1 or −1."""

    def current(self, voltage: Array) -> Array:
        """0 A: on the allowed side the diode blocks; at v = 0 the circuit decides the current (see `law_residual`)."""
        return jnp.zeros_like(voltage)

    def slope(self, voltage: Array) -> Array:
        """0 S where the diode blocks, infinite where it conducts."""
        return jnp.where(self.polarity * voltage > 0, 0.0, jnp.inf)

    def co_content(self, voltage: Array) -> Array:
        """0 W on the allowed side, infinite on the other."""
        return jnp.where(self.polarity * voltage >= 0, 0.0, jnp.inf)

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """All the current where the diode blocks, the part of wrong sign where it conducts."""
        return jnp.where(
            self.polarity * voltage > 0, current, self.polarity * jnp.maximum(self.polarity * current, 0.0)
        )

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The linear node voltage, clamped to the allowed side."""
        return self.polarity * jnp.maximum(self.polarity * current / conductance, 0.0)

    def deviating(self, voltage: Array, current: Array) -> TwoTerminal:
        """Linear as long as the node stays on its side; see `IdealDiodeDeviation`."""
        carried = jnp.where(self.polarity * voltage > 0, 0.0, current)
        return IdealDiodeDeviation(self, voltage, carried)

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """A behavioural source of 1e12 S in forward direction: SPICE's diodes have no ideal limit."""
        drop = f"V({node},{reference})"
        forward = f"{drop} < 0" if entry(self.polarity, index) > 0 else f"{drop} > 0"
        return [f"B{name} {node} {reference} I = {forward} ? 1e12*{drop} : 0"]


class IdealDiodeDeviation(TwoTerminal):
    """Ideal diodes seen from an operating point: δ ≥ −v where they block, and what they carry there decides at v = 0.

    With s = +1: a diode that blocks at v > 0 lets δ follow the current down to δ = −v. One that conducts at v = 0 carries a
    current that holds its node there until the change of the current is larger.
    """

    diode: IdealDiode
    rest: Array
    """v [V], in the deviations' shape."""
    carried: Array
    """At v [A]; 0 A where the diode blocks."""

    def current(self, voltage: Array) -> Array:
        """0 A where it blocks; elsewhere the circuit decides."""
        return jnp.zeros_like(voltage)

    def slope(self, voltage: Array) -> Array:
        """The diode's, at v + δ."""
        return self.diode.slope(self.rest + voltage)

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """The diode's, with what it carries."""
        return self.diode.law_residual(self.rest + voltage, self.carried + current)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The linear deviation, clamped where v + δ = 0."""
        sign = self.diode.polarity
        return sign * jnp.maximum(sign * (current + self.carried) / conductance, -sign * self.rest)
