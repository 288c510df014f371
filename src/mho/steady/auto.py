"""The solver that chooses: by the network's structure, and by measured cost where several suit."""

import math
from typing import Any

from mho.errors import InputError
from mho.networks import LayeredNetwork
from mho.networks.network import Network
from mho.steady.attachment import Attached
from mho.steady.coordinate_descent import Sweeps
from mho.steady.dense_newton import DenseNewton
from mho.steady.mean_field import MeanFieldSweeps
from mho.steady.pooled import PooledSweeps
from mho.steady.solver import Solution, Solver

_WORTH = 2**19
"""Conductances times samples of a crossbar between hidden layers, on the average, from which its product costs more than the
mean field's own arithmetic: measured on 2, 3 and 5 hidden layers of 64 to 1024 nodes at 4 to 128 samples."""


class Auto(Solver):
    """Pooled or mean-field sweeps where worth it, plain ones for other layered networks, dense Newton for circuits."""

    def chosen(self, network: Network, batch: int) -> Solver:
        """The solver of a batch.

        Raises:
            InputError: where none suits: the circuit has no energy.
        """
        pooled, mean_field, dense = (
            kind(self.rtol, self.max_steps) for kind in (PooledSweeps, MeanFieldSweeps, DenseNewton)
        )
        if pooled.suits(network):
            return pooled
        if mean_field.suits(network) and _worth(network, batch):
            return mean_field
        if isinstance(network, LayeredNetwork):
            return Sweeps(self.rtol, self.max_steps)
        if dense.suits(network):
            return dense
        raise InputError("the circuit has no energy: it has controlled sources, or amplifiers that elements join")

    def suits(self, network: Network) -> bool:
        """Layered networks, and circuits that have an energy."""
        return isinstance(network, LayeredNetwork) or DenseNewton().suits(network)

    def solve(self, network: Any, drive: Any, *, attached: Attached | None = None, start: Any = None) -> Solution:
        """By the solver chosen; see `Solver.solve`."""
        return self.chosen(network, _batch(drive)).solve(network, drive, attached=attached, start=start)

    def respond(self, network: Any, drive: Any, voltages: Any, forces: Any) -> Solution:
        """By the solver chosen; see `Solver.respond`."""
        return self.chosen(network, _batch(drive)).respond(network, drive, voltages, forces)

    def settles_together(self, network: Any, batch: int) -> bool:
        """Where the solver chosen does."""
        return self.chosen(network, batch).settles_together(network, batch)

    def deviates(self, network: Any, batch: int) -> bool:
        """Where the solver chosen does."""
        return self.chosen(network, batch).deviates(network, batch)

    def deviate(self, network: Any, drive: Any, rest: Any, *, attached: Attached, times: int = 1) -> Solution:
        """By the solver chosen; see `Solver.deviate`."""
        return self.chosen(network, _batch(drive)).deviate(network, drive, rest, attached=attached, times=times)


def _batch(drive: Any) -> int:
    return drive.sources.shape[0]


def _worth(network: Any, batch: int) -> bool:
    between = [math.prod(layer.crossbar.shape) for layer in network.layers[1:-1]]
    return batch * sum(between) >= _WORTH * len(between)
