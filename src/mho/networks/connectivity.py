"""Connectivity of a circuit's graph."""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph


def components(first: np.ndarray, second: np.ndarray, nodes: int) -> np.ndarray:
    """Number of the connected part that each node belongs to."""
    graph = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), shape=(nodes, nodes))
    return csgraph.connected_components(graph, directed=False)[1]


def path(adjacent: dict[int, list[tuple[int, str]]], start: int, end: int) -> list[str]:
    """Names of the edges on the way from a node to another in a forest."""
    came: dict[int, tuple[int, str]] = {}
    stack, seen = [start], {start}
    while stack:
        here = stack.pop()
        for there, name in adjacent.get(here, []):
            if there not in seen:
                seen.add(there)
                came[there] = (here, name)
                stack.append(there)
    names = []
    while end != start:
        end, name = came[end]
        names.append(name)
    return names
