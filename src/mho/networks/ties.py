"""Ties: nodes whose voltages follow from others' through voltage sources and amplifiers, which eliminates them."""

import equinox as eqx
import numpy as np
from scipy import sparse

from mho.arrays import Values
from mho.networks.branches import Amplifiers, Branches
from mho.networks.connectivity import components


class Ties(eqx.Module):
    """The forest of voltage sources and amplifiers: how each tied node's voltage follows from another's.

    Arrays are ordered so that a parent's own tie comes in an earlier level.
    """

    levels: tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]
    """For each level: children, parents, sources (or −1), signs of the sources (0: an amplifier), gains."""
    factor: Values
    """(nodes,)."""
    group: Values
    """Number of the free voltage behind each node, (nodes,); `free` for held nodes."""
    offset_node: np.ndarray
    offset_source: np.ndarray
    offset_weight: Values
    """offset[offset_node] += offset_weight · source voltage."""
    weights: tuple[Values, ...]
    """w of each branch, group by group."""
    scale: Values
    """Π 1/A² over the amplifiers before each node, (nodes,): the weight of what is attached there."""
    root: np.ndarray
    """A node of each free group, (free,): for messages."""
    free: int = eqx.field(static=True)
    amplified: bool = eqx.field(static=True)
    """Whether there are amplifiers: without them `factor` is 1 wherever a group is behind a node, and so are `weights`."""


def tie_forest(
    branches: list[Branches],
    plus: np.ndarray,
    minus: np.ndarray,
    amplifiers: Amplifiers | None,
    nodes: int,
    amplifier_names: list[str],
) -> Ties | None:
    """The forest of voltage sources and amplifiers, or None where amplifiers leave the circuit without an energy."""
    adjacent: dict[int, list[tuple[int, int, float]]] = {}
    for k, (p, m) in enumerate(zip(plus.tolist(), minus.tolist(), strict=True)):
        adjacent.setdefault(p, []).append((m, k, -1.0))
        adjacent.setdefault(m, []).append((p, k, 1.0))
    part = components(plus, minus, nodes)
    depth = np.full(nodes, -1, np.int64)
    rows: list[tuple[int, int, int, int, float, float]] = []

    def spread(root: int, level: int) -> None:
        """Tie all nodes that sources join to `root`."""
        depth[root] = level
        queue = [root]
        while queue:
            here = queue.pop()
            for there, source, sign in adjacent.get(here, []):
                if depth[there] < 0:
                    depth[there] = depth[here] + 1
                    rows.append((int(depth[there]), there, here, source, sign, 1.0))
                    queue.append(there)

    far_of: dict[int, tuple[int, int, float]] = {}
    if amplifiers is not None:
        for n, f, g in zip(
            amplifiers.near.tolist(), amplifiers.far.tolist(), np.asarray(amplifiers.gain).tolist(), strict=True
        ):
            far_of[int(part[f])] = (n, f, g)
    spread(0, 0)
    driven = set(far_of)
    for node in adjacent:
        if depth[node] < 0 and int(part[node]) not in driven:
            spread(node, 0)
    if amplifiers is not None:
        for node in np.unique(np.asarray(amplifiers.near)).tolist():
            if depth[node] < 0 and int(part[node]) not in driven:
                spread(node, 0)
        waiting = dict(far_of)
        while waiting:
            ready = [key for key, (near, _, _) in waiting.items() if depth[near] >= 0]
            if not ready:
                return None
            for key in ready:
                near, far, gain = waiting.pop(key)
                depth[far] = depth[near] + 1
                rows.append((int(depth[far]), far, near, -1, 0.0, gain))
                spread(far, int(depth[far]))

    levels = []
    rows.sort()
    factor = np.ones(nodes)
    root = np.arange(nodes)
    factor[0] = 0.0
    paths = sparse.csr_array((nodes, len(plus)))
    for level in sorted({r[0] for r in rows}):
        at = [r for r in rows if r[0] == level]
        child, parent, source = (np.array([r[i] for r in at], np.int32) for i in (1, 2, 3))
        sign, gain = (np.array([r[i] for r in at], np.float64) for i in (4, 5))
        levels.append((child, parent, source, sign, gain))
        factor[child] = factor[parent] * gain
        root[child] = root[parent]
        real = source >= 0
        step = sparse.csr_array((sign[real], (child[real], source[real])), shape=(nodes, len(plus)))
        carry = sparse.csr_array((gain, (child, parent)), shape=(nodes, nodes))
        paths = paths + carry @ paths + step
    held = root == 0
    factor[held] = 0.0
    free_roots = np.flatnonzero((root == np.arange(nodes)) & ~held)
    number = np.full(nodes, len(free_roots), np.int32)
    number[free_roots] = np.arange(len(free_roots), dtype=np.int32)
    coo = sparse.coo_array(paths)
    scale = _scales(branches, levels, held, nodes, amplifiers is not None)
    if scale is None:
        return None
    weights = tuple(
        np.where(held[b.first], np.where(held[b.second], 1.0, scale[b.second]), scale[b.first]) for b in branches
    )
    return Ties(
        levels=tuple(levels),
        factor=factor,
        group=number[root],
        offset_node=coo.row.astype(np.int32),
        offset_source=coo.col.astype(np.int32),
        offset_weight=coo.data,
        weights=weights,
        scale=scale,
        root=free_roots,
        free=len(free_roots),
        amplified=amplifiers is not None,
    )


def _scales(
    branches: list[Branches], levels: list[tuple], held: np.ndarray, nodes: int, amplified: bool
) -> np.ndarray | None:
    """1/Π A² at every node over the amplifiers behind which it stands; None where two ways give two values."""
    if not amplified:
        return np.ones(nodes)
    ends = [(b.first, b.second) for b in branches]
    ends += [(level[0][level[2] >= 0], level[1][level[2] >= 0]) for level in levels]
    first, second = (np.concatenate([np.asarray(e[i]) for e in ends]) for i in (0, 1))
    inner = ~held[first] & ~held[second]
    part = components(first[inner], second[inner], nodes)
    by_part: dict[int, list[tuple[int, float]]] = {}
    entered = set()
    for child, parent, source, _, gain in levels:
        for c, p, s, g in zip(child.tolist(), parent.tolist(), source.tolist(), gain.tolist(), strict=True):
            if s < 0 and not held[p]:
                by_part.setdefault(int(part[p]), []).append((int(part[c]), 1.0 / g**2))
                entered.add(int(part[c]))
    scale = np.full(int(part.max()) + 1, np.nan)
    scale[[k for k in range(len(scale)) if k not in entered]] = 1.0
    stack = [k for k in by_part if k not in entered]
    while stack:
        here = stack.pop()
        for there, ratio in by_part.get(here, []):
            value = scale[here] * ratio
            if np.isnan(scale[there]):
                scale[there] = value
                stack.append(there)
            elif not np.isclose(scale[there], value, rtol=1e-12):
                return None
    if np.isnan(scale).any():
        return None
    return scale[part]
