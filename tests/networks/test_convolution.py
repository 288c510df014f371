"""Convolutions and pooling against dense crossbars made of their resistors one by one."""

import jax
import numpy as np
import pytest

from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.networks import (
    ConvolutionCrossbar,
    DenseCrossbar,
    MirroredConvolutionCrossbar,
    MirroredCrossbar,
    Planes,
    PoolingCrossbar,
    convolutional_network,
)
from random_circuits import log_uniform

BATCH = 3
OVERLAPPING = Planes(channels=2, height=5, width=4, window=2, stride=1)
STRIDED = Planes(channels=2, height=6, width=5, window=3, stride=2)
POOLING = Planes(channels=3, height=5, width=4, window=2, stride=2)


def resistors(seed: int, planes: Planes, filters: int = 3) -> ProgrammableResistor:
    shape = (filters, planes.channels, planes.window, planes.window)
    return ProgrammableResistor(log_uniform(np.random.default_rng(seed), 1e-4, 1, shape))


def dense(crossbar, kernels):
    """The crossbar's resistors in dense ones, and which of its parameters each of them is."""
    parts = []
    for (row, column, conductance), kernel in zip(crossbar.single_resistors(), kernels, strict=True):
        full = np.zeros(crossbar.shape)
        assert (np.bincount(row * crossbar.shape[1] + column) <= 1).all(), "one resistor between two nodes"
        full[row, column] = conductance
        parts.append(full)
        if kernel is not None:
            assert sorted(set(conductance)) == sorted(np.ravel(kernel))
    return parts


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConvolutionCrossbar(resistors(0, OVERLAPPING), OVERLAPPING),
        lambda: ConvolutionCrossbar(resistors(1, STRIDED, 1), STRIDED),
        lambda: MirroredConvolutionCrossbar(resistors(2, OVERLAPPING), resistors(3, OVERLAPPING), OVERLAPPING),
        lambda: PoolingCrossbar(POOLING, 0.3),
    ],
    ids=["overlapping windows", "strided", "mirrored", "pooling"],
)
def test_a_convolution_is_its_resistors(make):
    with jax.enable_x64(True):
        crossbar = make()
        n, m = crossbar.shape
        rng = np.random.default_rng(9)
        u, du = rng.normal(size=(2, BATCH, n))
        v, dv = rng.normal(size=(2, BATCH, m))
        kernels = [
            r.conductance for r in jax.tree.leaves(crossbar, is_leaf=lambda x: isinstance(x, ProgrammableResistor))
        ]
        parts = dense(crossbar, kernels or [None])
        kind = MirroredCrossbar.joined if crossbar.mirrored else DenseCrossbar
        plain = kind(*[ProgrammableResistor(part) for part in parts])

        close(crossbar.current(u), plain.current(u))
        close(crossbar.reverse_current(v), plain.reverse_current(v))
        close(crossbar.column_conductance(), plain.column_conductance())
        close(crossbar.row_conductance(), plain.row_conductance())
        for found, expected in zip(crossbar.load(u), plain.load(u), strict=True):
            close(found, expected)
        close(crossbar.co_content(u, v), plain.co_content(u, v))
        for found, expected in zip(
            crossbar.largest_branch_current(u, v), plain.largest_branch_current(u, v), strict=True
        ):
            close(found, expected)
        for held in (du, None):
            found = jax.tree.leaves(crossbar.drop_product(u, v, held, dv))
            product = plain.drop_product(u, v, held, dv)
            every = [product.plus, product.minus] if crossbar.mirrored else [product.resistors]
            every = [part.conductance for part in every] if kernels else []
            assert len(found) == len(kernels)
            for ours, theirs, (row, column, conductance), kernel in zip(
                found, every, crossbar.single_resistors(), kernels, strict=bool(kernels)
            ):
                for index, value in np.ndenumerate(kernel):
                    same = conductance == value
                    close(ours[index], np.asarray(theirs)[row[same], column[same]].sum())


def test_a_pooling_node_stands_at_the_mean_of_its_window():
    pool = PoolingCrossbar(POOLING, 0.3)
    images = np.random.default_rng(0).normal(size=(BATCH, 3, 5, 4)).astype(np.float32)
    mean = images[:, :, :4].reshape(BATCH, 3, 2, 2, 2, 2).mean((3, 5))
    found = pool.current(images.reshape(BATCH, -1)) / pool.column_conductance()
    np.testing.assert_allclose(found, mean.reshape(BATCH, -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 6}, "a window of 6 × 6 does not fit 5 × 5 nodes"),
        ({"filters": (2, 2), "window": 4}, "a window of 4 × 4 does not fit 2 × 2 nodes"),
        ({"pooling": 0}, "pooling 0: must be positive"),
        ({"filters": ()}, "one positive number of each is needed"),
        ({"elements": (None,) * 3}, "3 elements for 1 hidden layers"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    settings = {"image": (5, 5), "filters": (2,), "widths": (2,), "key": jax.random.key(0)}
    with pytest.raises(InputError, match=message):
        convolutional_network(**settings | change)


def test_pooling_windows_do_not_overlap():
    with pytest.raises(InputError, match="pooling windows of 2 with stride 1"):
        PoolingCrossbar(OVERLAPPING)
