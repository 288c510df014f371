"""The methods that sweeps are measured against find the same states."""

import equinox as eqx
import numpy as np
import pytest
from test_mean_field import deep_network

from mho.precision import double
from mho.steady import Sweeps
from mho_benchmarks import rivals


@double
@eqx.filter_jit
def states(network, inputs, settle):
    driven = network.drive(inputs)
    return settle(network, driven, rtol=1e-10, max_steps=1000), Sweeps(1e-10, 1000).solve(network, driven)


@pytest.mark.parametrize("settle", [rivals.anderson, rivals.newton_krylov])
def test_rivals_find_the_states_of_plain_sweeps(settle):
    network = deep_network((20, 32, 16, 24, 5), 1)
    found, plain = states(network, np.random.default_rng(1).normal(size=(8, 20)), settle)
    assert max(found.residual.max(), plain.residual.max()) <= 1e-10
    for a, b in zip(found.voltages, plain.voltages, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7 * abs(b).max())
