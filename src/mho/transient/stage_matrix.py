"""The linear equations of a step: three coupled stages in one matrix, and the filter of the error estimate.

The derivative of the stages' equations has K + G_i + (1/h) W_ii (C + C_i) on its diagonal and (1/h) W_ij (C + C_j) beside it,
with G_i the conductances and C_j the capacitances of the nonlinear elements at stages i and j. The
filter is K + G + γ₀⁻¹/h (C + C'), at one point of time. Small circuits take dense
matrices by LAPACK, others sparse ones by SuperLU, whose unknowns stand stage by stage at each node.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg.lapack import dgetrf, dgetrs
from scipy.sparse import linalg as sparse_linalg

from mho.transient.collocation import FILTER, INVERSE, STAGES
from mho.transient.equations import CircuitInTime, Laws

Solve = Callable[[np.ndarray], np.ndarray]
"""From right-hand sides to solutions, (STAGES, size) or (size,); not finite where the matrix is singular."""


class DenseStages:
    """By LAPACK; see the module."""

    def __init__(self, circuit: CircuitInTime) -> None:
        self._circuit = circuit
        size = circuit.size
        entry, row, column, sign = circuit.coupling
        self._scatter = np.zeros((circuit.sensed_size, size * size))
        np.add.at(self._scatter, (entry, row * size + column), sign)
        self._scatter_charge = self._scatter[circuit.charged]
        self._base: tuple[float, np.ndarray] | None = None

    def linear(self, step: float, change: np.ndarray) -> np.ndarray:
        """What the linear elements draw and store at changes of the stages' unknowns, (STAGES, size)."""
        size = STAGES * self._circuit.size
        return (self._at_step(step).reshape(size, size) @ change.ravel()).reshape(change.shape)

    def _at_step(self, step: float) -> np.ndarray:
        """The matrix of the linear elements, (STAGES, size, STAGES, size)."""
        if self._base is None or self._base[0] != step:
            circuit = self._circuit
            made = (INVERSE / step)[:, None, :, None] * circuit.capacitance[None, :, None, :]
            _diagonal(made)[...] += circuit.stiffness
            self._base = step, made
        return self._base[1]

    def stages(self, step: float, laws: Laws) -> Solve:
        """Solves with the stages' matrix, for a step [s] and the elements' laws."""
        size = self._circuit.size
        matrix = self._at_step(step).copy()
        if len(self._scatter):
            _diagonal(matrix)[...] += (laws.slopes @ self._scatter).reshape(STAGES, size, size)
        if len(self._scatter_charge):
            stored = (laws.capacitances @ self._scatter_charge).reshape(STAGES, size, size)
            matrix += (INVERSE / step)[:, None, :, None] * stored.transpose(1, 0, 2)[None]
        return _lapack(matrix.reshape(STAGES * size, STAGES * size))

    def points(self, step: float, laws: Laws) -> Solve:
        """Solves with the filter's matrix at each point that the elements' laws are given for."""
        circuit, size = self._circuit, self._circuit.size
        matrix = circuit.stiffness + (FILTER / step) * circuit.capacitance
        if circuit.linear:
            return _lapack(matrix)
        matrix = matrix + (laws.slopes @ self._scatter).reshape(-1, size, size)
        if len(self._scatter_charge):
            matrix += (FILTER / step) * (laws.capacitances @ self._scatter_charge).reshape(-1, size, size)
        if len(matrix) == 1:
            return _lapack(matrix[0])

        def solve(right: np.ndarray) -> np.ndarray:
            try:
                return np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
            except np.linalg.LinAlgError:
                return np.full_like(right, np.nan)

        return solve


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    """The blocks of each stage by itself, (STAGES, size, size): a view."""
    return np.einsum("iaib->iab", matrix)


