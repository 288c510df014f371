"""Formulas of behavioural sources: what ``B1 a 0 I = 1m*v(a,b)^2`` says, as a program for a stack machine.

The grammar is that of ngspice 39's B sources (its manual, chapter 5), which isn't that of its parameters:

- From weak to strong: ``c ? x : y`` from right to left, ``||``, ``&&``, ``== !=``, ``< > <= >=``, ``+ -``, ``* /``,
  the signs and ``!``, and ``^`` (or ``**``) from left to right: -2^2 is -4, 2*-3^2 is -18.
- ``v(a)``, ``v(a,b)`` and ``i(source)`` are what is sensed; ``time`` [s], ``temper`` [°C] and ``hertz`` are known, and so
  are ``pi`` and ``e``. Any other name is a parameter.

What each function gives, and its derivative, is in ``mho.netlists.reading.behavioural_law``.
"""

import math
import re
from typing import NamedTuple

from mho.errors import InputError
from mho.netlists.reading.expressions import Call, Expression
from mho.netlists.reading.values import scaled, shown

MAX_LENGTH = 20_000
"""Longest formula, in characters."""
MAX_DEPTH = 100
"""Deepest nesting of parentheses, function calls, signs and choices."""


class Sensed(NamedTuple):
    """A step that pushes what is sensed: ``v`` and a node, ``i`` and a voltage source, or ``time``."""

    kind: str
    name: str


Step = float | str | Call | Sensed | Expression
"""A number, a parameter, a function with its operands on the stack, what is sensed, or an expression of parameters."""

TIME = Sensed("time", "")
NEGATE, CHOOSE = "~", "?"
"""Names of the steps of a minus sign and of a choice: no function can have them."""

_KNOWN: dict[str, Step] = {"pi": math.pi, "e": math.e, "time": TIME, "hertz": 0.0}
_LEVELS = {
    **dict.fromkeys(("||",), 1),
    **dict.fromkeys(("&&",), 2),
    **dict.fromkeys(("==", "!=", "<>"), 3),
    **dict.fromkeys(("<", ">", "<=", ">="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/"), 6),
    **dict.fromkeys(("^", "**"), 8),
}
_SIGN = 7
_OTHER_NAMES = {"**": "^", "<>": "!="}
_WORD = re.compile(
    r"[\s{}']*(?:(?P<mantissa>\d++\.?\d*+|\.\d++)(?:e(?P<exponent>[+-]?\d{1,5}+))?(?P<suffix>[a-z]*+)(?![\w.])"
    r"|v\s*\(\s*(?P<plus>[^\s,(){}']++)\s*(?:,\s*(?P<minus>[^\s,(){}']++)\s*)?\)"
    r"|i\s*\(\s*(?P<source>[^\s,(){}']++)\s*\)"
    r"|(?P<name>[a-z_][\w.]*+)"
    r"|(?P<symbol>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/^<>!?:(),]))",
    re.ASCII,
)
_SENSES = re.compile(r"(?<![\w.])(?:[vi]\s*\(|(?:time|hertz)(?![\w.]))", re.ASCII)


def senses(text: str) -> bool:
    """Whether a text names a voltage, a current, the time or the frequency, as only a formula may."""
    return _SENSES.search(text) is not None


def difference(plus: str, minus: str) -> tuple[Step, ...]:
    """The program of v(plus, minus)."""
    if plus in ("0", "gnd"):
        return (*voltage(minus), Call(NEGATE, 1))
    return voltage(plus) if minus in ("0", "gnd") else (*voltage(plus), *voltage(minus), Call("-", 2))


def voltage(node: str) -> tuple[Step, ...]:
    """The program of v(node)."""
    return (0.0,) if node in ("0", "gnd") else (Sensed("v", node),)


def parse_formula(text: str) -> tuple[Step, ...]:
    """Compile a formula, given in lower case; braces and quotes in it mean nothing.

    Raises:
        InputError: The text isn't a formula: what is wrong, and the text.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"formula of {len(text)} characters; at most {MAX_LENGTH} are read")
    parser = _Parser(text)
    parser.formula(0)
    if parser.kind:
        raise parser.error(f"unexpected {shown(parser.word)}")
    return tuple(parser.steps)


class _Parser:
    """The text's words one by one, and the program made of them so far."""

    def __init__(self, text: str):
        self.text = text
        self.place = 0
        self.steps: list[Step] = []
        self.advance()

    def error(self, what: str) -> InputError:
        return InputError(f"bad formula {shown(self.text, 60)}: {what}")

    def advance(self) -> None:
        """Read the next word: its ``kind`` is ``operand``, ``name``, ``symbol`` or, at the end, empty."""
        match = _WORD.match(self.text, self.place)
        if match is None:
            rest = self.text[self.place :].strip(" \t{}'")
            if rest:
                raise self.error(f"{shown(rest, 20)} isn't a number, a name or an operator")
            self.kind, self.word = "", "the end"
            return
        self.place = match.end()
        self.word = match[0].strip(" \t{}'")
        self.kind = "operand"
        if match["mantissa"]:
            self.value: tuple[Step, ...] = (scaled(match["mantissa"], match["exponent"], match["suffix"], self.word),)
        elif match["plus"]:
            self.value = difference(match["plus"], match["minus"] or "0")
        elif match["source"]:
            self.value = (Sensed("i", match["source"]),)
        else:
            self.kind = "name" if match["name"] else "symbol"

    def formula(self, depth: int) -> None:
        """A choice, or what stands in its place."""
        if depth > MAX_DEPTH:
            raise self.error(f"parts nested deeper than {MAX_DEPTH}; split it over several sources")
        self.operation(1, depth)
        if self.word == "?" and self.kind:
            self.advance()
            self.formula(depth + 1)
            if self.word != ":":
                raise self.error(f"expected ':' of the choice, found {shown(self.word)}")
            self.advance()
            self.formula(depth + 1)
            self.steps.append(Call(CHOOSE, 3))

    def operation(self, least: int, depth: int) -> None:
        """Operands joined by operators of at least a level, from left to right."""
        self.operand(depth)
        while self.kind == "symbol" and _LEVELS.get(self.word, 0) >= least:
            operator, level = self.word, _LEVELS[self.word]
            self.advance()
            self.operation(level + 1, depth + 1)
            self.steps.append(Call(_OTHER_NAMES.get(operator, operator), 2))

    def operand(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.error(f"parts nested deeper than {MAX_DEPTH}; split it over several sources")
        word = self.word
        if self.kind == "operand":
            self.steps.extend(self.value)
            self.advance()
        elif self.kind == "name":
            self.advance()
            if self.word == "(":
                self.call(word, depth)
            else:
                self.steps.append(_KNOWN.get(word, word))
        elif word in ("-", "+", "!"):
            self.advance()
            self.operation(_SIGN, depth + 1)
            if word != "+":
                self.steps.append(Call(NEGATE if word == "-" else "!", 1))
        elif word == "(":
            self.advance()
            self.formula(depth + 1)
            self.close()
        else:
            raise self.error(f"expected a number, a name or '(', found {shown(word)}")

    def call(self, name: str, depth: int) -> None:
        count = 0
        while self.word == "(" if count == 0 else self.word == ",":
            self.advance()
            self.formula(depth + 1)
            count += 1
        self.close()
        self.steps.append(Call(CHOOSE if name == "ternary_fcn" else name, count))

    def close(self) -> None:
        if self.word != ")":
            raise self.error(f"expected ')', found {shown(self.word)}")
        self.advance()
