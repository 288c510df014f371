"""The MOSFETs of a netlist as elements of its circuit: channel, bulk junctions and the resistances of drain and source.

Source: ngspice 39's level 1. A transistor `m1` with a resistance at its drain has an inner node `m1#drain`, as there.
"""

from collections.abc import Callable

import numpy as np

from mho.constants import ZERO_CELSIUS
from mho.elements import JunctionDiode, ShichmanHodgesChannel
from mho.elements.junction_temperature import band_gap
from mho.elements.shockley_diode import thermal_voltage
from mho.errors import InputError
from mho.netlists.circuits.inner_nodes import behind_resistances
from mho.netlists.circuits.model_fields import model_fields
from mho.netlists.reading.netlist import Mosfets, Netlist
from mho.networks.circuit_builder import CircuitBuilder


def add_mosfets(builder: CircuitBuilder, netlist: Netlist) -> None:
    """Add the M elements.

    Raises:
        InputError: a model gives RD or RS as 0 beside an RSH, which ngspice takes for a transistor without that end.
    """
    mosfets = netlist.mosfets
    if not len(mosfets):
        return
    names = np.array(netlist.nodes, dtype=object)
    drain, source = (
        behind_resistances(
            builder, mosfets.names, names[mosfets.nodes[:, k]], _resistance(netlist, end, squares), end, "MOSFETs'"
        )
        for k, end, squares in ((0, "drain", mosfets.drain_squares), (1, "source", mosfets.source_squares))
    )
    gate, bulk = names[mosfets.gate], names[mosfets.bulk]
    sensed = [[f"v:{node}" for node in four] for four in zip(drain, gate, source, bulk, strict=True)]
    builder.add_behavioural_sources(drain, source, sensed, _channels(netlist), kind="i", names=mosfets.names)
    _add_bulk_junctions(builder, netlist, bulk, drain, source)


def mosfet_parameters(netlist: Netlist) -> Callable[[str], np.ndarray]:
    """A field of the models of the netlist's MOSFETs, by its name, (n,); NaN where the model has none."""
    return model_fields(netlist.mosfet_models, netlist.mosfets.model, np.nan)


def _resistance(netlist: Netlist, end: str, squares: np.ndarray) -> np.ndarray:
    """Of drain or source [Ω], (n,): the model's, or its sheet resistance times the squares; 0 for none."""
    parameter = mosfet_parameters(netlist)
    own, sheet = parameter(f"{end}_resistance"), np.nan_to_num(parameter("sheet_resistance")) * squares
    wrong = np.flatnonzero((own == 0) & (sheet > 0))
    if wrong.size:
        where = netlist.where(netlist.mosfets, int(wrong[0]))
        raise InputError(
            f"{where}: {netlist.mosfets.names[wrong[0]]}: its model gives R{end[0].upper()}=0 beside an RSH; leave one out"
        )
    return np.where(np.isnan(own), sheet, own) / netlist.mosfets.multiplier


def _channels(netlist: Netlist) -> ShichmanHodgesChannel:
    parameter, mosfets = mosfet_parameters(netlist), netlist.mosfets
    effective = mosfets.length - 2.0 * parameter("lateral_diffusion")
    return ShichmanHodgesChannel.from_model(
        polarity=parameter("polarity"),
        threshold=parameter("threshold"),
        transconductance=parameter("transconductance"),
        shape=mosfets.width / effective * mosfets.multiplier,
        body_effect=parameter("body_effect"),
        surface_potential=parameter("surface_potential"),
        length_modulation=parameter("length_modulation"),
        temperature=mosfets.temperature + ZERO_CELSIUS,
        nominal_temperature=parameter("nominal_temperature") + ZERO_CELSIUS,
    )


def bulk_saturation_currents(netlist: Netlist) -> tuple[np.ndarray, np.ndarray]:
    """Of the drains' and the sources' junctions at their temperature [A], (n,): JS times the area, or IS where that is 0."""
    parameter, mosfets = mosfet_parameters(netlist), netlist.mosfets
    nominal, kelvin = parameter("nominal_temperature") + ZERO_CELSIUS, mosfets.temperature + ZERO_CELSIUS
    at_nominal, here = (np.asarray(band_gap(t) / np.asarray(thermal_voltage(t))) for t in (nominal, kelvin))  # pyright: ignore[reportArgumentType]
    gaps = at_nominal - here
    growth = np.exp(gaps) * mosfets.multiplier
    whole, density = parameter("junction_current") * growth, parameter("junction_current_density") * growth
    sized = (density > 0) & (mosfets.drain_area > 0) & (mosfets.source_area > 0)
    areas = (mosfets.drain_area, mosfets.source_area)
    drain, source = (np.where(sized, density * area, whole) for area in areas)
    return drain, source


def _add_bulk_junctions(
    builder: CircuitBuilder, netlist: Netlist, bulk: np.ndarray, drain: np.ndarray, source: np.ndarray
) -> None:
    mosfets: Mosfets = netlist.mosfets
    n_channel = mosfet_parameters(netlist)("polarity") > 0
    for end, inner, current in zip(
        ("drain", "source"), (drain, source), bulk_saturation_currents(netlist), strict=True
    ):
        anode, cathode = np.where(n_channel, bulk, inner), np.where(n_channel, inner, bulk)
        for celsius in np.unique(mosfets.temperature):
            here = mosfets.temperature == celsius
            rows = np.flatnonzero(here & (current > 0))
            label = f"bulk junctions of {end}s at {celsius:.17g} °C"
            if rows.size:
                diode = JunctionDiode.of_transistor(
                    current[rows],
                    np.ones(rows.size),
                    temperature=float(celsius) + ZERO_CELSIUS,
                    gmin=netlist.gmin,
                    abrupt=True,
                )
                builder.add_diodes(anode[rows], cathode[rows], diode, name=label)
            rows = np.flatnonzero(here & (current == 0))
            if rows.size and netlist.gmin > 0:
                conductance = np.full(rows.size, netlist.gmin)
                builder.add_resistors(anode[rows], cathode[rows], conductance, name=f"gmin of {label}")
