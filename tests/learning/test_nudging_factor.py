"""The limit of the nudging factor is where E − βC loses its minimum, and a factor is chosen by the network's response."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho import CrossEntropy, EquilibriumPropagation, ImplicitGradient, Readout, SquaredError, layered_network
from mho.elements import IdealDiode
from mho.learning import suited_beta
from mho.networks import LayeredNetwork

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


def network(seed: int, paired: bool, hidden: int | None = None, equal: bool = False) -> LayeredNetwork:
    widths, elements = (3, 2), ()
    if hidden:
        widths, elements = (3, hidden, 2), (IdealDiode(jnp.where(jnp.arange(hidden) < hidden // 2, 1.0, -1.0)),)
    made = layered_network(widths, jax.random.key(seed), elements=elements, paired_outputs=paired, input_gain=10.0)
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.3), made) if equal else made


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("cost", [SquaredError(), CrossEntropy(3.0)], ids=["squared", "cross-entropy"])
def test_at_the_limit_the_energy_less_the_cost_loses_its_minimum(
    cost: SquaredError | CrossEntropy, paired: bool
) -> None:
    made = network(0, paired, equal=True)
    rule = EquilibriumPropagation(cost, beta=1.0)
    share = rule.share(made)
    assert share is not None
    inputs, targets = jnp.zeros((1, 3)), jnp.asarray([[1.0, 0.0]])
    drive, outputs = made.drive(inputs), jnp.zeros((1, 4 if paired else 2))

    @jax.jit
    def curvature(beta: float) -> jax.Array:
        """At equal outputs, where the cross-entropy's is largest."""

        def nudged(v: jax.Array) -> jax.Array:
            v = v[None]
            return made.energy(drive, (v,))[0] - beta * cost.value(made.prediction((v,)), targets)[0]

        return jax.hessian(nudged)(outputs[0])

    def stiffness(beta: float) -> float:
        return float(np.linalg.eigvalsh(np.asarray(curvature(beta), np.float64))[0])

    limit = 1.0 / float(share)
    assert stiffness(0.99 * limit) > 0 > stiffness(1.01 * limit)
    residual = jax.jit(lambda b: dataclasses.replace(rule, beta=b).gradient(made, inputs, targets).residual)
    found = [residual(b * limit) for b in (0.9, 1.01)]
    assert np.isfinite(found[0]) and not np.isfinite(found[1])


def test_where_there_is_no_limit() -> None:
    for change in ({"variant": "positive"}, {"nudging": "held"}):
        assert EquilibriumPropagation(**change).share(network(0, False)) is None  # type: ignore[arg-type]


def test_a_chosen_factor_has_less_error_than_others() -> None:
    """Mean error of the gradient over networks, against the exact one, for the chosen factor and for others."""
    exact_of = jax.jit(lambda made, *given: ImplicitGradient().gradient(made, *given).by_parameter)
    for noise in (0.0, 1e-4):
        rule = EquilibriumPropagation(beta=1.0, readout=Readout(noise))
        choose = jax.jit(functools.partial(suited_beta, rule))
        trained = jax.jit(
            lambda made, b, key, *given, r=rule: dataclasses.replace(r, beta=b).gradient(made, *given, key=key)
        )
        errors, shares = [], []
        for seed in range(4):
            made, key = network(seed, False, hidden=40), jax.random.key(seed)
            given = jax.random.uniform(key, (16, 3)), jax.nn.one_hot(jnp.arange(16) % 2, 2)
            chosen, unit = choose(made, *given), rule.share(made)
            assert unit is not None
            shares.append(float(chosen * unit))
            exact, row = exact_of(made, *given), []
            for factor in (1e-3, 1.0, 1e3):
                beta = jnp.minimum(factor * chosen, 0.6 / unit)
                gradient = trained(made, beta, key, *given).by_parameter
                pairs = list(zip(jax.tree.leaves(gradient), jax.tree.leaves(exact), strict=True))
                row.append(sum(float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b)) for a, b in pairs))
            errors.append(row)
        mean = np.mean(errors, 0)
        assert min(shares) > 0.009 and max(shares) < 0.51
        assert mean[1] < 0.5 * mean[0] and mean[1] < 0.5 * mean[2], (noise, mean)
