"""Operating points computed in 60 digits: who is right where two solvers differ.

Nothing of mho's solvers or element laws is used, so that a mistake there can't hide here: modified nodal analysis and
SPICE's junction law are written down again from the ngspice 39 manual (chapters 3 to 7; section 7.2, "Diode Model") and
solved by mpmath, by Newton's method with SPICE's limiting of junction voltages (Nagel 1975, "SPICE2", section 4), from a
given point, from rest, or by source stepping. Only the reader is shared: its flat tables are what a netlist says.

Junctions follow `mho_benchmarks.referee.junction_law`; RS stands between the anode and the junction, its node an unknown.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from mho.netlists.reading.netlist import Netlist
from mho_benchmarks.referee.formula_value import formula_tangent
from mho_benchmarks.referee.junction_law import Junction, Number, junction_of, series_conductance

DIGITS = 60
"""Decimal digits that are computed with; a solution is right to half of them."""
SETTLED = mpf(10) ** -30
"""A solution is found when a step of Newton's method changes no unknown by more than this share of it."""

_PARAMETER_ULPS = 8
_FITTED_WITHIN = 1e-10  # of a BV [V]: 1e-9 of N k T / q
_NEWTON_STEPS = 150
_SOURCE_STEPS = 400
_LEAST_SOURCE_STEP = 1e-9
# With 60 digits a pivot may be small; a sparse elimination is worth more.
_PIVOT_SHARE = mpf(10) ** -18


@dataclass(frozen=True, slots=True)
class Formula:
    """A behavioural source: what its program makes of the sensed unknowns (−1 is ground) adds to rows, with a sign each.

    A current [A] leaves its first node and enters its second, a voltage [V] stands on its branch's right side.
    """

    rows: tuple[tuple[int, int], ...]
    sensed: tuple[int, ...]
    program: Sequence[tuple]
    constants: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Equations:
    """Modified nodal equations: linear rows, what sources put on their right sides, the junctions and the formulas.

    Unknowns are the node voltages, nodes behind a series resistance among them, and then the currents of V, E and H.
    """

    unknowns: list[str]
    rows: list[dict[int, Number]]
    sources: list[Number]
    junctions: list[Junction]
    formulas: list[Formula]
    gmin: Number
    node_count: int
    branch_names: list[str]


@dataclass(frozen=True, slots=True)
class Refined:
    """A solution in high precision.

    Attributes:
        voltages: Node voltages [V] by name.
        branches: Currents [A] of V, E and H elements by name.
        start: Where it was found from: ``candidate``, ``rest`` or ``sources``.
    """

    voltages: dict[str, Number]
    branches: dict[str, Number]
    start: str


_Point = tuple[list[Number], list[list[Number]]]
"""Where to linearise: junction voltages [V], and what each formula senses."""


class Unsolved(ArithmeticError):
    """No solution was found in high precision."""


def refine(
    netlist: Netlist, candidate: Mapping[str, float] | None = None, currents: Mapping[str, float] | None = None
) -> Refined:
    """The solution that Newton's method finds from a candidate, else from rest or by source stepping.

    Args:
        netlist: the netlist.
        candidate: its node voltages [V] by name.
        currents: through its V, E and H elements [A] by name, for formulas that sense them; 0 where not given.

    Raises:
        Unsolved: None of the three led anywhere.
    """
    with mpmath.workdps(DIGITS):
        equations = flat_equations(netlist)
        starts = ["rest", "sources"] if candidate is None else ["candidate", "rest", "sources"]
        for start in starts:
            try:
                if start == "sources":
                    unknowns = _by_sources(equations)
                else:
                    known = {**(candidate or {}), **{f" {name}": i for name, i in (currents or {}).items()}}
                    point = _start_point(equations, known if start == "candidate" else None)
                    unknowns = _newton(equations, point, mpf(1), SETTLED)[0]
            except (Unsolved, ZeroDivisionError, OverflowError, ValueError):
                continue
            names = equations.unknowns
            nodes = equations.node_count
            voltages = {name: v for name, v in zip(names[:nodes], unknowns, strict=False) if not name.startswith("\n")}
            return Refined(voltages, dict(zip(names[nodes:], unknowns[nodes:], strict=True)), start)
    raise Unsolved("no solution in high precision, from the candidate, from rest or by source stepping")


