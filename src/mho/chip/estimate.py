"""Energy, latency and area of the chip that a trained run describes.

An inference: the inputs' converters set the sources, the circuit settles to half a step of the outputs' converters, which
read it. Its energy is the static power times that time, the charge of the wires and nodes, the converters and the
amplifiers' bias. An update does this for each sample and each phase, reads the nodes' voltages in two of these, and
programs the devices by pulses. Not counted: digital control, the memory for the batch's sums, the way to and from the chip.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mho.chip.circuit import ChipCircuit, chip_circuit
from mho.chip.constants import Constants, Range, constant, read_constants
from mho.chip.pulses import pulses_an_update
from mho.errors import InputError
from mho.experiments.configuration import NetlistConfiguration, NetworkConfiguration, RuleConfiguration
from mho.experiments.data import Dataset
from mho.experiments.found_runs import run_data
from mho.experiments.new_samples import known_form, read_samples
from mho.experiments.prediction import Run, load
from mho.networks import Network

_SAMPLES = 64
"""At whose operating points the power is measured."""
_MOST_VOLTS = 5.0
"""At a source, without a word: the largest supply of common processes' thick-oxide transistors."""
_COMPARED = 2
"""Phases whose voltages an update compares."""


@dataclass(frozen=True)
class Quantity:
    """A result."""

    range: Range
    unit: str


@dataclass(frozen=True)
class Estimate:
    """What the chip of a run would cost."""

    quantities: Mapping[str, Quantity]
    """By name, sums after their parts: `inference.energy` after `inference.static` and so on."""
    conductance_scale: float
    """Siemens on the chip for one in the network."""
    voltage_scale: float
    """Volts on the chip for one in the network."""
    notes: tuple[str, ...]
    """How these scales came about, and what is not estimated."""


def estimate(
    run: Run | str | Path,
    file: str | Path | None = None,
    *,
    constants: Constants | str | Path | None = None,
    conductance_scale: float | None = None,
    voltage_scale: float | None = None,
) -> Estimate:
    """Estimate the chip of a trained run, at the operating points of some samples of its test set.

    Args:
        run: the run, or its folder.
        file: whose samples to take instead; see `mho predict`.
        constants: those of `mho.chip.constants.read_constants`, or a file that says some otherwise.
        conductance_scale: siemens on the chip for one in the network, elements' currents with them; by default 1 for a
            netlist, and else what makes the largest programmable conductance `conductance_max`.
        voltage_scale: volts on the chip for one in the network; by default 1, or, but for a netlist, what makes the largest
            source voltage `read_voltage` where the laws (resistors, ideal diodes) know no voltage of their own.

    Raises:
        InputError: for a run in software, a scale that is not positive, or a voltage scale where there is a law like a
            Shockley diode's, whose voltages are what they are.
        MhoError: if a sample has no operating point.
    """
    trained = run if isinstance(run, Run) else load(run)
    configuration, network = trained.configuration, trained.network
    if not isinstance(network, Network) or not isinstance(configuration, RuleConfiguration):
        raise InputError(f"{trained.folder}: trains a network in software; a chip is estimated of a circuit")
    known = (
        constants if isinstance(constants, Mapping) else read_constants(None if constants is None else Path(constants))
    )
    for name, scale in (("conductance", conductance_scale), ("voltage", voltage_scale)):
        if scale is not None and not (scale > 0 and math.isfinite(scale)):
            raise InputError(f"--{name}-scale {scale}: must be positive and finite")
    dataset: Dataset | None = None
    if file is None:
        dataset = run_data(configuration, trained.folder, trained.form)
        inputs = np.asarray(dataset.test_inputs[:_SAMPLES], np.float64) * dataset.scale
    else:
        form = known_form(trained.folder, trained.form)
        inputs = form.inputs(read_samples(Path(file), form, configuration)[1].inputs[:_SAMPLES])
    chip = chip_circuit(network, np.asarray(inputs, np.float64))
    if isinstance(configuration, NetlistConfiguration):  # a netlist's values are its chip's
        conductance_scale, voltage_scale = conductance_scale or 1.0, voltage_scale or 1.0
    notes = [f"power at the operating points of {len(inputs)} sample{'s' if len(inputs) > 1 else ''}"]
    g, v = _scales(chip, known, conductance_scale, voltage_scale, notes)

    costs = _Costs(chip, lambda name: constant(known, name, configuration.device), g, v)
    quantities = costs.inference()
    try:
        phases, pulses = _phases(configuration), _pulses(trained, dataset, costs.of("steps"))
        quantities |= costs.update(configuration.batch_size, phases, configuration.reads, pulses)
        notes.append(
            f"an update: batch of {configuration.batch_size}, {phases} phases of each sample, pulses of one more update"
        )
    except InputError as problem:
        notes.append(f"an update is not estimated: {problem}")
    beside = {name: c.range * chip.products for name, c in known.items() if name.startswith("beside.")}
    quantities |= costs.area() | {name: Quantity(value, "J") for name, value in beside.items()}
    return Estimate(quantities, g, v, tuple(notes))


