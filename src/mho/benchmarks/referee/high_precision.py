"""Operating points to 50 digits: who is right where two solvers differ.

Nothing of mho's solvers or element laws is used, so that a mistake there can't hide here: modified nodal analysis and
SPICE's junction law are written down again from the ngspice 39 manual (chapters 3 to 7; section 7.2, "Diode Model") and
solved by mpmath, by Newton's method with SPICE's limiting of junction voltages (Nagel 1975, "SPICE2", section 4), from a
given point, from rest, or by source stepping. Only the reader is shared: its flat tables are what a netlist says.

The law of a junction, V = N·k·T/q, gmin's current added everywhere: IS·(exp(v/V) − 1) for v ≥ −3V; below
−IS·(1 + (3V/(e·v))³); and −IS·exp(−(BV + v)/V) for v < −BV, where BV is shifted so that IBV flows at the card's BV.
IS follows the temperature by EG and XTI. RS stands between the anode and the junction.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from mho.spice.netlist import Netlist

DIGITS = 60
"""Decimal digits that are computed with; a solution is right to half of them."""
SETTLED = mpf(10) ** -30
"""A solution is found when a step of Newton's method changes no unknown by more than this share of it."""

# Decimals: they become numbers at the digits that are computed with.
_BOLTZMANN = "1.38064852e-23"
_CHARGE = "1.6021766208e-19"
_ZERO_CELSIUS = "273.15"
# As SPICE fits BV to IBV, to ngspice's reltol where it is the referee.
_BREAKDOWN_RELTOL = 1e-9
_NEWTON_STEPS = 150
_SOURCE_STEPS = 400
_LEAST_SOURCE_STEP = 1e-9
# With 60 digits a pivot may be small; a sparse elimination is worth more.
_PIVOT_SHARE = mpf(10) ** -18

_Number = Any
"""mpmath's numbers, whose type it does not tell."""


@dataclass(frozen=True, slots=True)
class Junction:
    """A diode's junction: unknowns of its two nodes (−1 is ground), IS [A], N·V_T [V], and BV (None: none) [V]."""

    anode: int
    cathode: int
    saturation: _Number
    scale: _Number
    breakdown: _Number | None

    def law(self, drop: _Number, gmin: _Number) -> tuple[_Number, _Number]:
        """Current [A] and slope [S] at a junction voltage [V]."""
        scale, saturation = self.scale, self.saturation
        if drop >= -3 * scale:
            grown = mpmath.exp(drop / scale)
            return saturation * (grown - 1) + gmin * drop, saturation * grown / scale + gmin
        if self.breakdown is None or drop >= -self.breakdown:
            cubic = (3 * scale / (drop * mpmath.e)) ** 3
            return -saturation * (1 + cubic) + gmin * drop, 3 * saturation * cubic / drop + gmin
        grown = mpmath.exp(-(self.breakdown + drop) / scale)
        return -saturation * grown + gmin * drop, saturation * grown / scale + gmin

    def limited(self, new: _Number, old: _Number) -> _Number:
        """SPICE's limit of a step up the exponential, forward or in breakdown."""
        if self.breakdown is not None and new < min(mpf(0), -self.breakdown + 10 * self.scale):
            beyond = -(new + self.breakdown)
            climbed = self._climb(beyond, -(old + self.breakdown))
            return new if climbed == beyond else -(climbed + self.breakdown)
        return self._climb(new, old)

    def _climb(self, new: _Number, old: _Number) -> _Number:
        scale = self.scale
        critical = scale * mpmath.log(scale / (mpmath.sqrt(2) * self.saturation))
        if new <= critical or abs(new - old) <= 2 * scale:
            return new
        if old > 0:
            growth = 1 + (new - old) / scale
            return old + scale * mpmath.log(growth) if growth > 0 else critical
        return scale * mpmath.log(new / scale) if new > scale else new


@dataclass(frozen=True, slots=True)
class Equations:
    """Modified nodal equations: linear rows, what sources put on their right sides, and the junctions.

    Unknowns are the node voltages, nodes behind a series resistance among them, and then the currents of V, E and H.
    """

    unknowns: list[str]
    rows: list[dict[int, _Number]]
    sources: list[_Number]
    junctions: list[Junction]
    gmin: _Number
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

    voltages: dict[str, _Number]
    branches: dict[str, _Number]
    start: str


class Unsolved(ArithmeticError):
    """No solution was found in high precision."""


