"""`CircuitClassifier` and `CircuitRegressor` are scikit-learn's kind of estimators, and learn."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from mho.estimators import CircuitClassifier, CircuitRegressor


@pytest.fixture
def compiled_in_haste() -> Iterator[None]:
    """The checks fit a hundred times, and each shape of data is compiled anew."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("compiled_in_haste")
@parametrize_with_checks(
    [CircuitClassifier(hidden=(), epochs=4, batch_size=4), CircuitRegressor(hidden=(), epochs=4, batch_size=4)]
)
def test_they_are_estimators_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_they_learn_as_they_come(load: Any) -> None:
    samples, labels = load(return_X_y=True)
    x, test_x, y, test_y = train_test_split(samples, labels, random_state=0, stratify=labels)
    names = np.array([f"class {k}" for k in range(10)])
    classifier = CircuitClassifier().fit(x, names[y])
    assert classifier.score(test_x, names[test_y]) > 0.93
    np.testing.assert_allclose(classifier.predict_proba(test_x).sum(1), 1.0)
