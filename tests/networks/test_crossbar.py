"""Crossbars against their resistors one by one, and mirrored crossbars against dense ones on [x, −x]."""

import jax
import numpy as np
import pytest

from mho.elements import ProgrammableResistor
from mho.networks import DenseCrossbar, MirroredCrossbar
from random_circuits import log_uniform

N, M = 5, 4


@pytest.fixture(params=[3, 20], ids=["few samples", "many samples"])
def state(request):
    rng = np.random.default_rng(request.param)
    batch = request.param
    arrays = {"u": (batch, N), "v": (batch, M), "du": (batch, N), "dv": (batch, M)}
    with jax.enable_x64(True):
        yield {name: rng.normal(size=shape) for name, shape in arrays.items()}


def resistors(seed: int) -> ProgrammableResistor:
    return ProgrammableResistor(log_uniform(np.random.default_rng(seed), 1e-4, 1, (N, M)))


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-13)


def test_dense_crossbar_is_its_resistors(state):
    u, v, du, dv = (state[k] for k in ("u", "v", "du", "dv"))
    crossbar = DenseCrossbar(resistors(0))
    g = crossbar.resistors.conductance
    drop, change = u[:, :, None] - v[:, None, :], du[:, :, None] - dv[:, None, :]
    close(crossbar.co_content(u, v), 0.5 * (g * drop**2).sum((1, 2)))
    inflow = crossbar.current(u) - crossbar.column_conductance() * v
    close(inflow, (g * drop).sum(1))
    close(crossbar.row_conductance() * u - crossbar.reverse_current(v), (g * drop).sum(2))
    close(crossbar.drop_product(u, v, du, dv).resistors.conductance, (drop * change).sum(0))
    held = (drop * -dv[:, None, :]).sum(0)
    close(crossbar.drop_product(u, v, None, dv).resistors.conductance, held)
    rows, columns = crossbar.largest_branch_current(u, v)
    close(rows, np.abs(g * drop).max(2))
    close(columns, np.abs(g * drop).max(1))


def test_mirrored_crossbar_is_a_dense_one_on_both_signs(state):
    u, v, du, dv = (state[k] for k in ("u", "v", "du", "dv"))
    plus, minus = resistors(1), resistors(2)
    mirrored = MirroredCrossbar.joined(plus, minus)
    dense = DenseCrossbar(ProgrammableResistor(np.concatenate([plus.conductance, minus.conductance])))
    both, change = np.concatenate([u, -u], 1), np.concatenate([du, -du], 1)
    for found, expected in zip(mirrored.load(u), dense.load(both), strict=True):
        close(found, expected)
    close(mirrored.current(u), dense.current(both))
    close(mirrored.column_conductance(), dense.column_conductance())
    close(mirrored.row_conductance(), np.asarray(dense.row_conductance()).reshape(2, N).sum(0))
    close(mirrored.reverse_current(v), np.asarray(dense.reverse_current(v)).reshape(-1, 2, N).sum(1))
    close(mirrored.co_content(u, v), dense.co_content(both, v))
    for given, mirrored_given in ((None, None), (change, du)):
        product = mirrored.drop_product(u, v, mirrored_given, dv)
        expected = np.asarray(dense.drop_product(both, v, given, dv).resistors.conductance)
        close(np.concatenate([product.plus.conductance, product.minus.conductance]), expected)
    rows, columns = mirrored.largest_branch_current(u, v)
    dense_rows, dense_columns = dense.largest_branch_current(both, v)
    close(rows, np.asarray(dense_rows).reshape(-1, 2, N).max(1))
    close(columns, dense_columns)
