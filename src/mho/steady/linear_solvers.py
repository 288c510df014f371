"""Solvers of the linear systems within Newton's method: dense, sparse factors, conjugate gradients.

Each is made for the places of a system's entries and then takes entries and right-hand side, as often as needed.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import jax
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from mho.errors import MhoError
from mho.steady.equations import System

Method = Literal["auto", "dense", "superlu", "klu", "cg"]
LinearSolve = Callable[[np.ndarray, np.ndarray], np.ndarray]

DENSE_LIMIT = 150
"""Unknowns up to which a dense solve is taken."""
FRONT_LIMIT = 1500
"""Width of the factors' largest front above which conjugate gradients are the choice; see `front_width`."""

_CG_STEPS = 20_000


def linear_solver(system: System, method: Method, symmetric: bool) -> LinearSolve:
    """A solver for all systems with these places; a singular system gives NaN.

    Args:
        system: the equations.
        method: "auto" takes dense matrices up to `DENSE_LIMIT` unknowns; else conjugate gradients where the matrix is
            symmetric and its factors' largest front would be wider than `FRONT_LIMIT`; else SuperLU, which measured faster
            than KLU.
        symmetric: whether the matrix is symmetric and positive definite.

    Raises:
        MhoError: if `method` needs a package that is not installed.
    """
    rows, columns = (np.asarray(x, np.int64) for x in system.places())
    n = system.size
    if method == "auto":
        method = _choice(rows, columns, n, symmetric)
    inside = np.flatnonzero((rows < n) & (columns < n))
    # Column by column: as SuperLU wants it, and row by row of a symmetric matrix.
    key, slot = np.unique(columns[inside] * n + rows[inside], return_inverse=True)
    row, column = (key % n).astype(np.int32), (key // n).astype(np.int32)

    def merged(entries: np.ndarray) -> np.ndarray:
        return np.bincount(slot, weights=entries[inside], minlength=len(key))

    make = {"dense": _dense, "superlu": _superlu, "klu": _klu, "cg": _conjugate_gradients}[method]
    solve = make(row, column, n, symmetric)
    return lambda entries, right: solve(merged(entries), right)


def _choice(rows: np.ndarray, columns: np.ndarray, size: int, symmetric: bool) -> Method:
    if size <= DENSE_LIMIT:
        return "dense"
    if symmetric and front_width(rows, columns, size) > FRONT_LIMIT:
        return "cg"
    return "superlu"


def front_width(rows: np.ndarray, columns: np.ndarray, size: int) -> float:
    """A guess of the largest front in the factors: a breadth-first search's widest level is a separator of that width.

    A front of width w takes 8w² bytes and about w³ operations: √n on a lattice, but a good part of n on a random graph.
    Hubs (more than √n neighbours) are left out: they are eliminated last, at a cost of a row each.
    """
    inside = (rows < size) & (columns < size) & (rows != columns)
    degree = np.bincount(rows[inside], minlength=size)
    hub = degree > max(np.sqrt(size), 16)
    inside[inside] &= ~hub[rows[inside]] & ~hub[columns[inside]]
    graph = sparse.csr_array((np.ones(inside.sum(), np.int8), (rows[inside], columns[inside])), shape=(size, size))
    _, part = csgraph.connected_components(graph, directed=False)
    largest = np.bincount(part).argmax()
    begin = int(np.flatnonzero(part == largest)[0])
    widest = 0
    for _ in range(2):  # the second search starts from the far end of the first
        order, came = csgraph.breadth_first_order(graph, begin, directed=False)
        depth = np.zeros(size, np.int64)
        for node in order[1:].tolist():
            depth[node] = depth[came[node]] + 1
        widest = int(np.bincount(depth[order]).max())
        begin = int(order[-1])
    return float(widest + hub.sum())


def _dense(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool) -> LinearSolve:
    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        matrix = np.zeros((n, n))
        matrix[row, column] = values
        try:
            return np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return np.full(n, np.nan)

    return solve


def _superlu(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool) -> LinearSolve:
    pointer = np.searchsorted(column, np.arange(n + 1)).astype(np.int32)
    settings: dict[str, Any] = {}
    if symmetric:
        # No pivots: the factors are those of a symmetric ordering, with half the fill.
        settings = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not np.isfinite(values).all():
            return np.full(n, np.nan)
        matrix = sparse.csc_array((values, row, pointer), shape=(n, n))
        try:
            return sparse_linalg.splu(matrix, **settings).solve(right)
        except RuntimeError:  # singular
            return np.full(n, np.nan)

    return solve


def _klu(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool) -> LinearSolve:
    klu = _klujax()
    numeric: Any = None
    with jax.enable_x64(True):
        symbolic = klu.analyze(row, column, n)

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        nonlocal numeric
        with jax.enable_x64(True):
            # Fresh pivots each time where the diagonal may have zeros; a symmetric matrix needs none.
            if numeric is None or not symmetric:
                numeric = klu.factor(row, column, values, symbolic)
            else:
                klu.refactor(row, column, values, numeric, symbolic)
            return np.asarray(klu.solve_with_numeric(numeric, right, symbolic))

    return solve


def _conjugate_gradients(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool) -> LinearSolve:
    """With a Jacobi preconditioner: for symmetric circuits whose factors would fill the memory."""
    pointer = np.searchsorted(column, np.arange(n + 1)).astype(np.int32)

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        matrix = sparse.csr_array((values, row, pointer), shape=(n, n))
        jacobi = sparse.dia_array((np.reciprocal(matrix.diagonal())[None], [0]), shape=(n, n))
        solution, failed = sparse_linalg.cg(matrix, right, rtol=1e-7, M=jacobi, maxiter=_CG_STEPS)
        if failed:
            raise MhoError(f"conjugate gradients did not converge in {failed} steps; method 'superlu' may")
        return solution

    return solve


@functools.cache
def _klujax() -> Any:
    """klujax, without the process-wide settings that its import makes (x64 mode, CPU as the default platform).

    Read and restored in a thread of its own, which sees the process's settings and not those of a `with` block here.
    """

    def load() -> Any:
        before = {name: jax.config.values[name] for name in ("jax_enable_x64", "jax_platform_name")}
        try:
            import klujax
        except ImportError:
            raise MhoError("method 'klu' needs the package klujax, which is not installed") from None
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
        return klujax

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(load).result()
