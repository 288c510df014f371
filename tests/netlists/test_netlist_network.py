"""Netlists as networks that learn: gradients against each other and against differences, sources of currents, sweeps."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mho.experiments.configuration import NetlistConfiguration
from mho.experiments.sweep import sweep
from mho.experiments.training import train
from mho.learning import EquilibriumPropagation, ImplicitGradient, apply_updates
from mho.netlists import parse_netlist
from mho.netlists.circuits.network import netlist_network
from mho.netlists.writing.network_netlist import write_netlist
from mho.precision import double
from mho.steady import Auto, NodalNewton, kirchhoff_residual, solve
from referee import batch_voltages

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

X, Y = np.array([[0.4, -0.7], [-0.9, 0.2]]), np.array([[0.1], [-0.2]])


def random_text(seed: int) -> str:
    """Resistors and diodes at random between a voltage input, a current input and a supply, behind them an amplifier."""
    random = np.random.default_rng(seed)
    nodes = ["x1", "b", *"acd"]
    pairs = [(p, q) for i, p in enumerate(nodes) for q in nodes[i + 1 :] if q not in ("b",) and random.random() < 0.7]
    pairs += [("x1", "a"), ("a", "c"), ("c", "d")]
    cards = [f"R{k} {p} {q} {random.uniform(0.5, 5):.3f}k" for k, (p, q) in enumerate(pairs)]
    cards += [f"D{k} {p} {q} dm" for k, (p, q) in enumerate(random.permutation([["a", "0"], ["c", "d"], ["0", "d"]]))]
    loaded = ["E1 far 0 d 0 2.5", "F1 0 d E1 0.4", "Rout far out 1k", "Rload out 0 3k"]
    sources = ["Vx1 x1 0 1", "Ix2 0 c 1m", "Vb b 0 1.5", ".model dm d(is=1u)"]
    return "\n".join(["a random netlist", *cards, *loaded, *sources, ".end\n"])


def network(text: str) -> Any:
    roles: dict[str, Any] = {"inputs": "vx1,ix2", "outputs": "out:far", "programmable": "r*", "input_gain": (1.0, 1e-3)}
    return netlist_network(parse_netlist(text), **roles)


def gradient_of(rule: Any, circuit: Any) -> np.ndarray:
    found = rule.gradient(circuit, jnp.asarray(X), jnp.asarray(Y), trained=("conductance",))
    return found.by_parameter.branches[0].element.conductance


@pytest.fixture(scope="module")
def wired() -> tuple[Any, Any]:
    """A random netlist's network, and gradients compiled once for it."""
    return network(random_text(3)), double(eqx.filter_jit(gradient_of))


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6))
def test_equilibrium_propagation_is_the_implicit_derivative_with_and_without_the_energy(wired: Any, seed: int) -> None:
    base, compiled = wired
    assert base.ties is not None
    values = np.random.default_rng(seed).uniform(2e-4, 2e-3, len(base.branches[0].first))
    circuit = eqx.tree_at(lambda c: c.branches[0].element.conductance, base, values)
    exact = compiled(ImplicitGradient(solver=Auto(1e-11)), circuit)
    nudged = compiled(EquilibriumPropagation(beta=1e-7, solver=Auto(1e-11)), circuit)
    np.testing.assert_allclose(nudged, exact, atol=1e-5 * np.abs(exact).max(), rtol=0)
    # By the adjoint of modified nodal analysis, which knows of no energy. An amplifier's gain weighs all before it.
    nodal = double(gradient_of)(ImplicitGradient(solver=NodalNewton()), dataclasses.replace(circuit, ties=None))
    np.testing.assert_allclose(nodal, exact, atol=1e-7 * np.abs(exact).max(), rtol=0)


FOLLOWER = """a transistor and an operational amplifier
Vx1 x1 0 0
Ix2 0 a 0
Vcc vcc 0 5
R1 x1 a 5k
R2 vcc a 10k
Q1 vcc a e qn
R3 e 0 4k
E1 out 0 ref inv 1e4
Rf inv out 10k
Ri e inv 10k
Rr a ref 20k
Rfixed ref 0 1g
.model qn npn(bf=100 is=1e-15)
.end
"""


def test_what_has_no_energy_learns_by_its_adjoint_and_comes_back_as_its_text(tmp_path: Path) -> None:
    roles: dict[str, Any] = {"inputs": ["vx1", "ix2"], "outputs": ["out"], "programmable": ["r[123]", "rf"]}
    circuit = netlist_network(parse_netlist(FOLLOWER), input_gain=[1.0, 1e-4], **roles)
    assert circuit.ties is None
    found = double(gradient_of)(ImplicitGradient(solver=NodalNewton()), circuit)

    def where(c: Any) -> Any:
        return c.branches[0].element.conductance

    def cost(g: np.ndarray) -> float:
        point = solve(eqx.tree_at(where, circuit, g), X)
        return float(np.mean(0.5 * (circuit.prediction(point.voltages) - Y) ** 2))

    values = where(circuit)
    for k, step in enumerate(1e-4 * np.diag(values)):
        slope = (cost(values + step) - cost(values - step)) / (2 * step[k])
        assert found[k] == pytest.approx(slope, rel=1e-4, abs=1e-6 * np.abs(found).max())
    point = solve(circuit, X)
    assert np.max(kirchhoff_residual(circuit, circuit.sources(X), point.voltages)) < 1e-9
    # An update moves the programmable resistors alone: the fixed one is below what devices can be set to.
    updates: Any = eqx.filter(circuit, lambda _: False)
    updates = eqx.tree_at(where, updates, 0.5 * values, is_leaf=lambda x: x is None)
    moved = double(apply_updates)(circuit, updates)
    assert moved.branches[1].element.conductance[-1] == 1e-9
    text = write_netlist(moved, X[0])
    assert "Rfixed ref 0 1g\n" in text and "Ix2 0 a -6.99" in text
    theirs, ours = batch_voltages(text, tmp_path), solve(moved, X[:1]).voltages[0]
    for node, volts in theirs.items():
        assert moved.voltage(ours, node) == pytest.approx(volts, rel=1e-6, abs=1e-6)
    with pytest.raises(Exception, match="'resistors' are not its netlist's"):
        changed = eqx.tree_at(lambda c: c.branches[1].element.conductance, moved, np.full(3, 2e-9))
        write_netlist(changed)


def test_a_netlist_is_swept_as_it_is_trained(tmp_path: Path) -> None:
    # Resistors alone, which compile much faster.
    cards = [card for card in random_text(1).splitlines(keepends=True) if card[0] != "D"]
    (tmp_path / "own.cir").write_text("".join(cards))
    configuration = NetlistConfiguration(
        netlist=str(tmp_path / "own.cir"),
        dataset="linear",
        inputs=("vx1", "ix2"),
        outputs=("out",),
        programmable=("r*",),
        input_gain=(1.0, 1e-3),
        batch_size=20,
        epochs=1,
        rule="implicit",
        rtol=1e-8,
        learning_rates=(1e-6,),
    )
    members = sweep(configuration, {"learning_rates": [(1e-6,)]}, seeds=[0, 1], progress=False)
    trained = train("own.cir", dataclasses.replace(configuration, seed=1), tmp_path / "run").metrics
    assert members[1].train_loss == pytest.approx([trained[0]["train_loss"]], rel=1e-9)
    assert members[1].test_error == pytest.approx([trained[0]["test_error"]], rel=1e-6)
