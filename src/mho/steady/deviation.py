"""How far a nudge moves a steady state: the nudged phase as deviations from the free one.

A nudge moves the layers far from the outputs by less than float32 tells apart in their voltages, so that the difference of
two voltages has lost what the learning rule is about. The deviations δ obey Kirchhoff's laws, too: of the network whose
elements follow δ ↦ i(v + δ) − i(v), sources at 0 V, which is a layered network and settles like any other. What the free
phase leaves out of balance acts like a bias source that both phases have, and is not in their difference.

Their tolerance is a phase's, and more: in every layer an imbalance is small against the currents of the free phase, and
against those of the deviations, too, which fall off from layer to layer.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.networks import LayeredDrive, LayeredNetwork, Voltages
from mho.steady.attachment import Attached


class Standing(eqx.Module):
    """What a phase may begin with: a state of the same sources and the currents that belong to it."""

    voltages: Voltages
    ahead: tuple[Array, ...]
    """Currents into each layer but the first from the one before [A]."""
    driven: tuple[Array, ...]
    """Currents that neighbours and bias sources drove into each hidden layer's grounded nodes when it was last balanced
    [A]."""


def deviating(
    network: LayeredNetwork, drive: LayeredDrive, rest: Standing, *, attached: Attached, times: int
) -> tuple[LayeredNetwork, LayeredDrive, Standing, list[Array]]:
    """The network that deviations from a free phase obey the laws of.

    Args:
        network: the network.
        drive: its sources.
        rest: where the free phase stands.
        attached: what is attached to the output nodes, as a law of deviations: (times · batch, outputs).
        times: how many phases of the same samples, one set after the other, settle together.

    Returns:
        That network, its sources, at 0 V, where to begin, and each layer's largest current in the free phase [A], (times ·
        batch,).
    """

    def copies(array: Array) -> Array:
        return jnp.concatenate([array] * times)

    layers = []
    for index, layer in enumerate(network.layers):
        element = layer.element
        if element is not None:
            voltage = rest.voltages[index]
            net = rest.driven[index] - drive.conductances[index] * voltage
            element = element.deviating(copies(voltage), copies(net))
        layers.append(eqx.tree_at(lambda k: (k.element, k.bias), layer, (element, None), is_leaf=lambda x: x is None))
    moved = eqx.tree_at(lambda n: n.layers, network, tuple(layers))
    zero = LayeredDrive(
        jnp.zeros_like(copies(drive.sources)), jnp.zeros_like(copies(drive.input_current)), drive.conductances
    )
    # Nothing but the outputs is moved as yet.
    still = tuple(jnp.zeros_like(copies(v)) for v in rest.voltages)
    outputs = attached.node_voltage(drive.conductances[-1], still[-1], still[-1])
    start = Standing((*still[:-1], outputs), still[1:], still[:-1])
    return moved, zero, start, [copies(jnp.max(jnp.abs(current), 1)) for current in (*rest.driven, rest.ahead[-1])]
