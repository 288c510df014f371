"""Steady states of any circuit by Newton's method, safeguarded element by element and, at need, by the energy.

Every iteration replaces each element by its tangent at the voltage where the element stands, solves the linear circuit and
moves the elements. An exponential law makes plain Newton steps overshoot by volts, so an element moves to where it carries
the current that its tangent predicted, if that is nearer than the predicted voltage: the step limiting of SPICE (Nagel
1975), here for any increasing law and without its constants. A circuit with an energy that has not converged so is taken
over by Newton's method with a line search on that energy, which converges from anywhere where the laws increase; one
without by gmin stepping and source stepping.

Linear systems: dense (small circuits), KLU (klujax, one symbolic analysis for all iterations and samples) or conjugate
gradients with a Jacobi preconditioner (symmetric circuits whose factors would fill the memory).
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.ops import segment_max, segment_sum
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from mho.elements import CurrentSource, ProgrammableResistor, TwoTerminal
from mho.errors import InputError, MhoError
from mho.networks.circuit import Circuit
from mho.precision import double

Method = Literal["auto", "dense", "klu", "cg"]

DENSE_LIMIT = 150
"""Unknowns up to which a dense solve is faster than KLU on a lattice: 0.4 ms each at 143, 2.2 and 0.6 ms at 323 (2 cores)"""
FRONT_LIMIT = 1500
"""Width of the factors' largest front above which conjugate gradients are the choice; see `_front_width`."""

_LIMITED_ITERATIONS = 60
_SEARCH_ITERATIONS = 300
_BISECTIONS = 40


class System(eqx.Module):
    """A circuit's equations F(y) = Σ_k ± w_k i_k + K y − r = 0, where branch k sees f_a y[a] − f_b y[b] + offset.

    Eliminated sources leave K empty and the derivative of F symmetric; modified nodal analysis (Ho, Ruehli and Brennan
    1975) puts the equations of its sources into K and r.
    """

    first: tuple[Array, ...]
    second: tuple[Array, ...]
    first_factor: tuple[Array, ...]
    second_factor: tuple[Array, ...]
    weight: tuple[Array, ...]
    offset: tuple[Array, ...]
    """What the sources add to each branch's voltage [V]."""
    elements: tuple[TwoTerminal, ...]
    rows: Array
    columns: Array
    values: Array
    constant: Array
    """r, (size,)."""
    size: int = eqx.field(static=True)

    def drops(self, y: Array) -> tuple[Array, ...]:
        """Branch voltages [V]."""
        y = jnp.append(y, 0.0)
        return tuple(
            fa * y[a] - fb * y[b] + o
            for a, b, fa, fb, o in zip(
                self.first, self.second, self.first_factor, self.second_factor, self.offset, strict=True
            )
        )

    def flows(self, currents: tuple[Array, ...]) -> Array:
        """Σ_k ± w_k i_k at every unknown, (size,)."""
        total = jnp.zeros(self.size + 1)
        for a, b, fa, fb, w, i in zip(
            self.first, self.second, self.first_factor, self.second_factor, self.weight, currents, strict=True
        ):
            total = total + segment_sum(w * fa * i, a, self.size + 1) - segment_sum(w * fb * i, b, self.size + 1)
        return total[: self.size]

    def entries(self, slopes: tuple[Array, ...]) -> Array:
        """Values of F's derivative at the places that `places` gives, K's last."""
        parts = []
        for fa, fb, w, g in zip(self.first_factor, self.second_factor, self.weight, slopes, strict=True):
            parts += [w * fa * fa * g, w * fb * fb * g, -w * fa * fb * g, -w * fa * fb * g]
        return jnp.concatenate([*parts, self.values])

    def places(self) -> tuple[Array, Array]:
        """Rows and columns of `entries`; those of held nodes are `size`."""
        rows, columns = [], []
        for a, b in zip(self.first, self.second, strict=True):
            rows += [a, b, a, b]
            columns += [a, b, b, a]
        return jnp.concatenate([*rows, self.rows]), jnp.concatenate([*columns, self.columns])

    def constants(self, y: Array) -> Array:
        """K y − r, (size,)."""
        return segment_sum(self.values * y[self.columns], self.rows, self.size) - self.constant

    def energy(self, y: Array) -> Array:
        """Σ w p [W]."""
        terms = zip(self.weight, self.elements, self.drops(y), strict=True)
        return sum((jnp.sum(w * e.co_content(d)) for w, e, d in terms), start=jnp.zeros(()))


