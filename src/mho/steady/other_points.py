"""Whether a circuit has more than one operating point: a search, no proof that there is none.

A circuit with an energy has one. One without, with positive feedback, may have several, of which SPICE and mho each find
one; which of them a chip would take, its history decides. So the circuit is solved again from other starts, and an operating
point is judged by the eigenvalues of the circuit with a capacitor at every node: where one grows, it doesn't last
(Chua and Lin 1975, Computer-Aided Analysis of Electronic Circuits, chapter 17).
"""

import numpy as np
import scipy.linalg

from mho.errors import MhoError
from mho.networks.circuit import Circuit
from mho.precision import double
from mho.steady.equations import is_linear, tangents
from mho.steady.modified_system import modified_system
from mho.steady.newton import CircuitSolution, solve_circuit

MOST_NODES = 150
"""Nodes up to which a circuit is searched."""
_REACHES = (1.0, 1.0, 0.3, 0.3, 0.1, 0.1)
"""How far from 0 V other starts are, as shares of the largest voltage."""
_APART = 1e-6
"""Voltages that differ by more than this [V; relative above 1 V] are two operating points."""


def other_point(circuit: Circuit, found: CircuitSolution) -> CircuitSolution | None:
    """Another operating point of a circuit than the one found, or None where none turned up.

    Circuits with an energy or without nonlinear elements have no other; those of more than 150 nodes are not searched.

    Args:
        circuit: the circuit.
        found: its operating point, for one input.
    """
    linear = all(is_linear(b.element) for b in circuit.branches) and not circuit.behavioural
    if circuit.ties is not None or linear or circuit.nodes > MOST_NODES:
        return None
    scale = float(max(np.abs(found.voltages).max(), np.abs(circuit.source_voltage).max(initial=0.0), 1.0))
    random = np.random.default_rng(0)
    starts = [-found.voltages, *(reach * scale * random.uniform(-1.0, 1.0, circuit.nodes) for reach in _REACHES)]
    for start in starts:
        try:
            again = solve_circuit(circuit, start=np.append(0.0, start[1:]))
        except MhoError:
            continue
        if (np.abs(again.voltages - found.voltages) > _APART * np.maximum(1.0, np.abs(found.voltages))).any():
            return again
    return None


def lasts(circuit: Circuit, point: CircuitSolution) -> bool:
    """Whether a small deviation from an operating point dies away, with equal capacitors at all nodes."""
    system = modified_system(circuit, np.asarray(circuit.source_voltage))
    nodes = circuit.nodes - 1
    y = np.concatenate([point.voltages[1:], point.source_currents, point.amplifier_currents])
    with np.errstate(all="ignore"):
        slopes = tuple(g for _, g in double(tangents)(system, system.drops(y)))
        rows, columns = system.places()
        jacobian = np.zeros((system.size + 1, system.size + 1))
        np.add.at(jacobian, (rows, columns), system.entries(slopes))
        storing = np.diag(np.where(np.arange(system.size) < nodes, 1.0, 0.0))
        rates = scipy.linalg.eigvals(-jacobian[:-1, :-1], storing)
    finite = rates[np.isfinite(rates) & (np.abs(rates) < 1e12 * np.abs(jacobian).max())]
    return bool((np.real(finite) <= 0).all())
