"""Equilibrium propagation against the implicit gradient, and that against finite differences of the cost."""

from functools import partial

import equinox as eqx
import jax
import numpy as np
import pytest

from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.learning import CrossEntropy, EquilibriumPropagation, ImplicitGradient, SquaredError, trained_part
from mho.networks import LayeredNetwork, MirroredCrossbar
from mho.precision import double
from mho.steady import Auto, solve
from random_circuits import CLASSES, STRUCTURES, Structure, random_network, random_samples

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

SMOOTH = Structure((3, 3), ("antiparallel", "sinh"), (True, True), 0.5, True, True)
CONVOLUTIONAL = Structure((24, 4, 3), ("antiparallel", None, "sinh"), (True, False, False), None, True, filters=(2,))
COSTS = {"squared error": SquaredError(), "cross-entropy": CrossEntropy(2.0)}
SEEDS = (0, 1)
PARAMETERS = LayeredNetwork.parameters
# Two per cent of the least conductance that an output can have, and less.
BETAS = 2e-4 * 0.5 ** np.arange(4)
KINDS = {
    "conductance": lambda n: [layer.crossbar for layer in n.layers],
    "bias": lambda n: [layer.bias for layer in n.layers],
    "element": lambda n: [layer.element for layer in n.layers],
    "gain": lambda n: [layer.amplifier for layer in n.layers],
}


@double
@partial(eqx.filter_jit, donate="none")
def propagated(network, inputs, targets, cost, beta, variant, nudging, trained, key=None):
    rule = EquilibriumPropagation(cost, beta=beta, variant=variant, nudging=nudging, solver=Auto(1e-13, 10_000))
    return rule.gradient(network, inputs, targets, trained=trained, key=key)


@double
@eqx.filter_jit
def implicit(network, inputs, targets, cost, trained):
    return ImplicitGradient(cost, solver=Auto(1e-13, 10_000)).gradient(network, inputs, targets, trained=trained)


@double
@eqx.filter_jit
def mean_cost(network, inputs, targets, cost):
    voltages = Auto(1e-14, 2000).solve(network, network.drive(inputs)).voltages
    return cost.value(network.prediction(voltages), targets).mean()


def relative(network, gradient, kind: str) -> np.ndarray:
    """θ ∂C/∂θ of all parameters of a kind: per unit of relative change, for they differ by ten decades."""
    mask = trained_part(network, (kind,))
    values = jax.tree.leaves(eqx.filter(KINDS[kind](network), KINDS[kind](mask)))
    slopes = jax.tree.leaves(eqx.filter(KINDS[kind](gradient), KINDS[kind](mask)))
    assert len(values) == len(slopes) > 0
    return np.concatenate([np.ravel(v * s) for v, s in zip(values, slopes, strict=True)])


@pytest.mark.parametrize(
    ("variant", "nudging", "cost", "order"),
    [
        ("centred", "held", "squared error", 2),
        ("centred", "energy", "cross-entropy", 2),
        ("positive", "energy", "squared error", 1),
        ("negative", "held", "cross-entropy", 1),
    ],
)
def test_bias_falls_as_a_power_of_beta(variant, nudging, cost, order):
    for seed in SEEDS:
        network = random_network(SMOOTH, seed)
        inputs, targets = random_samples(SMOOTH, seed)
        exact = implicit(network, inputs, targets, COSTS[cost], PARAMETERS)
        assert exact.unconverged == 0
        errors = {kind: [] for kind in PARAMETERS}
        for beta in BETAS:
            args = (network, inputs, targets, COSTS[cost], np.float64(beta), variant, nudging, PARAMETERS)
            found = propagated(*args)
            assert found.unconverged == 0
            assert found.cost == pytest.approx(exact.cost, rel=1e-12)
            for kind in PARAMETERS:
                right, near = (relative(network, g.by_parameter, kind) for g in (exact, found))
                errors[kind].append(np.linalg.norm(near - right) / np.linalg.norm(right))
        for kind, error in errors.items():
            slope = np.polyfit(np.log(BETAS), np.log(error), 1)[0]
            assert slope == pytest.approx(order, abs=0.2), (seed, kind, error)
            assert error[-1] < 0.1, (seed, kind, error)


