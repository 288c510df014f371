"""Newton's method on general circuits: ngspice is the referee; every method, any start, no global switch."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st

from mho.elements import JunctionDiode
from mho.errors import InputError, MhoError
from mho.networks import Circuit, CircuitBuilder
from mho.steady import many_points, newton
from mho.steady.energy_descent import descend
from mho.steady.linear_solvers import Work, linear_solver
from mho.steady.newton import solve_circuit
from mho.steady.reduced_system import reduced_system
from referee import spice_operating_point

NODES, DIODES, CHORDS = 9, 6, 6
SOURCES = [("v0", 1, 0, 3.0), ("v1", 2, 3, -2.0), ("v2", 3, 4, 1.5)]


def random_circuit(seed: int, *, controlled: bool, volts: float = 1.0) -> tuple[Circuit, str]:
    """A connected random circuit and its netlist; all of one shape, for one compilation."""
    random = np.random.default_rng(seed)
    builder, cards = CircuitBuilder(), ["a random circuit"]
    tree = [int(random.integers(0, k)) for k in range(1, NODES + 1)]
    a = np.concatenate([np.arange(1, NODES + 1), random.integers(1, NODES + 1, CHORDS)])
    b = np.concatenate([tree, random.integers(0, NODES + 1, CHORDS)])
    g = 10 ** random.uniform(-5, -1, len(a))
    builder.add_resistors(a, b, g)
    cards += [f"R{k} {a[k]} {b[k]} {1 / g[k]:.17g}" for k in range(len(a))]
    p, q = random.integers(0, NODES + 1, DIODES), random.choice([5, 6, 9], DIODES)  # none across the sources
    builder.add_diodes(
        p, q, JunctionDiode.from_model(saturation_current=1e-12, ideality=1.3, breakdown_voltage=6.0, reltol=1e-9)
    )
    cards += [".model M D(IS=1e-12 N=1.3 BV=6)", *(f"D{k} {p[k]} {q[k]} M" for k in range(DIODES))]
    for name, plus, minus, voltage in SOURCES:
        builder.add_voltage_source(plus, minus, volts * voltage, name=name)
        cards.append(f"{name} {plus} {minus} {volts * voltage:.17g}")
    builder.add_current_sources(5, 6, 1e-4)
    cards.append("I0 5 6 1e-4")
    if controlled:
        # Controlled from a stage of their own: with feedback there may be several operating points.
        builder.add_voltage_source("s", 0, 1.0, name="vs")
        builder.add_resistors("s", "t", 1e-3, name="stage")
        builder.add_diodes("t", 0, JunctionDiode.from_model(series_resistance=5.0), name="stage diode")
        cards += ["vs s 0 1", "Rs s t 1k", "DS t 0 MS", ".model MS D(RS=5)"]
        builder.add_vcvs(7, 0, "t", "s", -2.0, name="e0")
        builder.add_vccs(8, 9, "t", 0, 1e-3, name="g0")
        builder.add_cccs(9, 0, "vs", 0.5, name="f0")
        builder.add_ccvs(8, 4, "vs", 30.0, name="h0")
        cards += ["E0 7 0 t s -2", "G0 8 9 t 0 1e-3", "F0 9 0 vs 0.5", "H0 8 4 vs 30"]
    builder.set_inputs([name for name, *_ in SOURCES])
    return builder.build(), "\n".join([*cards, ".end"])


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), controlled=st.booleans())
def test_operating_points_are_those_of_ngspice(seed, controlled):
    circuit, netlist = random_circuit(seed, controlled=controlled)
    ours = solve_circuit(circuit)
    theirs = spice_operating_point(netlist)
    assert ours.residual <= 1e-9
    for k in range(1, circuit.nodes):
        voltage = theirs.voltages[circuit.node_names[k]]
        assert ours.voltages[k] == pytest.approx(voltage, rel=1e-7, abs=1e-7)
    for k, (name, *_) in enumerate(SOURCES):
        assert ours.source_currents[k] == pytest.approx(theirs.branches[name], rel=1e-6, abs=1e-11)


@pytest.mark.parametrize("controlled", [False, True])
def test_methods_agree(controlled):
    circuit, _ = random_circuit(4, controlled=controlled)
    methods = ["dense", "superlu"] if controlled else ["dense", "superlu", "cg"]
    first, *others = (solve_circuit(circuit, method=m).voltages for m in methods)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-9, atol=1e-12)


def test_any_start_and_any_bias_lead_there():
    circuit, _ = random_circuit(7, controlled=False)
    from_rest = solve_circuit(circuit).voltages
    start = np.random.default_rng(0).uniform(-1e3, 1e3, circuit.nodes)
    np.testing.assert_allclose(solve_circuit(circuit, start=start).voltages, from_rest, rtol=1e-8, atol=1e-10)
    assert solve_circuit(circuit, start=from_rest).steps <= 2
    builder = CircuitBuilder()
    builder.add_voltage_source("far", 0, 1e6, name="v")
    builder.add_resistors("far", "near", 1e-3)
    builder.add_diodes("near", 0)
    # 1 kA into a diode of 10 fA: V_T ln(1e17), to the share that gmin and the diode's own volt leave.
    near = solve_circuit(builder.build())
    expected = 0.025864917007157463 * np.log((1e6 - near.voltages[2]) * 1e-3 / 1e-14)
    assert near.voltages[2] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), controlled=st.booleans())
def test_a_batch_is_its_samples_whoever_is_beside_them(seed, controlled):
    circuit, _ = random_circuit(seed, controlled=controlled)
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(5, len(SOURCES))) * 10 ** random.uniform(-1, 1, (5, 1))
    try:
        batch = solve_circuit(circuit, inputs)
    except MhoError as refused:
        # Inputs may drive a diode between sources beyond what its law means anything for.
        assert "no physical operating point" in str(refused)
        reject()
    np.testing.assert_array_equal(solve_circuit(circuit, inputs[[3, 1]]).voltages, batch.voltages[[3, 1]])
    assert batch.voltages.shape == batch.error_bound.shape == (5, circuit.nodes) and (batch.residual <= 1e-9).all()
    for k, one in enumerate(solve_circuit(circuit, row) for row in inputs):
        assert (np.abs(batch.voltages[k] - one.voltages) <= batch.error_bound[k] + one.error_bound).all()
        np.testing.assert_allclose(batch.source_currents[k], one.source_currents, rtol=1e-6, atol=1e-11)


def test_what_a_batch_does_not_find_is_found_alone_or_refused(monkeypatch):
    circuit, _ = random_circuit(7, controlled=False)
    inputs = np.linspace(-1, 1, 6).reshape(2, 3)
    alone = [solve_circuit(circuit, row) for row in inputs]
    monkeypatch.setattr(many_points, "_STEPS", 2)
    for found, one in zip(solve_circuit(circuit, inputs).voltages, alone, strict=True):
        np.testing.assert_array_equal(found, one.voltages)
    with pytest.raises(MhoError, match="no operating point"):
        solve_circuit(circuit, np.array([[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]]))


def test_refusals():
    circuit, _ = random_circuit(0, controlled=True)
    with pytest.raises(InputError, match="method 'lu'"):
        solve_circuit(circuit, method="lu")  # pyright: ignore
    with pytest.raises(InputError, match="has no energy"):
        solve_circuit(circuit, method="cg")


def test_unconverged_results_are_refused(monkeypatch):
    circuit, _ = random_circuit(7, controlled=False)
    monkeypatch.setattr(newton, "_LIMITED_STEPS", 2)
    monkeypatch.setattr(newton, "_STEPS_AN_ELEMENT", 0)
    monkeypatch.setattr(newton, "_SEARCH_STEPS", 0)
    with pytest.raises(MhoError, match=r"no operating point found in \d+ iterations, by Newton's method, .* at node"):
        solve_circuit(circuit)


@pytest.mark.parametrize("seed", range(5))
def test_line_search_on_the_energy_finds_it_alone(seed):
    circuit, _ = random_circuit(seed, controlled=False)
    expected = solve_circuit(circuit).voltages
    sources = np.asarray(circuit.source_voltage)
    system = reduced_system(circuit, sources)
    linear = linear_solver(system, "dense", symmetric=True, work=Work())
    free = (expected - circuit.offsets(sources))[circuit.tied.root]
    away = free + np.random.default_rng(seed).uniform(-0.3, 0.3, system.size)
    found, steps = descend(system, linear, away, 1e-9, 300)
    assert found is not None and steps > 1
    np.testing.assert_allclose(found[0], free, rtol=1e-8, atol=1e-10)


def test_solving_flips_no_global_switch():
    script = (
        "import jax; from mho.networks import CircuitBuilder; from mho.steady.newton import solve_circuit\n"
        "b = CircuitBuilder(); b.add_voltage_source(1, 0, 1.0, name='v'); b.add_resistors([1, 2], [2, 0], [1.0, 1.0])\n"
        "before = dict(jax.config.values); v = solve_circuit(b.build()).voltages\n"
        "changed = {k for k, x in jax.config.values.items() if x != before[k]}\n"
        "assert v[2] == 0.5 and v.dtype == 'float64' and not changed, changed"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**_environment()})
    assert not jax.config.jax_enable_x64


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@settings(max_examples=20, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6), volts=st.floats(1.0, 5.0), far=st.floats(0.0, 1e6))
def test_monotone_circuits_are_solved_from_any_start(seed, volts, far):
    circuit, _ = random_circuit(seed, controlled=False, volts=volts)
    expected = solve_circuit(circuit)
    start = np.random.default_rng(seed).uniform(-far, far, circuit.nodes)
    again = solve_circuit(circuit, start=start)
    np.testing.assert_allclose(again.voltages, expected.voltages, rtol=1e-7, atol=1e-9 * volts)
