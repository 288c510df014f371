"""Reading a SPICE netlist: from its text to the flat ``Netlist``.

Semantics are ngspice 39's; where ngspice warns and guesses, this refuses. Every error is one line: file, line, what is
wrong and what would be right.
"""

from pathlib import Path

from mho.errors import InputError
from mho.spice import cards
from mho.spice.analyses import SUPPORTED_CARDS, ControlCards, evaluated_settings, read_control_card
from mho.spice.assembly import assemble
from mho.spice.expansion import Expansion, Parameters, resolve_parameters
from mho.spice.lines import LINE_BITS, MAX_BYTES, NetlistLines, decoded, read_bytes
from mho.spice.netlist import Netlist
from mho.spice.scopes import Scope
from mho.spice.topology import check_topology
from mho.spice.values import printable, shown

MAX_NESTED_DEFINITIONS = 100
"""Deepest nesting of ``.subckt`` cards."""


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
    control = ControlCards()
    _read_cards(lines, top, control)
    parameters = Parameters(top, {})
    resolve_parameters(top, parameters, lines)
    settings = evaluated_settings(control, parameters, lines)
    expansion = Expansion(lines, settings.nominal_temperature)
    expansion.expand(top, parameters)
    netlist = assemble(lines, control, settings, expansion)
    check_topology(netlist)
    return netlist


def _read_cards(lines: NetlistLines, top: Scope, control: ControlCards) -> None:
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
            elif scope is not top and card in SUPPORTED_CARDS:
                raise InputError(f"{card} inside subcircuit {shown(scope.name)}; move it to the top level")
            elif card == ".end":
                if position >> LINE_BITS:
                    raise InputError(".end in an included file; take it out, it belongs at the end of the netlist")
                ended = position
            else:
                read_control_card(control, card, text, position)
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
