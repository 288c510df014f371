"""Operating points of many inputs at once: a small circuit so many times over is one circuit whose matrix falls into blocks.

All inputs take their Newton steps together, in NumPy's arrays and one stacked linear solution, each until it has arrived; so
an input's result does not depend on its company. What does not arrive, or is not certified, is left to
`mho.steady.newton`, one by one.
"""

import dataclasses
from contextlib import suppress
from typing import Any

import jax
import numpy as np

from mho.compensated import Pair, added, two_sum
from mho.elements import CurrentSource
from mho.networks.circuit import Circuit
from mho.steady.certificate import allowed_bounds, certified, law_noise
from mho.steady.equations import System, correction, from_rest, imbalance, move, tangents
from mho.steady.limited_newton import small
from mho.steady.linear_solvers import LinearSolve, Work
from mho.steady.modified_system import modified_system
from mho.steady.reduced_system import branch_currents, node_voltages, reduced_system

_DRAWS, _LONGER = 5, 1e3
LARGEST = 150
"""Unknowns of the largest circuit whose inputs are solved together, and whose error bounds count each element's rounding."""
_STEPS, _REFINEMENTS = 60, 4
_ENTRIES = 2**21
"""Of the right-hand sides of the error bounds, at the most: it bounds the memory."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A certified operating point."""

    voltages: np.ndarray
    """[V], (nodes,)."""
    currents: np.ndarray
    """Through `Circuit.branch_names`, then into the far sides of the amplifiers [A]."""
    residual: float
    bounds: np.ndarray
    """[V], (nodes,)."""
    iterations: int
    work: Work


