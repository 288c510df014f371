"""A netlist as a network that learns: its sources take the inputs, its nodes give the outputs, its resistors are weights.

What learns are resistors and parameters whose cards have numbers for values, so that the netlist's own text can hold what
they have learned: `mho.netlists.writing` gives that text back with these numbers changed and all else as it was.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.netlists.circuits.circuit import Roles, netlist_circuit
from mho.netlists.circuits.parameters import chosen_parameters, programmable_parameters, with_values
from mho.netlists.reading.card_words import Word, card_words
from mho.netlists.reading.netlist import Elements, Netlist
from mho.netlists.reading.reader import parse_netlist
from mho.netlists.reading.values import parse_number, shown
from mho.networks.circuit import Circuit

Names = str | Sequence[str]


def netlist_network(
    netlist: Netlist,
    *,
    inputs: Names,
    outputs: str | Sequence[str | tuple[str, str]],
    programmable: Names,
    input_gain: ArrayLike = 1.0,
    lower: float = 1e-7,
    upper: float = float("inf"),
    initial: float | None = None,
    seed: int = 0,
) -> Circuit:
    """The circuit of a netlist with inputs, outputs and programmable resistors or parameters.

    Names are flattened as the reader does it, in either case; where several are asked for, a text with commas between them
    will do. What else is in the netlist stays as it is.

    Args:
        netlist: the netlist.
        inputs: voltage or current sources, one for each feature. A source stands at its gain times the feature; what its
            card says does not count.
        outputs: nodes whose voltages are predicted; a pair of nodes, ``p:m`` or ``("p", "m")``, predicts the first's
            voltage above the second's.
        programmable: patterns of resistors' names, as of files: ``r*`` is all. Those with a point in them that match no
            resistor are of parameters, ``dm.is`` of a model, ``x1.gain`` of an instance, ``sub.gain`` of a subcircuit,
            ``param.load`` of a .param card, and may have bounds: ``dm.is=1n..10u``; see `mho.netlists.circuits.parameters`.
        input_gain: volts, or amperes, at a source for a feature of 1: one for all or one for each.
        lower: smallest conductance of the programmable resistors [S].
        upper: largest conductance [S].
        initial: mean of their first conductances [S], which are uniform between 0.1 and 1.9 times it; the netlist's own
            values if None.
        seed: of these.

    Raises:
        InputError: for a name that is not there or is used twice, an output that is ground, a pattern that matches
            nothing, a resistor or parameter whose value is no number of a card of its own or that begins out of bounds, or
            a parameter that the circuit follows from in a form that is not known.
    """
    names = _listed(programmable)
    of_resistors = [name for name in names if not _is_of_parameters(netlist, name)]
    rows = _programmable_rows(netlist, of_resistors) if of_resistors or not names else np.zeros(0, int)
    chosen = chosen_parameters(netlist.text, netlist.files[0], [name for name in names if name not in of_resistors])
    conductance = 1.0 / netlist.resistors.resistance[rows]
    if initial is not None:
        conductance = initial * np.random.default_rng(seed).uniform(0.1, 1.9, len(rows))
    wrong = np.flatnonzero(~((conductance >= lower) & (conductance <= upper)))
    if wrong.size:
        name, value = netlist.resistors.names[rows[wrong[0]]], conductance[wrong[0]]
        raise InputError(
            f"{netlist.files[0]}: programmable resistor {name!r} begins at {value:g} S: must be within the bounds "
            f"{lower:g} to {upper:g} S"
        )
    sources = _listed(inputs)
    gains = np.asarray(input_gain, np.float64)
    if gains.ndim and gains.shape not in ((1,), (len(sources),)):
        raise InputError(
            f"{netlist.files[0]}: {gains.size} input gains for {len(sources)} inputs: one for all or one for each is needed"
        )
    roles = Roles(
        inputs=_inputs(netlist, sources),
        input_gain=np.broadcast_to(gains, len(sources)),
        outputs=[_output(netlist, output) for output in _listed(outputs)],
        resistors=rows,
        conductance=conductance,
        lower=lower,
        upper=upper,
    )
    return _with_parameters(netlist, roles, chosen)


def _is_of_parameters(netlist: Netlist, pattern: str) -> bool:
    name = pattern.partition("=")[0]
    return "." in name and not any(fnmatchcase(resistor, name) for resistor in netlist.resistors.names)


def _with_parameters(netlist: Netlist, roles: Roles, chosen: dict[str, tuple[float, float, float]]) -> Circuit:
    circuit = dataclasses.replace(netlist_circuit(netlist, roles), netlist=netlist.text)
    if not chosen:
        return circuit
    file = netlist.files[0]

    def found(circuit: Circuit, energy: bool) -> Circuit:
        def made(values: dict[str, float]) -> Circuit:
            return netlist_circuit(parse_netlist(with_values(netlist.text, values), file), roles, energy=energy)

        return dataclasses.replace(circuit, programmables=programmable_parameters(circuit, chosen, made, file))

    if circuit.amplifiers is not None:
        # A gain that learns leaves the circuit without an energy.
        with suppress(InputError):
            return found(circuit, True)
        circuit = dataclasses.replace(netlist_circuit(netlist, roles, energy=False), netlist=netlist.text)
    return found(circuit, circuit.ties is not None)


def resistor_value(lines: Sequence[str], line: int) -> Word:
    """The number of a resistor's card that gives its resistance.

    Args:
        lines: of the netlist's text.
        line: that on which the card begins, counted from 1.

    Raises:
        InputError: if it has none; the message says what stands there instead.
    """
    words = card_words(lines, line - 1)
    if not words or words[0].lower[0] != "r" or len(words) < 4:
        raise InputError("is none of the netlist's own cards")
    for at in range(3, len(words) - 2):
        if words[at].lower in ("r", "resistance") and words[at + 1].text == "=":
            return _number(words[at + 2])
    following = [word.text for word in words[4:]]
    if following[:1] == ["="]:
        raise InputError("has no value of its own, but one from its model")
    if _is_number(words[3]) or words[3].text[0] in "{'\"":
        return _number(words[3])
    if len(words) > 4 and following[1:2] != ["="] and (_is_number(words[4]) or words[4].text[0] in "{'\""):
        return _number(words[4])
    raise InputError(f"has the name {shown(words[3].text)} for its value")


def _number(word: Word) -> Word:
    if not _is_number(word):
        raise InputError(f"has the expression {shown(word.text)} for its value")
    return word


def _is_number(word: Word) -> bool:
    try:
        parse_number(word.lower)
    except InputError:
        return False
    return True


def _listed(names: str | Iterable) -> list:
    """Names one by one, of one text or several, with commas between them."""
    given = [names] if isinstance(names, str) else list(names)
    parts = [[n] if not isinstance(n, str) else [p.strip() for p in n.split(",")] for n in given]
    return [name.lower() if isinstance(name, str) else name for part in parts for name in part if name]


def _programmable_rows(netlist: Netlist, patterns: list[str]) -> np.ndarray:
    if not patterns:
        raise InputError(
            f"{netlist.files[0]}: no programmable resistors are named: give a pattern of their names, such as r*"
        )
    resistors = netlist.resistors
    chosen = np.zeros(len(resistors), bool)
    for pattern in patterns:
        matched = np.array([fnmatchcase(name, pattern) for name in resistors.names], bool)
        if not matched.any():
            raise InputError(f"{netlist.files[0]}: programmable {pattern!r}: {_no_resistor(netlist, pattern)}")
        chosen |= matched
    rows = np.flatnonzero(chosen)
    _check_cards(netlist, rows)
    return rows


def _no_resistor(netlist: Netlist, pattern: str) -> str:
    for kind, table in _tables(netlist).items():
        if any(fnmatchcase(name, pattern) for name in table.names):
            return f"matches {kind}; resistors alone are programmable"
    return f"matches no resistor{_near(pattern, netlist.resistors.names)}"


def _tables(netlist: Netlist) -> dict[str, Elements]:
    return {
        "a voltage source": netlist.voltage_sources,
        "a current source": netlist.current_sources,
        "a diode": netlist.diodes,
        "a capacitor": netlist.capacitors,
    }


def _check_cards(netlist: Netlist, rows: np.ndarray) -> None:
    """Refuse resistors whose values the netlist's text cannot hold."""
    resistors, text = netlist.resistors, netlist.text
    own = parse_netlist(text, netlist.files[0]).resistors if len(netlist.files) > 1 else resistors
    lines, before = text.split("\n"), dict[int, str]()
    for row in rows.tolist():
        name, where = resistors.names[row], netlist.where(resistors, row)
        line = int(own.line[row])
        if line in before:
            raise InputError(
                f"{where}: {before[line]!r} and {name!r} are instances of one card, which cannot hold the values of both; "
                "give each a card of its own, or leave them out of the programmable"
            )
        before[line] = name
        try:
            resistor_value(lines, line)
        except InputError as problem:
            raise InputError(
                f"{where}: programmable resistor {name!r} {problem}; a number there can be trained"
            ) from None
        if not resistors.resistance[row] > 0:
            value = resistors.resistance[row]
            raise InputError(
                f"{where}: programmable resistor {name!r} has {value:g} ohm; a conductance must be positive"
            )
    # What shares a card with the programmable ones would change with them.
    programmable = set(rows.tolist())
    for row, line in enumerate(own.line.tolist()):
        if line in before and row not in programmable:
            raise InputError(
                f"{netlist.where(resistors, row)}: {resistors.names[row]!r} is an instance of the card of the programmable "
                f"{before[line]!r} and would change with it; give each a card of its own"
            )


