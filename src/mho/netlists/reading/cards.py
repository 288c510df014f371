"""Cards of a netlist: one logical line each, from its text into the scope that it belongs to.

The forms are those of the ngspice 39 manual: elements in chapters 3 to 7, subcircuits and parameters in chapter 2. A
card is read whole or refused: nothing in it is skipped. Messages here name no place; the reader adds it.
"""

import re
from collections.abc import Callable
from contextlib import suppress

from mho.errors import InputError
from mho.netlists.reading.behavioural_cards import (
    behavioural_source,
    formula_resistor,
    nonlinear_source,
    without_keyword,
)
from mho.netlists.reading.device_cards import (
    bipolar,
    coupling,
    current_switch,
    diode,
    inductor,
    jfet,
    mosfet,
    voltage_switch,
)
from mho.netlists.reading.expressions import Function
from mho.netlists.reading.fields import assigned_value, assignments, keyed, value_of, words_of
from mho.netlists.reading.formulas import senses
from mho.netlists.reading.scopes import NOT_GIVEN, Calls, Scope, Value
from mho.netlists.reading.values import shown

SUPPORTED_ELEMENTS = "R C L K D V I E G F H B S W M Q J X"

_NAME = re.compile(r"[a-z_][\w.]*", re.ASCII)
_FUNCTION = re.compile(r"\.func\s+([a-z_]\w*)\s*\(([^()]*)\)\s*=?\s*(.*)", re.DOTALL | re.ASCII)
_PARAM_FUNCTION = re.compile(r"\.param\s+([a-z_]\w*)\s*\(([^()]*)\)\s*=\s*(.*)", re.DOTALL | re.ASCII)
_PLAIN = re.compile(r"\{.*\}|'[^']*'|\"[^\"]*\"|[a-z_][\w.]*|[+-]?[\d.]+(?:[ed][+-]?\d+)?[a-z]*", re.ASCII | re.DOTALL)
_MODEL = re.compile(r"\.model\s+([^\s(){}'\"=,]+)\s+([a-z]\w*)\s*(.*)", re.DOTALL | re.ASCII)

_WAVEFORMS = ("pulse", "sin", "sine", "exp", "pwl", "sffm", "am")
_SOURCE_WORDS = ("dc", "ac", "distof1", "distof2", *_WAVEFORMS, "trnoise")
_PORT = ("portnum", "z0")
_OTHER_SOURCE_WORDS = ("trrandom", "external", *_PORT, "pwr", "freq", "phase")
_MOST_NUMBERS = {"dc": 1, "ac": 2, "distof1": 2, "distof2": 2, "trnoise": 4, "waveform": 10**9}
"""How many numbers may follow each part of an independent source's card."""


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
    scope: Scope, text: str, long_name: str, short_names: tuple[str, ...], known: tuple[str, ...]
) -> tuple[list[str], Value | None, str, dict[str, Value]]:
    """Words, value, model and keys of a resistor's or capacitor's card.

    A bare name in the value's place is a model or a parameter; which one, is known when all cards are read.
    """
    words = words_of(text, nodes=2)
    if len(words) == 4 and _is_value(words[3]) and "=" not in words:
        return words, value_of(words[3]), "", {}
    keys: dict[str, Value] = {}
    value: Value | None = None
    if "=" in words:
        words, keys = keyed(_with_both_coefficients(words), (*short_names, *known, *_WITHOUT_EFFECT))
        given = [keys.pop(key) for key in short_names if key in keys]
        if len(given) > 1 or (given and len(words) > 3 and _is_value(words[3])):
            raise InputError(f"{shown(words[0])} has more than one {long_name}; give one")
        value = given[0] if given else None
        keys = {key: number for key, number in keys.items() if key not in _WITHOUT_EFFECT}
    fields = words[3:]
    if value is None and fields and (_is_value(fields[0]) or len(fields) == 2):
        value = value_of(fields.pop(0 if _is_value(fields[0]) or not _is_value(fields[1]) else 1))
    geometry = "l" in keys or "w" in keys
    if len(words) < 3 or len(fields) > 1 or (fields and _is_value(fields[0])) or (value is None and not fields):
        letter = text[0].upper()
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a {long_name} card is {letter}NAME NODE NODE [VALUE] "
            f"[MODEL] [{'] ['.join(f'{key}=' for key in known)}]"
        )
    if geometry and not fields:
        raise InputError(f"{shown(words[0])} has a length or width and no model that makes a {long_name} of it")
    return words, value, fields[0] if fields else "", keys


