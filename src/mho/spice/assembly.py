"""From expanded cards to the ``Netlist``: joined arrays, applied temperatures, checked values."""

from dataclasses import dataclass

import numpy as np

from mho.errors import InputError
from mho.spice.analyses import ControlCards, Settings
from mho.spice.expansion import Expansion
from mho.spice.lines import LINE_BITS, NetlistLines
from mho.spice.netlist import (
    Bipolars,
    Capacitors,
    Couplings,
    CurrentControlled,
    Diodes,
    Inductors,
    Mosfets,
    Netlist,
    Resistors,
    Sources,
    Switches,
    VoltageControlled,
)
from mho.spice.scopes import QUANTITIES
from mho.spice.values import shown


@dataclass(slots=True)
class _Table:
    """The elements of one kind, joined over all batches, with node numbers that only count nodes in use."""

    kind: str
    names: list[str]
    nodes: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray

    def common(self) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
        file = (self.positions >> LINE_BITS).astype(np.int32)
        line = (self.positions & ((1 << LINE_BITS) - 1)).astype(np.int32)
        return self.names, np.ascontiguousarray(self.nodes[:, :2]), file, line


def assemble(lines: NetlistLines, control: ControlCards, settings: Settings, expansion: Expansion) -> Netlist:
    """The netlist of expanded elements, with units, temperatures and multipliers applied and values checked.

    Raises:
        InputError: A name made twice, a value out of its range, a missing controlling source or node.
    """
    tables = _tables(expansion)
    _check_names(tables, lines)
    # Nodes that only X cards name, of ports that nothing uses, aren't nodes of the circuit.
    used = np.zeros(len(expansion.node_names), dtype=bool)
    used[0] = True
    for table in tables.values():
        used[table.nodes] = True
    renumbered = np.cumsum(used, dtype=np.int64) - 1
    for table in tables.values():
        table.nodes = renumbered[table.nodes].astype(np.int32)
    nodes = [name for name, in_use in zip(expansion.node_names, used.tolist(), strict=True) if in_use]

    branches = [name for kind in "vehl" for name in tables[kind].names]
    branch_numbers = {name: number for number, name in enumerate(branches)}
    conditions = _conditions(expansion, used, renumbered, lines)
    return Netlist(
        title=lines.title,
        files=lines.files,
        nodes=nodes,
        resistors=_resistors(tables["r"], settings.temperature - settings.nominal_temperature, lines),
        capacitors=_capacitors(tables["c"], lines),
        diodes=_diodes(tables["d"], expansion, settings.temperature, lines),
        voltage_sources=_sources(tables["v"], expansion),
        current_sources=_sources(tables["i"], expansion),
        vcvs=_voltage_controlled(tables["e"]),
        vccs=_voltage_controlled(tables["g"]),
        cccs=_current_controlled(tables["f"], expansion, branch_numbers, lines),
        ccvs=_current_controlled(tables["h"], expansion, branch_numbers, lines),
        inductors=_inductors(tables["l"], settings, lines),
        couplings=_couplings(tables["k"], expansion, tables["l"].names, lines),
        switches=_switches(tables["s"], expansion, np.ascontiguousarray(tables["s"].nodes[:, 2:])),
        current_switches=_switches(tables["w"], expansion, _controls(tables["w"], expansion, branch_numbers, lines)),
        mosfets=_mosfets(tables["m"], expansion, settings.temperature, lines),
        bipolars=_bipolars(tables["q"], expansion, settings.temperature, lines),
        models=expansion.models["d"],
        switch_models=expansion.models["s"],
        current_switch_models=expansion.models["w"],
        mosfet_models=expansion.models["m"],
        bipolar_models=expansion.models["q"],
        branches=branches,
        temperature=settings.temperature,
        nominal_temperature=settings.nominal_temperature,
        gmin=settings.gmin,
        options=settings.options,
        initial_conditions=conditions["ic"],
        nodesets=conditions["nodeset"],
        operating_point=control.operating_point,
        transient=settings.transient,
        output_cards=control.output_cards,
    )


