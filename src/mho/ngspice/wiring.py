"""How a network stands in ngspice: cards that are parsed once, elements whose values are altered, nodes that are read."""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import Array

from mho.netlists.writing.nudging_cards import Ends
from mho.steady import Attached


class Wiring(abc.ABC):
    """Of one network, whose programmable parameters may change from one call to the next."""

    cards: list[str]
    """The title, then the circuit's cards, without analysis and end."""
    elements: list[str]
    """Names of the sources that inputs drive, then of the elements with programmable parameters, as ngspice has them."""
    nodes: list[str]
    """Those whose voltages are wanted."""
    predictions: Ends
    """The nodes that the predictions are measured between."""
    held: Ends
    """Those between which held nudging currents flow."""
    gmin: float
    """Across every junction [S]."""

    @abc.abstractmethod
    def fixed(self, network: Any) -> Sequence[Array | np.ndarray]:
        """What ngspice's elements have as they were parsed."""

    @abc.abstractmethod
    def sources(self, network: Any, drive: Any) -> np.ndarray:
        """Of each sample [V, A], (batch, sources)."""

    @abc.abstractmethod
    def values(self, network: Any) -> np.ndarray:
        """Of the other elements [Ω, A], (elements − sources,)."""

    @abc.abstractmethod
    def voltages(self, network: Any, drive: Any, found: np.ndarray) -> Any:
        """What ngspice found [V], (batch, nodes), in the structure of the network's node voltages."""

    @abc.abstractmethod
    def stable(self, drive: Any, attached: Attached | None) -> np.ndarray:
        """Which samples have a stable state, as far as the drive tells, (batch,)."""
