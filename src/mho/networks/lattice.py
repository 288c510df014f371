"""Edges of lattices in any number of dimensions."""

import numpy as np


def lattice_edges(sides: tuple[int, ...], *, diagonals: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """First and second node of each edge between neighbours, the nodes numbered from 1 on, the last axis fastest.

    Args:
        sides: nodes along each axis.
        diagonals: whether the nodes across a square's diagonals are neighbours, too, in each plane of two axes.
    """
    number = np.arange(1, np.prod(sides) + 1).reshape(sides)
    axes = range(len(sides) - 1, -1, -1)

    def edges(*steps: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """From every node to that one step on along some axes, in given directions."""
        begin, end = [slice(None)] * len(sides), [slice(None)] * len(sides)
        for axis, sign in steps:
            near, far = slice(None, -1), slice(1, None)
            begin[axis], end[axis] = (near, far) if sign > 0 else (far, near)
        return number[tuple(begin)].ravel(), number[tuple(end)].ravel()

    pairs = [edges((axis, 1)) for axis in axes]
    if diagonals:
        pairs += [edges((a, 1), (b, sign)) for a in axes for b in axes if b < a for sign in (1, -1)]
    first, second = zip(*pairs, strict=True)
    return np.concatenate(first), np.concatenate(second)
