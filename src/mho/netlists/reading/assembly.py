"""From expanded cards to the ``Netlist``: joined arrays, applied temperatures, checked values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.netlists.reading.analyses import ControlCards, Settings
from mho.netlists.reading.behavioural_law import Program
from mho.netlists.reading.expansion import Expanded, ExpandedFormulas, Expansion
from mho.netlists.reading.lines import LINE_BITS, NetlistLines
from mho.netlists.reading.netlist import (
    BehaviouralSources,
    Bipolars,
    Capacitors,
    Couplings,
    CurrentControlled,
    Diodes,
    Inductors,
    Jfets,
    Mosfets,
    Netlist,
    Resistors,
    Sources,
    Switches,
    VoltageControlled,
)
from mho.netlists.reading.scopes import QUANTITIES
from mho.netlists.reading.values import shown

_VACUUM, _SILICA = 8.854214871e-12, 3.9
"""Permittivity of the vacuum [F/m], as ngspice has it, and what that of silica is to it."""


@dataclass(slots=True)
class _Table:
    """The elements of one kind, joined over all batches, with node numbers that only count nodes in use."""

    kind: str
    names: list[str]
    nodes: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray

    def common(self) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
        return self.names, np.ascontiguousarray(self.nodes[:, :2]), *_places(self.positions)


def _places(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of files and of lines in them."""
    return (positions >> LINE_BITS).astype(np.int32), (positions & ((1 << LINE_BITS) - 1)).astype(np.int32)


def assemble(lines: NetlistLines, control: ControlCards, settings: Settings, expansion: Expansion) -> Netlist:
    """The netlist of expanded elements, with units, temperatures and multipliers applied and values checked.

    Raises:
        InputError: A name made twice, a value out of its range, a missing controlling source or node.
    """
    tables = _tables(expansion)
    _check_names(tables, expansion, lines)
    # Nodes that only X cards name, of ports that nothing uses, aren't nodes of the circuit.
    used = np.zeros(len(expansion.node_names), dtype=bool)
    used[0] = True
    for table in tables.values():
        used[table.nodes] = True
    for found in expansion.formulas.values():
        for nodes in found.nodes:
            used[nodes] = True
        for sensed in found.sensed:
            used[sensed[sensed >= 0]] = True
    renumbered = np.cumsum(used, dtype=np.int64) - 1
    for table in tables.values():
        table.nodes = renumbered[table.nodes].astype(np.int32)
    nodes = [name for name, in_use in zip(expansion.node_names, used.tolist(), strict=True) if in_use]

    branches = [name for kind in "veh" for name in tables[kind].names]
    branches += [name for (kind, _), found in expansion.formulas.items() if kind == "v" for name in found.names]
    branches += tables["l"].names
    branch_numbers = {name: number for number, name in enumerate(branches)}
    behavioural = [
        _behavioural(kind, program, found, renumbered, _sensed_branches(expansion, branch_numbers, lines))
        for (kind, program), found in expansion.formulas.items()
    ]
    conditions = _conditions(expansion, used, renumbered, lines)
    return Netlist(
        title=lines.title,
        text=lines.text.joined(),
        files=lines.files,
        nodes=nodes,
        resistors=_resistors(tables["r"], expansion, settings, lines),
        capacitors=_capacitors(tables["c"], expansion, settings, lines),
        diodes=_diodes(tables["d"], expansion, settings.temperature, lines),
        voltage_sources=_sources(tables["v"], expansion),
        current_sources=_sources(tables["i"], expansion),
        vcvs=_voltage_controlled(tables["e"]),
        vccs=_voltage_controlled(tables["g"]),
        cccs=_current_controlled(tables["f"], expansion, branch_numbers, lines),
        ccvs=_current_controlled(tables["h"], expansion, branch_numbers, lines),
        behavioural=behavioural,
        inductors=_inductors(tables["l"], settings, lines),
        couplings=_couplings(tables["k"], expansion, tables["l"].names, lines),
        switches=_switches(tables["s"], expansion, np.ascontiguousarray(tables["s"].nodes[:, 2:])),
        current_switches=_switches(tables["w"], expansion, _controls(tables["w"], expansion, branch_numbers, lines)),
        mosfets=_mosfets(tables["m"], expansion, settings.temperature, lines),
        bipolars=_bipolars(tables["q"], expansion, settings.temperature, lines),
        jfets=_jfets(tables["j"], expansion, settings.temperature, lines),
        models=expansion.models["d"],
        switch_models=expansion.models["s"],
        current_switch_models=expansion.models["w"],
        mosfet_models=expansion.models["m"],
        bipolar_models=expansion.models["q"],
        jfet_models=expansion.models["j"],
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
        notes=lines.notes.lines(lines.where),
    )


