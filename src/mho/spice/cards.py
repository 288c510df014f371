"""Cards of a netlist: one logical line each, from its text into the scope that it belongs to.

The forms are those of the ngspice 39 manual: elements in chapters 3 to 7, subcircuits and parameters in chapter 2. A
card is read whole or refused: nothing in it is skipped. Messages here name no place; the reader adds it.
"""

import re
from collections.abc import Callable

from mho.errors import InputError
from mho.spice.device_cards import (
    bipolar,
    coupling,
    current_switch,
    diode,
    inductor,
    mosfet,
    voltage_switch,
)
from mho.spice.fields import assigned_value, assignments, keyed, value_of, words_of
from mho.spice.scopes import NOT_GIVEN, Calls, Scope, Value
from mho.spice.values import shown

SUPPORTED_ELEMENTS = "R C L K D V I E G F H S W M Q X"

_MODEL = re.compile(r"\.model\s+([^\s(){}'\"=,]+)\s+([a-z]\w*)\s*(.*)", re.DOTALL | re.ASCII)

_WAVEFORMS = ("pulse", "sin", "exp", "pwl")
_SOURCE_WORDS = ("dc", "ac", *_WAVEFORMS)
_OTHER_WAVEFORMS = ("sffm", "am", "trnoise", "trrandom", "external")
_NONLINEAR = re.compile(r"\s(?:poly|value|vol|cur|table|laplace|freq)\s*[=({]")


def element(scope: Scope, text: str, position: int) -> None:
    """Read an element's card into its scope.

    Raises:
        InputError: Whatever is wrong with it.
    """
    read = _ELEMENTS.get(text[0])
    if read is None:
        raise InputError(
            f"unsupported element {shown(text.split()[0])}{_OTHER_ELEMENTS.get(text[0], '')}; supported: "
            f"{SUPPORTED_ELEMENTS}"
        )
    read(scope, text, position)


def _passive(
    scope: Scope, text: str, long_name: str, known: tuple[str, ...]
) -> tuple[list[str], Value, dict[str, Value]]:
    """Words, value and keys of a resistor's or capacitor's card."""
    words = words_of(text)
    keys: dict[str, Value] = {}
    if "=" in words:
        words, keys = keyed(words, (text[0], long_name, *known))
        given = [keys.pop(key) for key in (text[0], long_name) if key in keys]
        if len(words) == 3 and len(given) == 1:
            return words, given[0], keys
        if given:
            raise InputError(f"{shown(words[0])} has more than one {long_name} or too few nodes; give one")
    if len(words) != 4:
        letter = text[0].upper()
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a {long_name} card is {letter}NAME NODE NODE VALUE "
            f"[{'] ['.join(f'{key}=' for key in known)}]"
        )
    return words, value_of(words[3]), keys


def _resistor(scope: Scope, text: str, position: int) -> None:
    words, value, keys = _passive(scope, text, "resistance", ("tc1", "tc2", "m"))
    values = (value, keys.get("tc1", 0.0), keys.get("tc2", 0.0), keys.get("m", 1.0)) if keys else (value, 0.0, 0.0, 1.0)
    nodes = (scope.node(words[1]), scope.node(words[2]))
    scope.cards_of("r").add(scope.named(words[0], position), nodes, values, position)


def _capacitor(scope: Scope, text: str, position: int) -> None:
    words, value, keys = _passive(scope, text, "capacitance", ("ic", "m"))
    values = (value, keys.get("ic", NOT_GIVEN), keys.get("m", 1.0))
    nodes = (scope.node(words[1]), scope.node(words[2]))
    scope.cards_of("c").add(scope.named(words[0], position), nodes, values, position)


