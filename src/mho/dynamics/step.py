"""One step of a circuit in time: its stages solved, judged by Kirchhoff's laws, its error estimated.

The stages' equations are solved by Newton's method, every element moving no further than to where it carries the
current that its tangent predicts, so that exponential laws don't overshoot. They count as solved when the last step of
Newton's method is far below the tolerance and Kirchhoff's laws hold at all stages: what is left in an equation is at
most `KIRCHHOFF` of its largest term, plus `FLOOR`, plus the rounding of linear elements' and charges' terms, which
counts up to `KIRCHHOFF` of the largest term that the equation has had so far. Sources: Hairer and Wanner, Solving
Ordinary Differential Equations II, 2nd ed., section IV.8, for the error estimate; Nagel 1975 for the limiting.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mho.dynamics.collocation import ESTIMATE, FILTER, INVERSE, POINTS, STAGES, interpolated_rates, interpolation
from mho.dynamics.equations import CircuitInTime, Laws
from mho.dynamics.stage_matrix import DenseStages, Solve, SparseStages

KIRCHHOFF = 1e-6
"""Of the largest current in a node's law: what a step may leave over."""
FLOOR = 1e-12
"""A, or V in the laws of voltage sources: as SPICE's abstol."""
_NEWTON_STEPS = 14
_NEWTON_SHARE = 0.1
"""Of the tolerance: the last step of Newton's method."""
_PATIENCE = 4
"""Steps of Newton's method after which rounding may be what is left of them."""
MOST_ROUNDING = 1e-3
"""Of an unknown's swing: what rounding may move it by. A tenth of it counts as no step of Newton's method, in the end."""
_CHECKS = np.array([0.08, 0.28, 0.4, 0.52, 0.76, 0.88])
"""Shares of a step at which the charges are checked, between the stages."""
_NEAR = 0.3
"""Of the tolerance: a deviation between the stages that one linear correction does away with."""
_MOST = np.maximum.reduce
_TIMES = np.concatenate([[0.0], POINTS, _CHECKS])
_CHECKED = interpolation(_CHECKS), interpolated_rates(_CHECKS)


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


@dataclass
class State:
    """Where a circuit stands."""

    time: float
    y: np.ndarray
    """The unknowns, (size,)."""
    laws: Laws
    """Of the elements there, one stage."""
    largest: np.ndarray
    """The largest term that each equation has had so far, (size,)."""


@dataclass
class Stages:
    """A step whose equations are solved."""

    step: float
    y: np.ndarray
    """(STAGES, size)."""
    laws: Laws
    stored: np.ndarray
    """The charges gained, in each equation, (STAGES, size)."""
    r: np.ndarray
    """The sources at the step's beginning, its stages and its checks, (times, size)."""
    largest: np.ndarray
    """Largest term of each equation, (size,)."""
    noise: np.ndarray
    """What rounding may leave in each equation, (size,)."""
    residual: float
    """Largest imbalance relative to the largest term (or to `FLOOR` / `KIRCHHOFF`)."""
    filter: Solve
    """The error estimate's, at the last stage."""

    def end(self, before: State) -> State:
        """The state after the step."""
        largest = np.maximum(before.largest, self.largest)
        return State(before.time + self.step, self.y[-1], self.laws.last(), largest)


