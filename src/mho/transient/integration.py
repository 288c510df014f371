"""Integration of a circuit in time: steps by Radau's collocation, their size by the error, each judged by Kirchhoff's laws.

The stages of a step are solved by Newton's method, every element moving no further than to where it carries the current that
its tangent predicts, so that exponential laws don't overshoot. A step is accepted if

- the last step of Newton's method is far below the tolerance,
- Kirchhoff's laws hold at all its stages: what is left in an equation is at most `KIRCHHOFF` of its largest term, plus what
  is below `FLOOR`, plus the rounding of linear elements' and charges' terms, which counts up to the same share of the largest
  term that the equation has had so far,
- the estimated error of every node voltage and inductor current is below `ERROR` of that unknown's swing so far.

What fails is tried again with a smaller step. Steps end at the corners of the sources' waveforms. Source: Hairer and Wanner,
Solving Ordinary Differential Equations II, 2nd ed., section IV.8.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from mho.errors import MhoError
from mho.transient.collocation import ESTIMATE, INVERSE, FILTER, POINTS, STAGES, interpolated_rates, interpolation
from mho.transient.equations import CircuitInTime, Laws
from mho.transient.stage_matrix import DenseStages, Solve, SparseStages

KIRCHHOFF = 1e-6
"""Of the largest current in a node's law: what a step may leave over."""
FLOOR = 1e-12
"""A, or V in the laws of voltage sources: as SPICE's abstol."""
ERROR = 1e-4
"""Tolerance of a step's estimated error, as a share of an unknown's swing."""
_LEAST_SWING = 0.01
"""Of the largest swing: unknowns that swing less are judged as if they did."""
SMALLEST = 1e-6
"""V, or A: the tolerance of an unknown that hardly swings."""
_NEWTON_STEPS = 14
_NEWTON_SHARE = 0.1
"""Of the tolerance: the last step of Newton's method; after `_PATIENCE` steps the tolerance, where rounding is what is left."""
_PATIENCE = 4
_MOST_ROUNDING = 10.0
"""Tolerances of a step that rounding may take up."""
_SLOW = 6
_GROWTH = 8.0
_SHRINK = 0.2
_SAFETY = 0.85
_KEPT = 1.25
"""A step that could grow by less than this is kept, and with it a linear circuit's matrix."""
_CHECKS = np.array([0.08, 0.28, 0.4, 0.52, 0.76, 0.88])
"""Shares of a step at which the charges are checked, between the stages."""
_NEAR = 0.1
"""Of the tolerance: a deviation between the stages that one linear correction does away with."""
_FAR = 3.0
"""Steps ahead beyond which the last step's polynomial predicts nothing."""
_FIRST = 1e-9
"""Of the time to the next corner: a step that lets what no charge holds find its place."""


class Drive(Protocol):
    """The sources' values in time."""

    corners: np.ndarray
    """Times at which waveforms bend, increasing, the last one included [s]."""

    def enter(self, begin: float, end: float) -> bool:
        """Go on to the stretch between two corners; whether the values jump where it begins."""
        ...

    def at(self, times: np.ndarray) -> np.ndarray:
        """r, (times, size), within the stretch."""
        ...


@dataclasses.dataclass(frozen=True)
class Course:
    """What an integration found."""

    unknowns: np.ndarray
    """At the times asked for, (times, size)."""
    steps: int
    rejected: int
    """Steps whose error was above the tolerance."""
    failed: int
    """Steps whose equations were not solved."""
    solutions: int
    """Linear systems solved for the stages."""
    residual: float
    """Largest imbalance of an accepted step, relative to the largest term of its equation (or to `FLOOR` / `KIRCHHOFF`)."""


