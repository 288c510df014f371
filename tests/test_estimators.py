"""`CircuitClassifier` and `CircuitRegressor` are scikit-learn's kind of estimators, and learn."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import estimator_checks_generator

from mho.estimators import CircuitClassifier, CircuitRegressor

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


def checks() -> list[tuple[Any, Any]]:
    """All checks of a classifier; of a regressor those that a classifier has not, or that look at the targets."""
    classifier, regressor = (kind(hidden=(), epochs=4, batch_size=4) for kind in (CircuitClassifier, CircuitRegressor))
    found = list(estimator_checks_generator(classifier))
    seen = {check.func.__name__ for _, check in found} - {"check_supervised_y_2d", "check_fit2d_1sample"}
    return found + [pair for pair in estimator_checks_generator(regressor) if pair[1].func.__name__ not in seen]


@pytest.mark.parametrize(
    ("estimator", "check"), checks(), ids=lambda x: getattr(getattr(x, "func", None), "__name__", "")
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