def refine(netlist: Netlist, candidate: Mapping[str, float] | None = None) -> Refined:
    """The solution that Newton's method finds from a candidate's node voltages [V], else from rest or by source stepping.

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
                    drops = _start_drops(equations, candidate if start == "candidate" else None)
                    unknowns = _newton(equations, drops, mpf(1), SETTLED)[0]
            except (Unsolved, ZeroDivisionError, OverflowError, ValueError):
                continue
            names = equations.unknowns
            nodes = equations.node_count
            voltages = {name: v for name, v in zip(names[:nodes], unknowns, strict=False) if not name.startswith("\n")}
            return Refined(voltages, dict(zip(names[nodes:], unknowns[nodes:], strict=True)), start)
    raise Unsolved("no solution in high precision, from the candidate, from rest or by source stepping")


def distance(candidate: Mapping[str, float], refined: Mapping[str, _Number]) -> float:
    """The largest difference of a node's voltage [V], or relative where the voltage is above 1 V; inf for one not finite."""
    worst = 0.0
    with mpmath.workdps(DIGITS):
        for name, exact in refined.items():
            value = candidate[name]
            if not math.isfinite(value):
                return math.inf
            worst = max(worst, float(abs(mpf(value) - exact) / max(1, abs(exact))))
    return worst


def flat_equations(netlist: Netlist) -> Equations:
    """What a netlist says at DC, in high precision; capacitors are open."""
    unknowns = list(netlist.nodes[1:])
    series = [netlist.models[m].series_resistance > 0 for m in netlist.diodes.model]
    unknowns += [f"\n{name}" for name, has in zip(netlist.diodes.names, series, strict=True) if has]
    node_count = len(unknowns)
    unknowns += netlist.branches
    rows: list[dict[int, _Number]] = [{} for _ in unknowns]
    sources = [mpf(0) for _ in unknowns]

    def add(row: int, column: int, value: _Number) -> None:
        if row >= 0 and column >= 0:
            rows[row][column] = rows[row].get(column, mpf(0)) + value

    def conductance(first: int, second: int, value: _Number) -> None:
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
    branch = node_count

    def voltage_branch(first: int, second: int) -> int:
        nonlocal branch
        for node, sign in ((first, 1), (second, -1)):
            add(node, branch, mpf(sign))
            add(branch, node, mpf(sign))
        branch += 1
        return branch - 1

    for (first, second), volts in zip(ends(netlist.voltage_sources.nodes), netlist.voltage_sources.dc, strict=True):
        sources[voltage_branch(first, second)] = mpf(float(volts))
    for elements in (netlist.vcvs, netlist.vccs):
        for pair, control, gain in zip(ends(elements.nodes), ends(elements.control_nodes), elements.gain, strict=True):
            gain = mpf(float(gain))
            if elements is netlist.vcvs:
                row = voltage_branch(*pair)
                add(row, control[0], -gain)
                add(row, control[1], gain)
            else:
                for node, sign in zip(pair, (1, -1), strict=True):
                    add(node, control[0], sign * gain)
                    add(node, control[1], -sign * gain)
    for elements in (netlist.ccvs, netlist.cccs):
        for pair, control, gain in zip(ends(elements.nodes), elements.control, elements.gain, strict=True):
            column = node_count + int(control)
            if elements is netlist.ccvs:
                add(voltage_branch(*pair), column, -mpf(float(gain)))
            else:
                for node, sign in zip(pair, (1, -1), strict=True):
                    add(node, column, sign * mpf(float(gain)))
    junctions = []
    inner = len(netlist.nodes) - 1
    for k, (anode, cathode) in enumerate(ends(netlist.diodes.nodes)):
        if series[k]:
            model = netlist.models[netlist.diodes.model[k]]
            conductance(anode, inner, mpf(float(netlist.diodes.area[k])) / mpf(model.series_resistance))
            anode, inner = inner, inner + 1
        junctions.append(_junction(netlist, k, anode, cathode))
    return Equations(unknowns, rows, sources, junctions, mpf(netlist.gmin), node_count, list(netlist.branches))


def _junction(netlist: Netlist, k: int, anode: int, cathode: int) -> Junction:
    diodes = netlist.diodes
    model = netlist.models[diodes.model[k]]
    kelvin = mpf(float(diodes.temperature[k])) + mpf(_ZERO_CELSIUS)
    ratio = kelvin / (mpf(model.nominal_temperature) + mpf(_ZERO_CELSIUS))
    thermal = mpf(_BOLTZMANN) * kelvin / mpf(_CHARGE)
    scale = mpf(model.emission) * thermal
    heated = (ratio - 1) * mpf(model.activation_energy) / scale
    heated += mpf(model.saturation_exponent) / mpf(model.emission) * mpmath.log(ratio)
    saturation = mpf(model.saturation_current) * mpf(float(diodes.area[k])) * mpmath.exp(heated)
    breakdown = None
    if model.breakdown_voltage is not None:
        at_breakdown = mpf(model.breakdown_current) * mpf(float(diodes.multiplier[k]))
        breakdown = _fitted(mpf(model.breakdown_voltage), at_breakdown, saturation, scale, thermal)
    return Junction(anode, cathode, saturation, scale, breakdown)


def _fitted(given: _Number, current: _Number, saturation: _Number, scale: _Number, thermal: _Number) -> _Number:
    """SPICE's fixed-point iteration for the voltage from which the exponential of breakdown counts."""
    if current < saturation * given / thermal:
        return given
    shifted = given - scale * mpmath.log(1 + current / saturation)
    for _ in range(25):
        shifted = given - scale * mpmath.log(current / saturation + 1 - shifted / thermal)
        reached = saturation * (mpmath.exp((given - shifted) / scale) - 1 + shifted / thermal)
        if abs(reached - current) <= _BREAKDOWN_RELTOL * current:
            break
    return shifted


