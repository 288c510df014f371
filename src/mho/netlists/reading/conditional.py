"""Conditional cards: ``.if (condition)``, ``.elseif``, ``.else`` and ``.endif``.

Source: ngspice 39 manual, section 2.10. The condition is an expression of parameters of the top level that are defined
before it.
"""

import re

from mho.errors import InputError
from mho.netlists.reading.expansion import Parameters, evaluate, resolve_parameters
from mho.netlists.reading.expressions import parse_expression
from mho.netlists.reading.lines import NetlistLines
from mho.netlists.reading.scopes import Scope
from mho.netlists.reading.values import shown

CONDITIONAL_CARDS = (".if", ".elseif", ".else", ".endif")
_LONE_EQUALS = re.compile(r"(?<![<>=!])=(?!=)")
MAX_DEPTH = 100
"""Deepest nesting of ``.if`` cards."""


class Conditional:
    """Which cards count, as the netlist is read.

    Attributes:
        holds: Whether the next card counts.
    """

    def __init__(self, lines: NetlistLines):
        self.holds = True
        self._lines = lines
        # Of each open .if: where it is, whether the cards around it count, whether a branch has been taken, or an .else.
        self._open: list[tuple[int, bool, bool, bool]] = []

    def read(self, scope: Scope, text: str, position: int) -> None:
        """Read one of the cards.

        Raises:
            InputError: It has no .if, or a condition without a value.
        """
        card = text.split(None, 1)[0].partition("(")[0]
        condition = text[len(card) :].strip()
        if card == ".if":
            if len(self._open) >= MAX_DEPTH:
                raise InputError(f".if cards nested deeper than {MAX_DEPTH}; put some side by side")
            around = self.holds
            self.holds = around and self._value(scope, condition)
            self._open.append((position, around, self.holds, False))
            return
        if not self._open:
            raise InputError(f"{card} without .if; take it out or add the .if card")
        begun, around, taken, final = self._open.pop()
        if card == ".endif":
            self.holds = around
            return
        if final:
            raise InputError(f"{card} behind the .else of {self._lines.where(begun)}; put the .else last")
        self.holds = around and not taken and (card == ".else" or self._value(scope, condition))
        self._open.append((begun, around, taken or self.holds, card == ".else"))

    def check_closed(self) -> None:
        """Check that every .if has ended.

        Raises:
            InputError: One has no .endif.
        """
        if self._open:
            raise InputError(f"{self._lines.where(self._open[0][0])}: .if without .endif; add it")

    def _value(self, scope: Scope, condition: str) -> bool:
        top = scope
        while top.parent is not None:
            if top.parameters:
                raise InputError(
                    f"a condition inside subcircuit {shown(top.name)}, which has parameters of its own; a condition "
                    "may depend on parameters of the top level alone"
                )
            top = top.parent
        # In a condition, ngspice takes a lone = for ==.
        expression = top.linked(parse_expression(_LONE_EQUALS.sub("==", condition.strip("{}' "))))
        parameters = Parameters(top, {})
        resolve_parameters(top, parameters, self._lines, wanted=sorted(expression.names))
        value = evaluate(expression, parameters)
        top.settled.update(parameters.values)
        return bool(value != 0)