def _inputs(netlist: Netlist, names: list[str]) -> list[str]:
    if not names:
        raise InputError(
            f"{netlist.files[0]}: no inputs are named: give voltage or current sources, one for each feature"
        )
    known = [*netlist.voltage_sources.names, *netlist.current_sources.names]
    for name in names:
        if name not in known:
            what = "is no voltage or current source" if _is_element(netlist, name) else "no such source"
            raise InputError(f"{netlist.files[0]}: input {name!r}: {what}{_near(name, known)}")
        if names.count(name) > 1:
            raise InputError(f"{netlist.files[0]}: input {name!r}: is named twice; each source takes one feature")
    return names


def _is_element(netlist: Netlist, name: str) -> bool:
    found = (getattr(netlist, field.name) for field in dataclasses.fields(netlist))
    tables = [table for value in found for table in (value if isinstance(value, list) else [value])]
    return any(name in table.names for table in tables if isinstance(table, Elements))


def _output(netlist: Netlist, output: str | tuple[str, str]) -> tuple[str, str]:
    parts = output.split(":") if isinstance(output, str) else [str(node).lower() for node in output]
    named = ":".join(parts)
    if len(parts) > 2 or not all(parts):
        raise InputError(f"{netlist.files[0]}: output {named!r}: write a node, or a pair of nodes as p:m")
    plus, minus = parts[0], parts[1] if len(parts) == 2 else "0"
    plus, minus = ("0" if node == "gnd" else node for node in (plus, minus))
    for node in (plus, minus):
        if node not in netlist.nodes:
            raise InputError(f"{netlist.files[0]}: output {named!r}: no node {node!r}{_near(node, netlist.nodes[1:])}")
    if plus == minus or (plus == "0" and len(parts) == 1):
        why = "is ground" if plus == "0" else "is twice the same node"
        raise InputError(f"{netlist.files[0]}: output {named!r}: {why}, always at 0 V")
    return plus, minus


def _near(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f": did you mean {' or '.join(close)}?"
    listed = ", ".join(known[:8]) + (" ..." if len(known) > 8 else "")
    return f"; there {'is' if len(known) == 1 else 'are'} {listed}" if known else "; there is none"
