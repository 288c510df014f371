"""The bipolar transistors of a netlist as elements of its circuit: junctions, transport, resistances.

Source: ngspice 39's level 1 (Gummel-Poon). A transistor `q1` with a resistance at its collector has an inner node
`q1#collector`, as there, and likewise `q1#base` and `q1#emitter`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mho.constants import ZERO_CELSIUS
from mho.elements import BaseResistance, GummelPoonTransport, JunctionDiode
from mho.elements.junction_temperature import saturation_growth
from mho.elements.shockley_diode import thermal_voltage
from mho.netlists.circuits.inner_nodes import behind_resistances
from mho.netlists.circuits.model_fields import model_fields
from mho.netlists.reading.netlist import Netlist
from mho.networks.circuit_builder import CircuitBuilder


def add_bipolars(builder: CircuitBuilder, netlist: Netlist) -> None:
    """Add the Q elements."""
    bipolars = netlist.bipolars
    if not len(bipolars):
        return
    names = np.array(netlist.nodes, dtype=object)
    parameter = bipolar_parameters(netlist)
    ends = {
        "collector": names[bipolars.nodes[:, 0]],
        "base": names[bipolars.base],
        "emitter": names[bipolars.nodes[:, 1]],
    }
    inner = {}
    for end, outer in ends.items():
        resistance = parameter(f"{end}_resistance") / (bipolars.area * bipolars.multiplier)
        if end == "base":
            behind = np.array([f"{name}#{end}" for name in bipolars.names], dtype=object)
            inner[end] = np.where(resistance > 0, behind, outer)
        else:
            inner[end] = behind_resistances(builder, bipolars.names, outer, resistance, end, "bipolar transistors'")
    currents = _Currents(netlist)
    transport = GummelPoonTransport(**currents.charge(slice(None)))
    three = (inner["collector"], inner["base"], inner["emitter"])
    sensed = [[f"v:{node}" for node in nodes] for nodes in zip(*three, strict=True)]
    builder.add_behavioural_sources(
        inner["collector"], inner["emitter"], sensed, transport, kind="i", names=bipolars.names
    )
    _add_base_resistances(builder, netlist, ends["base"], three, currents)
    _add_junctions(builder, netlist, three, names[bipolars.substrate], currents)


def bipolar_parameters(netlist: Netlist) -> Callable[[str], np.ndarray]:
    """A field of the models of the netlist's bipolar transistors, by its name, (n,); infinite where the model has none."""
    return model_fields(netlist.bipolar_models, netlist.bipolars.model, np.inf)


class _Currents:
    """Saturation currents and scales at the transistors' temperature and area, (n,) each, of one of m in parallel."""

    def __init__(self, netlist: Netlist):
        parameter, self.bipolars = bipolar_parameters(netlist), netlist.bipolars
        bipolars = self.bipolars
        self.parameter, self.gmin = parameter, netlist.gmin
        self.kelvin: Any = bipolars.temperature + ZERO_CELSIUS
        nominal = parameter("nominal_temperature") + ZERO_CELSIUS
        energy, exponent = parameter("activation_energy"), parameter("saturation_exponent")

        def growth(emission: np.ndarray) -> np.ndarray:
            return saturation_growth(emission, energy, exponent, nominal, self.kelvin)

        one = np.ones(len(bipolars))
        self.vertical = parameter("vertical") > 0
        self.polarity = parameter("polarity")
        side = np.where(self.vertical, bipolars.base_area, bipolars.collector_area)
        gain = (self.kelvin / nominal) ** parameter("gain_exponent")
        self.forward = parameter("saturation_current") * bipolars.area * growth(one)
        # The emitter's area and the junction's own: ngspice 39 multiplies by both.
        self.reverse = self.forward * side
        thermal = np.asarray(thermal_voltage(self.kelvin))
        self.forward_scale = parameter("forward_emission") * thermal
        self.reverse_scale = parameter("reverse_emission") * thermal
        emission = parameter("emitter_leakage_emission")
        self.emitter_leakage = parameter("emitter_leakage") * bipolars.area * growth(emission) / gain
        self.emitter_leakage_emission = emission
        emission = parameter("collector_leakage_emission")
        self.collector_leakage = parameter("collector_leakage") * side * growth(emission) / gain
        self.collector_leakage_emission = emission
        self.emitter_ideal = self.forward / (parameter("forward_gain") * gain)
        self.collector_ideal = self.reverse / (parameter("reverse_gain") * gain)
        self.substrate = parameter("substrate_current") * bipolars.area * growth(one)

    def charge(self, rows) -> dict[str, np.ndarray]:
        """What `mho.elements.bipolar_transistor.GummelPoonCharge` needs."""
        parameter, area = self.parameter, self.bipolars.area
        fields = {
            "polarity": self.polarity,
            "multiplier": self.bipolars.multiplier,
            "forward_saturation": self.forward,
            "reverse_saturation": self.reverse,
            "forward_scale": self.forward_scale,
            "reverse_scale": self.reverse_scale,
            "forward_early": 1.0 / parameter("forward_early"),
            "reverse_early": 1.0 / parameter("reverse_early"),
            "forward_knee": 1.0 / (parameter("forward_knee") * area),
            "reverse_knee": 1.0 / (parameter("reverse_knee") * area),
            "roll_off": parameter("roll_off"),
        }
        return {name: value[rows] for name, value in fields.items()}


