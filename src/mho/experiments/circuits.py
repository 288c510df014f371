"""Small trainings on general circuits: plain functions, each a data set, a circuit, a rule and its settings.

Random graphs learn by equilibrium propagation; square lattices by coupled learning, as the circuits of Stern, Hexner,
Rocks and Liu 2021 (Phys. Rev. X 11, 021045) and of Dillavou et al. 2022 (Phys. Rev. Applied 18, 014040) do.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mho.elements import ShockleyDiode
from mho.errors import MhoError
from mho.experiments.data import load_dataset
from mho.learning import SquaredError, apply_updates, coordinate_slope
from mho.learning.circuit_learning import circuit_equilibrium_propagation, coupled_learning
from mho.learning.gradient import Gradient
from mho.networks import Circuit, CircuitBuilder
from mho.precision import double
from mho.steady.dense_newton import settle_circuit

Rule = Callable[[Circuit, Array, Array], Gradient]

_RTOL = 1e-8


class Trained(eqx.Module):
    """A trained circuit and how well it does."""

    circuit: Circuit
    costs: np.ndarray
    """Mean cost of each step's batch, before the step, (steps,)."""
    train_error: float
    """Fraction of samples in the wrong class; in a regression the mean squared error over the targets' variance."""
    test_error: float


@double
def train_circuit(
    circuit: Circuit,
    rule: Rule,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    batch: int | None = None,
    seed: int = 0,
) -> tuple[Circuit, np.ndarray]:
    """Train a circuit in one compiled loop.

    Args:
        circuit: the circuit.
        rule: gradient of a batch: a learning rule with its settings.
        inputs: (samples, features).
        targets: (samples, outputs) [V].
        optimizer: an Optax transformation, learning rate and sign included.
        steps: updates.
        batch: samples an update; all of them if None.
        seed: of the batches.

    Returns:
        The trained circuit and each step's cost.

    Raises:
        MhoError: if a steady state did not converge.
    """

    @eqx.filter_jit
    def run(circuit: Circuit, inputs: Array, targets: Array, keys: Array) -> tuple[Any, Array, Array]:
        fixed = eqx.filter(circuit, eqx.is_array, inverse=True)

        def step(carry: tuple, key: Array) -> tuple[tuple, tuple[Array, Array]]:
            arrays, state = carry
            here = eqx.combine(arrays, fixed)
            x, y = inputs, targets
            if batch is not None:
                chosen = jax.random.choice(key, len(inputs), (batch,), replace=False)
                x, y = inputs[chosen], targets[chosen]
            gradient = rule(here, x, y)
            slope: Any = coordinate_slope(here, gradient.by_parameter)
            updates, state = optimizer.update(slope, state)
            moved: Any = apply_updates(here, updates)  # pyright: ignore[reportArgumentType]
            return (eqx.filter(moved, eqx.is_array), state), (gradient.cost, gradient.unconverged)

        slope = eqx.filter_eval_shape(rule, circuit, inputs[:1], targets[:1]).by_parameter
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), slope)
        start = (eqx.filter(circuit, eqx.is_array), optimizer.init(zeros))
        (arrays, _), (costs, unconverged) = lax.scan(step, start, keys)
        return arrays, costs, jnp.sum(unconverged)

    whole = jax.tree.map(jnp.asarray, circuit)
    arrays, costs, unconverged = run(
        whole, jnp.asarray(inputs), jnp.asarray(targets), jax.random.split(jax.random.key(seed), steps)
    )
    if int(unconverged):
        raise MhoError(f"{int(unconverged)} steady states did not converge to {_RTOL:g} during the training")
    return eqx.combine(arrays, eqx.filter(whole, eqx.is_array, inverse=True)), np.asarray(costs)


@double
def predict(circuit: Circuit, inputs: np.ndarray) -> np.ndarray:
    """Predictions of a circuit [V], (samples, outputs).

    Raises:
        MhoError: if a steady state did not converge.
    """
    point = settle_circuit(circuit, circuit.sources(jnp.asarray(inputs)), rtol=_RTOL)
    worst = float(jnp.max(point.residual))
    if not worst <= _RTOL:
        raise MhoError(f"a steady state did not converge: residual {worst:.3g}, tolerance {_RTOL:g}")
    return np.asarray(circuit.prediction(point.voltages))