def test_shared_conductances_gather_the_gradients_of_their_resistors():
    """A convolution's gradient meets the implicit one as β², and that is the sum over its resistors in a dense crossbar."""
    network = random_network(CONVOLUTIONAL, 1)
    inputs, targets = random_samples(CONVOLUTIONAL, 1)
    exact = implicit(network, inputs, targets, SquaredError(), PARAMETERS)
    errors = {kind: [] for kind in PARAMETERS}
    for beta in BETAS:
        args = (network, inputs, targets, SquaredError(), np.float64(beta), "centred", "energy", PARAMETERS)
        found = propagated(*args)
        assert found.unconverged == 0
        for kind in PARAMETERS:
            right, near = (relative(network, g.by_parameter, kind) for g in (exact, found))
            errors[kind].append(np.linalg.norm(near - right) / np.linalg.norm(right))
    for kind, error in errors.items():
        assert np.polyfit(np.log(BETAS), np.log(error), 1)[0] == pytest.approx(2, abs=0.2), (kind, error)
        assert error[-1] < 0.1, (kind, error)

    # The same circuit, a dense crossbar in place of the convolution: resistors that are not there have the least
    # conductance there can be.
    crossbar = network.layers[0].crossbar
    shapes = (crossbar.shape, crossbar.shape)
    parts = [np.full(shape, 1e-15) for shape in shapes]
    for part, (row, column, conductance) in zip(parts, crossbar.single_resistors(), strict=True):
        part[row, column] = conductance
    resistors = [ProgrammableResistor(part, lower=1e-15) for part in parts]
    dense = eqx.tree_at(lambda n: n.layers[0].crossbar, network, MirroredCrossbar.joined(*resistors))
    one_by_one = implicit(dense, inputs, targets, SquaredError(), ("conductance",)).by_parameter.layers[0].crossbar
    shared = exact.by_parameter.layers[0].crossbar
    row, column, _ = crossbar.single_resistors()[0]
    for theirs, ours in ((one_by_one.plus, shared.plus), (one_by_one.minus, shared.minus)):
        windows = crossbar.shape[1] // ours.conductance.shape[0]
        by_resistor = theirs.conductance[row, column].reshape(*ours.conductance.shape, windows)
        np.testing.assert_allclose(by_resistor.sum(-1), ours.conductance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cost", COSTS)
def test_implicit_gradient_is_that_of_the_cost(cost):
    """Every parameter of every kind, by central differences."""
    network = random_network(SMOOTH, 3)
    inputs, targets = random_samples(SMOOTH, 3)
    exact = implicit(network, inputs, targets, COSTS[cost], PARAMETERS)
    assert exact.cost == pytest.approx(mean_cost(network, inputs, targets, COSTS[cost]), rel=1e-12)
    for kind in PARAMETERS:
        mask = trained_part(network, (kind,))
        free, held = eqx.partition(network, mask)
        leaves, structure = jax.tree.flatten(free)
        differences = []
        for which, leaf in enumerate(leaves):
            for entry in range(leaf.size):

                def cost_at(factor, leaves=leaves, structure=structure, held=held, which=which, entry=entry):
                    moved = [np.array(x) for x in leaves]
                    moved[which].reshape(-1)[entry] *= factor
                    varied = eqx.combine(jax.tree.unflatten(structure, moved), held)
                    return mean_cost(varied, inputs, targets, COSTS[cost])

                step = 1e-4
                differences.append((cost_at(1 + step) - cost_at(1 - step)) / (2 * step))
        found = relative(network, exact.by_parameter, kind)
        np.testing.assert_allclose(found, differences, rtol=1e-5, atol=1e-7 * np.abs(found).max(), err_msg=kind)


@pytest.mark.parametrize("name", ["drn"])
def test_gradient_of_ideal_diodes_is_exact_while_none_switches(name):
    """Between switches the network is linear: a squared error's held nudging, centred, has no bias at all."""
    structure = STRUCTURES[name]
    for seed in SEEDS:
        network = random_network(structure, seed)
        inputs, targets = random_samples(structure, seed)
        trained = ("conductance", "bias")
        exact = implicit(network, inputs, targets, SquaredError(), trained)
        args = (network, inputs, targets, SquaredError(), np.float64(1e-5), "centred", "held", trained)
        found = propagated(*args)
        for kind in trained:
            right, near = (relative(network, g.by_parameter, kind) for g in (exact, found))
            np.testing.assert_allclose(near, right, rtol=1e-6, atol=1e-8 * np.abs(right).max())


def test_random_sign_is_unbiased_to_the_centred_gradient():
    """The mean over both signs is the centred gradient to rounding; a draw is a mixture of the two."""
    structure = STRUCTURES["drn"]
    network = random_network(structure, 5)
    inputs, targets = random_samples(structure, 5)
    trained = ("conductance", "bias")

    def gradient(x, y, variant, key=None):
        args = (network, x, y, SquaredError(), np.float64(1e-2), variant, "energy", trained, key)
        return np.concatenate([np.ravel(g) for g in jax.tree.leaves(propagated(*args).by_parameter)])

    plus, minus, centred = (gradient(inputs, targets, v) for v in ("positive", "negative", "centred"))
    np.testing.assert_allclose(0.5 * (plus + minus), centred, rtol=1e-6, atol=1e-9 * np.abs(centred).max())
    assert np.abs(plus - minus).max() > 1e-4 * np.abs(centred).max(), "β is too small to tell the signs apart"

    # One sample, drawn many times over: all that varies is the share of its positive signs.
    one = gradient(inputs[:1], targets[:1], "positive"), gradient(inputs[:1], targets[:1], "negative")
    many = np.repeat(inputs[:1], 400, 0), np.repeat(targets[:1], 400, 0)
    drawn = gradient(*many, "random-sign", jax.random.key(0))
    apart = one[0] - one[1]
    share = (drawn - one[1]) @ apart / (apart @ apart)
    np.testing.assert_allclose(drawn, one[1] + share * apart, rtol=1e-6, atol=1e-9 * np.abs(drawn).max())
    assert abs(share - 0.5) < 4 * 0.5 / 400**0.5 and 0 < share < 1


def test_negative_beta_beyond_stability_is_counted():
    network = random_network(STRUCTURES["linear"], 0)
    inputs, targets = random_samples(STRUCTURES["linear"], 0)
    args = (network, inputs, targets, SquaredError(), np.float64(3.0), "centred", "energy", ("conductance",))
    found = propagated(*args)
    assert found.unconverged == len(inputs), "the negative phases, and they alone, have no state"
    assert not found.residual <= 1e-13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": 0.0}, "must be positive and finite"),
        ({"beta": -1.0}, "must be positive and finite"),
        ({"beta": float("nan")}, "must be positive and finite"),
        ({"variant": "both"}, "variant 'both'"),
        ({"nudging": "soft"}, "nudging 'soft'"),
        ({"variant": "random-sign"}, "needs a random key"),
        ({"trained": ("weights",)}, "cannot train 'weights'"),
    ],
)
def test_settings_without_a_gradient_are_refused(change, message):
    change = dict(change)
    network = random_network(STRUCTURES["linear"], 0)
    inputs, targets = random_samples(STRUCTURES["linear"], 0)
    with pytest.raises(InputError, match=message):
        trained = change.pop("trained", ("conductance",))
        EquilibriumPropagation(**change).gradient(network, inputs, targets, trained=trained)


