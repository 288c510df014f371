"""Measured current-voltage curves: files of them, and the text in which a configuration keeps one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mho.elements.measured import Curve, curve_fault
from mho.errors import InputError
from mho.experiments.data.archive import archive_array, opened_archive
from mho.experiments.data.files import read_bytes
from mho.experiments.data.table import read_table, table_samples

_COLUMNS = ("v", "i")


def read_curve(path: str | Path) -> Curve:
    """The curve in a file.

    Args:
        path: a table with columns v [V] and i [A], or of two columns without a header; or a NumPy archive, FILE.npz, of
            arrays v and i.

    Raises:
        InputError: if it cannot be read, lacks a column or a value, has fewer than two points, or has a voltage that is not
            above the one before, or a current below the one before: with file and line.
    """
    content = read_bytes(Path(path))
    return _of_archive(content, str(path)) if str(path).lower().endswith(".npz") else _of_table(content, str(path))


def curve_text(curve: Curve) -> str:
    """A curve as a table with a header, to the last digit."""
    return "v,i\n" + "".join(f"{v!r},{i!r}\n" for v, i in zip(curve.voltage, curve.current, strict=True))


def parse_curve(text: str, origin: str = "--curve") -> Curve:
    """The curve that a table's text holds; see `read_curve`."""
    return _of_table(text.encode(), origin)


def _of_table(content: bytes, origin: str) -> Curve:
    table = read_table(content, origin)
    lowered = [name.lower() for name in table.names]
    if table.header:
        places = [lowered.index(name) if name in lowered else table.place(name) for name in _COLUMNS]
    elif len(lowered) == 2:
        places = [0, 1]
    else:
        raise InputError(f"{origin}:1: {len(lowered)} columns without a header; a curve has columns v [V] and i [A]")
    samples = table_samples(table, places, [])
    points = np.asarray(samples.inputs, np.float64)
    return _checked(points[:, 0], points[:, 1], samples.where, origin)


def _of_archive(content: bytes, origin: str) -> Curve:
    with opened_archive(content, origin) as archive:
        known = set(archive.files)
        if not known.issuperset(_COLUMNS):
            raise InputError(f"{origin}: has the arrays {', '.join(sorted(known)) or 'none'}; expected v [V] and i [A]")
        v, i = (archive_array(archive, name, origin) for name in _COLUMNS)
    for name, values in zip(_COLUMNS, (v, i), strict=True):
        if values.ndim != 1 or values.dtype.kind not in "fiu":
            raise InputError(f"{origin}: {name} is {values.dtype} of shape {values.shape}; a row of numbers is needed")
    return _checked(v, i, lambda k: f"{origin}: point {k + 1}", origin)


def _checked(v: np.ndarray, i: np.ndarray, where: Callable[[int], str], origin: str) -> Curve:
    fault = curve_fault(v.tolist(), i.tolist())
    if fault is not None:
        raise InputError(f"{where(fault[0]) if len(v) else origin}: {fault[1]}")
    return Curve(tuple(v.tolist()), tuple(i.tolist()))