class CircuitSolution(eqx.Module):
    """An operating point, or a batch of them in the leading axis."""

    voltages: np.ndarray
    """Node voltages [V], (..., nodes)."""
    source_currents: np.ndarray
    """Through each independent voltage source [A], from its positive node through the source to its negative node, as
    SPICE counts it; (..., sources)."""
    residual: np.ndarray
    """Largest imbalance of Kirchhoff's current law at a node, relative to the largest branch current there; (...)."""
    iterations: np.ndarray
    """Linear circuits solved, (...)."""
    method: str = eqx.field(static=True)


def is_linear(element: TwoTerminal) -> bool:
    """Whether an element's tangent is the element."""
    return isinstance(element, ProgrammableResistor | CurrentSource)


def reduced_system(circuit: Circuit, sources: Array) -> System:
    """The equations of a circuit with an energy, for one set of source voltages: the free groups' voltages."""
    ties = circuit.tied
    offsets = circuit.offsets(sources)
    ends = [(b.first, b.second) for b in circuit.branches]
    return System(
        first=tuple(jnp.asarray(ties.group)[a] for a, _ in ends),
        second=tuple(jnp.asarray(ties.group)[b] for _, b in ends),
        first_factor=tuple(jnp.asarray(ties.factor)[a] for a, _ in ends),
        second_factor=tuple(jnp.asarray(ties.factor)[b] for _, b in ends),
        weight=tuple(jnp.asarray(w) for w in ties.weights),
        offset=tuple(offsets[a] - offsets[b] for a, b in ends),
        elements=tuple(b.element for b in circuit.branches),
        rows=jnp.zeros(0, jnp.int32),
        columns=jnp.zeros(0, jnp.int32),
        values=jnp.zeros(0),
        constant=jnp.zeros(ties.free),
        size=ties.free,
    )


def modified_system(circuit: Circuit, sources: Array) -> System:
    """Modified nodal analysis: node voltages, then currents of voltage sources, amplifiers' far sides, E and H sources."""
    nodes = circuit.nodes - 1
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = 0

    def stamp(row: Any, column: Any, value: Any) -> None:
        row, column, value = np.broadcast_arrays(row, column, np.asarray(value, np.float64))
        inside = (row >= 0) & (column >= 0)
        entries.append((row[inside], column[inside], value[inside]))

    def unknowns(number: int) -> np.ndarray:
        nonlocal count
        count += number
        return nodes + count - number + np.arange(number)

    plus, minus = np.asarray(circuit.source_plus) - 1, np.asarray(circuit.source_minus) - 1
    held = unknowns(len(plus))

    def voltage_defined(current: np.ndarray, p: np.ndarray, m: np.ndarray) -> None:
        for node, sign in ((p, 1.0), (m, -1.0)):
            stamp(node, current, sign)
            stamp(current, node, sign)

    voltage_defined(held, plus, minus)
    if circuit.amplifiers is not None:
        near, far = np.asarray(circuit.amplifiers.near) - 1, np.asarray(circuit.amplifiers.far) - 1
        gain = np.asarray(circuit.amplifiers.gain)
        current = unknowns(len(near))
        voltage_defined(current, far, np.full(len(far), -1))
        stamp(current, near, -gain)
        stamp(near, current, -1.0 / gain)
    for group in circuit.controlled:
        p, m, gain = np.asarray(group.plus) - 1, np.asarray(group.minus) - 1, np.asarray(group.gain)
        by = np.asarray(group.control)
        if group.kind in "eh":
            current = unknowns(len(p))
            voltage_defined(current, p, m)
            if group.kind == "e":
                stamp(current, by[0] - 1, -gain)
                stamp(current, by[1] - 1, gain)
            else:
                stamp(current, held[by], -gain)
        elif group.kind == "g":
            for node, sign in ((p, 1.0), (m, -1.0)):
                stamp(node, by[0] - 1, sign * gain)
                stamp(node, by[1] - 1, -sign * gain)
        else:
            stamp(p, held[by], gain)
            stamp(m, held[by], -gain)
    size = nodes + count
    # Conductances from every node to ground, 0 S here: the last entries, for gmin stepping.
    entries.append((np.arange(nodes), np.arange(nodes), np.zeros(nodes)))
    rows, columns, values = (np.concatenate([e[i] for e in entries]) for i in range(3))

    def number(ends: Array | np.ndarray) -> Array:
        return jnp.where(jnp.asarray(ends) == 0, size, jnp.asarray(ends) - 1).astype(jnp.int32)

    ones = tuple(jnp.ones(len(b.first)) for b in circuit.branches)
    return System(
        first=tuple(number(b.first) for b in circuit.branches),
        second=tuple(number(b.second) for b in circuit.branches),
        first_factor=ones,
        second_factor=ones,
        weight=ones,
        offset=tuple(jnp.zeros(len(b.first)) for b in circuit.branches),
        elements=tuple(b.element for b in circuit.branches),
        rows=jnp.asarray(rows, jnp.int32),
        columns=jnp.asarray(columns, jnp.int32),
        values=jnp.asarray(values),
        constant=jnp.zeros(size).at[held].set(sources),
        size=size,
    )


