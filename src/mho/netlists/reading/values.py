"""SPICE numbers: decimal digits, an exponent, an engineering suffix and unit letters.

Source: ngspice 39 manual, section 2.2 ("Some naming conventions"), and ngspice 39 itself, the referee in the tests.
"""

import math
import re

from mho.errors import InputError

MAX_DIGITS = 100
"""A longer number is refused: a double holds 17 digits."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[ed]([+-]?\d{1,5}))?([a-z]*)", re.ASCII | re.IGNORECASE)

_DECADES = {"t": 12, "g": 9, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}


def parse_number(word: str) -> float:
    """Value of a SPICE number such as ``4.7k``, ``1MEG``, ``10uF``, ``2.5e-3meg`` or ``3mil``.

    Suffixes, in either case: t 1e12, g 1e9, meg 1e6, k 1e3, mil 25.4e-6, m 1e-3, u 1e-6, n 1e-9, p 1e-12,
    f 1e-15. Letters after the suffix are a unit and mean nothing (``1kohm``); so do letters that are no suffix
    (``5V``, ``1A``). Where ngspice silently drops what follows (it reads ``4k7`` as 4000), this raises.

    Raises:
        InputError: The word isn't such a number, or is too large for a double.
    """
    match = _NUMBER.fullmatch(word) if len(word) <= MAX_DIGITS else None
    if match is None:
        raise InputError(f"bad number {shown(word)}; write one such as 4.7k, 1meg, 2.5e-3 or 10n")
    return scaled(match[1], match[2], match[3].lower(), word)


def scaled(mantissa: str, exponent: str | None, suffix: str, word: str) -> float:
    """Value of a number in its parts, rounded once; ``word`` is the whole of it, for the message.

    Raises:
        InputError: The exponent has no digits, or the value is too large for a double.
    """
    if not suffix and exponent is None:
        value = float(mantissa)
    else:
        if suffix[:1] in ("e", "d") and exponent is None:
            raise InputError(f"bad number {shown(word)}; the exponent needs digits, such as 1e-3")
        if suffix.startswith("meg"):
            decade, factor = 6, 1.0
        elif suffix.startswith("mil"):
            decade, factor = -6, 25.4
        else:
            decade, factor = _DECADES.get(suffix[:1], 0), 1.0
        # The decimal exponent is changed, not the value, so that 4.7k is the double nearest to 4700.
        value = float(f"{mantissa}e{int(exponent or 0) + decade}") * factor
    if not math.isfinite(value):
        raise InputError(f"number {shown(word)} is too large; a double ends at 1.8e308")
    return value


def shown(text: str, limit: int = 40) -> str:
    """The text in quotes for an error message: on one line, cut after ``limit`` characters."""
    return f"'{printable(text)}'" if len(text) <= limit else f"'{printable(text[:limit])}...'"


def printable(text: str) -> str:
    """The text with a question mark for each line end, tab and other character that doesn't print."""
    return text if text.isprintable() else "".join(character if character.isprintable() else "?" for character in text)


def shown_cycle(names: list[str], limit: int = 8) -> str:
    """The names of a circle, back to the first, for an error message; only the ends of a long one."""
    if len(names) > limit:
        names = [*names[: limit // 2], "...", *names[-limit // 2 :]]
    return " -> ".join([*names, names[0]])
