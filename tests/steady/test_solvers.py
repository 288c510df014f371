"""One suite for all solvers: every network × what is attached to its outputs."""

import jax
import numpy as np
import pytest

from mho.learning import EnergyNudge, SquaredError, held_nudge
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layered_circuit import layered_circuit
from mho.precision import double
from mho.steady import Auto, Clamp, DenseNewton, MeanFieldSweeps, PooledSweeps, Sweeps, kirchhoff_residual, solve
from random_circuits import BATCH, CLASSES, STRUCTURES, random_network, random_samples

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

SOLVERS = (Sweeps, MeanFieldSweeps, PooledSweeps, DenseNewton)
NETWORKS = ("paper-deep", "mixed", "pooled", "convolutional", "circuit")
RTOL = 1e-12


def source_voltages(network, inputs):
    return network.source_voltages(inputs)


def network_of(name: str) -> LayeredNetwork | Circuit:
    if name == "circuit":
        return jax.tree.map(np.asarray, layered_circuit(random_network(STRUCTURES["paper"], 2)))
    return random_network(STRUCTURES[name], 2)


def attached(kind: str, network, prediction: np.ndarray, targets: np.ndarray):
    if kind == "free":
        return None
    if kind == "clamp":
        return Clamp(prediction + 0.1 * (targets - prediction), network.paired_outputs)  # type: ignore[arg-type]
    strength = np.full((BATCH, 1), 2e-4)
    if kind == "energy":
        return EnergyNudge(SquaredError(), strength, targets, network.paired_outputs)  # type: ignore[arg-type]
    return held_nudge(SquaredError(), strength, prediction, targets, network.paired_outputs)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["free", "held", "energy", "clamp"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_solvers_find_the_same_state_and_kirchhoff_agrees(name, kind):
    """From 0 V and, where a phase has one before it, from the free phase, as training does."""
    network = network_of(name)
    structure = STRUCTURES["paper" if name == "circuit" else name]
    inputs, _ = random_samples(structure, 2)
    targets = np.eye(CLASSES)[np.arange(BATCH) % CLASSES]
    free = solve(network, inputs, solver=Auto(RTOL, 20_000))
    what = attached(kind, network, np.asarray(network.prediction(free.voltages)), targets)
    suited = [solver for solver in SOLVERS if solver().suits(network)]
    assert suited and isinstance(Auto().chosen(network, BATCH), tuple(suited))
    sources = network.sources(inputs) if isinstance(network, Circuit) else double(source_voltages)(network, inputs)
    states = [free] if kind == "free" else []
    for solver in suited:
        start = None if kind == "free" or (kind == "energy" and solver is not DenseNewton) else free.voltages
        states.append(solve(network, inputs, solver=solver(RTOL, 20_000), attached=what, start=start))
        assert start is None or solver is not DenseNewton or states[-1].steps <= 5, (
            "Newton's method has its whole matrix"
        )
    for state in states:
        assert kirchhoff_residual(network, sources, state.voltages, what).max() < 1e-9  # type: ignore[arg-type]
        for found, first in zip(*map(jax.tree.leaves, (state.voltages, states[0].voltages)), strict=True):
            np.testing.assert_allclose(found, first, rtol=1e-8, atol=1e-9)
        if isinstance(what, Clamp):
            np.testing.assert_allclose(network.prediction(state.voltages), what.voltage, rtol=0, atol=1e-9)
    if kind != "free":
        here, there = (np.asarray(network.prediction(state.voltages)) for state in (free, states[0]))
        assert np.abs(here - there).max() > 1e-4, "nothing is nudged"
