"""Bidirectional amplifier: what joins a layer to the next without loading it."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
from jax import Array

from mho.elements.two_terminal import entry


class BidirectionalAmplifier(eqx.Module):
    """A voltage-controlled voltage source of gain A forward, a current-controlled current source of 1/A backward.

    Its far side stands at A·v, and the current i drawn there draws i/A from its near side. Dividing the energy of all
    that follows by A² makes Kirchhoff's laws the stationarity conditions again: ∂/∂v of E(v) + E'(A v)/A² is
    ∂E/∂v + i/A. Source: Kendall et al. 2020, section 4 and figure 2.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {"gain": (1e-6, 1e6)}
    """As that of `mho.elements.TwoTerminal`."""

    gain: Array
    """A, a scalar, positive: one energy scale for all that follows needs one gain for all the layer's nodes."""

    def forward(self, voltage: Array) -> Array:
        """Voltage of the far side [V]."""
        return self.gain * voltage

    def backward(self, current: Array) -> Array:
        """Current drawn from the near side [A], given that drawn from the far side."""
        return current / self.gain

    def card(self, name: str, node: str, far: str) -> list[str]:
        """E source forward; a 0 V source senses the current drawn behind it, which controls the F source backward."""
        gain = entry(self.gain, None)
        return [
            f"E{name} {name}_s 0 {node} 0 {gain:.17g}",
            f"V{name} {name}_s {far} DC 0",
            f"F{name} {node} 0 V{name} {1.0 / gain:.17g}",
        ]