class SparseStages:
    """By SuperLU; see the module."""

    def __init__(self, circuit: CircuitInTime) -> None:
        self._circuit, size = circuit, circuit.size
        entry, row, column, sign = circuit.coupling
        stiff, stored = circuit.stiffness.tocoo(), circuit.capacitance.tocoo()
        # Numbers of the charged elements among the charged, by their place among all that is sensed.
        place = np.full(max(circuit.sensed_size, 1), -1)
        place[circuit.charged] = np.arange(len(circuit.charged))
        held = np.flatnonzero(place[entry] >= 0) if len(entry) else np.zeros(0, int)
        self._entry, self._sign = entry, sign
        self._held, self._held_sign = place[entry[held]], sign[held]
        every = np.arange(STAGES)

        def coupled(r: np.ndarray, c: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
            return (c * STAGES + j) * (size * STAGES) + r * STAGES + i

        pairs = [(i, j) for i in every for j in every]
        keys = [coupled(stiff.row, stiff.col, i, i) for i in every]
        keys += [coupled(row, column, i, i) for i in every]
        keys += [coupled(stored.row, stored.col, i, j) for i, j in pairs]
        keys += [coupled(row[held], column[held], i, j) for i, j in pairs]
        self._stages = _Pattern(size * STAGES, keys)
        self._stiff, self._stored = stiff.data, stored.data
        alone = [(c.astype(np.int64)) * size + r for r, c in ((stiff.row, stiff.col), (row, column))]
        alone += [(c.astype(np.int64)) * size + r for r, c in ((stored.row, stored.col), (row[held], column[held]))]
        self._filter = _Pattern(size, alone)

    def linear(self, step: float, change: np.ndarray) -> np.ndarray:
        """What the linear elements draw and store at changes of the stages' unknowns, (STAGES, size)."""
        circuit = self._circuit
        return (circuit.stiffness @ change.T).T + (INVERSE / step) @ (circuit.capacitance @ change.T).T

    def stages(self, step: float, laws: Laws) -> Solve:
        """Solves with the stages' matrix, for a step [s] and the elements' laws."""
        weights = INVERSE / step
        own = laws.slopes[:, self._entry] * self._sign
        held = laws.capacitances[:, self._held] * self._held_sign
        pairs = [(i, j) for i in range(STAGES) for j in range(STAGES)]
        parts = [self._stiff] * STAGES + list(own)
        parts += [weights[i, j] * self._stored for i, j in pairs] + [weights[i, j] * held[j] for i, j in pairs]
        solve = self._stages.factored(parts)
        return lambda right: solve(right.T.ravel()).reshape(-1, STAGES).T

    def points(self, step: float, laws: Laws) -> Solve:
        """Solves with the filter's matrix at each point that the elements' laws are given for."""
        own = laws.slopes[:, self._entry] * self._sign
        held = laws.capacitances[:, self._held] * self._held_sign
        stored = FILTER / step * self._stored
        factors = [
            self._filter.factored([self._stiff, g, stored, FILTER / step * c]) for g, c in zip(own, held, strict=True)
        ]
        if len(factors) == 1:
            return lambda right: factors[0](right.T).T
        return lambda right: np.stack([f(row) for f, row in zip(factors, right, strict=True)])


class _Pattern:
    """A sparse matrix whose places don't change: its values are sums of given ones, in the order of the keys."""

    def __init__(self, size: int, keys: list[np.ndarray]) -> None:
        unique, self._at = np.unique(np.concatenate(keys).astype(np.int64), return_inverse=True)
        rows = (unique % size).astype(np.int32)
        starts = np.searchsorted(unique, np.arange(size + 1, dtype=np.int64) * size).astype(np.int32)
        self._matrix = sparse.csc_array((np.zeros(len(unique)), rows, starts), shape=(size, size))

    def factored(self, parts: list[np.ndarray]) -> Solve:
        """Solves with the matrix of these values; NaN if it is singular."""
        matrix: Any = self._matrix
        matrix.data = np.bincount(self._at, weights=np.concatenate(parts), minlength=len(matrix.data))
        if not np.isfinite(matrix.data).all():
            return lambda right: np.full_like(right, np.nan)
        try:
            return sparse_linalg.splu(matrix).solve
        except RuntimeError:  # SuperLU's word for a singular matrix
            return lambda right: np.full_like(right, np.nan)


def _lapack(matrix: np.ndarray) -> Solve:
    # LAPACK's order is by columns: it factors the transpose, and solves with that transposed.
    factors, pivots, singular = dgetrf(matrix.T, overwrite_a=1)
    if singular > 0:
        return lambda right: np.full_like(right, np.nan)

    def solve(right: np.ndarray) -> np.ndarray:
        # One right-hand side, whatever its shape, or a row each.
        if right.size == len(matrix):
            return dgetrs(factors, pivots, right.ravel(), trans=1)[0].reshape(right.shape)
        # Rows one by one: BLAS would share so little work out over threads.
        return np.stack([dgetrs(factors, pivots, row, trans=1)[0] for row in right])

    return solve
