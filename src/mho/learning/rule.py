"""Learning rules: how a batch's gradient is had from steady states."""

import abc
from collections.abc import Callable

import equinox as eqx
import numpy as np
from jax import Array

from mho.learning.gradient import Gradient
from mho.networks import Network
from mho.steady import Attached, Solver


class Rule(eqx.Module):
    """A learning rule with its settings."""

    solver: eqx.AbstractVar[Solver]
    """Finds the steady states."""

    @abc.abstractmethod
    def gradient(
        self,
        network: Network,
        inputs: Array,
        targets: Array,
        *,
        trained: tuple[str, ...] = ("conductance",),
        key: Array | None = None,
    ) -> Gradient:
        """Gradient of a batch's mean cost, or the rule's descent direction; to be compiled by JAX.

        Args:
            network: the network.
            inputs: (batch, features).
            targets: (batch, outputs): voltages, or shares of the classes.
            trained: kinds of parameters to differentiate by, of the network's `parameters`.
            key: JAX random key, where the rule draws.

        Raises:
            InputError: for a kind of parameter that the network has not, or a setting with which there is no gradient.
        """

    @abc.abstractmethod
    def attachment(self, prediction: Callable[[], np.ndarray], target: np.ndarray, paired: bool) -> Attached:
        """What the rule attaches to the outputs of one sample in the first of its nudged phases, in float64.

        Args:
            prediction: gives the outputs of the free phase [V], (1, outputs), where they are needed.
            target: what they are to be [V], (1, outputs).
            paired: whether two output nodes make a prediction.

        Raises:
            InputError: if the rule has the free phase alone.
        """
