"""Logical lines of a netlist: comments taken off, continuations joined, included files followed.

The rules are ngspice 39's: ``*`` starts a comment line; ``;``, ``//`` and a ``$`` after a blank start a comment
inside a line; ``+`` continues the last line that isn't a comment; ``.include`` (``.inc``, ``.incl``) reads a file
relative to the one that names it, and ``.lib FILE SECTION`` what stands between ``.lib SECTION`` and ``.endl`` in
one. Unlike ngspice, a netlist includes nothing from outside its own folder unless it is allowed to, and no byte that
isn't text gets through.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mho.errors import InputError
from mho.netlists.reading.notes import Notes
from mho.netlists.reading.values import printable, shown, shown_cycle
from mho.netlists.reading.whole_text import WholeText

MAX_BYTES = 256 * 2**20
"""Largest netlist, all its included files together, in bytes."""
MAX_INCLUDES = 1000
"""Most files included, a file counting as often as it is included."""
MAX_INCLUDE_DEPTH = 50
"""Deepest chain of files that include each other."""

_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\r\n")) + b"\x7f"
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_COMMENT = re.compile(r";|//|(?<=[ \t,])\$|^\$")
_STRANGE_BLANK = re.compile(r"[^\S \t]")
_LOWER = {**{upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}, 0xB5: "u"}
_NAME = r"(?:\"([^\"]+)\"|'([^']+)'|([^\s\"']+))"
_INCLUDE = re.compile(rf"\.inc(?:l|lude)?\s+{_NAME}", re.IGNORECASE)
_LIBRARY = re.compile(rf"\.lib\s+{_NAME}(?:\s+[\"']?([^\s\"']+)[\"']?)?", re.IGNORECASE)

LINE_BITS = 32
"""A position is the file's number, then the line's in this many bits: one integer a card."""


class NetlistLines:
    """All logical lines of a netlist, in the order in which they count.

    Attributes:
        files: Names of the files read, as shown in messages; a position refers to them by number.
        title: The first line of the netlist.
        notes: What is to be told of the netlist.
        text: Its text and that of the files that it includes.
    """

    def __init__(
        self, text: str, name: str, folder: Path | None, path: Path | None = None, allow_include_outside: bool = False
    ):
        """Start with the netlist's own text.

        Args:
            text: The netlist, as ``decoded`` gives it.
            name: Its name for messages.
            folder: Where its includes are looked for; ``None`` allows none.
            path: Its file, if it comes from one, resolved; so that a file including it is found out.
            allow_include_outside: Allow includes from outside ``folder``.
        """
        self.files = [printable(name)]
        self.notes = Notes()
        self.title = text.partition("\n")[0].strip()
        self.text = WholeText(text)
        self._folders: list[Path | None] = [folder]
        try:
            self._root = None if folder is None else folder.resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"can't read folder {shown(str(folder), 200)}: {error}; name another") from None
        self._allow_include_outside = allow_include_outside
        self._bytes = len(text)
        self._open: list[tuple[Iterator[tuple[int, str]], int, Path | None, str | None]] = []
        self._open.append((_joined_lines(text, name, skip_title=True), 0, path, None))

    def where(self, position: int) -> str:
        """``file:line`` of a position."""
        return f"{self.files[position >> LINE_BITS]}:{position & ((1 << LINE_BITS) - 1)}"

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Position and lower-case text of each logical line.

        Raises:
            InputError: A line or an included file that can't be read.
        """
        while self._open:
            lines, file, _, _ = self._open[-1]
            for number, line in lines:
                position = file << LINE_BITS | number
                start = line[:4].lower()
                if start == ".inc" or (start == ".lib" and line[4:5] in " \t"):
                    self._include(line, position)
                    break
                yield position, line.lower() if line.isascii() else _lowered(line)
            else:
                self._open.pop()

    def _include(self, line: str, position: int) -> None:
        try:
            match = _INCLUDE.fullmatch(line) or _LIBRARY.fullmatch(line)
            if match is None:
                form = ".lib FILE SECTION" if line[:4].lower() == ".lib" else ".include FILE"
                raise InputError(f"bad card {shown(line)}; write {form}, a name with blanks in quotes")
            section = match[4] if match.re is _LIBRARY else None
            reference = match[1] or match[2] or match[3]
            path, real = self._included_file(reference, section, self._folders[position >> LINE_BITS])
            data = read_bytes(real, MAX_BYTES - self._bytes)
        except InputError as error:
            raise InputError(f"{self.where(position)}: {error}") from None
        name = printable(str(path))
        self._bytes += len(data)
        text = decoded(data, name)
        self.text.include(position >> LINE_BITS, position & ((1 << LINE_BITS) - 1), text, section)
        lines = _joined_lines(text, name, skip_title=False)
        if section is not None:
            lines = _section(lines, section.lower(), name)
        self._open.append((lines, len(self.files), real, section))
        self.files.append(name)
        self._folders.append(path.parent)

    def _included_file(self, reference: str, section: str | None, folder: Path | None) -> tuple[Path, Path]:
        """The file that a card names, if it may be included, and the same without symbolic links."""
        if folder is None or self._root is None:
            raise InputError(f"can't include {shown(reference)}: this netlist is text without a folder")
        if len(self.files) > MAX_INCLUDES or len(self._open) > MAX_INCLUDE_DEPTH:
            raise InputError(f"more than {MAX_INCLUDES} included files, or {MAX_INCLUDE_DEPTH} inside each other")
        relative = Path(reference)
        if not self._allow_include_outside and (relative.is_absolute() or ".." in relative.parts):
            raise InputError(
                f"include of {shown(reference)} leaves the netlist's folder; name a file in it, or allow "
                "includes from outside"
            )
        try:
            real = (folder / relative).resolve()
            outside = not real.is_relative_to(self._root)
            found = real.is_file()
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"can't include {shown(reference)}: {error}") from None
        if outside and not self._allow_include_outside:
            raise InputError(
                f"include of {shown(reference)} leads out of the netlist's folder by a symbolic link; name a "
                "file in it, or allow includes from outside"
            )
        if not found:
            raise InputError(f"no file {shown(reference)} to include in {shown(str(folder), 200)}; check its name")
        chain = [(path, part) for _, _, path, part in self._open]
        if (real, section) in chain:
            names = [self.files[number] for _, number, _, _ in self._open[chain.index((real, section)) :]]
            raise InputError(f"include recursion: {shown_cycle(names)}; take one include out")
        return folder / relative, real


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Content of a file of at most ``limit`` bytes.

    Raises:
        InputError: The file can't be read or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"can't read {shown(str(path), 200)}: {reason}; name a readable netlist file") from None
    if len(data) > limit:
        raise InputError(f"{shown(str(path), 200)} is too large; a netlist has at most {MAX_BYTES >> 20} MiB in all")
    return data