def correction(system: System, stands: tuple[Array, ...], y: Array) -> tuple[Array, Array]:
    """The linear circuit at the voltages where the elements stand, as an equation for the change of y.

    Returns `entries` and the right-hand side, which is −F(y) once the elements stand at y's own voltages: a solution need
    then be good to a few digits only, for what it leaves is the next right-hand side.
    """
    slopes = tuple(e.slope(u) for e, u in zip(system.elements, stands, strict=True))
    predicted = tuple(
        e.current(u) + g * (d - u) for e, u, g, d in zip(system.elements, stands, slopes, system.drops(y), strict=True)
    )
    return system.entries(slopes), -system.flows(predicted) - system.constants(y)


def limited(element: TwoTerminal, stand: Array, drop: Array) -> Array:
    """Where an element moves that stood at one voltage and whose tangent predicts another [V].

    To where it carries the tangent's current, or to the predicted voltage, whichever is nearer.
    """
    predicted = element.current(stand) + element.slope(stand) * (drop - stand)
    up = drop > stand

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        near, far = bracket
        middle = 0.5 * (near + far)
        value = element.current(middle)
        beyond = jnp.where(up, value > predicted, value < predicted)
        return jnp.where(beyond, near, middle), jnp.where(beyond, middle, far)

    near, _ = jax.lax.fori_loop(0, _BISECTIONS, halve, (stand, drop))
    value = element.current(drop)
    return jnp.where(jnp.where(up, value > predicted, value < predicted), near, drop)


def move(system: System, stands: tuple[Array, ...], drops: tuple[Array, ...]) -> tuple[Array, ...]:
    """Where all elements move; see `limited`."""
    moved = zip(system.elements, stands, drops, strict=True)
    return tuple(d if is_linear(e) else limited(e, u, d) for e, u, d in moved)


