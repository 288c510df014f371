"""Conductors whose current grows as a hyperbolic sine: memristors in one of their states, tunnelling gaps."""

from collections.abc import Mapping
from typing import ClassVar

from jax import Array

from mho.arrays import namespace
from mho.elements.two_terminal import TwoTerminal, entry


class SinhConductor(TwoTerminal):
    """i = g·v + α·sinh(χ·v); di/dv = g + α·χ·cosh(χ·v); co-content ½·g·v² + 2·(α/χ)·sinh²(χ·v/2).

    Sources: Yang et al., "Memristive switching mechanism for metal/oxide/metal nanodevices", Nature Nanotechnology 3 (2008)
    429; Laiho et al., "Memristive synapses are becoming reality", The Neuromorphic Engineer (2010): a memristor's law in
    one of its states. g is a leakage beside it.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {
        "conductance": (0.0, 1e6),
        "scale": (1e-30, 1e6),
        "steepness": (1e-6, 1e3),
    }

    conductance: Array
    """g [S]."""
    scale: Array
    """α [A]."""
    steepness: Array
    """χ [1/V]."""

    def current(self, voltage: Array) -> Array:
        """The ohmic and the exponential part."""
        return self.conductance * voltage + self.scale * namespace(voltage).sinh(self.steepness * voltage)

    def slope(self, voltage: Array) -> Array:
        """di/dv."""
        return self.conductance + self.scale * self.steepness * namespace(voltage).cosh(self.steepness * voltage)

    def co_content(self, voltage: Array) -> Array:
        """The integral of the law from 0 V."""
        half = namespace(voltage).sinh(0.5 * self.steepness * voltage)
        return 0.5 * self.conductance * voltage**2 + 2.0 * self.scale / self.steepness * half**2

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """A behavioural current source with the same law."""
        g, scale, steepness = (entry(p, index) for p in (self.conductance, self.scale, self.steepness))
        drop = f"V({node},{reference})"
        return [f"B{name} {node} {reference} I = {drop}*{g:.17g} + {scale:.17g}*sinh({steepness:.17g}*{drop})"]
