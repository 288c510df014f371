"""Learning on general circuits: gradients against finite differences, coupled learning against its formula, trainings."""

import equinox as eqx
import jax
import numpy as np
import pytest

from mho.elements import PiecewiseDiode, ShockleyDiode
from mho.errors import InputError
from mho.learning import CoupledLearning, EquilibriumPropagation, ImplicitGradient
from mho.networks import Circuit, CircuitBuilder
from mho.precision import double
from mho.steady import Auto, solve
from mho.steady.newton import solve_circuit

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

INPUTS = np.array([[-1.0, 0.3], [0.6, -0.8], [1.0, 1.0]])
TARGETS = np.array([[0.1], [0.2], [-0.1]])
TRAINED = ("conductance", "element")


def amplified() -> Circuit:
    """Sources at ±x, diodes between nodes and to ground, an amplifier before the outputs."""
    random = np.random.default_rng(0)
    builder = CircuitBuilder()
    rails = ["p0", "m0", "p1", "m1"]
    builder.add_voltage_sources(rails, [0] * 4, np.zeros(4), [f"v{r}" for r in rails])
    builder.set_inputs([f"v{r}" for r in rails], features=[0, 0, 1, 1], gains=[1.0, -1.0, 1.0, -1.0])
    pairs = [(r, h) for r in rails for h in ("a", "b", "c")] + [("a", "b"), ("b", "c")]
    values = random.uniform(0.1e-3, 1e-3, len(pairs))
    builder.add_resistors([p for p, _ in pairs], [q for _, q in pairs], values, programmable=True)
    diode = ShockleyDiode(np.full(2, 1e-6), np.ones(2), np.zeros(2), np.ones(2))
    builder.add_elements(["a", "b"], ["0", "c"], diode, name="diodes")
    builder.add_amplifiers(["c"], ["far"], 3.0)
    tail = (["far", "o1", "o1", "o2"], ["o1", 0, "o2", 0])
    builder.add_resistors(
        [*tail[0]], [str(n) for n in tail[1]], [1e-3, 2e-3, 1e-3, 5e-4], name="tail", programmable=True
    )
    builder.set_outputs("o1", references=["o2"])
    return builder.build()


@double
@eqx.filter_jit
def implicit(circuit, inputs, targets):
    return ImplicitGradient(solver=Auto(1e-11)).gradient(circuit, inputs, targets, trained=TRAINED)


def leaves(gradient) -> list[np.ndarray]:
    return jax.tree.leaves(gradient.by_parameter)


def test_implicit_gradient_is_the_finite_difference():
    circuit = amplified()
    slope = implicit(circuit, INPUTS, TARGETS).by_parameter

    def cost(circuit: Circuit) -> float:
        v = solve_circuit(circuit, INPUTS, rtol=1e-12).voltages
        return float(np.mean(0.5 * (circuit.prediction(v) - TARGETS) ** 2))

    places = [
        (lambda c: c.branches[0].element.conductance, 5),
        (lambda c: c.branches[0].element.conductance, 12),
        (lambda c: c.branches[2].element.conductance, 1),
        (lambda c: c.branches[1].element.saturation_current, 0),
        (lambda c: c.branches[1].element.bias, 1),
        (lambda c: c.branches[1].element.ideality, 1),
    ]
    for where, entry in places:
        value = np.asarray(where(circuit))
        h = 1e-5 * (abs(value[entry]) or 1.0)
        step = h * np.eye(len(value))[entry]
        up, down = (cost(eqx.tree_at(where, circuit, value + s * step)) for s in (1, -1))
        assert where(slope)[entry] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-12)


@pytest.mark.parametrize(
    ("variant", "nudging", "tolerance"),
    [("negative", "held", 2e-3), ("centred", "energy", 1e-6)],
)
def test_equilibrium_propagation_tends_to_the_gradient(variant, tolerance, nudging):
    @double
    @eqx.filter_jit
    def propagate(circuit, inputs, targets):
        rule = EquilibriumPropagation(beta=1e-7, variant=variant, nudging=nudging, solver=Auto(1e-11))
        return rule.gradient(circuit, inputs, targets, trained=TRAINED)

    circuit = amplified()
    found = propagate(circuit, INPUTS, TARGETS)
    assert found.unconverged == 0
    for ours, exact in zip(leaves(found), leaves(implicit(circuit, INPUTS, TARGETS)), strict=True):
        np.testing.assert_allclose(ours, exact, atol=tolerance * np.abs(exact).max() + 1e-15, rtol=0)