def imbalance(system: System, y: Array, drawn: Array | None = None) -> tuple[Array, Array]:
    """F(y), `drawn` currents (size,) added, and its largest entry, relative to the largest current at the same unknown.

    Imbalance that the rounding of the voltages themselves explains does not count: 4 ulp of the two node voltages of a
    branch, times its slope.
    """
    drops = system.drops(y)
    currents = tuple(e.current(d) for e, d in zip(system.elements, drops, strict=True))
    value = system.flows(currents) + system.constants(y)
    size, ulp = system.size, jnp.finfo(y.dtype).eps
    terms = jnp.abs(system.values * y[system.columns])
    largest = jnp.maximum(jnp.abs(system.constant), segment_max(terms, system.rows, size)) if terms.size else 0.0
    rounding = segment_sum(terms, system.rows, size) * ulp
    if drawn is not None:
        value = value + drawn
        largest = jnp.maximum(largest, jnp.abs(drawn))
    padded = jnp.abs(jnp.append(y, 0.0))
    largest = jnp.append(jnp.broadcast_to(largest, size), 0.0)
    rounding = jnp.append(rounding, 0.0)
    for k, (a, b, e) in enumerate(zip(system.first, system.second, system.elements, strict=True)):
        fa, fb, w = system.first_factor[k], system.second_factor[k], system.weight[k]
        reach = jnp.abs(fa) * padded[a] + jnp.abs(fb) * padded[b] + jnp.abs(system.offset[k])
        noise = 4 * ulp * (e.slope(drops[k]) * reach + jnp.abs(currents[k]))
        for node, factor in ((a, fa), (b, fb)):
            scale = w * jnp.abs(factor)
            largest = jnp.maximum(largest, segment_max(scale * jnp.abs(currents[k]), node, size + 1))
            rounding = rounding + segment_sum(scale * noise, node, size + 1)
    excess = jnp.maximum(jnp.abs(value) - rounding[:size], 0.0)
    relative = excess / jnp.maximum(largest[:size], jnp.finfo(y.dtype).tiny)
    return value, jnp.max(relative, initial=0.0)


# Compiled once for each structure of circuits; all arrays are arguments.
_correction = eqx.filter_jit(correction)
_move = eqx.filter_jit(move)
_imbalance = eqx.filter_jit(imbalance)
_drops = eqx.filter_jit(System.drops)
_energy = eqx.filter_jit(System.energy)
_reduced = eqx.filter_jit(reduced_system)


@eqx.filter_jit
def _current(element: TwoTerminal, voltage: Array) -> Array:
    return element.current(voltage)


@eqx.filter_jit
def _newton_entries(system: System, y: Array) -> Array:
    return system.entries(tuple(e.slope(d) for e, d in zip(system.elements, system.drops(y), strict=True)))


@eqx.filter_jit
def _along(system: System, y: Array, step: Array, length: Array) -> tuple[Array, Array]:
    """Energy and its derivative along a step."""
    point = y + length * step
    currents = tuple(e.current(d) for e, d in zip(system.elements, system.drops(point), strict=True))
    return system.energy(point), jnp.dot(system.flows(currents), step)


LinearSolve = Callable[[Array, Array], np.ndarray]


def solve_circuit(
    circuit: Circuit,
    inputs: ArrayLike | None = None,
    *,
    method: Method = "auto",
    start: ArrayLike | None = None,
    rtol: float = 1e-9,
) -> CircuitSolution:
    """The operating point of a circuit, or of each input of a batch, in float64.

    Args:
        circuit: the circuit.
        inputs: None (sources at their own voltages), (features,) or (batch, features).
        method: how linear systems are solved. "auto": dense up to `DENSE_LIMIT` unknowns; else conjugate gradients where the
            largest front of the factors would be wider than `FRONT_LIMIT` and the circuit has an energy; else KLU.
        start: node voltages to begin with [V], (nodes,). Used where the circuit has an energy and that of `start` is below
            that of all free nodes at 0 V; a start far out of range costs nothing so.
        rtol: tolerance of the residual; see `CircuitSolution`.

    Raises:
        InputError: for an unknown method, or conjugate gradients for a circuit without energy.
        MhoError: if an operating point is not found, with its residual.
    """
    if method not in get_args(Method):
        raise InputError(f"method {method!r}: must be one of {', '.join(get_args(Method))}")
    if method == "cg" and circuit.ties is None:
        raise InputError("method 'cg': the circuit has no energy, so its matrix is not symmetric; use 'klu'")
    given = None if inputs is None else np.asarray(inputs, np.float64)
    return _solve(circuit, given, method, None if start is None else np.asarray(start, np.float64), rtol)