def distance(candidate: Mapping[str, float], refined: Mapping[str, Number]) -> float:
    """The largest difference of a node's voltage [V], or relative where the voltage is above 1 V; inf for one not finite."""
    worst = 0.0
    with mpmath.workdps(DIGITS):
        for name, exact in refined.items():
            value = candidate[name]
            if not math.isfinite(value):
                return math.inf
            worst = max(worst, float(abs(mpf(value) - exact) / max(1, abs(exact))))
    return worst


def share_of(
    netlist: Netlist, bounds: Mapping[str, float], candidate: Mapping[str, float], refined: Mapping[str, Number]
) -> float:
    """The largest error of a candidate's node voltages [V] as a multiple of what its bound there allows [V].

    Parameters rounded to doubles, thermal voltages among them, move voltages by a few ulp of the largest, and the fit of a
    BV to its IBV is done to 1e-9: these are allowed beside the bound, which is for the equations as they stand.
    """
    worst = 0.0
    with mpmath.workdps(DIGITS):
        rounding = _PARAMETER_ULPS * math.ulp(1.0) * max((abs(v) for v in refined.values()), default=mpf(0))
        if any(model.breakdown_voltage is not None for model in netlist.models):
            rounding += mpf(_FITTED_WITHIN)
        for name, exact in refined.items():
            error, allowed = abs(mpf(candidate[name]) - exact), mpf(bounds[name]) + rounding
            worst = max(worst, float(error / allowed) if allowed > 0 else math.inf if error > 0 else 0.0)
    return worst


def flat_equations(netlist: Netlist) -> Equations:
    """What a netlist says at DC, in high precision; capacitors are open, inductors shorts.

    Raises:
        Unsolved: It has elements whose laws are not written down here.
    """
    for kind in ("mosfets", "bipolars", "switches", "current_switches"):
        if len(getattr(netlist, kind)):
            raise Unsolved(f"{kind} have no law in high precision")
    unknowns = list(netlist.nodes[1:])
    series = [series_conductance(netlist, k) for k in range(len(netlist.diodes))]
    unknowns += [f"\n{name}" for name, siemens in zip(netlist.diodes.names, series, strict=True) if siemens is not None]
    node_count = len(unknowns)
    unknowns += netlist.branches
    rows: list[dict[int, Number]] = [{} for _ in unknowns]
    sources = [mpf(0) for _ in unknowns]

    def add(row: int, column: int, value: Number) -> None:
        if row >= 0 and column >= 0:
            rows[row][column] = rows[row].get(column, mpf(0)) + value

    def conductance(first: int, second: int, value: Number) -> None:
        for row, column, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
            add(row, column, sign * value)

    def ends(pairs: Any) -> list[tuple[int, int]]:
        return [(int(a) - 1, int(b) - 1) for a, b in pairs]

    for (first, second), ohms in zip(ends(netlist.resistors.nodes), netlist.resistors.resistance, strict=True):
        conductance(first, second, 1 / mpf(float(ohms)))
    for (first, second), amperes in zip(ends(netlist.current_sources.nodes), netlist.current_sources.dc, strict=True):
        for node, sign in ((first, -1), (second, 1)):
            if node >= 0:
                sources[node] += sign * mpf(float(amperes))
    branches = {name: node_count + k for k, name in enumerate(netlist.branches)}

    def voltage_branch(name: str, first: int, second: int) -> int:
        branch = branches[name]
        for node, sign in ((first, 1), (second, -1)):
            add(node, branch, mpf(sign))
            add(branch, node, mpf(sign))
        return branch

    held = netlist.voltage_sources
    for name, pair, volts in zip(held.names, ends(held.nodes), held.dc, strict=True):
        sources[voltage_branch(name, *pair)] = mpf(float(volts))
    for elements in (netlist.vcvs, netlist.vccs):
        controls = ends(elements.control_nodes)
        for name, pair, control, gain in zip(
            elements.names, ends(elements.nodes), controls, elements.gain, strict=True
        ):
            gain = mpf(float(gain))
            if elements is netlist.vcvs:
                row = voltage_branch(name, *pair)
                add(row, control[0], -gain)
                add(row, control[1], gain)
            else:
                for node, sign in zip(pair, (1, -1), strict=True):
                    add(node, control[0], sign * gain)
                    add(node, control[1], -sign * gain)
    for elements in (netlist.ccvs, netlist.cccs):
        named = zip(elements.names, ends(elements.nodes), elements.control, elements.gain, strict=True)
        for name, pair, control, gain in named:
            column = node_count + int(control)
            if elements is netlist.ccvs:
                add(voltage_branch(name, *pair), column, -mpf(float(gain)))
            else:
                for node, sign in zip(pair, (1, -1), strict=True):
                    add(node, column, sign * mpf(float(gain)))
    junctions = []
    inner = len(netlist.nodes) - 1
    for k, (anode, cathode) in enumerate(ends(netlist.diodes.nodes)):
        siemens = series[k]
        if siemens is not None:
            conductance(anode, inner, siemens)
            anode, inner = inner, inner + 1
        junctions.append(junction_of(netlist, k, anode, cathode))
    formulas = []
    for group in netlist.behavioural:
        for k, (name, pair) in enumerate(zip(group.names, ends(group.nodes), strict=True)):
            into = ((pair[0], -1), (pair[1], 1)) if group.kind == "i" else ((voltage_branch(name, *pair), 1),)
            sensed = tuple(int(q) - 1 if q >= 0 else node_count - 1 - int(q) for q in group.sensed[k])
            constants = tuple(mpf(float(c)) for c in group.constants[:, k])
            formulas.append(Formula(into, sensed, group.program, constants))
    for name, pair in zip(netlist.inductors.names, ends(netlist.inductors.nodes), strict=True):
        voltage_branch(name, *pair)
    gmin = mpf(netlist.gmin)
    return Equations(unknowns, rows, sources, junctions, formulas, gmin, node_count, list(netlist.branches))


