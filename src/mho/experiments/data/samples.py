"""Samples as they are read or given, before it is known what is to be learned of them; and their targets' classes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mho.errors import InputError
from mho.experiments.data_fields import Task

_FEW = 20
"""Values that whole numbers have at the most where they are classes."""


@dataclass(frozen=True)
class Samples:
    """Inputs and, where they are known, what is to be predicted."""

    origin: str
    """Their file, or what else they are called in errors."""
    inputs: np.ndarray
    """Shape (samples, features)."""
    targets: np.ndarray | None
    """Shape (samples, outputs): float64, or text."""
    where: Callable[[int], str]
    """Tells the place of a sample by its number: file and line."""
    feature_names: tuple[str, ...] | None = None
    target_names: tuple[str, ...] | None = None
    image_shape: tuple[int, int, int] | None = None
    scale: float = 1.0
    """What inputs are to be multiplied by; below 1 for pictures alone, whose full scale is 1 then."""

    @property
    def target_name(self) -> str:
        """What errors call the targets."""
        names = self.target_names
        return f"{self.origin}: target {' '.join(names)!r}" if names else f"{self.origin}: the target"


def in_bytes(samples: Samples) -> float:
    """What pictures' values are to be multiplied by so that the full scale is 255, whatever their files' depth."""
    return 255.0 * samples.scale


def flattened(images: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Images of shape (samples, height, width) or (samples, height, width, channels) as rows, and their (height, width,
    channels): plane by plane, a plane a channel, each row by row.
    """
    planes = images[..., None] if images.ndim == 3 else images
    height, width, channels = planes.shape[1:]
    return planes.transpose(0, 3, 1, 2).reshape(len(planes), -1), (height, width, channels)


def class_names(samples: Samples, task: Task | None) -> tuple[str, ...] | None:
    """The names of the classes that targets tell, in order; None where they are a regression's values.

    Text is of classes, and so are whole numbers, if they have 20 values at the most and half as many as there are samples,
    unless `task` says what they are.

    Raises:
        InputError: if there is nothing to learn of them: one class, or one value, alone; or the task is another.
    """
    targets = samples.targets
    assert targets is not None
    text = targets.dtype.kind not in "fiu"
    if targets.shape[1] != 1 or task == "regression" or not (text or task or _few(targets[:, 0])):
        if text:
            raise InputError(f"{samples.target_name} has text, {str(targets.flat[0])!r}: a regression wants numbers")
        if task == "classification":
            raise InputError(f"{samples.target_name}: several targets are a regression's; a classification has one")
        for k, name in enumerate(samples.target_names or map(str, range(targets.shape[1]))):
            if np.ptp(targets[:, k]) == 0:
                raise InputError(f"{samples.origin}: target {name!r} is {targets[0, k]:g} everywhere: nothing to learn")
        return None
    if not text and not np.all(targets == np.round(targets)):
        at = int(np.argmin(targets[:, 0] == np.round(targets[:, 0])))
        raise InputError(f"{samples.where(at)}: target {targets[at, 0]:g}: classes are text or whole numbers")
    known = np.unique(targets[:, 0])
    if len(known) < 2:
        raise InputError(f"{samples.target_name} has one class, {_named(known[0])}; at least two are needed")
    if len(known) == len(targets) > 2:
        raise InputError(f"{samples.target_name}: every sample has a class of its own; is it the column to predict?")
    return tuple(_named(value) for value in known)


def _few(values: np.ndarray) -> bool:
    known = np.unique(values)
    return len(known) <= min(_FEW, max(2, len(values) // 2)) and bool(np.all(known == np.round(known)))


def _named(value: object) -> str:
    return str(value) if isinstance(value, str) else f"{int(value)}"  # type: ignore[call-overload]


def encoded(samples: Samples, names: tuple[str, ...] | None) -> np.ndarray:
    """Targets as training takes them: labels, int32, (samples,), or values, float64, (samples, outputs).

    Raises:
        InputError: for a class that is not among the names, or text in a regression.
    """
    targets = samples.targets
    assert targets is not None
    text = targets.dtype.kind not in "fiu"
    if names is None:
        if text:
            raise InputError(f"{samples.target_name} has text, {str(targets.flat[0])!r}: a regression wants numbers")
        return np.asarray(targets, np.float64)
    if targets.shape[1] != 1:
        raise InputError(f"{samples.target_name}: {targets.shape[1]} targets; a classification has one")
    label = {name: number for number, name in enumerate(names)}
    labels = np.zeros(len(targets), np.int32)
    for value in np.unique(targets[:, 0]):
        here = targets[:, 0] == value
        name = str(value) if text or value != round(value) else _named(value)
        if name not in label:
            known = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            raise InputError(f"{samples.where(int(np.argmax(here)))}: class {name!r} is not among those known: {known}")
        labels[here] = label[name]
    return labels


def refuse_not_finite(samples: Samples) -> None:
    """Refuse NaN and infinity.

    Raises:
        InputError: it names the place.
    """
    for what, values, names in (
        ("input", samples.inputs, samples.feature_names),
        ("target", samples.targets, samples.target_names),
    ):
        if values is None or values.dtype.kind != "f":
            continue
        finite = np.isfinite(values)
        if not finite.all():
            row, column = (int(k) for k in np.argwhere(~finite)[0])
            called = f"column {names[column]!r}" if names else f"{what} {column}"
            raise InputError(f"{samples.where(row)}: {called} is {values[row, column]}: numbers must be finite")
