"""The record of samples that every experiment trains on and is tested on."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.experiments.data.arrays import array_samples
from mho.experiments.data.form import DataForm
from mho.experiments.data.samples import Samples, class_names, encoded, in_bytes
from mho.experiments.data.scaling import UNSCALED, Scaling, scaled
from mho.experiments.data_fields import InputScaling, Task

_TEST_SHARE = 0.2
_WHOLE = 20
"""Samples below which a set is not split unless that is asked for."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples to learn from and samples to be judged by.

    `Dataset.from_arrays` and `Dataset.from_file` make one of the user's own data.

    Attributes:
        name: the data set's name, as `load_dataset` takes it, or its file.
        train_inputs: the training samples, shape (samples, features); an image is flattened to its pixels, plane by
            plane, a plane a channel, and each row by row.
        train_targets: for a classification the labels 0 … classes − 1, int32, shape (samples,);
            for a regression the values to predict, float64, shape (samples, outputs).
        test_inputs: the samples kept from training, shape (samples, features).
        test_targets: their targets, in the form of `train_targets`.
        classes: the number of classes, or None for a regression.
        scale: what an input is to be multiplied by. Images stay uint8 in memory, an eighth of float64's
            bytes, and are scaled a batch at a time: by 1/255 for 8-bit pixels.
        class_names: the names of the classes in the order of their labels; None where these are the names.
        feature_names: the names of the features, None where they have none.
        target_names: the names of what is predicted.
        image_shape: height, width and channels of images.
        input_scaling: what the data's own numbers went through to become `train_inputs` and `test_inputs`.
        target_scaling: the same of a regression's targets.
        sha256: the digest of each file that the samples were read from, by the field that names it.

    Raises:
        InputError: the arrays do not fit together.

    """

    name: str
    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    classes: int | None
    scale: float = 1.0
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    target_names: tuple[str, ...] | None = None
    image_shape: tuple[int, int, int] | None = None
    input_scaling: Scaling = UNSCALED
    target_scaling: Scaling = UNSCALED
    sha256: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            inputs: np.ndarray = getattr(self, f"{part}_inputs")
            targets: np.ndarray = getattr(self, f"{part}_targets")
            if inputs.ndim != 2 or inputs.shape[1] != self.train_inputs.shape[1]:
                raise InputError(
                    f"{self.name}: {part}_inputs has shape {inputs.shape}, expected (samples, features), "
                    "as many features in training as in test"
                )
            if targets.ndim != (2 if self.classes is None else 1) or len(targets) != len(inputs):
                expected = "(samples, outputs)" if self.classes is None else "(samples,)"
                raise InputError(
                    f"{self.name}: {part}_targets has shape {targets.shape}, expected {expected} "
                    f"for {len(inputs)} samples"
                )
            if self.classes is not None and not np.isin(targets, np.arange(self.classes)).all():
                raise InputError(f"{self.name}: {part}_targets has labels outside 0 … {self.classes - 1}")

    @property
    def tests_what_it_trains(self) -> bool:
        """Whether the test set is the training set, as in tasks of a few samples that are all there are."""
        pairs = ((self.test_inputs, self.train_inputs), (self.test_targets, self.train_targets))
        return all(one is other or np.array_equal(one, other) for one, other in pairs)

    @property
    def form(self) -> DataForm:
        """All but the samples: what it takes to read others like them."""
        shared = {f.name: getattr(self, f.name) for f in dataclasses.fields(DataForm) if hasattr(self, f.name)}
        return DataForm(
            **shared,
            features=self.train_inputs.shape[1],
            outputs=self.train_targets.shape[1] if self.classes is None else self.classes,
        )

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any,
        *,
        test: tuple[Any, Any] | None = None,
        test_share: float | None = None,
        seed: int = 0,
        task: Task | None = None,
        input_scaling: InputScaling | Sequence[float] = "none",
        input_offset: Sequence[float] = (),
        name: str = "arrays",
    ) -> "Dataset":
        """A data set of arrays: NumPy's, JAX's, pandas' (frames, whose columns' names are kept, and series) or lists.

        Args:
            x: inputs, (samples, features); or images, (samples, height, width) or (samples, height, width, channels).
            y: what is to be predicted, (samples,) or (samples, outputs). Text is of classes, and so are whole numbers of few
                values; else it is a regression.
            test: inputs and targets to test on; a share of the samples is kept for the test if None.
            test_share: that share; 0 tests on the training samples. If None 0.2, or 0 for fewer than 20 samples.
            seed: draws it, in a classification in the proportions of the classes.
            task: what to learn, where `y` does not tell.
            input_scaling: "none", "standard", "range" or factors; see `mho.experiments.data.scaling.scaled`.
            input_offset: what is subtracted before inputs are multiplied by factors.
            name: what errors call the data.

        Raises:
            InputError: if shapes do not fit, a value is not finite, there is nothing to learn, or a class of the test is not
                among those of the training.
        """
        held = None if test is None else array_samples(*test, f"{name}, test")
        made = dataset_of(array_samples(x, y, name), held, name=name, test_share=test_share, seed=seed, task=task)
        return scaled(made, input_scaling, input_offset)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        target: str | Sequence[str] = (),
        test: str | Path | None = None,
        test_share: float | None = None,
        seed: int = 0,
        task: Task | None = None,
        input_scaling: InputScaling | Sequence[float] = "none",
        input_offset: Sequence[float] = (),
    ) -> "Dataset":
        """A data set of a file: FILE.csv, FILE.npz, or a folder with a subfolder of pictures for each class.

        Args:
            path: the file. A table may have a header, and commas, semicolons or tabs. An archive has arrays `x` and `y`, as
                in `from_arrays`, or `train_x`, `train_y`, `test_x` and `test_y`.
            target: the columns of a table that are to be predicted, by name or, without a header, by number from 1; the last
                if there is none.
            test: the file to test on, with the same columns.
            test_share: see `from_arrays`.
            seed: see `from_arrays`.
            task: see `from_arrays`.
            input_scaling: see `from_arrays`.
            input_offset: see `from_arrays`.

        Raises:
            InputError: if a file cannot be read, or its samples are none to learn from; it names file and line.
        """
        from mho.experiments.data.files import digest, read_samples

        read = read_samples(Path(path), [target] if isinstance(target, str) else list(target))
        held, digests = read.test, {"dataset": digest(Path(path))}
        if test is not None:
            if held is not None:
                raise InputError(f"--test-dataset {test}: {path} has arrays to test on already")
            other = read_samples(Path(test), read.train.target_names or (), like=read.train)
            held, digests["test_dataset"] = other.train, digest(Path(test))
        if held is not None and test_share is not None:
            raise InputError(f"--test-share {test_share}: {path} has arrays to test on")
        made = dataset_of(read.train, held, name=str(path), test_share=test_share, seed=seed, task=task)
        return scaled(replace(made, sha256=digests), input_scaling, input_offset)


def dataset_of(
    train: Samples, test: Samples | None, *, name: str, test_share: float | None, seed: int, task: Task | None
) -> Dataset:
    """The data set of samples; see `Dataset.from_arrays`."""
    if train.targets is None or (test is not None and test.targets is None):
        raise InputError(f"{name}: has no targets to learn")
    names = class_names(train, task)
    targets = encoded(train, names)
    made = Dataset(
        name=name,
        train_inputs=train.inputs,
        train_targets=targets,
        test_inputs=train.inputs,
        test_targets=targets,
        classes=None if names is None else len(names),
        scale=train.scale,
        class_names=names,
        feature_names=train.feature_names,
        target_names=train.target_names,
        image_shape=train.image_shape,
        input_scaling=UNSCALED if train.scale == 1.0 else Scaling(unit=(1.0 / in_bytes(train),)),
    )
    if test is not None:
        if test.inputs.shape[1] != train.inputs.shape[1] or test.image_shape != train.image_shape:
            shapes = " and ".join(str(s.image_shape or (s.inputs.shape[1],)) for s in (train, test))
            raise InputError(f"{test.origin}: its samples are of another shape than those to train on: {shapes}")
        if test.scale != train.scale:
            raise InputError(
                f"{test.origin}: pictures of another depth than {train.origin}, or one of them has no pictures"
            )
        kind = np.promote_types(train.inputs.dtype, test.inputs.dtype)
        return replace(
            made,
            train_inputs=train.inputs.astype(kind, copy=False),
            test_inputs=test.inputs.astype(kind, copy=False),
            test_targets=encoded(test, names),
        )
    samples = len(targets)
    share = (_TEST_SHARE if samples >= _WHOLE else 0.0) if test_share is None else test_share
    if not 0 <= share < 1:
        raise InputError(f"--test-share {share}: must be at least 0 and below 1")
    if share == 0:
        return made
    if names is not None:
        rare = int(np.argmin(np.bincount(targets)))
        if np.sum(targets == rare) < 2:
            raise InputError(
                f"{name}: class {names[rare]!r} has one sample, too few to learn it and to test it: name a "
                "--test-dataset, or --test-share 0 to test on the training samples"
            )
    kept, held = split(targets, share, seed, by_class=names is not None)
    return replace(
        made,
        train_inputs=train.inputs[kept],
        train_targets=targets[kept],
        test_inputs=train.inputs[held],
        test_targets=targets[held],
    )


def split(targets: np.ndarray, share: float, seed: int, *, by_class: bool) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the samples to train on and of those to test on, in the proportions of the classes.

    Raises:
        InputError: if there are too few samples for that.
    """
    # scikit-learn takes longer to import than MNIST takes to load.
    from sklearn.model_selection import train_test_split

    try:
        kept, held = train_test_split(
            np.arange(len(targets)), test_size=share, random_state=seed, stratify=targets if by_class else None
        )
    except ValueError as problem:
        raise InputError(
            f"--test-share {share:g}: {len(targets)} samples are too few to learn from and to test on; name a "
            "--test-dataset, or --test-share 0 to test on the training samples"
        ) from problem
    return np.asarray(kept), np.asarray(held)


