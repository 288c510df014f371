"""The equations of a Verilog-A module of two terminals, for arrays or as a SPICE formula.

openvaf-py compiles a module into assignments of three operands in blocks that conditions choose between (OpenVAF's middle
representation), derivatives by the terminal voltages included. Here every block is evaluated and a choice between values
is a `where`, so that the law is elementwise and JAX compiles it.

Sources: Accellera, Verilog-AMS Language Reference Manual 2.4; openvaf-py 0.1.5, whose output was looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.errors import InputError

CALLED = {"SimParam": None, "SimParamOpt": 1, "BuiltinLimit": 0, "StoreLimit": 0}
"""Functions by the operand that they give: $simparam its default, or 0; $limit what it would limit."""
NEVER = ("enable_lim", "prev_state")
"""What tells $limit to limit, and from where."""
_LONGEST = 200_000
"""Characters of a SPICE formula at the most."""


@dataclass(frozen=True, eq=False)
class Equations:
    """A module's current by its voltage and parameters."""

    name: str
    defaults: Mapping[str, float]
    """Of the parameters that the law has."""
    inputs: tuple[tuple[str, str, str], ...]
    """What the instructions begin with: value, kind (voltage, param, ...), name; of the module's own start, too."""
    constants: Mapping[str, Any]
    instructions: tuple[Mapping[str, Any], ...]
    current: str
    """The value that is the current from the first terminal to the second [A]."""
    slope: str
    """Its derivative by the voltage [S]."""
    returned: str
    """The value that is the current into the second terminal [A], which must be its opposite."""
    terminals: tuple[str, str]


def evaluated(
    law: Equations, targets: Sequence[str], voltage: Any, parameters: Mapping[str, Any], temperature: float, xp: Any
) -> list[Any]:
    """Values of the equations.

    Args:
        law: the equations.
        targets: which values.
        voltage: between the terminals [V]; an array, or a formula.
        parameters: by their names in the module; `mfactor`, too.
        temperature: K.
        xp: `numpy`, `jax.numpy`, or `Formulas`.
    """
    known: dict[str, Any] = dict(law.constants)
    for value, kind, name in law.inputs:
        if kind == "voltage":
            sign = direction(name, law.terminals)
            known[value] = voltage if sign == 1 else _applied("fneg", [voltage], xp)
        elif kind == "temperature":
            known[value] = temperature
        elif kind in ("param_given", *NEVER):
            known[value] = False
        else:
            known[value] = parameters[name]
    # When each block is reached, and by which way.
    reached: dict[str, Any] = {}
    ways: dict[tuple[str, str], Any] = {}

    def lead(before: str, after: str, condition: Any) -> None:
        way = _joined(reached[before], condition, True, xp)
        ways[before, after] = _joined(ways.get((before, after), False), way, False, xp)
        reached[after] = _joined(reached.get(after, False), way, False, xp)

    for instruction in law.instructions:
        block, opcode = instruction["block"], instruction["opcode"]
        if not reached:
            reached[block] = True
        reached.setdefault(block, False)
        if opcode == "jmp":
            lead(block, instruction["destination"], True)
        elif opcode == "br":
            condition = known[instruction["condition"]]
            lead(block, instruction["true_block"], condition)
            lead(block, instruction["false_block"], _applied("bnot", [condition], xp))
        elif opcode == "phi":
            choices = [(ways.get((c["block"], block), False), c["value"]) for c in instruction["phi_operands"]]
            choices = [(way, known[value]) for way, value in choices if way is not False]
            found = choices[-1][1]
            for way, value in reversed(choices[:-1]):
                found = value if way is True else _chosen(way, value, found, xp)
            known[instruction["result"]] = found
        elif opcode == "call":
            given = CALLED[instruction["called"]]
            known[instruction["result"]] = 0.0 if given is None else known[instruction["operands"][given]]
        elif opcode in OPERATIONS:
            operands = [known[name] for name in instruction["operands"]]
            if opcode in _SAFE and reached[block] is not True and reached[block] is not False and xp is not Formulas:
                # Where the block is not reached its operands may be anything, and so may their derivatives.
                operands = [_chosen(reached[block], value, _SAFE[opcode], xp) for value in operands]
            known[instruction["result"]] = _applied(opcode, operands, xp)
    return [known[target] for target in targets]


def formula(law: Equations, drop: str, parameters: Mapping[str, float], temperature: float) -> str:
    """The current as a formula that ngspice's behavioural sources take.

    Raises:
        InputError: if it is too long.
    """
    (found,) = evaluated(law, [law.current], drop, parameters, temperature, Formulas)
    return _shown(found)