class Integration:
    """Of one circuit: its matrices, and where it stands."""

    def __init__(
        self,
        circuit: CircuitInTime,
        drive: Drive,
        start: np.ndarray,
        *,
        names: Sequence[str],
        judged: np.ndarray,
        max_step: float,
        error: float = ERROR,
        visited: Callable[[float], None] = lambda time: None,
    ) -> None:
        """Begin at time 0.

        Args:
            circuit: the circuit's equations.
            drive: its sources.
            start: unknowns whose charges the circuit begins with, (size,).
            names: of the equations, for messages.
            judged: which unknowns the error estimate judges, (size,), bool: node voltages and inductor currents.
            max_step: the largest step [s].
            error: tolerance of a step's estimated error, as a share of an unknown's swing.
            visited: called with the time of every accepted step.
        """
        self.circuit, self.drive, self.max_step = circuit, drive, max_step
        self.names = [*names, *(f"a diode's junction ({k})" for k in range(circuit.size - len(names)))]
        self._judged = np.append(judged, np.zeros(circuit.size - len(judged), bool))
        self._error, self._visited = error, visited
        self._matrices = DenseStages(circuit) if circuit.dense else SparseStages(circuit)
        self._factors: tuple[float, Solve, Solve | None] | None = None
        self.y = circuit.complete(np.array(start, np.float64))
        self.laws = circuit.laws(circuit.sensed(self.y[None]))
        self.time = 0.0
        self._low, self._high = self.y.copy(), self.y.copy()
        self._most = np.zeros(circuit.size)
        self._past: tuple[float, np.ndarray] | None = None
        self.steps = self.rejected = self.failed = self.solutions = 0
        self.residual = 0.0
        self._complaint = self._residual_complaint = ""

    def run(self, times: np.ndarray) -> Course:
        """Integrate to the last of the increasing times to report [s], which begin at 0 or later.

        Raises:
            MhoError: if a step fails however small it is.
        """
        with np.errstate(all="ignore"):
            return self._run(times)

    def _run(self, times: np.ndarray) -> Course:
        found = np.empty((len(times), self.circuit.size))
        reported = 0
        step = self.max_step
        for number, corner in enumerate(self.drive.corners):
            jumps = self.drive.enter(self.time, corner)
            self._past = None
            if jumps or number == 0:
                self._settle(corner)
                while reported < len(times) and times[reported] <= self.time:
                    found[reported] = self.y
                    reported += 1
                step = min(step, (corner - self.time) / 100.0)
            else:
                step = min(step, (corner - self.time) / 4.0)
            while self.time < corner:
                step, between = self._advance(step, corner, times[reported:])
                found[reported : reported + len(between)] = between
                reported += len(between)
                self._visited(self.time)
        found[reported:] = self.y
        return Course(found, self.steps, self.rejected, self.failed, self.solutions, self.residual)

    def _scale(self, y: np.ndarray) -> np.ndarray:
        swing = np.maximum(np.maximum(self._high, y) - np.minimum(self._low, y), np.abs(y - self.y))
        return self._error * np.maximum(swing, _LEAST_SWING * swing[self._judged].max(initial=0.0)) + SMALLEST

    def _settle(self, corner: float) -> None:
        """A step so small that no charge moves but where it must: after a jump, and from the start."""
        step = _FIRST * (corner - self.time)
        least = 16.0 * np.spacing(corner)
        for attempt in range(12):
            size = max(step * 10.0**attempt, least)
            solved = self._solved(size)
            if solved is not None:
                self._accept(size, *solved)
                self._past = None
                return
        raise MhoError(self._stuck(step))

    def _stuck(self, step: float) -> str:
        return (
            f"the transient does not get beyond {self.time:.6g} s: {self._complaint}; "
            f"steps down to {step:.2g} s were tried"
        )

    def _advance(self, step: float, corner: float, times: np.ndarray) -> tuple[float, np.ndarray]:
        """One accepted step: the size that the next one may have [s], and the unknowns at those of the times it passes."""
        failures = 0
        while True:
            left = corner - self.time
            size = min(step, self.max_step)
            # Two even steps rather than a long one and a sliver.
            size = left if size >= 0.999 * left else min(size, 0.5 * left) if size > 0.5 * left else size
            if size < 8.0 * np.spacing(max(self.time, corner)):
                raise MhoError(self._stuck(size))
            before = self.solutions
            solved = self._solved(size)
            if solved is None:
                self.failed += 1
                step, failures = size * 0.25, failures + 1
                self._past = None
                continue
            error = self._estimate(size, *solved)
            growth = _SAFETY * max(error, 1e-12) ** -0.25
            if error > 1.0:
                self.rejected += 1
                self._complaint = self._error_complaint
                step, failures = size * max(growth, _SHRINK), failures + 1
                continue
            until = corner if size == left else self.time + size
            passed = times[: int(np.searchsorted(times, until, side="right"))]
            between = self._between(size, (passed - self.time) / size, *solved[:2])
            if between is None:
                self.failed += 1
                self._complaint = "Newton's method does not converge within the step"
                step, failures = size * 0.25, failures + 1
                continue
            found, error = between
            if error > 1.0:
                self.rejected += 1
                self._complaint = "the charges' error within the step stays above the tolerance"
                step, failures = size * max(_SAFETY * error**-0.25, _SHRINK), failures + 1
                continue
            most = 1.0 if failures else _GROWTH
            slow = self.solutions - before >= _SLOW
            self._accept(size, *solved)
            if size == left:
                self.time = corner
            growth = min(growth, 1.0 if slow else most)
            following = step if size < step and growth >= 1.0 else size * (growth if not 1.0 <= growth < _KEPT else 1.0)
            return following, found

    def _predicted(self, step: float) -> np.ndarray:
        """First guesses of the stages, (STAGES, size)."""
        if self._past is None or step > _FAR * self._past[0]:
            return np.repeat(self.y[None], STAGES, 0)
        return interpolation(1.0 + POINTS * (step / self._past[0])) @ self._past[1]

    def _solved(self, step: float) -> tuple[np.ndarray, Laws, np.ndarray] | None:
        """The stages' unknowns, their laws and the sources there, or None."""
        circuit = self.circuit
        r = self.drive.at(self.time + POINTS * step)
        y = self._predicted(step)
        change = y - self.y
        x = circuit.sensed(y)
        laws = circuit.moved(self.laws, x) if not circuit.linear else _NO_LAWS
        before = self.laws.charges[-1]
        for count in range(_NEWTON_STEPS):
            stored = circuit.stored(change, laws, x, before)
            left = r - circuit.flows(y, laws, x) - (INVERSE / step) @ stored
            delta = self._stage_solver(step, laws)(left)
            self.solutions += 1
            change = change + delta
            y = self.y + change
            if not np.isfinite(y).all():
                self._complaint = "its linearised equations have no solution"
                return None
            x = circuit.sensed(y)
            laws = circuit.moved(laws, x) if not circuit.linear else _NO_LAWS
            size = np.abs(delta) / self._scale(y[-1])
            if not circuit.linear and laws.stands is not x:
                continue  # an element stands elsewhere than its voltage
            share = _NEWTON_SHARE if count < _PATIENCE else 1.0
            if size[:, self._judged].max(initial=0.0) <= share or circuit.linear:
                over = self._imbalance(step, y, change, laws, r)
                if over <= 1.0:
                    self._over = over
                    return y, laws, r
        if circuit.linear or size[:, self._judged].max(initial=0.0) <= _NEWTON_SHARE:
            self._complaint = self._residual_complaint
        else:
            worst = int(np.argmax(np.where(self._judged, size.max(0), 0.0)))
            self._complaint = f"Newton's method does not converge, {self.names[worst]} last of all"
        return None

    def _between(
        self, step: float, shares: np.ndarray, y: np.ndarray, laws: Laws
    ) -> tuple[np.ndarray, float] | None:
        """The unknowns at shares of a step, (times, size), and the error of the charges there over its tolerance; or None.

        The charges are those of the collocation polynomial q(s), whose laws hold at the stages alone: what no charge holds,
        or a fast one, must follow Kirchhoff's laws at every time. So the filter of the error estimate is applied to what the
        polynomial leaves over: F(y) + q'(s) + (γ₀⁻¹/h) (Q(y) − q(s)) = r. A pulse of current between two stages, which none
        of them sees, moves Q(y) away from q(s): the error.
        """
        circuit, reported = self.circuit, len(shares)
        if not circuit.linear:
            shares = np.concatenate([shares, _CHECKS])
        elif not reported:
            return np.zeros((0, circuit.size)), 0.0
        weights, rates = interpolation(shares), interpolated_rates(shares)
        before = self.laws.charges[-1]
        stored = circuit.stored(y - self.y, laws, laws.stands, before)
        kept = weights[:, 1:] @ stored
        right = self.drive.at(self.time + shares * step) - (rates[:, 1:] / step) @ stored
        found = weights @ np.concatenate([self.y[None], y])
        x = circuit.sensed(found)
        here = circuit.laws(x) if not circuit.linear else _none(len(shares))
        left = right - circuit.flows(found, here, x) - (FILTER / step) * (circuit.stored(found - self.y, here, x, before) - kept)
        if circuit.linear:
            return found + self._filter(step, here)(left), 0.0
        delta = self._filtered(left)
        scale = self._scale(y[-1])
        if np.abs(delta[:, self._judged] / scale[self._judged]).max(initial=0.0) < _NEAR:
            return (found + delta)[:reported], 0.0
        here = circuit.moved(self.laws, x)
        for count in range(_NEWTON_STEPS):
            off = circuit.stored(found - self.y, here, x, before) - kept
            left = right - circuit.flows(found, here, x) - (FILTER / step) * off
            solve = self._filter(step, here)
            delta = solve(left)
            found = found + delta
            if not np.isfinite(found).all():
                return None
            far = np.abs(delta) / scale
            share = _NEWTON_SHARE if count < _PATIENCE else 1.0
            if here.stands is x and far[:, self._judged].max(initial=0.0) <= share:
                error = np.abs(solve((FILTER / step) * off)) / scale
                return found[:reported], float(error[:, self._judged].max(initial=0.0))
            x = circuit.sensed(found)
            here = circuit.moved(here, x)
        return None

    def _stage_solver(self, step: float, laws: Laws) -> Solve:
        if not self.circuit.linear:
            return self._matrices.stages(step, laws)
        if self._factors is None or self._factors[0] != step:
            self._factors = step, self._matrices.stages(step, laws), None
        return self._factors[1]

    def _filter(self, step: float, laws: Laws) -> Solve:
        if self.circuit.linear:
            assert self._factors is not None
            if self._factors[2] is None:
                self._factors = *self._factors[:2], self._matrices.points(step, laws)
            made = self._factors[2]
            assert made is not None
            return made
        return self._matrices.points(step, laws)

    def _imbalance(self, step: float, y: np.ndarray, change: np.ndarray, laws: Laws, r: np.ndarray) -> float:
        """Largest imbalance of Kirchhoff's laws over what is tolerated."""
        circuit = self.circuit
        stored = circuit.stored(change, laws, laws.stands, self.laws.charges[-1])
        weights = INVERSE / step
        left = np.abs(circuit.flows(y, laws, laws.stands) + weights @ stored - r)
        charging = weights @ (laws.charges - self.laws.charges[-1])
        most, noise = circuit.largest(y, weights @ change, laws, charging, r)
        held = np.abs(weights) @ (np.abs(laws.charges) + np.abs(self.laws.charges[-1]))
        self._largest = most.max(0)
        cap = KIRCHHOFF * np.maximum(self._most, self._largest)
        if len(circuit.charged):
            noise = noise + 4.0 * np.finfo(np.float64).eps * (held @ np.abs(circuit.charged_incidence))
        self._noise = noise[-1]
        allowed = KIRCHHOFF * most + FLOOR + np.minimum(noise, cap)
        ratio = left / allowed
        if not np.isfinite(ratio).all():
            self._residual_complaint = "a current is not finite"
            return np.inf
        stage, worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        self._residual_complaint = (
            f"Kirchhoff's law at {self.names[worst]} is off by {left[stage, worst]:.2g} A "
            f"of {most[stage, worst]:.2g} A"
        )
        self._worst = float((left / np.maximum(most, FLOOR / KIRCHHOFF)).max(initial=0.0))
        return float(ratio.max(initial=0.0))

    def _estimate(self, step: float, y: np.ndarray, laws: Laws, r: np.ndarray) -> float:
        """The error of a step over its tolerance."""
        circuit = self.circuit
        begin = self.drive.at(np.array([self.time]))[0]
        stored = circuit.stored(y - self.y, laws, laws.stands, self.laws.charges[-1])
        gained = (ESTIMATE / step) @ stored
        solve = self._filtered = self._filter(step, _last(laws))
        here = circuit.flows(self.y[None], self.laws, self.laws.stands)[0]
        error = solve((gained + begin - here)[None])[0]
        scale = self._scale(y[-1])
        # What rounding may move the unknowns by is no error of the step, nor cured by a smaller one.
        scale = scale + np.minimum(np.abs(solve(self._noise)), _MOST_ROUNDING * scale)
        ratio = np.where(self._judged, np.abs(error) / scale, 0.0)
        worst = int(np.argmax(ratio))
        if ratio[worst] > 1.0:
            # Once more from where the first estimate leads: it forgets what is stiff (section IV.8, equation 8.20).
            moved = self.y + error
            x = circuit.sensed(moved[None])
            there = circuit.laws(x) if not circuit.linear else _NO_LAWS
            if np.isfinite(there.currents).all():
                error = solve((gained + begin - circuit.flows(moved[None], there, x)[0])[None])[0]
                again = np.where(self._judged, np.abs(error) / scale, 0.0)
                if again.max() < ratio.max():
                    ratio = again
                    worst = int(np.argmax(ratio))
        if not np.isfinite(ratio).all():
            ratio = np.where(np.isfinite(ratio), ratio, 1e9)
        self._error_complaint = f"the error of {self.names[worst]} stays above the tolerance"
        return float(ratio.max(initial=0.0))

    def _accept(self, step: float, y: np.ndarray, laws: Laws, r: np.ndarray) -> None:
        self._past = step, np.concatenate([self.y[None], y])
        self.time += step
        self.y = y[-1]
        self.laws = _last(laws)
        self._low, self._high = np.minimum(self._low, self.y), np.maximum(self._high, self.y)
        self._most = np.maximum(self._most, self._largest)
        self.residual = max(self.residual, self._worst)
        self.steps += 1


def _last(laws: Laws) -> Laws:
    """The laws of the last stage alone."""
    return Laws(laws.stands[-1:], laws.currents[-1:], laws.slopes[-1:], laws.charges[-1:], laws.capacitances[-1:])


def _none(points: int) -> Laws:
    """Of a circuit without nonlinear elements."""
    empty = np.zeros((points, 0))
    return Laws(empty, empty, empty, empty, empty)


_NO_LAWS = _none(STAGES)
