"""Fields of device models as arrays: a value for each element that has one of the models."""

from collections.abc import Callable, Sequence

import numpy as np


def model_fields(models: Sequence[object], model: np.ndarray, missing: float) -> Callable[[str], np.ndarray]:
    """A field of some elements' models by its name, (n,).

    Args:
        models: the models.
        model: which of them each element has, (n,).
        missing: what stands where a model has none.
    """

    def parameter(field: str) -> np.ndarray:
        values = (getattr(m, field) for m in models)
        return np.array([missing if v is None else v for v in values], np.float64)[model]

    return parameter