class Formulas:
    """Stands for a namespace of arrays where values are formulas of SPICE, or numbers as long as no voltage is in them."""


def _applied(opcode: str, operands: list[Any], xp: Any) -> Any:
    function, template = OPERATIONS[opcode]
    if xp is not Formulas:
        return function(xp, *operands)
    if not any(isinstance(value, str) for value in operands):
        with np.errstate(all="ignore"):
            found = function(np, *(np.float64(v) if isinstance(v, float) else v for v in operands))
        return found.item() if isinstance(found, np.generic) else found
    if opcode == "pow" and not isinstance(operands[1], str) and float(operands[1]) % 2.0 == 1.0:
        template = "pwr({},{})"  # ngspice takes pow of the magnitude
    found = template.format(*map(_shown, operands))
    if len(found) > _LONGEST:
        raise InputError(f"a Verilog-A module's formula has more than {_LONGEST} characters: too long for a netlist")
    return found


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"({float(value)!r})" if value < 0 else repr(float(value))


def _chosen(condition: Any, value: Any, other: Any, xp: Any) -> Any:
    if not (isinstance(condition, str) or hasattr(condition, "dtype")):
        return value if condition else other
    if xp is Formulas:
        return f"({condition} ? {_shown(value)} : {_shown(other)})"
    return xp.where(condition, value, other)


def _joined(a: Any, b: Any, neutral: bool, xp: Any) -> Any:
    """a and b, of which True is the neutral value; or a or b, of which False is."""
    if a is neutral or b is (not neutral):
        return b
    if b is neutral or a is (not neutral):
        return a
    if xp is Formulas:
        return f"({a} {'&&' if neutral else '||'} {b})"
    return (xp.logical_and if neutral else xp.logical_or)(a, b)


def _call(name: str) -> Callable[..., Any]:
    return lambda xp, *values: getattr(xp, name)(*values)


OPERATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "optbarrier": (lambda xp, x: x, "{}"),
    "fneg": (lambda xp, x: -x, "(-{})"),
    "fadd": (lambda xp, x, y: x + y, "({}+{})"),
    "fsub": (lambda xp, x, y: x - y, "({}-{})"),
    "fmul": (lambda xp, x, y: x * y, "({}*{})"),
    "fdiv": (_call("true_divide"), "({}/{})"),
    "pow": (_call("power"), "pow({},{})"),
    "hypot": (_call("hypot"), "sqrt(({0})^2+({1})^2)"),
    "bnot": (lambda xp, x: not x if isinstance(x, bool) else xp.logical_not(x), "(!{})"),
    "log": (_call("log10"), "log10({})"),
    "ln": (_call("log"), "ln({})"),
    **{name: (_call(name), f"{name}({{}})") for name in ("sqrt", "exp", "floor", "ceil")},
    **{name: (_call(name), f"{name}({{}})") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{
        name: (_call(f"arc{name.removeprefix('a')}"), f"{name}({{}})")
        for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
    },
    **{
        f"{kind}{name}": (_call(function), f"({{}} {sign} {{}})")
        for kind in "fib"
        for name, function, sign in (
            ("lt", "less", "<"),
            ("gt", "greater", ">"),
            ("le", "less_equal", "<="),
            ("ge", "greater_equal", ">="),
            ("eq", "equal", "=="),
            ("ne", "not_equal", "!="),
        )
    },
    "ineg": (lambda xp, x: -x, "(-{})"),
    "iadd": (lambda xp, x, y: x + y, "({}+{})"),
    "isub": (lambda xp, x, y: x - y, "({}-{})"),
    "imul": (lambda xp, x, y: x * y, "({}*{})"),
    "ifcast": (lambda xp, x: 1.0 * x, "{}"),
    "bfcast": (lambda xp, x: 1.0 * x, "({} ? 1 : 0)"),
}
"""What mho knows of OpenVAF's operations: for arrays, and as a template of a formula."""

_SAFE = {
    **dict.fromkeys(("fdiv", "pow", "ln", "log", "sqrt", "exp", "sinh", "cosh", "hypot"), 1.0),
    **dict.fromkeys(("asin", "acos", "atanh"), 0.5),
    "acosh": 2.0,
}
"""Operands where an operation and its derivative are finite."""


def direction(name: str, terminals: Sequence[str]) -> int | None:
    """1 for the voltage from the first terminal to the second, -1 for its opposite."""
    first, second = terminals
    return {f"V({first},{second})": 1, f"V({second},{first})": -1}.get(name)
