"""Networks whose parts differ: they settle, ngspice agrees, and the adjoint gives the exact gradient without an energy."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import numpy as np
import pytest

import mho
from mho.elements import BidirectionalAmplifier, OffsetElement
from mho.learning import EquilibriumPropagation, ImplicitGradient, trained_part
from mho.netlists.writing.layered_netlist import layer_voltages, layered_netlist
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layer_names import node_names
from mho.networks.layered_circuit import layered_circuit
from mho.precision import double
from mho.steady import Auto, MeanFieldSweeps, Sweeps, kirchhoff_residual, solve
from random_circuits import STRUCTURES, Structure, random_network, random_samples
from referee import spice_operating_point

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

DEEP = Structure((4, 5, 4), ("antiparallel", "sinh", "piecewise"), (True, True, True), 0.5, True, True)
SMOOTH = Structure((3, 3), ("antiparallel", "sinh"), (True, True), None, False, True)
SPREADS = {"elements": 0.1, "gains": 0.2, "current_gains": 0.3, "offset": 0.05}


def chip(structure: Structure, seed: int) -> LayeredNetwork:
    return mho.mismatched(random_network(structure, seed), seed + 7, **SPREADS)


@pytest.mark.parametrize("name", ["paper", "mixed", "pooled"])
def test_a_chip_settles_where_ngspice_does(name: str) -> None:
    structure = STRUCTURES[name]
    network = chip(structure, 3)
    assert not network.reciprocal
    inputs, _ = random_samples(structure, 3)
    found = solve(network, inputs)
    sources = np.asarray(double(network.source_voltages)(inputs))
    assert np.max(kirchhoff_residual(network, sources, found.voltages)) < 1e-9
    spice = spice_operating_point(layered_netlist(network, sources[0]))
    for ours, theirs in zip(found.voltages, layer_voltages(network, spice.voltages), strict=True):
        np.testing.assert_allclose(np.asarray(ours)[0], theirs[0], rtol=1e-6, atol=1e-6)


def test_solvers_and_the_circuit_resistor_by_resistor_agree() -> None:
    network = chip(DEEP, 5)
    inputs, _ = random_samples(DEEP, 5)
    plain, corrected = (solve(network, inputs, solver=kind(1e-13, 10_000)) for kind in (Sweeps, MeanFieldSweeps))
    assert int(corrected.steps) < int(plain.steps)
    whole = layered_circuit(network)
    by_name = dict(zip(whole.node_names, np.asarray(solve(whole, inputs[:1]).voltages)[0], strict=False))
    for names, one, other in zip(node_names(network), plain.voltages, corrected.voltages, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose([by_name[n] for n in names], np.asarray(one)[0], rtol=1e-8, atol=1e-10)


def cosines(one: LayeredNetwork, other: LayeredNetwork) -> list[float]:
    pairs = (
        (np.concatenate([np.ravel(x) for x in jax.tree.leaves(n.crossbar)]) for n in both)
        for both in zip(one.layers, other.layers, strict=True)
    )
    return [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]


@double
@eqx.filter_jit
def gradients(network, inputs, targets, kinds):
    solver = Auto(1e-13, 10_000)
    exact = ImplicitGradient(solver=solver).gradient(network, inputs, targets, trained=kinds)
    by_phases = EquilibriumPropagation(beta=1e-5, solver=solver).gradient(network, inputs, targets)
    return exact.by_parameter, by_phases.by_parameter


@double
@eqx.filter_jit
def cost_along(network, direction, inputs, targets, step):
    moved = jax.tree.map(lambda p, d: p if d is None else p + step * d, network, direction, is_leaf=lambda x: x is None)
    prediction = moved.prediction(solve(moved, inputs, solver=Sweeps(1e-13, 10_000)).voltages)
    return 0.5 * jax.numpy.mean(jax.numpy.sum((prediction - targets) ** 2, -1))


def test_without_an_energy_the_adjoint_gives_the_exact_gradient_and_phases_an_inexact_one() -> None:
    network, (inputs, targets) = chip(SMOOTH, 1), random_samples(SMOOTH, 1)
    kinds = LayeredNetwork.parameters
    exact, by_phases = gradients(network, inputs, targets, kinds)
    rng = np.random.default_rng(0)
    direction = jax.tree.map(
        lambda p: np.asarray(p) * rng.normal(size=np.shape(p)), eqx.filter(network, trained_part(network, kinds))
    )
    along = sum(
        np.sum(np.asarray(g) * d) for g, d in zip(jax.tree.leaves(exact), jax.tree.leaves(direction), strict=True)
    )
    at = partial(cost_along, network, direction, inputs, targets)
    assert along == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, rel=1e-6)
    assert min(cosines(exact, by_phases)) < 0.999

    def alike(layer):
        amplifier = layer.amplifier
        back = 0.4 * np.asarray(amplifier.gain)  # B/A the same at all nodes: an energy
        return eqx.tree_at(lambda k: k.amplifier.current_gain, layer, back)

    proportional = replace(network, layers=(*map(alike, network.layers[:-1]), network.layers[-1]))
    np.testing.assert_allclose(cosines(*gradients(proportional, inputs, targets, ("conductance",))), 1.0, atol=1e-7)


def test_spreads_are_what_was_asked_for() -> None:
    layers = mho.layered_network(
        [2, 4000, 2],
        jax.random.key(0),
        elements=[mho.AntiparallelDiodes.symmetric(4000, saturation_current=1e-9, bias=0.3)],
        gains=[4.0],
    )
    made = mho.mismatched(layers, 1, **SPREADS).layers[0]
    element, amplifier = made.element, made.amplifier
    assert isinstance(element, OffsetElement) and isinstance(amplifier, BidirectionalAmplifier)
    diode = element.element.up  # type: ignore[attr-defined]
    logs = {
        "elements": np.log(diode.saturation_current / 1e-9),
        "gains": np.log(amplifier.gain / 4.0),
        "current_gains": np.log(amplifier.current_gain * 4.0),
        "offset": element.offset_voltage,
    }
    for name, values in logs.items():
        assert np.std(values) == pytest.approx(SPREADS[name], rel=0.05), name
        assert abs(np.mean(values)) < 4 * SPREADS[name] / 4000**0.5, name
    assert np.std(diode.bias) == pytest.approx(0.03, rel=0.05)
    assert abs(np.corrcoef(logs["gains"], logs["current_gains"])[0, 1]) < 0.06
    half = mho.mismatched(layers, 1, gains=0.1).layers[0].amplifier
    assert half is not None
    np.testing.assert_allclose(np.log(half.gain / 4.0), logs["gains"] / 2, rtol=1e-3, atol=1e-6)
    assert jax.tree.structure(mho.mismatched(layers, 1)) == jax.tree.structure(layers)


def test_a_circuit_spreads_what_does_not_learn() -> None:
    circuit = mho.random_graph(2, 1, hidden=5, diodes=8, seed=0)
    made = mho.mismatched(circuit, 0, elements=0.2)
    assert isinstance(made, Circuit)
    for before, after in zip(circuit.branches, made.branches, strict=True):
        equal = [
            np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (before.element, after.element)), strict=True)
        ]
        assert all(equal) if before.programmable else not all(equal), before.name


@pytest.mark.parametrize(
    ("spreads", "told"),
    [
        ({"gains": -0.1}, "mismatch of gains -0.1: must be at least 0"),
        ({"elements": float("inf")}, "must be at least 0 and finite"),
        ({"elements": 0.1}, "ideal diodes have no parameters"),
        ({"gains": 0.1}, "amplifiers stand where there are gains"),
    ],
)
def test_what_cannot_be_spread_is_refused(spreads: dict[str, float], told: str) -> None:
    network = mho.layered_network([2, 3, 2], jax.random.key(0), elements=[mho.IdealDiode(np.ones(3))])  # type: ignore[arg-type]
    with pytest.raises(mho.InputError, match=told):
        mho.mismatched(network, 0, **spreads)
