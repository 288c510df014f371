"""The words of a card where they stand in the netlist's text: to put others in their places and leave all else as it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mho.netlists.reading.lines import without_comment

_WORD = re.compile(r"\{(?:[^{}]|\{[^{}]*\})*\}|'[^']*'|\"[^\"]*\"|=|[^\s(),={}'\"]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or an expression with its braces or quotes, in the case in which it is written."""

    text: str
    line: int
    """Counted from 0."""
    start: int
    end: int

    @property
    def lower(self) -> str:
        """As the reader takes it."""
        return self.text.lower()


def card_words(lines: Sequence[str], first: int) -> list[Word]:
    """The words of the card that begins on a line, counted from 0, and goes on in lines that begin with ``+``."""
    words: list[Word] = []
    for number in range(first, len(lines)):
        text = lines[number].strip(" \t\r")
        start = lines[number].find(text)
        if not text or text[0] == "*":
            continue
        if text[0] == "+":
            text, start = text[1:], start + 1
        elif number > first:
            break
        found = _WORD.finditer(without_comment(text))
        words += [Word(word[0], number, start + word.start(), start + word.end()) for word in found]
    return words


def replaced(lines: Sequence[str], changes: Sequence[tuple[Word, str]]) -> list[str]:
    """The lines with other words in the places of some; a word of no length is one that is put in."""
    result = list(lines)
    for word, text in sorted(changes, key=lambda change: (change[0].line, change[0].start), reverse=True):
        line = result[word.line]
        result[word.line] = line[: word.start] + text + line[word.end :]
    return result
