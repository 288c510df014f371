"""Folders of pictures: a subfolder for each class, with PNG, PGM, PPM or JPEG files of equal size.

Values are shares of the full scale of the files' format: a byte of 255 is 1.
"""

from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.experiments.data.samples import Samples, flattened

_ENDINGS = (".png", ".pgm", ".ppm", ".jpg", ".jpeg")
_DEPTHS = {"L": 255, "RGB": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}
"""The full scale of each of Pillow's modes."""


def picture_files(folder: Path) -> list[tuple[Path, str | None]]:
    """The files of a folder and their classes, None where they lie in the folder itself; sorted.

    Raises:
        InputError: if there are none, or a file is no picture.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        classes = [path for path in inside if path.is_dir()]
        found: list[tuple[Path, str | None]] = [(path, None) for path in inside if not path.is_dir()]
        for each in classes:
            files = sorted(path for path in each.iterdir() if not path.name.startswith("."))
            if not files:
                raise InputError(f"{each}: has no pictures")
            found += [(path, each.name) for path in files]
    except OSError as problem:
        raise InputError(f"{problem.filename or folder}: cannot be read: {problem.strerror}") from problem
    if not found:
        raise InputError(f"{folder}: has no pictures; expected a subfolder of them for each class")
    for path, _ in found:
        if path.suffix.lower() not in _ENDINGS or not path.is_file():
            raise InputError(f"{path}: is no picture: expected {', '.join(_ENDINGS)}")
    return found


def read_pictures(folder: Path, *, targets: bool = True) -> tuple[Samples, list[Path]]:
    """The pictures of a folder, and their files.

    Args:
        folder: the folder.
        targets: whether there must be classes.

    Raises:
        InputError: if a file is no picture that can be read, sizes differ, or a file lies in no subfolder.
    """
    files = picture_files(folder)
    stray = next((path for path, name in files if name is None), None)
    if targets and stray is not None:
        raise InputError(f"{stray}: lies in no subfolder, and a picture's subfolder is its class")
    images, first = [], None
    for path, _ in files:
        image, depth = _read(path)
        if first is None:
            first = (path, image.shape, depth)
        if (image.shape, depth) != first[1:]:
            raise InputError(f"{path}: {_told(image.shape, depth)}, but {first[0]} has {_told(*first[1:])}")
        images.append(image)
    assert first is not None
    inputs, shape = flattened(np.stack(images))
    samples = Samples(
        origin=str(folder),
        inputs=inputs,
        targets=np.array([[name] for _, name in files], str) if stray is None else None,
        where=lambda row: str(files[row][0]),
        target_names=("class",),
        image_shape=shape,
        scale=1.0 / first[2],
    )
    return samples, [path for path, _ in files]


def _told(shape: tuple[int, ...], depth: int) -> str:
    height, width, channels = (*shape, 1)[:3]
    return f"{height} × {width} pixels of {channels} × {depth.bit_length()} bits"


def _read(path: Path) -> tuple[np.ndarray, int]:
    # Here alone: whoever has no pictures need not wait for it.
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode in ("1", "P") and "transparency" not in picture.info:
                picture = picture.convert("L" if picture.mode == "1" else "RGB")
            mode, image = picture.mode, np.asarray(picture)
    except OSError as problem:
        reason = problem.strerror or "it is damaged, or no picture"
        raise InputError(f"{path}: cannot be read: {reason}") from problem
    except Exception as problem:  # Pillow's decoders raise whatever bytes bring about
        raise InputError(f"{path}: cannot be read as a picture: {type(problem).__name__}") from problem
    if mode not in _DEPTHS:
        raise InputError(f"{path}: is of Pillow's mode {mode}; expected grey values or RGB, without transparency")
    return (image if image.dtype == np.uint8 else image.astype(np.uint16)), _DEPTHS[mode]
