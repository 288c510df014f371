"""Networks: elements joined into circuits."""

from mho.networks.circuit import Branches, Circuit, CircuitBuilder, layered_circuit
from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.layered import Layer, LayeredNetwork, Voltages, layered_network

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