def _source(scope: Scope, text: str, position: int) -> None:
    """An independent source: ``[[DC] value] [AC [magnitude [phase]]] [PULSE|SIN|EXP|PWL(...)]``.

    The AC part means nothing to a DC or transient analysis, so it is checked and dropped.
    """
    words = words_of(text)
    if len(words) < 3:
        raise InputError(f"{shown(words[0])} has {len(words) - 1} fields; a source card is NAME NODE NODE [DC] VALUE")
    dc: Value | None = None
    shape: tuple[str, list[Value]] | None = None
    seen: set[str] = set()
    at = 3
    while at < len(words):
        word = words[at]
        kind = "waveform" if word in _WAVEFORMS else word
        if at == 3 and word not in (*_SOURCE_WORDS, *_OTHER_WAVEFORMS):
            kind = "dc"
        if kind not in ("dc", "ac", "waveform"):
            raise InputError(
                f"unexpected {shown(word)} in {shown(words[0])}; a source takes a DC value, AC, PULSE, SIN, EXP or PWL"
            )
        if kind in seen:
            raise InputError(f"{shown(words[0])} has a second {kind.upper()} value; give one")
        seen.add(kind)
        at += word in _SOURCE_WORDS
        if kind != "waveform" and at < len(words) and words[at] == "=" and words[at - 1] == kind:
            at += 1
        end = at
        while end < len(words) and words[end] not in _SOURCE_WORDS and words[end] != "=":
            end += 1
            if kind == "dc" or (kind == "ac" and end - at == 2):
                break
        values = [value_of(word) for word in words[at:end]]
        if kind == "dc":
            if not values:
                raise InputError(f"{shown(words[0])} has no value behind DC; write DC VALUE")
            dc = values[0]
        elif kind == "waveform":
            shape = (word, values)
        at = end
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of(text[0])
    if shape is not None:
        cards.waveforms[len(cards.names)] = (*shape, dc is not None)
    cards.add(scope.named(words[0], position), nodes, (0.0 if dc is None else dc,), position)


def _voltage_controlled(scope: Scope, text: str, position: int) -> None:
    words = [] if _NONLINEAR.search(text) else words_of(text)
    if len(words) != 6 or "=" in words:
        raise InputError(
            f"{shown(text.split()[0])} isn't a linear source; write {text[0].upper()}NAME NODE NODE CONTROL CONTROL "
            "GAIN (POLY, VALUE=, TABLE and other behavioural forms are not supported)"
        )
    gain = value_of(words[5])
    nodes = (scope.node(words[1]), scope.node(words[2]), scope.node(words[3]), scope.node(words[4]))
    scope.cards_of(text[0]).add(scope.named(words[0], position), nodes, (gain,), position)


def _current_controlled(scope: Scope, text: str, position: int) -> None:
    words = [] if _NONLINEAR.search(text) else words_of(text)
    if len(words) != 5 or "=" in words:
        raise InputError(
            f"{shown(text.split()[0])} isn't a linear source; write {text[0].upper()}NAME NODE NODE VSOURCE GAIN "
            "(POLY and behavioural forms are not supported)"
        )
    gain = value_of(words[4])
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of(text[0])
    cards.add(scope.named(words[0], position), nodes, (gain,), position)
    cards.controls.append(words[3])


def _call(scope: Scope, text: str, position: int) -> None:
    head, pairs = assignments(text)
    words = _without_params(words_of(head))
    if len(words) < 2:
        raise InputError(f"{shown(text)} names no subcircuit; write XNAME NODE ... SUBCIRCUIT [parameter=value ...]")
    *ports, subcircuit = words[1:]
    names = tuple(name for name, _ in pairs)
    if len(set(names)) != len(names):
        raise InputError(f"{shown(words[0])} gives a parameter twice; give it once")
    key = (subcircuit, len(ports), names)
    calls = scope.calls.get(key)
    if calls is None:
        calls = scope.calls[key] = Calls(*key)
    values = [assigned_value(name, value) for name, value in pairs]
    calls.nodes.extend([scope.node(port) for port in ports])
    calls.names.append(scope.named(words[0], position))
    calls.positions.append(position)
    for column, value in zip(calls.values, values, strict=True):
        column.append(value)


def _without_params(words: list[str]) -> list[str]:
    """The words without the optional ``params:`` before the parameters."""
    if words and words[-1] == "params:":
        words = words[:-1]
    if any("params:" in word for word in words):
        raise InputError("params: stands where a name should; write it once, before the parameters")
    return words


