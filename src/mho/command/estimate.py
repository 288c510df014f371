"""`mho estimate`: energy, latency and area of a trained run's chip."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import tyro

from mho.chip.constants import DEFAULTS
from mho.command.options import parse
from mho.command.output import STANDARD, check_output, write_output
from mho.engineering import engineering
from mho.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """Of which run, with which constants, and how to tell it."""

    run: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of a run, or one of its checkpoints."""
    file: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """Samples at whose operating points power is measured, as of mho predict; some of the run's test set if not given."""
    constants: Annotated[str | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """File with constants of your own; --show-constants prints all, with their sources."""
    show_constants: bool = False
    """Print the constants that there are."""
    conductance_scale: float | None = None
    """Siemens on the chip for one in the network; if not given, the largest becomes conductance_max, but a netlist's values
    stay."""
    voltage_scale: float | None = None
    """Volts on the chip for one in the network; the largest at a source becomes read_voltage if not given, but 1 where a
    law, such as a Shockley diode's, has voltages of its own."""
    json: bool = False
    """Print JSON: {"quantities": {name: {"low", "typical", "high", "unit"}}, "notes": […], …}."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE.csv")] = STANDARD
    """File for the table as CSV; - for standard output, as text."""


def run(arguments: Sequence[str]) -> None:
    """Estimate; print ranges."""
    options = parse(
        Options,
        arguments,
        prog="mho estimate",
        description="Estimate energy, latency and area of the chip that a trained run describes: power and settling from "
        "its circuit's operating points, converters, amplifiers, pulses and cells from constants with their sources. All "
        "results are ranges, low, typical and high. Example: mho estimate runs/drn-digits-seed0 --json",
    )
    if options.show_constants:
        print(DEFAULTS.read_text(), end="")
        return
    if options.run is None:
        raise InputError("mho estimate needs RUN (see mho estimate --help)")
    check_output("-o", options.output)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.chip.estimate import estimate
    from mho.experiments.data.table import csv_text

    found = estimate(
        options.run,
        options.file,
        constants=options.constants,
        conductance_scale=options.conductance_scale,
        voltage_scale=options.voltage_scale,
    )
    if options.json:
        shown = {name: dataclasses.asdict(q.range) | {"unit": q.unit} for name, q in found.quantities.items()}
        scales = {"conductance_scale": found.conductance_scale, "voltage_scale": found.voltage_scale}
        content = json.dumps({"quantities": shown, "notes": found.notes, **scales}, allow_nan=False)
        write_output("-o", options.output, content + "\n")
        return
    rows = [(name, *dataclasses.astuple(q.range), q.unit) for name, q in found.quantities.items()]
    if options.output != STANDARD:
        write_output("-o", options.output, csv_text(("quantity", "low", "typical", "high", "unit"), rows))
    width = max(len(name) for name, *_ in rows) + 2
    print(f"{'':<{width}}{'low':>15}{'typical':>15}{'high':>15}")
    for name, *values, unit in rows:
        print(f"{name:<{width}}" + "".join(f"{_shown(value, unit):>15}" for value in values))
    print("\n".join(found.notes))


def _shown(value: float, unit: str) -> str:
    return f"{value * 1e6:.3g} mm²" if unit == "m²" else engineering(value, unit)
