"""Cards that say what to do with a circuit: .options, .temp, .tran, .op, .print, .plot and .save.

Source: ngspice 39 manual, chapter 15 ("Analyses and Output Control"). An option that changes the circuit and isn't
known here is refused.
"""

import re
from dataclasses import dataclass, field

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.netlists.reading.expansion import Parameters, evaluate
from mho.netlists.reading.expressions import Expression
from mho.netlists.reading.fields import value_of, words_of
from mho.netlists.reading.lines import NetlistLines
from mho.netlists.reading.notes import Notes
from mho.netlists.reading.scopes import Value
from mho.netlists.reading.values import shown
from mho.netlists.reading.waveforms import Transient

SUPPORTED_CARDS = (
    *(
        ".param",
        ".func",
        ".subckt",
        ".ends",
        ".model",
        ".include",
        ".lib",
        ".global",
        ".if",
        ".elseif",
        ".else",
        ".endif",
    ),
    *(".ic", ".nodeset", ".temp", ".options", ".op", ".tran", ".title", ".end"),
)
"""Every card that begins with a dot and is read."""
OTHER_ANALYSES = frozenset(
    (
        *(".dc", ".ac", ".noise", ".disto", ".sens", ".tf", ".pz", ".pss", ".sp", ".step", ".four", ".fft", ".mc"),
        *(".wcase", ".hb", ".data", ".enddata", ".sampling", ".pce", ".mpde", ".lin", ".stb"),
    )
)
"""Analyses that ngspice or its relatives have, and that are not run here."""
OUTPUT_CARDS = frozenset(
    (
        ".print",
        ".plot",
        ".save",
        ".probe",
        ".measure",
        ".meas",
        ".width",
        ".graph",
        ".view",
        ".backanno",
        ".tag",
        ".net",
    )
)
"""Cards that say what to print, plot, save or measure."""
TOP_CARDS = frozenset((".options", ".option", ".opt", ".temp", ".tran", ".op"))
"""Cards that belong to the top level."""
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

_VALUE_OPTIONS = ("temp", "tnom", "gmin")
CIRCUIT_OPTIONS = frozenset(("rshunt", "cshunt", "rseries"))
"""Options that add elements to the circuit."""

_HOTTEST = 1e6
"""Celsius: no circuit is as hot, and no formula of temperature overflows below."""
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII)
_SCALED_TWICE = re.compile(r"[+-]?[\d.]+(?:e[+-]?\d+[a-z]|d)", re.ASCII)


@dataclass(slots=True)
class ControlCards:
    """The cards that say what to do with the circuit, as read; their expressions are still to be evaluated."""

    options: list[tuple[str, Value | str | bool, int]] = field(default_factory=list)
    temperature: tuple[Value, int] | None = None
    transient: tuple[list[Value], bool, int] | None = None
    operating_point: bool = False
    output_cards: list[str] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


def read_control_card(deck: ControlCards, card: str, text: str, position: int) -> None:
    """Read a card of the top level, whose first word is ``card``; one of another analysis or of output is passed over.

    Raises:
        InputError: It is wrong, or not supported.
    """
    if card in OTHER_ANALYSES:
        deck.notes.add("not run, as only .op and .tran are", card, position)
        return
    if card in OUTPUT_CARDS:
        if card in (".print", ".plot", ".save"):
            deck.output_cards.append(text)
        deck.notes.add("cards of output are passed over", card, position)
        return
    words = words_of(text)
    if card in (".option", ".options", ".opt"):
        _read_options(deck, words, position)
    elif card == ".temp":
        # ngspice stays at 27 °C where a letter follows the number.
        if len(words) != 2 or "(" in text or ")" in text or not (words[1][0] == "{" or _PLAIN.fullmatch(words[1])):
            raise InputError(
                f"bad card {shown(text)}; write .temp CELSIUS, one number without a unit or {{expression}}"
            )
        deck.temperature = (value_of(words[1]), position)
    elif card == ".tran":
        use_initial = words[-1] == "uic"
        times = words[1:-1] if use_initial else words[1:]
        if len(times) == 1:
            deck.notes.add("a .tran card with one time, its stop, gets a step of a fiftieth of it", ".tran", position)
            times = ["0", *times]
        if not 2 <= len(times) <= 4:
            raise InputError(f"bad card {shown(text)}; write .tran STEP STOP [START [MAXSTEP]] [uic]")
        if deck.transient is not None:
            deck.notes.add("of several .tran cards the first is run", ".tran", position)
            return
        deck.transient = ([value_of(word) for word in times], use_initial, position)
    elif card == ".op":
        if len(words) != 1:
            raise InputError(f"bad card {shown(text)}; write .op alone")
        deck.operating_point = True
    else:
        raise InputError(f"unsupported card {shown(card)}; supported: {' '.join(SUPPORTED_CARDS)}")


