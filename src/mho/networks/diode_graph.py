"""Any graph of resistors and diodes between driven nodes, of any size: circuits to measure solvers on."""

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder


def diode_graph(
    first: ArrayLike,
    second: ArrayLike,
    *,
    driven: ArrayLike,
    voltages: ArrayLike,
    diodes: int,
    seed: int,
    conductance: float = 1e-3,
) -> Circuit:
    """A circuit of given edges, some of them junction diodes (SPICE's default model), the others resistors.

    At a driven node stands no diode.

    Args:
        first: a node number of each edge, from 1 on.
        second: the other.
        driven: nodes that voltage sources hold.
        voltages: at which voltage [V], of the same shape.
        diodes: how many edges, chosen at random, are to be diodes, in random direction.
        seed: of that choice and of the conductances.
        conductance: mean of the resistors' conductances, which are uniform between 0.5 and 1.5 times it [S].

    Raises:
        InputError: for more diodes than edges, or a fault of the circuit; see `CircuitBuilder.build`.
    """
    a, b = np.asarray(first), np.asarray(second)
    if not 0 <= diodes < len(a):
        raise InputError(f"{diodes} diodes among {len(a)} edges: at least one edge must be a resistor")
    random = np.random.default_rng(seed)
    edges = random.permutation(len(a))
    resistors, junctions = edges[diodes:], edges[:diodes]
    # Diodes straight across sources, or in series between two, would carry any current.
    across = np.isin(a[junctions], driven) | np.isin(b[junctions], driven)
    resistors, junctions = np.append(resistors, junctions[across]), junctions[~across]
    builder = CircuitBuilder()
    values = conductance * random.uniform(0.5, 1.5, len(resistors))
    builder.add_resistors(a[resistors], b[resistors], values)
    if len(junctions):
        turned = random.random(len(junctions)) < 0.5
        anode, cathode = np.where(turned, b[junctions], a[junctions]), np.where(turned, a[junctions], b[junctions])
        builder.add_diodes(anode, cathode)
    held = np.asarray(driven)
    builder.add_voltage_sources(held, 0, voltages, [f"v{node}" for node in held.tolist()])
    return builder.build()


def random_edges(nodes: int, edges: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """First and second node of each edge of a connected random graph, the nodes numbered from 1 on.

    Every node after the first has an edge to one before it, drawn at random; the other edges join two random nodes.

    Raises:
        InputError: for fewer edges than connect the nodes.
    """
    if nodes < 2 or edges < nodes - 1:
        raise InputError(f"{edges} edges for {nodes} nodes: at least two nodes, and an edge for each but the first")
    random = np.random.default_rng(seed)
    child = np.arange(1, nodes)
    parent = (random.random(nodes - 1) * child).astype(np.int64)
    more = random.integers(0, nodes, edges - nodes + 1)
    other = (more + random.integers(1, nodes, len(more))) % nodes
    return 1 + np.concatenate([child, more]), 1 + np.concatenate([parent, other])
