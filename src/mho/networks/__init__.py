"""Networks: elements joined into circuits."""

from mho.networks.branches import Branches
from mho.networks.circuit import Circuit, CircuitDrive
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.convolution import ConvolutionCrossbar, MirroredConvolutionCrossbar, Planes, PoolingCrossbar
from mho.networks.convolutional import convolutional_network, image_planes
from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.layered import Layer, LayeredDrive, LayeredNetwork, Voltages, layered_network
from mho.networks.layered_circuit import layered_circuit
from mho.networks.network import Drive, Network

__all__ = [
    "Branches",
    "Circuit",
    "CircuitBuilder",
    "CircuitDrive",
    "ConvolutionCrossbar",
    "Crossbar",
    "DenseCrossbar",
    "Drive",
    "Layer",
    "LayeredDrive",
    "LayeredNetwork",
    "MirroredConvolutionCrossbar",
    "MirroredCrossbar",
    "Network",
    "Planes",
    "PoolingCrossbar",
    "Voltages",
    "convolutional_network",
    "image_planes",
    "layered_circuit",
    "layered_network",
]
