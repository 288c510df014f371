"""How a steady state answers small currents: Newton's linearisation of the network, which is a network itself.

At an operating point every nonlinear element is replaced by its differential conductance; the change of the node voltages
per ampere injected then obeys Kirchhoff's laws of that linear network, sources at 0 V.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import CurrentSource, TwoTerminal
from mho.networks import LayeredNetwork, Voltages
from mho.steady.coordinate_descent import Load, OperatingPoint
from mho.steady.layered import settle_layered


class Linearised(TwoTerminal):
    """An element near an operating point: i = g·v with g its differential conductance there, infinite where it clamps."""

    differential: Array
    """di/dv [S], (batch, nodes)."""

    def current(self, voltage: Array) -> Array:
        """g·v; 0 A at the 0 V of a clamped node."""
        return jnp.where(jnp.isinf(self.differential), 0.0, self.differential) * voltage

    def mismatch(self, voltage: Array, current: Array) -> Array:
        """A clamped node takes any current."""
        return jnp.where(jnp.isinf(self.differential), 0.0, current - self.current(voltage))

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Current over total conductance; 0 V at a clamped node."""
        return current / (conductance + self.differential)


def layered_response(
    network: LayeredNetwork, load: Load, voltages: Voltages, injected: Array, *, rtol: float, max_sweeps: int
) -> OperatingPoint:
    """Changes of the node voltages per unit of currents injected at the outputs.

    Args:
        network: the network.
        load: its sources.
        voltages: its steady state [V].
        injected: currents at the output nodes [A], (batch, outputs).
        rtol: tolerance of the residual.
        max_sweeps: sweeps at the most.
    """

    def linearised(layer_element: TwoTerminal | None, voltage: Array) -> TwoTerminal | None:
        return None if layer_element is None else Linearised(layer_element.slope(voltage))

    layers = tuple(
        eqx.tree_at(
            lambda k: (k.element, k.bias),
            layer,
            (linearised(layer.element, voltage), None),
            is_leaf=lambda x: x is None,
        )
        for layer, voltage in zip(network.layers, voltages, strict=True)
    )
    linear = eqx.tree_at(lambda n: n.layers, network, layers)
    grounded = Load(jnp.zeros_like(load.sources), jnp.zeros_like(load.input_current), load.conductances)
    return settle_layered(linear, grounded, nudge=CurrentSource(injected), rtol=rtol, max_sweeps=max_sweeps)
