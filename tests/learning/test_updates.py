"""Updates: bounds, rates layer by layer, and what a training step holds in memory."""

import dataclasses
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mho.elements import BidirectionalAmplifier, IdealDiode, JunctionDiode, PiecewiseDiode, ShockleyDiode
from mho.errors import InputError
from mho.learning import (
    OPTIMIZERS,
    CrossEntropy,
    EquilibriumPropagation,
    SquaredError,
    apply_updates,
    coordinate_slope,
    optimizer,
    trained_parameters,
    updated,
)
from mho.networks import layered_network
from mho.precision import double
from random_circuits import STRUCTURES, random_network

RESTRICTED = (ShockleyDiode, JunctionDiode, PiecewiseDiode, BidirectionalAmplifier)


def drn(widths=(6, 5, 3), **options):
    elements = [IdealDiode(jnp.where(jnp.arange(n) < n // 2, 1.0, -1.0)) for n in widths[1:-1]]
    return layered_network(widths, jax.random.key(0), elements=elements, input_gain=10.0, **options)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_conductances_stay_within_their_bounds_and_layers_have_their_rates(name):
    network = drn(lower=1e-3, upper=0.3)
    rates = (10.0, 1e-6)
    rule = optimizer(name, rates)
    gradient = jax.tree.map(
        lambda p: jnp.asarray(np.random.default_rng(p.size).choice([-1.0, 1.0], p.shape), p.dtype), network
    )
    updates, _ = rule.update(gradient, rule.init(network))
    moved = apply_updates(network, updates)
    wide = np.asarray(moved.layers[0].crossbar.plus.conductance)
    assert set(np.unique(wide)) == {np.float32(1e-3), np.float32(0.3)}, "a big step either way ends at a bound"
    assert (wide == np.float32(1e-3)).tolist() == (
        np.asarray(gradient.layers[0].crossbar.plus.conductance) > 0
    ).tolist()
    before, after = (np.asarray(n.layers[1].crossbar.resistors.conductance) for n in (network, moved))
    assert after.min() >= np.float32(1e-3) and after.max() <= np.float32(0.3)
    step = np.abs(np.asarray(updates.layers[1].crossbar.resistors.conductance))
    first = np.abs(np.asarray(updates.layers[0].crossbar.plus.conductance)).max()
    np.testing.assert_allclose(step, first * rates[1] / rates[0], rtol=1e-5)
    assert np.abs(after - before).max() <= step.max() * 1.05


@pytest.mark.parametrize(("name", "rate"), [("adagrad", 0.1), ("sgd", 0.0), ("sgd", -1.0), ("sgd", float("nan"))])
def test_rules_that_cannot_learn_are_refused(name, rate):
    with pytest.raises(InputError):
        optimizer(name, [rate])


def shapes(jaxpr):
    """Of every array in a program, those of its loops and branches included."""
    for equation in jaxpr.eqns:
        for variable in (*equation.invars, *equation.outvars):
            yield tuple(getattr(variable.aval, "shape", ()))
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from shapes(inner)


def test_walk_finds_an_outer_product_inside_a_loop():
    def swept(x, y):
        return jax.lax.while_loop(
            lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + (x[:, :, None] * y[:, None]).sum()), (0, 0.0)
        )

    found = shapes(jax.make_jaxpr(swept)(jnp.ones((32, 7)), jnp.ones((32, 5))).jaxpr)
    assert (32, 7, 5) in set(found)


@pytest.mark.parametrize("cost", [SquaredError(), CrossEntropy()])
@pytest.mark.parametrize("variant", ["centred", "positive"])
def test_training_step_forms_no_array_of_batch_by_inputs_by_outputs(cost, variant):
    batch, widths = 33, (784, 1024, 10)  # the batch divides no width
    network = drn(widths)
    rule = optimizer("sgd", [0.1, 0.1])

    def step(network, state, inputs, targets):
        found = EquilibriumPropagation(cost, beta=0.1, variant=variant).gradient(
            network, inputs, targets, trained=("conductance", "bias")
        )
        updates, state = rule.update(found.by_parameter, state)
        return apply_updates(network, updates), state, found.cost

    program = jax.make_jaxpr(step)(network, rule.init(network), jnp.ones((batch, 784)), jnp.ones((batch, 10)))
    found = set(shapes(program.jaxpr))
    crossbars = {x.shape for layer in network.layers for x in jax.tree.leaves(layer.crossbar)}
    assert crossbars and crossbars <= found, "the walk misses the conductances"
    for n, m in pairwise(widths):
        triples = [s for s in found if any(d % batch == 0 for d in s) and np.prod(s) >= batch * n * m]
        assert not triples, triples
    assert max(np.prod(s) for s in found) < batch * widths[0] * widths[1]


def test_a_random_network_is_the_same_after_an_update_of_nothing():
    network = random_network(STRUCTURES["mixed"], 0)
    still = apply_updates(network, jax.tree.map(jnp.zeros_like, network))
    assert jax.tree.structure(still) == jax.tree.structure(network)
    for before, after in zip(jax.tree.leaves(network), jax.tree.leaves(still), strict=True):
        np.testing.assert_allclose(after, before, rtol=4 * np.finfo(np.float32).eps, err_msg="an update of 0 moves it")


def with_step(element, name, step):
    """An update of one parameter alone."""
    return eqx.tree_at(lambda e: getattr(e, name), jax.tree.map(lambda _: None, element), step, is_leaf=_is_none)


def _is_none(x):
    return x is None


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in RESTRICTED for name in kind.domain])
@given(
    shares=arrays(np.float32, 5, elements=st.floats(0, 1, width=32)),
    steps=arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False)),
)
def test_parameters_stay_in_their_domains_whatever_the_step(kind, name, shares, steps):
    least, largest = (np.float32(x) for x in kind.domain[name])
    values = least + shares * (min(largest, np.float32(10)) - least)
    element = kind(**{f.name: values for f in dataclasses.fields(kind) if not f.metadata.get("static")})
    moved = apply_updates(element, with_step(element, name, steps))
    found = np.asarray(getattr(moved, name))
    assert ((least <= found) & (found <= largest)).all()
    for other in jax.tree.leaves(eqx.tree_at(lambda e: getattr(e, name), moved, None)):
        np.testing.assert_array_equal(other, values, err_msg="nothing else moves")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in RESTRICTED for name in kind.domain])
