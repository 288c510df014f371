"""Parameters of a netlist that learn: of `.model` cards, of subcircuits and of `.param`.

They are named MODEL.PARAMETER (`dm.is`), INSTANCE.PARAMETER (`x1.gain`, what the X card gives), SUBCIRCUIT.PARAMETER (what
its `.subckt` or a `.param` in it gives, for all instances) and `param.NAME` (of a `.param` card at the top level).

How a circuit follows from one is found by reading the netlist with other numbers in its place; see
`mho.networks.programmable_parameter` for the forms that are recognised.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np

from mho.errors import InputError
from mho.netlists.reading.card_words import Word, card_words, replaced
from mho.netlists.reading.models import MODEL_KINDS
from mho.netlists.reading.values import parse_number, shown
from mho.networks.circuit import Circuit
from mho.networks.programmable_parameter import Path, ProgrammableParameter, Use

_REACH = 1e3
"""Between which shares of its first value a parameter stays for which no bounds are given."""
_SAME = 1e-11
_FORMS = [(k, inverse) for k in (1.0, -1.0, 2.0, 0.5) for inverse in (False, True)]
_CIRCUIT_PARTS = ("branches", "controlled", "behavioural")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a parameter's number stands in a netlist's text."""

    word: Word | None
    """None where there is no number."""
    instead: str = ""
    """What stands there instead."""
    count: int = 1
    """How often the name is given."""


def places(text: str) -> dict[str, Place]:
    """The parameters of a netlist, whose text includes nothing, by their names."""
    found: dict[str, Place] = {}
    lines, scope = text.split("\n"), list[str]()
    for number in range(1, len(lines)):
        if lines[number].lstrip()[:1] not in (".", "x", "X"):
            continue
        words = card_words(lines, number)
        card = words[0].lower
        if card == ".ends":
            scope = scope[:-1]
        elif card == ".subckt" and len(words) > 1:
            scope.append(words[1].lower)
            _add(found, scope[-1], words)
        elif card in (".param", ".params", ".global_param", ".csparam"):
            _add(found, scope[-1] if scope else "param", words)
        elif card == ".model" and len(words) > 2:
            kind = MODEL_KINDS.get(words[2].lower)
            _add(found, words[1].lower, words, None if kind is None else kind.parameter)
        elif card[0] == "x":
            _add(found, ".".join([*scope, card]), words)
    return found


def _add(
    found: dict[str, Place], owner: str, words: Sequence[Word], first: Callable[[str], str | None] | None = None
) -> None:
    for name, value in _assigned(words):
        known = name
        if first is not None:
            try:
                known = first(name) or name
            except InputError:
                continue
        key = f"{owner}.{known}"
        found[key] = dataclasses.replace(value, count=found[key].count + 1 if key in found else 1)


def _assigned(words: Sequence[Word]) -> Iterator[tuple[str, Place]]:
    """Names before a ``=``, and where their numbers are."""
    at = [k for k, word in enumerate(words) if word.text == "="]
    for k, following in zip(at, [*at, len(words) + 1][1:], strict=True):
        given = words[k + 1 : following - 1]
        try:
            parse_number(given[0].lower if len(given) == 1 else "")
            yield words[k - 1].lower, Place(given[0])
        except InputError:
            yield words[k - 1].lower, Place(None, shown(" ".join(word.text for word in given)))


