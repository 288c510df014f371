"""Bidirectional amplifier: what joins a layer to the next without loading it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from mho.elements.two_terminal import entry


class BidirectionalAmplifier(eqx.Module):
    """A voltage-controlled voltage source of gain A forward, a current-controlled current source of B backward.

    Its far side stands at A·v, and the current i drawn there draws B·i from its near side; B is 1/A where it is not given.
    Multiplying the energy of all that follows by B/A makes Kirchhoff's laws the stationarity conditions again: ∂/∂v of
    E(v) + (B/A)·E'(A v) is ∂E/∂v + B·i. So there is an energy wherever B/A is the same for all the layer's nodes. Source:
    Kendall et al. 2020, section 4 and figure 2 (B = 1/A).

    Amplifiers of which each has an A and a B of its own are reciprocal no more, and have no energy. With A and B exchanged
    (A' = B/s and B' = s·A, s their mean ratio) they make the circuit's adjoint, whose answer to currents at the outputs is
    the exact gradient's (Director and Rohrer 1969, "The generalized adjoint network and network sensitivities").
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {"gain": (1e-6, 1e6)}
    """As that of `mho.elements.TwoTerminal`."""

    gain: Array
    """A, positive: a scalar, or one for each of the layer's nodes."""
    current_gain: Array | None = None
    """B, positive: a scalar, or one for each node; None for 1/A."""

    @property
    def reciprocal(self) -> bool:
        """Whether it has an energy: one A and one B for all nodes."""
        return jnp.ndim(self.gain) == 0 and (self.current_gain is None or jnp.ndim(self.current_gain) == 0)

    def weighed(self, energy: Array | float) -> Array:
        """B/A times the energy of all that follows; of the means where nodes differ."""
        if self.reciprocal and self.current_gain is None:
            return energy / self.gain**2
        return energy * (jnp.mean(self._current_gain) / jnp.mean(self.gain))

    @property
    def _current_gain(self) -> Array:
        return 1.0 / self.gain if self.current_gain is None else self.current_gain

    def forward(self, voltage: Array) -> Array:
        """Voltage of the far side [V]."""
        return self.gain * voltage

    def backward(self, current: Array) -> Array:
        """Current drawn from the near side [A], given that drawn from the far side."""
        return current / self.gain if self.current_gain is None else self.current_gain * current

    def reflected(self, conductance: Any) -> Any:
        """What a conductance to ground at the far side is at the near side [S]: A·B times it."""
        return conductance if self.current_gain is None else self.gain * self.current_gain * conductance

    @property
    def mean(self) -> "BidirectionalAmplifier":
        """One for all nodes; itself where it is that already."""
        if self.reciprocal:
            return self
        return BidirectionalAmplifier(jnp.mean(self.gain), jnp.mean(self._current_gain))

    def adjoint(self) -> "BidirectionalAmplifier":
        """With A and B exchanged; itself where it is reciprocal."""
        if self.reciprocal:
            return self
        weight = self.weighed(1.0)
        return BidirectionalAmplifier(self._current_gain / weight, weight * self.gain)

    def card(self, name: str, node: str, far: str, index: int | None = None) -> list[str]:
        """E source forward; a 0 V source senses the current drawn behind it, which controls the F source backward."""
        gain = entry(self.gain, index)
        back = 1.0 / gain if self.current_gain is None else entry(self.current_gain, index)
        return [
            f"E{name} {name}_s 0 {node} 0 {gain:.17g}",
            f"V{name} {name}_s {far} DC 0",
            f"F{name} {node} 0 V{name} {back:.17g}",
        ]
