"""The data sets that experiments train on, each by its name: `load_dataset`."""

import functools
from collections.abc import Callable
from pathlib import Path

from mho.errors import InputError
from mho.experiments.data import mnist, small
from mho.experiments.data.dataset import Dataset, split_validation

__all__ = ["DATASETS", "Dataset", "load_dataset", "split_validation"]

_PUBLISHED: dict[str, Callable[[str | Path | None], Dataset]] = {
    files.name: functools.partial(mnist.load_images, files) for files in (mnist.MNIST, mnist.FASHION_MNIST)
}
_BUILT_IN: dict[str, Callable[[], Dataset]] = {
    "digits": small.load_digits,
    "iris": small.load_iris,
    "wine": small.load_wine,
    "diabetes": small.load_diabetes,
    "xor": small.load_xor,
    "linear": small.load_linear,
    "allosteric": small.load_allosteric,
}

DATASETS = (*_PUBLISHED, *_BUILT_IN)
"""The names that `load_dataset` knows."""


def load_dataset(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Load a data set, fetching it into the cache first where it must be.

    Args:
        name: one of `DATASETS`.
        data_dir: the folder that holds the files of "mnist" or "fashion-mnist" (see `mnist.load_images`); the
            other sets come with scikit-learn and have no files, so it must be None for them.

    Raises:
        InputError: no data set has that name, or it has no files and a folder is named for them, or a file in
            `data_dir` is missing or not the published one.
        MhoError: no source could be reached, or the cache cannot be read or written.

    """
    if name in _PUBLISHED:
        return _PUBLISHED[name](data_dir)
    if name in _BUILT_IN:
        if data_dir is not None:
            raise InputError(f"--data-dir {data_dir}: the data set {name} comes with scikit-learn and has no files")
        return _BUILT_IN[name]()
    raise InputError(f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}")
