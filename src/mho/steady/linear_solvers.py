"""Solvers of the linear systems within Newton's method: dense, sparse factors, conjugate gradients.

Each is made for the places of a system's entries and then takes entries and right-hand side, as often as needed.

Which one serves a large symmetric circuit depends on its graph and, through the spread of its conductances, on its numbers:
factors of a lattice in the plane fill little, those of a random graph fill the memory, and conjugate gradients take
a hundred steps or never end. So `auto` takes conjugate gradients for as long as they have cost less than new factors would
(they are estimated, see `factor_cost`), and then factors, which precondition the conjugate gradients of the next systems: at
most twice the cost of the better of the two, whichever it is. Source of the rule: Karlin, Manasse, Rudolph and Sleator 1988
("Competitive snoopy caching"), to rent until the rent has cost as much as to buy.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from mho.errors import MhoError
from mho.steady.equations import System

Method = Literal["auto", "dense", "superlu", "cg"]

DENSE_LIMIT = 40
"""Unknowns up to which a dense solve is taken: above, BLAS's threads cost more than they bring."""
ENVELOPE_LIMIT = 1e8
"""Entries of the envelope above which there are to be no factors: they fill a sixth to a half of it (measured: 150 MB of
factors for 4e7 entries of a square lattice's, 270 MB for 1.4e7 of a cubic one's)."""

_CG_STEPS = 20_000
_CG_TOLERANCES = 1e-7, 1e-2
"""Relative residuals that conjugate gradients stop at, the finest and the coarsest; see `_tolerance`."""

_STRONG = 0.45
"""Coupling, as a share of the geometric mean of two nodes' conductances, above which conjugate gradients need to know of
it: a wire's segments have ½."""
_SYMMETRIC: dict[str, Any] = {
    # No pivots: the factors are those of a symmetric ordering, with half the fill.
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 0.0,
    "options": {"SymmetricMode": True},
    # Measured on lattices and crossbars of 100,000 nodes: a fifth faster than SuperLU's own choice.
    "relax": 16,
    "panel_size": 4,
}


@dataclasses.dataclass
class Work:
    """What linear solves have taken, counted up by the solvers."""

    factorisations: int = 0
    """Of sparse matrices."""
    gradient_steps: int = 0
    """Steps of conjugate gradients."""


LinearSolve = Callable[[np.ndarray, np.ndarray], np.ndarray]
_Make = Callable[[np.ndarray, np.ndarray, int, bool, Work], LinearSolve]


