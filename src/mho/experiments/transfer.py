"""Transfer: one network begins with what another has learned, on a chip of its own."""

from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.networks import Network

AnyNetwork = TypeVar("AnyNetwork", bound=Network)

_CARRIED = ("conductance", "bias", "parameter")
"""Kinds of parameters that are programmed into a chip; what is in its elements and amplifiers stays its own."""


def programmed_with(network: AnyNetwork, trained: Network) -> tuple[AnyNetwork, int]:
    """A network with the conductances, bias currents and programmable parameters of another one.

    Args:
        network: which takes them.
        trained: which has them, of the same shape.

    Returns:
        The network; how many conductances lay beyond its bounds, which are at the bound now.

    Raises:
        InputError: if the two are not of the same shape.
    """
    kinds = [tuple(kind for kind in _CARRIED if kind in n.parameters) for n in (network, trained)]
    given = jax.tree.leaves(eqx.filter(trained, trained.marked(kinds[1])))
    wanted = eqx.filter(network, network.marked(kinds[0]))
    shapes = [[np.shape(leaf) for leaf in leaves] for leaves in (jax.tree.leaves(wanted), given)]
    if shapes[0] != shapes[1]:
        ours, theirs = ("; ".join(" × ".join(map(str, s)) for s in each) for each in shapes)
        raise InputError(f"its arrays of conductances and bias currents are {theirs}; expected {ours}")
    values = (np.asarray(v, w.dtype) for v, w in zip(given, jax.tree.leaves(wanted), strict=True))
    new = jax.tree.map(lambda _: next(values), wanted)
    held = eqx.combine(new, network).consistent()
    beyond = 0

    def within(part: Any, programmed: Any) -> Any:
        nonlocal beyond
        if not isinstance(part, ProgrammableResistor) or programmed.conductance is None:
            return part
        bounded = part.within_bounds(jnp.asarray(part.conductance))
        beyond += int(np.sum(np.asarray(bounded) != np.asarray(part.conductance)))
        return eqx.tree_at(lambda r: r.conductance, part, np.asarray(bounded))

    return jax.tree.map(within, held, wanted, is_leaf=lambda part: isinstance(part, ProgrammableResistor)), beyond