@double
def _solve(
    circuit: Circuit, inputs: np.ndarray | None, method: Method, start: np.ndarray | None, rtol: float
) -> CircuitSolution:
    sources = np.asarray(circuit.sources(inputs))
    batch = sources.reshape(-1, sources.shape[-1])
    with_energy = circuit.ties is not None
    make = _reduced if with_energy else modified_system
    system = make(circuit, batch[0])
    if method == "auto":
        method = _choice(system, with_energy)
    linear = _linear_solver(system, method)
    voltages, currents, residuals, iterations = [], [], [], []
    for row in batch:
        system = make(circuit, jnp.asarray(row))
        if with_energy:
            y, count = _minimise(system, linear, *_start(circuit, system, row, start), rtol)
        else:
            y, count = _continue(system, circuit.nodes - 1, linear, rtol)
        residual = float(_imbalance(system, jnp.asarray(y))[1])
        if not residual <= rtol:
            raise MhoError(
                f"no operating point found in {count} iterations: residual {residual:.3g}, tolerance {rtol:g}"
            )
        if with_energy:
            v = np.asarray(circuit.node_voltages(jnp.asarray(y), circuit.offsets(jnp.asarray(row))))
            currents.append(_source_currents(circuit, v))
        else:
            v = np.append(0.0, y[: circuit.nodes - 1])
            currents.append(np.asarray(y[circuit.nodes - 1 : circuit.nodes - 1 + len(row)]))
        voltages.append(v)
        residuals.append(residual)
        iterations.append(count)
    shape = sources.shape[:-1]
    return CircuitSolution(
        voltages=np.array(voltages).reshape(*shape, -1),
        source_currents=np.array(currents).reshape(*shape, -1),
        residual=np.array(residuals).reshape(shape),
        iterations=np.array(iterations).reshape(shape),
        method=method,
    )


def _start(circuit: Circuit, system: System, sources: np.ndarray, start: np.ndarray | None) -> tuple[Array, tuple]:
    """Free voltages to begin with, and where the elements stand."""
    zero = jnp.zeros(system.size)
    # From 0 V, not from the drops there: a source may put volts across a diode, whose tangent would move by n·V_T.
    rest = _move(system, tuple(jnp.zeros_like(d) for d in system.offset), _drops(system, zero))
    if start is None:
        return zero, rest
    if start.shape != (circuit.nodes,):
        raise InputError(
            f"start of shape {start.shape}: must be ({circuit.nodes},), a voltage for every node, ground first"
        )
    ties = circuit.tied
    offsets = np.asarray(circuit.offsets(jnp.asarray(sources)))
    guess = jnp.asarray((start - offsets)[ties.root])
    if float(_energy(system, guess)) < float(_energy(system, zero)):
        return guess, _drops(system, guess)
    return zero, rest


def _minimise(
    system: System, linear: LinearSolve, y: Array, stands: tuple[Array, ...], rtol: float
) -> tuple[np.ndarray, int]:
    """Element-limited Newton; then, at need, Newton with a line search on the energy from the lowest point visited."""
    if system.size == 0:
        return np.zeros(0), 0
    best, best_energy = y, float(_energy(system, y))
    for count in range(1, _LIMITED_ITERATIONS + 1):
        y = y + jnp.asarray(linear(*_correction(system, stands, y)))
        if not bool(jnp.all(jnp.isfinite(y))):
            break
        if float(_imbalance(system, y)[1]) <= rtol:
            return np.asarray(y), count
        energy = float(_energy(system, y)) if count % 10 == 0 else np.inf
        if energy < best_energy:
            best, best_energy = y, energy
        stands = _move(system, stands, _drops(system, y))
    y = best
    count = _LIMITED_ITERATIONS
    while count < _LIMITED_ITERATIONS + _SEARCH_ITERATIONS:
        value, residual = _imbalance(system, y)
        if float(residual) <= rtol:
            break
        step = jnp.asarray(linear(_newton_entries(system, y), -value))
        energy, descent = (float(x) for x in _along(system, y, step, jnp.asarray(0.0)))
        length = 1.0
        # A convex energy falls along a Newton step until its slope changes sign; the last term is the energy's rounding.
        while length > 1e-12:
            there, slope = (float(x) for x in _along(system, y, step, jnp.asarray(length)))
            if there <= energy + 1e-4 * length * descent + 1e-13 * abs(energy) and slope <= -0.9 * descent:
                break
            length *= 0.5
        y = y + length * step
        count += 1
    return np.asarray(y), count


