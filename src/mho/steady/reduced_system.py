"""A circuit with an energy: voltage sources and amplifiers eliminated, the free groups' voltages unknown."""

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
    """All nodes' voltages [V], (nodes,), as pairs, from the free groups', (free,)."""
    ties = circuit.tied
    y, tail = (np.append(x, 0.0)[np.asarray(ties.group)] for x in unknowns)
    factor = np.asarray(ties.factor)
    scaled, lost = two_product(factor, y)
    return added(two_sum(scaled, np.asarray(circuit.offsets(sources))), lost + factor * tail)


def branch_currents(circuit: Circuit, currents: list[np.ndarray]) -> np.ndarray:
    """What flows through each voltage source, then into each amplifier's far side [A], (sources + amplifiers,).

    From the leaves of the forest of ties to its roots.

    Args:
        circuit: a circuit with an energy.
        currents: through the elements, group by group.
    """
    terms = []
    for branch, current in zip(circuit.branches, currents, strict=True):
        terms += [(current, np.asarray(branch.first)), (-current, np.asarray(branch.second))]
    surplus = sums_at(terms, circuit.nodes)[0] if terms else np.zeros(circuit.nodes)
    result = np.zeros(len(circuit.source_names))
    far = np.zeros(circuit.nodes)
    for child, parent, source, sign, gain in reversed(circuit.tied.levels):
        leaving = surplus[child]
        real = source >= 0
        result[source[real]] = -sign[real] * leaving[real]
        far[child[~real]] = leaving[~real]
        np.add.at(surplus, parent, np.where(real, leaving, leaving / gain))
    if circuit.amplifiers is None:
        return result
    return np.append(result, -far[np.asarray(circuit.amplifiers.far)])