def points_together(circuit: Circuit, sources: np.ndarray, rtol: float) -> list[Point | None]:
    """The operating points of a circuit of at most `LARGEST` unknowns; None where there is to be another way.

    Args:
        circuit: the circuit, in NumPy's arrays.
        sources: `Circuit.sources` of each input, (inputs, sources).
        rtol: tolerance of the residual.
    """
    reduced = circuit.ties is not None
    base = (reduced_system if reduced else modified_system)(circuit, sources[0])
    columns = base.size + sum(len(first) for first in base.first)
    at_once = max(1, _ENTRIES // (base.size * columns))
    parts = [sources[k : k + at_once] for k in range(0, len(sources), at_once)]
    return [point for part in parts for point in _points(circuit, part, rtol, reduced=reduced)]


def _points(circuit: Circuit, sources: np.ndarray, rtol: float, *, reduced: bool) -> list[Point | None]:
    times = len(sources)
    system = repeated_system(circuit, sources, reduced=reduced)
    linear = block_solver(system, times)
    unknowns, step, arrived, steps = _newton(system, linear, times, rtol, symmetric=reduced)
    unknowns, found = refined(system, linear, unknowns, step, times)
    bounds = found.reshape(times, -1)
    values, tails = (x.reshape(times, -1) for x in unknowns)
    if not reduced:
        inner = circuit.nodes - 1
        voltages = np.pad(values[:, :inner], ((0, 0), (1, 0))), np.pad(tails[:, :inner], ((0, 0), (1, 0)))
        currents, node_bounds = values[:, inner:], np.pad(bounds[:, :inner], ((0, 0), (1, 0)))
    else:
        voltages = node_voltages(circuit, (values, tails), sources)
        node_bounds = held_bounds(circuit, bounds)
        ends = [(voltages[0][:, b.first], voltages[0][:, b.second], b) for b in circuit.branches]
        drops: list[Any] = [(p - q) + (voltages[1][:, b.first] - voltages[1][:, b.second]) for p, q, b in ends]
        elements = circuit.elements(sources)
        currents = branch_currents(circuit, [np.asarray(e.current(d)) for e, d in zip(elements, drops, strict=True)])
    node_bounds = with_rounding(node_bounds, voltages[0])
    whole = repeated_system(circuit, sources, reduced=False)
    at = (
        np.concatenate([voltages[0][:, 1:], currents], 1).reshape(-1),
        np.pad(voltages[1][:, 1:], ((0, 0), (0, currents.shape[1]))).reshape(-1),
    )
    residual, in_range = certified(whole, at, times)
    good = arrived & in_range & (residual <= rtol) & (node_bounds <= allowed_bounds(voltages[0])).all(1)
    return [
        Point(voltages[0][k], currents[k], float(residual[k]), node_bounds[k], int(steps[k]), Work())
        if good[k]
        else None
        for k in range(times)
    ]


def repeated_system(circuit: Circuit, sources: np.ndarray, *, reduced: bool) -> System:
    """The equations of all inputs, one set after the other.

    Args:
        circuit: the circuit.
        sources: `Circuit.sources` of each input, (inputs, sources).
        reduced: of `mho.steady.reduced_system`, or else of `mho.steady.modified_system`.
    """
    base = (reduced_system if reduced else modified_system)(circuit, sources[0])
    times, size = len(sources), base.size

    def at(unknown: np.ndarray) -> np.ndarray:
        number = unknown + size * np.arange(times).reshape(-1, *[1] * unknown.ndim)
        return np.where(unknown == size, times * size, number).reshape(-1, *unknown.shape[1:]).astype(np.int32)

    def tiled(groups: tuple[np.ndarray, ...] | None) -> tuple[np.ndarray, ...] | None:
        return None if groups is None else tuple(np.tile(values, times) for values in groups)

    def element(index: int) -> Any:
        if index == circuit.current_inputs:
            return CurrentSource(-sources[:, len(circuit.source_names) :].reshape(-1))  # type: ignore[arg-type]
        return jax.tree.map(lambda p: np.tile(p, times), circuit.branches[index].element)

    offset, constant = None, np.tile(base.constant, (times, 1))
    if base.offset is not None:
        node = circuit.offsets(sources)
        ends = [two_sum(node[:, b.first], -node[:, b.second]) for b in circuit.branches]
        offset = tuple((value.reshape(-1), tail.reshape(-1)) for value, tail in ends)
    if not reduced:
        held = circuit.nodes - 1 + np.arange(len(circuit.source_names))
        constant[:, held] = sources[:, : len(held)]
    return System(
        first=tuple(map(at, base.first)),
        second=tuple(map(at, base.second)),
        first_factor=tiled(base.first_factor),
        second_factor=tiled(base.second_factor),
        weight=tiled(base.weight),
        offset=offset,
        elements=tuple(element(k) for k in range(len(base.elements))),
        behavioural=tuple(
            dataclasses.replace(
                s,
                law=s.law.repeated(len(s.rows), times),
                sensed=at(s.sensed),
                against=None if s.against is None else at(s.against),
                rows=at(s.rows),
            )
            for s in base.behavioural
        ),
        rows=at(base.rows),
        columns=at(base.columns),
        values=np.tile(base.values, times),
        constant=constant.reshape(-1),
        size=times * size,
    )


def block_solver(system: System, times: int) -> LinearSolve:
    """A solver of systems whose matrices fall into so many blocks; see `mho.steady.linear_solvers.linear_solver`."""
    rows, columns = (np.asarray(x, np.int64) for x in system.places())
    size = system.size // times
    inside = np.flatnonzero((rows < system.size) & (columns < system.size))
    place = rows[inside] * size + columns[inside] % size

    def solve(entries: np.ndarray, right: np.ndarray) -> np.ndarray:
        matrix = np.bincount(place, weights=entries[inside], minlength=times * size**2).reshape(times, size, size)
        many = right.reshape(times, size, -1)
        try:
            found = np.linalg.solve(matrix, many)
        except np.linalg.LinAlgError:
            found = np.full_like(many, np.nan)
            for k in range(times):
                with suppress(np.linalg.LinAlgError):
                    found[k] = np.linalg.solve(matrix[k], many[k])
        return found.reshape(right.shape)

    return solve


def _newton(
    system: System, linear: LinearSolve, times: int, rtol: float, *, symmetric: bool
) -> tuple[Pair, np.ndarray, np.ndarray, np.ndarray]:
    """As `mho.steady.limited_newton.limited_newton`, block by block: unknowns, last steps; which arrived, in how many."""
    unknowns: Pair = (np.zeros(system.size), np.zeros(system.size))
    drops = system.drops(*unknowns)
    stands, laws = from_rest(system, unknowns[0]) if symmetric else (drops, tangents(system, drops))
    last = np.full((times, system.size // times), np.inf)
    going, arrived, steps = np.ones(times, bool), np.zeros(times, bool), np.zeros(times, int)
    for _ in range(_STEPS):
        step = linear(*correction(system, stands, laws, unknowns, drops)).reshape(last.shape)
        going &= np.isfinite(step).all(1)
        last[going], steps[going] = step[going], steps[going] + 1
        unknowns = added(unknowns, np.where(going[:, None], step, 0.0).reshape(-1))
        drops = system.drops(*unknowns)
        there = tangents(system, drops)
        balanced = imbalance(system, unknowns, there)[1].reshape(last.shape).max(1, initial=0.0) <= rtol
        there_now = going & balanced & small(step, unknowns[0].reshape(last.shape)).all(1)
        arrived |= there_now
        going &= ~there_now
        if not going.any():
            break
        stands, laws = move(system, stands, laws, drops, there)
    return unknowns, last.reshape(-1), arrived, steps


def refined(
    system: System, linear: LinearSolve, unknowns: Pair, step: np.ndarray, times: int = 1
) -> tuple[Pair, np.ndarray]:
    """The unknowns after steps that no longer shrink, and the error bound of each, of a system of so many blocks.

    Args:
        system: the equations.
        linear: solves with their derivative.
        unknowns: at the operating point, (size,).
        step: the last one to it, (size,).
        times: blocks.
    """
    better = np.ones(times, bool)
    # The last step may have been a part of Newton's, so that the first one here is longer.
    largest = _LONGER * np.abs(step).reshape(times, -1).max(1)
    following = step
    for _ in range(_REFINEMENTS):
        laws = tangents(system, drops := system.drops(*unknowns))
        following = linear(system.entries(tuple(g for _, g in laws)), -imbalance(system, unknowns, laws)[0])
        size = np.abs(following).reshape(times, -1).max(1)
        better &= size < largest
        if not better.any():
            break
        taken = np.repeat(better, system.size // times)
        step, largest = np.where(taken, following, step), np.where(better, size, largest)
        unknowns = added(unknowns, np.where(taken, following, 0.0))
    noise = system.parts(tuple(law_noise(system, laws, drops, times)))
    bounds = np.maximum(np.abs(step), np.abs(following))
    return unknowns, bounds + _effects(system, linear, system.entries(tuple(g for _, g in laws)), noise, times)


def _effects(
    system: System, linear: LinearSolve, entries: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]], times: int
) -> np.ndarray:
    """How far the elements' rounding may move the unknowns: Σ_k |J⁻¹ (e_a − e_b)| noise_k, for it enters both ends alike.

    Args:
        system: the equations.
        linear: solves with J.
        entries: of J.
        parts: `System.parts` of the noise, two a group.
        times: blocks, alike but for their numbers.
    """
    size = system.size // times

    def by_block(part: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        value, place = part[0].reshape(times, -1), part[1][: len(part[1]) // times]
        return value, np.where(place == system.size, size, place)

    def put(into: np.ndarray, rows: np.ndarray, at: np.ndarray, values: np.ndarray) -> None:
        where: Any = (slice(None), rows, at)
        np.add.at(into, where, values)

    alone, columns = np.zeros((times, size + 1, size + 1)), []
    for first, second in zip(parts[::2], parts[1::2], strict=True):
        (value, place), (other, other_place) = by_block(first), by_block(second)
        single = (place == size) | (other_place == size)
        double = np.flatnonzero(~single)
        group = np.zeros((times, size + 1, len(double)))
        for values, at in ((value, place), (other, other_place)):
            put(alone, at[single], at[single], np.abs(values[:, single]))
            put(group, at[double], np.arange(len(double)), values[:, double])
        columns.append(group)
    right = np.concatenate([*columns, alone[:, :, :-1]], axis=2)[:, :-1]
    return np.abs(linear(entries, right.reshape(system.size, -1))).sum(1)


def sketched_effects(system: System, linear: LinearSolve, unknowns: Pair) -> np.ndarray:
    """As `_effects`, for circuits too large for a column an element, from a few solutions.

    Σ_k c_k x_k of Cauchy variables c_k is one with scale Σ_k |x_k| (Indyk 2006, "Stable distributions, pseudorandom
    generators, embeddings, and data stream computation", J. ACM 53, 307), so J⁻¹ of the elements' noise, times such
    variables, tells the sum that is looked for. The largest of so many draws is below a quarter of it once in 10,000 times;
    `law_noise` is a good deal more than rounding makes.
    """
    laws = tangents(system, drops := system.drops(*unknowns))
    noise, entries = law_noise(system, laws, drops), system.entries(tuple(g for _, g in laws))
    draws = np.random.default_rng(0)
    largest = np.zeros(system.size)
    for _ in range(_DRAWS):
        flows = system.flows(tuple(n * draws.standard_cauchy(n.shape) for n in noise))
        largest = np.maximum(largest, np.abs(linear(entries, np.asarray(flows))))
    return largest


def held_bounds(circuit: Circuit, bounds: np.ndarray) -> np.ndarray:
    """Error bounds of the nodes [V], (..., nodes), from those of the free groups, (..., free)."""
    padded = np.concatenate([bounds, np.zeros((*bounds.shape[:-1], 1))], -1)
    return np.abs(circuit.tied.factor) * padded[..., circuit.tied.group]


def with_rounding(bounds: np.ndarray, voltages: np.ndarray) -> np.ndarray:
    """Error bounds of the nodes with the rounding of their voltages [V], (..., nodes); ground has none."""
    rounded = bounds + 0.5 * np.spacing(np.maximum(np.abs(voltages), 1.0))
    rounded[..., 0] = 0.0
    return rounded