def _tables(expansion: Expansion) -> dict[str, _Table]:
    tables = {}
    for kind, found in expansion.elements.items():
        if found.names:
            nodes, numbers = np.concatenate(found.nodes), np.concatenate(found.numbers, axis=1)
            positions = np.concatenate(found.positions)
        else:
            nodes = np.zeros((0, 4 if kind in "egsmq" else 3 if kind == "j" else 2), dtype=np.int32)
            numbers, positions = np.zeros((len(QUANTITIES[kind]), 0)), np.zeros(0, dtype=np.int64)
        tables[kind] = _Table(kind, found.names, nodes, numbers, positions)
    return tables


def _check_names(tables: dict[str, _Table], expansion: Expansion, lines: NetlistLines) -> None:
    """Find a name of the top level that is also the flattened name of a subcircuit's element."""
    for table in tables.values():
        _check_distinct(table.names, table.positions, lines)
    if expansion.formulas:
        names = [name for found in expansion.formulas.values() for name in found.names]
        positions = [position for found in expansion.formulas.values() for position in found.positions]
        for kind in "rgfeh":
            # Formulas have their elements' names: an E source with a VALUE is named as one with a gain.
            names.extend(tables[kind].names)
            positions.append(tables[kind].positions)
        _check_distinct(names, np.concatenate(positions), lines)


def _check_distinct(names: list[str], positions: np.ndarray, lines: NetlistLines) -> None:
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in first:
            where, other = (lines.where(int(positions[at])) for at in (first[name], row))
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


