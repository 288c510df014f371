"""Operating points of netlists, by the names that are in them."""

from dataclasses import dataclass
from pathlib import Path

from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages, source_currents
from mho.netlists.reading.netlist import Netlist
from mho.netlists.reading.reader import read_netlist
from mho.netlists.reading.topology import check_topology
from mho.networks import Circuit
from mho.steady.newton import CircuitSolution, solve_circuit
from mho.steady.other_points import MOST_NODES, lasts, other_point


@dataclass(frozen=True)
class OperatingPoint:
    """A certified operating point; names in lower case, as ngspice prints them."""

    nodes: dict[str, float]
    """Voltages [V]."""
    branches: dict[str, float]
    """Currents of V, E and H sources, into their first node and through them [A]."""
    residual: float
    """Largest imbalance of Kirchhoff's current law relative to the largest current at its node."""
    error_bounds: dict[str, float]
    """How far each node's voltage can be off [V]."""
    notes: tuple[str, ...]
    """What the netlist says that was passed over; another operating point; that this one would not last."""

    @property
    def error_bound(self) -> float:
        """The largest of the nodes' [V]."""
        return max(self.error_bounds.values(), default=0.0)


def operating_point(netlist: Netlist | str | Path) -> OperatingPoint:
    """The DC operating point of a netlist, as `mho solve` prints it.

    Args:
        netlist: the netlist, or its file.

    Raises:
        InputError: if the file cannot be read or understood, or the circuit as a whole is at fault.
        MhoError: if no operating point is found that its certificate allows.
    """
    read = netlist if isinstance(netlist, Netlist) else read_netlist(Path(netlist))
    # What a `uic` transient leaves to the charges of capacitors has no operating point.
    check_topology(read)
    circuit = netlist_circuit(read, currents=True)
    point = solve_circuit(circuit, start=nodeset_voltages(read, circuit))
    rows = {name: circuit.node_names.index(name, "node") for name in read.nodes[1:]}
    return OperatingPoint(
        nodes={name: float(point.voltages[row]) for name, row in rows.items()},
        branches=source_currents(read, circuit, point),
        residual=float(point.residual),
        error_bounds={name: float(point.error_bound[row]) for name, row in rows.items()},
        notes=(*read.notes, *_several(circuit, point)),
    )


def _several(circuit: Circuit, point: CircuitSolution) -> list[str]:
    """What is to be said of an operating point that is not the only one."""
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