def _continue(system: System, nodes: int, linear: LinearSolve, rtol: float) -> tuple[np.ndarray, int]:
    """Element-limited Newton, at need with gmin stepping, then with source stepping.

    That is with conductances to ground that fall to 0, and with sources that rise from 0, as SPICE does it (ngspice manual,
    section 11.3.5).
    """
    total = 0
    rest = tuple(jnp.zeros_like(d) for d in system.offset)
    zero = jnp.zeros(system.size)

    def newton(easier: System, y: Array, stands: tuple[Array, ...]) -> tuple[Array | None, tuple[Array, ...]]:
        nonlocal total
        for _ in range(_LIMITED_ITERATIONS):
            total += 1
            y = y + jnp.asarray(linear(*_correction(easier, stands, y)))
            if not bool(jnp.all(jnp.isfinite(y))):
                break
            if float(_imbalance(easier, y)[1]) <= rtol:
                return y, _drops(easier, y)
            stands = _move(easier, stands, _drops(easier, y))
        return None, stands

    def shunted(progress: float) -> System:
        conductance = 0.0 if progress >= 1.0 else 10.0 ** (-14.0 * progress)
        return eqx.tree_at(lambda s: s.values, system, system.values.at[-nodes:].add(conductance))

    def scaled(progress: float) -> System:
        elements = tuple(
            CurrentSource(e.injected * progress) if isinstance(e, CurrentSource) else e for e in system.elements
        )
        return eqx.tree_at(lambda s: (s.constant, s.elements), system, (system.constant * progress, elements))

    solved, _ = newton(system, zero, rest)
    for easier in (shunted, scaled):
        if solved is not None:
            break
        y, stands, reached, step = zero, rest, 0.0, 0.05
        while reached < 1.0 and step > 1e-4:
            progress = min(1.0, reached + step)
            solved, moved = newton(easier(progress), y, stands)
            if solved is None:
                step *= 0.25
            else:
                y, reached, stands, step = solved, progress, moved, step * 1.5
    return np.asarray(zero if solved is None else solved), total


def _source_currents(circuit: Circuit, voltages: np.ndarray) -> np.ndarray:
    """What flows through each voltage source, from the leaves of the forest of ties to its roots."""
    surplus = np.zeros(circuit.nodes)
    for branch in circuit.branches:
        a, b = np.asarray(branch.first), np.asarray(branch.second)
        current = np.asarray(_current(branch.element, jnp.asarray(voltages[a] - voltages[b])))
        np.add.at(surplus, a, current)
        np.subtract.at(surplus, b, current)
    result = np.zeros(len(circuit.source_names))
    for child, parent, source, sign, gain in reversed(circuit.tied.levels):
        leaving = surplus[child]
        real = source >= 0
        result[source[real]] = -sign[real] * leaving[real]
        np.add.at(surplus, parent, np.where(real, leaving, leaving / gain))
    return result


def _choice(system: System, with_energy: bool) -> Method:
    if system.size <= DENSE_LIMIT:
        return "dense"
    if with_energy and _front_width(system) > FRONT_LIMIT:
        return "cg"
    return "klu"


