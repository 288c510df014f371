"""Estimates of chips: power by Tellegen's theorem, settling by transients, one network seen in two ways, constants, runs."""

import csv
import json

import jax
import numpy as np
import pytest

import mho
from mho.chip.circuit import chip_circuit
from mho.chip.constants import Range, read_constants
from mho.command import main
from mho.dynamics.settling import settling
from mho.networks.layered_circuit import layered_circuit

pytestmark = pytest.mark.usefixtures("compiled_in_haste")


def _network(hidden: int = 6) -> mho.LayeredNetwork:
    diodes = mho.AntiparallelDiodes.symmetric(hidden, saturation_current=1e-6, bias=0.1)
    return mho.layered_network(
        (3, hidden, 2), jax.random.key(1), elements=[diodes], gains=[4.0], bias_line=1.0, paired_outputs=True,
        initial=1e-3, lower=1e-6, initial_law="uniform",
    )  # fmt: skip


def test_a_layered_network_and_its_circuit_of_single_resistors_are_one_chip_whose_heat_the_sources_give():
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    network = _network()
    circuit = layered_circuit(network)
    one, other = chip_circuit(network, inputs), chip_circuit(circuit, inputs)
    for name in ("outputs", "nodes", "amplifiers", "stages", "devices"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.devices == 2 * 4 * 6 + 6 * 4 and one.products == 4 * 6 + 6 * 4
    for name in ("cell_squares", "node_squares", "largest_conductance", "largest_voltage"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-6), name
    assert one.time_constant(1e-15, 1e-14) == pytest.approx(other.time_constant(1e-15, 1e-14), rel=1e-6, abs=0)
    point = mho.solve(circuit, inputs)
    amplified = point.voltages[:, np.asarray(circuit.amplifiers.far)]
    drawn = np.sum(point.voltages[:, np.asarray(circuit.amplifiers.near)] * point.amplifier_currents, -1)
    given = -np.sum(np.asarray(circuit.sources(inputs)) * point.source_currents, -1)
    given -= np.sum(amplified * point.amplifier_currents, -1) - drawn / 4.0
    assert sum(one.power.values()) == pytest.approx(float(given.mean()), rel=1e-6)
    assert sum(other.power.values()) == pytest.approx(float(given.mean()), rel=1e-6)


def test_the_slowest_time_constant_tells_when_a_transient_has_settled():
    network, inputs, capacitance = _network(4), np.array([0.4, -0.7, 0.2]), 1e-12
    free, _ = settling(network, inputs, np.array([1e-5, 0, 0, 0]), capacitance=capacitance, tolerance=1e-3)
    slowest = chip_circuit(network, inputs[None]).time_constant(0.0, capacitance)
    assert 0.6 < free.time / (slowest * np.log(1e3)) < 1.2


def test_ranges_reach_as_far_as_their_parts():
    some, other = Range(1.0, 2.0, 3.0), Range(2.0, 4.0, 5.0)
    assert some + other == Range(3.0, 6.0, 8.0) and 2.0 * some == Range(2.0, 4.0, 6.0)
    assert some / other == Range(1 / 5, 2 / 4, 3 / 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("adc_bit = 6", ":1: unknown constant 'adc_bit': did you mean adc_bits?"),
        ("\nadc_bits = [8, 6, 10]", ":2: adc_bits is [8, 6, 10]: low, typical and high must not fall"),
        ("adc_bits = -1", ":1: adc_bits is -1: expected a positive number, or low, typical and high"),
        ("read_voltage = [0.1, 0.2, 0.3]", ":1: read_voltage is [0.1, 0.2, 0.3]: sets a scale, and is one number"),
        ('[cell_area]\nrange = 4\nunit = "m²"', ":1: cell_area is in 'm²'; expected 'squares of the feature size'"),
        ("adc_bits = 6 6", ":1: not TOML"),
    ],
)
def test_a_wrong_constant_is_named_with_its_line(tmp_path, text, told):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(mho.InputError, match="^" + "--constants " + str(path)) as problem:
        read_constants(path)
    assert told in str(problem.value)


def test_every_constant_has_a_unit_and_a_source_or_is_called_an_assumption():
    for name, constant in read_constants().items():
        assert constant.unit and len(constant.source) > 20, name


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "drn-digits", "--epochs", "1", "--hidden", "16", "--out", str(folder)]) == 0
    return folder


def test_a_run_is_estimated_and_scales_as_physics_says(run, tmp_path, capsys):
    capsys.readouterr()
    mine = tmp_path / "mine.toml"
    mine.write_text("adc_bits = 6\n[beside.mine]\nrange = 1e-12\n")
    options = ["estimate", str(run), "--constants", str(mine), "--conductance-scale"]
    assert main([*options, "1e-4", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["quantities"]
    table = tmp_path / "table.csv"
    assert main([*options, "2e-4", "-o", str(table)]) == 0
    second = {
        row["quantity"]: {end: float(row[end]) for end in ("low", "typical", "high")}
        for row in csv.DictReader(table.open())
    }
    assert second.keys() == first.keys()
    for end in ("low", "typical", "high"):
        assert second["circuit.power"][end] == pytest.approx(2 * first["circuit.power"][end], abs=0)
        assert second["circuit.time_constant"][end] == pytest.approx(first["circuit.time_constant"][end] / 2, abs=0)
        assert second["inference.energy.static"][end] == pytest.approx(first["inference.energy.static"][end], abs=0)
        parts = [q[end] for name, q in first.items() if name.startswith("inference.energy.")]
        assert first["inference.energy"][end] == pytest.approx(sum(parts), abs=0)
        assert first["beside.mine"][end] == pytest.approx(1e-12 * (64 * 16 + 16 * 10), abs=0)
    assert first["update.energy"]["low"] < first["update.energy"]["high"] and first["area"]["low"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--conductance-scale", "0"], "--conductance-scale 0.0: must be positive and finite"),
        (["--constants", "nothing.toml"], "--constants nothing.toml: cannot be read: No such file or directory"),
    ],
)
def test_bad_input_gets_one_line(run, capsys, arguments, told):
    assert main(["estimate", str(run), *arguments]) == 2
    assert capsys.readouterr().err == f"mho: {told}\n"