def decoded(data: bytes, name: str) -> str:
    """Text of a netlist file, UTF-8 or else Latin-1 (older editors' µ and °), with line feeds at line ends.

    Raises:
        InputError: A byte that isn't text: a NUL, a control character, a lone carriage return.
    """
    bad = None
    if len(data.translate(None, _CONTROL_BYTES)) != len(data) or data.count(b"\r") != data.count(b"\r\n"):
        bad = _NOT_TEXT.search(data)
    if bad is not None:
        byte = bad[0][0]
        what = "a NUL byte" if byte == 0 else f"the control character 0x{byte:02x}"
        raise InputError(f"{name}:{_line_at(data, bad.start())}: {what}; a netlist is plain text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n")


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def without_comment(line: str) -> str:
    """A line without the comment at its end and the blanks before that."""
    comment = _COMMENT.search(line)
    return line if comment is None else line[: comment.start()].rstrip(" \t")


def _joined_lines(text: str, name: str, skip_title: bool) -> Iterator[tuple[int, str]]:
    """Number of its first physical line, and text, of each logical line."""
    ascii_only = text.isascii()
    number = first = 0
    parts: list[str] = []
    in_title = skip_title
    for line in text.split("\n"):
        number += 1
        line = line.strip(" \t\r")
        if number == 1 and skip_title:
            continue
        if not line or line[0] == "*":
            continue
        if ";" in line or "$" in line or "//" in line:
            line = without_comment(line)
            if not line:
                continue
        if not ascii_only:
            blank = _STRANGE_BLANK.search(line)
            if blank is not None:
                raise InputError(
                    f"{name}:{number}: the character U+{ord(blank[0]):04X} isn't a blank to SPICE; use a space"
                )
        if line[0] == "+":
            if parts:
                parts.append(line[1:])
            elif not in_title:
                raise InputError(f"{name}:{number}: '+' continues nothing; take it off or put a card before it")
            continue
        in_title = False
        if parts:
            yield first, parts[0] if len(parts) == 1 else " ".join(parts)
        parts = [line]
        first = number
    if parts:
        yield first, parts[0] if len(parts) == 1 else " ".join(parts)


def _section(lines: Iterator[tuple[int, str]], section: str, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a library between ``.lib SECTION`` and ``.endl``."""
    inside = found = False
    for number, line in lines:
        words = line.lower().split(None, 2) if line[0] == "." else [""]
        if inside:
            if words[0] == ".endl":
                inside = False
            else:
                yield number, line
        elif words[0] == ".lib" and len(words) == 2 and words[1].strip("\"'") == section:
            inside = found = True
    if inside or not found:
        raise InputError(f"{name}: no section {shown(section)}; write .lib {section} and .endl around it")


def _lowered(line: str) -> str:
    """The line as ngspice takes it: A to Z in lower case, the micro sign as u; other letters have no case."""
    return line.translate(_LOWER)
