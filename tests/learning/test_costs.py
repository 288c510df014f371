"""Costs: gradients, nudged outputs and SPICE's expressions against the cost itself, for targets of any sum."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.learning import CrossEntropy, SquaredError
from mho.precision import double

COSTS = {"squared": SquaredError(), "gentle": CrossEntropy(0.7), "steep": CrossEntropy(5.0)}
RANDOM = np.random.default_rng(0)
PREDICTION, TARGET = RANDOM.normal(0, 2, (40, 4)), RANDOM.uniform(0, 1.5, (40, 4))


@pytest.mark.parametrize("name", COSTS)
@double
def test_the_gradient_is_the_derivative_as_spice_has_it_too(name: str) -> None:
    cost, p, y = COSTS[name], jnp.asarray(PREDICTION), jnp.asarray(TARGET)
    found = np.asarray(cost.gradient(p, y))
    np.testing.assert_allclose(found, jax.grad(lambda p: cost.value(p, y).sum())(p), rtol=1e-12, atol=1e-12)
    expressions = cost.gradient_expressions([f"p{k}" for k in range(4)], [f"y{k}" for k in range(4)])
    for row, prediction, target in zip(found, PREDICTION, TARGET, strict=True):
        names = {f"p{k}": prediction[k] for k in range(4)} | {f"y{k}": target[k] for k in range(4)}
        values = [eval(text, {"exp": math.exp}, names) for text in expressions]
        np.testing.assert_allclose(values, row, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", COSTS)
@double
def test_nudged_outputs_obey_their_equation_as_far_as_there_is_a_stable_state(name: str) -> None:
    """p + reach ∂C/∂p = free, up to where −reach times the cost's largest curvature is 1."""
    cost = COSTS[name]
    largest = 1.0 if isinstance(cost, SquaredError) else 0.5 * cost.logit_gain**2 * TARGET.sum(1, keepdims=True)  # type: ignore[attr-defined]
    free, target, start = (jnp.asarray(a) for a in (PREDICTION, TARGET, np.zeros_like(PREDICTION)))
    for share in (-0.99, -0.1, 0.0, 1e-3, 1.0, 100.0):
        reach = jnp.asarray(share / largest * np.ones_like(PREDICTION))
        gradient = cost.nudged_gradient(free, reach, target, start)
        there = cost.gradient(free - reach * gradient, target)
        np.testing.assert_allclose(gradient, there, rtol=1e-9, atol=1e-9, equal_nan=False)
    beyond = jnp.asarray(-1.01 / largest * np.ones_like(PREDICTION))
    assert np.isnan(cost.nudged_gradient(free, beyond, target, start)).all()