def chosen_parameters(text: str, file: str, patterns: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Value, least and largest value of the parameters that patterns name: ``dm.is``, ``x*.gain=0.1..10``.

    Raises:
        InputError: for a pattern that matches none, a parameter that has no number, or bounds that are none.
    """
    known, chosen = places(text), dict[str, tuple[float, float, float]]()
    for pattern in patterns:
        name, _, bounds = pattern.partition("=")
        matched = [key for key in known if fnmatchcase(key, name)]
        if not matched:
            listed = ", ".join(sorted(known)[:8]) or "none"
            raise InputError(
                f"{file}: programmable {name!r}: matches no resistor and no parameter; the netlist gives: {listed}"
            )
        for key in matched:
            place = known[key]
            if place.word is None:
                raise InputError(
                    f"{file}: programmable parameter {key!r} has the expression {place.instead} for its value; a number "
                    "there can be trained"
                )
            if place.count > 1:
                raise InputError(f"{file}: programmable parameter {key!r}: {place.count} cards give it; rename one")
            chosen[key] = _bounded(file, key, parse_number(place.word.lower), bounds)
    return chosen


def _bounded(file: str, name: str, value: float, bounds: str) -> tuple[float, float, float]:
    if not bounds:
        if not value > 0:
            raise InputError(
                f"{file}: programmable parameter {name!r} is {value:g}, not above 0: give it bounds, {name}=LEAST..LARGEST"
            )
        return value, value / _REACH, value * _REACH
    try:
        least, largest = (parse_number(part) for part in bounds.split(".."))
    except ValueError:
        raise InputError(
            f"{file}: programmable {name}={bounds}: bounds are two numbers, {name}=LEAST..LARGEST"
        ) from None
    if not (least <= value <= largest and least < largest):
        raise InputError(
            f"{file}: programmable parameter {name!r} begins at {value:g}: must be within the bounds {least:g} to "
            f"{largest:g}"
        )
    return value, least, largest


def with_values(text: str, values: dict[str, float]) -> str:
    """The text with other numbers for some parameters."""
    known = places(text)
    changes = [(known[name].word, f"{value:.17g}") for name, value in values.items()]
    return "\n".join(replaced(text.split("\n"), changes))  # type: ignore[arg-type]


def programmable_parameters(
    circuit: Circuit,
    chosen: dict[str, tuple[float, float, float]],
    made: Callable[[dict[str, float]], Circuit],
    file: str,
) -> tuple[ProgrammableParameter, ...]:
    """What of a circuit follows from some parameters of its netlist.

    Args:
        circuit: the circuit.
        chosen: the parameters' values and bounds.
        made: makes the circuit with other values.
        file: the netlist's, for errors.

    Raises:
        InputError: if the netlist cannot be read with another value, nothing follows from a parameter, or what does does so
            in another form; or two parameters meet.
    """
    taken: dict[tuple[Path, int], str] = {}
    found = []
    for name, (value, least, largest) in chosen.items():
        numbers = [value, *(np.geomspace if least > 0 else np.linspace)(least, largest, 4)]
        try:
            probes = [_arrays(made({name: float(p)})) for p in numbers]
        except InputError as problem:
            raise InputError(
                f"{file}: programmable parameter {name!r} from {least:g} to {largest:g}: {problem}"
            ) from None
        if any(probe[1] != _arrays(circuit)[1] for probe in probes):
            raise InputError(f"{file}: programmable parameter {name!r}: decides what the circuit consists of")
        uses = list(_uses(file, name, np.array(numbers), [probe[0] for probe in probes]))
        if not uses:
            raise InputError(f"{file}: programmable parameter {name!r}: nothing in the operating point depends on it")
        for use in uses:
            for entry in use.entries.tolist():
                other = taken.setdefault((use.path, entry), name)
                if other != name:
                    raise InputError(
                        f"{file}: programmable parameters {other!r} and {name!r}: what follows from both can follow from one"
                    )
        found.append(ProgrammableParameter(name, np.float64(value), least, largest, tuple(uses)))
    return tuple(found)


def _arrays(circuit: Circuit) -> tuple[dict[Path, np.ndarray], Any]:
    """The circuit's arrays by their paths, and all else that it is made of, names apart."""
    unnamed = dataclasses.replace(
        circuit,
        node_names=None,
        source_names=None,
        branch_names=None,
        netlist=None,
        branches=tuple(dataclasses.replace(b, labels=None) for b in circuit.branches),
    )
    leaves, structure = jax.tree_util.tree_flatten_with_path(unnamed)
    named = {tuple(getattr(k, "name", getattr(k, "idx", None)) for k in path): np.asarray(v) for path, v in leaves}
    return named, (structure, [v.shape for v in named.values()])  # type: ignore[return-value]


def _uses(file: str, name: str, numbers: np.ndarray, probes: list[dict[Path, np.ndarray]]) -> Iterator[Use]:
    for path in probes[0]:
        values = np.stack([probe[path].reshape(-1) for probe in probes])
        entries = np.flatnonzero(((values != values[0]) & ~np.isnan(values[0])).any(0))
        if not entries.size:
            continue
        if path[0] not in _CIRCUIT_PARTS:
            what = "sets a source" if path[0] == "source_voltage" else "sets an amplifier's gain"
            raise InputError(f"{file}: programmable parameter {name!r}: {what}, which does not learn")
        if values.dtype.kind != "f":
            raise InputError(f"{file}: programmable parameter {name!r}: decides what the circuit consists of")
        left = entries
        for power, inverse in _FORMS:
            if power != round(power) and not (numbers > 0).all():
                continue
            offset, factor, good = _fitted(numbers**power, values[:, left], inverse)
            if good.any():
                yield Use(path, left[good], offset[good], factor[good], power, inverse)
            left = left[~good]
            if not left.size:
                break
        if left.size:
            raise InputError(
                f"{file}: programmable parameter {name!r}: what depends on it does so neither in a straight line nor by a "
                "power, nor as one over these"
            )


def _fitted(base: np.ndarray, values: np.ndarray, inverse: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a and b of (a + b·base)^±1 for each column of values, and which columns that is."""
    with np.errstate(all="ignore"):
        straight = 1.0 / values if inverse else values
        low, high = int(np.argmin(base)), int(np.argmax(base))
        factor = (straight[high] - straight[low]) / (base[high] - base[low])
        offset = straight[high] - factor * base[high]
        offset = np.where(np.abs(offset) <= _SAME * np.abs(straight).max(0), 0.0, offset)
        factor = np.where(offset == 0.0, straight[high] / base[high], factor)
        expected = offset + factor * base[:, None]
        good = np.abs(expected - straight) <= _SAME * np.abs(straight)
    return offset, factor, good.all(0)
