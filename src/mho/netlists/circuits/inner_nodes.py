"""Resistances between a transistor's terminals and its inner nodes, which ngspice names `m1#drain` and the like."""

from collections.abc import Sequence

import numpy as np

from mho.networks.circuit_builder import CircuitBuilder


def behind_resistances(
    builder: CircuitBuilder, names: Sequence[str], outer: np.ndarray, resistance: np.ndarray, end: str, what: str
) -> np.ndarray:
    """The inner nodes of transistors at one end, where they have a resistance, which is added; the terminals elsewhere.

    Args:
        builder: of the circuit.
        names: of the transistors, (n,).
        outer: their terminals' nodes, (n,).
        resistance: [Ω], (n,); 0 for none.
        end: which end: ``drain``.
        what: the transistors' kind, for the group's name.
    """
    inner = np.array([f"{name}#{end}" for name in names], dtype=object)
    rows = np.flatnonzero(resistance > 0)
    if rows.size:
        labels = [f"{names[k]} (R{end[0].upper()})" for k in rows.tolist()]
        conductance = 1.0 / resistance[rows]
        builder.add_resistors(
            outer[rows], inner[rows], conductance, name=f"resistances of {what} {end}s", labels=labels
        )
    return np.where(resistance > 0, inner, outer)
