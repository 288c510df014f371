"""Integration of a circuit in time: the size of its steps.

A step is accepted if its equations are solved (`mho.dynamics.step`) and the estimated error of every node voltage and
inductor current is below `ERROR` of that unknown's swing so far. What fails is tried again with a smaller step. Steps
end at the corners of the sources' waveforms. Source: Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd
ed., section IV.8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mho.dynamics.collocation import POINTS, STAGES, TOTAL, interpolated_integrals, interpolation
from mho.dynamics.equations import CircuitInTime
from mho.dynamics.step import Drive, Stages, State, Stepper
from mho.errors import MhoError

ERROR = 1e-5
"""Tolerance of a step's estimated error, as a share of an unknown's swing. An order of 5 pays where it is strict."""
_LEAST_SWING = 0.01
"""Of the largest swing: unknowns that swing less are judged as if they did."""
_SMALLEST = 1e-6
"""V, or A: the tolerance of an unknown that hardly swings."""
_SLOW = 6
"""Steps of Newton's method after which the next step is not made larger."""
_GROWTH = 8.0
_SHRINK = 0.2
_UNSOLVED = 0.25
_SAFETY = 0.85
_KEPT = 1.25
"""A step that could grow by less than this is kept, and with it a linear circuit's matrix."""
_FAR = 3.0
"""Steps ahead beyond which the last step's polynomial predicts nothing."""
_FIRST = 1e-8
"""Of the largest step, or of the time to the next corner: a step that lets what no charge holds find its place."""
_AFTER_JUMP, _AFTER_CORNER = 0.01, 0.25
"""Of the time to the next corner: the first step, at the most."""
_WATCHED = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
"""Shares of a step at which elements may be seen to turn on."""
_SOON = 0.02
"""Of a step: an element that turns on before is no reason to make it shorter."""
_AFTER_TURN = 0.5
"""Of the step that was planned: the first one after an element has turned on."""
_JUMP = 1e-6
"""Of the largest step: how close to a law's jump a step ends."""
_LEAST = 8.0
"""Units in the last place of the time: the smallest step."""


@dataclass(frozen=True)
class Course:
    """What an integration found."""

    unknowns: np.ndarray
    """At the times asked for, (times, size)."""
    integrals: np.ndarray | None
    """Theirs over time, from time 0, (times, size), if they were asked for."""
    steps: int
    rejected: int
    """Steps whose error was above the tolerance."""
    failed: int
    """Steps whose equations were not solved."""
    solutions: int
    """Linear systems solved for the stages."""
    residual: float
    """Largest imbalance of Kirchhoff's laws in an accepted step; see `mho.dynamics.step.Stages`."""


def integrate(
    circuit: CircuitInTime,
    drive: Drive,
    start: np.ndarray,
    times: np.ndarray,
    *,
    names: Sequence[str],
    judged: np.ndarray,
    max_step: float,
    error: float = ERROR,
    surplus: np.ndarray | None = None,
    integrated: bool = False,
    visited: Callable[[float], None] = lambda time: None,
) -> Course:
    """Follow a circuit from time 0 to the last of some times.

    Args:
        circuit: the circuit's equations.
        drive: its sources.
        start: unknowns whose charges the circuit begins with, without series resistances', (unknowns,).
        times: increasing times to report [s], from 0 on.
        names: of the unknowns, for messages.
        judged: which unknowns the error estimate judges, (unknowns,), bool: node voltages and inductors' currents.
        max_step: the largest step [s].
        error: tolerance of a step's estimated error, as a share of an unknown's swing.
        surplus: what the circuit begins with beyond the charges of `start`, in each equation [C], (unknowns,), if anything:
            of capacitors whose voltages are not their nodes'.
        integrated: whether to integrate the unknowns over time, too.
        visited: called with the time of every accepted step.

    Raises:
        MhoError: if a step fails however small it is.
    """
    with np.errstate(all="ignore"):
        behind = circuit.size - len(names)
        judged = np.append(judged, np.zeros(behind, bool))
        labels = [*names, *(f"a diode's series resistance ({k})" for k in range(behind))]
        run = _Integration(circuit, Stepper(circuit, drive, labels, judged, error), start, judged, max_step, error)
        if surplus is not None and surplus.any():
            run.surplus = np.append(surplus, np.zeros(behind))
        return run.through(drive, times, integrated, visited)