def _start_point(equations: Equations, known: Mapping[str, float] | None) -> _Point:
    """Where to linearise at first; a candidate's voltages are divided between junction and series resistance."""
    if known is None:
        return [mpf(0)] * len(equations.junctions), [[mpf(0)] * len(f.sensed) for f in equations.formulas]
    nodes = equations.node_count

    def value(unknown: int) -> Number:
        name = equations.unknowns[unknown] if unknown < nodes else f" {equations.unknowns[unknown]}"
        return mpf(known.get(name, 0.0)) if unknown >= 0 else mpf(0)

    drops = []
    for junction in equations.junctions:
        anode, resistance = junction.anode, mpf(0)
        if anode >= 0 and equations.unknowns[anode].startswith("\n"):
            # The row of the inner node holds the one linear conductance that joins it.
            anode = next((column for column in equations.rows[anode] if column != junction.anode), -1)
            resistance = 1 / equations.rows[junction.anode][junction.anode]
        drops.append(_behind(junction, value(anode) - value(junction.cathode), resistance, equations.gmin))
    return drops, [[value(unknown) for unknown in formula.sensed] for formula in equations.formulas]


def _behind(junction: Junction, drop: Number, resistance: Number, gmin: Number) -> Number:
    """The junction's share of a voltage: Newton's method between 0 and the whole, by halves where it leaves them."""
    if resistance == 0:
        return drop
    low, high = min(drop, mpf(0)), max(drop, mpf(0))
    load = junction.saturation * resistance
    inner = min(drop, junction.scale * mpmath.log(drop / load + 1)) if drop > 0 else drop
    if junction.breakdown is not None and drop < -junction.breakdown:
        surplus = -drop - junction.breakdown
        inner = max(drop, -junction.breakdown - junction.breakdown_scale * mpmath.log(surplus / load + 1))
    for _ in range(200):
        current, slope = junction.law(inner, gmin)
        excess = inner + resistance * current - drop
        low, high = (low, inner) if excess > 0 else (inner, high)
        ahead = inner - excess / (1 + resistance * slope)
        ahead = ahead if low <= ahead <= high else (low + high) / 2
        if abs(ahead - inner) < SETTLED:
            return ahead
        inner = ahead
    return inner


def _newton(equations: Equations, point: _Point, share: Number, tolerance: Number) -> tuple[list[Number], _Point]:
    """Unknowns and where they were linearised at, with `share` of every source, from a point to linearise at."""
    before: list[Number] | None = None
    for _ in range(_NEWTON_STEPS):
        unknowns = _linearised(equations, point, share)
        new = [_drop(junction, unknowns) for junction in equations.junctions]
        kept = [j.limited(n, o) for j, n, o in zip(equations.junctions, new, point[0], strict=True)]
        limited = any(k != n for k, n in zip(kept, new, strict=True))
        point = kept, [[unknowns[u] if u >= 0 else mpf(0) for u in f.sensed] for f in equations.formulas]
        if not equations.junctions and not equations.formulas:
            return unknowns, point
        if before is not None and not limited:
            moved = zip(unknowns, before, strict=True)
            if all(abs(now - then) <= tolerance * (abs(now) + mpf(10) ** -9) for now, then in moved):
                return unknowns, point
        before = unknowns
    raise Unsolved(f"no convergence in {_NEWTON_STEPS} steps")


