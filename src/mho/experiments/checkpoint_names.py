"""Names of checkpoints: they tell how far a run has come, and sort by it."""

import re
from pathlib import Path

_NAME = re.compile(r"epochs-(\d+)-steps-(\d+)\.npz")


def checkpoint_name(epochs_done: int, step: int) -> str:
    """The name of a checkpoint after so many whole epochs and steps of the next one."""
    return f"epochs-{epochs_done:05d}-steps-{step:09d}.npz"


def _reached(path: Path) -> tuple[int, int] | None:
    found = _NAME.fullmatch(path.name)
    return (int(found[1]), int(found[2])) if found else None


def at_start(path: Path) -> bool:
    """Whether a checkpoint holds a network before its first step."""
    return _reached(path) == (0, 0)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the furthest first: by number, which has more digits after epoch 99,999."""
    found = {path: reached for path in folder.glob("epochs-*.npz") if (reached := _reached(path)) is not None}
    return sorted(found, key=lambda path: found[path], reverse=True)
