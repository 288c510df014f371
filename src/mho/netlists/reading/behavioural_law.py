r"""The law of behavioural sources: their formulas' values and exact derivatives, for many sources of one form at once.

What ngspice 39 makes of the functions at the edges of their domains (its manual, section 5.1, and measured):

- x / y: y is moved away from 0 by 1e-20 gmin, so that 1/0 is large and finite;
- exp(x) is 1e99 above x = 227.9559242; ln(0), log(0) and log10(0) are -1e99; a logarithm or a root of a negative number
  is no number, and no operating point is accepted there;
- x^y and pow(x, y) are \|x\|^y; pwr(x, y) is sgn(x) \|x\|^y;
- u(x) is 0, 1/2 or 1, uramp(x) is max(x, 0), u2(x) is x kept within 0 to 1;
- pwl(x, x1, y1, ...) goes on straight beyond its ends; a TABLE stays constant beyond them, and its corners are rounded by
  parabolas over a tenth of the shorter segment on both sides (XSPICE's pwl model).

Derivatives are carried forward with the values. Where one isn't finite, at a single point such as sqrt(x) at 0, it is
cut to 1e99: it only guides Newton's method.
"""

from collections.abc import Callable
from itertools import combinations_with_replacement, islice

import equinox as eqx
import numpy as np

from mho.elements import ControlledLaw
from mho.errors import InputError
from mho.netlists.reading.expressions import Call
from mho.netlists.reading.formulas import CHOOSE, NEGATE
from mho.netlists.reading.values import shown

EXP_LESS_ONE = "exp - 1"
"""Name of a step: no function can have it."""

_LARGE = 1e99
_MOST_EXPONENT = 227.9559242
_FUDGE = 1e-20
_ROUNDED = 0.1

Program = tuple[tuple, ...]
"""Items in postfix order: ("constant", row), ("sensed", column), ("time",), which is 0 s, or ("call", function, count)."""
Dual = tuple[np.ndarray, np.ndarray | None]
"""Values, (n,), and their derivatives by what is sensed, (n, k); None where they are constant."""


