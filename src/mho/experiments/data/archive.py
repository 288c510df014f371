"""NumPy archives: FILE.npz with arrays `x` and `y`, or with those to train and to test on."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from mho.errors import InputError

_TRAIN = (("x", "y"), ("train_x", "train_y"), ("x_train", "y_train"))
_TEST = (("test_x", "test_y"), ("x_test", "y_test"))

_ZIP = b"PK"

Pair = tuple[Any, Any]
"""Inputs and targets, as an archive has them."""


def read_archive(content: bytes, origin: str, *, targets: bool = True) -> tuple[Pair, Pair | None]:
    """The arrays to train on and, if there are any, to test on.

    Args:
        content: the file's.
        origin: the file's name, for errors.
        targets: whether there must be targets; where they lack, they are None if not.

    Raises:
        InputError: if it is no archive, or holds no such arrays or arrays of Python's objects, which are never unpickled.
    """
    with opened_archive(content, origin) as archive:
        known = set(archive.files)

        def taken(pairs: tuple[tuple[str, str], ...]) -> Pair | None:
            pair = next(((x, y) for x, y in pairs if x in known and (y in known or not targets)), None)
            return None if pair is None else (archive_array(archive, pair[0], origin), _maybe(archive, pair[1], origin))

        train, test = taken(_TRAIN), taken(_TEST)
        if train is None and not targets:
            train = test
    if train is None:
        expected = "x and y, or train_x, train_y, test_x and test_y"
        raise InputError(f"{origin}: has the arrays {', '.join(sorted(known)) or 'none'}; expected {expected}")
    return train, test


@contextlib.contextmanager
def opened_archive(content: bytes, origin: str) -> Iterator[Any]:
    """A NumPy archive, whose arrays are read within.

    Raises:
        InputError: if it is none, or one of them cannot be read.
    """
    if not content.startswith(_ZIP):
        raise InputError(f"{origin}: is no NumPy archive; numpy.savez writes one")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            yield archive
    except InputError:
        raise
    except Exception as problem:  # whatever bytes may be in a file that is none
        raise InputError(f"{origin}: is no NumPy archive that can be read: {_brief(problem)}") from problem


def archive_array(archive: Any, name: str, origin: str) -> np.ndarray:
    """An array of an archive; refuses one of Python's objects."""
    try:
        return archive[name]
    except ValueError as problem:
        if "pickle" in str(problem) or "Object" in str(problem):
            raise InputError(
                f"{origin}: {name} is an array of Python's objects, which is not read; store numbers or text"
            ) from problem
        raise


def _maybe(archive: Any, name: str, origin: str) -> np.ndarray | None:
    return archive_array(archive, name, origin) if name in archive.files else None


def _brief(problem: Exception) -> str:
    return str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
