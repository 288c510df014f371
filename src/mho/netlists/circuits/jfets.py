"""The junction field-effect transistors of a netlist as elements of its circuit: channel, gate junctions, resistances.

Source: ngspice 39's level 1. A transistor `j1` with a resistance at its drain has an inner node `j1#drain`, as there.
"""

import numpy as np

from mho.constants import ZERO_CELSIUS
from mho.elements import JunctionDiode, JunctionFieldEffectChannel
from mho.elements.junction_temperature import saturation_growth
from mho.netlists.circuits.inner_nodes import behind_resistances
from mho.netlists.circuits.model_fields import model_fields
from mho.netlists.reading.netlist import Netlist
from mho.networks.circuit_builder import CircuitBuilder


def add_jfets(builder: CircuitBuilder, netlist: Netlist) -> None:
    """Add the J elements."""
    jfets = netlist.jfets
    if not len(jfets):
        return
    names = np.array(netlist.nodes, dtype=object)
    size = jfets.area * jfets.multiplier
    parameter = model_fields(netlist.jfet_models, jfets.model, np.nan)
    drain, source = (
        behind_resistances(
            builder, jfets.names, names[jfets.nodes[:, k]], parameter(f"{end}_resistance") / size, end, "JFETs'"
        )
        for k, end in enumerate(("drain", "source"))
    )
    gate, polarity = names[jfets.gate], parameter("polarity")
    nominal, kelvin = parameter("nominal_temperature") + ZERO_CELSIUS, jfets.temperature + ZERO_CELSIUS
    warmer = kelvin - nominal
    rises, growth = parameter("threshold_rises"), parameter("gain_growth")
    shift = np.where(np.isnan(rises), -parameter("threshold_falls"), rises) * warmer
    power = (kelvin / nominal) ** parameter("gain_exponent")
    law = JunctionFieldEffectChannel(
        polarity=polarity,
        threshold=parameter("threshold") + shift,
        gain=parameter("transconductance") * np.where(np.isnan(growth), power, 1.01 ** (growth * warmer)) * size,
        length_modulation=parameter("length_modulation"),
        tail=parameter("tail"),
        tail_slope=(1.0 - parameter("tail")) / (parameter("gate_potential") - parameter("threshold")),
    )
    sensed = [[f"v:{node}" for node in three] for three in zip(drain, gate, source, strict=True)]
    builder.add_behavioural_sources(drain, source, sensed, law, kind="i", names=jfets.names)
    one = np.ones(len(jfets))
    energy, exponent = parameter("activation_energy"), parameter("saturation_exponent")
    current = parameter("junction_current") * size * saturation_growth(one, energy, exponent, nominal, kelvin)
    for end, inner in (("source", source), ("drain", drain)):
        anode, cathode = np.where(polarity > 0, gate, inner), np.where(polarity > 0, inner, gate)
        for celsius in np.unique(jfets.temperature):
            rows = np.flatnonzero(jfets.temperature == celsius)
            diode = JunctionDiode.of_transistor(
                current[rows], one[rows], temperature=float(celsius) + ZERO_CELSIUS, gmin=netlist.gmin
            )
            label = f"gate junctions at {end}s at {celsius:.17g} °C"
            builder.add_diodes(anode[rows], cathode[rows], diode, name=label)
        # m transistors have m times gmin.
        more = (jfets.multiplier - 1.0) * netlist.gmin
        rows = np.flatnonzero((more > 0) & (anode != cathode))
        if rows.size:
            builder.add_resistors(anode[rows], cathode[rows], more[rows], name=f"gmin of gate junctions at {end}s")
