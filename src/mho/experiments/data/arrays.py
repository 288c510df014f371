"""Samples in arrays of the user's own: NumPy's, JAX's, pandas' or lists."""

from typing import Any

import numpy as np

from mho.errors import InputError
from mho.experiments.data.samples import Samples, flattened, refuse_not_finite


def array_samples(x: Any, y: Any, origin: str = "x and y") -> Samples:
    """The samples of arrays.

    Args:
        x: inputs, (samples, features); or images, (samples, height, width) or (samples, height, width, channels).
        y: targets, (samples,) or (samples, outputs), numbers or text; None for none.
        origin: what errors call them.

    Raises:
        InputError: if they are not of these shapes, not of equal length, empty, or hold what is no finite number.
    """
    names, inputs = _names(x), _numbers(x, f"{origin}: x")
    if inputs.ndim not in (2, 3, 4):
        raise InputError(
            f"{origin}: x has shape {inputs.shape}: expected (samples, features), or images, (samples, height, width) or "
            "(samples, height, width, channels)"
        )
    if 0 in inputs.shape:
        raise InputError(f"{origin}: x has shape {inputs.shape}: there are no samples, or nothing in them")
    shape = None
    if inputs.ndim > 2:
        inputs, shape = flattened(inputs)
    targets = None if y is None else _targets(y, f"{origin}: y")
    if targets is not None and len(targets) != len(inputs):
        raise InputError(f"{origin}: {len(inputs)} samples in x and {len(targets)} in y")
    samples = Samples(
        origin=origin,
        inputs=inputs,
        targets=targets,
        where=lambda row: f"{origin}: sample {row}",
        feature_names=names,
        target_names=_names(y),
        image_shape=shape,
    )
    refuse_not_finite(samples)
    return samples


def _names(values: Any) -> tuple[str, ...] | None:
    """The columns' names of what is like pandas' DataFrame or, with a name, its Series."""
    columns = getattr(values, "columns", None)
    if columns is not None:
        return tuple(map(str, columns))
    name = getattr(values, "name", None) if hasattr(values, "to_numpy") else None
    return None if name is None else (str(name),)


def _array(values: Any, what: str) -> np.ndarray:
    if hasattr(values, "toarray"):
        raise InputError(f"{what} is sparse: give a dense array")
    try:
        return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    except ValueError as problem:
        raise InputError(f"{what} is no array: its rows are of different lengths") from problem


def _numbers(values: Any, what: str) -> np.ndarray:
    array = _array(values, what)
    if array.dtype.kind == "f":
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "OUS":
        names = _names(values)
        for k, column in enumerate(array.T if array.ndim == 2 else [array]):
            try:
                np.asarray(column, np.float64)
            except (TypeError, ValueError) as problem:
                called = f"column {names[k]!r}" if names else f"column {k}"
                raise InputError(f"{what} has text or other objects in {called}; inputs are numbers") from problem
    if array.dtype.kind == "c":
        raise InputError(f"{what} has complex numbers; inputs are real")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise InputError(f"{what} is of type {array.dtype}; inputs are numbers") from problem


def _targets(values: Any, what: str) -> np.ndarray:
    # NumPy would make text of the numbers beside it.
    array = _array(np.array(values, object) if isinstance(values, list | tuple) else values, what)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"{what} has shape {array.shape}: expected (samples,) or (samples, outputs)")
    kind = array.dtype.kind
    if kind in "fiu":
        return array.astype(np.float64)
    if kind == "S":
        return np.char.decode(array, "utf-8")
    if kind == "O" and not any(isinstance(value, str | bool | np.bool_) for value in array.flat):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as problem:
            raise InputError(f"{what} has objects that are neither numbers nor text") from problem
    if kind == "O" and not all(isinstance(value, str | bool | np.bool_) for value in array.flat):
        raise InputError(f"{what} has text and other things: targets are text throughout, or numbers")
    if kind in "OUb":
        return array.astype(str)
    raise InputError(f"{what} is of type {array.dtype}; targets are numbers or text")