def _add_base_resistances(
    builder: CircuitBuilder, netlist: Netlist, base: np.ndarray, inner: tuple[np.ndarray, ...], currents: _Currents
) -> None:
    bipolars, parameter = netlist.bipolars, bipolar_parameters(netlist)
    largest, least = parameter("base_resistance"), parameter("least_base_resistance")
    half = parameter("base_half_current") * bipolars.area
    constant = (largest > 0) & (largest == least)
    rows = np.flatnonzero(constant)
    if rows.size:
        conductance = bipolars.area[rows] * bipolars.multiplier[rows] / largest[rows]
        labels = [f"{bipolars.names[k]} (RB)" for k in rows]
        builder.add_resistors(base[rows], inner[1][rows], conductance, name="resistances of bases", labels=labels)
    rows = np.flatnonzero((largest > 0) & ~constant)
    if not rows.size:
        return
    thermal = np.asarray(thermal_voltage(currents.kelvin))
    pairs = (
        (currents.emitter_ideal, currents.forward_scale),
        (currents.emitter_leakage, currents.emitter_leakage_emission * thermal),
        (currents.collector_ideal, currents.reverse_scale),
        (currents.collector_leakage, currents.collector_leakage_emission * thermal),
    )
    law = BaseResistance(
        **currents.charge(rows),
        minimum=(least / bipolars.area)[rows],
        modulated=((largest - least) / bipolars.area)[rows],
        half_current=half[rows],
        base_currents=tuple(value[rows] for pair in pairs for value in pair),
        gmin=netlist.gmin,
    )
    four = (base, *inner)
    sensed = [[f"v:{nodes[k]}" for nodes in four] for k in rows]
    names = [f"{bipolars.names[k]} (RB)" for k in rows]
    builder.add_behavioural_sources(base[rows], inner[1][rows], sensed, law, kind="i", names=names)


def _add_junctions(
    builder: CircuitBuilder, netlist: Netlist, inner: tuple[np.ndarray, ...], substrate: np.ndarray, currents: _Currents
) -> None:
    """The three junctions; m of them in parallel, gmin included."""
    collector, base, emitter = inner
    bipolars, parameter = netlist.bipolars, bipolar_parameters(netlist)
    at_substrate = np.where(currents.vertical, collector, base)
    # The substrate's junction is of the collector's polarity, or against it at a lateral transistor's base.
    polarity = currents.polarity * np.where(currents.vertical, 1.0, -1.0)
    add = partial(_add_junction, builder, netlist)
    add(
        "emitter",
        (base, emitter),
        currents.polarity,
        currents.emitter_ideal,
        parameter("forward_emission"),
        (currents.emitter_leakage, currents.emitter_leakage_emission),
    )
    add(
        "collector",
        (base, collector),
        currents.polarity,
        currents.collector_ideal,
        parameter("reverse_emission"),
        (currents.collector_leakage, currents.collector_leakage_emission),
    )
    none = np.zeros(len(bipolars))
    add(
        "substrate",
        (substrate, at_substrate),
        polarity,
        currents.substrate,
        parameter("substrate_emission"),
        (none, none + 1.0),
    )


def _add_junction(
    builder: CircuitBuilder,
    netlist: Netlist,
    end: str,
    sides: tuple[np.ndarray, np.ndarray],
    polarity: np.ndarray,
    ideal: np.ndarray,
    emission: np.ndarray,
    leaking: tuple[np.ndarray, np.ndarray],
) -> None:
    """A junction of each transistor: its p side first for a polarity of 1; gmin alone where it has no saturation current."""
    anode, cathode = np.where(polarity > 0, sides[0], sides[1]), np.where(polarity > 0, sides[1], sides[0])
    bipolars = netlist.bipolars
    for celsius in np.unique(bipolars.temperature):
        here = bipolars.temperature == celsius
        rows = np.flatnonzero(here & (ideal > 0))
        label = f"{end} junctions at {celsius:.17g} °C"
        if rows.size:
            times = bipolars.multiplier[rows]
            diode = JunctionDiode.of_transistor(
                ideal[rows] * times,
                emission[rows],
                temperature=float(celsius) + ZERO_CELSIUS,
                gmin=netlist.gmin,
                leakage=leaking[0][rows] * times,
                leakage_ideality=leaking[1][rows],
            )
            builder.add_diodes(anode[rows], cathode[rows], diode, name=label)
        missing = np.where(ideal > 0, bipolars.multiplier - 1.0, bipolars.multiplier) * netlist.gmin
        rows = np.flatnonzero(here & (missing > 0) & (anode != cathode))
        if rows.size:
            builder.add_resistors(anode[rows], cathode[rows], missing[rows], name=f"gmin of {label}")
