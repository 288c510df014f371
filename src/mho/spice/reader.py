"""Reading a SPICE netlist: from its text to the flat ``Netlist``.

Semantics are ngspice 39's; where ngspice warns and guesses, this refuses. Every error is one line: file, line, what is
wrong and what would be right.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.spice import cards
from mho.spice.expansion import Expansion, Parameters, resolve_parameters
from mho.spice.expressions import Expression, evaluate
from mho.spice.lines import LINE_BITS, MAX_BYTES, NetlistLines, decoded, read_bytes
from mho.spice.netlist import (
    Capacitors,
    CurrentControlled,
    Diodes,
    Netlist,
    Resistors,
    Sources,
    VoltageControlled,
)
from mho.spice.scopes import Scope, Value
from mho.spice.topology import check_topology
from mho.spice.values import shown
from mho.spice.waveforms import Transient

MAX_NESTED_DEFINITIONS = 100
"""Deepest nesting of ``.subckt`` cards."""

NUMBER_OPTIONS = (
    *("reltol", "abstol", "vntol", "chgtol", "trtol", "pivtol", "pivrel", "maxord", "xmu", "numdgt", "interp"),
    *("itl1", "itl2", "itl3", "itl4", "itl5", "itl6", "gminsteps", "srcsteps", "ramptime", "minbreak", "seed"),
)
"""Options with a number that are kept but don't change the circuit: accuracy, iterations and output of ngspice."""
FLAG_OPTIONS = (
    *("acct", "noacct", "list", "nolist", "nomod", "nopage", "node", "opts", "warn", "seedinfo"),
    *("keepopinfo", "noopiter", "noopalter", "noinit", "savecurrents", "autostop"),
)
"""Options that are kept, with or without a value, but don't change the circuit."""

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII)
_CARDS = ".param .subckt .ends .model .include .temp .options .ic .nodeset .op .tran .print .plot .save .end"


@dataclass(slots=True)
class _Deck:
    """The netlist's cards that don't belong to a subcircuit."""

    options: list[tuple[str, Value | str | bool, int]] = field(default_factory=list)
    temperature: tuple[Value, int] | None = None
    transient: tuple[list[Value], bool, int] | None = None
    operating_point: bool = False
    output_cards: list[str] = field(default_factory=list)