def split_validation(dataset: Dataset, fraction_or_count: float | int, seed: int) -> Dataset:
    """Take validation samples from the training set, so that tuning never sees the test set.

    Args:
        dataset: the data set to split; it is left as it is.
        fraction_or_count: a float is the share of the training samples to take, above 0 and below 1 (rounded
            to whole samples); an int is their number.
        seed: draws the validation samples, uniformly without replacement; equal seeds draw equal samples.

    Returns:
        The data set whose `test_*` fields hold the validation samples and whose `train_*` fields hold the
        rest, both in the order of the training set.

    Raises:
        InputError: the fraction or count would leave either side without a sample.

    """
    samples = len(dataset.train_inputs)
    if isinstance(fraction_or_count, float):
        if not 0 < fraction_or_count < 1:
            raise InputError(f"validation fraction {fraction_or_count}: expected above 0 and below 1")
        count = round(fraction_or_count * samples)
    else:
        count = fraction_or_count
    if not 1 <= count < samples:
        raise InputError(
            f"{dataset.name}: {count} validation samples of {samples} training samples: "
            f"expected 1 to {samples - 1}, so that both sides have one"
        )
    validation = np.zeros(samples, dtype=bool)
    validation[np.random.default_rng(seed).choice(samples, count, replace=False)] = True
    return replace(
        dataset,
        train_inputs=dataset.train_inputs[~validation],
        train_targets=dataset.train_targets[~validation],
        test_inputs=dataset.train_inputs[validation],
        test_targets=dataset.train_targets[validation],
    )
