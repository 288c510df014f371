"""Where the parts of a schematic stand: every node a horizontal rail, every element upright between two of them.

This is a visibility representation of the circuit's graph (Tamassia and Tollis, "A unified approach to visibility
representations of planar graphs", Discrete & Computational Geometry 1 (1986) 321), for graphs that need not be planar:
an element may cross rails between its own. What goes to ground hangs below its rail. The orders of rails and elements are
those of a local search for few crossings and short wires, from rails in order of their distance from the sources; it is the
same for the same circuit.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.drawing.parts import GROUND, Part

_CROSSING, _RISE = 4.0, 0.7
"""What a crossing, and an element over one more level, cost beside a rail over one more column."""
_DOWN = {"NMOS": 3.0, "NPN": 3.0, "NJF": 3.0, "PMOS": -3.0, "PNP": -3.0, "PJF": -3.0}
_OTHERS_DOWN, _SOURCE = 0.3, 0.1
"""What it costs if the first end is not above the second, as is usual in schematics, and a source a place further down or
right."""
_REACH, _PASSES, _STARTS = 16, 12, 4
"""Places that the search moves a rail or an element over, how often it goes through them all, and from how many orders."""
GATE = 0.5
"""How far below its upper rail the middle of an element is, in levels."""


@dataclass(frozen=True)
class Placement:
    """Columns of elements and levels of rails, from the left and from the top."""

    column: list[int]
    """Of each part; what leads to its gate is in the column before."""
    columns: int
    level: dict[str, int]
    """Of each node's rail."""


def distances(parts: Sequence[Part]) -> dict[str, int]:
    """How many elements each node but ground is away from the nearest source, in the order of that."""
    joined: dict[str, list[str]] = {}
    for part in parts:
        ends = [node for node in (part.first, part.second, part.third) if node not in (None, GROUND)]
        for node in ends:
            joined.setdefault(node, []).extend(ends)
    driven = [node for p in parts if p.kind in ("voltage source", "current source") for node in (p.first, p.second)]
    found: dict[str, int] = {}
    for begin in (driven, *([node] for node in joined)):
        here = [node for node in dict.fromkeys(begin) if node in joined and node not in found]
        far = 0
        while here:
            found |= dict.fromkeys(here, far)
            here = [n for n in dict.fromkeys(n for node in here for n in joined[node]) if n not in found]
            far += 1
    return dict(sorted(found.items(), key=lambda item: item[1]))


class _Wiring:
    """What it costs to put rails and elements into an order."""

    def __init__(self, parts: Sequence[Part], nodes: list[str]) -> None:
        number = {node: k for k, node in enumerate(nodes)}
        ends = [[number[n] for n in (p.first, p.second) if n != GROUND] for p in parts]
        self.first = np.array([e[0] for e in ends])
        self.second = np.array([e[-1] for e in ends])
        self.hangs = np.array([GROUND in (p.first, p.second) for p in parts])
        self.gated = np.array([k for k, p in enumerate(parts) if p.third in number], int)
        self.gate = np.array([number[parts[k].third or ""] for k in self.gated], int)
        self.at = np.concatenate([self.first, self.second, self.gate])
        self.of = np.concatenate([np.arange(len(parts))] * 2 + [self.gated])
        weights = np.array([_DOWN.get(p.kind, _OTHERS_DOWN) for p in parts])
        self.upward = np.where(self.hangs, 0.0, weights)
        self.sources = [k for k, p in enumerate(parts) if p.kind == "voltage source" and p.second == GROUND]
        self.offset = np.concatenate([np.zeros(2 * len(parts)), np.full(len(self.gated), -0.5)])

    def cost(self, x: np.ndarray, y: np.ndarray) -> float:
        """Of elements at places x and rails at places y."""
        there = x[self.of] + self.offset
        left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
        np.minimum.at(left, self.at, there)
        np.maximum.at(right, self.at, there)
        top = np.minimum(y[self.first], y[self.second])
        bottom = np.maximum(y[self.first], y[self.second]) + GATE * self.hangs
        middle, gate = top[self.gated] + GATE, y[self.gate]
        at = np.concatenate([x, x[self.gated] - 0.5])[:, None]
        low = np.concatenate([top, np.minimum(middle, gate)])[:, None]
        high = np.concatenate([bottom, np.maximum(middle, gate)])[:, None]
        crossed = (low < y) & (y < high) & (left < at) & (at < right)
        length = (right - left).sum() + _RISE * (high - low).sum()
        usual = self.upward @ np.sign(y[self.first] - y[self.second])
        usual += _SOURCE * (y[self.first[self.sources]] + x[self.sources]).sum()
        return float(_CROSSING * crossed.sum() + length + usual)


def placed(parts: Sequence[Part]) -> Placement:
    """Places for parts none of which has both ends at one node."""
    nodes = list(distances(parts))
    wiring = _Wiring(parts, nodes)
    rails = np.arange(len(nodes))
    random = np.random.default_rng(0)
    starts = [rails, rails[::-1], *(random.permutation(rails) for _ in range(_STARTS - 2))]
    found = [_searched(wiring, start.tolist()) for start in starts]
    _, items, order = min(found, key=lambda one: one[0])
    return _compact(parts, items, [nodes[k] for k in order])


def _searched(wiring: _Wiring, rails: list[int]) -> tuple[float, list[int], list[int]]:
    """Cost and orders of elements and rails, none of which moved alone would make it less."""
    y = _places(rails)
    middle = y[wiring.first] + y[wiring.second]
    items = np.argsort(middle, kind="stable").tolist()
    best = wiring.cost(_places(items), y)
    for _ in range(_PASSES):
        before = best
        for order in (items, rails):
            for mover in list(order):
                at = order.index(mover)
                rest = order[:at] + order[at + 1 :]
                for to in range(max(0, at - _REACH), min(len(rest), at + _REACH) + 1):
                    order[:] = [*rest[:to], mover, *rest[to:]]
                    cost = wiring.cost(_places(items), _places(rails))
                    if cost < best - 1e-9:
                        best, at = cost, to
                order[:] = [*rest[:at], mover, *rest[at:]]
        if best >= before - 1e-9:
            break
    return best, items, rails


def _places(order: list[int]) -> np.ndarray:
    places = np.empty(len(order))
    places[order] = np.arange(len(order))
    return places


def _compact(parts: Sequence[Part], items: list[int], rails: list[str]) -> Placement:
    """Elements above each other in one column, and rails beside each other on one level, where they do not meet."""
    rank = {node: float(k) for k, node in enumerate(rails)}
    column, columns, taken = [0] * len(parts), 0, [(0.0, -1.0)]
    reached: dict[str, list[int]] = defaultdict(list)
    for k in items:
        part = parts[k]
        ends = sorted(rank[n] for n in (part.first, part.second) if n != GROUND)
        span = (ends[0], ends[-1] + GATE if len(ends) == 1 else ends[-1])
        if part.third is not None or not columns or any(a < span[1] and span[0] < b for a, b in taken):
            columns += 2 if part.third is not None else 1
            taken = []
        taken.append(span)
        column[k] = columns - 1
        for node in (part.first, part.second):
            reached[node].append(column[k])
        reached[part.third or GROUND].append(column[k] - 1)
    level: dict[str, int] = {}
    for node in rails:
        above = [
            level[other]
            for other in level
            if min(reached[other]) <= max(reached[node]) and min(reached[node]) <= max(reached[other])
        ]
        level[node] = 1 + max(above, default=-1)
    return Placement(column, columns, level)