class _Integration:
    def __init__(
        self,
        circuit: CircuitInTime,
        stepper: Stepper,
        start: np.ndarray,
        judged: np.ndarray,
        max_step: float,
        error: float,
    ) -> None:
        y = circuit.complete(np.array(start, np.float64))
        self._circuit, self._stepper, self._judged, self._max_step, self._error = (
            *(circuit, stepper, judged, max_step, error),
        )
        laws = circuit.laws(circuit.sensed(y[None]))
        circuit.passed(laws)
        self._state = State(0.0, y, laws, np.zeros(circuit.size))
        self.surplus: np.ndarray | None = None
        """What the first step finds in each equation beyond the charges of the state it begins with [C], (size,)."""
        self._jump = np.inf
        self._turned, self._turn = False, np.inf
        """Whether an element began to conduct where the state is, and the step that was possible there the last time [s]."""
        self._low, self._high = y.copy(), y.copy()
        self._integral = np.zeros(circuit.size)
        self._past: tuple[float, float, np.ndarray] | None = None
        """A step's polynomial: where in it, as a share, the next one begins, its size, and values, (1 + STAGES, size)."""
        self._steps = self._rejected = self._failed = 0
        self._residual = 0.0

    def through(self, drive: Drive, times: np.ndarray, integrated: bool, visited: Callable[[float], None]) -> Course:
        found = np.empty((len(times), len(self._state.y)))
        integrals = np.empty_like(found if integrated else found[:0])
        reported, step = 0, self._max_step
        for number, corner in enumerate(drive.corners):
            jumps = drive.enter(self._state.time, corner)
            # A polynomial knows nothing of what comes behind a corner.
            self._past = None
            if jumps or number == 0:
                self._settle(corner)
                while reported < len(times) and times[reported] <= self._state.time:
                    found[reported], integrals[reported : reported + 1] = self._state.y, self._integral
                    reported += 1
            stretch = corner - self._state.time
            step = min(step, stretch * (_AFTER_JUMP if jumps or number == 0 else _AFTER_CORNER))
            while self._state.time < corner:
                step, *between = self._advance(step, corner, times[reported:])
                until = reported + len(between[0])
                found[reported:until] = between[0]
                if integrated:
                    integrals[reported:until] = between[1]
                reported = until
                visited(self._state.time)
        found[reported:], integrals[reported:] = self._state.y, self._integral
        done = self._steps, self._rejected, self._failed, self._stepper.solutions, self._residual
        return Course(found, integrals if integrated else None, *done)

    def _scale(self, y: np.ndarray) -> np.ndarray:
        """Tolerances of the unknowns, if they get to y."""
        swing = np.maximum(self._high, y) - np.minimum(self._low, y)
        least = _LEAST_SWING * (swing * self._judged).max(initial=0.0)
        return self._error * np.maximum(swing, least) + _SMALLEST

    def _settle(self, corner: float) -> None:
        """A step so small that no charge moves but where it must: from the start, and after a jump."""
        state = self._state
        size = max(_FIRST * min(self._max_step, corner - state.time), _LEAST * np.spacing(corner))
        reasons: list[str] = []
        while size < corner - state.time:
            guess = np.repeat(state.y[None], STAGES, 0)
            stages = self._stepper.solved(state, size, guess, self._scale(state.y), self.surplus)
            if stages is not None:
                self._accept(stages)
                self._past = None
                if self.surplus is not None:
                    # No swing: the circuit was never where the charges were counted from.
                    self._low, self._high, self.surplus = self._state.y, self._state.y, None
                return
            reasons.append(self._stepper.complaint)
            size *= 10.0
        raise MhoError(self._stuck(size / 10.0, reasons))

    def _stuck(self, step: float, reasons: Sequence[str]) -> str:
        # The first: the smallest steps fail by the rounding of charges, whatever the reason was.
        return (
            f"the transient does not get beyond {self._state.time:.6g} s: "
            f"{reasons[0] if reasons else 'two corners of sources are too close'}; steps down to {step:.2g} s were tried"
        )

    def _advance(self, step: float, corner: float, times: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """One accepted step.

        Returns:
            The size that the next one may have [s], and the unknowns and their integrals at those of the times it passes.
        """
        stepper, state = self._stepper, self._state
        smaller, reasons = False, list[str]()
        while True:
            left = corner - state.time
            size = min(step, self._max_step)
            # Two even steps rather than a long one and a sliver.
            size = left if size >= 0.999 * left else min(size, 0.5 * left)
            if state.time < self._jump < np.inf:
                size = min(size, max(0.5 * (self._jump - state.time), 0.5 * self._nearest(corner)))
            turns = False
            if not smaller and self._past is not None and size <= _FAR * self._past[1]:
                share = self._circuit.turning_on(state.laws, _WATCHED, self._followed(_WATCHED, size))
                turns = _SOON < share < 1.0
                if turns:
                    size *= share
            if size < _LEAST * np.spacing(corner) and size < left:
                raise MhoError(self._stuck(size, reasons))
            before = stepper.solutions
            stages = stepper.solved(state, size, self._predicted(size), self._scale(state.y))
            if stages is None:
                self._failed += 1
                reasons.append(stepper.complaint)
                step, smaller, self._past = size * _UNSOLVED, True, None
                continue
            jumps = self._circuit.switched(stages.laws)
            if jumps and size > self._nearest(corner):
                reasons.append("a law jumps")
                self._jump, step, smaller = state.time + size, 0.5 * size, True
                continue
            scale = self._scale(stages.y[-1])
            error = stepper.error(state, stages, scale)
            growth = _SAFETY * max(error, 1e-12) ** -0.25
            if not (error <= 1.0 or jumps):
                self._rejected += 1
                reasons.append(stepper.complaint)
                # What was found on the longer step tells more of the shorter one than what came before both.
                self._past = 0.0, size, np.concatenate([state.y[None], stages.y])
                step, smaller = size * max(growth, _SHRINK), True
                continue
            passed = times[: int(np.searchsorted(times, corner if size == left else state.time + size, side="right"))]
            shares = (passed - state.time) / size
            between = stepper.between(state, stages, shares, scale)
            if between is None:
                self._failed += 1
                reasons.append(stepper.complaint)
                step, smaller = size * _UNSOLVED, True
                continue
            found, missed = between
            if not (missed <= 1.0 or jumps):
                self._rejected += 1
                reasons.append("the charges' error within the step stays above the tolerance")
                step, smaller = size * max(_SAFETY * missed**-0.25, _SHRINK), True
                continue
            values = np.concatenate([state.y[None], stages.y])
            told = found, self._integral + size * interpolated_integrals(shares) @ values
            self._accept(stages)
            if size == left:
                self._state.time = corner
            if jumps:
                return self._after_jump(corner), *told
            if self._turned:
                self._turned, self._turn = False, size
            if turns:
                self._turned = True
                return min(self._turn, _AFTER_TURN * step), *told
            slow = smaller or stepper.solutions - before >= _SLOW
            growth = min(growth, 1.0 if slow else _GROWTH)
            if growth >= 1.0:
                # A step that the corner cut short says nothing against the size it was to have.
                return max(step, size * (growth if growth >= _KEPT else 1.0)), *told
            return size * growth, *told

    def _nearest(self, corner: float) -> float:
        """How close to a law's jump a step must end [s]."""
        return max(_JUMP * min(self._max_step, corner), 4.0 * _LEAST * np.spacing(corner))

    def _after_jump(self, corner: float) -> float:
        """What no charge holds finds its place after a law's jump; the size of the next step [s]."""
        self._jump = np.inf
        self._state.laws = self._circuit.laws(self._state.laws.stands)
        if self._state.time < corner:
            self._settle(corner)
        return _AFTER_JUMP * self._max_step

    def _predicted(self, step: float) -> np.ndarray:
        """First guesses of the stages, (STAGES, size)."""
        if self._past is None or step > _FAR * self._past[1]:
            return np.repeat(self._state.y[None], STAGES, 0)
        return self._followed(POINTS, step)

    def _followed(self, shares: np.ndarray, step: float) -> np.ndarray:
        """The unknowns at shares of the step to come, if the last one's polynomial goes on, (times, size)."""
        assert self._past is not None
        begin, size, values = self._past
        return interpolation(begin + shares * (step / size)) @ values

    def _accept(self, stages: Stages) -> None:
        values = np.concatenate([self._state.y[None], stages.y])
        self._past = 1.0, stages.step, values
        self._integral = self._integral + stages.step * (TOTAL @ values)
        self._state = stages.end(self._state)
        self._circuit.passed(stages.laws)
        self._low, self._high = np.minimum(self._low, self._state.y), np.maximum(self._high, self._state.y)
        self._residual = max(self._residual, stages.residual)
        self._steps += 1