def linear_solver(system: System, method: Method, symmetric: bool, work: Work) -> LinearSolve:
    """A solver for all systems with these places; a singular system gives NaN.

    Args:
        system: the equations.
        method: "auto" takes dense matrices up to `DENSE_LIMIT` unknowns; above, conjugate gradients or factors, whichever
            turns out cheaper, where the matrix is symmetric, and SuperLU where it is not.
        symmetric: whether the matrix is symmetric and positive definite.
        work: counts what the solver does.
    """
    rows, columns = (np.asarray(x, np.int64) for x in system.places())
    n = system.size
    inside = np.flatnonzero((rows < n) & (columns < n))
    # Column by column: as SuperLU wants it, and row by row of a symmetric matrix.
    key, slot = np.unique(columns[inside] * n + rows[inside], return_inverse=True)
    row, column = (key % n).astype(np.int32), (key // n).astype(np.int32)

    def merged(entries: np.ndarray) -> np.ndarray:
        return np.bincount(slot, weights=entries[inside], minlength=len(key))

    chosen = method
    if method == "auto":
        chosen = "dense" if n <= DENSE_LIMIT else "cheaper" if symmetric else "superlu"
    make: dict[str, _Make] = {
        "dense": _dense,
        "superlu": _superlu,
        "cg": _gradients,
        "cheaper": _cheaper,
    }
    solve = make[chosen](row, column, n, symmetric, work)
    return lambda entries, right: solve(merged(entries), right)


def factor_cost(row: np.ndarray, column: np.ndarray, size: int) -> tuple[float, float]:
    """About how many seconds a symmetric matrix's factors take, and the entries of its envelope.

    The envelope of a reverse Cuthill-McKee ordering holds the factors of that ordering; with w its width in a row, they take
    Σ w² operations (George and Liu, Computer Solution of Large Sparse Positive Definite Systems, 1981, chapter 4). SuperLU's
    minimum degree does better the larger the matrix; 1.1e-8 · (Σ w²)^¾ seconds were within a factor of 3 of what it took on
    square and cubic lattices and random graphs of 300 to 100,000 nodes. Hubs (more than √n neighbours) are left out of the
    ordering: they are eliminated last, at a cost of a row each.

    Args:
        row: rows of the matrix's entries.
        column: their columns.
        size: of the matrix.
    """
    off = row != column
    degree = np.bincount(row[off], minlength=size)
    hub = degree > max(np.sqrt(size), 16)
    off &= ~hub[row] & ~hub[column]
    graph = sparse.csr_array((np.ones(off.sum(), np.int8), (row[off], column[off])), shape=(size, size))
    place = np.empty(size, np.int64)
    place[csgraph.reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(size)
    first = place.copy()
    np.minimum.at(first, row[off], place[column[off]])
    width = (place - first + hub.sum()).astype(np.float64)
    return 1.1e-8 * float((width**2).sum()) ** 0.75, float(width.sum())


def _gradient_step_cost(entries: int) -> float:
    """About how many seconds a step of conjugate gradients takes, preconditioner not counted (measured)."""
    return 2e-5 + 1e-9 * entries


def _dense(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool, work: Work) -> LinearSolve:
    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        matrix = np.zeros((n, n))
        matrix[row, column] = values
        try:
            return np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return np.full(right.shape, np.nan)

    return solve


def _superlu(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool, work: Work) -> LinearSolve:
    matrix, factors = _matrices(column, row, n), _factoriser(symmetric, work)

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = factors(matrix(values))
        return np.full(right.shape, np.nan) if found is None else found.solve(np.asarray(right))

    return solve


def _matrices(column: np.ndarray, row: np.ndarray, n: int) -> Callable[[np.ndarray], Any]:
    """Sparse matrices by their values, column by column."""
    pointer = np.searchsorted(column, np.arange(n + 1)).astype(np.int32)
    return lambda values: sparse.csc_array((values, row, pointer), shape=(n, n))


def _factoriser(symmetric: bool, work: Work) -> Callable[[Any], sparse_linalg.SuperLU | None]:
    """SuperLU's factors of matrices, None of singular ones."""
    settings = _SYMMETRIC if symmetric else {}

    def factors(matrix: Any) -> sparse_linalg.SuperLU | None:
        if not np.isfinite(matrix.data).all():
            return None
        work.factorisations += 1
        try:
            return sparse_linalg.splu(matrix, **settings)
        except RuntimeError:  # singular
            return None

    return factors


def _gradients(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool, work: Work) -> LinearSolve:
    """Conjugate gradients alone: for symmetric circuits whose factors would fill the memory."""
    matrix, tolerance = _matrices(column, row, n), _tolerance()

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not np.isfinite(values).all():
            return np.full(right.shape, np.nan)
        made = matrix(values)
        solution = _conjugate_gradients(made, right, tolerance(right), _strong_forest(made), _CG_STEPS, work)
        if solution is None:
            raise MhoError(f"conjugate gradients did not converge in {_CG_STEPS} steps; method 'superlu' may")
        return solution

    return solve


def _cheaper(row: np.ndarray, column: np.ndarray, n: int, symmetric: bool, work: Work) -> LinearSolve:
    """Conjugate gradients until they have cost as much as factors; then factors, if they fit into the memory."""
    matrix, factors = _matrices(column, row, n), _factoriser(symmetric, work)
    seconds, envelope = factor_cost(row, column, n)
    if envelope > ENVELOPE_LIMIT:
        return _gradients(row, column, n, symmetric, work)
    tolerance, budget = _tolerance(), int(seconds / _gradient_step_cost(len(row)))
    last: sparse_linalg.SuperLU | None = None

    def solve(values: np.ndarray, right: np.ndarray) -> np.ndarray:
        nonlocal last, budget
        if not np.isfinite(values).all():
            return np.full(right.shape, np.nan)
        made = matrix(values)
        precondition = _strong_forest(made) if last is None else last.solve
        solution = _conjugate_gradients(made, right, tolerance(right), precondition, budget, work, hopeful=False)
        if solution is not None:
            return solution
        last = factors(made)
        if last is None:
            return np.full(right.shape, np.nan)
        # Factors with c entries a column take n c² operations, a solution with them 2 n c: a rent of half their price.
        budget = last.nnz // (8 * n)
        return last.solve(right)

    return solve


def _strong_forest(matrix: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A preconditioner: the matrix's diagonal and its strongest entries, as many as make no loop.

    A conducting diode that ties two nodes, or a wire of many segments, makes the diagonal alone a bad one. A forest's
    factors fill nothing. Of the entries above `_STRONG` of the geometric mean of their diagonals, those of a maximum
    spanning forest are kept, after Vaidya's preconditioners (Bern et al. 2006, SIAM J. Matrix Anal. Appl. 27, 930).
    """
    diagonal = matrix.diagonal()
    scale = 1.0 / np.sqrt(np.maximum(diagonal, np.finfo(np.float64).tiny))
    entries = matrix.tocoo()
    coupling = np.abs(entries.data) * scale[entries.row] * scale[entries.col]
    strong = (coupling > _STRONG) & (entries.row < entries.col)
    inverse = np.reciprocal(diagonal)
    if not strong.any():
        return lambda residual: inverse * residual
    row, column = entries.row[strong], entries.col[strong]
    inner = np.unique(np.concatenate([row, column]))
    place = np.zeros(len(diagonal), np.int32)
    place[inner] = np.arange(len(inner))
    shape = (len(inner), len(inner))
    # The least spanning tree of −coupling, shifted, for an entry of 0 is none.
    weights = sparse.csr_array((2.0 - np.minimum(coupling[strong], 1.0), (place[row], place[column])), shape=shape)
    kept = csgraph.minimum_spanning_tree(weights).tocoo()
    values = sparse.csr_array((entries.data[strong], (place[row], place[column])), shape=shape)
    off = sparse.coo_array((np.asarray(values[kept.row, kept.col]).ravel(), (kept.row, kept.col)), shape=shape)
    forest = sparse_linalg.splu((off + off.T + sparse.diags_array(diagonal[inner])).tocsc(), **_SYMMETRIC)

    def precondition(residual: np.ndarray) -> np.ndarray:
        result = inverse * residual
        result[inner] = forest.solve(residual[inner])
        return result

    return precondition


def _tolerance() -> Callable[[np.ndarray], float]:
    """How well to solve for right-hand sides that fall as Newton's method converges: as well as they are small.

    Steps far from the operating point need few digits (Dembo, Eisenstat and Steihaug 1982, "Inexact Newton methods"); near
    it the right-hand side is but the imbalance, and the tolerance the finest.
    """
    largest = 0.0

    def tolerance(right: np.ndarray) -> float:
        nonlocal largest
        norm = _dot(right, right) ** 0.5
        largest = max(largest, norm)
        return min(max(norm / max(largest, np.finfo(np.float64).tiny), _CG_TOLERANCES[0]), _CG_TOLERANCES[1])

    return tolerance


def _conjugate_gradients(
    matrix: Any,
    right: np.ndarray,
    tolerance: float,
    precondition: Callable[[np.ndarray], np.ndarray],
    steps: int,
    work: Work,
    *,
    hopeful: bool = True,
) -> np.ndarray | None:
    """The solution, or None if it takes more steps than these (Hestenes and Stiefel 1952).

    Unless `hopeful`, gives up after an eighth of the steps where the residual falls at less than half of the rate needed.
    """
    rows = matrix.T  # the transpose of a symmetric matrix by columns is that matrix by rows
    solution, residual = np.zeros_like(right), right.copy()
    begin = target = 0.0
    direction, before = None, 1.0
    for step in range(steps + 1):
        # In the preconditioner's norm, about that of the voltages: a small current may be all that a node has, and counts.
        near = precondition(residual)
        norm = _dot(residual, near)
        if direction is None:
            begin, target = norm, tolerance**2 * norm
        if norm <= target:
            return solution
        late = not hopeful and 8 * step > steps
        if late and np.log(norm / begin) * 2 * steps > step * np.log(target / begin):
            break
        if step == steps:
            break
        work.gradient_steps += 1
        direction = near if direction is None else near + (norm / before) * direction
        before = norm
        image = rows @ direction
        length = norm / _dot(direction, image)
        if not length > 0:  # not positive definite, or not finite
            break
        solution += length * direction
        residual -= length * image
    return None


def _dot(first: np.ndarray, second: np.ndarray) -> float:
    # Not by BLAS, whose threads wait for each other longer than such a sum takes where others use the cores.
    return float(np.einsum("i,i", first, second))