def _drop(junction: Junction, unknowns: Sequence[Number]) -> Number:
    upper = unknowns[junction.anode] if junction.anode >= 0 else mpf(0)
    return upper - (unknowns[junction.cathode] if junction.cathode >= 0 else mpf(0))


def _linearised(equations: Equations, point: _Point, share: Number) -> list[Number]:
    """The solution of the equations, junctions and formulas replaced by their tangents."""
    rows = [dict(row) for row in equations.rows]
    right = [share * source for source in equations.sources]
    for junction, drop in zip(equations.junctions, point[0], strict=True):
        current, slope = junction.law(drop, equations.gmin)
        rest = current - slope * drop
        for node, other, sign in ((junction.anode, junction.cathode, 1), (junction.cathode, junction.anode, -1)):
            if node >= 0:
                rows[node][node] = rows[node].get(node, mpf(0)) + slope
                right[node] -= sign * rest
                if other >= 0:
                    rows[node][other] = rows[node].get(other, mpf(0)) - slope
    for formula, sensed in zip(equations.formulas, point[1], strict=True):
        value, slopes = formula_tangent(formula.program, formula.constants, sensed, equations.gmin)
        rest = value - sum((slope * at for slope, at in zip(slopes, sensed, strict=True)), mpf(0))
        for row, sign in formula.rows:
            if row >= 0:
                right[row] += sign * share * rest
                for column, slope in zip(formula.sensed, slopes, strict=True):
                    if column >= 0:
                        rows[row][column] = rows[row].get(column, mpf(0)) - sign * share * slope
    return eliminated(rows, right)


def _by_sources(equations: Equations) -> list[Number]:
    """Follow the solution while the sources grow from nothing; steps halve where Newton's method fails."""
    point = _start_point(equations, None)
    share, step = 0.0, 1e-3
    for _ in range(_SOURCE_STEPS):
        ahead = min(1.0, share + step)
        try:
            _, point = _newton(equations, point, mpf(ahead), mpf(10) ** -9)
        except Unsolved:
            step *= 0.25
            if step < _LEAST_SOURCE_STEP:
                break
            continue
        share, step = ahead, 2 * step
        if share == 1.0:
            return _newton(equations, point, mpf(1), SETTLED)[0]
    raise Unsolved("source stepping got stuck")


def eliminated(rows: list[dict[int, Number]], right: list[Number]) -> list[Number]:
    """The solution of sparse linear equations; rows and right sides are used up.

    The next row is one of fewest entries, its pivot stands in the column of fewest among those not too small.

    Raises:
        Unsolved: The equations are singular.
    """
    columns: list[set[int]] = [set() for _ in rows]
    for r, row in enumerate(rows):
        for c in [c for c, value in row.items() if value == 0]:
            del row[c]
        for c in row:
            columns[c].add(r)
    queue = [(len(row), r) for r, row in enumerate(rows)]
    heapq.heapify(queue)
    done = [False] * len(rows)
    pivots: list[tuple[int, int]] = []
    while queue:
        length, r = heapq.heappop(queue)
        if done[r] or length != len(rows[r]):
            continue
        row = rows[r]
        if not row:
            raise Unsolved("singular equations")
        least = _PIVOT_SHARE * max(abs(value) for value in row.values())
        c = min((c for c, value in row.items() if abs(value) >= least), key=lambda c: len(columns[c]))
        done[r] = True
        pivots.append((r, c))
        for k in row:
            columns[k].discard(r)
        for other in columns[c]:
            target = rows[other]
            factor = target.pop(c) / row[c]
            for k, value in row.items():
                if k != c:
                    changed = target.get(k, mpf(0)) - factor * value
                    if changed == 0:
                        target.pop(k, None)
                        columns[k].discard(other)
                    else:
                        target[k] = changed
                        columns[k].add(other)
            right[other] -= factor * right[r]
            heapq.heappush(queue, (len(target), other))
        columns[c] = set()
    solution = [mpf(0)] * len(rows)
    for r, c in reversed(pivots):
        row = rows[r]
        rest = right[r] - sum((value * solution[k] for k, value in row.items() if k != c), mpf(0))
        solution[c] = rest / row[c]
    return solution
