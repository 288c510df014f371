"""Samples from files of the user's own: tables, archives, and folders of pictures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mho.errors import InputError
from mho.experiments.data.archive import read_archive
from mho.experiments.data.arrays import array_samples
from mho.experiments.data.pictures import picture_files, read_pictures
from mho.experiments.data.samples import Samples
from mho.experiments.data.table import read_table, table_samples


@dataclass(frozen=True)
class Read:
    """What a file holds."""

    train: Samples
    test: Samples | None


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as problem:
        reason = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        raise InputError(f"{path}: cannot be read: {reason}") from problem


def digest(path: Path) -> str:
    """The sha256 of a file, or of the names and contents of a folder's pictures.

    Raises:
        InputError: if it cannot be read.
    """
    if not path.is_dir():
        return hashlib.sha256(read_bytes(path)).hexdigest()
    whole = hashlib.sha256()
    for picture, _ in picture_files(path):
        content = read_bytes(picture)
        whole.update(f"{picture.relative_to(path)}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def read_samples(path: Path, target: Sequence[str] = (), *, like: Samples | None = None) -> Read:
    """The samples of a file.

    Args:
        path: the file, or a folder of pictures.
        target: the columns of a table that are to be predicted; the last if empty.
        like: samples of another file, whose columns it must have.

    Raises:
        InputError: if it cannot be read as what its name says.
    """
    if path.is_dir():
        _refuse_targets(path, target, like)
        return Read(read_pictures(path)[0], None)
    content = read_bytes(path)
    if path.suffix.lower() == ".npz":
        _refuse_targets(path, target, like)
        train, test = read_archive(content, str(path))
        held = None if test is None else array_samples(*test, f"{path}: test")
        if held is not None and like is not None:
            raise InputError(f"--test-dataset {path}: has arrays to train on and to test on; expected x and y")
        return Read(array_samples(*train, str(path)), held)
    table = read_table(content, str(path))
    if len(table.names) < 2:
        raise InputError(
            f"{path}: has one column; expected features and a target, with commas, semicolons or tabs between them"
        )
    if like is not None and like.feature_names is not None and table.header:
        wanted = (*like.feature_names, *(like.target_names or ()))
        extra = [name for name in table.names if name not in wanted]
        places = [table.place(name, "--test-dataset: ") for name in wanted]
        if extra:
            raise InputError(f"--test-dataset: {path} has a column {extra[0]!r} that {like.origin} has not")
        count = len(like.feature_names)
        return Read(table_samples(table, places[:count], places[count:]), None)
    targets = [table.place(name, "--target: ") for name in target] or [len(table.names) - 1]
    features = [k for k in range(len(table.names)) if k not in targets]
    if not features:
        raise InputError(f"--target: names all columns of {path}, and leaves none to predict from")
    if like is not None and len(features) != like.inputs.shape[1]:
        raise InputError(
            f"--test-dataset: {path} has {len(features)} features, and {like.origin} has {like.inputs.shape[1]}"
        )
    samples = table_samples(table, features, targets)
    if not table.header and target:
        samples = replace(samples, target_names=tuple(target))
    return Read(samples, None)


def _refuse_targets(path: Path, target: Sequence[str], like: Samples | None) -> None:
    if target and like is None:
        raise InputError(f"--target {' '.join(target)}: names columns of a table, and {path} is none")
