"""Whether a flat circuit can have exactly one DC operating point, as far as its graph tells.

Three faults make the circuit's equations singular whatever the values: no ground; nodes that no element ties to
ground for direct current; and loops of elements that each fix a voltage. All three are found in near-linear time.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mho.errors import InputError
from mho.netlists.reading.netlist import GROUND, Elements, Netlist
from mho.netlists.reading.values import shown


def check_topology(netlist: Netlist, *, charged: bool = False) -> None:
    """Check that nodes have a DC path to ground and that no loop of voltage sources closes.

    A DC path leads through resistors, diodes, inductors, switches, a transistor's channel and junctions, and V, E, H and
    behavioural voltage sources. Nodes without one may still be determined by controlled sources: where a G, F or
    behavioural one drives current into them and an E, G or behavioural one senses their voltage, the numbers decide, so
    those pass. A node with a single connection is no fault if that is a DC path, as in ngspice.

    Args:
        netlist: the circuit.
        charged: whether capacitors are a path, too: in a transient without an operating point (``uic``) their charges
            determine what is between them.

    Raises:
        InputError: One of the faults; file and line of an element at it.
    """
    kinds = _kinds(netlist)
    if not any(len(elements) for elements in kinds):
        raise InputError(f"{netlist.files[0]}: the netlist has no elements; the first line is its title, not a card")
    pairs = [*(elements.nodes for elements in kinds), *_junctions(netlist)]
    if not any((nodes == GROUND).any() for nodes in pairs):
        raise InputError(f"{netlist.files[0]}: no element connects to ground; name one of the nodes 0")
    _check_loops(netlist)
    _check_floating(netlist, charged)


def _kinds(netlist: Netlist) -> list[Elements]:
    """All elements, those that conduct between their two nodes first."""
    return [
        *_conducting(netlist),
        netlist.capacitors,
        netlist.current_sources,
        netlist.vccs,
        netlist.cccs,
        *(group for group in netlist.behavioural if group.kind == "i"),
    ]


def _conducting(netlist: Netlist) -> list[Elements]:
    """Elements that conduct between their two nodes."""
    return [
        *(netlist.resistors, netlist.diodes, netlist.voltage_sources, netlist.vcvs, netlist.ccvs, netlist.inductors),
        *(netlist.switches, netlist.current_switches, netlist.mosfets, netlist.bipolars, netlist.jfets),
        *(group for group in netlist.behavioural if group.kind == "v"),
    ]


def _junctions(netlist: Netlist) -> list[np.ndarray]:
    """Node pairs of transistors' junctions with their bulk, base, substrate and gate."""
    mosfets, bipolars = netlist.mosfets, netlist.bipolars
    vertical = np.array([m.vertical for m in netlist.bipolar_models], bool)[bipolars.model]
    inner = np.where(vertical, bipolars.nodes[:, 0], bipolars.base)
    return [
        np.stack([mosfets.bulk, mosfets.nodes[:, 0]], 1),
        np.stack([mosfets.bulk, mosfets.nodes[:, 1]], 1),
        np.stack([bipolars.base, bipolars.nodes[:, 1]], 1),
        np.stack([netlist.jfets.gate, netlist.jfets.nodes[:, 1]], 1),
        np.stack([bipolars.substrate, inner], 1),
    ]


def _components(edges: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Number of connected components of a graph, and that of each node."""
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, labels = connected_components(graph, directed=False)
    return int(number), labels


def _check_floating(netlist: Netlist, charged: bool) -> None:
    kinds = _kinds(netlist)
    paths = [*_conducting(netlist), *([netlist.capacitors] if charged else [])]
    edges = np.concatenate([*(elements.nodes for elements in paths), *_junctions(netlist)])
    number, labels = _components(edges, len(netlist.nodes))
    floating = np.ones(number, dtype=bool)
    floating[labels[GROUND]] = False
    driven = np.zeros(number, dtype=bool)
    sensed = np.zeros(number, dtype=bool)
    for pairs, mark in (
        (netlist.vccs.nodes, driven),
        (netlist.cccs.nodes, driven),
        (netlist.vccs.control_nodes, sensed),
        (netlist.vcvs.control_nodes, sensed),
    ):
        ends = labels[pairs]
        mark[ends[ends[:, 0] != ends[:, 1]].ravel()] = True
    for group in netlist.behavioural:
        if group.kind == "i":
            ends = labels[group.nodes]
            driven[ends[ends[:, 0] != ends[:, 1]].ravel()] = True
        sensed[labels[group.sensed[group.sensed > 0]]] = True
    floating &= ~(driven & sensed)
    if not floating.any():
        return
    node = int(np.flatnonzero(floating[labels])[0])
    where = netlist.files[0]
    sensing = ((netlist.vcvs, netlist.vcvs.control_nodes), (netlist.vccs, netlist.vccs.control_nodes))
    sensing += ((netlist.switches, netlist.switches.control), (netlist.mosfets, netlist.mosfets.gate[:, None]))
    sensing += tuple((group, group.sensed) for group in netlist.behavioural)
    for elements, more in [*((kind, kind.nodes) for kind in kinds), *sensing]:
        pairs = np.concatenate([elements.nodes, more], axis=1)
        rows = np.flatnonzero((pairs == node).any(axis=1))
        if len(rows):
            where = f"{netlist.where(elements, rows[0])}: {elements.names[rows[0]]}"
            break
    raise InputError(
        f"{where}: node {shown(netlist.nodes[node])} has no DC path to ground; connect it through a resistor, a diode "
        "or a voltage source"
    )


def _check_loops(netlist: Netlist) -> None:
    behavioural = [group for group in netlist.behavioural if group.kind == "v"]
    kinds = (netlist.voltage_sources, netlist.vcvs, netlist.ccvs, netlist.inductors, *behavioural)
    edges = np.concatenate([elements.nodes for elements in kinds])
    count = len(netlist.nodes)
    if len(edges) == count - _components(edges, count)[0]:
        return
    # The graph isn't a forest: take the edges one by one until one closes a loop.
    parents = list(range(count))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    pairs = edges.tolist()
    closing = 0
    while root(pairs[closing][0]) != root(pairs[closing][1]):
        parents[root(pairs[closing][0])] = root(pairs[closing][1])
        closing += 1
    names = [name for elements in kinds for name in elements.names]
    loop = " ".join([names[closing], *_path(pairs[:closing], names, *pairs[closing])])
    for elements in kinds:
        if closing < len(elements):
            break
        closing -= len(elements)
    where = netlist.where(elements, closing)
    what = "voltage sources and inductors" if len(netlist.inductors) else "voltage sources"
    raise InputError(f"{where}: loop of {what} {loop}; put a resistor into it or take one out")


def _path(edges: list[list[int]], names: list[str], start: int, end: int, most: int = 8) -> list[str]:
    """Names of the edges on the path from one node to another in a forest; only the first of a long path."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for edge, (first, second) in enumerate(edges):
        neighbours.setdefault(first, []).append((edge, second))
        neighbours.setdefault(second, []).append((edge, first))
    towards_end: dict[int, tuple[int, int]] = {end: (-1, end)}
    waiting = [end]
    while waiting:
        node = waiting.pop()
        for edge, other in neighbours.get(node, []):
            if other not in towards_end:
                towards_end[other] = (edge, node)
                waiting.append(other)
    path = []
    node = start
    while node != end and len(path) < most:
        edge, node = towards_end[node]
        path.append(names[edge])
    return path if node == end else [*path, "..."]
