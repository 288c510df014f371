"""Cards of behavioural sources: B, the POLY, VALUE and TABLE forms of E, F, G and H, and resistors with a formula.

Source: ngspice 39 manual, chapters 4 and 5. A current source's formula is the current from its first node through it to
its second, a voltage source's the voltage of the first above the second, a resistor's its resistance.
"""

import re

from mho.errors import InputError
from mho.netlists.reading.expressions import Call
from mho.netlists.reading.fields import assignments, value_of, words_of
from mho.netlists.reading.formulas import Sensed, Step, difference, parse_formula
from mho.netlists.reading.scopes import BehaviouralCard, Scope, Value
from mho.netlists.reading.values import shown

_NODE = r"[^\s(){}'\"=,]+"
_HEAD = re.compile(rf"(\S+?)[\s,(]+({_NODE})[\s,]+({_NODE})[\s,)]*(.*)", re.DOTALL)
_FORM = re.compile(r"(value|vol|cur|table|poly|[iv])(?=[\s=({'])\s*=?\s*(.*)", re.DOTALL)
_FACTORS = re.compile(r"(?<![\w.])(?:tc1|tc2|m|temp|dtemp|reciproctc|reciprocm)\s*=(?!=)", re.ASCII)
_FACTOR_NAMES = ("m", "tc1", "tc2", "temp", "dtemp")
_OTHER_FORMS = re.compile(r"(laplace|freq|and|nand|or|nor|delay)(?=[\s=({])")
_RESISTANCE = re.compile(
    r"(?:(?:r|resistance)\s*=\s*)?(\{(?:[^{}]|\{[^{}]*+\})*+\}|'[^']*+')\s*((?:[a-z]\w*\s*=.*)?)", re.DOTALL | re.ASCII
)
_KEYWORD = re.compile(r"(vcvs|vccs|cccs|ccvs)(?=\s)")


def behavioural_source(scope: Scope, text: str, position: int) -> None:
    """Read a B card: ``BNAME NODE NODE I=formula`` or ``V=formula``.

    Raises:
        InputError: It isn't such a card, or its formula is wrong.
    """
    name, nodes, rest = _head(text)
    form = _FORM.fullmatch(rest)
    if form is None or form[1] not in "iv":
        raise InputError(f"{shown(name)} has no formula; write BNAME NODE NODE I=formula or V=formula")
    formula, factors = _formula(form[2])
    _add(scope, name, form[1], nodes, parse_formula(formula), formula, factors, position)


def nonlinear_source(scope: Scope, text: str, position: int) -> bool:
    """Read an E, F, G or H card if it has a POLY, VALUE or TABLE; says whether it had.

    Raises:
        InputError: It has one, and that is wrong, or another form that isn't supported.
    """
    match = _HEAD.fullmatch(text)
    rest = "" if match is None else match[4]
    other = _OTHER_FORMS.match(rest)
    if other is not None:
        raise InputError(
            f"{shown(text.split()[0])} has {other[1].upper()}, which is not supported; supported are a gain, POLY, "
            "VALUE and TABLE"
        )
    form = _FORM.fullmatch(rest)
    if form is None or form[1] in "iv":
        return False
    name, nodes, rest = _head(text)
    kind = "v" if name[0] in "eh" else "i"
    if form[1] == "poly":
        steps, factors = _polynomial(name, form[2])
        _add(scope, name, kind, nodes, steps, form[2], factors, position)
        return True
    if name[0] in "fh":
        raise InputError(f"{shown(name)} has {form[1].upper()}; F and H elements take a gain or POLY, E and G others")
    if form[1] == "table":
        steps, factors = _table(name, form[2])
        _add(scope, name, kind, nodes, steps, form[2], factors, position)
        return True
    formula, factors = _formula(form[2])
    _add(scope, name, kind, nodes, parse_formula(formula), formula, factors, position)
    return True


def without_keyword(text: str) -> str:
    """The card of a linear controlled source without a VCVS, VCCS, CCCS or CCVS behind its nodes."""
    match = _HEAD.fullmatch(text)
    keyword = None if match is None else _KEYWORD.match(match[4])
    return text if match is None or keyword is None else text[: match.start(4)] + match[4][keyword.end() :]


def formula_resistor(scope: Scope, text: str, position: int) -> None:
    """Read an R card whose resistance depends on voltages, currents or the time: ``R1 a b R={1k*(1+v(a))}``.

    Raises:
        InputError: Its formula is wrong, or isn't in braces or quotes.
    """
    name, nodes, rest = _head(text)
    match = _RESISTANCE.fullmatch(rest)
    if match is None:
        raise InputError(
            f"{shown(name)} has a formula; write it in braces: RNAME NODE NODE R={{formula}} [m=] [tc1=] ..."
        )
    formula, factors = _formula(f"{match[1]} {match[2]}")
    steps = (*difference(*nodes), *parse_formula(formula), Call("/", 2))
    # The coefficients are the resistance's: warmer, the current is less.
    _add(scope, name, "i", nodes, steps, formula, factors | {"reciprocal": 1.0}, position)


