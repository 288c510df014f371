"""The data sets that experiments train on: by name, `load_dataset`, or of the user's own, `Dataset.from_file`."""

import functools
from collections.abc import Callable
from pathlib import Path

from mho.errors import InputError
from mho.experiments.data import mnist, small
from mho.experiments.data.dataset import Dataset, split_validation
from mho.experiments.data.scaling import scaled
from mho.experiments.data_fields import DataFields, is_file
from mho.experiments.own_objects import is_own, own_made

__all__ = ["DATASETS", "Dataset", "configured_data", "load_dataset", "scaled", "split_validation"]

_VALIDATION_SEED = 0
"""Draws the validation samples: the same ones for every seed of the training."""

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
        name: one of `DATASETS`, or the user's own file: see `Dataset.from_file`.
        data_dir: the folder that holds the files of "mnist" or "fashion-mnist" (see `mnist.load_images`); the
            other sets come with scikit-learn and have no files, so it must be None for them.

    Raises:
        InputError: no data set has that name, or it has no files and a folder is named for them, or a file in
            `data_dir` is missing or not the published one.
        MhoError: no source could be reached, or the cache cannot be read or written.

    """
    if name in _PUBLISHED:
        return _PUBLISHED[name](data_dir)
    if is_file(name):
        return Dataset.from_file(name)
    if name in _BUILT_IN:
        if data_dir is not None:
            raise InputError(f"--data-dir {data_dir}: the data set {name} comes with scikit-learn and has no files")
        return _BUILT_IN[name]()
    raise InputError(
        f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}, or FILE.csv, FILE.npz or a folder of pictures"
    )


def configured_data(fields: DataFields) -> Dataset:
    """The data that the fields of a configuration name: read, split and scaled.

    Raises:
        InputError: if they cannot be read or are none to learn from, or the fields do not fit them.
        MhoError: if they cannot be fetched.
    """
    if is_own(fields.dataset):
        dataset = own_made("--dataset", fields.dataset, Dataset)
    elif is_file(fields.dataset):
        dataset = Dataset.from_file(
            fields.dataset,
            target=fields.target,
            test=fields.test_dataset,
            test_share=fields.test_share,
            seed=fields.split_seed,
            task=fields.task,
        )
    else:
        dataset = load_dataset(fields.dataset, fields.data_dir)
    if fields.validation:
        try:
            dataset = split_validation(dataset, fields.validation, _VALIDATION_SEED)
        except InputError as problem:
            raise InputError(f"--validation {fields.validation}: {problem}") from problem
    return scaled(dataset, fields.input_scaling, fields.input_offset)