def random_graph(
    features: int,
    outputs: int,
    *,
    hidden: int,
    diodes: int,
    seed: int,
    density: float = 0.6,
    conductance: float = 1e-3,
) -> Circuit:
    """Sources at ±x and ±1 V, hidden nodes and pairs of output nodes, joined at random by programmable resistors and diodes.

    Args:
        features: features of the input.
        outputs: predictions, each the difference of two nodes.
        hidden: hidden nodes.
        diodes: diodes, each between two random hidden nodes or a hidden node and ground, in random direction.
        seed: of the graph and of the conductances.
        density: share of the possible resistors (source to hidden, hidden to hidden, any to output) that there are.
        conductance: the mean of the first conductances, which are uniform between 0.1 and 1.9 times it [S].
    """
    random = np.random.default_rng(seed)
    builder = CircuitBuilder()
    signs = [(name, sign) for name in [*(f"x{i}" for i in range(features)), "one"] for sign in (1.0, -1.0)]
    rails = [f"{name}{'p' if sign > 0 else 'm'}" for name, sign in signs]
    held = [sign if name == "one" else 0.0 for name, sign in signs]
    builder.add_voltage_sources(rails, ["0"] * len(rails), held, [f"v{rail}" for rail in rails])
    builder.set_inputs(
        [f"v{rail}" for rail in rails[:-2]],
        features=np.repeat(np.arange(features), 2).tolist(),
        gains=[sign for _, sign in signs[:-2]],
    )
    inner = [f"h{i}" for i in range(hidden)]
    plus, minus = [f"out{i}p" for i in range(outputs)], [f"out{i}m" for i in range(outputs)]
    pairs = [(a, b) for a in rails for b in inner]
    pairs += [(a, b) for i, a in enumerate(inner) for b in inner[i + 1 :]]
    pairs = [pair for pair in pairs if random.random() < density]
    # The nodes' first resistors make the graph connected whatever is drawn.
    pairs += [(rails[int(random.integers(len(rails)))], node) for node in inner]
    pairs += [(a, b) for a in inner for b in plus + minus]
    first, second = zip(*pairs, strict=True)
    values = conductance * random.uniform(0.1, 1.9, len(pairs))
    builder.add_resistors(first, second, values, programmable=True, lower=1e-3 * conductance)
    ends = [random.choice([*inner, "0"], 2, replace=False) for _ in range(diodes)]
    parameters: Any = (np.full(diodes, 1e-6), np.ones(diodes), np.zeros(diodes), np.ones(diodes))
    builder.add_elements(
        [str(a) for a, _ in ends],
        [str(b) for _, b in ends],
        ShockleyDiode(*parameters),
        name="diodes",
    )
    builder.set_outputs(plus, references=minus)
    return builder.build()


def square_lattice(side: int, sources: list[int], outputs: list[int], *, seed: int) -> Circuit:
    """A square lattice of programmable resistors, `side`² nodes named 1, 2, …; source k stands at feature k's voltage.

    Args:
        side: nodes along each edge.
        sources: nodes that voltage sources hold; those beyond the features of the input stay at 0 V.
        outputs: nodes whose voltages are the prediction.
        seed: of the conductances, uniform between 0.5 and 1.5 S.
    """
    builder = CircuitBuilder()
    number = np.arange(1, side * side + 1).reshape(side, side)
    first = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    second = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    conductance = np.random.default_rng(seed).uniform(0.5, 1.5, len(first))
    builder.add_resistors(first, second, conductance, programmable=True, lower=1e-3)
    names = [f"v{node}" for node in sources]
    builder.add_voltage_sources(sources, [0] * len(sources), np.zeros(len(sources)), names)
    builder.set_inputs(names)
    builder.set_outputs(outputs)
    return builder.build()


def _equilibrium(beta: float) -> Rule:
    def rule(circuit: Circuit, inputs: Array, targets: Array) -> Gradient:
        return circuit_equilibrium_propagation(circuit, inputs, targets, SquaredError(), beta=beta, rtol=_RTOL)

    return rule


def _coupled(eta: float) -> Rule:
    def rule(circuit: Circuit, inputs: Array, targets: Array) -> Gradient:
        return coupled_learning(circuit, inputs, targets, eta=eta, rtol=_RTOL)

    return rule


def _adam(rate: float) -> optax.GradientTransformation:
    return optax.chain(optax.scale_by_adam(), optax.scale(-rate))


def _wrong(circuit: Circuit, inputs: np.ndarray, labels: np.ndarray) -> float:
    prediction = predict(circuit, inputs)
    chosen = (prediction[:, 0] > 0).astype(int) if prediction.shape[1] == 1 else prediction.argmax(1)
    return float(np.mean(chosen != labels))


