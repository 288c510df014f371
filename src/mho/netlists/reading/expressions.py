r"""Parameter expressions in braces or single quotes: ``{2*r0 + max(a, 1k)}``.

A parser of ngspice 39's parameter language (its manual, section 2.8.5), which differs from the usual one:

- ``^`` and ``**`` go from left to right (2^3^2 is 64) and take the base's absolute value: (-2)^3 is 8. Write
  ``pow(x, y)`` to keep the sign.
- A minus at the start of an expression or a parenthesis is weaker than ``^``: -2^2 is -4. After an operator it
  belongs to the operand alone; ngspice takes 2*-3^2 for 18, so that form is refused.
- ``log`` is the natural logarithm, as ``ln``; ``%`` is the remainder with the dividend's sign; ``\`` is the whole
  part of the quotient's absolute value; comparisons, ``&&``, ``||`` and ``!`` give 0 or 1.
- There are no constants: ``pi`` has to be a parameter. Braces inside the expression are parentheses.

An expression compiles to a program for a stack machine, so that one pass evaluates it for many instances of a
subcircuit at once and long expressions don't recurse. Nothing is ever handed to Python's ``eval``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mho.errors import InputError
from mho.netlists.reading.values import scaled, shown

MAX_LENGTH = 2000
"""Longest expression, in characters."""
MAX_DEPTH = 50
"""Deepest nesting of parentheses and function calls."""
MAX_FUNCTIONS = 100
"""Most functions of ``.func`` cards that one expression calls."""
MAX_STEPS = 20_000
"""Longest program, the functions of ``.func`` cards written out."""

Number = float | np.ndarray
"""A number, or an array of them: one value per instance of a subcircuit."""


class Call(NamedTuple):
    """A step that calls a function by its name, with ``count`` values off the stack."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes:
        text: The source, for messages.
        steps: The program in postfix order: a number is pushed, a name is looked up, a tuple ``(law, count)`` or a
            ``Call`` takes ``count`` values off the stack and pushes one.
        names: The parameters it uses.
        calls: The functions that it calls.
    """

    text: str
    steps: tuple
    names: frozenset[str]
    calls: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Function:
    """A ``.func`` card.

    Attributes:
        arguments: Names of its arguments.
        text: The expression, without braces or quotes.
        position: Where the card is.
    """

    arguments: tuple[str, ...]
    text: str
    position: int


def _known(law: Callable[..., Number]) -> Callable[..., Number]:
    """Let an undefined operand (a NaN) make the result undefined, also where IEEE 754 would lose it."""

    def guarded(*operands: Number) -> Number:
        undefined = np.isnan(operands[0])
        for operand in operands[1:]:
            undefined = undefined | np.isnan(operand)
        return np.where(undefined, np.nan, law(*operands))

    return guarded


def _nominal(value: Number, *spread: Number) -> Number:
    return value


_FUNCTIONS: dict[str, tuple[Callable[..., Number], int]] = {
    "abs": (np.abs, 1),
    "acos": (np.arccos, 1),
    "acosh": (np.arccosh, 1),
    "arctan": (np.arctan, 1),
    "asin": (np.arcsin, 1),
    "asinh": (np.arcsinh, 1),
    "atan": (np.arctan, 1),
    "atanh": (np.arctanh, 1),
    "ceil": (np.ceil, 1),
    "cos": (np.cos, 1),
    "cosh": (np.cosh, 1),
    "exp": (np.exp, 1),
    "floor": (np.floor, 1),
    "int": (np.trunc, 1),
    "ln": (np.log, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "max": (np.maximum, 2),
    "min": (np.minimum, 2),
    "nint": (np.rint, 1),
    "pow": (_known(np.power), 2),
    "pwr": (_known(lambda x, y: np.power(np.abs(x), y)), 2),
    "sgn": (np.sign, 1),
    "sin": (np.sin, 1),
    "sinh": (np.sinh, 1),
    "sqr": (np.square, 1),
    "sqrt": (np.sqrt, 1),
    "tan": (np.tan, 1),
    "tanh": (np.tanh, 1),
    # Statistical functions, at their mean: nominal value, spread and, of the Gaussian ones, how many sigma that is.
    "agauss": (_nominal, 3),
    "aunif": (_nominal, 2),
    "gauss": (_nominal, 3),
    "limit": (_nominal, 2),
    "unif": (_nominal, 2),
    "ternary_fcn": (_known(lambda c, x, y: np.where(c != 0, x, y)), 3),
}

_SELECT = (lambda c, x, y: np.where(np.isnan(c), np.nan, np.where(c != 0, x, y)), 3)
_NOT = (_known(lambda x: np.where(x == 0, 1.0, 0.0)), 1)
_NEGATE = (np.negative, 1)

# Operator: its level (a smaller one binds tighter) and its law. All go from left to right.
_OPERATORS: dict[str, tuple[int, tuple[Callable[..., Number], int]]] = {
    "^": (1, (_known(lambda x, y: np.power(np.abs(x), y)), 2)),
    "*": (2, (np.multiply, 2)),
    "/": (2, (np.divide, 2)),
    "%": (2, (lambda x, y: x - y * np.trunc(x / y), 2)),
    "\\": (2, (lambda x, y: np.trunc(np.abs(x / y)), 2)),
    "+": (3, (np.add, 2)),
    "-": (3, (np.subtract, 2)),
    "<": (4, (_known(lambda x, y: np.where(x < y, 1.0, 0.0)), 2)),
    ">": (4, (_known(lambda x, y: np.where(x > y, 1.0, 0.0)), 2)),
    "<=": (4, (_known(lambda x, y: np.where(x <= y, 1.0, 0.0)), 2)),
    ">=": (4, (_known(lambda x, y: np.where(x >= y, 1.0, 0.0)), 2)),
    "==": (4, (_known(lambda x, y: np.where(x == y, 1.0, 0.0)), 2)),
    "!=": (4, (_known(lambda x, y: np.where(x != y, 1.0, 0.0)), 2)),
    "&&": (5, (_known(lambda x, y: np.where((x != 0) & (y != 0), 1.0, 0.0)), 2)),
    "||": (6, (_known(lambda x, y: np.where((x != 0) | (y != 0), 1.0, 0.0)), 2)),
}
_OPERATORS["**"] = _OPERATORS["^"]
_OPERATORS["<>"] = _OPERATORS["!="]

_WORD = re.compile(
    r"\s*(?:(?P<mantissa>\d++\.?\d*+|\.\d++)(?:e(?P<exponent>[+-]?\d{1,5}+))?(?P<suffix>[a-z]*+)(?![\w.])"
    r"|(?P<name>[a-z_][\w.]*+)"
    r"|(?P<symbol>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/%\\^<>!?:(){},]))",
    re.ASCII,
)


def parse_expression(text: str) -> Expression:
    """Compile an expression, given in lower case and without its braces or quotes.

    Raises:
        InputError: The text isn't an expression: what is wrong, and the text.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"expression of {len(text)} characters; at most {MAX_LENGTH} are read")
    parser = _Parser(text)
    parser.formula(0)
    if parser.kind:
        raise parser.error(f"unexpected {shown(parser.word)}")
    calls = frozenset(step.name for step in parser.steps if isinstance(step, Call))
    return Expression(text, tuple(parser.steps), frozenset(parser.names), calls)


