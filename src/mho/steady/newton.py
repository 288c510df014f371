"""Operating points of any circuit by Newton's method, safeguarded element by element and, at need, by the energy.

The steps are those of `mho.steady.equations`. A circuit with an energy that has not converged so is taken over by Newton's
method with a line search on that energy, which converges from anywhere where the laws increase; one without by
damping, gmin stepping and source stepping.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.compensated import Pair
from mho.errors import InputError, MhoError
from mho.networks.circuit import Circuit
from mho.precision import double
from mho.steady.certificate import Certificate, certify, require
from mho.steady.energy_descent import descend
from mho.steady.equations import System, from_rest, imbalance, is_linear
from mho.steady.limited_newton import limited_newton
from mho.steady.linear_solvers import DENSE_LIMIT, LinearSolve, Method, Work, linear_solver
from mho.steady.many_points import (
    LARGEST,
    Point,
    held_bounds,
    points_together,
    refined,
    sketched_effects,
    with_rounding,
)
from mho.steady.modified_system import modified_system
from mho.steady.reduced_system import branch_currents, node_voltages, reduced_system
from mho.steady.residual_descent import damped
from mho.steady.separated import separated_solver
from mho.steady.solver import Solution
from mho.steady.source_stepping import continued, gmin_stepped, grounded, held, pseudo_transient, source_stepped

_LIMITED_STEPS = 60
_STEPS_AN_ELEMENT, _MOST_STEPS = 3, 3000
"""Steps of Newton's method: some, and more for each nonlinear element, for a ladder's diodes conduct one after another."""
_SEARCH_STEPS = 300
_BUDGET = 3500
"""Steps after which no further way is tried."""
_SEPARATED_LIMIT = 5000
"""Unknowns up to which the currents of strong branches are unknowns of their own where nodal analysis gets nowhere."""
_HOLD = 1e6
"""Conductance that holds nodes at the voltages of a start that gives not all of them [S]."""

Attempt = Callable[[], Pair | None]

_SKETCHED = 5000
"""Unknowns up to which the error bound of a circuit has what its elements' rounding does in it."""