_WITHOUT_EFFECT = ("ac", "noisy", "noise", "bv_max")
"""Keys of resistors and capacitors that no operating point and no transient depends on."""


def _is_value(word: str) -> bool:
    return word[0] in "{+-.0123456789"


def _with_both_coefficients(words: list[str]) -> list[str]:
    """``tc = a b`` spelled out as ``tc1 = a tc2 = b``, as ngspice does."""
    for at in range(3, len(words) - 2):
        if words[at] == "tc" and words[at + 1] == "=":
            second = words[at + 3 : at + 4]
            more = ["tc2", "=", *second] if second and _is_value(second[0]) else []
            return [*words[:at], "tc1", "=", words[at + 2], *more, *words[at + 3 + bool(more) :]]
    return words


def _resistor(scope: Scope, text: str, position: int) -> None:
    if "(" in text and senses(text):
        formula_resistor(scope, text, position)
        return
    known = ("tc1", "tc2", "tce", "m", "temp", "dtemp", "l", "w", "scale")
    words, value, label, keys = _passive(scope, text, "resistance", ("r", "resistance"), known)
    _add_passive(scope, words, value, label, keys, ("tc1", "tc2", "m"), position)


def _capacitor(scope: Scope, text: str, position: int) -> None:
    if "(" in text and senses(text):
        raise InputError(
            f"{shown(text.split()[0])} has a formula; a capacitance is a number here, and can't depend on a voltage"
        )
    known = ("ic", "m", "tc1", "tc2", "temp", "dtemp", "l", "w", "scale")
    words, value, label, keys = _passive(scope, text, "capacitance", ("c", "cap", "capacitance"), known)
    _add_passive(scope, words, value, label, keys, ("ic", "m"), position)


_DEFAULTS = {"tc1": 0.0, "tc2": 0.0, "m": 1.0, "ic": NOT_GIVEN}


def _add_passive(
    scope: Scope,
    words: list[str],
    value: Value | None,
    label: str,
    keys: dict[str, Value],
    columns: tuple[str, ...],
    position: int,
) -> None:
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of(words[0][0])
    if keys and any(key not in columns for key in keys):
        cards.extras[len(cards.names)] = {key: number for key, number in keys.items() if key not in columns}
    # What a card doesn't give may come from its model.
    if not keys and not label:
        numbers = [_DEFAULTS[column] for column in columns]
    else:
        numbers = [keys.get(column, NOT_GIVEN if label and column != "m" else _DEFAULTS[column]) for column in columns]
    cards.add(scope.named(words[0], position), nodes, (NOT_GIVEN if value is None else value, *numbers), position)
    if label:
        cards.add_model(label)


