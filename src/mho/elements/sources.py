"""Independent sources."""

import equinox as eqx
from jax import Array

from mho.arrays import namespace
from mho.elements.two_terminal import TwoTerminal, entry


class CurrentSource(TwoTerminal):
    """Constant currents injected into nodes: the bias of a layer's nodes.

    Law i = −I (the current leaves the element into its first terminal); co-content −I v; di/dv = 0.
    """

    injected: Array
    """I [A], into the first terminal."""

    def current(self, voltage: Array) -> Array:
        """−I at any voltage."""
        return namespace(self.injected, voltage).broadcast_to(-self.injected, voltage.shape)

    def slope(self, voltage: Array) -> Array:
        """0 S."""
        return namespace(voltage).zeros_like(voltage)

    def co_content(self, voltage: Array) -> Array:
        """−I v."""
        return -self.injected * voltage

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """All the current, over the conductance."""
        return (current + self.injected) / conductance

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE current source, which drives its current from its first node through itself to its second."""
        return [f"I{name} {reference} {node} DC {entry(self.injected, index):.17g}"]


class VoltageSource(eqx.Module):
    """Constant voltages held between nodes and ground: the inputs of a network.

    The law v = V holds at any current, so it has no co-content: a held node is no variable of the energy.
    """

    voltage: Array
    """V [V]."""

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE voltage source."""
        return [f"V{name} {node} {reference} DC {entry(self.voltage, index):.17g}"]
