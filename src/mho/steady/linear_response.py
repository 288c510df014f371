"""How a steady state answers small currents: Newton's linearisation of the network, which is a network itself.

At an operating point every nonlinear element is replaced by its differential conductance; the change of the node voltages
per ampere injected then obeys Kirchhoff's laws of that linear network, sources at 0 V.
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements import CurrentSource, TwoTerminal
from mho.networks import LayeredDrive, LayeredNetwork, Voltages


class Linearised(TwoTerminal):
    """An element near an operating point: i = g·v with g its differential conductance there, infinite where it clamps."""

    differential: Array
    """di/dv [S], (batch, nodes)."""

    def current(self, voltage: Array) -> Array:
        """g·v; 0 A at the 0 V of a clamped node."""
        return jnp.where(jnp.isinf(self.differential), 0.0, self.differential) * voltage

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """A clamped node takes any current."""
        return jnp.where(jnp.isinf(self.differential), 0.0, current - self.current(voltage))

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Current over total conductance; 0 V at a clamped node."""
        return current / (conductance + self.differential)


def linearised(network: LayeredNetwork, voltages: Voltages, forces: Sequence[Array | None]) -> LayeredNetwork:
    """The network of small changes, driven by bias sources alone.

    Args:
        network: the network.
        voltages: its steady state [V].
        forces: ∂/∂(node voltages) of something, a layer each, (batch, nodes); None for zeros. Divided by the layer's weight
            in the energy they are bias currents [A].
    """
    layers = []
    for layer, voltage, force, scale in zip(network.layers, voltages, forces, network.scales(), strict=True):
        element = None if layer.element is None else Linearised(layer.element.slope(voltage))
        bias = None if force is None else CurrentSource(force / scale)
        layers.append(eqx.tree_at(lambda k: (k.element, k.bias), layer, (element, bias), is_leaf=lambda x: x is None))
    return eqx.tree_at(lambda n: n.layers, network, tuple(layers))


def grounded(drive: LayeredDrive) -> LayeredDrive:
    """The same sources at 0 V."""
    return LayeredDrive(jnp.zeros_like(drive.sources), jnp.zeros_like(drive.input_current), drive.conductances)