def _front_width(system: System) -> float:
    """A guess of the largest front in the factors: a breadth-first search's widest level is a separator of that width.

    A front of width w takes 8w² bytes and about w³ operations: √n on a lattice, but a good part of n on a random graph.

    Hubs (more than √n neighbours) are left out: they are eliminated last, at a cost of a row each.
    """
    rows, columns = (np.asarray(x) for x in system.places())
    inside = (rows < system.size) & (columns < system.size) & (rows != columns)
    n = system.size
    degree = np.bincount(rows[inside], minlength=n)
    hub = degree > max(np.sqrt(n), 16)
    inside[inside] &= ~hub[rows[inside]] & ~hub[columns[inside]]
    graph = sparse.csr_array((np.ones(inside.sum(), np.int8), (rows[inside], columns[inside])), shape=(n, n))
    _, part = csgraph.connected_components(graph, directed=False)
    largest = np.bincount(part).argmax()
    begin = int(np.flatnonzero(part == largest)[0])
    for _ in range(2):  # the second search starts from the far end of the first
        order, came = csgraph.breadth_first_order(graph, begin, directed=False)
        depth = np.zeros(n, np.int64)
        for node in order[1:].tolist():
            depth[node] = depth[came[node]] + 1
        begin = int(order[-1])
    return float(np.bincount(depth[order]).max() + hub.sum())


def _linear_solver(system: System, method: Method) -> LinearSolve:
    rows, columns = (np.asarray(x) for x in system.places())
    n = system.size
    if method == "dense":
        at = (jnp.asarray(rows), jnp.asarray(columns))
        return lambda entries, right: np.asarray(_dense(*at, entries, right))
    inside = np.flatnonzero((rows < n) & (columns < n))
    key, slot = np.unique(rows[inside].astype(np.int64) * n + columns[inside], return_inverse=True)
    row, column = (key // n).astype(np.int32), (key % n).astype(np.int32)

    def merged(entries: Array) -> np.ndarray:
        return np.bincount(slot, weights=np.asarray(entries)[inside], minlength=len(key))

    if method == "cg":
        pointer = np.searchsorted(row, np.arange(n + 1)).astype(np.int32)

        def iterate(entries: Array, right: Array) -> np.ndarray:
            matrix = sparse.csr_array((merged(entries), column, pointer), shape=(n, n))
            jacobi = sparse.dia_array((np.reciprocal(matrix.diagonal())[None], [0]), shape=(n, n))
            solution, failed = sparse_linalg.cg(matrix, np.asarray(right), rtol=1e-7, M=jacobi, maxiter=5000)
            if failed:
                raise MhoError(f"conjugate gradients did not converge in {failed} steps; method 'klu' may")
            return solution

        return iterate
    klu = _klujax()
    ai, aj = jnp.asarray(row), jnp.asarray(column)
    symbolic = klu.analyze(ai, aj, n)
    numeric = None

    def factorise(entries: Array, right: Array) -> np.ndarray:
        nonlocal numeric
        # Fresh pivots each time where the diagonal may have zeros; a symmetric matrix needs none.
        values = jnp.asarray(merged(entries))
        if numeric is None or system.rows.size:
            numeric = klu.factor(ai, aj, values, symbolic)
        else:
            klu.refactor(ai, aj, values, numeric, symbolic)
        return np.asarray(klu.solve_with_numeric(numeric, jnp.asarray(right), symbolic))

    return factorise


@jax.jit
def _dense(rows: Array, columns: Array, entries: Array, right: Array) -> Array:
    return jnp.linalg.solve(dense_matrix(rows, columns, entries, right.shape[0]), right)


def dense_matrix(rows: Array, columns: Array, entries: Array, size: int) -> Array:
    """F's derivative as an array, (size, size), from `System.places` and `System.entries`."""
    return jnp.zeros((size + 1, size + 1), entries.dtype).at[rows, columns].add(entries)[:size, :size]


@functools.cache
def _klujax() -> Any:
    """klujax, without the process-wide settings that its import makes (x64 mode, CPU as the default platform).

    Read and restored in a thread of its own, which sees the process's settings and not those of a `with` block here.
    """

    def load() -> Any:
        before = {name: jax.config.values[name] for name in ("jax_enable_x64", "jax_platform_name")}
        try:
            import klujax
        except ImportError:
            raise MhoError("method 'klu' needs the package klujax, which is not installed") from None
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
        return klujax

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(load).result()
