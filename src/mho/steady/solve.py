"""The one entry to steady states: operating points in float64, refused if they do not obey Kirchhoff's laws."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mho.elements import TwoTerminal
from mho.errors import MhoError
from mho.networks import LayeredNetwork, Voltages
from mho.precision import double
from mho.steady.coordinate_descent import OperatingPoint, load
from mho.steady.layered import settle_layered


def operating_point(
    network: LayeredNetwork,
    inputs: ArrayLike,
    *,
    nudge: TwoTerminal | None = None,
    start: Voltages | None = None,
    rtol: float = 1e-13,
    max_sweeps: int = 10_000,
) -> OperatingPoint:
    """Operating points of a network for a batch of inputs, in float64.

    Args:
        network: the network.
        inputs: shape (batch, features); the sources stand at ±`input_gain` times these.
        nudge: what the nudging attaches to the output nodes; None in the free phase.
        start: node voltages to begin with [V].
        rtol: tolerance of the residual.
        max_sweeps: sweeps at the most.

    Returns:
        Voltages, residual and sweeps as NumPy arrays.

    Raises:
        MhoError: if a sample stays above the tolerance.
    """
    point = _solve(network, np.asarray(inputs, np.float64), nudge, start, rtol, max_sweeps)
    unconverged = int(np.sum(~(np.asarray(point.residual) <= rtol)))
    if unconverged:
        worst = float(np.max(point.residual))
        raise MhoError(
            f"{unconverged} of {len(point.residual)} operating points above the tolerance {rtol:g} after "
            f"{int(point.sweeps)} sweeps; the largest residual is {worst:.3g}"
        )
    return point


@double
@jax.jit
def _solve(
    network: LayeredNetwork,
    inputs: ArrayLike,
    nudge: TwoTerminal | None,
    start: Voltages | None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    sources = load(network, jnp.asarray(inputs))
    return settle_layered(network, sources, nudge=nudge, start=start, rtol=rtol, max_sweeps=max_sweeps)
