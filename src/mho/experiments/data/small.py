"""Small data sets that need no download: scikit-learn's digits, iris, wine and diabetes, and three by formula.

Scikit-learn's are split once and for all: a fifth of the samples, drawn with seed 0 and, in a classification, in
the proportions of the classes, is the test set. Features in physical units (iris, wine, diabetes) and the
diabetes targets are standardised: the training set's mean is subtracted and the result divided by the
training set's standard deviation.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from mho.experiments.data.dataset import Dataset, split
from mho.experiments.data.scaling import Scaling

_TEST_SHARE = 0.2
_SPLIT_SEED = 0

# scikit-learn is imported where it is used: it takes longer to import than MNIST takes to load.


def load_digits() -> Dataset:
    """Handwritten digits of 8 × 8 pixels, 0 … 16 each (uint8, scale 1/16); 1797 samples, 10 classes.

    Source: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998.
    """
    from sklearn import datasets

    digits = _split("digits", datasets.load_digits(return_X_y=True), classes=10, scale=1 / 16)
    return replace(
        digits,
        train_inputs=digits.train_inputs.astype(np.uint8),
        test_inputs=digits.test_inputs.astype(np.uint8),
        image_shape=(8, 8, 1),
    )


def load_iris() -> Dataset:
    """Fisher's iris flowers: 4 standardised lengths, 150 samples, 3 classes.

    Source: R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936.
    """
    from sklearn import datasets

    return _standardise(_split("iris", datasets.load_iris(return_X_y=True), classes=3))


def load_wine() -> Dataset:
    """Chemical analyses of wines of three growers: 13 standardised features, 178 samples, 3 classes.

    Source: S. Aeberhard and M. Forina, "Wine", UCI repository, 1991.
    """
    from sklearn import datasets

    return _standardise(_split("wine", datasets.load_wine(return_X_y=True), classes=3))


def load_diabetes() -> Dataset:
    """A year's progression of diabetes: 10 standardised features, 442 samples, one value to predict.

    A constant prediction of the mean therefore has a mean squared error of about 1.

    Source: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least angle regression", 2004.
    """
    from sklearn import datasets

    return _standardise(_split("diabetes", datasets.load_diabetes(return_X_y=True, scaled=False), classes=None))


def load_xor() -> Dataset:
    """The four rows of the exclusive or of two inputs, −1 for false, +1 for true.

    They are the training set and the test set alike.

    The label does not change when both inputs change sign, so a circuit that is odd in its inputs (driven by
    ±x sources, its elements symmetric) needs a bias input to learn it.
    """
    inputs = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    labels = np.array([0, 1, 1, 0], dtype=np.int32)
    return Dataset("xor", inputs, labels, inputs, labels, classes=2, scale=1.0)


def load_linear() -> Dataset:
    """The function y = 0.15 x₁ + 0.35 x₂ + 0.1 of inputs uniform in ±1: 40 samples to learn from, 20 to be judged by.

    The coefficients are positive and their sum is below 1, so that a passive circuit, whose voltages are weighted means
    of its sources', can learn them.
    """
    inputs = np.random.default_rng(_SPLIT_SEED).uniform(-1, 1, (60, 2))
    targets = inputs @ np.array([[0.15], [0.35]]) + 0.1
    return Dataset("linear", inputs[:40], targets[:40], inputs[40:], targets[40:], classes=None, scale=1.0)


def load_allosteric() -> Dataset:
    """An allosteric response: the one input 1 is to call forth 0.3, 0.5 and 0.7 at three outputs far from it.

    The one sample is the training set and the test set alike.
    """
    inputs, targets = np.array([[1.0]]), np.array([[0.3, 0.5, 0.7]])
    return Dataset("allosteric", inputs, targets, inputs, targets, classes=None, scale=1.0)


def _split(name: str, samples: Any, classes: int | None, scale: float = 1.0) -> Dataset:
    """Split scikit-learn's pair of inputs and targets into a training and a test set."""
    inputs, targets = map(np.asarray, samples)
    targets = targets.reshape(-1, 1) if classes is None else targets.astype(np.int32)
    train, test = split(targets, _TEST_SHARE, _SPLIT_SEED, by_class=classes is not None)
    return Dataset(name, inputs[train], targets[train], inputs[test], targets[test], classes, scale)


def _standardise(dataset: Dataset) -> Dataset:
    """Standardise the inputs, and a regression's targets, by the training set's mean and deviation."""
    standardised: dict[str, Any] = {}
    for part in ["inputs"] if dataset.classes is not None else ["inputs", "targets"]:
        train, test = getattr(dataset, f"train_{part}"), getattr(dataset, f"test_{part}")
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        standardised[f"train_{part}"] = (train - mean) / deviation
        standardised[f"test_{part}"] = (test - mean) / deviation
        standardised[f"{part[:-1]}_scaling"] = Scaling(tuple(mean.tolist()), tuple(deviation.tolist()))
    return replace(dataset, **standardised)