_ELEMENTS: dict[str, Callable[[Scope, str, int], None]] = {
    "r": _resistor,
    "c": _capacitor,
    "d": diode,
    "v": _source,
    "i": _source,
    "e": _voltage_controlled,
    "g": _voltage_controlled,
    "f": _current_controlled,
    "h": _current_controlled,
    "l": inductor,
    "k": coupling,
    "s": voltage_switch,
    "w": current_switch,
    "m": mosfet,
    "q": bipolar,
    "x": _call,
}
_OTHER_ELEMENTS = {
    "a": " (XSPICE code model)",
    "b": " (behavioural source)",
    "j": " (JFET)",
    "n": " (Verilog-A device)",
    "o": " (lossy transmission line)",
    "p": " (coupled lines)",
    "t": " (transmission line)",
    "u": " (RC line)",
    "y": " (transmission line)",
    "z": " (MESFET)",
}


def param(scope: Scope, text: str, position: int) -> None:
    """Read a ``.param name=value ...`` card; a later definition replaces an earlier one, as in ngspice.

    Raises:
        InputError: It isn't such a card.
    """
    head, pairs = assignments(text)
    if head.strip() != ".param" or not pairs:
        raise InputError(f"bad card {shown(text)}; write .param name=value ... (functions are not supported)")
    for name, value in pairs:
        scope.parameters[name] = (assigned_value(name, value), position)


def subckt(scope: Scope, text: str, position: int) -> Scope:
    """Read a ``.subckt name port ... [params: name=value ...]`` card; gives the new scope.

    Raises:
        InputError: It isn't such a card, or the name is taken.
    """
    head, pairs = assignments(text)
    words = _without_params(words_of(head))
    if len(words) < 2:
        raise InputError("a subcircuit without a name; write .subckt NAME PORT ... [parameter=value ...]")
    name, ports = words[1], words[2:]
    if name in scope.definitions:
        raise InputError(f"duplicate subcircuit {shown(name)}; give each its own name")
    inner = Scope(name, scope, position)
    for port in ports:
        if port in inner.nodes:
            raise InputError(f"port {shown(port)} of {shown(name)} is ground or stands twice; rename it")
        inner.node(port)
    inner.ports = len(ports)
    for parameter, value in pairs:
        inner.parameters[parameter] = (assigned_value(parameter, value), position)
    scope.definitions[name] = inner
    return inner


def model(scope: Scope, text: str, position: int) -> None:
    """Read a ``.model name KIND(parameter=value ...)`` card, of any kind: what it says counts where it is used.

    Raises:
        InputError: It isn't such a card, or the name is taken.
    """
    match = _MODEL.fullmatch(text)
    if match is None:
        raise InputError(f"bad card {shown(text)}; write .model NAME KIND(parameter=value ...), such as D for a diode")
    name, kind, rest = match[1], match[2], match[3].strip()
    if name in scope.models:
        raise InputError(f"duplicate model {shown(name)}; give each model its own name")
    if rest.startswith("("):
        if not rest.endswith(")"):
            raise InputError(f"model {shown(name)} has no ')' at its end; write .model NAME D(parameter=value ...)")
        rest = rest[1:-1].strip()
    head, pairs = assignments(rest)
    if head.strip():
        raise InputError(f"unexpected {shown(head.strip())} in model {shown(name)}; write parameter=value")
    parameters: dict[str, Value | str] = {}
    for parameter, value in pairs:
        if parameter in parameters:
            raise InputError(f"{parameter.upper()} of model {shown(name)} is given twice; give it once")
        try:
            parameters[parameter] = assigned_value(parameter, value.rstrip(", \t"))
        except InputError:
            parameters[parameter] = value
    scope.models[name] = (kind, parameters, position)


def conditions(scope: Scope, text: str, position: int) -> None:
    """Read an ``.ic`` or ``.nodeset`` card: ``v(node)=value ...``.

    Raises:
        InputError: It isn't such a card.
    """
    words = words_of(text)
    kind = words[0][1:]
    if len(words) < 5 or (len(words) - 1) % 4:
        raise InputError(f"bad card {shown(text)}; write .{kind} v(node)=value ...")
    for at in range(1, len(words), 4):
        letter, node, equals, value = words[at : at + 4]
        if letter != "v" or equals != "=":
            raise InputError(f"bad card {shown(text)}; write .{kind} v(node)=value ...")
        if scope.nodes.get(node) == 0:
            raise InputError(f"{kind} of the ground node {shown(node)}, which is always at 0 V; take it out")
        scope.conditions.append((kind, node, value_of(value), position))
