"""The linear equations of a step: three coupled stages in one matrix, and the filter of the error estimate.

The derivative of the stages' equations has K + G_i + (1/h) W_ii (C + C_i) on its diagonal and (1/h) W_ij (C + C_j)
beside it, with G_i the conductances and C_j the capacitances of the nonlinear elements at stages i and j. The filter is
K + G + γ₀⁻¹/h (C + C'), at one point of time. Small circuits take dense matrices by LAPACK, others sparse ones by
SuperLU, whose unknowns stand stage by stage at each node.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import linalg as sparse_linalg

from mho.dynamics.collocation import FILTER, INVERSE, STAGES
from mho.dynamics.equations import CircuitInTime, Laws

Solve = Callable[[np.ndarray], np.ndarray]
"""From right-hand sides to solutions, (STAGES, size) or (size,); not finite where the matrix is singular."""


_FACTOR, _SUBSTITUTE = (getattr(lapack, name) for name in ("dgetrf", "dgetrs"))


class DenseStages:
    """By LAPACK; see the module."""

    def __init__(self, circuit: CircuitInTime) -> None:
        self._circuit = circuit
        size = circuit.size
        self._sensing, self._filter_at = _scatter(circuit, np.arange(circuit.sensed_size))
        self._charging, held_at = _scatter(circuit, circuit.charged)
        self._drawing = np.kron(np.eye(STAGES), circuit.stiffness)
        self._storing = np.kron(INVERSE, circuit.capacitance)
        block = STAGES * size * size * np.arange(STAGES)[:, None] + size * np.arange(STAGES)

        def stagewise(at: np.ndarray) -> np.ndarray:
            """Where entries of one stage's matrix stand in that of all, (STAGES, STAGES, entries)."""
            return block[:, :, None] + at // size * (STAGES * size) + at % size

        self._stages_at, self._held_at = np.einsum("iia->ia", stagewise(self._filter_at)).copy(), stagewise(held_at)
        self._filter_held_at = held_at
        self._base: tuple[float, np.ndarray] | None = None

    def linear(self, step: float, change: np.ndarray) -> np.ndarray:
        """What the linear elements draw and store at changes of the stages' unknowns, (STAGES, size)."""
        return (self._at_step(step) @ change.ravel()).reshape(change.shape)

    def _at_step(self, step: float) -> np.ndarray:
        """The matrix of the linear elements, (STAGES·size, STAGES·size)."""
        if self._base is None or self._base[0] != step:
            made = self._storing * (1.0 / step)
            made += self._drawing
            self._base = step, made
        return self._base[1]

    def stages(self, step: float, laws: Laws) -> Solve:
        """Solves with the stages' matrix, for a step [s] and the elements' laws."""
        matrix = self._at_step(step).copy()
        flat = matrix.reshape(-1)
        if self._filter_at.size:
            flat[self._stages_at] += laws.slopes @ self._sensing
        if self._filter_held_at.size:
            stored = laws.capacitances @ self._charging
            flat[self._held_at] += (INVERSE / step)[:, :, None] * stored
        return _lapack(matrix)

    def points(self, step: float, laws: Laws) -> Solve:
        """Solves with the filter's matrix at each point that the elements' laws are given for."""
        circuit, size = self._circuit, self._circuit.size
        matrix = circuit.stiffness + (FILTER / step) * circuit.capacitance
        if circuit.linear:
            return _lapack(matrix)
        count = len(laws.slopes)
        matrix = matrix[None] if count == 1 else np.repeat(matrix[None], count, 0)
        flat = matrix.reshape(count, -1)
        if self._filter_at.size:
            flat[:, self._filter_at] += laws.slopes @ self._sensing
        if self._filter_held_at.size:
            flat[:, self._filter_held_at] += (FILTER / step) * (laws.capacitances @ self._charging)
        if count == 1:
            return _lapack(flat.reshape(size, size))

        def solve(right: np.ndarray) -> np.ndarray:
            try:
                return np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
            except np.linalg.LinAlgError:
                return np.full_like(right, np.nan)

        return solve


def _scatter(circuit: CircuitInTime, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How slopes of some of what is sensed enter one stage's matrix: weights, (seen, entries), and the entries' places."""
    entry, row, column, sign = circuit.coupling
    order = np.full(circuit.sensed_size, -1)
    order[seen] = np.arange(len(seen))
    here = np.flatnonzero(order[entry] >= 0)
    places, at = np.unique((row * circuit.size + column)[here], return_inverse=True)
    weights = np.zeros((len(seen), len(places)))
    np.add.at(weights, (order[entry[here]], at), sign[here])
    return weights, places


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
        every = range(STAGES)

        def coupled(r: np.ndarray, c: np.ndarray, i: int, j: int) -> np.ndarray:
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
    factors, pivots, singular = _FACTOR(matrix.T, overwrite_a=1)
    if singular > 0:
        return lambda right: np.full_like(right, np.nan)

    def solve(right: np.ndarray) -> np.ndarray:
        # One right-hand side, whatever its shape, or a row each.
        if right.size == len(matrix):
            return _SUBSTITUTE(factors, pivots, right.ravel(), trans=1)[0].reshape(right.shape)
        # Rows one by one: BLAS would share so little work out over threads.
        found = np.empty_like(right)
        for k, row in enumerate(right):
            found[k] = _SUBSTITUTE(factors, pivots, row, trans=1)[0]
        return found

    return solve