def linked(
    steps: tuple,
    find: Callable[[str], Function | None],
    parse: Callable[[str], tuple],
    bodies: dict[str, tuple | None] | None = None,
) -> tuple:
    """A program with the calls of ``.func`` functions written out, by value: what an argument is, is evaluated first.

    Args:
        steps: The program.
        find: The function of a name, if there is one; it goes before a built-in one.
        parse: From a function's text to its program.
        bodies: Functions written out already; None where one is being written out.

    Raises:
        InputError: A function that calls itself, is called with the wrong number of arguments, or grows too long.
    """
    if not any(isinstance(step, Call) and find(step.name) for step in steps):
        return steps
    stack: list[list] = []
    bodies = {} if bodies is None else bodies
    for step in steps:
        if not isinstance(step, tuple) or not isinstance(step[-1], int):
            stack.append([step])
            continue
        count = step[-1]
        operands = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        name = step.name if isinstance(step, Call) else ""
        function = find(name)
        if function is None:
            whole = operands[0]
            for operand in operands[1:]:
                whole.extend(operand)
            whole.append(step)
            stack.append(whole)
        else:
            stack.append(_written_out(name, function, operands, find, parse, bodies))
        if len(stack[-1]) > MAX_STEPS:
            raise InputError(f"an expression of more than {MAX_STEPS} steps, functions written out; simplify it")
    return tuple(stack[0])


