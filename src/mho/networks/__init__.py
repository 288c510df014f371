"""Networks: elements joined into circuits."""

from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.layered import Layer, LayeredNetwork, Voltages, layered_network

__all__ = [
    "Crossbar",
    "DenseCrossbar",
    "Layer",
    "LayeredNetwork",
    "MirroredCrossbar",
    "Voltages",
    "layered_network",
]
