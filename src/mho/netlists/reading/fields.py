"""The fields of a card: its words, the assignments at its end, and the numbers and expressions that they spell.

Source: ngspice 39 manual, sections 2.2 and 2.8. Messages here name no place; the reader adds it.
"""

import re
from functools import lru_cache

from mho.errors import InputError
from mho.netlists.reading.expressions import evaluate, parse_expression
from mho.netlists.reading.scopes import Value
from mho.netlists.reading.values import parse_number, shown

_SPECIAL = re.compile(r"[{}'\"=(),]")
_BRACES = r"\{(?:[^{}]|\{[^{}]*+\})*+\}"
_WORD = re.compile(rf"(?P<group>{_BRACES}|'[^']*+'|\"[^\"]*+\")|[\s(),]++|=|[^\s{{}}'\"=(),]++|(?P<bad>.)", re.DOTALL)
_PIECE = re.compile(
    r"\{[^{}]*+\}|'[^']*+'|\"[^\"]*+\"|(?P<name>[a-z_][\w.]*+)(?P<equals>\s*+=(?!=))?|[\d.][\w.]*+|\s++|.",
    re.ASCII | re.DOTALL,
)
_NAME = re.compile(r"[a-z_][\w.]*", re.ASCII)
_NUMBER_LIKE = re.compile(r"[+-]?[\d.][\w.]*", re.ASCII)


def words_of(text: str, nodes: int = 0) -> list[str]:
    """The words of a card: blanks, commas and parentheses part them, ``=`` is one, an expression is one in braces.

    Args:
        text: The card.
        nodes: How many words behind the first are nodes' names: to ngspice, a parenthesis right behind one is part of it.

    Raises:
        InputError: A brace or quote without its partner, or a parenthesis right behind a node's name.
    """
    if not _SPECIAL.search(text):
        return text.split()
    words: list[str] = []
    for match in _WORD.finditer(text):
        word = match[0]
        if match["group"]:
            words.append("{" + word[1:-1] + "}")
        elif match["bad"]:
            raise InputError(f"unexpected {word} in {shown(text)}; expressions go in {{}} or ''")
        elif word[0] not in " \t(),":
            words.append(word)
        elif nodes and word[0] == "(" and 0 < len(words) <= nodes + 1:
            raise InputError(f"unexpected ( behind {shown(words[-1])}; put a blank before it")
    return words


def assignments(text: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first ``name=`` of a card, and each name with the text up to the next."""
    starts: list[tuple[str, int, int]] = []
    for match in _PIECE.finditer(text):
        if match["equals"] and text[match.start() - 1 : match.start()] not in ("<", ">", "=", "!"):
            starts.append((match["name"], match.start(), match.end()))
    if not starts:
        return text, []
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    pairs = [(name, text[begin:end].strip()) for (name, _, begin), end in zip(starts, ends, strict=True)]
    return text[: starts[0][1]], pairs


@lru_cache(maxsize=4096)
def expression_value(text: str) -> Value:
    """An expression, or its value where it has no parameters and calls no functions.

    Raises:
        InputError: It isn't an expression, or isn't finite.
    """
    expression = parse_expression(text)
    if expression.names or expression.calls:
        return expression
    return float(evaluate(expression, _no_parameter))


def _no_parameter(name: str) -> float:
    raise AssertionError(name)


def value_of(word: str) -> Value:
    """A number, an expression in braces or a parameter's bare name.

    Raises:
        InputError: The word is none of them.
    """
    if word[0] == "{":
        return expression_value(word[1:-1])
    if _NAME.fullmatch(word):
        return expression_value(word)
    return parse_number(word)


def assigned_value(name: str, text: str) -> Value:
    """The value behind ``name=``: a number or an expression, with or without braces or quotes.

    Raises:
        InputError: There is none, or it is wrong.
    """
    text = text.rstrip(", \t")
    if not text:
        raise InputError(f"{shown(name)} has no value; write {name}=VALUE")
    if len(text) > 1 and text[0] + text[-1] in ("{}", "''", '""'):
        return expression_value(text[1:-1])
    # ngspice reads a number here as in an expression, where mil and an exponent with d are something else.
    if _NUMBER_LIKE.fullmatch(text) and "mil" not in text and "d" not in text:
        return parse_number(text)
    return expression_value(text)


def keyed(words: list[str], known: tuple[str, ...]) -> tuple[list[str], dict[str, Value]]:
    """The words before the first ``key=``, and the values of the keys, which must be known."""
    if "=" not in words:
        return words, {}
    first = words.index("=") - 1
    if first < 1:
        raise InputError(f"{shown(words[0])} is followed by '='; write the element's nodes and value first")
    keys: dict[str, Value] = {}
    for at in range(first, len(words), 3):
        group = words[at : at + 3]
        if len(group) != 3 or group[1] != "=" or "=" in (group[0], group[2]):
            raise InputError(f"bad parameter at {shown(' '.join(group))}; write name=value")
        name = group[0]
        if name not in known:
            raise InputError(f"unsupported parameter {shown(name)}; supported here: {' '.join(known)}")
        if name in keys:
            raise InputError(f"parameter {shown(name)} is given twice; give it once")
        keys[name] = value_of(group[2])
    return words[:first], keys


def without_flag(words: list[str], first: int, *flags: str) -> tuple[list[str], set[str]]:
    """The words without those flags, which may stand anywhere from word `first` on, and the flags found."""
    found = {word for word in words[first:] if word in flags}
    return [word for at, word in enumerate(words) if at < first or word not in flags], found