def _written_out(
    name: str,
    function: Function,
    operands: list[list],
    find: Callable[[str], Function | None],
    parse: Callable[[str], tuple],
    bodies: dict[str, tuple | None],
) -> list:
    if name not in bodies:
        if len(bodies) > MAX_FUNCTIONS:
            raise InputError(f"an expression that calls more than {MAX_FUNCTIONS} functions; simplify it")
        bodies[name] = None
        bodies[name] = linked(parse(function.text), find, parse, bodies)
    body = bodies[name]
    if body is None:
        raise InputError(f"function {shown(name)} calls itself; write it without")
    if len(operands) != len(function.arguments):
        raise InputError(f"function {shown(name)} takes {len(function.arguments)} arguments, not {len(operands)}")
    given = dict(zip(function.arguments, operands, strict=True))
    if sum(len(given.get(s, s)) if isinstance(s, str) else 1 for s in body) > MAX_STEPS:
        raise InputError(f"an expression of more than {MAX_STEPS} steps, functions written out; simplify it")
    return [s for step in body for s in (given.get(step, (step,)) if isinstance(step, str) else (step,))]


class _Parser:
    """The text's words one by one, and the program made of them so far."""

    def __init__(self, text: str):
        self.text = text
        self.place = 0
        self.steps: list = []
        self.names: set[str] = set()
        self.advance()

    def error(self, what: str) -> InputError:
        return InputError(f"bad expression {{{shown(self.text, 60)[1:-1]}}}: {what}")

    def advance(self) -> None:
        """Read the next word: its ``kind`` is ``number``, ``name``, ``symbol`` or, at the end, empty."""
        match = _WORD.match(self.text, self.place)
        if match is None:
            rest = self.text[self.place :].strip()
            if rest:
                raise self.error(f"{shown(rest, 20)} isn't a number, a name or an operator")
            self.kind, self.word = "", "the end"
            return
        self.place = match.end()
        self.word = match[0].strip()
        if match["mantissa"]:
            self.kind = "number"
            if match["suffix"].startswith("mil"):
                raise self.error(
                    "ngspice takes 'mil' for a thousandth in an expression and for 25.4e-6 outside; write m or 25.4u"
                )
            self.value = scaled(match["mantissa"], match["exponent"], match["suffix"], self.word)
        else:
            self.kind = "name" if match["name"] else "symbol"

    def formula(self, depth: int) -> None:
        """A chain of choices ``c ? x : y``, or what stands in one's place."""
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses deeper than {MAX_DEPTH}; split it over parameters")
        choices = 0
        self.operation(depth, start=True)
        while self.kind == "symbol" and self.word == "?":
            self.advance()
            self.operation(depth, start=False)
            if self.word == "?":
                raise self.error("put a choice inside a choice in parentheses")
            if self.word != ":":
                raise self.error(f"expected ':' of the choice, found {shown(self.word)}")
            self.advance()
            self.operation(depth, start=False)
            choices += 1
        self.steps.extend([_SELECT] * choices)

    def operation(self, depth: int, start: bool) -> None:
        """Operands joined by binary operators, by Dijkstra's shunting yard."""
        waiting: list[str] = []
        if start and self.word in ("+", "-"):
            # As ngspice: a leading sign is an operation on zero, so it binds no tighter than a binary one.
            self.steps.append(0.0)
        else:
            self.operand(depth, start)
        while self.kind == "symbol" and self.word in _OPERATORS:
            operator = self.word
            level = _OPERATORS[operator][0]
            while waiting and _OPERATORS[waiting[-1]][0] <= level:
                self.steps.append(_OPERATORS[waiting.pop()][1])
            waiting.append(operator)
            self.advance()
            self.operand(depth, start=False)
        while waiting:
            self.steps.append(_OPERATORS[waiting.pop()][1])

    def operand(self, depth: int, start: bool) -> None:
        """A number, parameter, function call or parenthesis, with the signs before it."""
        negative = not start and self.word == "-"
        inversions = 0
        if negative:
            self.advance()
        while self.word == "!":
            inversions += 1
            self.advance()
        if self.kind == "number":
            self.steps.append(self.value)
            self.advance()
        elif self.kind == "name":
            name = self.word
            self.advance()
            if self.word == "(":
                self.call(name, depth)
            else:
                self.names.add(name)
                self.steps.append(name)
        elif self.word == "(":
            self.advance()
            self.formula(depth + 1)
            self.close()
        elif self.word == "{":
            self.advance()
            self.formula(depth + 1)
            self.close("}")
        else:
            raise self.error(f"expected a number, a parameter or '(', found {shown(self.word)}")
        if negative and self.word in ("^", "**"):
            raise self.error("ngspice reads 2*-3^2 as 2*(-3)^2; add parentheses")
        self.steps.extend([_NOT] * inversions)
        if negative:
            self.steps.append(_NEGATE)

    def call(self, name: str, depth: int) -> None:
        count = 0
        self.advance()
        if self.word != ")":
            self.formula(depth + 1)
            count = 1
            while self.word == ",":
                self.advance()
                self.formula(depth + 1)
                count += 1
        self.close()
        if not count:
            raise self.error(f"{name} has no arguments; write what it is to take between ( and )")
        self.steps.append(Call(name, count))

    def close(self, bracket: str = ")") -> None:
        if self.word != bracket:
            raise self.error(f"expected '{bracket}', found {shown(self.word)}")
        self.advance()