def _start_drops(equations: Equations, candidate: Mapping[str, float] | None) -> list[_Number]:
    """Junction voltages [V] to linearise at first: a candidate's, divided between junction and series resistance."""
    if candidate is None:
        return [mpf(0)] * len(equations.junctions)
    drops = []
    for junction in equations.junctions:
        anode, resistance = junction.anode, mpf(0)
        if anode >= 0 and equations.unknowns[anode].startswith("\n"):
            # The row of the inner node holds the one linear conductance that joins it.
            anode = next((column for column in equations.rows[anode] if column != junction.anode), -1)
            resistance = 1 / equations.rows[junction.anode][junction.anode]
        ends = [mpf(candidate[equations.unknowns[n]]) if n >= 0 else mpf(0) for n in (anode, junction.cathode)]
        drops.append(_behind(junction, ends[0] - ends[1], resistance, equations.gmin))
    return drops


def _behind(junction: Junction, drop: _Number, resistance: _Number, gmin: _Number) -> _Number:
    """The junction's share of a voltage, by Newton's method from the side where the law is steeper."""
    if resistance == 0:
        return drop
    load = junction.saturation * resistance
    if drop > 0:
        inner = min(drop, junction.scale * mpmath.log(drop / load + 1))
    elif junction.breakdown is not None and drop < -junction.breakdown:
        surplus = -drop - junction.breakdown
        inner = max(drop, -junction.breakdown - junction.scale * mpmath.log(surplus / load + 1))
    else:
        inner = drop
    for _ in range(100):
        current, slope = junction.law(inner, gmin)
        change = (inner + resistance * current - drop) / (1 + resistance * slope)
        inner -= change
        if abs(change) < SETTLED:
            break
    return inner


def _newton(
    equations: Equations, drops: Sequence[_Number], share: _Number, tolerance: _Number
) -> tuple[list[_Number], list[_Number]]:
    """Unknowns and junction voltages, with `share` of every source, from junction voltages to linearise at."""
    drops = list(drops)
    before: list[_Number] | None = None
    for _ in range(_NEWTON_STEPS):
        unknowns = _linearised(equations, drops, share)
        new = [_drop(junction, unknowns) for junction in equations.junctions]
        kept = [j.limited(n, o) for j, n, o in zip(equations.junctions, new, drops, strict=True)]
        limited = any(k != n for k, n in zip(kept, new, strict=True))
        drops = kept
        if not equations.junctions:
            return unknowns, drops
        if before is not None and not limited:
            moved = zip(unknowns, before, strict=True)
            if all(abs(now - then) <= tolerance * (abs(now) + mpf(10) ** -9) for now, then in moved):
                return unknowns, drops
        before = unknowns
    raise Unsolved(f"no convergence in {_NEWTON_STEPS} steps")


def _drop(junction: Junction, unknowns: Sequence[_Number]) -> _Number:
    upper = unknowns[junction.anode] if junction.anode >= 0 else mpf(0)
    return upper - (unknowns[junction.cathode] if junction.cathode >= 0 else mpf(0))


def _linearised(equations: Equations, drops: Sequence[_Number], share: _Number) -> list[_Number]:
    """The solution of the equations, junctions replaced by their tangents."""
    rows = [dict(row) for row in equations.rows]
    right = [share * source for source in equations.sources]
    for junction, drop in zip(equations.junctions, drops, strict=True):
        current, slope = junction.law(drop, equations.gmin)
        rest = current - slope * drop
        for node, other, sign in ((junction.anode, junction.cathode, 1), (junction.cathode, junction.anode, -1)):
            if node >= 0:
                rows[node][node] = rows[node].get(node, mpf(0)) + slope
                right[node] -= sign * rest
                if other >= 0:
                    rows[node][other] = rows[node].get(other, mpf(0)) - slope
    return eliminated(rows, right)


def _by_sources(equations: Equations) -> list[_Number]:
    """Follow the solution while the sources grow from nothing; steps halve where Newton's method fails."""
    drops = [mpf(0)] * len(equations.junctions)
    share, step = 0.0, 1e-3
    for _ in range(_SOURCE_STEPS):
        ahead = min(1.0, share + step)
        try:
            _, drops = _newton(equations, drops, mpf(ahead), mpf(10) ** -9)
        except Unsolved:
            step *= 0.25
            if step < _LEAST_SOURCE_STEP:
                break
            continue
        share, step = ahead, 2 * step
        if share == 1.0:
            return _newton(equations, drops, mpf(1), SETTLED)[0]
    raise Unsolved("source stepping got stuck")


def eliminated(rows: list[dict[int, _Number]], right: list[_Number]) -> list[_Number]:
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
