"""Lattices and random graphs: the edges they say they have."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csgraph

from mho.errors import InputError
from mho.networks.diode_graph import diode_graph, random_edges
from mho.networks.lattice import lattice_edges


@pytest.mark.parametrize(
    ("sides", "diagonals"), [((4, 6), False), ((5, 3), True), ((3, 4, 5), False), ((3, 4, 5), True)]
)
def test_lattice_edges_are_the_pairs_of_neighbours(sides, diagonals):
    first, second = lattice_edges(sides, diagonals=diagonals)
    place = np.stack(np.unravel_index(np.arange(np.prod(sides)), sides), -1)
    apart = np.abs(place[:, None] - place)
    near = (apart.max(-1) == 1) & (apart.sum(-1) <= (2 if diagonals else 1))
    expected = {(a + 1, b + 1) for a, b in np.argwhere(near).tolist() if a < b}
    found = [(min(p), max(p)) for p in zip(first.tolist(), second.tolist(), strict=True)]
    assert len(found) == len(set(found)) and set(found) == expected


def test_random_graphs_are_connected():
    first, second = random_edges(500, 700, seed=0)
    assert len(first) == 700 and (first != second).all()
    np.testing.assert_array_equal(np.unique([first, second]), np.arange(1, 501))
    graph = coo_array((np.ones(700), (first - 1, second - 1)), shape=(500, 500))
    assert csgraph.connected_components(graph)[0] == 1
    with pytest.raises(InputError, match="3 edges for 5 nodes"):
        random_edges(5, 3, seed=0)


def test_some_edges_are_diodes():
    first, second = lattice_edges((6, 6))
    circuit = diode_graph(first, second, driven=[1, 36], voltages=[2.0, 0.0], diodes=7, seed=0)
    assert [len(b.first) for b in circuit.branches] == [len(first) - 7, 7]
    with pytest.raises(InputError, match="60 diodes among 60 edges"):
        diode_graph(first, second, driven=[1], voltages=[1.0], diodes=60, seed=0)
