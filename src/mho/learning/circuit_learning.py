"""Learning on any circuit that has an energy: equilibrium propagation, coupled learning and the implicit gradient.

The rules are those of layered networks (`mho.learning.equilibrium_propagation`, `mho.learning.implicit_gradient`); here
the energy is a circuit's. Coupled learning: Stern, Hexner, Rocks and Liu 2021, Phys. Rev. X 11, 021045.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from mho.elements import ProgrammableResistor, TwoTerminal
from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.equilibrium_propagation import Nudging, Variant, check_settings
from mho.learning.gradient import Gradient
from mho.networks.circuit import Circuit
from mho.steady.dense_newton import (
    Attached,
    CircuitPoint,
    CostNudge,
    circuit_response,
    output_weight,
    settle_circuit,
)

CIRCUIT_PARAMETERS = ("conductance", "element")
"""What can be trained: conductances of programmable resistors; parameters of the other elements."""


def _check_trained(trained: tuple[str, ...]) -> None:
    for kind in trained:
        if kind not in CIRCUIT_PARAMETERS:
            raise InputError(
                f"cannot train {kind!r} in a circuit; what can be trained: {', '.join(CIRCUIT_PARAMETERS)}"
            )


def _slope(circuit: Circuit, trained: tuple[str, ...], here: Array, there: Array, weight: Array) -> Circuit:
    """Σ_batch weight · [∂E/∂θ(here) − ∂E/∂θ(there)] in the circuit's structure, over the outputs' weight.

    Node voltages (batch, nodes), weights (batch,). For a conductance it is the local product of the mean and the change
    of its voltage drop, which is ½Δv² less ½Δv² without cancellation.
    """

    def difference(element: TwoTerminal, first: Array, second: Array, w: Array) -> Array:
        change = element.co_content(here[:, first] - here[:, second])
        change = change - element.co_content(there[:, first] - there[:, second])
        return jnp.sum(weight[:, None] * w * change)

    return _by_branch(circuit, trained, 0.5 * (here + there), weight[:, None] * (here - there), difference)


def _by_branch(
    circuit: Circuit, trained: tuple[str, ...], mean: Array, change: Array, difference: Callable[..., Array]
) -> Circuit:
    scale = output_weight(circuit)
    result = jax.tree.map(lambda _: None, circuit)
    for index, (branch, weight) in enumerate(zip(circuit.branches, circuit.tied.weights, strict=True)):
        if isinstance(branch.element, ProgrammableResistor) and branch.programmable and "conductance" in trained:
            drop = mean[:, branch.first] - mean[:, branch.second]
            moved = change[:, branch.first] - change[:, branch.second]
            slope = eqx.tree_at(lambda e: e.conductance, branch.element, weight / scale * jnp.sum(drop * moved, 0))
        elif "element" in trained and not branch.programmable:
            free, held = eqx.partition(branch.element, eqx.is_inexact_array)

            def total(free, held=held, branch=branch, weight=weight):
                return difference(eqx.combine(free, held), branch.first, branch.second, weight)

            slope = jax.tree.map(lambda x: x / scale, jax.grad(total)(free))
        else:
            continue
        result = eqx.tree_at(lambda c, i=index: c.branches[i].element, result, slope, is_leaf=lambda x: x is None)
    return result


def _gradient(slope: Any, cost: Array, prediction: Array, rtol: float, *points: CircuitPoint) -> Gradient:
    residual = jnp.concatenate([p.residual for p in points])
    return Gradient(
        by_parameter=slope,
        cost=cost,
        prediction=prediction,
        residual=jnp.max(residual),
        unconverged=jnp.sum(~(residual <= rtol)),
        sweeps=sum((p.iterations for p in points), start=jnp.int32(0)),
    )


def circuit_equilibrium_propagation(
    circuit: Circuit,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    beta: float,
    variant: Variant = "centred",
    nudging: Nudging = "energy",
    trained: tuple[str, ...] = ("conductance",),
    rtol: float = 1e-9,
    key: Array | None = None,
) -> Gradient:
    """Gradient of a batch's mean cost by equilibrium propagation.

    Args:
        circuit: the circuit.
        inputs: (batch, features).
        targets: (batch, outputs).
        cost: the cost of a sample.
        beta: nudging factor β > 0 [S, for a squared error].
        variant: as `mho.learning.equilibrium_propagation.equilibrium_propagation`.
        nudging: "held" current sources or the cost itself in the "energy".
        trained: kinds of parameters; see `CIRCUIT_PARAMETERS`.
        rtol: tolerance of the steady states' residual.
        key: JAX random key for the random sign.

    Raises:
        InputError: for settings with which there is no gradient.
    """
    check_settings(variant, nudging, beta)
    batch = inputs.shape[0]
    _check_trained(trained)
    sources = circuit.sources(inputs)
    free = settle_circuit(circuit, sources, rtol=rtol)
    prediction = circuit.prediction(free.voltages)
    sign = jnp.ones(batch, sources.dtype)
    if variant == "negative":
        sign = -sign
    elif variant == "random-sign":
        if key is None:
            raise InputError("the random-sign variant needs a random key")
        sign = jax.random.rademacher(key, (batch,), sign.dtype)

    # The centred variant's two nudged phases settle as one batch of twice the size.
    times = 2 if variant == "centred" else 1
    strength = beta * (jnp.concatenate([sign, -sign]) if times == 2 else sign)

    def again(x: Array) -> Array:
        return jnp.concatenate([x] * times)

    if nudging == "held":
        attached = Attached(current=strength[:, None] * again(cost.gradient(prediction, targets)))
    else:
        attached = Attached(nudge=CostNudge(cost, strength, again(targets)))
    nudged = settle_circuit(circuit, again(sources), attached=attached, start=again(free.free), rtol=rtol)
    here = nudged.voltages[:batch]
    there = nudged.voltages[batch:] if times == 2 else free.voltages
    slope = _slope(circuit, trained, here, there, sign / (times * beta * batch))
    return _gradient(slope, jnp.mean(cost.value(prediction, targets)), prediction, rtol, free, nudged)


def coupled_learning(
    circuit: Circuit,
    inputs: Array,
    targets: Array,
    *,
    eta: float,
    trained: tuple[str, ...] = ("conductance",),
    rtol: float = 1e-9,
) -> Gradient:
    """Descent direction of coupled learning: (1/η) Σ [∂E/∂θ(clamped) − ∂E/∂θ(free)], averaged over the batch.

    In the clamped phase sources hold the outputs at v_free + η·(target − v_free). For a conductance it is
    (1/η)·½[(Δv_clamped)² − (Δv_free)²]; a step of −γ times it is the paper's rule (its equation 8). As η → 0 it tends
    to the gradient of ½ (v − y)ᵀ R⁻¹ (v − y) at fixed R, the outputs' resistance matrix: a contrast, not the squared
    error's gradient. The `cost` reported is the squared error ½ Σ (v − y)².

    Args:
        circuit: the circuit.
        inputs: (batch, features).
        targets: (batch, outputs) [V].
        eta: η, in (0, 1].
        trained: kinds of parameters; see `CIRCUIT_PARAMETERS`.
        rtol: tolerance of the steady states' residual.

    Raises:
        InputError: for an η outside (0, 1].
    """
    if not 0 < eta <= 1:
        raise InputError(f"clamping amplitude η = {eta}: must be above 0 and at most 1")
    _check_trained(trained)
    sources = circuit.sources(inputs)
    free = settle_circuit(circuit, sources, rtol=rtol)
    prediction = circuit.prediction(free.voltages)
    held = Attached(voltage=prediction + eta * (targets - prediction))
    clamped = settle_circuit(circuit, sources, attached=held, start=free.free, rtol=rtol)
    weight = jnp.full(inputs.shape[0], 1.0 / (eta * inputs.shape[0]), sources.dtype)
    slope = _slope(circuit, trained, clamped.voltages, free.voltages, weight)
    cost = jnp.mean(0.5 * jnp.sum((prediction - targets) ** 2, -1))
    return _gradient(slope, cost, prediction, rtol, free, clamped)


def circuit_implicit_gradient(
    circuit: Circuit,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    trained: tuple[str, ...] = ("conductance",),
    rtol: float = 1e-9,
) -> Gradient:
    """Gradient of a batch's mean cost by implicit differentiation: equilibrium propagation's referee.

    Args:
        circuit: the circuit.
        inputs: (batch, features).
        targets: (batch, outputs).
        cost: the cost of a sample.
        trained: kinds of parameters; see `CIRCUIT_PARAMETERS`.
        rtol: tolerance of the steady states' residual.
    """
    _check_trained(trained)
    sources = circuit.sources(inputs)
    free = settle_circuit(circuit, sources, rtol=rtol)
    prediction = circuit.prediction(free.voltages)
    pull = -cost.gradient(prediction, targets) / inputs.shape[0]
    change = circuit_response(circuit, sources, free, pull)

    def difference(element: TwoTerminal, first: Array, second: Array, weight: Array) -> Array:
        drop = free.voltages[:, first] - free.voltages[:, second]
        return jnp.sum(weight * element.current(drop) * (change[:, first] - change[:, second]))

    slope = _by_branch(circuit, trained, free.voltages, change, difference)
    return _gradient(slope, jnp.mean(cost.value(prediction, targets)), prediction, rtol, free)