class FormulaLaw(ControlledLaw):
    """n sources whose formulas differ in their numbers alone."""

    program: Program = eqx.field(static=True)
    constants: np.ndarray
    """The numbers in the formulas, (constants, n)."""
    gmin: float = 1e-12
    """Of the circuit [S]: it keeps divisors from 0."""

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values, (n,), and derivatives by what is sensed, (n, k)."""
        n, k = sensed.shape
        stack: list[Dual] = []
        with np.errstate(all="ignore"):
            for item in self.program:
                if item[0] == "constant":
                    stack.append((self.constants[item[1]], None))
                elif item[0] == "sensed":
                    one = np.zeros((n, k))
                    one[:, item[1]] = 1.0
                    stack.append((sensed[:, item[1]], one))
                elif item[0] == "time":
                    stack.append((np.zeros(n), None))  # see mho.netlists.reading.clock for transients
                else:
                    operands = stack[len(stack) - item[2] :]
                    del stack[len(stack) - item[2] :]
                    stack.append(_applied(item[1], operands, _FUDGE * self.gmin))
        value, derivative = stack[0]
        value = np.broadcast_to(value, n)
        if derivative is None:
            return value.copy(), np.zeros((n, k))
        return value.copy(), np.nan_to_num(derivative, nan=0.0, posinf=_LARGE, neginf=-_LARGE)

    def in_range(self, sensed: np.ndarray) -> np.ndarray:
        """Where the formulas have finite values, (n,)."""
        return np.isfinite(sensed).all(-1) & np.isfinite(self.tangent(sensed)[0])


def check_call(call: Call) -> None:
    """Check a function's name and its number of arguments.

    Raises:
        InputError: There is no such function, or it takes another number of arguments.
    """
    name, count = call
    if name == "pwl":
        if count < 5 or count % 2 == 0:
            raise InputError(f"pwl takes a quantity and two or more pairs of numbers, not {count} arguments")
        return
    if name.startswith(("poly ", "table ")):
        return
    right = 1 if name in _UNARY else _OTHER_COUNTS.get(name)
    if right is None:
        known = [*_UNARY, *_OTHER_COUNTS, "pwl"]
        raise InputError(
            f"no function {shown(name)} in a behavioural source; define it with .func, or use "
            f"{' '.join(word for word in known if word.isidentifier())}"
        )
    if count != right:
        raise InputError(f"{name} takes {right} argument{'s' * (right > 1)}, not {count}")


def _applied(name: str, operands: list[Dual], fudge: float) -> Dual:
    """A function of operands."""
    (x, dx), *rest = operands
    if name in _UNARY:
        value, slope = _UNARY[name](x, fudge)
        return value, _scaled(dx, slope)
    if name == CHOOSE:
        (a, da), (b, db) = rest
        chosen = x != 0
        return np.where(chosen, a, b), _chosen(chosen, da, db)
    if name == "pwl":
        value, slope = _piecewise(x, _rows(rest[0::2]), _rows(rest[1::2]))
        return value, _scaled(dx, slope)
    if name.startswith("table "):
        value, slope = _rounded_table(x, _rows(rest[0::2]), _rows(rest[1::2]))
        return value, _scaled(dx, slope)
    if name.startswith("poly "):
        return _polynomial(operands, int(name[5:]))
    ((y, dy),) = rest
    if name == "+":
        return x + y, _sum(dx, dy)
    if name == "-":
        return x - y, _sum(dx, _scaled(dy, np.array(-1.0)))
    if name == "*":
        return x * y, _sum(_scaled(dx, y), _scaled(dy, x))
    if name == "/":
        divisor = _divisor(y, fudge)
        return x / divisor, _sum(_scaled(dx, 1.0 / divisor), _scaled(dy, -x / divisor**2))
    if name in ("min", "max"):
        first = x < y if name == "min" else x > y
        return np.where(first, x, y), _chosen(first, dx, dy)
    if name in ("^", "pow", "pwr"):
        return _power(x, y, dx, dy, odd=name == "pwr")
    return np.where(_COMPARISONS[name](x, y), 1.0, 0.0), None


def _scaled(derivative: np.ndarray | None, slope: np.ndarray) -> np.ndarray | None:
    if derivative is None:
        return None
    # What doesn't move stays 0, also where the slope is infinite.
    slope = np.broadcast_to(slope, len(derivative))[:, None]
    return np.where(derivative == 0, 0.0, derivative * np.clip(slope, -_LARGE, _LARGE))


def _sum(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _chosen(first: np.ndarray, one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None and other is None:
        return None
    none = np.zeros(())
    return np.where(first[:, None], none if one is None else one, none if other is None else other)


def _rows(duals: list[Dual]) -> np.ndarray:
    return np.array([value for value, _ in duals])


def _divisor(y: np.ndarray, fudge: float) -> np.ndarray:
    return y + np.where(y >= 0, fudge, -fudge)


def _power(x: np.ndarray, y: np.ndarray, dx: np.ndarray | None, dy: np.ndarray | None, odd: bool) -> Dual:
    size, sign = np.abs(x), np.sign(x)
    value = size**y
    by_x = y * size ** (y - 1.0) * (1.0 if odd else sign)
    value = value * sign if odd else value
    logarithm = np.where(size > 0, np.log(size), -_LARGE)
    return value, _sum(_scaled(dx, by_x), _scaled(dy, np.where(value == 0, 0.0, value * logarithm)))


def _piecewise(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight lines through points, (points, n), whose abscissae increase or decrease, and on beyond the ends."""
    falling = xs[0] > xs[-1]
    at = np.where(falling, xs < x, xs <= x)
    left = np.clip(np.where(falling, (~at).sum(0), at.sum(0)) - 1, 0, len(xs) - 2)
    one = np.arange(len(x))
    slope = (ys[left + 1, one] - ys[left, one]) / (xs[left + 1, one] - xs[left, one])
    return ys[left, one] + slope * (x - xs[left, one]), slope


def _rounded_table(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Constant beyond the ends; corners rounded over a tenth of the shorter segment beside them."""
    xs = np.concatenate([2 * xs[:1] - xs[1:2], xs, 2 * xs[-1:] - xs[-2:-1]])
    ys = np.concatenate([ys[:1], ys, ys[-1:]])
    value, slope = _piecewise(x, xs, ys)
    lengths = np.diff(xs, axis=0)
    slopes = np.diff(ys, axis=0) / lengths
    one = np.arange(len(x))
    nearest = np.clip(np.argmin(np.abs(xs - x), axis=0), 1, len(xs) - 2)
    before, after = slopes[nearest - 1, one], slopes[nearest, one]
    reach = _ROUNDED * np.minimum(lengths[nearest - 1, one], lengths[nearest, one])
    from_corner = x - xs[nearest, one]
    inside = np.abs(from_corner) < reach
    bend = (after - before) / (4.0 * reach)
    rounded = ys[nearest, one] + 0.5 * (before + after) * from_corner + bend * (from_corner**2 + reach**2)
    return (
        np.where(inside, rounded, value),
        np.where(inside, 0.5 * (before + after) + 2.0 * bend * from_corner, slope),
    )


def _polynomial(operands: list[Dual], dimensions: int) -> Dual:
    """SPICE2's POLY: the coefficients of 1, of x, y, ..., of x², x y, ..., y², ..., as far as they are given."""
    quantities, coefficients = operands[:dimensions], operands[dimensions:]
    if dimensions == 1:
        (x, dx) = quantities[0]
        value, slope = np.zeros_like(x), np.zeros_like(x)
        for coefficient, _ in reversed(coefficients):
            slope = slope * x + value
            value = value * x + coefficient
        return value, _scaled(dx, slope)
    value = np.zeros_like(quantities[0][0])
    derivative: np.ndarray | None = None
    given = iter(coefficients)
    degree = 0
    while group := list(islice(given, _terms(dimensions, degree))):
        for (coefficient, _), factors in zip(
            group, combinations_with_replacement(range(dimensions), degree), strict=False
        ):
            product: Dual = (np.broadcast_to(coefficient, value.shape), None)
            for factor in factors:
                product = _applied("*", [product, quantities[factor]], 0.0)
            value, derivative = value + product[0], _sum(derivative, product[1])
        degree += 1
    return value, derivative


def _terms(dimensions: int, degree: int) -> int:
    """How many products of a degree there are of some quantities."""
    count = 1
    for k in range(degree):
        count = count * (dimensions + k) // (k + 1)
    return count


def _log(scale: float) -> Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]:
    def law(x: np.ndarray, fudge: float) -> tuple[np.ndarray, np.ndarray]:
        return np.where(x == 0, -_LARGE, np.log(x) * scale), scale / _divisor(x, fudge)

    return law