def _resistors(table: _Table, expansion: Expansion, settings: Settings, lines: NetlistLines) -> Resistors:
    value, tc1, tc2, multiplier = (numbers.copy() for numbers in table.numbers)
    warmer = np.full(len(value), settings.temperature - settings.nominal_temperature)
    scale = np.ones(len(value))
    for row, model, given in _modelled(expansion.elements["r"], expansion.models["r"]):
        warmer[row] = _temperature(given, settings) - model.get("tnom", settings.nominal_temperature)
        tc1[row], tc2[row] = _given(tc1[row], model.get("tc1", 0.0)), _given(tc2[row], model.get("tc2", 0.0))
        if np.isnan(value[row]):
            value[row] = _sheet_resistance(model, given)
        scale[row] = given.get("scale", 1.0)
        exponent = given.get("tce", model.get("tce"))
        if exponent is not None:
            with np.errstate(all="ignore"):
                scale[row] *= np.power(1.01, exponent * warmer[row])
            warmer[row] = 0.0
    missing = np.isnan(value)
    _check(table, missing, value, "resistance", " ohm", "given by the card or its model", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    for row in np.flatnonzero(value == 0):
        value[row] = 1e-3
        where = int(table.positions[row])
        lines.notes.add("resistors of 0 ohm are taken as 1 mOhm, as in ngspice", table.names[row], where)
    with np.errstate(all="ignore"):
        resistance = value * scale * (1 + tc1 * warmer + tc2 * warmer**2) / multiplier
    wrong = (resistance == 0) | ~np.isfinite(resistance) | (resistance / value < 0)
    what = "resistance at the circuit's temperature"
    _check(table, wrong, resistance, what, " ohm", "finite, not 0, and of its nominal value's sign", lines)
    return Resistors(*table.common(), resistance=resistance)


def _capacitors(table: _Table, expansion: Expansion, settings: Settings, lines: NetlistLines) -> Capacitors:
    value, initial, multiplier = (numbers.copy() for numbers in table.numbers[:3])
    for row, model, given in _modelled(expansion.elements["c"], expansion.models["c"]):
        if np.isnan(value[row]):
            value[row] = model["cap"] if "cap" in model else _plate_capacitance(model, given)
        warmer = _temperature(given, settings) - model.get("tnom", settings.nominal_temperature)
        tc1, tc2 = given.get("tc1", model.get("tc1", 0.0)), given.get("tc2", model.get("tc2", 0.0))
        value[row] *= given.get("scale", 1.0) * (1.0 + tc1 * warmer + tc2 * warmer**2)
    _check(table, ~(value >= 0), value, "capacitance", " F", "at least 0", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        capacitance = value * multiplier
    _check(table, ~np.isfinite(capacitance), capacitance, "capacitance", " F", "finite", lines)
    has_initial = ~np.isnan(initial)
    return Capacitors(
        *table.common(), capacitance=capacitance, initial=np.where(has_initial, initial, 0.0), has_initial=has_initial
    )


def _modelled(
    found: Expanded, models: list[dict[str, float]]
) -> Iterator[tuple[int, dict[str, float], dict[str, float]]]:
    """Row, model and seldom given quantities of each element that has one of the latter."""
    model = np.concatenate(found.models) if found.models else np.zeros(0, np.int32)
    for row in sorted({*np.flatnonzero(model >= 0).tolist(), *found.extras}):
        yield row, models[model[row]] if model[row] >= 0 else {}, found.extras.get(row, {})


def _given(value: float, otherwise: float) -> float:
    return otherwise if np.isnan(value) else value


def _temperature(given: dict[str, float], settings: Settings) -> float:
    """Of an element [°C]: its own, or the circuit's and what it is warmer."""
    return given["temp"] if "temp" in given else settings.temperature + given.get("dtemp", 0.0)


def _sheet_resistance(model: dict[str, float], given: dict[str, float]) -> float:
    """Of a strip: rsh (l - 2 short) / (w - 2 narrow); NaN where the model gives neither that nor a resistance."""
    length, width = (given.get(key, model.get(f"def{key}", 1e-5)) for key in "lw")
    if length * width * model.get("rsh", 0.0) > 0.0:
        effective = width - 2 * model.get("narrow", 0.0)
        return model["rsh"] * (length - 2 * model.get("short", 0.0)) / effective if effective else np.nan
    return model.get("r", np.nan)


def _plate_capacitance(model: dict[str, float], given: dict[str, float]) -> float:
    """Of a plate: its area times cj and its rim times cjsw; NaN where the model or the card gives too little."""
    if "l" not in given:
        return np.nan
    less = 2 * model.get("del", 0.0)
    length = given["l"] - model.get("short", less)
    width = given.get("w", model.get("defw", 1e-5)) - model.get("narrow", less)
    bottom = model.get("cj")
    if bottom is None:
        permittivity = _VACUUM * model.get("di", _SILICA)
        bottom = permittivity / model["thick"] if model.get("thick", 0.0) > 0 else 0.0
    return bottom * width * length + model.get("cjsw", 0.0) * 2 * (length + width)


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
    _check(table, ~(temperature > -ZERO_CELSIUS), temperature, "temperature", " °C", f"above -{ZERO_CELSIUS}", lines)
    return temperature


def _sources(table: _Table, expansion: Expansion) -> Sources:
    found = expansion.elements[table.kind]
    dc = table.numbers[0].copy()
    for row in found.without_dc:
        dc[row] = found.waveforms[row].at_start
    return Sources(*table.common(), dc=dc, waveforms=found.waveforms)


def _voltage_controlled(table: _Table) -> VoltageControlled:
    return VoltageControlled(
        *table.common(),
        control_nodes=np.ascontiguousarray(table.nodes[:, 2:]),
        gain=table.numbers[0] * table.numbers[1],
    )


def _current_controlled(
    table: _Table, expansion: Expansion, branches: dict[str, int], lines: NetlistLines
) -> CurrentControlled:
    control = _controls(table, expansion, branches, lines)
    return CurrentControlled(*table.common(), control=control, gain=table.numbers[0] * table.numbers[1])


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


def _jfets(table: _Table, expansion: Expansion, circuit_temperature: float, lines: NetlistLines) -> Jfets:
    given = _given_or(table, {"area": 1.0, "m": 1.0})
    for name, what in (("area", "area"), ("m", "multiplier m")):
        _check(table, ~(given[name] > 0), given[name], what, "", "above 0", lines)
    own, warmer = table.numbers[-2:]
    return Jfets(
        *table.common(),
        gate=np.ascontiguousarray(table.nodes[:, 2]),
        model=_model_of(table, expansion),
        area=given["area"],
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


def _sensed_branches(expansion: Expansion, branches: dict[str, int], lines: NetlistLines) -> np.ndarray:
    """Number in ``Netlist.branches`` of each of ``Expansion.sensed_branches``."""
    missing = [number for name, number in expansion.sensed_branches.items() if name not in branches]
    if missing:
        name = list(expansion.sensed_branches)[missing[0]]
        source, position = next(
            (found.names[row], int(np.concatenate(found.positions)[row]))
            for found in expansion.formulas.values()
            for row in np.flatnonzero((np.concatenate(found.sensed) == -1 - missing[0]).any(1))
        )
        raise InputError(
            f"{lines.where(position)}: no voltage source {shown(name)} whose current {shown(source)} could sense; name a "
            "V, E, H or B element of a voltage"
        )
    return np.array([branches[name] for name in expansion.sensed_branches], dtype=np.int64)


def _behavioural(
    kind: str, program: Program, found: ExpandedFormulas, renumbered: np.ndarray, branches: np.ndarray
) -> BehaviouralSources:
    sensed = np.concatenate(found.sensed)
    currents = sensed < 0
    numbers = renumbered[np.where(currents, 0, sensed)]
    if currents.any():
        numbers[currents] = -1 - branches[-1 - sensed[currents]]
    nodes = renumbered[np.concatenate(found.nodes)].astype(np.int32)
    places = _places(np.concatenate(found.positions))
    constants = np.concatenate(found.constants, axis=1)
    return BehaviouralSources(
        found.names, nodes, *places, kind=kind, sensed=numbers, program=program, constants=constants
    )


def _conditions(
    expansion: Expansion, used: np.ndarray, renumbered: np.ndarray, lines: NetlistLines
) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {"ic": {}, "nodeset": {}}
    for kind, name, value, position in expansion.conditions:
        node = expansion.node(name)
        if node is None or not used[node] or node == 0:
            lines.notes.add(
                "conditions of what isn't a node above ground are passed over", f".{kind} v({name})", position
            )
            continue
        found[kind][int(renumbered[node])] = value
    return found
