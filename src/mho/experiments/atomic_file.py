"""Files that appear whole or not at all; pipes and devices are written to, and symbolic links followed."""

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

_SUFFIX = ".partial"
_NAMED = 32
"""Characters of a file's name in that of its scratch file, which must not be too long where the file's own is not."""
_SYSTEM = ("/dev", "/proc", "/sys")
"""Folders whose files stand for devices and open files: they are written to and never replaced."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under another name beside `path`, bring it to the disk, then rename it.

    A failure leaves whatever stood at `path` as it was, and no other file. A symbolic link stays one: the file that it
    names is written. What stands there and is no plain file, a pipe or a device, is written to as it is.

    Raises:
        OSError: if it cannot be written.
    """
    if _is_stream(path):
        content = io.BytesIO()  # a pipe cannot seek, and archives do
        write(content)
        with _opened_stream(path) as stream:
            stream.write(content.getvalue())
        return
    path = Path(os.path.realpath(path))
    standing = path.stat() if path.exists() else None
    if standing is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    scratch = path.with_name(f".{path.name[:_NAMED]}.{os.getpid()}{_SUFFIX}")
    try:
        with scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if standing is not None:
            scratch.chmod(stat.S_IMODE(standing.st_mode))
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


def _is_stream(path: Path) -> bool:
    """Whether what stands at a path is written to and not replaced."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    folder = os.path.realpath(path.parent)
    system = any(folder == root or folder.startswith(root + "/") for root in _SYSTEM) and folder != "/dev/shm"
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or system


def _opened_stream(path: Path) -> IO[bytes]:
    # /dev/stdout that leads to a plain file would be cut to nothing if it were opened anew.
    with contextlib.suppress(OSError, ValueError):
        if os.path.samestat(path.stat(), os.fstat(sys.__stdout__.fileno())):  # type: ignore[union-attr]
            sys.stdout.flush()
            return os.fdopen(os.dup(sys.__stdout__.fileno()), "wb")  # type: ignore[union-attr]
    return path.open("wb")


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder and those in it."""
    for scratch in folder.rglob(f".*{_SUFFIX}"):
        scratch.unlink(missing_ok=True)
