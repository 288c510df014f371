"""What a solver of steady states is, and what it gives.

A solver is a frozen set of settings; `mho.steady.Auto` chooses one by the network. All of them find the same states.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
from jax import Array

from mho.networks.network import Network
from mho.steady.attachment import Attached


class Solution(eqx.Module):
    """Node voltages and how well they obey Kirchhoff's current law."""

    voltages: Any
    """Of each layer's nodes [V], (batch, nodes); of all nodes in one array where there are no layers."""
    residual: Array
    """The solver's own measure, by which it stopped: the largest current imbalance at a node of each sample, relative to
    the largest current that neighbours drive into a node of the same layer (at a pooling node and in a circuit: relative to
    the largest at that node); (batch,). `mho.steady.kirchhoff_residual` judges every network alike."""
    steps: Array
    """Sweeps made; Newton's steps where they are the method."""
    kept: Any = None
    """What the method keeps beside the voltages for another phase of the same sources, voltages included."""

    @property
    def start(self) -> Any:
        """For another phase of the same sources to begin with."""
        return self.voltages if self.kept is None else self.kept


class Solver(eqx.Module):
    """How steady states are found: `solve`, and what answers small changes."""

    rtol: float = 1e-5
    """Tolerance of the residual; see `Solution`."""
    max_steps: int = 1000
    """Sweeps, or Newton's steps, at the most. Samples above the tolerance by then are the caller's to count or to refuse."""

    traceable: ClassVar[bool] = True
    """Whether JAX can compile it."""

    @abc.abstractmethod
    def suits(self, network: Network) -> bool:
        """Whether the method can do its work on a network."""

    @abc.abstractmethod
    def solve(self, network: Any, drive: Any, *, attached: Attached | None = None, start: Any = None) -> Solution:
        """Steady states, one of each sample.

        Args:
            network: the network.
            drive: its sources, from its own `drive`.
            attached: what is attached to the outputs; None in the free phase.
            start: voltages to begin with, or an earlier solution's `start`; 0 V if None.
        """

    @abc.abstractmethod
    def respond(self, network: Any, drive: Any, voltages: Any, forces: Any) -> Solution:
        """Changes λ of the node voltages that solve H·λ = forces, H the energy's second derivative at a steady state.

        Args:
            network: the network.
            drive: its sources.
            voltages: its steady state [V].
            forces: ∂/∂(node voltages) of something, in their structure; None stands for zeros.
        """

    def settles_together(self, network: Any, batch: int) -> bool:
        """Whether phases of which none needs another's result settle at less cost as one batch."""
        return True

    def deviates(self, network: Any, batch: int) -> bool:
        """Whether nudged phases are found as deviations from the free one, which keep what float32 rounds away."""
        return False

    def deviate(self, network: Any, drive: Any, rest: Any, *, attached: Attached, times: int = 1) -> Solution:
        """Deviations of the node voltages [V] from a free phase, where the solver `deviates`.

        Args:
            network: the network.
            drive: its sources.
            rest: the free phase's `Solution.start`.
            attached: what is attached to the outputs, as a law of deviations: (times · batch, outputs).
            times: how many phases of the same samples, one set after the other, settle together.
        """
        raise NotImplementedError(f"{type(self).__name__} finds no deviations")
