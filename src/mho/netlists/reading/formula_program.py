"""From a formula's steps to the program that its law evaluates: functions written out, names and numbers numbered.

Sources whose programs are the same differ in their numbers alone, and are evaluated together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mho.errors import InputError
from mho.netlists.reading.behavioural_law import EXP_LESS_ONE, Program, check_call
from mho.netlists.reading.expressions import Call, Expression, Function, linked
from mho.netlists.reading.formulas import TIME, Sensed, parse_formula


@dataclass(frozen=True, slots=True)
class FormulaProgram:
    """A formula ready to be evaluated.

    Attributes:
        program: See ``mho.netlists.reading.behavioural_law``.
        constants: The numbers, parameters and expressions of parameters that it names.
        sensed: The voltages and currents that it names.
    """

    program: Program
    constants: tuple[float | str | Expression, ...]
    sensed: tuple[Sensed, ...]


def formula_program(
    steps: tuple, find: Callable[[str], Function | None], spend: Callable[[int], None]
) -> FormulaProgram:
    """The program of a formula.

    Args:
        steps: As ``parse_formula`` gives them.
        find: The ``.func`` function of a name, if there is one.
        spend: Counts the steps of a formula that became longer.

    Raises:
        InputError: An unknown function, or one that is called wrongly.
    """
    program: list[tuple] = []
    constants: list[float | str | Expression] = []
    sensed: dict[Sensed, int] = {}
    whole = linked(steps, find, parse_formula)
    if whole is not steps:
        spend(len(whole))
    for step in whole:
        if isinstance(step, Call):
            check_call(step)
            less_one = program[-2:] == [("call", "exp", 1), ("constant", len(constants) - 1)] and constants[-1] == 1.0
            if step == Call("-", 2) and less_one:
                # A junction's exp(x) - 1 keeps its digits near 0 as one function.
                constants.pop()
                program[-2:] = [("call", EXP_LESS_ONE, 1)]
                continue
            program.append(("call", *step))
        elif isinstance(step, Sensed):
            if step == TIME:
                program.append(("time",))
            elif step.kind == "v" and step.name in ("0", "gnd"):
                program.append(("constant", len(constants)))
                constants.append(0.0)
            else:
                program.append(("sensed", sensed.setdefault(step, len(sensed))))
        else:
            program.append(("constant", len(constants)))
            constants.append(step)
    return FormulaProgram(tuple(program), tuple(constants), tuple(sensed))


def check_points(program: Program, constants: np.ndarray) -> None:
    """Check that the abscissae of each pwl and TABLE are numbers that go one way.

    Args:
        program: The program.
        constants: Its numbers, (constants, sources).

    Raises:
        InputError: They aren't, or don't.
    """
    for at, item in enumerate(program):
        if item[0] != "call" or item[1] not in ("pwl", "table "):
            continue
        points = _numbers(program, constants, at - 1, item[2] - 1)
        if points is None:
            raise InputError("the points of pwl and TABLE are numbers; take formulas out")
        step = np.diff(points[::2], axis=0)
        if not (np.all(step > 0) or (item[1] == "pwl" and np.all(step < 0))):
            raise InputError("the points of pwl and TABLE go on in x; sort them, and take doubles out")


def _numbers(program: Program, constants: np.ndarray, last: int, count: int) -> np.ndarray | None:
    """The values of the ``count`` operands that end with item ``last``, if they are numbers with or without a sign."""
    rows: list[np.ndarray] = []
    while len(rows) < count:
        sign = 1.0
        while program[last] == ("call", "~", 1):
            sign, last = -sign, last - 1
        if program[last][0] != "constant":
            return None
        rows.append(sign * constants[program[last][1]])
        last -= 1
    return np.array(rows[::-1])