def _tables(expansion: Expansion) -> dict[str, _Table]:
    tables = {}
    for kind, found in expansion.elements.items():
        if found.names:
            nodes, numbers = np.concatenate(found.nodes), np.concatenate(found.numbers, axis=1)
            positions = np.concatenate(found.positions)
        else:
            nodes = np.zeros((0, 4 if kind in "egsmq" else 2), dtype=np.int32)
            numbers, positions = np.zeros((len(QUANTITIES[kind]), 0)), np.zeros(0, dtype=np.int64)
        tables[kind] = _Table(kind, found.names, nodes, numbers, positions)
    return tables


def _check_names(tables: dict[str, _Table], lines: NetlistLines) -> None:
    """Find a name of the top level that is also the flattened name of a subcircuit's element."""
    for table in tables.values():
        if len(set(table.names)) == len(table.names):
            continue
        first: dict[str, int] = {}
        for row, name in enumerate(table.names):
            if name in first:
                where, other = (lines.where(int(table.positions[at])) for at in (first[name], row))
                raise InputError(f"{where}: duplicate element {shown(name)}, also made at {other}; rename one")
            first[name] = row


def _check(table: _Table, wrong: np.ndarray, values: np.ndarray, what: str, unit: str, right: str, lines: NetlistLines):
    rows = np.flatnonzero(wrong)
    if len(rows):
        row = rows[np.argmin(table.positions[rows])]
        raise InputError(
            f"{lines.where(int(table.positions[row]))}: {what} of {shown(table.names[row])} is {values[row]:g}{unit}; "
            f"it must be {right}"
        )


