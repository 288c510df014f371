"""Networks: elements joined into circuits."""

from mho.networks.branches import Branches
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.convolution import ConvolutionCrossbar, MirroredConvolutionCrossbar, Planes, PoolingCrossbar
from mho.networks.convolutional import convolutional_network, image_planes
from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.layered import Layer, LayeredNetwork, Voltages, layered_network
from mho.networks.layered_circuit import layered_circuit

__all__ = [
    "Branches",
    "Circuit",
    "CircuitBuilder",
    "ConvolutionCrossbar",
    "Crossbar",
    "DenseCrossbar",
    "Layer",
    "LayeredNetwork",
    "MirroredConvolutionCrossbar",
    "MirroredCrossbar",
    "Planes",
    "PoolingCrossbar",
    "Voltages",
    "convolutional_network",
    "image_planes",
    "layered_circuit",
    "layered_network",
]
