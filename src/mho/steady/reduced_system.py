"""A circuit with an energy: voltage sources and amplifiers eliminated, the free groups' voltages unknown."""

import numpy as np

from mho.arrays import Values, namespace
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
    factor, group = xp.asarray(ties.factor), xp.asarray(ties.group)
    ends = [(b.first, b.second) for b in circuit.branches]
    none = xp.zeros(0, np.int32)
    return System(
        first=tuple(group[a] for a, _ in ends),
        second=tuple(group[b] for _, b in ends),
        first_factor=tuple(factor[a] for a, _ in ends),
        second_factor=tuple(factor[b] for _, b in ends),
        weight=tuple(xp.asarray(w) for w in ties.weights),
        offset=tuple(offsets[a] - offsets[b] for a, b in ends),
        elements=tuple(b.element for b in circuit.branches),
        rows=none,
        columns=none,
        values=xp.zeros(0, sources.dtype),
        constant=xp.zeros(ties.free, sources.dtype),
        size=ties.free,
    )


def source_currents(circuit: Circuit, voltages: np.ndarray) -> np.ndarray:
    """What flows through each voltage source of a circuit with an energy [A], (sources,), at node voltages (nodes,).

    From the leaves of the forest of ties to its roots.
    """
    surplus = np.zeros(circuit.nodes)
    for branch in circuit.branches:
        a, b = np.asarray(branch.first), np.asarray(branch.second)
        drop: Values = voltages[a] - voltages[b]
        current = np.asarray(branch.element.current(drop))
        surplus += np.bincount(a, current, circuit.nodes) - np.bincount(b, current, circuit.nodes)
    result = np.zeros(len(circuit.source_names))
    for child, parent, source, sign, gain in reversed(circuit.tied.levels):
        leaving = surplus[child]
        real = source >= 0
        result[source[real]] = -sign[real] * leaving[real]
        np.add.at(surplus, parent, np.where(real, leaving, leaving / gain))
    return result
