"""A network's conductances, crossbar by crossbar or group by group, and the bounds that their devices have."""

from typing import Any

import jax
import numpy as np

from mho.elements import ProgrammableResistor
from mho.networks import Circuit, LayeredNetwork
from mho.networks.convolution import PoolingCrossbar


def _resistors(network: Any) -> dict[str, list[ProgrammableResistor]]:
    if isinstance(network, LayeredNetwork):
        numbered = [(k, layer.crossbar) for k, layer in enumerate(network.layers, start=1)]
        return {
            f"crossbar {k}": jax.tree.leaves(crossbar, is_leaf=lambda part: isinstance(part, ProgrammableResistor))
            for k, crossbar in numbered
            if not isinstance(crossbar, PoolingCrossbar)
        }
    if isinstance(network, Circuit):
        return {b.name: [b.element] for b in network.branches if b.programmable}  # type: ignore[misc]
    return {}


def conductances(network: Any) -> dict[str, np.ndarray]:
    """Conductances [S] that learn; of a circuit that has none the values of its parameters."""
    found = {
        name: [np.ravel(np.asarray(one.conductance)) for one in resistors]
        for name, resistors in _resistors(network).items()
    }
    if not found and isinstance(network, Circuit):
        return {parameter.name: np.reshape(parameter.value, 1) for parameter in network.programmables}
    # A wide layer's are not copied.
    return {name: parts[0] if len(parts) == 1 else np.concatenate(parts) for name, parts in found.items()}


def bounds(network: Any) -> dict[str, tuple[float, float]]:
    """Least and largest conductance [S] that the same can be programmed to; none of what has no conductances."""
    return {name: (parts[0].lower, parts[0].upper) for name, parts in _resistors(network).items()}
