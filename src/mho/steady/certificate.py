"""What an operating point is judged by: Kirchhoff's laws, computed apart from the solver that found it.

Whatever way a circuit was solved, by a reduced system or a modified one, its node voltages and source currents are put into
the equations of all its nodes and sources (modified nodal analysis), with the laws of its elements as they stand in the
circuit. An operating point is accepted if all numbers are finite, all elements within the range of their laws, and

- the residual, the largest imbalance of Kirchhoff's current law at a node relative to the largest current there (of a
  source's equation relative to the largest voltage in it), is below the tolerance. Sums are exact to a rounding and voltages
  known to twice the precision of a double, so there is no allowance for rounding that could hide a wrong voltage;
- the error bound of every node is below `BOUND_SHARE` of its voltage or `BOUND_LEAST`. It is the residual through the
  inverse of the Jacobian, i.e. the next step of Newton's method, as in iterative refinement (Higham 2002, Accuracy and
  Stability of Numerical Algorithms, chapter 12), plus what a few ulp of each element's own current would
  change (by the inverse itself in small circuits, by a sketch of it in those of up to 5,000 unknowns), plus the rounding of
  the voltage.
"""

import dataclasses
from typing import Any

import numpy as np

from mho.compensated import Pair
from mho.errors import MhoError
from mho.networks.circuit import Circuit
from mho.steady.equations import System, Tangents, imbalance
from mho.steady.modified_system import modified_system

BOUND_SHARE = 1e-7
BOUND_LEAST = 1e-7
"""[V]"""
_LAW_ULPS = 16.0
"""Rounding of a law's own evaluation and of its parameters."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """How well an operating point obeys Kirchhoff's laws."""

    residual: float
    """Largest relative imbalance; see the module."""
    place: str
    """The node or the source's equation where it is, with the element that carries most there."""
    out_of_range: str | None
    """An element that stands where its law does not hold, and where that is; None if there is none."""


def certify(circuit: Circuit, sources: np.ndarray, voltages: Pair, currents: np.ndarray) -> Certificate:
    """The certificate of an operating point.

    Args:
        circuit: the circuit.
        sources: voltages of its independent sources [V], (sources,).
        voltages: of its nodes [V], (nodes,), as a pair.
        currents: through `Circuit.branch_names`, then into the far sides of the amplifiers [A].
    """
    system = modified_system(circuit, sources)
    unknowns = np.append(voltages[0][1:], currents), np.append(voltages[1][1:], np.zeros(len(currents)))
    with np.errstate(all="ignore"):
        drops, laws = _laws(system, unknowns)
        relative = imbalance(system, unknowns, laws)[1]
        outside = _out_of_range(circuit, drops)
    finite = np.isfinite(relative)
    if not finite.all() or not all(np.isfinite(u).all() for u in unknowns):
        return Certificate(np.inf, _place(circuit, int(np.argmin(finite)), laws), outside)
    worst = int(np.argmax(relative)) if relative.size else -1
    return Certificate(float(relative[worst]) if relative.size else 0.0, _place(circuit, worst, laws), outside)