def _unexplained(circuit: Circuit, inputs: np.ndarray, targets: np.ndarray, variance: float) -> float:
    return float(np.mean((predict(circuit, inputs) - targets) ** 2) / variance)


def train_xor(*, steps: int = 300, seed: int = 0) -> Trained:
    """The exclusive or on a random graph of resistors and diodes, by centred equilibrium propagation."""
    data = load_dataset("xor")
    x = np.asarray(data.train_inputs, np.float64)
    target = np.where(data.train_targets == 1, 0.1, -0.1)[:, None]
    circuit = random_graph(2, 1, hidden=6, diodes=12, seed=seed)
    circuit, costs = train_circuit(circuit, _equilibrium(1e-5), x, target, optimizer=_adam(3e-5), steps=steps)
    error = _wrong(circuit, x, data.train_targets)
    return Trained(circuit, costs, error, error)


def train_iris(*, steps: int = 300, seed: int = 0) -> Trained:
    """Fisher's iris flowers on a random graph of resistors and diodes, by centred equilibrium propagation."""
    data = load_dataset("iris")
    target = 0.15 * np.eye(3)[data.train_targets]
    circuit = random_graph(4, 3, hidden=10, diodes=20, seed=seed)
    circuit, costs = train_circuit(
        circuit, _equilibrium(1e-5), data.train_inputs, target, optimizer=_adam(3e-5), steps=steps, batch=30, seed=seed
    )
    errors = (
        _wrong(circuit, x, y)
        for x, y in ((data.train_inputs, data.train_targets), (data.test_inputs, data.test_targets))
    )
    return Trained(circuit, costs, *errors)


def train_diabetes(*, steps: int = 300, seed: int = 0) -> Trained:
    """A year's progression of diabetes on a random graph of resistors and diodes, by centred equilibrium propagation.

    Ordinary least squares leaves about half of the targets' variance unexplained.
    """
    data = load_dataset("diabetes")
    volts = 0.1
    circuit = random_graph(10, 1, hidden=8, diodes=12, seed=seed)
    circuit, costs = train_circuit(
        circuit,
        _equilibrium(1e-5),
        data.train_inputs,
        volts * data.train_targets,
        optimizer=_adam(2e-5),
        steps=steps,
        batch=50,
        seed=seed,
    )
    variance = volts**2 * float(np.var(data.train_targets))
    errors = (
        _unexplained(circuit, x, volts * y, variance)
        for x, y in ((data.train_inputs, data.train_targets), (data.test_inputs, data.test_targets))
    )
    return Trained(circuit, costs, *errors)


def train_linear_regression(*, steps: int = 500, seed: int = 0) -> Trained:
    """The function 0.15 x₁ + 0.35 x₂ + 0.1 V on a square lattice of resistors, by coupled learning.

    A passive circuit's voltages are weighted means of its sources', so the coefficients are positive and sum to at most 1;
    the constant is the share of a 1 V source.
    """
    random = np.random.default_rng(seed)
    x = np.concatenate([random.uniform(-1, 1, (60, 2)), np.ones((60, 1))], 1)
    y = x @ np.array([[0.15], [0.35], [0.1]])
    circuit = square_lattice(6, [1, 6, 31, 36], [15], seed=seed)
    x = np.concatenate([x, np.zeros((60, 1))], 1)
    train, test = slice(0, 40), slice(40, 60)
    circuit, costs = train_circuit(circuit, _coupled(0.1), x[train], y[train], optimizer=optax.scale(-3.0), steps=steps)
    variance = float(np.var(y[train]))
    return Trained(circuit, costs, *(_unexplained(circuit, x[part], y[part], variance) for part in (train, test)))


def train_allosteric(*, steps: int = 4000, seed: int = 0) -> Trained:
    """An allosteric response on a square lattice, by coupled learning: a 1 V source calls forth given output voltages.

    One sample: the source and the ground stand at opposite corners, three nodes far from both are to
    reach 0.3, 0.5 and 0.7 V. The errors are mean squared errors over the variance of the three targets.
    """
    circuit = square_lattice(8, [1, 64], [20, 29, 46], seed=seed)
    x, y = np.array([[1.0, 0.0]]), np.array([[0.3, 0.5, 0.7]])
    circuit, costs = train_circuit(circuit, _coupled(0.1), x, y, optimizer=optax.scale(-3.0), steps=steps)
    error = _unexplained(circuit, x, y, float(np.var(y)))
    return Trained(circuit, costs, error, error)
