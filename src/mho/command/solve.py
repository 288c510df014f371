"""`mho solve`: the operating point of a netlist, by mho's own solver."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse


@dataclasses.dataclass(frozen=True)
class Options:
    """Which netlist to solve and how to tell its operating point."""

    netlist: Annotated[Path, tyro.conf.Positional]
    """A SPICE netlist, as ngspice reads it."""
    json: bool = False
    """Print JSON instead of tables: {"nodes": {name: volts}, "branches": {source: amperes}, "residual": r,
    "error_bound": volts, "error_bounds": {name: volts}}."""
    allow_include_outside: bool = False
    """Let .include read files outside the netlist's own folder."""


def run(arguments: Sequence[str]) -> None:
    """Solve a netlist and print its node voltages, the currents of its voltage sources, residual and error bound."""
    description = (
        "DC operating point of a SPICE netlist: node voltages, currents of V, E and H sources (into their first node) and "
        "the largest imbalance of Kirchhoff's current law relative to the largest current at its node, and how far any "
        "node's voltage can be off. "
        "Example: mho solve bridge.cir --json"
    )
    options = parse(Options, arguments, prog="mho solve", description=description)
    from mho.netlists import read_netlist
    from mho.netlists.circuits.operating_point import operating_point

    netlist = read_netlist(options.netlist, allow_include_outside=options.allow_include_outside)
    for note in netlist.notes:
        print(f"note: {note}", file=sys.stderr)
    point = operating_point(netlist)
    for note in point.notes[len(netlist.notes) :]:
        print(f"note: {note}", file=sys.stderr)
    if options.json:
        # NaN and infinity are no JSON, and no operating point has them.
        found = {
            name: getattr(point, name) for name in ("nodes", "branches", "residual", "error_bound", "error_bounds")
        }
        print(json.dumps(found, allow_nan=False))
        return
    width = max(map(len, ("branch", *point.nodes, *point.branches))) + 2
    for heading, unit, values in (("node", "V", point.nodes), ("branch", "A", point.branches)):
        if values:
            print(f"{heading:<{width}}{unit:>16}")
            print("\n".join(f"{name:<{width}}{value:>16.9g}" for name, value in values.items()))
    print(f"residual {point.residual:.3g}, error bound {point.error_bound:.3g} V")