def test_coupled_learning_is_the_contrast_of_two_solved_circuits():
    circuit, eta = amplified(), 0.1
    rule = double(eqx.filter_jit(CoupledLearning(eta=eta, solver=Auto(1e-11)).gradient))
    found = rule(circuit, INPUTS, TARGETS).by_parameter.branches[0].element.conductance
    contrasts = [coupled_contrast(circuit, eta, x, y) for x, y in zip(INPUTS, TARGETS, strict=True)]
    np.testing.assert_allclose(found, np.mean(contrasts, 0), rtol=1e-6, atol=1e-9)


def coupled_contrast(circuit: Circuit, eta: float, inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(1/η) [½ (Δv)² clamped − ½ (Δv)² free] of the first resistors, for one sample."""
    free = solve_circuit(circuit, inputs).voltages
    # The outputs are held apart by the clamping voltage: the second output is tied to the first.
    aim = circuit.prediction(free) + eta * (target - circuit.prediction(free))
    builder = CircuitBuilder()
    for name, v in zip(["p0", "m0", "p1", "m1"], np.outer(inputs, [1.0, -1.0]).ravel(), strict=True):
        builder.add_voltage_source(name, 0, float(v), name=f"v{name}")
    names = circuit.node_names
    for branch in circuit.branches:
        ends = [[names[int(n)] for n in side] for side in (branch.first, branch.second)]
        builder.add_elements(*ends, branch.element, name=branch.name)
    builder.add_amplifiers(["c"], ["far"], 3.0)
    builder.add_voltage_source("o1", "o2", float(aim[0]), name="clamp")
    held = builder.build()
    solved = solve_circuit(held).voltages
    clamped = np.array([held.voltage(solved, names[k]) for k in range(circuit.nodes)])
    drops = [(v[circuit.branches[0].first] - v[circuit.branches[0].second]) for v in (clamped, free)]
    # The output's gain of 3 weighs the energy before it 9 times the energy behind it.
    return 9.0 / eta * 0.5 * (drops[0] ** 2 - drops[1] ** 2)


def test_bad_settings_are_refused():
    circuit = amplified()
    with pytest.raises(InputError, match="η = 0"):
        CoupledLearning(eta=0.0)
    with pytest.raises(InputError, match="cannot train 'gain'"):
        ImplicitGradient().gradient(circuit, INPUTS, TARGETS, trained=("gain",))


def test_piecewise_diode_in_a_circuit():
    builder = CircuitBuilder()
    builder.add_voltage_source("in", 0, 2.0, name="v")
    builder.add_resistors("in", "out", 1e-3)
    kinked = [np.array([x]) for x in (1e2, 1e6, 0.5, 1.0)]
    builder.add_elements("out", 0, PiecewiseDiode(*kinked), name="kinked")
    v = solve_circuit(builder.build()).voltages[2]
    # 1 mS (2 − v) = v/1 MΩ + (v − ½)(10 mS − 1 µS)
    assert v == pytest.approx((2e-3 + 0.5 * (1e-2 - 1e-6)) / (1e-3 + 1e-2), rel=1e-12)


def test_jax_differentiates_through_a_circuits_solve():
    """By elements and by inputs, against differences of certified operating points."""
    circuit = jax.tree.map(np.asarray, amplified())

    def cost(inputs):
        solution = solve(circuit, inputs, solver=None if isinstance(inputs, np.ndarray) else Auto(1e-12))
        return ((circuit.prediction(solution.voltages) - TARGETS) ** 2).sum()

    slope = double(jax.jit(jax.grad(cost)))(INPUTS)
    for place in np.ndindex(INPUTS.shape):
        step = np.zeros_like(INPUTS)
        step[place] = 1e-5
        assert slope[place] == pytest.approx((cost(INPUTS + step) - cost(INPUTS - step)) / 2e-5, rel=1e-6)
