"""Programmable parameters: numbers that several elements of a circuit follow from, such as a model's in a netlist.

An array of the circuit's follows from a parameter p entry by entry as (a + b·pᵏ)ˢ, s = ±1: a saturation current is
proportional to that of its model, a conductance to one over a resistance. A parameter is trained, not what follows from it.
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from mho.arrays import Values, namespace

Path = tuple[str | int, ...]
"""Attributes and numbers that lead to an array of a circuit."""


class Use(eqx.Module):
    """Entries of an array that follow from a parameter, (n,)."""

    path: Path = eqx.field(static=True)
    entries: Values
    """Their numbers in the array laid out in one row."""
    offset: Values
    """a."""
    factor: Values
    """b."""
    power: float = eqx.field(static=True)
    """k."""
    inverse: bool = eqx.field(static=True)
    """Whether s is −1."""

    def of(self, circuit: Any) -> Any:
        """The array in a circuit."""
        for step in self.path:
            circuit = circuit[step] if isinstance(step, int) else getattr(circuit, step)
        return circuit

    def put(self, array: Values, value: Values) -> Values:
        """The array with a parameter of that value."""
        new = self.offset + self.factor * value**self.power
        new = 1.0 / new if self.inverse else new
        if namespace(array, new) is np:
            result = array.copy()
            result.reshape(-1)[self.entries] = new
            return result
        return jnp.asarray(array).reshape(-1).at[self.entries].set(new).reshape(array.shape)


class ProgrammableParameter(eqx.Module):
    """A parameter and what follows from it."""

    name: str = eqx.field(static=True)
    value: Values
    """p, ()."""
    least: float = eqx.field(static=True)
    """Smallest value; above 0 the parameter is trained in its logarithm."""
    largest: float = eqx.field(static=True)
    uses: tuple[Use, ...]

    @property
    def domain(self) -> Mapping[str, tuple[float, float]]:
        """As `mho.elements.TwoTerminal.domain`."""
        return {"value": (self.least, self.largest)}
