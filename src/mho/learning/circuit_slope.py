"""What of a circuit is trained, and the local products that its conductances' gradient is made of."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.elements import CurrentSource, ProgrammableResistor
from mho.networks import Branches, Circuit
from mho.steady.dense_newton import output_weight

CIRCUIT_PARAMETERS = ("conductance", "bias", "element")
"""What can be trained: conductances of programmable resistors, current sources, parameters of all other elements.

Not amplifier gains: they decide which nodes' voltages are the unknowns, and the circuit holds what follows from them.
"""


def kind_of(branches: Branches) -> str | None:
    """Which kind of parameter a group of elements has; None for resistors that are not programmable."""
    if isinstance(branches.element, ProgrammableResistor):
        return "conductance" if branches.programmable else None
    return "bias" if isinstance(branches.element, CurrentSource) else "element"


def trained_branches(circuit: Circuit, trained: tuple[str, ...]) -> Circuit:
    """Which leaves of a circuit are trained: its structure with True and False."""
    frozen: Any = jax.tree.map(lambda _: False, circuit)
    for index, branches in enumerate(circuit.branches):
        if kind_of(branches) in trained:
            frozen = eqx.tree_at(lambda c, i=index: c.branches[i].element, frozen, _real(branches.element))
    return frozen


def _real(element: Any) -> Any:
    return jax.tree.map(lambda x: bool(jnp.issubdtype(x.dtype, jnp.inexact)), element)


def circuit_slope(
    circuit: Circuit,
    trained: tuple[str, ...],
    mean: Array,
    change: Array,
    by_differentiation: Callable[[tuple[str, ...]], Circuit],
) -> Circuit:
    """∂/∂θ of the energy's difference between two phases, divided by the outputs' weight.

    Args:
        circuit: the circuit.
        trained: kinds of parameters; see `CIRCUIT_PARAMETERS`.
        mean: of the two phases' node voltages [V], (batch, nodes).
        change: from one to the other, the sample's weight included, (batch, nodes).
        by_differentiation: the same for given kinds of parameters, from the energy itself.

    Returns:
        The slopes in the circuit's structure, None in place of what is not trained. For a conductance the slope is
        Σ_batch Δv·δΔv, with Δv the mean and δ the change: what stands across the resistor, and no more.
    """
    others = tuple(kind for kind in trained if kind != "conductance")
    result = by_differentiation(others) if others else jax.tree.map(lambda _: None, circuit)
    for index, (branches, weight) in enumerate(zip(circuit.branches, circuit.tied.weights, strict=True)):
        if kind_of(branches) != "conductance" or "conductance" not in trained:
            continue
        drop = mean[:, branches.first] - mean[:, branches.second]
        moved = change[:, branches.first] - change[:, branches.second]
        product = weight / output_weight(circuit) * jnp.sum(drop * moved, 0)
        result = eqx.tree_at(
            lambda c, i=index: c.branches[i].element.conductance, result, product, is_leaf=lambda x: x is None
        )
    return result
