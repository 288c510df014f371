"""`mho solve`: the operating point of a netlist, by mho's own solver."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mho.command.options import parse

if TYPE_CHECKING:
    from mho.networks import Circuit
    from mho.steady.newton import CircuitSolution


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
    from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages, source_currents
    from mho.netlists.reading.topology import check_topology
    from mho.steady.newton import solve_circuit

    netlist = read_netlist(options.netlist, allow_include_outside=options.allow_include_outside)
    # What a `uic` transient leaves to the charges of capacitors has no operating point.
    check_topology(netlist)
    for note in netlist.notes:
        print(f"note: {note}", file=sys.stderr)
    circuit = netlist_circuit(netlist)
    point = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
    for note in _several(circuit, point):
        print(f"note: {note}", file=sys.stderr)
    voltages = point.voltages.tolist()
    nodes = {name: voltages[circuit.node_names.index(name, "node")] for name in netlist.nodes[1:]}
    bounds = {name: float(point.error_bound[circuit.node_names.index(name, "node")]) for name in netlist.nodes[1:]}
    bound = max(bounds.values(), default=0.0)
    branches = source_currents(netlist, circuit, point)
    if options.json:
        # NaN and infinity are no JSON, and no operating point has them.
        found = {"nodes": nodes, "branches": branches, "residual": float(point.residual), "error_bound": bound}
        print(json.dumps({**found, "error_bounds": bounds}, allow_nan=False))
        return
    width = max(map(len, ("branch", *nodes, *branches))) + 2
    for heading, unit, values in (("node", "V", nodes), ("branch", "A", branches)):
        if values:
            print(f"{heading:<{width}}{unit:>16}")
            print("\n".join(f"{name:<{width}}{value:>16.9g}" for name, value in values.items()))
    print(f"residual {float(point.residual):.3g}, error bound {bound:.3g} V")


def _several(circuit: "Circuit", point: "CircuitSolution") -> list[str]:
    """What is to be said of an operating point that is not the only one."""
    from mho.steady.other_points import MOST_NODES, lasts, other_point

    other = other_point(circuit, point)
    notes = []
    if other is not None:
        node = int(abs(other.voltages - point.voltages).argmax())
        notes.append(
            f"the circuit has another operating point, with node {circuit.node_names[node]!r} at "
            f"{other.voltages[node]:.6g} V instead of {point.voltages[node]:.6g} V; .nodeset chooses"
        )
    if circuit.ties is None and circuit.nodes <= MOST_NODES and not lasts(circuit, point):
        notes.append("the operating point does not last: with a capacitor at every node its voltages run away from it")
    return notes
