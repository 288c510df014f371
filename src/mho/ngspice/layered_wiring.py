"""A layered network's circuit in ngspice: what is parsed once, and what is altered for each sample."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements.resistor import OPEN
from mho.learning.nudging import EnergyNudge
from mho.netlists.writing.dialects import LEAST_GMIN
from mho.netlists.writing.layered_netlist import network_cards, prediction_ends
from mho.networks import LayeredDrive, LayeredNetwork, Voltages
from mho.networks.layer_names import node_names, row_nodes, source_nodes
from mho.ngspice.wiring import Wiring
from mho.steady import Attached


class LayeredWiring(Wiring):
    """Of one layered network; its conductances and bias currents may change, its elements' parameters and gains may not."""

    gmin = LEAST_GMIN

    def __init__(self, network: LayeredNetwork) -> None:
        layers, sources = node_names(network), source_nodes(network)
        self._widths = [len(nodes) for nodes in layers]
        self.nodes = [node for names in layers for node in names]
        self.predictions, self.held = prediction_ends(network), [(node, "0") for node in layers[-1]]
        cards = ["layered resistive network", *(f"V{node} {node} 0 DC 0" for nodes in sources for node in nodes)]
        self.cards = [*cards, *network_cards(network)]
        self.elements = [f"v{node}" for nodes in sources for node in nodes]
        for layer, nodes, rows in zip(network.layers, layers, row_nodes(network), strict=True):
            for (row, column, _), polarity in zip(layer.crossbar.single_resistors(), rows, strict=True):
                pairs = zip(row.tolist(), column.tolist(), strict=True)
                self.elements += [f"r{polarity[i]}_{nodes[j]}" for i, j in pairs]
            if layer.bias is not None:
                self.elements += [f"i{node}" for node in nodes]

    def fixed(self, network: LayeredNetwork) -> list[Array]:
        """The elements' parameters and the gains; see `Wiring.fixed`."""
        return jax.tree.leaves([(layer.element, layer.amplifier) for layer in network.layers])

    def sources(self, network: LayeredNetwork, drive: LayeredDrive) -> np.ndarray:
        """At +x and at −x; see `Wiring.sources`."""
        held = np.asarray(drive.sources, np.float64)
        return np.concatenate([held, -held], 1) if network.layers[0].crossbar.mirrored else held

    def values(self, network: LayeredNetwork) -> np.ndarray:
        """Ohms of the crossbars and amperes of the biases; see `Wiring.values`."""
        values = []
        for layer in network.layers:
            values += [1.0 / np.maximum(conductance, OPEN) for _, _, conductance in layer.crossbar.single_resistors()]
            if layer.bias is not None:
                values.append(np.asarray(layer.bias.injected, np.float64))
        return np.concatenate(values)

    def voltages(self, network: LayeredNetwork, drive: LayeredDrive, found: np.ndarray) -> Voltages:
        """By layers; see `Wiring.voltages`."""
        del network, drive
        return tuple(np.split(found, np.cumsum(self._widths)[:-1], 1))  # type: ignore[return-value]

    def stable(self, drive: LayeredDrive, attached: Attached | None) -> np.ndarray:
        """Whether nudging against the cost leaves each output a minimum; see `Wiring.stable`."""
        batch = drive.sources.shape[0]
        if not isinstance(attached, EnergyNudge):
            return np.ones(batch, bool)
        rest = jnp.zeros((batch, self._widths[-1]))
        nudged = np.asarray(attached.node_voltage(drive.conductances[-1], rest, rest))
        return np.asarray(np.isfinite(nudged).all(axis=1))
