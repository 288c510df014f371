"""Elements with a voltage source in series each: what matching them in a process leaves of a threshold's spread."""

from jax import Array

from mho.elements.two_terminal import TwoTerminal, entry


class OffsetElement(TwoTerminal):
    """Elements in series with voltage sources: i(v) = e(v − o), with e the element's own law.

    Co-content p(v) = p_e(v − o), which is 0 W at the offset; slope e'(v − o). A node g·v + i(v) = I stands at o + w, with w
    where g·w + e(w) = I − g·o.
    """

    element: TwoTerminal
    """e."""
    offset_voltage: Array
    """o [V]."""

    def current(self, voltage: Array) -> Array:
        """e(v − o)."""
        return self.element.current(voltage - self.offset_voltage)

    def slope(self, voltage: Array) -> Array:
        """e'(v − o)."""
        return self.element.slope(voltage - self.offset_voltage)

    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        """The element's at v − o."""
        return self.element.tangent(voltage - self.offset_voltage)

    def co_content(self, voltage: Array) -> Array:
        """The element's at v − o."""
        return self.element.co_content(voltage - self.offset_voltage)

    @property
    def exact(self) -> bool:
        """As the element's."""
        return self.element.exact

    def in_range(self, voltage: Array) -> Array:
        """As the element's."""
        return self.element.in_range(voltage - self.offset_voltage)

    def beyond(self, voltage: Array) -> Array:
        """As the element's."""
        return self.element.beyond(voltage - self.offset_voltage)

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """As the element's."""
        return self.element.law_residual(voltage - self.offset_voltage, current)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The element's, moved."""
        moved = self.element.node_voltage(
            conductance, current - conductance * self.offset_voltage, start - self.offset_voltage
        )
        return self.offset_voltage + moved

    def change(self, voltage: Array, deviation: Array) -> Array:
        """The element's, at v − o."""
        return self.element.change(voltage - self.offset_voltage, deviation)

    def deviating(self, voltage: Array, current: Array) -> TwoTerminal:
        """The element's, at v − o."""
        return self.element.deviating(voltage - self.offset_voltage, current)

    def voltage_near(self, current: Array, stand: Array, drop: Array) -> Array:
        """The element's, moved."""
        return self.offset_voltage + self.element.voltage_near(
            current, stand - self.offset_voltage, drop - self.offset_voltage
        )

    def voltage_past(self, current: Array, stand: Array, drop: Array) -> Array:
        """The element's, moved."""
        return self.offset_voltage + self.element.voltage_past(
            current, stand - self.offset_voltage, drop - self.offset_voltage
        )

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """The source, then the element's cards."""
        source = f"V{name}_o {node} {name}_o DC {entry(self.offset_voltage, index):.17g}"
        return [source, *self.element.card(name, f"{name}_o", reference, index)]