class CircuitSolution(Solution):
    """An operating point, or a batch of them in the leading axis: node voltages [V], (..., nodes).

    The residual is the largest imbalance of Kirchhoff's current law at a node, relative to the largest branch current there,
    (...); steps are linear circuits solved, (...).
    """

    source_currents: np.ndarray = eqx.field(kw_only=True)
    """Through each of `Circuit.branch_names`: independent voltage sources, then E and H sources [A], from the positive node
    through the source to the negative node, as SPICE counts it; (..., branches)."""
    amplifier_currents: np.ndarray = eqx.field(kw_only=True)
    """Into the far side of each amplifier, from the far node through it to ground [A], (..., amplifiers)."""
    error_bound: np.ndarray = eqx.field(kw_only=True)
    """Of each node's voltage [V], (..., nodes); see `mho.steady.certificate`."""
    factorisations: np.ndarray = eqx.field(kw_only=True)
    """Matrices factored for them, dense ones not counted, (...)."""
    gradient_steps: np.ndarray = eqx.field(kw_only=True)
    """Steps of conjugate gradients for them, (...)."""


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
        method: how linear systems are solved; see `mho.steady.linear_solvers.linear_solver`.
        start: node voltages to begin with [V], (nodes,), NaN where there is no guess. A circuit that has an energy has one
            operating point, and `start` is used where its energy is below that of all free nodes at 0 V; a start far out
            of range costs nothing so. A circuit that has none may have several operating points: its nodes are first held
            at `start` and then released, as SPICE's .nodeset does.
        rtol: tolerance of the residual; see `CircuitSolution`.

    Raises:
        InputError: for an unknown method, a start of another shape, or conjugate gradients for a circuit without energy.
        MhoError: if no operating point is found, with what was tried, or one that its certificate refuses; see
            `mho.steady.certificate`.
    """
    if method not in get_args(Method):
        raise InputError(f"method {method!r}: must be one of {', '.join(get_args(Method))}")
    if method == "cg" and circuit.ties is None:
        raise InputError("method 'cg': the circuit has no energy, so its matrix is not symmetric; use 'superlu'")
    begin = None if start is None else np.asarray(start, np.float64)
    if begin is not None and begin.shape != (circuit.nodes,):
        raise InputError(
            f"start of shape {begin.shape}: must be ({circuit.nodes},), a voltage for every node, ground first"
        )
    circuit = jax.tree.map(_as_numpy, circuit)
    given = None if inputs is None else np.asarray(inputs, np.float64)
    # A law that JAX evaluates, a user's own say, is evaluated in float64 too.
    with np.errstate(all="ignore"):
        return double(_solve)(circuit, given, method, begin, rtol)


def _as_numpy(leaf: ArrayLike) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _solve(
    circuit: Circuit, inputs: np.ndarray | None, method: Method, start: np.ndarray | None, rtol: float
) -> CircuitSolution:
    sources = np.asarray(circuit.sources(inputs))
    batch = sources.reshape(int(np.prod(sources.shape[:-1])), sources.shape[-1])
    way = _Way.of(circuit, batch[0], method)
    found: list[Point | None] = [None] * len(batch)
    if start is None and len(batch) > 1 and method in ("auto", "dense") and 0 < way.size <= LARGEST:
        found = points_together(circuit, batch, rtol)
    points = [
        point or _operating_point(circuit, way, row, start, rtol) for point, row in zip(found, batch, strict=True)
    ]
    shape = sources.shape[:-1]

    def stacked(pick: Callable[[Point], Any]) -> np.ndarray:
        found = np.stack([np.asarray(pick(p)) for p in points])
        return found.reshape((*shape, *found.shape[1:]))

    return CircuitSolution(
        voltages=stacked(lambda p: p.voltages),
        source_currents=stacked(lambda p: p.currents[: len(circuit.branch_names)]),
        amplifier_currents=stacked(lambda p: p.currents[len(circuit.branch_names) :]),
        residual=stacked(lambda p: p.residual),  # type: ignore[arg-type]
        error_bound=stacked(lambda p: p.bounds),
        steps=stacked(lambda p: p.iterations),  # type: ignore[arg-type]
        factorisations=stacked(lambda p: p.work.factorisations),
        gradient_steps=stacked(lambda p: p.work.gradient_steps),
    )


@dataclasses.dataclass(frozen=True)
class _Way:
    """How a circuit's linear systems are made and solved."""

    make: Callable[[Circuit, np.ndarray], System]
    linear: LinearSolve
    method: Method
    symmetric: bool
    work: Work
    size: int
    """Unknowns."""

    @classmethod
    def of(cls, circuit: Circuit, sources: np.ndarray, method: Method) -> "_Way":
        symmetric = circuit.ties is not None
        make, work = reduced_system if symmetric else modified_system, Work()
        linear = linear_solver(system := make(circuit, sources), method, symmetric=symmetric, work=work)
        return cls(make, linear, method, symmetric, work, system.size)


def _operating_point(circuit: Circuit, way: _Way, sources: np.ndarray, start: np.ndarray | None, rtol: float) -> Point:
    system = way.make(circuit, sources)
    search = _Search(circuit, system, way, rtol)
    unknowns, step = search.run(sources, start)
    way.work.factorisations, way.work.gradient_steps, work = 0, 0, dataclasses.replace(way.work)
    unknowns, bounds = _refined(system, search, unknowns, step)
    voltages, currents, certificate = _certified(circuit, way, sources, system, unknowns)
    node_bounds = np.append(0.0, bounds[: circuit.nodes - 1])
    if way.symmetric:
        node_bounds = held_bounds(circuit, bounds)
    node_bounds = with_rounding(node_bounds, voltages[0])
    require(certificate, node_bounds, circuit, voltages[0], rtol)
    return Point(voltages[0], currents, certificate.residual, node_bounds, search.steps, work)


