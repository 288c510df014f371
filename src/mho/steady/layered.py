"""Steady states of layered networks: by the method that is the fastest for the network."""

import math
from typing import Any

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork
from mho.steady import coordinate_descent, mean_field, pooled
from mho.steady.coordinate_descent import Load, OperatingPoint

_WORTH = 2**19
"""Conductances times samples of a crossbar between hidden layers, on the average, from which its product costs more than the
mean field's own arithmetic: measured on 2, 3 and 5 hidden layers of 64 to 1024 nodes at 4 to 128 samples."""


def settles_by_mean_field(network: LayeredNetwork, batch: int) -> bool:
    """Whether a batch settles by mean-field sweeps, and then at much less cost from another phase than from 0 V."""
    if not mean_field.suits(network):
        return False
    between = [math.prod(layer.crossbar.shape) for layer in network.layers[1:-1]]
    return batch * sum(between) >= _WORTH * len(between)


def settle_layered(
    network: LayeredNetwork,
    load: Load,
    *,
    nudge: TwoTerminal | None = None,
    start: Any = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Sweeps by pooling windows or by mean field where these are worth it, plain ones elsewhere.

    See `mho.steady.coordinate_descent.settle` for the arguments.
    """
    method: Any = coordinate_descent
    if pooled.suits(network):
        method = pooled
    elif settles_by_mean_field(network, load.input_current.shape[0]):
        method = mean_field
    return method.settle(network, load, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps)
