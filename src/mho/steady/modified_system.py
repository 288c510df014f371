"""Modified nodal analysis (Ho, Ruehli and Brennan 1975): the equations of circuits that have no energy."""

import numpy as np

from mho.networks.branches import Behavioural
from mho.networks.circuit import Circuit
from mho.steady.equations import Sensing, System


def modified_system(circuit: Circuit, sources: np.ndarray) -> System:
    """The equations of any circuit, for one set of `Circuit.sources`, (sources,).

    The unknowns are the node voltages, ground left out, and then the currents of V, E and H sources and of the far sides of
    amplifiers. The last `circuit.nodes` − 1 entries of K are conductances from every node to ground, 0 S here, for gmin
    stepping.
    """
    nodes = circuit.nodes - 1
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def stamp(row: np.ndarray, column: np.ndarray, value: np.ndarray | float) -> None:
        row, column, value = np.broadcast_arrays(row, column, np.asarray(value, np.float64))
        inside = (row >= 0) & (column >= 0)
        entries.append((row[inside], column[inside], value[inside]))

    def voltage_defined(current: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> None:
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            stamp(node, current, sign)
            stamp(current, node, sign)

    # The currents of V, E and H sources in the order in which controlled sources number them.
    branches = nodes + np.arange(len(circuit.branch_names))
    held = branches[: len(circuit.source_names)]
    voltage_defined(held, np.asarray(circuit.source_plus) - 1, np.asarray(circuit.source_minus) - 1)
    used = len(circuit.source_names)
    for group in sorted(circuit.controlled, key=lambda g: "ehgf".index(g.kind)):
        plus, minus, gain = np.asarray(group.plus) - 1, np.asarray(group.minus) - 1, np.asarray(group.gain)
        by = np.asarray(group.control)
        if group.kind in "eh":
            current = branches[used : used + len(plus)]
            used += len(plus)
            voltage_defined(current, plus, minus)
            if group.kind == "e":
                stamp(current, by[0] - 1, -gain)
                stamp(current, by[1] - 1, gain)
            else:
                stamp(current, branches[by], -gain)
        elif group.kind == "g":
            for node, sign in ((plus, 1.0), (minus, -1.0)):
                stamp(node, by[0] - 1, sign * gain)
                stamp(node, by[1] - 1, -sign * gain)
        else:
            stamp(plus, branches[by], gain)
            stamp(minus, branches[by], -gain)
    behavioural: list[tuple[Behavioural, np.ndarray, tuple[float, float]]] = []
    for source in circuit.behavioural:
        plus, minus = np.asarray(source.plus) - 1, np.asarray(source.minus) - 1
        if source.kind == "v":
            current = branches[used : used + len(plus)]
            used += len(plus)
            voltage_defined(current, plus, minus)
            behavioural.append((source, np.stack([current, current], 1), (-1.0, 0.0)))
        else:
            behavioural.append((source, np.stack([plus, minus], 1), (1.0, -1.0)))
    size = nodes + len(branches)
    if circuit.amplifiers is not None:
        near, far = np.asarray(circuit.amplifiers.near) - 1, np.asarray(circuit.amplifiers.far) - 1
        gain = np.asarray(circuit.amplifiers.gain)
        current = size + np.arange(len(near))
        size += len(near)
        voltage_defined(current, far, np.full(len(far), -1))
        stamp(current, near, -gain)
        stamp(near, current, -1.0 / gain)
    entries.append((np.arange(nodes), np.arange(nodes), np.zeros(nodes)))
    rows, columns, values = (np.concatenate([e[i] for e in entries]) for i in range(3))
    constant = np.zeros(size)
    constant[held] = sources[: len(held)]

    def number(ends: np.ndarray) -> np.ndarray:
        return np.where(ends == 0, size, ends - 1).astype(np.int32)

    def sensing(source: Behavioural, ends: np.ndarray, signs: tuple[float, float]) -> Sensing:
        sensed = np.asarray(source.sensed)
        unknown = np.where(sensed < 0, nodes - 1 - sensed, number(sensed))
        against, reference = None, source.law.reference
        if reference is not None:
            # A current has nothing to be counted from.
            against = np.where(sensed < 0, size, unknown[:, reference : reference + 1])
        return Sensing(source.law, unknown, against, np.where(ends < 0, size, ends), signs)

    return System(
        first=tuple(number(np.asarray(b.first)) for b in circuit.branches),
        second=tuple(number(np.asarray(b.second)) for b in circuit.branches),
        first_factor=None,
        second_factor=None,
        weight=None,
        offset=None,
        elements=circuit.elements(sources),
        behavioural=tuple(sensing(*group) for group in behavioural),
        rows=rows.astype(np.int32),
        columns=columns.astype(np.int32),
        values=values,
        constant=constant,
        size=size,
    )
