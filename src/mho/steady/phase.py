"""A phase's steady states, of any kind of network by the method that suits it: what the learning rules call.

Layered networks settle by sweeps over their layers, circuits that have an energy by Newton's method with dense matrices.
Voltages are a layered network's `mho.networks.Voltages` or a circuit's array of shape (batch, nodes).
"""

from typing import Any

from jax import Array

from mho.elements import TwoTerminal
from mho.networks import Circuit, LayeredNetwork
from mho.steady import coordinate_descent
from mho.steady.coordinate_descent import Load, OperatingPoint
from mho.steady.dense_newton import CircuitLoad, circuit_response, load_circuit, settle_circuit
from mho.steady.layered import settle_layered
from mho.steady.linear_response import layered_response

Network = LayeredNetwork | Circuit
"""What learns."""


def load(network: Network, inputs: Array) -> Any:
    """Drive a network's sources with inputs of shape (batch, features).

    Returns:
        A `Load` or a `CircuitLoad`.

    Raises:
        MhoError: for a circuit that has no energy.
    """
    if isinstance(network, Circuit):
        return load_circuit(network, inputs)
    return coordinate_descent.load(network, inputs)


def settle(
    network: Network,
    load: Load | CircuitLoad,
    *,
    nudge: TwoTerminal | None = None,
    start: Any = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Steady states, one of each sample.

    Args:
        network: the network.
        load: its sources, from `load`.
        nudge: what is attached to the outputs; None in the free phase.
        start: voltages to begin with; 0 V if None.
        rtol: tolerance of the residual; see the methods.
        max_sweeps: sweeps, or Newton's steps, at the most. Samples above the tolerance by then are the caller's to count
            or to refuse.
    """
    if isinstance(network, Circuit):
        assert isinstance(load, CircuitLoad)
        return settle_circuit(network, load, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps)
    assert isinstance(load, Load)
    return settle_layered(network, load, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps)


def linear_response(
    network: Network, load: Load | CircuitLoad, voltages: Any, injected: Array, *, rtol: float, max_sweeps: int
) -> OperatingPoint:
    """Changes of the node voltages per unit of currents injected at the outputs.

    Args:
        network: the network.
        load: its sources.
        voltages: its steady state [V].
        injected: currents at the outputs [A], (batch, outputs).
        rtol: tolerance of the residual, where the linear network is solved by sweeps.
        max_sweeps: sweeps at the most.
    """
    if isinstance(network, Circuit):
        assert isinstance(load, CircuitLoad)
        return circuit_response(network, load, voltages, injected)
    assert isinstance(load, Load)
    return layered_response(network, load, voltages, injected, rtol=rtol, max_sweeps=max_sweeps)
