"""The form of a data set: all of it but its samples, kept with a run so that new samples can be read as it was trained."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.experiments.data.scaling import Scaling


@dataclass(frozen=True)
class DataForm:
    """What the fields of a `mho.experiments.data.Dataset` say, without its arrays."""

    name: str
    features: int
    outputs: int
    """Classes, or values to predict."""
    classes: int | None
    scale: float
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    target_names: tuple[str, ...] | None
    image_shape: tuple[int, int, int] | None
    input_scaling: Scaling
    target_scaling: Scaling
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes; in a regression of what is predicted."""
        if self.classes is not None:
            return self.class_names or tuple(map(str, range(self.classes)))
        if self.target_names is not None:
            return self.target_names
        return ("target",) if self.outputs == 1 else tuple(f"target{k}" for k in range(self.outputs))

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """What a network sees of the data's own numbers, (samples, features), in float64."""
        return np.asarray(self.input_scaling.apply(np.asarray(values, np.float64)) * self.scale)

    def told(self, prediction: np.ndarray, unit: float = 1.0) -> np.ndarray:
        """Predictions in the data's own terms: the classes' names, (samples,), or values, (samples, outputs).

        Args:
            prediction: in volts, (samples, outputs); of two classes one output may do, which is high for the second.
            unit: volts that stand for a target of 1.
        """
        if self.classes is None:
            return self.target_scaling.undo(prediction / unit)
        if prediction.shape[1] == 1:
            return np.array(self.labels)[(prediction[:, 0] > 0.5 * unit).astype(int)]
        return np.array(self.labels)[np.argmax(prediction, -1)]

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> "DataForm":
        """What `to_json` wrote.

        Raises:
            InputError: if it is something else.
        """
        try:
            given: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
            }
            for name in ("input_scaling", "target_scaling"):
                given[name] = Scaling(*(tuple(map(float, given[name][part])) for part in ("offset", "unit")))
            return cls(**given)
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise InputError(f"data is no form of a data set: {problem}") from problem