class Stepper:
    """Steps of one circuit."""

    def __init__(
        self, circuit: CircuitInTime, drive: Drive, names: list[str], judged: np.ndarray, error: float
    ) -> None:
        """Take a circuit, its sources, its equations' names, which unknowns' errors count, (size,), and their tolerance.

        The tolerance is a share of the unknowns' swings, as `MOST_ROUNDING`.
        """
        self._rounding = max(1.0, MOST_ROUNDING / error)
        self._circuit, self._drive, self._names = circuit, drive, names
        self._judged = judged.astype(np.float64)
        self._matrices = DenseStages(circuit) if circuit.dense else SparseStages(circuit)
        self._factors: tuple[float, Solve, Solve] | None = None
        self.solutions = 0
        """Linear systems solved for stages."""
        self.complaint = ""
        """Why the last step was not solved."""

    def solved(
        self, state: State, step: float, guess: np.ndarray, scale: np.ndarray, surplus: np.ndarray | None = None
    ) -> Stages | None:
        """The stages of a step [s] from a state, or None.

        Args:
            state: where the step begins.
            step: its size.
            guess: of the stages' unknowns, (STAGES, size).
            scale: the unknowns' tolerances, (size,).
            surplus: what is stored where it begins beyond what the state holds, in each equation [C], (size,).
        """
        circuit, matrices, linear = self._circuit, self._matrices, self._circuit.linear
        r = self._drive.at(state.time + step * _TIMES)
        if surplus is not None:
            r[1 : 1 + STAGES] += INVERSE.sum(1)[:, None] / step * surplus
        weight, weights = self._judged / scale, INVERSE / step
        before = state.laws.charges[-1]
        begin = r[1 : 1 + STAGES] - circuit.flows(state.y[None], _NO_LAWS, _NO_LAWS.stands)
        change = guess - state.y
        x = circuit.sensed(guess)
        laws = circuit.moved(state.laws, x)
        remaining = size = np.inf
        for count in range(_NEWTON_STEPS):
            left = begin - matrices.linear(step, change)
            if not linear:
                left -= circuit.drawn(laws, x)
                if len(circuit.charged):
                    left -= weights @ circuit.held(laws, x, before)
            share = _NEWTON_SHARE * (1.0 if count <= _PATIENCE else self._rounding)
            if count and laws.stands is x and (remaining <= share or linear):
                found = self._judge(state, step, change, laws, r)
                if found is not None:
                    return found
            delta = self._stage_solver(step, laws)(left)
            self.solutions += 1
            change = change + delta
            last, size = size, float(_MOST(np.abs(delta) * weight, axis=None, initial=0.0))
            # What the steps to come will add, if they go on shrinking as they do.
            remaining = min(size, size * size / (last - size)) if size < last < np.inf else size
            if not np.isfinite(size):
                self.complaint = "its linearised equations have no solution"
                return None
            x = circuit.sensed(state.y + change)
            laws = circuit.moved(laws, x)
        if size > _NEWTON_SHARE and not linear:
            worst = int(np.argmax(np.abs(delta).max(0) * weight))
            self.complaint = f"Newton's method does not converge, {self._names[worst]} last of all"
        return None

    def _judge(self, state: State, step: float, change: np.ndarray, laws: Laws, r: np.ndarray) -> Stages | None:
        """The stages if Kirchhoff's laws hold at them."""
        circuit = self._circuit
        weights, before = INVERSE / step, state.laws.charges[-1]
        y = state.y + change
        gained = laws.charges - before
        left, most, noise = circuit.imbalance(y, weights @ change, laws, weights @ gained, r[1 : 1 + STAGES])
        if len(circuit.charged):
            noise += circuit.charged_noise(np.abs(weights) @ (np.abs(laws.charges) + np.abs(before)))
        left = np.abs(left)
        largest = most.max(0)
        allowed = KIRCHHOFF * most + FLOOR + np.minimum(noise, KIRCHHOFF * np.maximum(state.largest, largest))
        ratio = left / allowed
        # `not <=` refuses what is not finite, too.
        if not ratio.max(initial=0.0) <= 1.0:
            stage, worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
            self.complaint = (
                f"Kirchhoff's law at {self._names[worst]} is off by {left[stage, worst]:.2g} A "
                f"of {most[stage, worst]:.2g} A"
            )
            return None
        wrong = circuit.out_of_range(laws)
        if wrong is not None:
            self.complaint = f"out of range is {wrong}"
            return None
        stored = circuit.stored(change, laws, laws.stands, before)
        residual = float((left / np.maximum(most, FLOOR / KIRCHHOFF)).max(initial=0.0))
        filtered = self._filter(step, laws.last())
        return Stages(step, y, laws, stored, r, largest, noise[-1], residual, filtered)

    def error(self, state: State, stages: Stages, scale: np.ndarray) -> float:
        """The estimated error of a step over its tolerances, (size,)."""
        circuit = self._circuit
        gained = (ESTIMATE / stages.step) @ stages.stored + stages.r[0]
        # What rounding may move the unknowns by is no error of the step, nor cured by a smaller one.
        rounding = np.abs(stages.filter(stages.noise))
        weight = self._judged / (scale + np.minimum(rounding, self._rounding * scale))
        here = circuit.flows(state.y[None], state.laws, state.laws.stands)[0]
        error = stages.filter(gained - here)
        ratio = np.abs(error) * weight
        if ratio.max(initial=0.0) > 1.0:
            # Once more from where the first estimate leads: it forgets what is stiff (section IV.8, equation 8.20).
            x = circuit.sensed((state.y + error)[None])
            there = circuit.flows((state.y + error)[None], circuit.laws(x), x)[0]
            again = np.abs(stages.filter(gained - there)) * weight
            if again.max() < ratio.max():
                ratio = again
        worst = int(np.argmax(ratio)) if len(ratio) else 0
        if not ratio.max(initial=0.0) <= 1.0:
            self.complaint = f"the error of {self._names[worst]} stays above the tolerance"
        return float(ratio.max(initial=0.0))

    def between(
        self, state: State, stages: Stages, shares: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, float] | None:
        """The unknowns at shares of a step, (times, size), and the error of the charges there over its tolerance; or None.

        The charges are those of the collocation polynomial q(s), whose laws hold at the stages alone: what no charge holds,
        or a fast one, must follow Kirchhoff's laws at every time. So the filter of the error estimate is applied to what the
        polynomial leaves over: F(y) + q'(s) + (γ₀⁻¹/h) (Q(y) − q(s)) = r. A pulse of current between two stages, which none
        of them sees, moves Q(y) away from q(s): the error.
        """
        circuit, step, reported = self._circuit, stages.step, len(shares)
        if circuit.linear and not reported:
            return np.zeros((0, circuit.size)), 0.0
        if not reported and circuit.hardly_moved(state.laws, stages.laws):
            return np.zeros((0, circuit.size)), 0.0
        r = self._drive.at(state.time + shares * step) if reported else np.zeros((0, circuit.size))
        weights, rates = (f(shares) for f in (interpolation, interpolated_rates)) if reported else _CHECKED
        if not circuit.linear:
            r = np.concatenate([r, stages.r[1 + STAGES :]]) if reported else stages.r[1 + STAGES :]
            if reported:
                weights, rates = np.concatenate([weights, _CHECKED[0]]), np.concatenate([rates, _CHECKED[1]])
        before, pull = state.laws.charges[-1], FILTER / step
        kept = weights[:, 1:] @ stages.stored
        r = r - (rates[:, 1:] / step) @ stages.stored
        found = weights @ np.concatenate([state.y[None], stages.y])
        x = circuit.sensed(found)
        here = circuit.laws(x)
        off = circuit.stored(found - state.y, here, x, before) - kept
        delta = stages.filter(r - circuit.flows(found, here, x) - pull * off)
        weight = self._judged / scale
        if circuit.linear or (np.abs(delta) * weight).max(initial=0.0) < _NEAR:
            return (found + delta)[:reported], 0.0
        found = found + delta
        x = circuit.sensed(found)
        here = circuit.moved(here, x)
        for count in range(_NEWTON_STEPS):
            off = circuit.stored(found - state.y, here, x, before) - kept
            solve = self._matrices.points(step, here)
            delta = solve(r - circuit.flows(found, here, x) - pull * off)
            found = found + delta
            size = (np.abs(delta) * weight).max(initial=0.0)
            if not np.isfinite(size):
                break
            if here.stands is x and size <= _NEWTON_SHARE * (1.0 if count < _PATIENCE else self._rounding):
                return found[:reported], float((np.abs(solve(pull * off)) * weight).max(initial=0.0))
            x = circuit.sensed(found)
            here = circuit.moved(here, x)
        self.complaint = "Newton's method does not converge within the step"
        return None

    def _stage_solver(self, step: float, laws: Laws) -> Solve:
        if not self._circuit.linear:
            return self._matrices.stages(step, laws)
        if self._factors is None or self._factors[0] != step:
            self._factors = step, self._matrices.stages(step, laws), self._matrices.points(step, laws.last())
        return self._factors[1]

    def _filter(self, step: float, laws: Laws) -> Solve:
        if not self._circuit.linear or self._factors is None or self._factors[0] != step:
            return self._matrices.points(step, laws)
        return self._factors[2]


_NOTHING = np.zeros((1, 0))
_NO_LAWS = Laws(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