def _built_in(call: Call) -> tuple[Callable[..., Number], int]:
    law = _FUNCTIONS.get(call.name)
    if law is None:
        raise InputError(f"no function {shown(call.name)}; define it with .func, or use {' '.join(_FUNCTIONS)}")
    if call.count != law[1]:
        raise InputError(f"{call.name} takes {law[1]} argument{'s' * (law[1] > 1)}, not {call.count}")
    return law


def evaluate(expression: Expression, parameter: Callable[[str], Number]) -> Number:
    """Value of an expression; ``parameter(name)`` gives a parameter's value, a number or an array.

    Arrays broadcast, so one call serves all instances of a subcircuit. Infinities follow IEEE 754, as in ngspice
    (1/exp(1000) is 0); what is undefined stays undefined to the end, unless a choice leaves it aside.

    Raises:
        InputError: The value, or one of them, isn't a finite number, or there is no such function.
    """
    stack: list = []
    with np.errstate(all="ignore"):
        for step in expression.steps:
            if isinstance(step, float):
                stack.append(np.float64(step))
            elif isinstance(step, str):
                stack.append(np.asarray(parameter(step), dtype=np.float64))
            else:
                law, count = _built_in(step) if isinstance(step, Call) else step
                operands = stack[-count:]
                del stack[-count:]
                stack.append(law(*operands))
    value = stack[0]
    if not np.all(np.isfinite(value)):
        raise InputError(
            f"{{{shown(expression.text, 60)[1:-1]}}} isn't a finite number; look for a division by zero, an overflow "
            "or a function outside its domain"
        )
    return value