def _phases(configuration: RuleConfiguration) -> int:
    """How often a sample settles for an update.

    Raises:
        InputError: where that is not known.
    """
    if isinstance(configuration, NetworkConfiguration):
        raise InputError("mho.fit trained it, and a run does not keep how")
    match configuration.rule:
        case "equilibrium-propagation":
            return 3 if configuration.variant == "centred" else 2
        case "coupled-learning":
            return 2
    raise InputError(f"--rule {configuration.rule} has no phases that a chip could go through")


def _pulses(run: Run, dataset: Dataset | None, steps: Range) -> tuple[Range, Range]:
    assert isinstance(run.configuration, RuleConfiguration)
    data = dataset or run_data(run.configuration, run.folder, run.form)
    return pulses_an_update(run.configuration, run.network, data, steps)


def _scales(
    chip: ChipCircuit, known: Constants, conductance: float | None, voltage: float | None, notes: list[str]
) -> tuple[float, float]:
    largest = chip.largest_conductance
    if conductance is None:
        conductance = known["conductance_max"].range.typical / largest if largest else 1.0
    notes.append(
        f"conductances × {conductance:.4g}: the largest, {largest:.4g} S, becomes {conductance * largest:.4g} S"
    )
    if voltage is not None and not chip.without_scale and voltage != 1.0:
        raise InputError(
            f"--voltage-scale {voltage:g}: the network's elements have laws with voltages of their own, so its scale is 1"
        )
    if voltage is None:
        own = known["read_voltage"].range.typical / chip.largest_voltage if chip.largest_voltage else 1.0
        voltage = own if chip.without_scale else 1.0
    told = f"voltages × {voltage:.4g}: the largest at a source, {chip.largest_voltage:.4g} V, becomes "
    notes.append(told + f"{voltage * chip.largest_voltage:.4g} V")
    if voltage * chip.largest_voltage > _MOST_VOLTS:
        notes.append(f"sources above {_MOST_VOLTS:g} V are hardly a chip's: a smaller --input-gain makes them smaller")
    return conductance, voltage


