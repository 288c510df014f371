"""What mho keeps between its starts, in the user's cache folder: data sets and compiled programs.

Compiling takes most of a short run's time. The command `mho` has JAX keep what it compiles
(https://docs.jax.dev/en/latest/persistent_compilation_cache.html); a program that is loaded computes, bit for bit, what the
same one computes that is compiled. `import mho` sets nothing: a program of one's own names a folder itself, by
`jax.config.update("jax_compilation_cache_dir", FOLDER)`.
"""

import contextlib
import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

_MOST_BYTES = 256 * 2**20
"""Of compiled programs; a small network's are less than 1 MB."""
_TROUBLE = ("Error reading persistent compilation cache", "Error writing persistent compilation cache")
"""How JAX's warnings begin where it goes on without the cache."""


def cache_folder() -> Path:
    """The folder that `MHO_CACHE_DIR` names, or else the user's cache folder for mho."""
    named = os.environ.get("MHO_CACHE_DIR")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("mho")


def keep_compiled_programs() -> None:
    """Have JAX, which must not be imported yet, keep what it compiles in the cache folder.

    `JAX_COMPILATION_CACHE_DIR` names another folder, and `JAX_ENABLE_COMPILATION_CACHE=0` switches it off. Whatever is wrong
    with the folder, the work goes on: a program that cannot be read is compiled. What is not whole, after a full disk
    say, is removed with all the rest.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = cache_folder() / "compiled" / _processor()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # Hundreds of small programs take as long as a large one.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    _remove_oldest(folder, _MOST_BYTES)
    show = warnings.showwarning

    def shown(message: Warning | str, *rest: Any) -> None:
        if str(message).startswith(_TROUBLE):
            _remove_oldest(folder, 0)
        else:
            show(message, *rest)

    warnings.showwarning = shown


def _processor() -> str:
    """A name for what machine code may run here: a folder may serve several machines, and JAX's keys do not tell."""
    features = " ".join(os.uname()[::4])
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as told:
        features += next((line for line in told if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(features.encode()).hexdigest()[:16]


def _remove_oldest(folder: Path, most: int) -> None:
    """Keep at most so many bytes in a folder, the newest."""
    with contextlib.suppress(OSError):
        entries = [(found.stat(), found) for found in os.scandir(folder) if found.is_file()]
        total = sum(status.st_size for status, _ in entries)
        for status, found in sorted(entries, key=lambda entry: entry[0].st_mtime):
            if total <= most:
                break
            os.unlink(found)
            total -= status.st_size
