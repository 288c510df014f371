"""Steady states of layered networks: by the method that is the fastest for the network."""

from typing import Any

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork
from mho.steady import coordinate_descent, mean_field
from mho.steady.coordinate_descent import Load, OperatingPoint


def settles_from_start(network: LayeredNetwork) -> bool:
    """Whether a phase costs much less from another phase's state of the same sources than from 0 V."""
    return mean_field.suits(network)


def settle_layered(
    network: LayeredNetwork,
    load: Load,
    *,
    nudge: TwoTerminal | None = None,
    start: Any = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Mean-field sweeps where they suit, plain ones elsewhere; see `mho.steady.coordinate_descent.settle`."""
    method = mean_field if mean_field.suits(network) else coordinate_descent
    return method.settle(network, load, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps)
