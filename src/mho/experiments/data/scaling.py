"""How the numbers of the data become the numbers that a network sees, and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mho.errors import InputError
from mho.experiments.data_fields import InputScaling, check_scaling

if TYPE_CHECKING:
    from mho.experiments.data.dataset import Dataset

_LARGEST = 1e18
"""What inputs must be below, so that their squares are numbers of float32."""


@dataclass(frozen=True)
class Scaling:
    """(x − offset) / unit: a number for each column, or one for all of them."""

    offset: tuple[float, ...] = (0.0,)
    unit: tuple[float, ...] = (1.0,)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the data, (samples, columns), as a network sees them."""
        return values if self == UNSCALED else (values - np.array(self.offset)) / np.array(self.unit)

    def undo(self, values: np.ndarray) -> np.ndarray:
        """The opposite of `apply`."""
        return values if self == UNSCALED else values * np.array(self.unit) + np.array(self.offset)

    def then(self, offset: np.ndarray, unit: np.ndarray) -> "Scaling":
        """What it is to apply this and then another."""
        first_offset, first_unit = np.array(self.offset), np.array(self.unit)
        both = first_offset + first_unit * offset, first_unit * unit
        return Scaling(*(tuple(np.ravel(part).tolist()) for part in both))


UNSCALED = Scaling()


def scaled(
    dataset: "Dataset", scaling: InputScaling | Sequence[float] = "none", offset: Sequence[float] = ()
) -> "Dataset":
    """A data set whose inputs are scaled, and with "standard" and "range" a regression's targets, too.

    What is learnt is learnt from the training samples: for each column of a table by itself, for images one number for all
    pixels. A column that never changes is not divided.

    Args:
        dataset: the data set; it is left as it is.
        scaling: "none"; "standard" for mean 0 and standard deviation 1; "range" for 0 to 1; or factors, one for all
            features or one for each.
        offset: what is subtracted before they are multiplied by factors.

    Raises:
        InputError: if the numbers are not one for all or one for each feature, or an input is too large for float32.
    """
    factors = scaling if isinstance(scaling, str) else tuple(map(float, scaling))
    check_scaling(factors, tuple(offset))
    inputs = dataset.train_inputs
    if isinstance(factors, str) and factors != "none":
        dataset = _replaced(dataset, *_learnt(inputs, factors, dataset.image_shape is not None, dataset.scale))
        if dataset.classes is None:
            dataset = _targets_replaced(dataset, *_learnt(dataset.train_targets, factors, False, 1.0))
    elif not isinstance(factors, str) or offset:
        given = {"--input-scaling": (1.0,) if isinstance(factors, str) else factors, "--input-offset": offset or (0.0,)}
        for name, numbers in given.items():
            if len(numbers) not in (1, inputs.shape[1]):
                raise InputError(
                    f"{name}: {len(numbers)} numbers, and {dataset.name} has {inputs.shape[1]} features: expected one, or "
                    "one for each"
                )
        units = 1.0 / np.array(given["--input-scaling"])
        dataset = _replaced(dataset, np.array(given["--input-offset"], float), units)
    _refuse_huge(dataset)
    return dataset


def _learnt(values: np.ndarray, scaling: str, alike: bool, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Offset and unit by which training values, times `scale`, are to be scaled."""
    axis = None if alike else 0
    least, most = (np.atleast_1d(extreme(values, axis=axis)) * scale for extreme in (np.min, np.max))
    same = least == most
    if scaling == "range":
        return least, np.where(same, 1.0, most - least)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.atleast_1d(np.mean(values, axis=axis, dtype=np.float64)) * scale
        deviation = np.atleast_1d(np.std(values, axis=axis, dtype=np.float64)) * scale
    return np.where(same, least, mean), np.where(same, 1.0, deviation)


def _replaced(dataset: "Dataset", offset: np.ndarray, unit: np.ndarray) -> "Dataset":
    if not offset.any() and unit.size == 1:
        # Images stay bytes in memory.
        return replace(dataset, scale=dataset.scale / float(unit[0]))
    scale = dataset.scale
    # Half the memory for images, which are many numbers.
    kept = np.float32 if dataset.image_shape and dataset.train_inputs.dtype != np.float64 else np.float64

    def moved(values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return ((values * scale - offset) / unit).astype(kept)

    return replace(
        dataset,
        train_inputs=(train := moved(dataset.train_inputs)),
        test_inputs=train if dataset.test_inputs is dataset.train_inputs else moved(dataset.test_inputs),
        scale=1.0,
        input_scaling=dataset.input_scaling.then(offset / scale, unit / scale),
    )


def _targets_replaced(dataset: "Dataset", offset: np.ndarray, unit: np.ndarray) -> "Dataset":
    train, test = ((values - offset) / unit for values in (dataset.train_targets, dataset.test_targets))
    return replace(
        dataset,
        train_targets=train,
        test_targets=train if dataset.test_targets is dataset.train_targets else test,
        target_scaling=dataset.target_scaling.then(offset, unit),
    )


def _refuse_huge(dataset: "Dataset") -> None:
    for values in (dataset.train_inputs, dataset.test_inputs):
        if values.dtype != np.uint8 and values.size:
            largest = np.max(np.maximum(values.max(0), -values.min(0)) * abs(dataset.scale))
            if not largest <= _LARGEST:
                raise InputError(
                    f"{dataset.name}: an input of {largest:g}: too large for float32; see --input-scaling standard"
                )