def test_polarities_are_no_parameters():
    network = random_network(STRUCTURES["mixed"], 0)
    mask = trained_part(network, PARAMETERS)
    assert mask.layers[2].element.up.bias and not mask.layers[2].element.up.polarity
    assert not mask.layers[0].element.polarity
    assert CLASSES == 2 and mask.layers[3].crossbar.resistors.conductance


@pytest.mark.parametrize("name", ["paper-deep", "pooled", "mixed"])
def test_jax_differentiates_through_a_solve(name):
    """All parameters of every kind, by `jax.grad`: the implicit gradient's local products, to rounding."""
    network = random_network(STRUCTURES[name], 1)
    inputs, targets = random_samples(STRUCTURES[name], 1)
    solver = Auto(1e-13, 10_000)

    @double
    def both(network, inputs, targets):
        network, inputs = jax.tree.map(jax.numpy.asarray, (network, inputs))
        free, held = eqx.partition(network, network.marked(PARAMETERS))

        def cost(free):
            varied = eqx.combine(free, held)
            prediction = varied.prediction(solve(varied, inputs, solver=solver).voltages)
            return SquaredError().value(prediction, targets).mean()

        rule = ImplicitGradient(solver=solver)
        return jax.grad(cost)(free), rule.gradient(network, inputs, targets, trained=PARAMETERS).by_parameter

    for ours, exact in zip(*map(jax.tree.leaves, both(network, inputs, targets)), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-9, atol=1e-11 * np.abs(exact).max())