def _certified(
    circuit: Circuit, way: _Way, sources: np.ndarray, system: System, unknowns: Pair
) -> tuple[Pair, np.ndarray, Certificate]:
    if not way.symmetric:
        nodes = circuit.nodes
        voltages: Pair = np.append(0.0, unknowns[0][: nodes - 1]), np.append(0.0, unknowns[1][: nodes - 1])
        currents = unknowns[0][nodes - 1 :]
    else:
        voltages = node_voltages(circuit, unknowns, sources)
        drops = [
            (voltages[0][b.first] - voltages[0][b.second]) + (voltages[1][b.first] - voltages[1][b.second])
            for b in circuit.branches
        ]
        currents = branch_currents(
            circuit,
            [np.asarray(e.current(d)) for e, d in zip(circuit.elements(sources), drops, strict=True)],  # type: ignore[arg-type]
        )
    return voltages, currents, certify(circuit, sources, voltages, currents)


def _refined(system: System, search: "_Search", unknowns: Pair, step: np.ndarray) -> tuple[Pair, np.ndarray]:
    """As `mho.steady.many_points.refined`. Larger circuits are spared it: their last step is the bound, to which a sketch
    of what rounding does is added, but for the largest ones.
    """
    if system.size == 0 or system.size > _SKETCHED:
        return unknowns, np.abs(step)
    if system.size > LARGEST:
        return unknowns, np.abs(step) + sketched_effects(system, search.linear, unknowns)
    linear = search.linear
    if not search.separately:
        linear = linear_solver(
            system, "dense" if system.size <= DENSE_LIMIT else "superlu", symmetric=False, work=Work()
        )
    return refined(system, linear, unknowns, step)