def _exponential(x: np.ndarray, fudge: float) -> tuple[np.ndarray, np.ndarray]:
    value = np.where(x > _MOST_EXPONENT, _LARGE, np.exp(np.minimum(x, _MOST_EXPONENT)))
    return value, value


def _exponential_less_one(x: np.ndarray, fudge: float) -> tuple[np.ndarray, np.ndarray]:
    value = _exponential(x, fudge)[0]
    return np.where(x > _MOST_EXPONENT, value, np.expm1(np.minimum(x, _MOST_EXPONENT))), value


def _step(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.sign(x) + 1.0)


def _flat(law: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]:
    return lambda x, fudge: (law(x), np.zeros_like(x))


_UNARY: dict[str, Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]] = {
    NEGATE: lambda x, fudge: (-x, np.full_like(x, -1.0)),
    "!": _flat(lambda x: np.where(x == 0, 1.0, 0.0)),
    "abs": lambda x, fudge: (np.abs(x), np.sign(x)),
    "acos": lambda x, fudge: (np.arccos(x), -1.0 / np.sqrt(1.0 - x * x)),
    "acosh": lambda x, fudge: (np.arccosh(x), 1.0 / np.sqrt(x * x - 1.0)),
    "asin": lambda x, fudge: (np.arcsin(x), 1.0 / np.sqrt(1.0 - x * x)),
    "asinh": lambda x, fudge: (np.arcsinh(x), 1.0 / np.hypot(x, 1.0)),
    "atan": lambda x, fudge: (np.arctan(x), 1.0 / (1.0 + x * x)),
    "atanh": lambda x, fudge: (np.arctanh(x), 1.0 / (1.0 - x * x)),
    "ceil": _flat(np.ceil),
    "cos": lambda x, fudge: (np.cos(x), -np.sin(x)),
    "cosh": lambda x, fudge: (np.cosh(x), np.sinh(x)),
    "exp": _exponential,
    EXP_LESS_ONE: _exponential_less_one,
    "floor": _flat(np.floor),
    "ln": _log(1.0),
    "log": _log(1.0),
    "log10": _log(1.0 / np.log(10.0)),
    "nint": _flat(np.rint),
    "sgn": _flat(np.sign),
    "sin": lambda x, fudge: (np.sin(x), np.cos(x)),
    "sinh": lambda x, fudge: (np.sinh(x), np.cosh(x)),
    "sqrt": lambda x, fudge: (np.sqrt(x), 0.5 / np.sqrt(x)),
    "tan": lambda x, fudge: (np.tan(x), 1.0 + np.tan(x) ** 2),
    "tanh": lambda x, fudge: (np.tanh(x), 1.0 / np.cosh(x) ** 2),
    "u": _flat(_step),
    "u2": lambda x, fudge: (np.clip(x, 0.0, 1.0), _step(x) - _step(x - 1.0)),
    "uramp": lambda x, fudge: (np.maximum(x, 0.0), _step(x)),
    "eq0": _flat(lambda x: np.where(x == 0, 1.0, 0.0)),
    "ne0": _flat(lambda x: np.where(x != 0, 1.0, 0.0)),
    "gt0": _flat(lambda x: np.where(x > 0, 1.0, 0.0)),
    "lt0": _flat(lambda x: np.where(x < 0, 1.0, 0.0)),
    "ge0": _flat(lambda x: np.where(x >= 0, 1.0, 0.0)),
    "le0": _flat(lambda x: np.where(x <= 0, 1.0, 0.0)),
}
_COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "&&": lambda x, y: (x != 0) & (y != 0),
    "||": lambda x, y: (x != 0) | (y != 0),
}
_OTHER_COUNTS = {CHOOSE: 3, **dict.fromkeys((*"+-*/^", "min", "max", "pow", "pwr", *_COMPARISONS), 2)}