def _source(scope: Scope, text: str, position: int) -> None:
    """An independent source: ``[[DC] value]``, ``AC [magnitude [phase]]`` and a waveform in any order.

    The AC and distortion parts mean nothing to a DC or transient analysis: they are dropped. TRNOISE draws noise of mean
    0, but for a telegraph's (its numbers behind the fourth). A voltage source with ``portnum`` is a port.
    """
    words = words_of(text, nodes=2)
    if len(words) < 3:
        raise InputError(f"{shown(words[0])} has {len(words) - 1} fields; a source card is NAME NODE NODE [DC] VALUE")
    dc: Value | None = None
    shape: tuple[str, list[Value]] | None = None
    named: dict[str, Value] = {}
    port: dict[str, Value] = {}
    seen: set[str] = set()
    at = 3
    while at < len(words):
        word = words[at]
        kind = "waveform" if word in _WAVEFORMS else word
        if word in ("r", "td") and words[at + 1 : at + 2] == ["="] and at + 2 < len(words):
            named[word] = value_of(words[at + 2])
            at += 3
            continue
        if word in _PORT and text[0] == "v" and word not in port and at + 1 < len(words):
            at += 1 + (words[at + 1] == "=")
            port[word] = value_of(words[at]) if at < len(words) else NOT_GIVEN
            at += 1
            continue
        if at == 3 and word not in (*_SOURCE_WORDS, *_OTHER_SOURCE_WORDS) and "=" not in words[4:5]:
            kind = "dc"
        if kind not in _MOST_NUMBERS:
            raise InputError(
                f"unexpected {shown(word)} in {shown(words[0])}; a source takes a DC value, AC, PULSE, SIN, EXP, PWL, "
                "SFFM, AM or TRNOISE of 4 numbers"
            )
        if kind in seen:
            raise InputError(f"{shown(words[0])} has a second {kind.upper()} value; give one")
        seen.add(kind)
        at += word in _SOURCE_WORDS
        at += words[at : at + 1] == ["="]
        end = at
        while end < len(words) and end - at < _MOST_NUMBERS[kind] and words[end] not in (*_SOURCE_WORDS, *_PORT):
            if words[end] == "=" or words[end + 1 : end + 2] == ["="]:
                break
            end += 1
        values = [value_of(word) for word in words[at:end]]
        if kind == "dc":
            if not values:
                raise InputError(f"{shown(words[0])} has no value behind DC; write DC VALUE")
            dc = values[0]
        elif kind == "trnoise":
            scope.notes.add("noise stands at its mean of 0", words[0], position)
        elif kind == "waveform":
            shape = ("sin" if word == "sine" else word, values)
        at = end
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of(text[0])
    if port:
        nodes = (_behind_port(scope, words[0], nodes[0], port, position), nodes[1])
    if shape is not None:
        cards.waveforms[len(cards.names)] = (*shape, named, dc is not None)
    elif named:
        raise InputError(f"{shown(words[0])} has {' '.join(named)} and no PWL; take it out")
    cards.add(scope.named(words[0], position), nodes, (0.0 if dc is None else dc,), position)


def _behind_port(scope: Scope, name: str, node: int, port: dict[str, Value], position: int) -> int:
    """The inner node of a source that is a port (``portnum 1 z0 50``), behind the port's impedance in series."""
    if len(port) != len(_PORT):
        raise InputError(f"{shown(name)} has {' '.join(port)} alone; a port is written portnum N z0 OHMS")
    inner = scope.node(f"{name}#res")
    resistors = scope.cards_of("r")
    resistors.add(scope.named(f"r{name}#z0", position), (node, inner), (port["z0"], 0.0, 0.0, 1.0), position)
    return inner


def _voltage_controlled(scope: Scope, text: str, position: int) -> None:
    if nonlinear_source(scope, text, position):
        return
    words = words_of(without_keyword(text), nodes=4)
    keys: dict[str, Value] = {}
    if "=" in words:
        words, keys = keyed(words, ("m",) if text[0] == "g" else ())
    if len(words) != 6:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; write {text[0].upper()}NAME NODE NODE CONTROL CONTROL GAIN, "
            "or POLY, VALUE={formula} or TABLE {formula} = (x,y) ... behind the nodes"
        )
    nodes = (scope.node(words[1]), scope.node(words[2]), scope.node(words[3]), scope.node(words[4]))
    cards = scope.cards_of(text[0])
    cards.add(scope.named(words[0], position), nodes, (value_of(words[5]), keys.get("m", 1.0)), position)


