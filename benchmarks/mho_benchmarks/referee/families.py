"""Families of random netlists: a name and a seed give a netlist's text, the same each time."""

import zlib
from collections.abc import Callable

import numpy as np

from mho_benchmarks.referee import (
    amplifier_circuits,
    behavioural_circuits,
    diode_circuits,
    linear_circuits,
    transistor_circuits,
)

CIRCUITS: dict[str, Callable[[np.random.Generator], list[str]]] = {
    "series-diode": diode_circuits.series_diode,
    "string": diode_circuits.string,
    "bridge": diode_circuits.bridge,
    "centre-tap": diode_circuits.centre_tap,
    "clamp": diode_circuits.clamp,
    "clipper": diode_circuits.clipper,
    "zener": diode_circuits.zener,
    "multiplier": diode_circuits.multiplier,
    "gates": diode_circuits.gates,
    "ladder": diode_circuits.ladder,
    "matrix": diode_circuits.matrix,
    "ring": diode_circuits.ring,
    "millivolts": diode_circuits.millivolts,
    "hot-and-cold": diode_circuits.hot_and_cold,
    "vendor": diode_circuits.vendor,
    "whole-cards": diode_circuits.whole_cards,
    "breakdown": diode_circuits.breakdown,
    "floating-supplies": diode_circuits.floating_supplies,
    "stiff-diodes": diode_circuits.stiff_diodes,
    "r2r": linear_circuits.r2r,
    "divider": linear_circuits.divider,
    "stiff-resistors": linear_circuits.stiff_resistors,
    "current-sources": linear_circuits.current_sources,
    "bidirectional": amplifier_circuits.bidirectional,
    "chain": amplifier_circuits.chain,
    "op-amps": amplifier_circuits.op_amps,
    "diode-op-amps": amplifier_circuits.diode_op_amps,
    "controlled": amplifier_circuits.controlled,
    "subcircuits": amplifier_circuits.subcircuits,
    "conductors": behavioural_circuits.conductors,
    "saturating-op-amps": behavioural_circuits.saturating_op_amps,
    "function-stages": behavioural_circuits.function_stages,
    "inverters": transistor_circuits.inverters,
    "mosfet-stages": transistor_circuits.mosfet_stages,
    "bipolar-stages": transistor_circuits.bipolar_stages,
    "switches": transistor_circuits.switches,
}
"""The cards of a circuit of each family, without title and analysis, drawn from a generator."""

NGSPICE_ALONE = ("inverters", "mosfet-stages", "bipolar-stages", "switches")
"""Families whose elements have no law in high precision."""


def netlist_text(family: str, seed: int) -> str:
    """A netlist of a family, with an `.op` card."""
    random = np.random.default_rng([zlib.crc32(family.encode()), seed])
    return "\n".join([f"* {family} {seed}", *CIRCUITS[family](random), ".op", ".end", ""])


def families() -> dict[str, Callable[[int], str]]:
    """Netlists by name of the family and seed."""
    return {name: lambda seed, name=name: netlist_text(name, seed) for name in CIRCUITS}
