"""Behavioural current sources that are two-terminal elements: their current follows from the voltage across themselves.

Such are ideal and piecewise-linear diodes as ``mho export`` writes them, ``I = V(a,b) > 0 ? 1e12*V(a,b) : 0``, and the
currents of nudging. Of a formula without anything but sums, products with numbers and a choice that has no jump, this
finds i(u) = i0 + g u + s h max(s u - t, 0): a current source and a resistor or a piecewise-linear diode. With g and g + h
not negative they have an energy, which a circuit keeps if all of its elements do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.elements import PiecewiseDiode
from mho.netlists.reading.formulas import CHOOSE, NEGATE
from mho.netlists.reading.netlist import BehaviouralSources

_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class OwnVoltageLaw:
    """The law of n sources.

    Attributes:
        current: i0 [A], (n,), from the first node through the source to the second.
        conductance: g [S], (n,), where there is no kink.
        diode: The law without i0, where there is one.
    """

    current: np.ndarray
    conductance: np.ndarray
    diode: PiecewiseDiode | None


@dataclass(frozen=True, slots=True)
class _Line:
    """level + slope u, and behind it height max(rise u + start, 0), with (n,) each; height is None without a kink."""

    level: np.ndarray
    slope: np.ndarray
    height: np.ndarray | None = None
    rise: np.ndarray | None = None
    start: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class _Positive:
    """Whether a line without a kink is above 0."""

    line: _Line


def own_voltage_law(group: BehaviouralSources) -> OwnVoltageLaw | None:
    """The law of current sources, or None if it isn't one of their own voltage, has another form or decreases."""
    signs = _signs(group)
    if group.kind != "i" or signs is None:
        return None
    line = _line(group, signs)
    if line is None:
        return None
    if line.height is None or line.rise is None or line.start is None:
        return OwnVoltageLaw(line.level, line.slope, None) if (line.slope >= 0).all() else None
    polarity, reach = np.sign(line.rise), np.abs(line.rise)
    step = polarity * line.height * reach
    with np.errstate(all="ignore"):
        parameters: tuple[Any, ...] = (1.0 / (line.slope + step), 1.0 / line.slope, -line.start / reach, polarity)
    if not ((line.slope >= 0) & (line.slope + step >= 0) & (reach > 0) & (parameters[2] >= 0)).all():
        return None
    return OwnVoltageLaw(line.level, np.zeros_like(line.level), PiecewiseDiode(*parameters))


def _signs(group: BehaviouralSources) -> list[float] | None:
    """For each quantity sensed +1 if it is the first node's voltage, -1 for the second's; None if there are others."""
    signs = []
    for column in group.sensed.T:
        own = [np.array_equal(column, end) for end in group.nodes.T]
        if own[0] == own[1]:
            return None
        signs.append(1.0 if own[0] else -1.0)
    grounded = not group.nodes[:, 1].any() or not group.nodes[:, 0].any()
    return signs if grounded or sum(signs) == 0 else None


def _line(group: BehaviouralSources, signs: list[float]) -> _Line | None:
    """The formula as a line with at most one kink."""
    n = len(group)
    stack: list[Any] = []
    for item in group.program:
        if item[0] == "constant":
            stack.append(_Line(group.constants[item[1]], np.zeros(n)))
        elif item[0] == "sensed":
            # A sensed voltage alone isn't a function of the difference, unless the other node is ground.
            stack.append(item[1])
        elif item[0] == "call" and (found := _applied(item[1], stack[len(stack) - item[2] :], signs, n)) is not None:
            del stack[len(stack) - item[2] :]
            stack.append(found)
        else:
            return None
    return _as_line(stack[0], signs, n)


def _as_line(operand: Any, signs: list[float], n: int) -> _Line | None:
    if isinstance(operand, int):
        return _Line(np.zeros(n), np.full(n, signs[operand])) if len(signs) == 1 else None
    return operand if isinstance(operand, _Line) else None


def _applied(name: str, operands: list[Any], signs: list[float], n: int) -> _Line | _Positive | None:
    if name == "-" and all(isinstance(operand, int) for operand in operands) and len(signs) == 2:
        plus, minus = operands
        return _Line(np.zeros(n), np.full(n, signs[plus])) if plus != minus else None
    if name == CHOOSE:
        return _chosen(operands[0], *(_as_line(operand, signs, n) for operand in operands[1:]))
    lines = [_as_line(operand, signs, n) for operand in operands]
    if any(line is None for line in lines):
        return None
    first, *rest = (line for line in lines if line is not None)
    if name == NEGATE:
        return _times(first, np.full(n, -1.0))
    if len(rest) != 1:
        return None
    second = rest[0]
    if name == "+":
        return _sum(first, second)
    if name == "-":
        return _sum(first, _times(second, np.full(n, -1.0)))
    if name in (">", ">=", "<", "<="):
        larger, smaller = (first, second) if name[0] == ">" else (second, first)
        difference = _sum(larger, _times(smaller, np.full(n, -1.0)))
        return None if difference is None or difference.height is not None else _Positive(difference)
    if name == "*" and _is_number(first):
        return _times(second, first.level)
    if name == "*" and _is_number(second):
        return _times(first, second.level)
    if name == "/" and _is_number(second) and second.level.all():
        return _times(first, 1.0 / second.level)
    return None


def _is_number(line: _Line) -> bool:
    return line.height is None and not line.slope.any()


def _times(line: _Line, factor: np.ndarray) -> _Line:
    height = None if line.height is None else line.height * factor
    return _Line(line.level * factor, line.slope * factor, height, line.rise, line.start)


def _sum(first: _Line, second: _Line) -> _Line | None:
    if first.height is not None and second.height is not None:
        return None
    kinked = first if first.height is not None else second
    level, slope = first.level + second.level, first.slope + second.slope
    return _Line(level, slope, kinked.height, kinked.rise, kinked.start)


def _chosen(condition: Any, above: _Line | None, below: _Line | None) -> _Line | None:
    """``d > 0 ? above : below`` as below + height max(d, 0), which holds if there is no jump at d = 0."""
    if not isinstance(condition, _Positive) or above is None or below is None:
        return None
    if above.height is not None or below.height is not None:
        return None
    d = condition.line
    level, slope = above.level - below.level, above.slope - below.slope
    if not d.slope.all():
        return None
    height = slope / d.slope
    size = np.abs(above.level) + np.abs(below.level) + np.abs(height * d.level)
    if (np.abs(level - height * d.level) > _SAME * size).any():
        return None
    return _Line(below.level, below.slope, height, d.slope, d.level)
