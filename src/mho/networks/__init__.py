"""Networks: elements joined into circuits."""

from mho.networks.branches import Branches
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.layered import Layer, LayeredNetwork, Voltages, layered_network
from mho.networks.layered_circuit import layered_circuit

__all__ = [
    "Branches",
    "Circuit",
    "CircuitBuilder",
    "Crossbar",
    "DenseCrossbar",
    "Layer",
    "LayeredNetwork",
    "MirroredCrossbar",
    "Voltages",
    "layered_circuit",
    "layered_network",
]