def _head(text: str) -> tuple[str, tuple[str, str], str]:
    """Name, nodes and the rest of a card."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise InputError(f"{shown(text.split()[0])} has no two nodes; write NAME NODE NODE and what it is")
    return match[1], (match[2], match[3]), match[4].strip()


def _formula(rest: str) -> tuple[str, dict[str, Value]]:
    """The formula at the start of a text, and the factors behind it."""
    tail = _FACTORS.search(rest)
    formula = rest if tail is None else rest[: tail.start()]
    if not formula.strip(" \t{}'"):
        raise InputError("there is no formula; write one, such as {2*v(a)}")
    return formula, {} if tail is None else _factors(rest[tail.start() :])


def _factors(text: str) -> dict[str, Value]:
    factors: dict[str, Value] = {}
    for name, value in assignments(text.strip())[1]:
        if name not in _FACTOR_NAMES:
            raise InputError(f"unsupported parameter {shown(name)}; supported here: {' '.join(_FACTOR_NAMES)}")
        if name in factors:
            raise InputError(f"parameter {shown(name)} is given twice; give it once")
        words = words_of(value)
        if len(words) != 1:
            raise InputError(f"bad parameter at {shown(f'{name}={value}')}; write name=value")
        factors[name] = value_of(words[0])
    return factors


def _polynomial(name: str, rest: str) -> tuple[tuple[Step, ...], dict[str, Value]]:
    """POLY(n), what it senses, and its coefficients."""
    text, factors = _formula(rest)
    words = words_of(text)
    dimensions = int(words[0]) if words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 6 else 0
    each = 2 if name[0] in "eg" else 1
    if dimensions < 1 or len(words) < 2 + each * dimensions or "=" in words:
        sensed = "CONTROL CONTROL ..." if each == 2 else "VSOURCE ..."
        raise InputError(f"{shown(name)} has a bad POLY; write NAME NODE NODE POLY(n) {sensed} COEFFICIENT ...")
    sensed, coefficients = words[1 : 1 + each * dimensions], words[1 + each * dimensions :]
    steps: list[Step] = []
    for at in range(0, len(sensed), each):
        steps.extend(difference(sensed[at], sensed[at + 1]) if each == 2 else (Sensed("i", sensed[at]),))
    steps.extend(value_of(word) for word in coefficients)
    return (*steps, Call(f"poly {dimensions}", dimensions + len(coefficients))), factors


def _table(name: str, rest: str) -> tuple[tuple[Step, ...], dict[str, Value]]:
    """TABLE {formula} = (x, y) ..."""
    tail = _FACTORS.search(rest)
    factors = {} if tail is None else _factors(rest[tail.start() :])
    rest = (rest if tail is None else rest[: tail.start()]).strip()
    closing = {"{": "}", "'": "'"}.get(rest[:1])
    end = -1 if closing is None else rest.find(closing, 1)
    if end < 0:
        raise InputError(f"{shown(name)} has a bad TABLE; write TABLE {{formula}} = (x1, y1) (x2, y2) ...")
    if rest.count("(") != rest.count(")"):
        raise InputError(f"TABLE of {shown(name)} has a parenthesis without its partner; add it")
    words = words_of(rest[end + 1 :].lstrip().removeprefix("=").strip(" \t{}"))
    if not words or len(words) % 2 or "=" in words:
        raise InputError(f"TABLE of {shown(name)} has {len(words)} numbers; it takes pairs of x and y")
    points = [value_of(word) for word in words]
    if len(words) == 2:
        return (points[1],), factors
    return (*parse_formula(rest[1:end]), *points, Call("table ", 1 + len(points))), factors


def _add(
    scope: Scope,
    name: str,
    kind: str,
    nodes: tuple[str, str],
    steps: tuple[Step, ...],
    formula: str,
    factors: dict[str, Value],
    position: int,
) -> None:
    ends = (scope.node(nodes[0]), scope.node(nodes[1]))
    # What the formula senses is a node of this scope, too.
    for step in steps:
        if isinstance(step, Sensed) and step.kind == "v":
            scope.node(step.name)
    scope.behavioural.append(
        BehaviouralCard(scope.named(name, position), kind, ends, steps, formula.strip(), factors, position)
    )