@dataclass(frozen=True)
class _Costs:
    """Ranges of a chip, from its circuit and the constants."""

    chip: ChipCircuit
    of: Callable[[str], Range]
    """A constant by its name."""
    conductance: float
    voltage: float
    """Scales."""

    @cached_property
    def power(self) -> dict[str, float]:
        return {name: self.conductance * self.voltage**2 * p for name, p in self.chip.power.items()}

    @cached_property
    def capacitances(self) -> tuple[Range, Range]:
        """Of each cell at a wire, and of each node."""
        pitch = self.of("cell_area").each(math.sqrt) * self.of("feature_size")
        return self.of("wire_capacitance") * pitch + self.of("device_capacitance"), self.of("node_capacitance")

    @cached_property
    def time_constant(self) -> Range:
        each = zip(*map(dataclasses.astuple, self.capacitances), strict=True)
        return Range(*(self.chip.time_constant(*pair) / self.conductance for pair in each))

    @cached_property
    def settling(self) -> Range:
        """To half a step of the converters."""
        times = self.of("adc_bits").each(lambda bits: (bits + 1) * math.log(2.0))
        return times * (self.time_constant + self.of("amplifier_time") * self.chip.stages)

    @cached_property
    def phase(self) -> dict[str, Range]:
        """Energy of one settling [J], by its parts."""
        squares = [self.voltage**2 * s for s in (self.chip.cell_squares, self.chip.node_squares)]
        cell, node = self.capacitances
        parts = {"static": self.settling * sum(self.power.values()), "charging": cell * squares[0] + node * squares[1]}
        parts["dacs"] = self.of("dac_energy") * self.chip.sources
        if self.chip.amplifiers:
            parts["amplifiers"] = self.of("amplifier_power") * self.chip.amplifiers * self.settling
        return parts

    @cached_property
    def conversion(self) -> Range:
        return self.of("adc_step_energy") * self.of("adc_bits").each(lambda bits: 2.0**bits)

    def reading(self, nodes: int) -> Range:
        """Time in which so many nodes are read."""
        return self.of("adc_time") * self.of("nodes_per_adc").each(lambda n: min(n, nodes))

    def inference(self) -> dict[str, Quantity]:
        parts = {**self.phase, "adcs": self.conversion * self.chip.outputs}
        total = _sum(parts.values())
        return {
            **_quantities("circuit.power", self.power, "W"),
            "circuit.time_constant": Quantity(self.time_constant, "s"),
            **_quantities("inference.energy", parts, "J"),
            "inference.energy_a_product": Quantity(total * (1.0 / max(1, self.chip.products)), "J"),
            "inference.latency": Quantity(self.settling + self.reading(self.chip.outputs), "s"),
        }

    def update(self, samples: int, phases: int, reads: int, pulses: tuple[Range, Range]) -> dict[str, Quantity]:
        """Of a batch of samples; with mean and largest number of pulses a device."""
        mean, most = pulses
        devices, reads = self.chip.devices, _COMPARED * reads
        programmed = mean * devices
        pulse = self.of("pulse_time")
        # All at once; row by row; one device after another.
        turns = Range(most.low, most.typical * self.chip.rows, max(programmed.high, most.high * self.chip.rows))
        parts = {
            "settling": _sum(self.phase.values()) * (samples * phases),
            "reading": self.conversion * (samples * reads * self.chip.nodes),
            "pulses": self.of("pulse_energy") * programmed,
        }
        settled = self.settling * phases + self.reading(self.chip.nodes) * reads
        return {
            **_quantities("update.energy", parts, "J"),
            "update.pulses_a_device": Quantity(mean, ""),
            "update.latency": Quantity(settled * samples + pulse * turns, "s"),
        }

    def area(self) -> dict[str, Quantity]:
        share, nodes = self.of("nodes_per_adc"), self.chip.nodes
        converters = Range(*(float(math.ceil(nodes / n)) for n in (share.high, share.typical, share.low)))
        size = self.of("feature_size")
        parts = {
            "cells": self.of("cell_area") * size * size * self.chip.devices,
            "dacs": self.of("dac_area") * self.chip.sources,
            "adcs": self.of("adc_area") * converters,
        }
        if self.chip.amplifiers:
            parts["amplifiers"] = self.of("amplifier_area") * self.chip.amplifiers
        return _quantities("area", parts, "m²")


def _sum(parts: Iterable[Range]) -> Range:
    return functools.reduce(Range.__add__, parts, Range.of(0.0))


def _quantities(name: str, parts: Mapping[str, Range | float], unit: str) -> dict[str, Quantity]:
    """Parts, and their sum."""
    ranges = {f"{name}.{part}": Range.of(value) for part, value in parts.items()}
    return {part: Quantity(value, unit) for part, value in ranges.items()} | {
        name: Quantity(_sum(ranges.values()), unit)
    }
