"""The crossbar with wire resistance against nodal analysis, and against the matrix product that it is without."""

import numpy as np
import pytest

from mho.errors import InputError
from mho.networks.wired_crossbar import wired_crossbar
from mho.steady.newton import solve_circuit

WORD, BIT = 0.7, 0.3


def nodal_analysis(g: np.ndarray, volts: np.ndarray) -> np.ndarray:
    """Word-line and bit-line voltages, by Kirchhoff's current law written out node by node."""
    m, n = g.shape
    matrix, right = np.zeros((2, m, n, 2, m, n)), np.zeros((2, m, n))
    for i in range(m):
        for j in range(n):
            for line in (0, 1):
                matrix[line, i, j, line, i, j] += g[i, j]
                matrix[line, i, j, 1 - line, i, j] -= g[i, j]
            matrix[0, i, j, 0, i, j] += WORD
            if j == 0:
                right[0, i, j] = WORD * volts[i]
            else:
                matrix[0, i, j, 0, i, j - 1] -= WORD
            if j + 1 < n:
                matrix[0, i, j, 0, i, j] += WORD
                matrix[0, i, j, 0, i, j + 1] -= WORD
            matrix[1, i, j, 1, i, j] += BIT
            if i + 1 < m:
                matrix[1, i, j, 1, i + 1, j] -= BIT
            if i > 0:
                matrix[1, i, j, 1, i, j] += BIT
                matrix[1, i, j, 1, i - 1, j] -= BIT
    return np.linalg.solve(matrix.reshape(2 * m * n, -1), right.ravel())


@pytest.mark.parametrize("shape", [(5, 4), (3, 7), (1, 1), (12, 11)])
def test_crossbar_obeys_nodal_analysis(shape):
    random = np.random.default_rng(0)
    g, volts = 10 ** random.uniform(-4, 0, shape), random.uniform(-1, 1, (2, shape[0]))
    circuit = wired_crossbar(g, word_wire=WORD, bit_wire=BIT)
    solution = solve_circuit(circuit, volts)
    for found, row in zip(solution.voltages, volts, strict=True):
        np.testing.assert_allclose(found[1 : 1 + 2 * g.size], nodal_analysis(g, row), rtol=1e-9, atol=1e-13)


def test_thick_wires_multiply():
    random = np.random.default_rng(1)
    g, volts = random.uniform(1e-6, 1e-4, (20, 15)), random.uniform(-1, 1, 20)
    circuit = wired_crossbar(g, word_wire=1e6, bit_wire=1e6)
    currents = solve_circuit(circuit, volts).voltages[circuit.output] * 1e6
    np.testing.assert_allclose(currents, volts @ g, rtol=1e-6)


def test_conductances_must_be_a_matrix():
    with pytest.raises(InputError, match=r"shape \(3,\): must be \(word lines, bit lines\)"):
        wired_crossbar(np.ones(3), word_wire=1.0, bit_wire=1.0)