def _read_options(deck: ControlCards, words: list[str], position: int) -> None:
    at = 1
    seen: set[str] = set()
    while at < len(words):
        name = words[at]
        if name in seen and name in (*_VALUE_OPTIONS, *NUMBER_OPTIONS, *FLAG_OPTIONS, "method"):
            raise InputError(f"option {shown(name)} stands twice on a card; give it once")
        seen.add(name)
        has_value = words[at + 1 : at + 2] == ["="]
        if has_value and (at + 2 >= len(words) or words[at + 2] == "="):
            raise InputError(f"option {shown(name)} has no value; write {name}=VALUE")
        if name in _VALUE_OPTIONS or name in NUMBER_OPTIONS:
            if not has_value:
                raise InputError(f"option {shown(name)} has no value; write {name}=VALUE")
            value: Value | str | bool = _option_value(name, words[at + 2])
        elif name == "method":
            value = words[at + 2] if has_value else ""
            if value not in ("trap", "trapezoidal", "gear"):
                raise InputError(f"option method is {shown(value)}; write method=trap or method=gear")
        elif name in FLAG_OPTIONS:
            value = value_of(words[at + 2]) if has_value else True
        elif name in CIRCUIT_OPTIONS:
            raise InputError(f"option {shown(name)} changes the circuit and is not supported; take it out")
        else:
            deck.notes.add("options that mean nothing here are passed over", name, position)
            at += 3 if has_value else 1
            continue
        deck.options.append((name, value, position))
        at += 3 if has_value else 1


def _option_value(name: str, word: str) -> Value:
    # ngspice reads these with another parser, which doesn't take a suffix behind an exponent, nor a d for the e.
    if word[0] != "{" and _SCALED_TWICE.match(word):
        raise InputError(f"option {name} is {shown(word)}; write an exponent with e or a suffix, not both")
    return value_of(word)


def _number(value: Value, what: str, position: int, parameters: Parameters, lines: NetlistLines) -> float:
    if not isinstance(value, Expression):
        return value
    try:
        return float(evaluate(value, parameters))
    except InputError as error:
        raise InputError(f"{lines.where(position)}: {what}: {error}") from None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the control cards set, evaluated; see ``Netlist`` for each."""

    temperature: float
    nominal_temperature: float
    gmin: float
    options: dict[str, float | str | bool]
    transient: Transient | None


def evaluated_settings(deck: ControlCards, parameters: Parameters, lines: NetlistLines) -> Settings:
    """Evaluate the control cards with the top level's parameters; the last card of an option holds, and .temp.

    Raises:
        InputError: An expression without a value, or a value out of its range.
    """
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
        if not -ZERO_CELSIUS < number <= _HOTTEST:
            raise InputError(
                f"{lines.where(places[name])}: {name} is {number:g}; it is in °C, above -{ZERO_CELSIUS} "
                f"and at most {_HOTTEST:g}"
            )
    if gmin < 0:
        raise InputError(f"{lines.where(places['gmin'])}: gmin is {gmin:g} S; a conductance isn't negative")
    return Settings(temperature, nominal, gmin, options, _transient(deck, parameters, lines))


def _transient(deck: ControlCards, parameters: Parameters, lines: NetlistLines) -> Transient | None:
    if deck.transient is None:
        return None
    values, use_initial, position = deck.transient
    step, stop, *rest = [_number(value, ".tran", position, parameters, lines) for value in values]
    if stop == 0:
        lines.notes.add("a transient of 0 s is none", ".tran", position)
        return None
    if step == 0:
        step = stop / 50
        lines.notes.add("a .tran step of 0 is taken as a fiftieth of the stop", ".tran", position)
    try:
        return Transient(step, stop, rest[0] if rest else 0.0, rest[1] if len(rest) > 1 else None, use_initial)
    except InputError as error:
        raise InputError(f"{lines.where(position)}: {error}") from None
