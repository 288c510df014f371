"""Mean-field sweeps of deep networks: the states of plain sweeps, in fewer of them, with a residual that holds."""

import equinox as eqx
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.elements import IdealDiode
from mho.learning import CoupledLearning, EquilibriumPropagation
from mho.networks import layered_network
from mho.precision import double
from mho.steady import Auto, MeanFieldSweeps, Sweeps, kirchhoff_residual, solve
from random_circuits import BATCH, STRUCTURES, random_network, random_nudges, random_samples

DEEP = {name: STRUCTURES[name] for name in ("paper-deep", "drn", "piecewise", "mixed")}


@double
@eqx.filter_jit
def phases(network, inputs, nudge):
    """A free phase from 0 V, a nudged one that begins there, and its deviations."""
    driven, solver = network.drive(inputs), MeanFieldSweeps(1e-13, 10_000)
    free = solver.solve(network, driven)
    nudged = solver.solve(network, driven, attached=nudge, start=free.start)
    pull = eqx.tree_at(lambda n: n.rest, nudge, free.voltages[-1], is_leaf=lambda x: x is None)
    return driven.sources, free, nudged, solver.deviate(network, driven, free.start, attached=pull)


@pytest.mark.parametrize("name", DEEP)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 10))
def test_states_are_those_of_plain_sweeps(name, seed):
    network = random_network(DEEP[name], seed)
    assert MeanFieldSweeps().suits(network) and not isinstance(Auto().chosen(network, BATCH), MeanFieldSweeps)
    inputs, _ = random_samples(DEEP[name], seed)
    nudge = random_nudges(DEEP[name], network, seed)[1]
    sources, free, nudged, moved = phases(network, inputs, nudge)
    assert moved.residual.max() <= 1e-13
    for v, a, b in zip(free.voltages, moved.voltages, nudged.voltages, strict=True):
        np.testing.assert_allclose(v + a, b, rtol=1e-9, atol=1e-10)
    for point, attached in ((free, None), (nudged, nudge)):
        assert point.residual.max() <= 1e-13
        assert kirchhoff_residual(network, sources, point.voltages, attached).max() <= 1e-10
    if name == "mixed":
        for a, b in zip(free.voltages, solve(network, inputs).voltages, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def deep_network(widths: tuple[int, ...], seed: int):
    elements = [IdealDiode(np.where(np.arange(n) < n // 2, 1.0, -1.0)) for n in widths[1:-1]]
    return layered_network(widths, jax.random.key(seed), elements=elements, input_gain=100.0)


def with_outstanding_modes(network, seed: int):
    """Conductances with a few strong patterns beside the common one, as training leaves them."""
    rng = np.random.default_rng(seed)

    def patterned(leaf):
        if np.ndim(leaf) != 2:
            return leaf
        n, m = leaf.shape
        pattern = sum(np.outer(rng.normal(size=n), rng.normal(size=m)) for _ in range(3))
        return np.maximum(np.asarray(leaf) + pattern * float(np.mean(leaf)), 1e-7)

    return jax.tree.map(patterned, network)


@double
@eqx.filter_jit
def ten_layers(network, inputs):
    driven = network.drive(inputs)
    return driven.sources, [m(1e-8, 200).solve(network, driven) for m in (MeanFieldSweeps, Sweeps)]


@pytest.mark.parametrize("trained", [False, True])
def test_ten_hidden_layers_settle_in_half_the_sweeps(trained):
    network = deep_network((30, *(256,) * 10, 10), 0)
    network = with_outstanding_modes(network, 0) if trained else network
    sources, (ours, plain) = ten_layers(network, np.random.default_rng(0).normal(size=(4, 30)))
    assert max(ours.residual.max(), plain.residual.max()) <= 1e-8
    assert kirchhoff_residual(network, sources, ours.voltages).max() <= 1e-5
    assert ours.steps <= plain.steps // 2


@double
@eqx.filter_jit
def imbalance_after(network, inputs, sweeps):
    """A state that has not settled: its residual as the method tells it, and what a plain sweep finds out of balance."""
    driven = network.drive(inputs)
    point = MeanFieldSweeps(0.0, sweeps).solve(network, driven)
    voltages, worst = point.voltages, 0.0
    for k in range(len(voltages) - 1):
        layer, following = network.layers[k], network.layers[k + 1].crossbar
        current = driven.input_current if k == 0 else layer.crossbar.current(voltages[k - 1])
        current = current + layer.bias.injected + following.reverse_current(voltages[k + 1])
        out = layer.element.law_residual(voltages[k], current - driven.conductances[k] * voltages[k])
        worst = jax.numpy.maximum(worst, abs(out).max(-1) / abs(current).max(-1))
    return point.residual, worst


def test_residual_is_never_less_than_the_imbalance():
    for seed in range(3):
        network = with_outstanding_modes(deep_network((20, 64, 16, 32, 5), seed), seed)
        inputs = np.random.default_rng(seed).normal(size=(8, 20))
        for sweeps in (1, 2, 3):
            told, found = imbalance_after(network, inputs, np.int32(sweeps))
            assert (told >= found * (1 - 1e-9)).all(), sweeps
            assert (told <= 100 * found + 1e-14).all(), sweeps


@eqx.filter_jit
def gradient(network, inputs, targets, rtol, variant, nudging, kind=Auto):
    rule = EquilibriumPropagation(beta=0.05, variant=variant, nudging=nudging, solver=kind(rtol, 500))
    return rule.gradient(network, inputs, targets, trained=("conductance", "bias"))


@pytest.mark.parametrize(("variant", "nudging"), [("centred", "energy"), ("negative", "held")])
def test_gradient_by_deviations_is_that_of_whole_phases(variant, nudging):
    """In float32, too, where the first layers' voltages are alike to rounding in all phases."""
    network = deep_network((20, 128, 128, 128, 10), 3)
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(64, 20)), np.eye(10)[rng.integers(10, size=64)]
    assert Auto().deviates(network, 64) and not Auto().deviates(network, 4)
    args = (inputs, targets)
    exact = double(gradient)(network, *args, 1e-14, variant, nudging, Sweeps)
    fine = double(gradient)(network, *args, 1e-13, variant, nudging)
    coarse = gradient(network, *(x.astype(np.float32) for x in args), 1e-4, variant, nudging)
    for found, accuracy in ((fine, 1e-6), (coarse, 0.05)):
        assert found.unconverged == exact.unconverged == 0
        for a, b in zip(jax.tree.leaves(found.by_parameter), jax.tree.leaves(exact.by_parameter), strict=True):
            assert np.linalg.norm(a - b) <= accuracy * np.linalg.norm(b)


def test_crossbars_that_the_mean_field_does_not_describe_are_left_to_plain_sweeps():
    assert not MeanFieldSweeps().suits(random_network(STRUCTURES["convolutional"], 0))
    assert not MeanFieldSweeps().suits(random_network(STRUCTURES["paper"], 0))
    assert not MeanFieldSweeps().suits(random_network(STRUCTURES["linear"], 0))


def test_coupled_learning_in_float32_keeps_what_a_small_clamp_moves():
    network = deep_network((20, 128, 128, 128, 10), 3)
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(64, 20)), np.eye(10)[rng.integers(10, size=64)]

    @eqx.filter_jit
    def direction(network, inputs, targets, rtol, kind):
        return CoupledLearning(eta=0.01, solver=kind(rtol, 500)).gradient(network, inputs, targets)

    exact = double(direction)(network, inputs, targets, 1e-14, Sweeps)
    assert Auto().deviates(network, 64)
    coarse = direction(network, *(x.astype(np.float32) for x in (inputs, targets)), 1e-4, Auto)
    assert coarse.unconverged == exact.unconverged == 0
    for a, b in zip(jax.tree.leaves(coarse.by_parameter), jax.tree.leaves(exact.by_parameter), strict=True):
        assert np.linalg.norm(a - b) <= 0.05 * np.linalg.norm(b)
