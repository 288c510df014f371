"""Checkpoints: one NumPy archive each, the arrays by their place in the state, all else as JSON text under `about`.

An archive's members carry checksums, so a damaged file is known for one.
"""

import io
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.checkpoint_names import checkpoint_name, checkpoints
from mho.experiments.data.form import DataForm
from mho.experiments.record import Metrics, check_record

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
    metrics: list[Metrics]
    """A record of each whole epoch, as in metrics.jsonl."""
    features: int
    """Of the data set's inputs."""
    outputs: int
    """Classes of the data set, or values to predict."""
    configuration: dict[str, Any]
    """What was trained, as in config.json."""
    data: dict[str, Any] = field(default_factory=dict)
    """What it was trained on, without the samples: a `mho.experiments.data.form.DataForm`."""


def checkpoint_path(folder: Path, bookmark: Bookmark) -> Path:
    """Where a checkpoint goes."""
    return folder / checkpoint_name(bookmark.epochs_done, bookmark.step)


def write_checkpoint(folder: Path, state: Any, bookmark: Bookmark) -> Path:
    """Write a checkpoint and remove all but the last two."""
    arrays = {name: np.asarray(leaf) for name, leaf in _named(state)}
    about = np.array(json.dumps(asdict(bookmark)))
    path = checkpoint_path(folder, bookmark)
    write_atomically(path, lambda file: np.savez(file, about=about, **arrays))  # type: ignore[arg-type]
    for old in checkpoints(folder)[_KEPT:]:
        old.unlink()
    return path


@dataclass(frozen=True)
class Stored:
    """A checkpoint as it was read, once."""

    path: Path
    bookmark: Bookmark
    arrays: dict[str, np.ndarray]

    def state(self, template: Any, part: str = "") -> Any:
        """The arrays in a state's structure.

        Args:
            template: a pytree of that structure; of its arrays the shapes and types alone matter.
            part: where in the state the template stands: "network" for the network alone.

        Raises:
            InputError: if it was made by another configuration.
        """
        leaves = []
        for name, leaf in _named(template):
            full = f"{part}.{name}" if part else name
            stored = self.arrays.get(full)
            if stored is None or stored.shape != leaf.shape or stored.dtype != leaf.dtype:
                raise InputError(
                    f"{self.path}: {full} is missing or of another shape: not a checkpoint of this configuration"
                )
            leaves.append(jnp.array(stored))
        return jax.tree.unflatten(jax.tree.structure(template), leaves)


def read_checkpoint(path: Path) -> Stored:
    """Read a checkpoint.

    Raises:
        InputError: if the file is damaged, or of another version of mho.
        FileNotFoundError: if there is none.
    """
    arrays = _read(path)
    try:
        given = json.loads(str(arrays.pop("about")))
        if strange := given.keys() - {f.name for f in fields(Bookmark)}:
            raise InputError(f"{min(strange)}: unknown")
        bookmark = Bookmark(**given)
        _check(bookmark)
    except (InputError, AttributeError, TypeError, ValueError, RecursionError) as problem:
        raise InputError(f"{path}: not a checkpoint that this version of mho wrote: {problem}") from problem
    return Stored(path, bookmark, arrays)


def read_bookmark(path: Path) -> Bookmark:
    """The bookmark of a checkpoint; see `read_checkpoint`."""
    return read_checkpoint(path).bookmark


def _check(bookmark: Bookmark) -> None:
    """Refuse what `write_checkpoint` never writes."""
    counts = {name: getattr(bookmark, name) for name in ("epochs_done", "step", "features", "outputs")}
    for name, value in counts.items():
        least = 0 if name in ("epochs_done", "step") else 1
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
            raise ValueError(f"{name} is no count")
    if not isinstance(bookmark.seconds, int | float) or not 0 <= bookmark.seconds < 2**63:
        raise ValueError("seconds is no duration")
    if not isinstance(bookmark.configuration, dict) or not isinstance(bookmark.data, dict):
        raise ValueError("configuration or data is no object")
    if bookmark.data:
        DataForm.from_json(bookmark.data)
    if not isinstance(bookmark.metrics, list) or len(bookmark.metrics) != bookmark.epochs_done:
        raise ValueError("metrics is not a record an epoch")
    for number, record in enumerate(bookmark.metrics, start=1):
        check_record(record, number)


def _named(state: Any) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        content = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}") from problem
    try:
        with np.load(content, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
    except Exception as problem:  # one wrong bit is enough for a file to seem encrypted, or of a format yet to come
        raise InputError(f"{path}: damaged checkpoint; without it a run goes on from the one before") from problem
    if "about" not in stored:
        raise InputError(f"{path}: not a checkpoint: it lacks `about`")
    return stored