def certified(system: System, unknowns: Pair, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of many operating points, and whether no element of theirs is out of its range, (times,) each.

    Args:
        system: the equations of `modified_system` so many times over, one set after the other.
        unknowns: of all sets.
        times: how many.
    """
    drops, laws = _laws(system, unknowns)
    relative = imbalance(system, unknowns, laws)[1].reshape(times, -1).max(1, initial=0.0)
    ranged: list[Any] = [e.in_range(d) for e, d in zip(system.elements, drops, strict=False)]  # type: ignore[arg-type]
    ranged += [s.law.in_range(d) for s, d in zip(system.behavioural, drops[len(ranged) :], strict=True)]
    finite = np.isfinite(np.stack(unknowns)).reshape(2, times, -1).all((0, 2))
    inside = np.stack([finite, *(np.asarray(inner).reshape(times, -1).all(1) for inner in ranged)])
    return np.where(finite, relative, np.inf), np.asarray(inside.all(0))


def _laws(system: System, unknowns: Pair) -> tuple[tuple[np.ndarray, ...], Tangents]:
    drops = system.drops(*unknowns)
    count = len(system.elements)
    laws = [
        (np.asarray(e.current(d)), np.asarray(e.slope(d))) for e, d in zip(system.elements, drops[:count], strict=True)
    ]
    laws += [s.law.tangent(at) for s, at in zip(system.behavioural, drops[count:], strict=True)]
    return drops, tuple(laws)


def _out_of_range(circuit: Circuit, drops: tuple[np.ndarray, ...]) -> str | None:
    for branch, drop in zip(circuit.branches, drops, strict=False):
        wrong = ~np.asarray(branch.element.in_range(drop))  # pyright: ignore[reportArgumentType]
        if wrong.any():
            k = int(np.argmax(wrong))
            with np.errstate(all="ignore"):
                current = float(np.asarray(branch.element.current(drop))[k])  # pyright: ignore[reportArgumentType]
            return f"{element_name(circuit, branch, k)} at {drop[k]:.6g} V, where its law gives {current:.3g} A"
    for source, sensed in zip(circuit.behavioural, drops[len(circuit.branches) :], strict=True):
        wrong = ~np.asarray(source.law.in_range(sensed))
        if wrong.any():
            return (
                f"a behavioural source of {source.name!r} at {', '.join(f'{x:.6g}' for x in sensed[np.argmax(wrong)])}"
            )
    return None


def element_name(circuit: Circuit, branch, k: int) -> str:
    """An element's label, or its group and number, with its nodes."""
    label = f"{branch.name}[{k}]" if branch.labels is None else branch.labels[k]
    names = circuit.node_names
    return f"{label} ({names[int(branch.first[k])]} to {names[int(branch.second[k])]})"


def _place(circuit: Circuit, unknown: int, laws: Tangents) -> str:
    if unknown < 0:
        return "no node"
    node = unknown + 1
    if node >= circuit.nodes:
        source = node - circuit.nodes
        return f"source {circuit.branch_names[source]!r}" if source < len(circuit.branch_names) else "an amplifier"
    most, carrier = -1.0, ""
    for branch, (current, _) in zip(circuit.branches, laws, strict=False):
        at = np.flatnonzero((np.asarray(branch.first) == node) | (np.asarray(branch.second) == node))
        if at.size:
            k = int(at[np.argmax(np.nan_to_num(np.abs(current[at]), nan=np.inf))])
            if not abs(current[k]) <= most:
                most, carrier = abs(current[k]), f", at {element_name(circuit, branch, k)} with {current[k]:.3g} A"
    return f"node {circuit.node_names[node]!r}{carrier}"


def require(certificate: Certificate, bounds: np.ndarray, circuit: Circuit, voltages: np.ndarray, rtol: float) -> None:
    """Accept an operating point, or say what is wrong with it.

    Args:
        certificate: of the operating point.
        bounds: error bound of each node [V], (nodes,).
        circuit: the circuit.
        voltages: of its nodes [V], (nodes,).
        rtol: tolerance of the residual.

    Raises:
        MhoError: for an element out of its range, a residual above the tolerance or voltages that are not determined.
    """
    if certificate.out_of_range is not None:
        raise MhoError(f"no physical operating point: {certificate.out_of_range}; give the circuit a resistance there")
    if not certificate.residual <= rtol:
        raise MhoError(
            f"Kirchhoff's laws are not met: residual {certificate.residual:.3g} at {certificate.place}; "
            f"the tolerance is {rtol:g}"
        )
    allowed = allowed_bounds(voltages)
    if not (bounds <= allowed).all():
        worst = int(np.argmax(np.nan_to_num(bounds / allowed, nan=np.inf)))
        raise MhoError(
            f"node {circuit.node_names[worst]!r} is determined no better than {bounds[worst]:.3g} V: "
            "connect it by a smaller resistance"
        )


def allowed_bounds(voltages: np.ndarray) -> np.ndarray:
    """The largest error bound of each node that is accepted [V]."""
    return BOUND_SHARE * np.abs(voltages) + BOUND_LEAST


def law_noise(system: System, laws: Tangents, drops: tuple[np.ndarray, ...], times: int = 1) -> list[np.ndarray]:
    """What rounding may change of each element's current [A]: of its law's evaluation, and of sums of source voltages.

    Of a system so many times over each set's own sources count.
    """
    ulp = np.finfo(np.float64).eps
    largest = np.zeros(times)
    for offset, _ in system.offset or ():
        largest = np.maximum(largest, np.abs(offset).reshape(times, -1).max(1, initial=0.0))
    found = []
    for (value, slope), drop in zip(laws, drops, strict=True):
        held = np.repeat(largest, len(drop) // times).reshape(-1, *[1] * (drop.ndim - 1))
        share = np.abs(slope) * (np.abs(drop) + held)
        found.append(_LAW_ULPS * ulp * (np.abs(value) + (share if share.ndim == 1 else share.sum(-1))))
    return found
