"""Formulas of behavioural sources in high precision: the reader's programs, evaluated again by mpmath.

What ngspice 39 makes of the edges of domains follows its manual, section 5.1: divisors are moved away from 0 by 1e-20 gmin,
exp(x) is 1e99 above x = 227.9559242, logarithms of 0 are -1e99, x^y takes the absolute value of x, a TABLE's corners are
parabolas over a tenth of the shorter segment beside them. Derivatives are differences: at these digits they do.
"""

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import Any

import mpmath
from mpmath import mpf

Number = Any
"""mpmath's numbers, whose type it does not tell."""

_STEP = "1e-25"
_LARGE = "1e99"
_MOST_EXPONENT = "227.9559242"
_FUDGE = "1e-20"
_ROUNDED = "0.1"


def formula_tangent(
    program: Sequence[tuple], constants: Sequence[Number], sensed: Sequence[Number], gmin: Number
) -> tuple[Number, list[Number]]:
    """The value of a formula and its derivatives by what it senses.

    Raises:
        ValueError: It has no value there.
    """
    value = formula_value(program, constants, sensed, gmin)
    slopes = []
    for k, at in enumerate(sensed):
        step = mpf(_STEP) * (1 + abs(at))
        moved = [*sensed[:k], at + step, *sensed[k + 1 :]]
        slopes.append((formula_value(program, constants, moved, gmin) - value) / step)
    return value, slopes


def formula_value(
    program: Sequence[tuple], constants: Sequence[Number], sensed: Sequence[Number], gmin: Number
) -> Number:
    """The value of a formula at time 0.

    Raises:
        ValueError: It has none: a root or logarithm of a negative number.
    """
    stack: list[Number] = []
    for item in program:
        if item[0] == "constant":
            stack.append(constants[item[1]])
        elif item[0] == "sensed":
            stack.append(sensed[item[1]])
        elif item[0] == "time":
            stack.append(mpf(0))
        else:
            operands = stack[len(stack) - item[2] :]
            del stack[len(stack) - item[2] :]
            result = _called(item[1], operands, gmin)
            if not isinstance(result, mpf):
                raise ValueError(f"{item[1]} has no real value here")
            stack.append(result)
    return stack[0]


def _called(name: str, operands: list[Number], gmin: Number) -> Number:
    if name == "/":
        fudge = mpf(_FUDGE) * gmin
        return operands[0] / (operands[1] + (fudge if operands[1] >= 0 else -fudge))
    if name == "?":
        return operands[1] if operands[0] != 0 else operands[2]
    if name == "pwl":
        return _straight(operands[0], operands[1::2], operands[2::2])
    if name.startswith("table "):
        return _table(operands[0], operands[1::2], operands[2::2])
    if name.startswith("poly "):
        return _polynomial(operands[: int(name[5:])], operands[int(name[5:]) :])
    return (_ONE[name] if len(operands) == 1 else _TWO[name])(*operands)


def _straight(x: Number, xs: Sequence[Number], ys: Sequence[Number]) -> Number:
    """Lines through points, and on beyond the ends."""
    if xs[0] > xs[-1]:
        xs, ys = xs[::-1], ys[::-1]
    k = min(max(sum(x >= at for at in xs) - 1, 0), len(xs) - 2)
    return ys[k] + (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k]) * (x - xs[k])


def _table(x: Number, xs: Sequence[Number], ys: Sequence[Number]) -> Number:
    """Lines through points, constant beyond the ends, corners rounded."""
    if x <= xs[0] - (xs[1] - xs[0]) or x >= xs[-1] + (xs[-1] - xs[-2]):
        return ys[0] if x <= xs[0] else ys[-1]
    xs = [2 * xs[0] - xs[1], *xs, 2 * xs[-1] - xs[-2]]
    ys = [ys[0], *ys, ys[-1]]
    for k in range(1, len(xs) - 1):
        left, right = xs[k] - xs[k - 1], xs[k + 1] - xs[k]
        reach = mpf(_ROUNDED) * min(left, right)
        if abs(x - xs[k]) < reach:
            before, after = (ys[k] - ys[k - 1]) / left, (ys[k + 1] - ys[k]) / right
            # The parabola that meets both lines with their slopes, at both ends of the corner.
            start = ys[k] - before * reach
            along = x - xs[k] + reach
            return start + before * along + (after - before) / (4 * reach) * along**2
    return _straight(x, xs, ys)


def _polynomial(quantities: list[Number], coefficients: list[Number]) -> Number:
    """SPICE2's POLY: coefficients of 1, x, y, ..., x², x y, ..., as far as they are given."""
    total, degree, given = mpf(0), 0, list(coefficients)
    while given:
        for factors in combinations_with_replacement(quantities, degree):
            if not given:
                break
            total += given.pop(0) * mpmath.fprod(factors)
        degree += 1
    return total


def _power(x: Number, y: Number) -> Number:
    return mpf(1) * abs(x) ** y


def _logarithm(x: Number) -> Number:
    return -mpf(_LARGE) if x == 0 else mpmath.log(x)


def _truth(test: Callable[..., bool]) -> Callable[..., Number]:
    return lambda *operands: mpf(1 if test(*operands) else 0)


_ONE: dict[str, Callable[[Number], Number]] = {
    **{
        name: getattr(mpmath, name)
        for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh")
    },
    **{name: getattr(mpmath, name) for name in ("floor", "nint", "sin", "sinh", "sqrt", "tan", "tanh")},
    "~": lambda x: -x,
    "!": _truth(lambda x: x == 0),
    "abs": abs,
    "exp": lambda x: mpf(_LARGE) if x > mpf(_MOST_EXPONENT) else mpmath.exp(x),
    "exp - 1": lambda x: mpf(_LARGE) - 1 if x > mpf(_MOST_EXPONENT) else mpmath.expm1(x),
    "ln": _logarithm,
    "log": _logarithm,
    "log10": lambda x: -mpf(_LARGE) if x == 0 else mpmath.log10(x),
    "sgn": lambda x: mpf(mpmath.sign(x)),
    "u": lambda x: (1 + mpf(mpmath.sign(x))) / 2,
    "u2": lambda x: min(max(x, mpf(0)), mpf(1)),
    "uramp": lambda x: max(x, mpf(0)),
    "eq0": _truth(lambda x: x == 0),
    "ne0": _truth(lambda x: x != 0),
    "gt0": _truth(lambda x: x > 0),
    "lt0": _truth(lambda x: x < 0),
    "ge0": _truth(lambda x: x >= 0),
    "le0": _truth(lambda x: x <= 0),
}
_TWO: dict[str, Callable[[Number, Number], Number]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "^": _power,
    "pow": _power,
    "pwr": lambda x, y: mpmath.sign(x) * _power(x, y),
    "min": min,
    "max": max,
    "<": _truth(lambda x, y: x < y),
    ">": _truth(lambda x, y: x > y),
    "<=": _truth(lambda x, y: x <= y),
    ">=": _truth(lambda x, y: x >= y),
    "==": _truth(lambda x, y: x == y),
    "!=": _truth(lambda x, y: x != y),
    "&&": _truth(lambda x, y: x != 0 and y != 0),
    "||": _truth(lambda x, y: x != 0 or y != 0),
}
