"""`mho export`: ngspice, run unchanged on what a run learned, and `mho solve` find mho's voltages in both phases."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from mho.command import main
from mho.elements import CurrentSource
from mho.errors import InputError
from mho.experiments.configuration import AnalogConfiguration, BaselineConfiguration, CircuitConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.export import network_netlist, wanted_voltages
from mho.experiments.found_runs import trained_network
from mho.experiments.held_sample import of_test_set
from mho.experiments.kinds import untrained_network
from mho.experiments.registry import EXPERIMENTS
from mho.experiments.run import checkpoint_folder, create_run
from mho.experiments.training import train
from mho.learning import CrossEntropy, SquaredError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.netlists.writing.layered_netlist import layer_voltages, named_voltages
from mho.networks import Branches, Circuit
from mho.networks.layer_names import node_names
from mho.precision import double
from mho.steady import solve
from mho.steady.newton import solve_circuit
from referee import batch_voltages

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

SAMPLE = 3
HELD = AnalogConfiguration(
    dataset="iris",
    hidden=(16,),
    element="shockley",
    gains=(3.0,),
    bias_line=1.0,
    paired_outputs=True,
    variant="negative",
    nudging="held",
    beta=1e-3,
    learning_rates=(1e-3,),
    epochs=1,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "held"
    train("held", HELD, folder)
    return folder


def test_ngspice_agrees_on_the_exported_file_in_both_phases(run: Path, tmp_path: Path) -> None:
    _, network = trained_network(run)
    data = load_dataset(HELD.dataset)
    inputs = np.asarray(data.test_inputs[SAMPLE : SAMPLE + 1], np.float64) * data.scale
    assert data.classes is not None
    target = np.eye(data.classes)[data.test_targets[SAMPLE : SAMPLE + 1]]
    half = target.shape[1]
    nothing = CurrentSource(np.zeros((1, 2 * half)))  # type: ignore[arg-type]
    free = solve(network, inputs, attached=nothing).voltages
    pull = HELD.beta * (free[-1][:, :half] - free[-1][:, half:] - target)
    held: Any = np.concatenate([pull, -pull], 1)
    nudged = solve(network, inputs, attached=CurrentSource(held)).voltages
    newest = next(checkpoint_folder(run).iterdir())
    for phase, source, expected in (("free", run, free), ("nudged", newest, nudged)):
        path = tmp_path / f"{phase}.cir"
        assert main(["export", str(source), "--sample", str(SAMPLE), "--phase", phase, "-o", str(path)]) == 0
        found = layer_voltages(network, batch_voltages(path.read_text(), tmp_path))
        for theirs, ours in zip(found, expected, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-6)
    assert np.abs(free[-1] - nudged[-1]).max() > 1e-3, "nudging moves nothing"


ANALOG = {n: e.configuration for n, e in EXPERIMENTS.items() if not isinstance(e.configuration, BaselineConfiguration)}
RULES = {
    "xor, held": ("xor", {"nudging": "held", "variant": "negative"}),
    "iris, clamped": ("iris", {"rule": "coupled-learning"}),
    "drn-digits, clamped": ("drn-digits", {"rule": "coupled-learning"}),
    "paper-mnist, clamped": ("paper-mnist", {"rule": "coupled-learning", "cost": "squared"}),
    "paper-mnist, held": ("paper-mnist", {"nudging": "held"}),
}
"""Rules that no experiment has by itself."""


def small(name: str) -> Any:
    """An analog experiment's configuration, on 8 × 8 pixels and with few hidden nodes where it is of thousands."""
    configuration = ANALOG[name]
    if configuration.dataset != "mnist":
        return configuration
    assert isinstance(configuration, AnalogConfiguration)
    fewer = {"hidden": (10,) * len(configuration.hidden), "filters": (2,) * len(configuration.filters)}
    return dataclasses.replace(configuration, dataset="digits", **fewer)


def prediction_of(network: Any, voltages: Mapping[str, float]) -> np.ndarray:
    """A network's prediction [V], (1, outputs), from the voltages of its nodes by the netlist's names."""
    if isinstance(network, Circuit):
        found = np.array([0.0, *(voltages[network.node_names[k]] for k in range(1, network.nodes))])
        return found[None, network.output] - found[None, network.reference]
    outputs = np.array([[voltages[node] for node in node_names(network)[-1]]])
    half = outputs.shape[1] // 2
    return outputs[:, :half] - outputs[:, half:] if network.paired_outputs else outputs


