"""Where a subcommand's `-o` goes: a file, a pipe or device, or, for `-`, standard output."""

import os
import stat
import sys
from pathlib import Path

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically

STANDARD = "-"


def check_output(option: str, path: str | os.PathLike[str]) -> None:
    """Refuse, before the work is done, what its result could not be written to.

    Raises:
        InputError: for a folder, a file in a folder that is missing, or one that must not be written.
    """
    given = os.fspath(path)
    if given == STANDARD:
        return
    if not given:
        raise InputError(f"{option}: names no file")
    try:
        mode = os.stat(given).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as problem:
        raise InputError(f"{option} {given}: cannot be written: {_reason(problem)}") from problem
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{option} {given}: is a folder; name the file to write in it")
    if mode is not None and stat.S_ISSOCK(mode):
        raise InputError(f"{option} {given}: is a socket; name a file, a pipe or - for standard output")
    # Of a link that leads nowhere yet, the folder of what it names.
    folder = os.path.dirname(os.path.realpath(given))
    if mode is None and not os.path.isdir(folder):
        raise InputError(f"{option} {given}: cannot be written: there is no folder {folder}")
    plain = mode is None or stat.S_ISREG(mode)
    if not os.access(folder if mode is None else given, os.W_OK) or (plain and len(os.path.basename(given)) > 255):
        raise InputError(f"{option} {given}: cannot be written: permission denied, or its name is too long")


def write_output(option: str, path: str | os.PathLike[str], text: str) -> None:
    """Write a subcommand's result.

    Raises:
        InputError: if it cannot be written; but a pipe whose reader has gone raises BrokenPipeError.
    """
    if os.fspath(path) == STANDARD:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        write_atomically(Path(path), lambda file: file.write(text.encode()))
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise InputError(f"{option} {os.fspath(path)}: cannot be written: {_reason(problem)}") from problem


def _reason(problem: OSError | ValueError) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
