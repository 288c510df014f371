"""Kirchhoff's residual of circuits: small where the solver says so, and every planted lie is caught."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

from mho.learning import EnergyNudge, SquaredError
from mho.networks import Circuit, LayeredNetwork
from mho.networks.random_graph import random_graph
from mho.networks.square_lattice import square_lattice
from mho.precision import double
from mho.steady import Clamp, kirchhoff_residual, solve
from mho.steady.newton import solve_circuit
from random_circuits import STRUCTURES, random_network, random_nudges, random_samples

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "make", [lambda: random_graph(3, 2, hidden=6, diodes=8, seed=1), lambda: square_lattice(2, 2, side=4, seed=1)]
)
def test_a_lie_about_any_element_or_node_is_caught(make) -> None:
    circuit: Circuit = make()
    inputs = RANDOM.uniform(-1, 1, (3, 3 if len(circuit.branches) > 1 else 2))
    voltages = np.asarray(solve_circuit(circuit, inputs, rtol=1e-12).voltages)
    sources = np.asarray(circuit.sources(inputs))
    assert kirchhoff_residual(circuit, sources, voltages).max() < 1e-9
    resistors = next(i for i, b in enumerate(circuit.branches) if b.programmable)
    count = len(circuit.branches[resistors].first)
    held = {circuit.tied.free}
    for branch in range(count):
        ends = circuit.branches[resistors]
        groups = {int(circuit.tied.group[ends.first[branch]]), int(circuit.tied.group[ends.second[branch]])}
        if groups <= held:
            continue  # between two sources: its current is theirs
        lying = eqx.tree_at(
            lambda c: c.branches[resistors].element.conductance,
            circuit,
            np.asarray(ends.element.conductance) * np.where(np.arange(count) == branch, 1 + 1e-4, 1.0),
        )
        assert kirchhoff_residual(lying, sources, voltages).max() > 1e-8
    for node in circuit.tied.root:
        moved = voltages.copy()
        moved[1, node] += 1e-6
        residual = kirchhoff_residual(circuit, sources, moved)
        assert residual[1] > 1e-9 and residual[0] < 1e-9 and residual[2] < 1e-9
    broken = voltages.copy()
    broken[2, circuit.tied.root[0]] = np.nan
    assert kirchhoff_residual(circuit, sources, broken)[2] == np.inf


def layered_by_hand(network: LayeredNetwork, sources: np.ndarray, voltages: Any, injected: np.ndarray) -> float:
    """A sample's residual, resistor by resistor, with currents into the outputs."""
    worst, gains = 0.0, [1.0 if a is None else float(a.gain) for a in (layer.amplifier for layer in network.layers)]
    for index, (layer, here) in enumerate(zip(network.layers, voltages, strict=True)):
        g = np.asarray(layer.crossbar.resistors.conductance)  # type: ignore[attr-defined]
        before = sources if index == 0 else gains[index - 1] * voltages[index - 1]
        for k, v in enumerate(here):
            mirrored = (
                [g[i, s, k] * (x * (1 - 2 * s) - v) for i, x in enumerate(before) for s in (0, 1)]
                if g.ndim == 3
                else []
            )
            branches = mirrored or [g[i, k] * (u - v) for i, u in enumerate(before)]
            if layer.bias is not None:
                branches.append(layer.bias.injected[k])
            if index + 1 < len(voltages):
                following = np.asarray(network.layers[index + 1].crossbar.resistors.conductance)  # type: ignore[attr-defined]
                branches += [
                    -following[k, j] * (gains[index] * v - w) / gains[index] for j, w in enumerate(voltages[index + 1])
                ]
                element = jax.tree.map(lambda p, k=k: p[k], layer.element)
                law = 0.0 if element is None else float(element.current(np.float64(v)))
            else:
                law = -injected[k]
            inflow = sum(branches)
            worst = max(worst, abs(inflow - law) / max(*map(abs, branches), abs(inflow)))
    return worst


@pytest.mark.parametrize("name", ["paper", "paper-deep", "piecewise"])
def test_a_layered_network_s_residual_is_what_its_resistors_give_one_by_one(name: str) -> None:
    """Near a steady state, one node of one sample moved, and far from any."""
    network = random_network(STRUCTURES[name], 4)
    inputs, _ = random_samples(STRUCTURES[name], 4)
    held, _ = random_nudges(STRUCTURES[name], network, 4)
    point = solve(network, inputs, attached=held)
    sources = double(lambda n, x: n.source_voltages(x))(network, inputs)
    moved = tuple(np.array(v) for v in point.voltages)
    moved[0][1, 0] += 1e-3
    anywhere = tuple(RANDOM.uniform(-0.5, 0.5, v.shape) for v in point.voltages)
    with jax.enable_x64(True):
        for voltages in (moved, anywhere):
            found = kirchhoff_residual(network, sources, voltages, held)
            for k, told in enumerate(np.asarray(found)):
                expected = layered_by_hand(network, sources[k], [v[k] for v in voltages], held.injected[k])
                assert told == pytest.approx(expected, rel=1e-6, abs=1e-11)


@pytest.mark.parametrize("clamped", [False, True])
def test_what_is_attached_to_the_outputs_is_judged_with_it(clamped: bool) -> None:
    # A lattice is linear: its states, nudged or clamped, come from its conductance matrix, without a solver of this package.
    circuit, beta = square_lattice(2, 2, side=5, seed=1), 0.3
    inputs, target = RANDOM.uniform(-1, 1, (2, 2)), RANDOM.uniform(-1, 1, (2, 2))
    sources = np.asarray(circuit.sources(inputs))
    (ends,) = circuit.branches
    incidence = np.zeros((len(ends.first), circuit.nodes))
    np.add.at(incidence, (np.arange(len(ends.first)), ends.first), 1.0)
    np.add.at(incidence, (np.arange(len(ends.first)), ends.second), -1.0)
    conductances = incidence.T @ np.diag(np.asarray(ends.element.conductance)) @ incidence
    read = np.eye(circuit.nodes)[circuit.output] - np.eye(circuit.nodes)[circuit.reference]
    free, held = circuit.tied.root, np.asarray(circuit.offsets(sources))
    if clamped:
        nudge = Clamp(target)
        matrix = np.block([[conductances[np.ix_(free, free)], read[:, free].T], [read[:, free], np.zeros((2, 2))]])
        right = np.concatenate([-(held @ conductances)[:, free], target - held @ read.T], 1)
    else:
        nudge = EnergyNudge(SquaredError(), np.full((2, 1), beta), target, False)  # type: ignore[arg-type]
        stiffened = conductances + beta * read.T @ read
        matrix = stiffened[np.ix_(free, free)]
        right = (beta * target @ read - held @ stiffened)[:, free]
    voltages = held.copy()
    voltages[:, free] = np.linalg.solve(matrix, right.T).T[:, : len(free)]
    assert kirchhoff_residual(circuit, sources, voltages, nudge).max() < 1e-12
    assert kirchhoff_residual(circuit, sources, voltages).min() > 1e-3, "without what is attached"
