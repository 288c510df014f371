"""Options: a frozen dataclass becomes a subcommand's options, by tyro; what is wrong becomes one line."""

import contextlib
import dataclasses
import difflib
import io
import os
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import tyro

from mho.errors import InputError

T = TypeVar("T")


def parse(kind: type[T], arguments: Sequence[str], *, prog: str, description: str, default: T | None = None) -> T:
    """Read options into a dataclass; `--help` prints and ends the process as it should.

    Args:
        kind: the dataclass.
        arguments: what follows `prog` on the command line.
        prog: the command so far.
        description: for the help.
        default: values of the options that are not given.

    Raises:
        InputError: for an unknown option or a value of the wrong type.
    """
    given = list(arguments)
    complaint = io.StringIO()
    try:
        # Help goes to standard output, complaints, in a box, to standard error.
        with contextlib.redirect_stderr(complaint), _unwrapped(not {"-h", "--help"} & set(given)):
            if default is None:
                return tyro.cli(kind, args=given, prog=prog, description=description)
            return tyro.cli(kind, args=given, prog=prog, description=description, default=default)
    except SystemExit as end:
        if end.code in (0, None):
            raise
    raise InputError(_plain(complaint.getvalue(), kind) + f" (see {prog} --help)")


@contextlib.contextmanager
def _unwrapped(wanted: bool) -> Iterator[None]:
    """Have tyro write lines of any length: a message that is wrapped cannot be put together again."""
    before = os.environ.get("COLUMNS")
    if wanted:
        os.environ["COLUMNS"] = "100000"
    try:
        yield
    finally:
        if wanted and before is None:
            del os.environ["COLUMNS"]
        elif wanted and before is not None:
            os.environ["COLUMNS"] = before


def _plain(box: str, kind: type) -> str:
    """The message in a box, in one line, with the option that may have been meant."""
    # The box is drawn in ASCII where standard output is not UTF-8. Either way its title and then the message end with a
    # rule.
    sections: list[list[str]] = [[]]
    for line in box.splitlines():
        text = line.strip("│| ")
        if text[:1] in "╭╰" or not text.strip("─-"):
            sections.append([])
        else:
            sections[-1].append(text)
    message = " ".join(sections[1] if len(sections) > 1 else sections[0])
    plain = re.sub(r"^Error parsing (options: )?", "", message, flags=re.IGNORECASE)
    unknown = re.match(r"Unrecognized options: (\S+?)(,|$)", plain)
    if unknown:
        known = [field.name.replace("_", "-") for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
        close = difflib.get_close_matches(unknown[1].lstrip("-"), known, n=1)
        return f"unknown option {unknown[1]}" + (f": did you mean --{close[0]}?" if close else "")
    number = re.match(r"(--\S+): (?:invalid literal for (int).*|could not convert string to float): '(.*)'$", plain)
    if number:
        option, whole, value = number.groups()
        return f"{option} {value}: expected a {'whole ' if whole else ''}number"
    several = re.match(r"(--\S+): no type matching FLOAT(\S*) .* from \[(.*)\]\.?$", plain)
    if several:
        values = " ".join(re.findall("'(.*?)'", several[3]))
        other = re.fullmatch(r"\|\{(\w+)\}", several[2])
        return f"{several[1]} {values}: expected a number, or {other[1] if other else 'one for each layer'}"
    return plain[:1].lower() + plain[1:]
