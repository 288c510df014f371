"""The solver is lied to, the certificate is not: whatever the solver makes of it must be refused.

What the solver sees is another circuit than the true one, in one element; or what it hands over is another point than it
found. Without the lie the same circuits are solved, so the refusals are the lies'.
"""

from collections.abc import Callable

import equinox as eqx
import numpy as np
import pytest

from mho.elements import JunctionDiode
from mho.errors import MhoError
from mho.netlists import parse_netlist
from mho.netlists.circuits.circuit import netlist_circuit
from mho.networks.circuit import Circuit
from mho.steady import newton
from mho.steady.newton import CircuitSolution, solve_circuit
from mho_benchmarks.referee.families import netlist_text

WITH_ENERGY = ("series-diode", "bridge", "clamp", "zener", "ring", "stiff-resistors", "floating-supplies")
WITHOUT = ("op-amps", "diode-op-amps", "controlled", "subcircuits")
FAMILIES = (*WITH_ENERGY, *WITHOUT)
SEEDS = range(4)


def circuits(family: str) -> list[Circuit]:
    return [netlist_circuit(parse_netlist(netlist_text(family, seed))) for seed in SEEDS]


def strongest(circuit: Circuit, point: CircuitSolution) -> tuple[int, int] | None:
    """Group and number of the element, with an end that no source holds, that carries most of the current there."""
    free = np.ones(circuit.nodes + 1, bool)
    group = np.arange(circuit.nodes)
    if circuit.ties is not None:
        group = np.asarray(circuit.ties.group)
        free[circuit.ties.free] = False
    else:
        free[0] = False
    most = np.zeros(circuit.nodes + 1)
    currents = []
    for branch in circuit.branches:
        first, second = np.asarray(branch.first), np.asarray(branch.second)
        current = np.abs(np.asarray(branch.element.current(point.voltages[first] - point.voltages[second])))
        currents.append(current)
        for ends in (first, second):
            np.maximum.at(most, group[ends], current)
    best, found = 0.0, None
    for g, branch in enumerate(circuit.branches):
        first, second = group[np.asarray(branch.first)], group[np.asarray(branch.second)]
        leak = np.zeros(len(first))
        if isinstance(branch.element, JunctionDiode):
            leak = branch.element.gmin * np.abs(point.voltages[branch.first] - point.voltages[branch.second])
        for k in np.flatnonzero(currents[g] > 2 * leak):
            ends = [end for end in (first[k], second[k]) if free[end] and most[end] > 0]
            share = max((currents[g][k] / most[end] for end in ends), default=0.0) if first[k] != second[k] else 0.0
            if share > 0.5 and currents[g][k] > best and currents[g][k] > 1e-9:
                best, found = currents[g][k], (g, k)
    return found


def with_current_times(circuit: Circuit, at: tuple[int, int], factor: float) -> Circuit:
    """The circuit with one element's current multiplied, of a diode what isn't gmin's."""
    group, k = at
    name = "saturation_current" if isinstance(circuit.branches[group].element, JunctionDiode) else "conductance"
    values = np.array(getattr(circuit.branches[group].element, name), np.float64)
    values[k] *= factor
    return eqx.tree_at(lambda c: getattr(c.branches[group].element, name), circuit, values)


def lied_to(monkeypatch: pytest.MonkeyPatch, seen: Callable[[Circuit], Circuit]) -> None:
    """Have the solver's own equations be those of another circuit."""
    for name in ("reduced_system", "modified_system"):
        true = getattr(newton, name)
        monkeypatch.setattr(newton, name, lambda circuit, sources, true=true: true(seen(circuit), sources))


def is_refused(circuit: Circuit, why: str = "") -> bool:
    try:
        solve_circuit(circuit)
    except MhoError as error:
        return "\n" not in str(error) and why in str(error)
    return False


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6, 1e-9], ids=["+1e-6", "-1e-6", "dropped"])
def test_an_element_s_current_is_not_what_the_solver_believes(monkeypatch, family, factor):
    tried = 0
    for circuit in circuits(family):
        at = strongest(circuit, solve_circuit(circuit))
        if at is None:
            continue
        with monkeypatch.context() as patched:
            lied_to(patched, lambda c, at=at: with_current_times(c, at, factor))
            # What is dropped may leave the solver without an answer; a millionth doesn't.
            assert is_refused(circuit, "Kirchhoff's laws are not met" if abs(factor - 1) < 1e-3 else "")
        tried += 1
    assert tried


class CutDiode(JunctionDiode):
    """A junction whose exponential was cut at 0.4 V, and which goes on straight."""

    def tangent(self, voltage):
        current, slope = super().tangent(np.minimum(voltage, 0.4))
        return current + slope * (voltage - np.minimum(voltage, 0.4)), slope

    def current(self, voltage):
        return self.tangent(voltage)[0]

    def slope(self, voltage):
        return self.tangent(voltage)[1]


def with_cut_diodes(circuit: Circuit) -> Circuit:
    branches = []
    for branch in circuit.branches:
        if isinstance(branch.element, JunctionDiode):
            cut = object.__new__(CutDiode)
            for name, value in vars(branch.element).items():
                object.__setattr__(cut, name, value)
            branch = eqx.tree_at(lambda b: b.element, branch, cut)
        branches.append(branch)
    return eqx.tree_at(lambda c: c.branches, circuit, tuple(branches))


@pytest.mark.parametrize("family", ["series-diode", "bridge", "clamp", "gates", "diode-op-amps"])
def test_an_exponential_that_was_cut(monkeypatch, family):
    tried = 0
    for circuit in circuits(family):
        point = solve_circuit(circuit)
        conducting = False
        for branch in circuit.branches:
            if isinstance(branch.element, JunctionDiode):
                drop = point.voltages[np.asarray(branch.first)] - point.voltages[np.asarray(branch.second)]
                conducting |= bool((np.asarray(branch.element.junction_voltage(drop)) > 0.45).any())
        if conducting:
            with monkeypatch.context() as patched:
                lied_to(patched, with_cut_diodes)
                assert is_refused(circuit)
            tried += 1
    assert tried


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lie", [1e-6, np.nan, np.inf, 1e200])
def test_a_point_that_is_not_the_one_found(monkeypatch, family, lie):
    refined = newton._refined

    def moved(*arguments):
        (high, low), bounds = refined(*arguments)
        high = np.array(high)
        k = int(np.argmax(np.abs(high[: max(1, len(high) // 2)])))
        high[k] += lie * max(1.0, abs(high[k]))
        return (high, low), bounds

    for circuit in circuits(family):
        if solve_circuit(circuit).steps > 0 and (circuit.ties is None or circuit.ties.free):
            with monkeypatch.context() as patched:
                patched.setattr(newton, "_refined", moved)
                assert is_refused(circuit)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_solver_that_stops_anywhere_and_calls_it_settled(monkeypatch, family):
    def settled_at_once(system, linear, y, *_, **__):
        return (np.full(system.size, 0.3), np.zeros(system.size)), np.zeros(system.size), 1

    for circuit in circuits(family):
        with monkeypatch.context() as patched:
            patched.setattr(newton, "limited_newton", settled_at_once)
            patched.setattr(newton, "_refined", lambda system, search, unknowns, step: (unknowns, np.abs(step)))
            assert is_refused(circuit)
