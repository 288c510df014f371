"""Large linear systems: conjugate gradients and factors, the choice between them, and that it changes no answer."""

import numpy as np
import pytest

from mho.networks import Circuit, CircuitBuilder
from mho.networks.diode_graph import diode_graph, random_edges
from mho.networks.lattice import lattice_edges
from mho.networks.wired_crossbar import wired_crossbar
from mho.steady import linear_solvers
from mho.steady.newton import solve_circuit


def square(side: int, field: float = 0.6) -> Circuit:
    first, second = lattice_edges((side, side), diagonals=True)
    number = np.arange(1, side**2 + 1).reshape(side, side)
    driven = np.concatenate([number[:, 0], number[:, -1]])
    volts = np.repeat([field * side, 0.0], side)
    return diode_graph(first, second, driven=driven, voltages=volts, diodes=len(first) // 10, seed=0)


def spread(nodes: int) -> Circuit:
    """Conductances over nine decades, and diodes that tie nodes."""
    random = np.random.default_rng(3)
    first, second = random_edges(nodes, 3 * nodes, seed=3)
    builder = CircuitBuilder()
    builder.add_resistors(first, second, 10 ** random.uniform(-9, 0, len(first)))
    builder.add_diodes(*random.integers(1, nodes + 1, (2, nodes // 5)))
    driven = random.choice(np.arange(1, nodes + 1), 20, replace=False)
    builder.add_voltage_sources(driven, 0, random.uniform(-5, 5, 20), [f"v{n}" for n in driven])
    return builder.build()


@pytest.mark.parametrize("circuit", [square(30), square(20, field=20.0), spread(2000)], ids=["knee", "far", "spread"])
def test_choice_changes_no_answer(circuit, monkeypatch):
    expected = solve_circuit(circuit, method="superlu").voltages
    found = [solve_circuit(circuit), solve_circuit(circuit, method="cg")]
    monkeypatch.setattr(linear_solvers, "factor_cost", lambda *_: (0.0, 0.0))
    found.append(solve_circuit(circuit))
    assert found[-1].factorisations > 0 == found[1].factorisations
    for solution in found:
        assert solution.residual <= 1e-9
        np.testing.assert_allclose(solution.voltages, expected, rtol=1e-7, atol=1e-9)


def test_random_graph_is_not_factored_and_a_large_one_never():
    first, second = random_edges(5000, 22_000, seed=0)
    driven = np.arange(1, 51)
    circuit = diode_graph(first, second, driven=driven, voltages=np.linspace(-3, 3, 50), diodes=2000, seed=0)
    solution = solve_circuit(circuit)
    assert solution.factorisations == 0 and solution.gradient_steps < 60 * solution.steps
    first, second = random_edges(60_000, 240_000, seed=0)
    assert linear_solvers.factor_cost(first - 1, second - 1, 60_000)[1] > linear_solvers.ENVELOPE_LIMIT


def test_wires_of_many_segments_take_few_steps():
    random = np.random.default_rng(0)
    circuit = wired_crossbar(random.uniform(1e-5, 1e-4, (60, 60)), word_wire=1.0, bit_wire=1.0)
    inputs = random.uniform(0, 1, 60)
    solution = solve_circuit(circuit, inputs)
    assert solution.factorisations == 0 and solution.gradient_steps <= 30
    expected = solve_circuit(circuit, inputs[None], method="superlu")
    assert expected.factorisations.shape == (1,) and expected.factorisations[0] > 0
    np.testing.assert_allclose(solution.voltages, expected.voltages[0], rtol=1e-7, atol=1e-9)


def test_factors_serve_a_batch(monkeypatch):
    monkeypatch.setattr(linear_solvers, "factor_cost", lambda *_: (0.0, 0.0))
    random = np.random.default_rng(0)
    circuit = wired_crossbar(random.uniform(1e-5, 1e-4, (20, 20)), word_wire=1.0, bit_wire=1.0)
    batch = solve_circuit(circuit, random.uniform(0, 1, (6, 20)))
    assert batch.factorisations.tolist() == [1, 0, 0, 0, 0, 0]