def _current_controlled(scope: Scope, text: str, position: int) -> None:
    if nonlinear_source(scope, text, position):
        return
    words = words_of(without_keyword(text), nodes=2)
    keys: dict[str, Value] = {}
    if "=" in words:
        words, keys = keyed(words, ("m",) if text[0] == "f" else ())
    if len(words) != 5:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; write {text[0].upper()}NAME NODE NODE VSOURCE GAIN, or POLY "
            "behind the nodes"
        )
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of(text[0])
    cards.add(scope.named(words[0], position), nodes, (value_of(words[4]), keys.get("m", 1.0)), position)
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
    if words and words[-1] in ("params:", "param:"):
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
    "b": behavioural_source,
    "l": inductor,
    "k": coupling,
    "s": voltage_switch,
    "w": current_switch,
    "m": mosfet,
    "q": bipolar,
    "j": jfet,
    "x": _call,
}
_OTHER_ELEMENTS = {
    "a": " (XSPICE code model)",
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
    match = _PARAM_FUNCTION.fullmatch(text)
    if match is not None:
        _function(scope, match[1], match[2], match[3], position)
        return
    head, pairs = assignments(text)
    if head.strip() not in (".param", ".params", ".global_param", ".csparam") or not pairs:
        raise InputError(f"bad card {shown(text)}; write .param name=value ...")
    for name, value in pairs:
        scope.define(name, assigned_value(name, value), position)


def func(scope: Scope, text: str, position: int) -> None:
    """Read a ``.func name(argument, ...) {expression}`` card.

    Raises:
        InputError: It isn't such a card.
    """
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise InputError(f"bad card {shown(text)}; write .func name(argument, ...) {{expression}}")
    _function(scope, match[1], match[2], match[3], position)


def _function(scope: Scope, name: str, arguments: str, body: str, position: int) -> None:
    names = tuple(argument.strip() for argument in arguments.split(","))
    if not all(_NAME.fullmatch(argument) for argument in names) or len(set(names)) != len(names):
        raise InputError(f"function {shown(name)} has the arguments {shown(arguments)}; write names, such as (x, y)")
    body = body.strip()
    if len(body) > 1 and body[0] + body[-1] in ("{}", "''"):
        body = body[1:-1]
    scope.add_function(name, Function(names, body, position))


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
        if inner.nodes.get(port) == 0:
            # As in ngspice, where ground is ground everywhere: what is connected to such a port stays outside.
            scope.notes.add(
                "a port that is named as the ground is the ground, not what is connected to it", name, position
            )
            inner.node_names.append(port)
            continue
        if port in inner.nodes:
            scope.notes.add("of ports of one name the first counts, and the others connect nothing", name, position)
            inner.node_names.append(port)
            continue
        inner.node(port)
    inner.ports = len(ports)
    for parameter, value in pairs:
        inner.define(parameter, assigned_value(parameter, value), position)
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
        scope.notes.add("a second model of a name is passed over, as ngspice does", name, position)
        return
    if rest.startswith("("):
        if not rest.endswith(")"):
            scope.notes.add("a model's card ends without the ')' of its parameters", name, position)
            rest += ")"
        rest = rest[1:-1].strip()
    head, pairs = assignments(rest)
    bare = words_of(head)
    if len(bare) % 2 == 0 and not pairs:
        # ngspice takes "is 1e-14" for "is=1e-14".
        pairs, bare = list(zip(bare[::2], bare[1::2], strict=True)), []
    if bare:
        raise InputError(f"unexpected {shown(head.strip())} in model {shown(name)}; write parameter=value")
    parameters: dict[str, Value | str] = {}
    for parameter, value in pairs:
        if parameter in parameters:
            raise InputError(f"{parameter.upper()} of model {shown(name)} is given twice; give it once")
        parameters[parameter] = value = value.rstrip(", \t")
        # ngspice reads a number up to the first character that isn't part of one: no formula without braces.
        if _PLAIN.fullmatch(value):
            with suppress(InputError):
                parameters[parameter] = assigned_value(parameter, value)
    scope.models[name] = (kind, parameters, position)


def conditions(scope: Scope, text: str, position: int) -> None:
    """Read an ``.ic`` or ``.nodeset`` card: ``v(node)=value ...``.

    Raises:
        InputError: It isn't such a card.
    """
    words = words_of(text)
    kind = words[0][1:]
    if kind == "nodeset" and words[1:3] == ["all", "="]:
        scope.notes.add("where to start looking for all nodes is passed over", ".nodeset all", position)
        return
    if len(words) < 5 or (len(words) - 1) % 4:
        raise InputError(f"bad card {shown(text)}; write .{kind} v(node)=value ...")
    for at in range(1, len(words), 4):
        letter, node, equals, value = words[at : at + 4]
        if letter != "v" or equals != "=":
            raise InputError(f"bad card {shown(text)}; write .{kind} v(node)=value ...")
        if scope.nodes.get(node) == 0:
            raise InputError(f"{kind} of the ground node {shown(node)}, which is always at 0 V; take it out")
        scope.conditions.append((kind, node, value_of(value), position))
