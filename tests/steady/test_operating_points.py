"""Operating points of random networks: Kirchhoff's laws, the minimum of the energy, one state from every start."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.elements import CurrentSource
from mho.errors import MhoError
from mho.learning import CrossEntropy, EnergyNudge, SquaredError
from mho.networks import LayeredDrive
from mho.precision import double
from mho.steady import Auto, kirchhoff_residual, solve
from random_circuits import BATCH, CLASSES, STRUCTURES, Structure, random_network, random_nudges, random_samples

FLOAT32_RTOL = 1e-4

seeds = st.integers(0, 2**32 - 10)


def phases(structure: Structure, network, seed: int):
    """Free (no current), held and energy nudging: the first two share a compiled function."""
    held, energy = random_nudges(structure, network, seed)
    return {"free": CurrentSource(np.zeros_like(held.injected)), "held": held, "energy": energy}


def zeros(network):
    return tuple(np.zeros((BATCH, n)) for n in network.widths[1:])


def sources_of(network, inputs):
    return double(lambda n, x: n.source_voltages(x))(network, inputs)


@double
@eqx.filter_jit
def total_energy(network, sources, voltages, nudge):
    """The energy with the nudging in it, in the output layer's scale, and its gradient: (batch,) and by layer."""

    drive = LayeredDrive(sources, sources, ())

    def energy(v):
        scale = network.scales()[-1]
        if isinstance(nudge, EnergyNudge):
            extra = nudge.strength[:, 0] * nudge.cost.value(network.prediction(v), nudge.target)
        else:
            extra = jnp.sum(nudge.co_content(v[-1]), -1)
        return network.energy(drive, v) / scale + extra

    return energy(voltages), jax.grad(lambda v: jnp.sum(energy(v)))(voltages)


@pytest.mark.parametrize("name", STRUCTURES)
@settings(max_examples=4)
@given(seed=seeds)
def test_state_obeys_kirchhoff_is_the_minimum_and_the_only_one(name, seed):
    structure = STRUCTURES[name]
    network = random_network(structure, seed)
    inputs, _ = random_samples(structure, seed)
    sources = sources_of(network, inputs)
    rng = np.random.default_rng(seed + 3)
    start = zeros(network)
    for phase, nudge in phases(structure, network, seed).items():
        # The nudged phases begin where training begins them: at the free state, out of balance at the outputs alone.
        point = solve(network, inputs, attached=nudge, start=start)
        start = point.voltages if phase == "free" else start
        assert kirchhoff_residual(network, sources, point.voltages, nudge).max() <= 1e-10, phase

        elsewhere = tuple(rng.normal(0, 5, v.shape) for v in point.voltages)
        other = solve(network, inputs, attached=nudge, start=elsewhere)
        for there, here in zip(other.voltages, point.voltages, strict=True):
            np.testing.assert_allclose(there, here, rtol=1e-8, atol=1e-9, err_msg=phase)

        lowest, slope = total_energy(network, sources, point.voltages, nudge)
        assert np.isfinite(lowest).all()
        rise = []
        for size in (1e-3, 1e-1, 1.0):
            moved = tuple(v + size * rng.normal(size=v.shape) for v in point.voltages)
            energy, steep = total_energy(network, sources, moved, nudge)
            rise.append(energy - lowest)
            assert (rise[-1] >= -1e-12 * (1 + np.abs(lowest))).all(), phase
        assert (rise[-1] > 0).all()
        # Nodes at 0 V are clamped by ideal diodes: there the energy has an edge, not a horizontal tangent.
        for gradient, steepest, voltage in zip(slope, steep, point.voltages, strict=True):
            assert np.abs(gradient[voltage != 0]).max() <= 1e-9 * np.abs(steepest).max(), phase


def test_free_phase_without_a_nudge_is_that_with_none():
    structure = STRUCTURES["drn"]
    network, (inputs, _) = random_network(structure, 0), random_samples(structure, 0)
    free = solve(network, inputs)
    nudge = CurrentSource(np.zeros((BATCH, CLASSES)))
    same = solve(network, inputs, attached=nudge, start=zeros(network))
    for a, b in zip(free.voltages, same.voltages, strict=True):
        np.testing.assert_array_equal(a, b)


def test_residual_sees_a_wrong_state():
    """A thousandth of the voltage off is a thousandth of the current off, at the least, at some node."""
    structure = STRUCTURES["drn"]
    network, (inputs, _) = random_network(structure, 1), random_samples(structure, 1)
    point, sources = solve(network, inputs), sources_of(network, inputs)
    for layer in range(len(point.voltages)):
        wrong = tuple(v * 1.001 if k == layer else v for k, v in enumerate(point.voltages))
        assert kirchhoff_residual(network, sources, wrong).max() > 1e-4


def test_too_strong_negative_nudging_is_refused():
    """Below −a at an output of conductance a to the rest, βC bends the energy down: there is no state to find."""
    structure = STRUCTURES["linear"]
    network, (inputs, targets) = random_network(structure, 0), random_samples(structure, 0)
    loads = network.layers[0].crossbar
    conductance = float(np.min(loads.plus.conductance.sum(0) + loads.minus.conductance.sum(0)))
    for strength in (-1.01, -10.0):
        nudge = EnergyNudge(SquaredError(), np.full((BATCH, 1), strength * conductance), targets, False)
        with pytest.raises(MhoError, match="3 of 3 operating points above the tolerance"):
            solve(network, inputs, attached=nudge, solver=Auto(1e-13, 50))
    nudge = EnergyNudge(SquaredError(), np.full((BATCH, 1), -0.99 * conductance), targets, False)
    assert solve(network, inputs, attached=nudge, solver=Auto(1e-13, 50)).residual.max() <= 1e-13


@pytest.mark.parametrize("name", ["paper", "paper-deep", "linear"])
@settings(max_examples=5)
@given(seed=seeds, gain=st.sampled_from([0.5, 30.0]))
def test_float32_comes_to_the_same_states_in_steps(name, seed, gain):
    """Nodes whose equations training solves a step at a time; what has not converged must say so."""
    structure = STRUCTURES[name]
    network = random_network(structure, seed)
    inputs, _ = random_samples(structure, seed)
    _, energy = random_nudges(structure, network, seed)
    nudge = EnergyNudge(CrossEntropy(gain), np.abs(energy.strength), energy.target, energy.paired)
    exact = solve(network, inputs, attached=nudge).voltages
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (network, inputs, nudge))
    point = _float32_settled(*single)
    settled = np.asarray(point.residual) <= FLOAT32_RTOL
    assert settled.all(), (point.residual, point.steps)
    for here, there in zip(point.voltages, exact, strict=True):
        scale = np.abs(there).max(1) + 0.1
        assert (np.abs(here - there).max(1) <= 0.02 * scale).all()


@eqx.filter_jit
def _float32_settled(network, inputs, nudge):
    return Auto(FLOAT32_RTOL, 300).solve(network, network.drive(inputs), attached=nudge)