def read_netlist(path: str | Path, *, allow_include_outside: bool = False) -> Netlist:
    """Read the netlist in a file, with the files that it includes.

    Args:
        path: The file.
        allow_include_outside: Allow ``.include`` of files outside the netlist's own folder (by an absolute path, by
            ``..`` or by a symbolic link). Leave it off for a netlist that you don't trust.

    Raises:
        InputError: The file can't be read, or the netlist is wrong: one line, with file and line.
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:
        raise InputError(f"can't read {shown(str(path), 200)}: {error}; name a readable netlist file") from None
    name = str(path)
    text = decoded(data, name)
    return _read(NetlistLines(text, name, path.parent, real, allow_include_outside))


def parse_netlist(text: str, name: str = "<netlist>", *, folder: str | Path | None = None) -> Netlist:
    """Read a netlist given as text.

    Args:
        text: The netlist; its first line is the title.
        name: What to call it in messages.
        folder: Where its ``.include`` cards look for files, and the only place where they may; ``None`` allows none.

    Raises:
        InputError: The netlist is wrong: one line, with name and line.
    """
    data = text.encode("utf-8", errors="surrogatepass")
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: the netlist is too large; it may have {MAX_BYTES >> 20} MiB")
    return _read(NetlistLines(decoded(data, name), name, None if folder is None else Path(folder)))


def _read(lines: NetlistLines) -> Netlist:
    top = Scope("", None, 1)
    deck = _Deck()
    _read_cards(lines, top, deck)

    parameters = Parameters(top, {})
    resolve_parameters(top, parameters, lines)
    options, temperature, nominal, gmin = _settings(deck, parameters, lines)
    transient = _transient(deck, parameters, lines)

    expansion = Expansion(lines, nominal)
    expansion.expand(top, parameters)
    netlist = _netlist(lines, deck, expansion, options, temperature, nominal, gmin, transient)
    check_topology(netlist)
    return netlist


def _read_cards(lines: NetlistLines, top: Scope, deck: _Deck) -> None:
    scope = top
    depth = 0
    ended: int | None = None
    for position, text in lines:
        try:
            if ended is not None:
                raise InputError(f"a card behind .end ({lines.where(ended)}); take it out or move .end to the end")
            if text[0] != ".":
                cards.element(scope, text, position)
                continue
            card = text.split(None, 1)[0]
            if card == ".param":
                cards.param(scope, text, position)
            elif card == ".model":
                cards.model(scope, text, position)
            elif card in (".ic", ".nodeset"):
                cards.conditions(scope, text, position)
            elif card == ".subckt":
                depth += 1
                if depth > MAX_NESTED_DEFINITIONS:
                    raise InputError(
                        f"subcircuits defined more than {MAX_NESTED_DEFINITIONS} deep; define them side by side"
                    )
                scope = cards.subckt(scope, text, position)
            elif card == ".ends":
                depth -= 1
                scope = _end_of_subckt(scope, text)
            elif scope is not top and card in _CARDS.split():
                raise InputError(f"{card} inside subcircuit {shown(scope.name)}; move it to the top level")
            elif card == ".end":
                if position >> LINE_BITS:
                    raise InputError(".end in an included file; take it out, it belongs at the end of the netlist")
                ended = position
            else:
                _read_control_card(deck, card, text, position)
        except InputError as error:
            raise InputError(f"{lines.where(position)}: {error}") from None
    if scope is not top:
        raise InputError(f"{lines.where(scope.position)}: subcircuit {shown(scope.name)} has no .ends; add it")


def _end_of_subckt(scope: Scope, text: str) -> Scope:
    words = text.split()
    if scope.parent is None:
        raise InputError(".ends without .subckt; take it out or add the .subckt card")
    if len(words) > 2 or (len(words) == 2 and words[1] != scope.name):
        raise InputError(f"{shown(text)} ends subcircuit {shown(scope.name)}; write .ends {scope.name}")
    return scope.parent


def _read_control_card(deck: _Deck, card: str, text: str, position: int) -> None:
    words = cards.words_of(text) if card not in (".print", ".plot", ".save") else []
    if card in (".option", ".options", ".opt"):
        _read_options(deck, words, position)
    elif card == ".temp":
        # ngspice stays at 27 °C where a letter follows the number.
        if len(words) != 2 or not (words[1][0] == "{" or _PLAIN.fullmatch(words[1])):
            raise InputError(
                f"bad card {shown(text)}; write .temp CELSIUS, one number without a unit or {{expression}}"
            )
        deck.temperature = (cards.value_of(words[1]), position)
    elif card == ".tran":
        use_initial = words[-1] == "uic"
        times = words[1:-1] if use_initial else words[1:]
        if not 2 <= len(times) <= 4:
            raise InputError(f"bad card {shown(text)}; write .tran STEP STOP [START [MAXSTEP]] [uic]")
        if deck.transient is not None:
            raise InputError("a second .tran card; keep one")
        deck.transient = ([cards.value_of(word) for word in times], use_initial, position)
    elif card == ".op":
        if len(words) != 1:
            raise InputError(f"bad card {shown(text)}; write .op alone")
        deck.operating_point = True
    elif card in (".print", ".plot", ".save"):
        deck.output_cards.append(text)
    elif card in (".control", ".endc"):
        raise InputError(f"{card} block of ngspice commands; take it out, mho runs the netlist's cards alone")
    else:
        raise InputError(f"unsupported card {shown(card)}; supported: {_CARDS}")


def _read_options(deck: _Deck, words: list[str], position: int) -> None:
    at = 1
    seen: set[str] = set()
    while at < len(words):
        name = words[at]
        if name in seen:
            raise InputError(f"option {shown(name)} stands twice on a card; give it once")
        seen.add(name)
        has_value = words[at + 1 : at + 2] == ["="]
        if has_value and (at + 2 >= len(words) or words[at + 2] == "="):
            raise InputError(f"option {shown(name)} has no value; write {name}=VALUE")
        if name in ("temp", "tnom", "gmin") or name in NUMBER_OPTIONS:
            if not has_value:
                raise InputError(f"option {shown(name)} has no value; write {name}=VALUE")
            value: Value | str | bool = cards.value_of(words[at + 2])
        elif name == "method":
            value = words[at + 2] if has_value else ""
            if value not in ("trap", "trapezoidal", "gear"):
                raise InputError(f"option method is {shown(value)}; write method=trap or method=gear")
        elif name in FLAG_OPTIONS:
            value = cards.value_of(words[at + 2]) if has_value else True
        else:
            raise InputError(
                f"unsupported option {shown(name)}; supported: temp tnom gmin, and without effect on the circuit: "
                f"{' '.join((*NUMBER_OPTIONS, *FLAG_OPTIONS, 'method'))}"
            )
        deck.options.append((name, value, position))
        at += 3 if has_value else 1


def _number(value: Value, what: str, position: int, parameters: Parameters, lines: NetlistLines) -> float:
    if not isinstance(value, Expression):
        return value
    try:
        return float(evaluate(value, parameters))
    except InputError as error:
        raise InputError(f"{lines.where(position)}: {what}: {error}") from None


def _settings(
    deck: _Deck, parameters: Parameters, lines: NetlistLines
) -> tuple[dict[str, float | str | bool], float, float, float]:
    """Options that change nothing, temperature and nominal temperature (°C), and gmin (S)."""
    options: dict[str, float | str | bool] = {}
    places: dict[str, int] = {}
    for name, value, position in deck.options:
        if isinstance(value, str | bool):
            options[name] = value
        else:
            options[name] = _number(value, f"option {name}", position, parameters, lines)
        places[name] = position
    if deck.temperature is not None:
        value, position = deck.temperature
        options["temp"] = _number(value, ".temp", position, parameters, lines)
        places["temp"] = position
    temperature, nominal = float(options.pop("temp", 27.0)), float(options.pop("tnom", 27.0))
    gmin = float(options.pop("gmin", 1e-12))
    for name, number in (("temp", temperature), ("tnom", nominal)):
        if not number > -273.15:
            raise InputError(f"{lines.where(places[name])}: {name} is {number:g}; it is in °C, above -273.15")
    if gmin < 0:
        raise InputError(f"{lines.where(places['gmin'])}: gmin is {gmin:g} S; a conductance isn't negative")
    return options, temperature, nominal, gmin


def _transient(deck: _Deck, parameters: Parameters, lines: NetlistLines) -> Transient | None:
    if deck.transient is None:
        return None
    values, use_initial, position = deck.transient
    step, stop, *rest = [_number(value, ".tran", position, parameters, lines) for value in values]
    try:
        return Transient(step, stop, rest[0] if rest else 0.0, rest[1] if len(rest) > 1 else None, use_initial)
    except InputError as error:
        raise InputError(f"{lines.where(position)}: {error}") from None


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


def _netlist(
    lines: NetlistLines,
    deck: _Deck,
    expansion: Expansion,
    options: dict[str, float | str | bool],
    temperature: float,
    nominal: float,
    gmin: float,
    transient: Transient | None,
) -> Netlist:
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

    branches = [name for kind in "veh" for name in tables[kind].names]
    branch_numbers = (
        {name: number for number, name in enumerate(branches)}
        if expansion.elements["f"].names or (expansion.elements["h"].names)
        else {}
    )
    conditions = _conditions(expansion, used, renumbered, lines)
    return Netlist(
        title=lines.title,
        files=lines.files,
        nodes=nodes,
        resistors=_resistors(tables["r"], temperature - nominal, lines),
        capacitors=_capacitors(tables["c"], lines),
        diodes=_diodes(tables["d"], expansion, temperature, lines),
        voltage_sources=_sources(tables["v"], expansion),
        current_sources=_sources(tables["i"], expansion),
        vcvs=_voltage_controlled(tables["e"]),
        vccs=_voltage_controlled(tables["g"]),
        cccs=_current_controlled(tables["f"], expansion, branch_numbers, lines),
        ccvs=_current_controlled(tables["h"], expansion, branch_numbers, lines),
        models=expansion.models,
        branches=branches,
        temperature=temperature,
        nominal_temperature=nominal,
        gmin=gmin,
        options=options,
        initial_conditions=conditions["ic"],
        nodesets=conditions["nodeset"],
        operating_point=deck.operating_point,
        transient=transient,
        output_cards=deck.output_cards,
    )


def _tables(expansion: Expansion) -> dict[str, _Table]:
    tables = {}
    for kind, found in expansion.elements.items():
        if found.names:
            nodes, numbers = np.concatenate(found.nodes), np.concatenate(found.numbers, axis=1)
            positions = np.concatenate(found.positions)
        else:
            nodes = np.zeros((0, 4 if kind in "eg" else 2), dtype=np.int32)
            numbers, positions = np.zeros((4, 0)), np.zeros(0, dtype=np.int64)
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
    area, multiplier, temperature = table.numbers[:3]
    _check(table, ~(area > 0), area, "area", "", "above 0", lines)
    _check(table, ~(multiplier > 0), multiplier, "multiplier m", "", "above 0", lines)
    with np.errstate(all="ignore"):
        area = area * multiplier
    _check(table, ~(np.isfinite(area) & (area > 0)), area, "area times m", "", "above 0 and finite", lines)
    temperature = np.where(np.isnan(temperature), circuit_temperature, temperature)
    _check(table, ~(temperature > -273.15), temperature, "temperature", " °C", "above -273.15", lines)
    models = expansion.elements["d"].models
    model = np.concatenate(models) if models else np.zeros(0, dtype=np.int32)
    return Diodes(*table.common(), model=model, area=area, temperature=temperature)


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
    control = np.zeros(len(table.names), dtype=np.int32)
    for row, name in enumerate(expansion.elements[table.kind].controls):
        number = branches.get(name)
        if number is None:
            raise InputError(
                f"{lines.where(int(table.positions[row]))}: no voltage source {shown(name)} to control "
                f"{shown(table.names[row])}; name a V, E or H element"
            )
        control[row] = number
    return CurrentControlled(*table.common(), control=control, gain=table.numbers[0].copy())


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
        if not math.isfinite(value):
            raise AssertionError(name)
        found[kind][int(renumbered[node])] = value
    return found