def with_currents(network: Any, inputs: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """The operating point of a network whose predictions are drawn given currents from [A]; mho's own solvers."""
    if isinstance(network, Circuit):
        drain = Branches("drawn", network.output, network.reference, CurrentSource(-drawn[0]))
        ties = dataclasses.replace(network.tied, weights=(*network.tied.weights, np.ones(drawn.shape[1])))
        held = dataclasses.replace(network, branches=(*network.branches, drain), ties=ties)
        voltages = solve_circuit(held, inputs[0]).voltages
        return {network.node_names[k]: float(voltages[k]) for k in range(1, network.nodes)}
    at_nodes: Any = np.concatenate([-drawn, drawn], 1) if network.paired_outputs else -drawn
    voltages = solve(network, inputs, attached=CurrentSource(at_nodes)).voltages
    return named_voltages(network, voltages)


@pytest.mark.parametrize("case", [*ANALOG, *RULES])
def test_every_analog_experiment_is_solved_alike_in_both_phases(case: str, tmp_path: Path) -> None:
    """To 1e-6 V, or relative. SPICE's own diode law in reverse (see `ShockleyDiode`) takes some 4e-7 V of it in a circuit.

    The nudged phase's currents, held at what they are by their definition at ngspice's voltages, give these voltages.
    """
    name, changes = RULES.get(case, (case, {}))
    configuration = dataclasses.replace(small(name), **changes)
    data = load_dataset(configuration.dataset)
    outputs = data.train_targets.shape[1] if data.classes is None else data.classes
    network = untrained_network(configuration, data.train_inputs.shape[1], outputs)
    held = of_test_set(data, 0)
    inputs, target = held.inputs, wanted_voltages(configuration, held)
    expected = data.test_targets[0]
    unit = configuration.target_voltage if isinstance(configuration, CircuitConfiguration) else 1.0
    np.testing.assert_array_equal(target, [unit * (expected if data.classes is None else np.eye(outputs)[expected])])

    def found(phase: Literal["free", "nudged"]) -> tuple[dict[str, float], np.ndarray]:
        """ngspice's voltages, which mho's of the netlist are, too, and the currents through clamps."""
        netlist = network_netlist(configuration, network, held, phase=phase)
        circuit = netlist_circuit(parse_netlist(netlist))
        point: Any = solve_circuit(circuit)
        theirs = batch_voltages(netlist, tmp_path)
        for node, voltage in theirs.items():
            ours = float(circuit.voltage(point.voltages, node)) if "#" not in node else voltage
            assert ours == pytest.approx(voltage, rel=1e-6, abs=1e-6), (phase, node)
        names = {circuit.branch_names[k]: float(point.source_currents[k]) for k in range(len(circuit.branch_names))}
        return theirs, np.array([[names.get(f"vclamp_{k}", 0.0) for k in range(target.shape[1])]])

    free, _ = found("free")
    nudged, clamped = found("nudged")
    # Clamps and held currents are those of mho's own free phase.
    rest = with_currents(network, inputs, np.zeros_like(target))
    start, end = prediction_of(network, rest), prediction_of(network, nudged)
    if configuration.rule == "coupled-learning":
        np.testing.assert_allclose(end, start + configuration.eta * (target - start), rtol=1e-9, atol=1e-9)
        drawn: Any = clamped
    else:
        cost = SquaredError() if configuration.cost == "squared" else CrossEntropy(configuration.logit_gain)
        beta = configuration.beta * (-1 if configuration.variant == "negative" else 1)
        drawn = beta * double(cost.gradient)(end if configuration.nudging == "energy" else start, target)  # type: ignore[arg-type]
    for theirs, ours in ((free, rest), (nudged, with_currents(network, inputs, drawn))):
        for node, voltage in ours.items():
            assert theirs[node] == pytest.approx(voltage, rel=1e-6, abs=1e-6), node
    assert np.abs(end - start).max() > 1e-5, "nudging moves nothing"


def test_a_rule_without_a_nudged_phase_says_so() -> None:
    configuration: Any = dataclasses.replace(ANALOG["xor"], rule="implicit")  # type: ignore[call-arg]
    data = load_dataset("xor")
    network = untrained_network(configuration, 2, 2)
    with pytest.raises(InputError, match="--phase nudged: the run learns by --rule implicit, which nudges nothing"):
        network_netlist(configuration, network, of_test_set(data, 0), phase="nudged")


def test_what_cannot_be_exported_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(tmp_path / "mlp", "mlp-digits", EXPERIMENTS["mlp-digits"].configuration)
    samples = len(load_dataset(HELD.dataset).test_inputs)
    good = str(tmp_path / "a.cir")
    wrong = {
        (str(tmp_path / "none"), "-o", good): "holds no run (config.json is missing)",
        (str(tmp_path / "mlp"), "-o", good): "has no checkpoint yet",
        (str(run / "none.npz"), "-o", good): "none.npz: no such checkpoint",
        (str(run), "--sample", str(samples), "-o", good): f"--sample {samples}: the test set of {run} has samples 0 to",
        (str(run), "--sample", "-1", "-o", good): "--sample -1: the test set of",
        (str(run), "-o", str(tmp_path / "no" / "a.cir")): "a.cir: cannot be written: there is no folder",
        (str(run), "-o", str(tmp_path)): "is a folder; name the file to write in it",
    }
    for arguments, message in wrong.items():
        assert main(["export", *arguments]) == 2
        told = capsys.readouterr().err
        assert message in told and told.count("\n") == 1
    assert not Path(good).exists()
