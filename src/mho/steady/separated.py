"""Linear systems of stiff circuits: the currents of strong branches are unknowns of their own.

A node between 1 nΩ and 1 GΩ has a conductance of 1e9 S + 1e-9 S, of which a double keeps the first: nodal analysis loses
what holds the pair of nodes behind the 1 nΩ. With the current i of that branch as an unknown its equation is
v_a − v_b − i/g = 0, its conductance enters no sum, and rounding changes its current by ulps of that current (the sparse
tableau of Hachtel, Brayton and Gustavson 1971).
"""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from mho.steady.equations import System
from mho.steady.linear_solvers import LinearSolve, Work

_STRONG = 1e3
"""Conductance, as a multiple of the circuit's least one, from which a branch is strong."""
_DENSE_LIMIT = 200


def separated_solver(system: System, work: Work) -> LinearSolve:
    """A solver for all systems with these places, as `mho.steady.linear_solvers.linear_solver` makes; see the module."""
    rows, columns = (np.asarray(x, np.int64) for x in system.places())
    size = system.size
    first = np.concatenate([np.zeros(0, np.int64), *system.first])
    second = np.concatenate([np.zeros(0, np.int64), *system.second])
    ends, starts = [], 0
    for a in system.first:
        ends.append(starts + np.arange(4 * len(a)).reshape(4, len(a)))
        starts += 4 * len(a)
    places = np.concatenate([np.zeros((4, 0), np.int64), *ends], axis=1)
    factors = [np.ones(len(first))] * 2
    if system.first_factor is not None and system.second_factor is not None:
        factors = [np.concatenate(system.first_factor), np.concatenate(system.second_factor)]
    fa, fb = np.where(first < size, factors[0], 0.0), np.where(second < size, factors[1], 0.0)

    def solve(entries: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not (np.isfinite(entries).all() and np.isfinite(right).all()):
            return np.full(right.shape, np.nan)
        # Of w g f_a², or w g f_b² where the first end is held.
        ours = fa != 0
        scale = np.where(ours, fa, np.where(fb != 0, fb, 1.0)) ** 2
        conductance = np.where(ours, entries[places[0]], entries[places[1]]) / scale
        seen = (conductance > 0) & ((fa != 0) | (fb != 0))
        least = conductance[seen].min() if seen.any() else 0.0
        strong = np.flatnonzero(seen & (conductance > _STRONG * least))
        kept = np.ones(len(entries), bool)
        kept[places[:, strong].ravel()] = False
        kept &= (rows < size) & (columns < size)
        more = size + np.arange(len(strong))
        a, b, own_a, own_b = first[strong], second[strong], fa[strong], fb[strong]
        at_a, at_b = a < size, b < size
        row = [rows[kept], a[at_a], b[at_b], more[at_a], more[at_b], more]
        column = [columns[kept], more[at_a], more[at_b], a[at_a], b[at_b], more]
        value = [entries[kept], own_a[at_a], -own_b[at_b], own_a[at_a], -own_b[at_b], -1.0 / conductance[strong]]
        whole = size + len(strong)
        matrix: Any = sparse.csc_array(
            (np.concatenate(value), (np.concatenate(row), np.concatenate(column))), shape=(whole, whole)
        )
        largest = np.maximum(abs(matrix).max(axis=1).toarray().ravel(), np.finfo(np.float64).tiny)
        matrix = sparse.diags_array(1.0 / largest) @ matrix
        padded = np.zeros((whole, *right.shape[1:]))
        padded[:size] = right
        padded = (padded.T / largest).T
        work.factorisations += 1
        try:
            if whole <= _DENSE_LIMIT:
                return np.linalg.solve(matrix.toarray(), padded)[:size]
            return sparse_linalg.splu(matrix.tocsc()).solve(padded)[:size]
        except (np.linalg.LinAlgError, RuntimeError):
            return np.full(right.shape, np.nan)

    return solve
