"""`--simulator ngspice`: the same training with ngspice computing every operating point."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.command import main
from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.experiments.analog import analog_network
from mho.experiments.circuits import circuit
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.epoch import compile_epoch, initial_state, sample_order
from mho.experiments.found_runs import trained_network
from mho.experiments.kinds import learner
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import read_metrics
from mho.experiments.training import train
from mho.learning import CrossEntropy, EquilibriumPropagation, ImplicitGradient, SquaredError
from mho.netlists import parse_netlist
from mho.netlists.circuits.network import netlist_network
from mho.ngspice.simulator import SpiceError
from mho.ngspice.solver import Ngspice
from mho.precision import double
from mho.steady import Auto, NodalNewton
from random_circuits import STRUCTURES, random_network, random_samples
from referee import require_ngspice

Crossbars = list[np.ndarray]

DIGITS = AnalogConfiguration(dataset="digits", hidden=(8,), input_gain=20.0, beta=0.1, processes=2)
XOR = AnalogConfiguration(
    dataset="xor",
    hidden=(6,),
    element="shockley",
    saturation_current=1e-6,
    gains=(4.0,),
    bias_line=1.0,
    paired_outputs=True,
    input_gain=4.0,
    nudging="held",
    beta=0.1,
    learning_rates=(0.06,),
    epochs=30,
    rtol=1e-6,
    processes=1,
)


def test_a_digits_network_trained_either_way_stays_together() -> None:
    """Eight steps of 20 digits in float32, as training is: to 1e-4 of the distance that each crossbar goes."""
    require_ngspice()
    data = load_dataset("digits")
    inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)
    ends = []
    for simulator in ("mho", "ngspice"):
        subject = learner(dataclasses.replace(DIGITS, simulator=simulator), 64, 10, steps_per_epoch=8)
        state = initial_state(subject)
        begun = crossbars(state.network)
        advance = compile_epoch(subject, state, inputs, labels, classes=10, scale=data.scale, batch_size=20)
        state, _ = advance(state, jnp.int32(8), sample_order(0, 1, len(labels)), inputs, labels, jax.random.key(0))
        assert state.step == 8 and state.tally.unconverged == 0
        ends.append((crossbars(state.network), float(state.tally.loss)))
        subject.close()
    assert_together(begun, ends[0][0], ends[1][0], tolerance=1e-4)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-5)


def test_a_run_that_learns_xor_stays_together(tmp_path: Path) -> None:
    """Thirty epochs in float32 of the paper's kind of network: to 1e-3 of the distance that each crossbar goes."""
    require_ngspice()
    ends, metrics = [], []
    for simulator in ("mho", "ngspice"):
        train("xor", dataclasses.replace(XOR, simulator=simulator), tmp_path / simulator)
        metrics.append(read_metrics(tmp_path / simulator))
        ends.append(crossbars(trained_network(tmp_path / simulator)[1]))
    assert_together(crossbars(analog_network(XOR, 2, 2)), *ends, tolerance=1e-3)
    for ours, theirs in zip(*metrics, strict=True):
        assert theirs["train_loss"] == pytest.approx(ours["train_loss"], rel=1e-2)
        assert theirs["out_of_sweeps"] == theirs["test_out_of_sweeps"] == 0 < theirs["residual"] < 1e-4
    assert metrics[1][-1]["train_loss"] < 0.1 * metrics[1][0]["train_loss"] and metrics[1][-1]["error_after"] == 0


def assert_together(begun: Crossbars, ours: Crossbars, theirs: Crossbars, *, tolerance: float) -> None:
    for first, one, other in zip(begun, ours, theirs, strict=True):
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(one - first)


def crossbars(network: object) -> Crossbars:
    resistors = jax.tree.leaves(network, is_leaf=lambda x: isinstance(x, ProgrammableResistor))
    return [np.asarray(x.conductance, np.float64) for x in resistors if isinstance(x, ProgrammableResistor)]


