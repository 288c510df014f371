"""Whether a flat circuit can have exactly one DC operating point, as far as its graph tells.

Three faults make the circuit's equations singular whatever the values: no ground; nodes that no element ties to
ground for direct current; and loops of elements that each fix a voltage. All three are found in near-linear time.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from mho.errors import InputError
from mho.spice.netlist import GROUND, Elements, Netlist
from mho.spice.values import shown


def check_topology(netlist: Netlist) -> None:
    """Check that nodes have a DC path to ground and that no loop of voltage sources closes.

    A DC path leads through resistors, diodes, and V, E and H elements. Nodes without one may still be determined by
    controlled sources: where a G or F element drives current into them and an E or G element senses their voltage,
    the numbers decide, so those pass. A node with a single connection is no fault if that is a DC path, as in ngspice.

    Raises:
        InputError: One of the faults; file and line of an element at it.
    """
    kinds = _kinds(netlist)
    if not any(len(elements) for elements in kinds):
        raise InputError(f"{netlist.files[0]}: the netlist has no elements; the first line is its title, not a card")
    if not any((elements.nodes == GROUND).any() for elements in kinds):
        raise InputError(f"{netlist.files[0]}: no element connects to ground; name one of the nodes 0")
    _check_loops(netlist)
    _check_floating(netlist)


def _kinds(netlist: Netlist) -> list[Elements]:
    return [
        netlist.resistors,
        netlist.diodes,
        netlist.voltage_sources,
        netlist.vcvs,
        netlist.ccvs,
        netlist.capacitors,
        netlist.current_sources,
        netlist.vccs,
        netlist.cccs,
    ]


def _components(edges: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Number of connected components of a graph, and that of each node."""
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, labels = connected_components(graph, directed=False)
    return int(number), labels


def _check_floating(netlist: Netlist) -> None:
    kinds = _kinds(netlist)
    edges = np.concatenate([elements.nodes for elements in kinds[:5]])
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
    floating &= ~(driven & sensed)
    if not floating.any():
        return
    node = int(np.flatnonzero(floating[labels])[0])
    where = netlist.files[0]
    for elements in [*kinds, netlist.vcvs, netlist.vccs]:
        pairs = elements.nodes
        if elements is netlist.vcvs or elements is netlist.vccs:
            pairs = np.concatenate([pairs, elements.control_nodes], axis=1)
        rows = np.flatnonzero((pairs == node).any(axis=1))
        if len(rows):
            where = f"{netlist.where(elements, rows[0])}: {elements.names[rows[0]]}"
            break
    raise InputError(
        f"{where}: node {shown(netlist.nodes[node])} has no DC path to ground; connect it through a resistor, a diode "
        "or a voltage source"
    )


def _check_loops(netlist: Netlist) -> None:
    kinds = (netlist.voltage_sources, netlist.vcvs, netlist.ccvs)
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

    closing = 0
    first, second = edges[0].tolist()
    while root(first) != root(second):
        parents[root(first)] = root(second)
        closing += 1
        first, second = edges[closing].tolist()
    loop = [closing, *_path(edges[:closing], first, second, count)]
    names = [name for elements in kinds for name in elements.names]
    shortest = " ".join(names[edge] for edge in loop[:8]) + (" ..." if len(loop) > 8 else "")
    for elements in kinds:
        if closing < len(elements):
            break
        closing -= len(elements)
    where = netlist.where(elements, closing)
    raise InputError(f"{where}: loop of voltage sources {shortest}; put a resistor into it or take one out")


def _path(edges: np.ndarray, start: int, end: int, count: int) -> list[int]:
    """Numbers of the edges on the path from one node to another in a forest."""
    if start == end:
        return []
    numbers = np.arange(1, len(edges) + 1)
    graph = coo_array((numbers, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    graph = graph + graph.T
    _, before = breadth_first_order(graph, start, directed=False)
    path = []
    node = end
    while node != start:
        path.append(int(graph[int(before[node]), node]) - 1)
        node = int(before[node])
    return path
