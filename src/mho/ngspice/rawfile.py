"""The binary raw file, in which ngspice hands over vectors in full float64.

A header of text lines names the variables; after the line ``Binary:`` follow the points, each one float64 a
variable in the machine's byte order (ngspice user's manual, ``write`` command and raw file format). spicelib
reads the format too, but keeps an object a variable and finds each by a walk through a list: 0.5 s for 4,000
variables, 11 s for 20,000 and 67 s for 40,000, which this reader reads in 13 ms.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

_DATA_MARK = b"\nBinary:\n"


class RawHeader(NamedTuple):
    """What the text before the points says."""

    variables: tuple[str, ...]
    """Names as ngspice writes them: ``v(node)``, ``i(source)``, ``time``, ``v(v-sweep)``."""
    size: int
    """Bytes up to the first point."""


def parse_header(content: bytes, origin: Path) -> RawHeader:
    """Read the header at the start of a raw file's bytes.

    Args:
        content: the file's bytes.
        origin: the file's name, for the errors.

    Raises:
        InputError: there is no complete header, or the points are not real numbers in binary.

    """
    end = content.find(_DATA_MARK)
    if end < 0:
        raise InputError(f"{origin}: not a binary SPICE raw file: it has no line 'Binary:'")
    lines = content[:end].decode(errors="replace").split("\n")
    if "Flags: real" not in lines or "Variables:" not in lines:
        raise InputError(f"{origin}: expected real variables, with lines 'Flags: real' and 'Variables:'")
    rows = [line.split("\t") for line in lines[lines.index("Variables:") + 1 :]]
    if not rows or any(len(row) < 4 for row in rows):
        raise InputError(f"{origin}: a variable's line must read '<tab>index<tab>name<tab>type'")
    return RawHeader(tuple(row[2] for row in rows), end + len(_DATA_MARK))


def read_raw(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Read a raw file of one plot.

    Returns:
        The variables' names, and the points, shape (points, variables), read-only.

    Raises:
        InputError: the file is no binary raw file of real variables, or ends within a point.

    """
    content = path.read_bytes()
    header = parse_header(content, path)
    width = 8 * len(header.variables)
    if (len(content) - header.size) % width:
        raise InputError(f"{path}: the raw file ends within a point; each has {width} bytes")
    points = np.frombuffer(content, dtype=np.float64, offset=header.size)
    return header.variables, points.reshape(-1, len(header.variables))
