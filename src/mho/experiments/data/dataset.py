"""The record of samples that every experiment trains on and is tested on."""

from dataclasses import dataclass, replace

import numpy as np

from mho.errors import InputError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples to learn from and samples to be judged by.

    Attributes:
        name: the data set's name, as `load_dataset` takes it.
        train_inputs: the training samples, shape (samples, features); an image is flattened row by row to its
            pixels.
        train_targets: for a classification the labels 0 … classes − 1, int32, shape (samples,);
            for a regression the values to predict, float64, shape (samples, outputs).
        test_inputs: the samples kept from training, shape (samples, features).
        test_targets: their targets, in the form of `train_targets`.
        classes: the number of classes, or None for a regression.
        scale: what an input is to be multiplied by. Images stay uint8 in memory, an eighth of float64's
            bytes, and are scaled a batch at a time: by 1/255 for 8-bit pixels.

    Raises:
        InputError: the arrays do not fit together.

    """

    name: str
    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    classes: int | None
    scale: float

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