class _Search:
    """The ways to an operating point, one after another, until one gets there."""

    def __init__(self, circuit: Circuit, system: System, way: _Way, rtol: float) -> None:
        self.steps = 0
        self._circuit, self._system, self._way, self._rtol = circuit, system, way, rtol
        self.linear, self._last = way.linear, np.full(system.size, np.inf)
        self._nodes = system.size if way.symmetric else circuit.nodes - 1
        self._visited = np.zeros(system.size)

    def run(self, sources: np.ndarray, start: np.ndarray | None) -> tuple[Pair, np.ndarray]:
        """The operating point and the last step to it.

        Raises:
            MhoError: if none is found, with what was tried.
        """
        if self._system.size == 0:
            return (np.zeros(0), np.zeros(0)), np.zeros(0)
        ways = self._with_energy(sources, start) if self._way.symmetric else self._without_energy(start)
        tried = []
        for name, attempt in ways:
            found = attempt()
            if found is not None:
                return found, self._last
            tried.append(name)
            if self.steps > _BUDGET:
                break
        raise MhoError(f"no operating point found in {self.steps} iterations, by {', '.join(tried)}{self._where()}")

    def _where(self) -> str:
        """Where the imbalance of the last point visited is largest."""
        _, relative, residual = imbalance(self._system, (self._visited, np.zeros_like(self._visited)))
        if not np.isfinite(residual):
            return ""
        worst = int(np.argmax(relative))
        if self._way.symmetric:
            name = f"node {self._circuit.node_names[int(self._circuit.tied.root[worst])]!r}"
        elif worst < self._nodes:
            name = f"node {self._circuit.node_names[worst + 1]!r}"
        else:
            name = "a source's equation"
        return f": residual {residual:.3g} at {name}"

    def _with_energy(self, sources: np.ndarray, start: np.ndarray | None) -> list[tuple[str, Attempt]]:
        system = self._system
        best, lowest = np.zeros(system.size), np.inf
        begin = _start(self._circuit, system, sources, start)

        def visited(count: int, y: np.ndarray) -> None:
            nonlocal best, lowest
            self._visited = y
            if count % 10 == 0 and (energy := system.energy(y)) < lowest:
                best, lowest = y, energy

        def limited() -> Pair | None:
            y = np.zeros(system.size) if begin is None else begin
            stand = from_rest(system, y) if begin is None else None
            return self._newton(system, y, begin=stand, visited=visited)

        def descent() -> Pair | None:
            found, count = descend(system, self.linear, best, self._rtol, _SEARCH_STEPS)
            self.steps += count
            self._last = np.zeros(system.size)  # it ends with a small step
            return found

        return [
            ("Newton's method", limited),
            ("with the currents of strong branches as unknowns", lambda: limited() if self._separated() else None),
            ("descent of the energy", descent),
            *self._continuations(),
        ]

    def _without_energy(self, start: np.ndarray | None) -> list[tuple[str, Attempt]]:
        system, zero = self._system, np.zeros(self._system.size)

        def visited(count: int, y: np.ndarray) -> None:
            self._visited = y

        def from_start() -> Pair | None:
            assert start is not None
            base = grounded(system, self._nodes)
            given = np.isfinite(start[1:])
            holding = held(base, self._nodes, np.where(given, _HOLD, 0.0), np.where(given, start[1:], 0.0))
            first = self._newton(holding, zero, linear=self._grounded_linear(base))
            return None if first is None else self._newton(system, first[0])

        def descent() -> Pair | None:
            found, count = damped(system, self.linear, self._visited, self._rtol, _SEARCH_STEPS)
            self.steps += count
            self._last = np.zeros(system.size)
            return found

        return [
            *([("the given start", from_start)] if start is not None else []),
            ("Newton's method", lambda: self._newton(system, zero, visited=visited)),
            (
                "with the currents of strong branches as unknowns",
                lambda: self._newton(system, zero, visited=visited) if self._separated() else None,
            ),
            ("half steps", lambda: self._newton(system, zero, share=0.5)),
            ("descent of the residual", descent),
            *self._continuations(),
        ]

    def _continuations(self) -> list[tuple[str, Attempt]]:
        system, zero, nodes = self._system, np.zeros(self._system.size), self._nodes
        base = grounded(system, nodes)

        def newton(easier: System, y: np.ndarray) -> Pair | None:
            if self.steps > _BUDGET:
                return None
            return self._newton(easier, y, linear=self._grounded_linear(base))

        return [
            ("gmin stepping", lambda: continued(lambda p: gmin_stepped(base, nodes, p), newton, zero)),
            ("source stepping", lambda: continued(lambda p: source_stepped(base, p), newton, zero)),
            ("a pseudo-transient", lambda: pseudo_transient(base, nodes, newton, zero)),
        ]

    def _separated(self) -> bool:
        """Take stiff branches apart from here on, in circuits small enough; whether that is so."""
        if self._system.size > _SEPARATED_LIMIT or self._way.method not in ("auto", "dense", "superlu"):
            return False
        self.linear, self.separately = separated_solver(self._system, self._way.work), True
        return True

    def _grounded_linear(self, base: System) -> LinearSolve:
        if self._of_grounded is None:
            way = self._way
            if self.separately:
                self._of_grounded = separated_solver(base, way.work)
                return self._of_grounded
            self._of_grounded = linear_solver(base, way.method, symmetric=way.symmetric, work=way.work)
        return self._of_grounded

    _of_grounded: LinearSolve | None = None
    separately = False

    def _newton(
        self, system: System, y: np.ndarray, *, linear: LinearSolve | None = None, **options: Any
    ) -> Pair | None:
        solve = self.linear if linear is None else linear
        elements = sum(
            0 if is_linear(e) else len(first) for e, first in zip(system.elements, system.first, strict=True)
        )
        most = _LIMITED_STEPS
        if system is self._system:
            most = most and min(most + _STEPS_AN_ELEMENT * elements, _MOST_STEPS)
        found, step, count = limited_newton(system, solve, y, self._rtol, most, **options)
        self.steps += count
        if found is not None:
            self._last = step
        return found


def _start(circuit: Circuit, system: System, sources: np.ndarray, start: np.ndarray | None) -> np.ndarray | None:
    """The free groups' voltages in a start that is worth it."""
    if start is None:
        return None
    guess = (np.nan_to_num(start) - circuit.offsets(sources))[circuit.tied.root]
    # `not <=` would take a start whose energy overflows.
    return guess if system.energy(guess) < system.energy(np.zeros(system.size)) else None
