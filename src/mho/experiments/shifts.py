"""Shifts of images on the fly: each time a sample is trained on, it stands some pixels elsewhere."""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array, lax

from mho.errors import InputError
from mho.experiments.data import Dataset

_DRAWN = 2**32 - 1
"""Folded into an epoch's key: no step has this number."""


@dataclass(frozen=True)
class Shifts:
    """Shifts by up to so many pixels each way, all equally likely; the border's pixels fill what becomes free."""

    pixels: int
    image: tuple[int, int, int]
    """Height, width and channels."""

    def drawn(self, key: Array, count: int) -> Array:
        """Where in padded images so many samples begin, row and column, (count, 2)."""
        return jax.random.randint(jax.random.fold_in(key, _DRAWN), (count, 2), 0, 2 * self.pixels + 1)

    def padded(self, images: np.ndarray) -> np.ndarray:
        """Images (samples, features) with so many pixels around them, flat again: what `taken` takes from."""
        planes = images.reshape(-1, *self._planes(0))
        wide = [(0, 0), (0, 0), (self.pixels, self.pixels), (self.pixels, self.pixels)]
        return np.pad(planes, wide, mode="edge").reshape(len(images), -1)

    def taken(self, padded: Array, index: Array, moves: Array) -> Array:
        """The images at an index, shifted by `moves`, (batch, 2): (batch, features)."""
        planes, shape = padded.reshape(-1, *self._planes(self.pixels)), self._planes(0)

        def one(place: Array, move: Array) -> Array:
            return lax.dynamic_slice(planes, (place, 0, move[0], move[1]), (1, *shape))

        return jax.vmap(one)(index, moves).reshape(len(index), -1)

    def _planes(self, edge: int) -> tuple[int, int, int]:
        height, width, channels = self.image
        return channels, height + 2 * edge, width + 2 * edge


def configured_shifts(pixels: int, data: Dataset) -> Shifts | None:
    """Shifts of a data set's images; None for none.

    Raises:
        InputError: if it has no images, or they are smaller.
    """
    if not pixels:
        return None
    image = data.image_shape
    if image is None:
        raise InputError(f"--shift {pixels}: {data.name} has no images")
    if pixels >= min(image[:2]):
        raise InputError(f"--shift {pixels}: images of {data.name} are {image[0]} by {image[1]} pixels")
    return Shifts(pixels, image)
