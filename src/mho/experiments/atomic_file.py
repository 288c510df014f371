"""Files that appear whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".partial"


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under another name beside `path`, bring it to the disk, then rename it.

    A failure leaves whatever stood at `path` as it was, and no other file.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
    try:
        with scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder and those in it."""
    for scratch in folder.rglob(f".*{_SUFFIX}"):
        scratch.unlink(missing_ok=True)
