"""A circuit with an energy: voltage sources and amplifiers eliminated, the free groups' voltages unknown."""

import math
from typing import Any

import numpy as np

from mho.arrays import Values, namespace
from mho.compensated import Pair, added, sums_at, two_product, two_sum
from mho.networks.circuit import Circuit
from mho.steady.equations import System


def reduced_system(circuit: Circuit, sources: Values) -> System:
    """The equations of a circuit with an energy, for one set of source voltages [V], (sources,).

    Raises:
        MhoError: if the circuit has no energy.
    """
    ties = circuit.tied
    xp = namespace(sources)
    offsets = circuit.offsets(sources)
    group = xp.asarray(ties.group)
    ends = [(b.first, b.second) for b in circuit.branches]
    factor = xp.asarray(ties.factor)
    none = xp.zeros(0, np.int32)
    shifted = len(ties.offset_node) > 0
    return System(
        first=tuple(group[a] for a, _ in ends),
        second=tuple(group[b] for _, b in ends),
        first_factor=tuple(factor[a] for a, _ in ends) if ties.amplified else None,
        second_factor=tuple(factor[b] for _, b in ends) if ties.amplified else None,
        weight=tuple(xp.asarray(w) for w in ties.weights) if ties.amplified else None,
        offset=tuple(two_sum(offsets[a], -offsets[b]) for a, b in ends) if shifted else None,
        elements=circuit.elements(sources),
        behavioural=(),
        rows=none,
        columns=none,
        values=xp.zeros(0, sources.dtype),
        constant=xp.zeros(ties.free, sources.dtype),
        size=ties.free,
    )


def node_voltages(circuit: Circuit, unknowns: Pair, sources: np.ndarray) -> Pair:
    """All nodes' voltages [V], (..., nodes), as pairs, from the free groups', (..., free)."""
    ties = circuit.tied
    y, tail = (np.concatenate([x, np.zeros((*x.shape[:-1], 1))], -1)[..., ties.group] for x in unknowns)
    factor = np.asarray(ties.factor)
    scaled, lost = two_product(factor, y)
    return added(two_sum(scaled, np.asarray(circuit.offsets(sources))), lost + factor * tail)


def branch_currents(circuit: Circuit, currents: list[np.ndarray]) -> np.ndarray:
    """What flows through each voltage source, then into each amplifier's far side [A], (..., sources + amplifiers).

    From the leaves of the forest of ties to its roots.

    Args:
        circuit: a circuit with an energy.
        currents: through the elements, group by group, (..., elements).
    """
    shape = currents[0].shape[:-1] if currents else ()
    set_of = circuit.nodes * np.arange(math.prod(shape)).reshape(-1, 1)
    terms = []
    for branch, current in zip(circuit.branches, currents, strict=True):
        for signed, node in ((current, branch.first), (-current, branch.second)):
            terms.append((signed.reshape(-1), (set_of + node).reshape(-1)))
    surplus = np.zeros((*shape, circuit.nodes))
    if terms:
        surplus = sums_at(terms, surplus.size)[0].reshape(surplus.shape)
    result = np.zeros((*shape, len(circuit.source_names)))
    far = np.zeros_like(surplus)
    for child, parent, source, sign, gain in reversed(circuit.tied.levels):
        leaving = surplus[..., child]
        real = source >= 0
        result[..., source[real]] = -sign[real] * leaving[..., real]
        far[..., child[~real]] = leaving[..., ~real]
        above: Any = (..., parent)
        np.add.at(surplus, above, np.where(real, leaving, leaving / gain))
    if circuit.amplifiers is None:
        return result
    return np.concatenate([result, -far[..., circuit.amplifiers.far]], -1)