@pytest.mark.parametrize(("structure", "nudging"), [("paper-deep", "held"), ("drn", "energy")])
def test_the_gradient_is_the_same_in_float64(structure: str, nudging: str) -> None:
    """To 1e-5: SPICE's diodes, ideal or in reverse, are off by some 1e-9 V, and β is 1e-3."""
    require_ngspice()
    network = random_network(STRUCTURES[structure], 1)
    inputs, targets = random_samples(STRUCTURES[structure], 1)
    cost = STRUCTURES[structure].cost

    @double
    def gradient(network, inputs, targets, solver):
        rule = EquilibriumPropagation(cost, beta=1e-3, nudging=nudging, solver=solver)
        return rule.gradient(network, inputs, targets, trained=("conductance", "bias"))

    with Ngspice(network, cost if nudging == "energy" else None, processes=1) as simulated:
        theirs = gradient(network, inputs, targets, simulated)
    ours = gradient(network, inputs, targets, Auto(1e-13, 10_000))
    assert ours.unconverged == 0 and theirs.residual < 1e-7
    for a, b in zip(jax.tree.leaves(ours.by_parameter), jax.tree.leaves(theirs.by_parameter), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


@double
def circuit_gradient(network, inputs, targets, rule):
    network = jax.tree.map(jnp.asarray, network)
    return (
        rule.gradient(network, jnp.asarray(inputs), jnp.asarray(targets)).by_parameter.branches[0].element.conductance
    )


def test_the_gradient_of_a_circuit_is_the_exact_one() -> None:
    """Of the experiment xor, whose diodes are Shockley's in reverse, too; and of a netlist with a gain and temperatures."""
    require_ngspice()
    xor: Any = EXPERIMENTS["xor"].configuration
    data = load_dataset("xor")
    targets = xor.target_voltage * np.eye(2)[data.train_targets]
    own = netlist_network(parse_netlist(OWN), inputs="vx1,ix2", outputs="out", programmable="r*", input_gain=[1, 1e-4])
    for network, cost, wanted in ((circuit(xor, 2, 2), SquaredError(), targets), (own, None, targets[:, :1])):
        with Ngspice(network, cost, processes=1, rtol=xor.rtol) as simulated:
            rule = EquilibriumPropagation(beta=1e-6, nudging="held" if cost is None else "energy", solver=simulated)
            found = circuit_gradient(network, data.train_inputs, wanted, rule)
            with pytest.raises(InputError, match="an element's parameter has changed"):
                other = eqx.tree_at(
                    lambda c: c.branches[1].element.saturation_current, network, replace_fn=lambda i: 2 * i
                )
                circuit_gradient(other, data.train_inputs, wanted, rule)
        # By the adjoint of modified nodal analysis.
        exact = ImplicitGradient(solver=NodalNewton())
        expected = circuit_gradient(dataclasses.replace(network, ties=None), data.train_inputs, wanted, exact)
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max(), rtol=0)


OWN = """a netlist of one's own
Vx1 x1 0 0
Ix2 0 a 0
Vb b 0 1
R1 x1 a 1k
R2 b a 2k tc1=1e-3
Xs a out half
.subckt half p q
r1 p q 3k m=2
.ends
Rl out 0 5k
D1 out 0 dm
E1 n1 0 x1 0 -1
Rn n1 out 4k
.temp 40
.model dm d(is=1u)
.end
"""


def test_what_ngspice_cannot_do_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["train", "drn-digits", "--simulator", "ngspice", "--out", str(tmp_path / "run")]
    wrong = {
        ("--rule", "implicit"): "--rule implicit: ngspice trains by --rule equilibrium-propagation",
        ("--element", "shockley", "--trained", "element"): "--trained: with ngspice conductance and bias alone",
        ("--processes", "0"): "--processes 0: must be at least 1",
    }
    for more, message in wrong.items():
        assert main([*options, *more]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"mho: {message}") and told.count("\n") == 1
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(options) == 2
    assert capsys.readouterr().err.startswith("mho: ngspice is not on the PATH; install it")
    assert not (tmp_path / "run").exists()


def test_a_state_that_is_not_found_is_never_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    require_ngspice()
    structure = STRUCTURES["linear"]
    network = random_network(structure, 0)
    inputs, targets = random_samples(structure, 0)
    with Ngspice(network, SquaredError(), processes=1, rtol=1e-9) as simulated:
        gradient = double(EquilibriumPropagation(beta=3.0, solver=simulated).gradient)
        # Nudged against a cost as steep, the circuit has a state, but no stable one: a voltage would run away.
        assert gradient(network, inputs, targets).unconverged == len(inputs)
        with pytest.raises(InputError, match="was not parsed with a EnergyNudge of this cost"):
            double(EquilibriumPropagation(CrossEntropy(), beta=3.0, solver=simulated).gradient)(
                network, inputs, targets
            )
        simulated._pool._sessions[0]._ngspice.kill()
        with pytest.raises(SpiceError, match="ngspice was killed by SIGKILL"):
            gradient(network, inputs, targets)