def _resistors(table: _Table, warmer: float, lines: NetlistLines) -> Resistors:
    value, tc1, tc2, multiplier = table.numbers
    _check(table, ~(value > 0), value, "resistance", " ohm", "above 0", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        resistance = value * (1 + tc1 * warmer + tc2 * warmer**2) / multiplier
    wrong = ~(resistance > 0) | ~np.isfinite(resistance)
    _check(table, wrong, resistance, "resistance at the circuit's temperature", " ohm", "above 0 and finite", lines)
    return Resistors(*table.common(), resistance=resistance)


def _capacitors(table: _Table, lines: NetlistLines) -> Capacitors:
    value, initial, multiplier = table.numbers[:3]
    _check(table, ~(value >= 0), value, "capacitance", " F", "at least 0", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        capacitance = value * multiplier
    _check(table, ~np.isfinite(capacitance), capacitance, "capacitance", " F", "finite", lines)
    has_initial = ~np.isnan(initial)
    return Capacitors(
        *table.common(), capacitance=capacitance, initial=np.where(has_initial, initial, 0.0), has_initial=has_initial
    )


def _diodes(table: _Table, expansion: Expansion, circuit_temperature: float, lines: NetlistLines) -> Diodes:
    area, multiplier, temperature, warmer, perimeter, width, length = table.numbers[:7]
    model = _model_of(table, expansion)
    cards = expansion.models["d"]
    sized = ~(np.isnan(width) & np.isnan(length))
    given = np.array([(m.area, m.perimeter, m.level) for m in cards], np.float64).reshape(-1, 3)[model].T
    # ngspice's level 3 takes the area of a rectangle; the other level counts a sized diode as of area 1.
    area = np.where(np.isnan(area), np.where(sized, 1.0, given[0]), area)
    perimeter = np.where(np.isnan(perimeter), np.where(sized, 0.0, given[1]), perimeter)
    rectangle = (given[2] == 3) & ~np.isnan(width) & ~np.isnan(length)
    area = np.where(rectangle, width * length, area)
    perimeter = np.where(rectangle, 2.0 * (width + length), perimeter)
    _check(table, ~(area > 0), area, "area", "", "above 0", lines)
    _check(table, ~(perimeter >= 0), perimeter, "perimeter pj", "", "at least 0", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        area, perimeter = area * multiplier, perimeter * multiplier
    _check(table, ~(np.isfinite(area) & (area > 0)), area, "area times m", "", "above 0 and finite", lines)
    temperature = _temperatures(table, temperature, warmer, circuit_temperature, lines)
    return Diodes(
        *table.common(),
        model=model,
        area=area,
        perimeter=perimeter,
        multiplier=multiplier.copy(),
        temperature=temperature,
    )


def _model_of(table: _Table, expansion: Expansion) -> np.ndarray:
    """Which model each element names: an index into the models of its kind."""
    models = expansion.elements[table.kind].models
    return np.concatenate(models) if models else np.zeros(0, dtype=np.int32)


def _temperatures(
    table: _Table, own: np.ndarray, warmer: np.ndarray, circuit: float, lines: NetlistLines
) -> np.ndarray:
    """Elements' temperatures [°C]: ``temp=``, else the circuit's plus ``dtemp=``."""
    temperature = np.where(np.isnan(own), circuit + np.where(np.isnan(warmer), 0.0, warmer), own)
    _check(table, ~(temperature > -273.15), temperature, "temperature", " °C", "above -273.15", lines)
    return temperature


def _sources(table: _Table, expansion: Expansion) -> Sources:
    found = expansion.elements[table.kind]
    dc = table.numbers[0].copy()
    for row in found.without_dc:
        dc[row] = found.waveforms[row].at_start
    return Sources(*table.common(), dc=dc, waveforms=found.waveforms)


def _voltage_controlled(table: _Table) -> VoltageControlled:
    return VoltageControlled(
        *table.common(), control_nodes=np.ascontiguousarray(table.nodes[:, 2:]), gain=table.numbers[0].copy()
    )


def _current_controlled(
    table: _Table, expansion: Expansion, branches: dict[str, int], lines: NetlistLines
) -> CurrentControlled:
    control = _controls(table, expansion, branches, lines)
    return CurrentControlled(*table.common(), control=control, gain=table.numbers[0].copy())


def _controls(table: _Table, expansion: Expansion, branches: dict[str, int], lines: NetlistLines) -> np.ndarray:
    """Number in ``Netlist.branches`` of the source that controls each element."""
    control = np.zeros(len(table.names), dtype=np.int32)
    for row, name in enumerate(expansion.elements[table.kind].controls):
        number = branches.get(name)
        if number is None:
            raise InputError(
                f"{lines.where(int(table.positions[row]))}: no voltage source {shown(name)} to control "
                f"{shown(table.names[row])}; name a V, E or H element"
            )
        control[row] = number
    return control


def _inductors(table: _Table, settings: Settings, lines: NetlistLines) -> Inductors:
    value, initial, multiplier, tc1, tc2, scale, own, dtemp = table.numbers
    warmer = _temperatures(table, own, dtemp, settings.temperature, lines) - settings.nominal_temperature
    multiplier, tc1, tc2, scale = (
        np.where(np.isnan(given), default, given)
        for given, default in ((multiplier, 1.0), (tc1, 0.0), (tc2, 0.0), (scale, 1.0))
    )
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        inductance = value * scale * (1.0 + tc1 * warmer + tc2 * warmer**2) / multiplier
    _check(table, ~np.isfinite(inductance), inductance, "inductance", " H", "finite", lines)
    _check(table, ~(inductance >= 0), inductance, "inductance", " H", "at least 0", lines)
    given = ~np.isnan(initial)
    return Inductors(*table.common(), inductance=inductance, initial=np.where(given, initial, 0.0), has_initial=given)


def _couplings(table: _Table, expansion: Expansion, inductors: list[str], lines: NetlistLines) -> Couplings:
    numbers = {name: row for row, name in enumerate(inductors)}
    controls = expansion.elements["k"].controls
    pairs = np.zeros((len(table.names), 2), dtype=np.int32)
    for row, name in enumerate(table.names):
        two = controls[2 * row : 2 * row + 2]
        missing = [inductor for inductor in two if inductor not in numbers]
        if missing or two[0] == two[1]:
            wrong = (
                f"no inductor {shown(missing[0])} for {shown(name)}"
                if missing
                else f"{shown(name)} couples one inductor to itself"
            )
            raise InputError(f"{lines.where(int(table.positions[row]))}: {wrong}; name two L elements")
        pairs[row] = [numbers[inductor] for inductor in two]
    coefficient = table.numbers[0].copy()
    wrong = ~(np.abs(coefficient) <= 1)
    _check(table, wrong, coefficient, "coefficient", "", "from -1 to 1", lines)
    return Couplings(*table.common(), inductors=pairs, coefficient=coefficient)


def _switches(table: _Table, expansion: Expansion, control: np.ndarray) -> Switches:
    return Switches(*table.common(), control=control, model=_model_of(table, expansion), on=table.numbers[0] > 0)


# What a MOSFET's card leaves out: ngspice's options defw and defl are 100 µm, the areas 0.
_MOSFET_DEFAULTS = {"w": 1e-4, "l": 1e-4, "nrd": 1.0, "nrs": 1.0, "m": 1.0}


def _given_or(table: _Table, defaults: dict[str, float]) -> dict[str, np.ndarray]:
    """The quantities by name, with 0 or another default where a card gives none."""
    return {
        name: np.where(np.isnan(column), defaults.get(name, 0.0), column)
        for name, column in zip(QUANTITIES[table.kind], table.numbers, strict=True)
    }


def _mosfets(table: _Table, expansion: Expansion, circuit_temperature: float, lines: NetlistLines) -> Mosfets:
    given = _given_or(table, _MOSFET_DEFAULTS)
    model = _model_of(table, expansion)
    diffused = np.array([m.lateral_diffusion for m in expansion.models["m"]], np.float64)[model]
    for name, least in (("w", 0.0), ("m", 0.0)):
        _check(table, ~(given[name] > least), given[name], name.upper(), "", "above 0", lines)
    effective = given["l"] - 2.0 * diffused
    _check(table, ~(effective > 0), effective, "length L less 2 LD", " m", "above 0", lines)
    for name in ("ad", "as", "pd", "ps", "nrd", "nrs"):
        _check(table, ~(given[name] >= 0), given[name], name.upper(), "", "at least 0", lines)
    own, warmer = table.numbers[-2:]
    return Mosfets(
        *table.common(),
        gate=np.ascontiguousarray(table.nodes[:, 2]),
        bulk=np.ascontiguousarray(table.nodes[:, 3]),
        model=model,
        width=given["w"],
        length=given["l"],
        drain_area=given["ad"],
        source_area=given["as"],
        drain_perimeter=given["pd"],
        source_perimeter=given["ps"],
        drain_squares=given["nrd"],
        source_squares=given["nrs"],
        multiplier=given["m"],
        temperature=_temperatures(table, own, warmer, circuit_temperature, lines),
    )


def _bipolars(table: _Table, expansion: Expansion, circuit_temperature: float, lines: NetlistLines) -> Bipolars:
    area = np.where(np.isnan(table.numbers[0]), 1.0, table.numbers[0])
    base, collector = (np.where(np.isnan(own), area, own) for own in table.numbers[1:3])
    multiplier = np.where(np.isnan(table.numbers[3]), 1.0, table.numbers[3])
    for what, values in (("area", area), ("areab", base), ("areac", collector), ("multiplier m", multiplier)):
        _check(table, ~(values > 0), values, what, "", "above 0", lines)
    own, warmer = table.numbers[-2:]
    return Bipolars(
        *table.common(),
        base=np.ascontiguousarray(table.nodes[:, 2]),
        substrate=np.ascontiguousarray(table.nodes[:, 3]),
        model=_model_of(table, expansion),
        area=area,
        base_area=base,
        collector_area=collector,
        multiplier=multiplier,
        temperature=_temperatures(table, own, warmer, circuit_temperature, lines),
    )


def _conditions(
    expansion: Expansion, used: np.ndarray, renumbered: np.ndarray, lines: NetlistLines
) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {"ic": {}, "nodeset": {}}
    for kind, name, value, position in expansion.conditions:
        node = expansion.node(name)
        if node is None or not used[node] or node == 0:
            raise InputError(
                f"{lines.where(position)}: .{kind} of {shown(name)}, which isn't a node; name a node above ground"
            )
        found[kind][int(renumbered[node])] = value
    return found