@double
def test_a_positive_parameter_descends_in_its_logarithm(kind, name):
    # C = (ln θ − ln θ*)², whose minimum is many decades away: 40 steps of relative size get there.
    element = kind(**{f.name: np.array([1e-2]) for f in dataclasses.fields(kind) if not f.metadata.get("static")})
    least = kind.domain[name][0]
    goal = max(1e-7, 2 * least)

    def cost(theta):
        return jnp.sum((jnp.log(theta) - np.log(goal)) ** 2) if least > 0 else jnp.sum((theta - goal) ** 2)

    for _ in range(40):
        slope = with_step(element, name, jax.grad(cost)(jnp.asarray(getattr(element, name))))
        step = jax.tree.map(lambda g: -0.25 * g, coordinate_slope(element, slope))
        element = apply_updates(element, step)
    np.testing.assert_allclose(getattr(element, name), goal, rtol=1e-6)


@pytest.mark.parametrize(
    "transformation",
    [
        optax.adam(0.01),
        optax.adamw(0.01, weight_decay=0.1),
        optax.lion(0.01),
        optax.chain(optax.clip(0.1), optax.sgd(0.1)),
    ],
    ids=["adam", "adamw", "lion", "clipped"],
)
def test_any_transformation_of_optax_moves_a_network_within_its_bounds(transformation):
    elements = [ShockleyDiode(jnp.full(5, 1e-6), jnp.ones(5), jnp.zeros(5), jnp.ones(5))]
    network = layered_network((6, 5, 3), jax.random.key(0), elements=elements, lower=1e-3, upper=0.3)
    trained = ("conductance", "bias", "element")
    inputs, targets = jax.random.normal(jax.random.key(1), (8, 6)), jnp.zeros((8, 3)).at[:, 0].set(0.1)
    rule = EquilibriumPropagation(beta=1e-3)

    @jax.jit
    def step(network, state):
        gradient = rule.gradient(network, inputs, targets, trained=trained)
        return (*updated(network, gradient.by_parameter, transformation, state), gradient.cost)

    state, costs = transformation.init(trained_parameters(network, trained)), []
    for _ in range(8):
        network, state, cost = step(network, state)
        costs.append(float(cost))
    assert costs[-1] < costs[0]
    diodes = network.layers[0].element
    assert np.all(np.asarray(diodes.saturation_current) > 0) and np.all(np.asarray(diodes.saturation_current) != 1e-6)
    for layer in network.layers:
        for g in jax.tree.leaves(eqx.filter(layer.crossbar, eqx.is_array)):
            assert np.all((np.asarray(g) >= 0.001 * (1 - 1e-6)) & (np.asarray(g) <= 0.3))


@double
def test_weight_decay_shrinks_the_coordinate_that_is_trained():
    """ln I_S and the conductance, each by a tenth of itself where the gradient is 0."""
    diode = ShockleyDiode(*(jnp.array([x]) for x in (1e-6, 1.5, 0.2, 1.0)))
    decay = optax.chain(optax.add_decayed_weights(0.1), optax.scale(-1.0))
    moved, _ = updated(diode, jax.tree.map(jnp.zeros_like, diode), decay, decay.init(diode))
    np.testing.assert_allclose(moved.saturation_current, 1e-6**0.9, rtol=1e-12)
    np.testing.assert_allclose([moved.ideality[0], moved.bias[0]], [1.5**0.9, 0.9 * 0.2], rtol=1e-12)


def test_relative_updates_are_shares_and_leakage_draws_to_the_lower_bound():
    network = drn(lower=1e-3, upper=9.0, initial_law="lognormal")
    conductances = [np.asarray(layer.crossbar.resistors.conductance) for layer in network.layers]
    gradient = jax.tree.map(jnp.ones_like, eqx.filter(network, network.marked(("conductance",))))
    rule = optax.sgd(0.1)
    moved, _ = updated(network, gradient, rule, rule.init(gradient), relative=True)
    leaked, _ = updated(network, jax.tree.map(jnp.zeros_like, gradient), rule, rule.init(gradient), kept=0.9)
    for before, after, less in zip(conductances, moved.layers, leaked.layers, strict=True):
        expected = np.clip(before * np.exp(-0.1 * before), 1e-3, 9.0)
        np.testing.assert_allclose(after.crossbar.resistors.conductance, expected, rtol=1e-5)
        np.testing.assert_allclose(less.crossbar.resistors.conductance, 1e-3 + 0.9 * (before - 1e-3), rtol=1e-5)
