"""Checkpoints: one NumPy archive each, the arrays by their place in the state, all else as JSON text under `about`.

An archive's members carry checksums, so a damaged file is known for one.
"""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically

_KEPT = 2


@dataclass(frozen=True)
class Bookmark:
    """Where to go on with a run: all that a checkpoint holds apart from the arrays."""

    epochs_done: int
    """Whole epochs."""
    step: int
    """Steps made of the next one."""
    seconds: float
    """That these steps took."""
    metrics: list[dict[str, Any]]
    """A record of each whole epoch, as in metrics.jsonl."""
    features: int
    """Of the data set's inputs."""
    outputs: int
    """Classes of the data set, or values to predict."""
    configuration: dict[str, Any]
    """What was trained, as in config.json."""


def checkpoint_path(folder: Path, bookmark: Bookmark) -> Path:
    """Where a checkpoint goes: names sort by how far the run has come."""
    return folder / f"epochs-{bookmark.epochs_done:05d}-steps-{bookmark.step:09d}.npz"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the furthest first."""
    return sorted(folder.glob("epochs-*-steps-*.npz"), reverse=True)


def write_checkpoint(folder: Path, state: Any, bookmark: Bookmark) -> Path:
    """Write a checkpoint and remove all but the last two."""
    arrays = {name: np.asarray(leaf) for name, leaf in _named(state)}
    about = np.array(json.dumps(asdict(bookmark)))
    path = checkpoint_path(folder, bookmark)
    write_atomically(path, lambda file: np.savez(file, about=about, **arrays))  # type: ignore[arg-type]
    for old in checkpoints(folder)[_KEPT:]:
        old.unlink()
    return path


def read_bookmark(path: Path) -> Bookmark:
    """The bookmark of a checkpoint.

    Raises:
        InputError: if the file is damaged, or of another version of mho.
    """
    about = str(_read(path)["about"])
    try:
        return Bookmark(**json.loads(about))
    except (TypeError, ValueError) as problem:
        raise InputError(f"{path}: not a checkpoint that this version of mho wrote") from problem


def read_state(path: Path, template: Any, part: str = "") -> Any:
    """The arrays that a checkpoint holds, in a state's structure.

    Args:
        path: the checkpoint.
        template: a pytree of that structure; of its arrays the shapes and types alone matter.
        part: where in the state the template stands: "network" for the network alone.

    Raises:
        InputError: if the file is damaged, or made by another configuration.
    """
    stored = _read(path)
    leaves = []
    for name, leaf in _named(template):
        full = f"{part}.{name}" if part else name
        if full not in stored or stored[full].shape != leaf.shape or stored[full].dtype != leaf.dtype:
            raise InputError(f"{path}: {full} is missing or of another shape: not a checkpoint of this configuration")
        leaves.append(jnp.array(stored[full]))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _named(state: Any) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def _read(path: Path) -> dict[str, np.ndarray]:
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
    except Exception as problem:  # one wrong bit is enough for a file to seem encrypted, or of a format yet to come
        raise InputError(f"{path}: damaged checkpoint; without it a run goes on from the one before") from problem
    if "about" not in stored:
        raise InputError(f"{path}: not a checkpoint: it lacks `about`")
    return stored
