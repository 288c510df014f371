"""Reading a SPICE netlist: from its text to the flat ``Netlist``.

Semantics are ngspice 39's; where ngspice warns and guesses, this refuses. Every error is one line: file, line, what is
wrong and what would be right. What is passed over, since it doesn't change the circuit, is told in ``Netlist.notes``.
"""

import re
from pathlib import Path

from mho.errors import InputError
from mho.netlists.reading import cards
from mho.netlists.reading.analyses import TOP_CARDS, ControlCards, Settings, evaluated_settings, read_control_card
from mho.netlists.reading.assembly import assemble
from mho.netlists.reading.conditional import CONDITIONAL_CARDS, Conditional
from mho.netlists.reading.expansion import Expansion, Parameters, resolve_parameters
from mho.netlists.reading.lines import MAX_BYTES, NetlistLines, decoded, read_bytes
from mho.netlists.reading.netlist import Netlist
from mho.netlists.reading.scopes import Scope
from mho.netlists.reading.topology import check_topology
from mho.netlists.reading.values import printable, shown

MAX_NESTED_DEFINITIONS = 100
"""Deepest nesting of ``.subckt`` cards."""

_STATISTICAL = re.compile(r"(?<![\w.])(agauss|gauss|aunif|unif|limit)\s*\(", re.ASCII)


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
    name = printable(str(path))
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
    name = printable(name)
    data = text.encode("utf-8", errors="surrogatepass")
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: the netlist is too large; it may have {MAX_BYTES >> 20} MiB")
    return _read(NetlistLines(decoded(data, name), name, None if folder is None else Path(folder)))


def _read(lines: NetlistLines) -> Netlist:
    top = Scope("", None, 1)
    top.notes = lines.notes
    control = ControlCards(notes=lines.notes)
    _read_cards(lines, top, control)
    parameters, settings = _at_temperature(top, control, lines)
    expansion = Expansion(lines, settings.temperature, settings.nominal_temperature)
    expansion.expand(top, parameters)
    netlist = assemble(lines, control, settings, expansion)
    check_topology(netlist, charged=netlist.transient is not None and netlist.transient.use_initial)
    return netlist


def _at_temperature(top: Scope, control: ControlCards, lines: NetlistLines) -> tuple[Parameters, Settings]:
    """The top level's parameters and the settings; the one may use the other, as the parameter ``temper``."""
    celsius = 27.0
    for _ in range(3):
        parameters = Parameters(top, {"temper": celsius} if "temper" not in top.parameters else {})
        resolve_parameters(top, parameters, lines)
        settings = evaluated_settings(control, parameters, lines)
        if settings.temperature == celsius:
            return parameters, settings
        celsius = settings.temperature
    raise InputError(f"{lines.files[0]}: the temperature depends on itself, by temper; give it a number")


def _read_cards(lines: NetlistLines, top: Scope, control: ControlCards) -> None:
    scope = top
    conditional = Conditional(lines)
    commands: int | None = None
    ended = False
    for position, text in lines:
        try:
            if text[0] != ".":
                if not text.strip("(), \t"):
                    continue  # the end of a .model card whose ")" stands on a line of its own
                if commands is None and conditional.holds:
                    if ended:
                        lines.notes.add("cards behind .end are read, too, as ngspice does", text.split()[0], position)
                    _read_element(scope, text, position)
                continue
            card = text.split(None, 1)[0]
            if commands is not None:
                commands = None if card == ".endc" else commands
            elif card == ".control":
                commands = position
                lines.notes.add("not run, as only .op and .tran are", ".control", position)
            elif card.partition("(")[0] in CONDITIONAL_CARDS:
                conditional.read(scope, text, position)
            elif not conditional.holds:
                continue
            elif card == ".end":
                ended = True
            else:
                scope = _read_dot_card(scope, control, card, text, position)
        except InputError as error:
            raise InputError(f"{lines.where(position)}: {error}") from None
    if commands is not None:
        raise InputError(f"{lines.where(commands)}: .control without .endc; add it")
    conditional.check_closed()
    if scope is not top:
        raise InputError(f"{lines.where(scope.position)}: subcircuit {shown(scope.name)} has no .ends; add it")


def _read_element(scope: Scope, text: str, position: int) -> None:
    try:
        cards.element(scope, text, position)
    except InputError as error:
        # In a subcircuit of a library that is never called, a fault is none.
        if scope.parent is None:
            raise
        if scope.fault is None:
            scope.fault = (position, str(error))
    if "unif(" in text or "gauss(" in text or "limit(" in text:
        _note_statistics(scope, text, position)


def _read_dot_card(scope: Scope, control: ControlCards, card: str, text: str, position: int) -> Scope:
    """Read a card that begins with a dot; gives the scope of the next card."""
    if card in (".param", ".params", ".global_param", ".csparam"):
        cards.param(scope, text, position)
        _note_statistics(scope, text, position)
    elif card == ".func":
        cards.func(scope, text, position)
        _note_statistics(scope, text, position)
    elif card == ".model":
        cards.model(scope, text, position)
    elif card in (".ic", ".nodeset"):
        cards.conditions(scope, text, position)
    elif card == ".global":
        scope.global_nodes.update(text.split()[1:])
    elif card == ".title":
        scope.notes.add("the first line is the title", ".title", position)
    elif card == ".subckt":
        if scope.level >= MAX_NESTED_DEFINITIONS:
            raise InputError(f"subcircuits defined more than {MAX_NESTED_DEFINITIONS} deep; define them side by side")
        return cards.subckt(scope, text, position)
    elif card == ".ends":
        return _end_of_subckt(scope, text)
    elif scope.parent is not None and card in TOP_CARDS:
        raise InputError(f"{card} inside subcircuit {shown(scope.name)}; move it to the top level")
    else:
        read_control_card(control, card, text, position)
    return scope


def _note_statistics(scope: Scope, text: str, position: int) -> None:
    for match in _STATISTICAL.finditer(text):
        if scope.function(match[1]) is None:
            scope.notes.add("statistical functions stand at their mean", match[1], position)


def _end_of_subckt(scope: Scope, text: str) -> Scope:
    words = text.split()
    if scope.parent is None:
        raise InputError(".ends without .subckt; take it out or add the .subckt card")
    if len(words) > 2 or (len(words) == 2 and words[1] != scope.name):
        raise InputError(f"{shown(text)} ends subcircuit {shown(scope.name)}; write .ends {scope.name}")
    return scope.parent
