"""A user's netlist with what it has learned: the text as it was, and other numbers where its circuit has others.

Trained conductances stand in their resistors' cards, inputs in their sources'. What is added, a sample's nudging and the
analysis where the netlist asks for none, stands before the ``.end``, and comments say what was added.
"""

import re
from collections.abc import Sequence

import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.netlists.circuits.circuit import PROGRAMMABLE, Roles, netlist_circuit
from mho.netlists.circuits.network import resistor_value
from mho.netlists.circuits.parameters import places
from mho.netlists.reading.card_words import Word, card_words, replaced
from mho.netlists.reading.netlist import Netlist
from mho.netlists.reading.reader import parse_netlist
from mho.netlists.reading.values import parse_number
from mho.netlists.writing.dialects import one_input
from mho.netlists.writing.nudging_cards import Nudge, nudge_cards
from mho.networks.circuit import Circuit

_SAME = 1e-10
_WORDS = ("ac", "distof1", "distof2", "pulse", "sin", "sine", "exp", "pwl", "sffm", "am", "trnoise", "portnum", "z0")
"""What begins a part of a source's card that is not its value."""
_ACCURATE = ".options reltol=1e-9 abstol=1e-15 vntol=1e-12 itl1=1000"


def own_netlist(
    circuit: Circuit, inputs: ArrayLike | None, *, nudge: Nudge | None, about: str, told: Sequence[str]
) -> str:
    """The netlist of `mho.netlists.circuits.network.netlist_network`'s circuit.

    Args:
        circuit: the circuit.
        inputs: features, (features,), or None: then the sources stay as they are.
        nudge: what is attached to the outputs; see `mho.netlists.writing.nudging_cards.nudge_cards`.
        about: what is added, for a comment.
        told: comments with the voltages that are expected.

    Raises:
        InputError: if the circuit is another than its netlist in more than its programmable resistors, or the inputs or
            the nudge are not those of one sample.
    """
    own = circuit.netlist
    assert own is not None
    circuit = jax.tree.map(np.asarray, circuit)
    netlist, lines = parse_netlist(own), own.split("\n")
    changes = _trained(circuit, netlist, lines)
    for parameter in circuit.programmables:
        word = places(own)[parameter.name].word
        assert word is not None
        changes.append((word, f"{float(parameter.value):.17g}"))
    if inputs is not None:
        changes += _inputs(circuit, netlist, lines, circuit.sources(one_input(inputs)))
    lines = replaced(lines, changes)
    more = nudge_cards(nudge, circuit.prediction_ends, circuit.prediction_ends)
    if netlist.transient is None and not netlist.options.keys() & {"reltol", "abstol", "vntol"}:
        more.append(_ACCURATE)
    if netlist.transient is None and not netlist.operating_point:
        more.append(".op")
    more = [f"* added by mho: {about}", *more, *told]
    end = next((k for k, line in enumerate(lines) if re.match(r"\s*\.end\s*$", line, re.IGNORECASE)), None)
    if end is None:
        end = len(lines) - (lines[-1] == "")
    text = "\n".join([*lines[:end], *more, *lines[end:]])
    _check(circuit, text if nudge is None else "\n".join(lines))
    return text


def _trained(circuit: Circuit, netlist: Netlist, lines: Sequence[str]) -> list[tuple[Word, str]]:
    """Each programmable resistor's number, and the one that it is to be."""
    resistors, changes = netlist.resistors, []
    for name, conductance in programmable_conductances(circuit).items():
        row = resistors.names.index(name)
        if conductance == 1.0 / resistors.resistance[row]:
            continue
        word = resistor_value(lines, int(resistors.line[row]))
        # Temperature and multipliers stand between the card's number and the resistance.
        share = resistors.resistance[row] / parse_number(word.lower)
        changes.append((word, f"{1.0 / conductance / share:.17g}"))
    return changes


def programmable_conductances(circuit: Circuit) -> dict[str, float]:
    """The programmable resistors' conductances [S] by their names."""
    if not any(branch.name == PROGRAMMABLE for branch in circuit.branches):
        return {}
    branch = circuit.group(PROGRAMMABLE)
    assert branch.labels is not None
    values = np.asarray(branch.element.conductance, np.float64)  # type: ignore[attr-defined]
    return {branch.labels[k]: value for k, value in enumerate(values.tolist())}


def _inputs(circuit: Circuit, netlist: Netlist, lines: Sequence[str], sources: np.ndarray) -> list[tuple[Word, str]]:
    changes = []
    for source, name in zip(circuit.input_source.tolist(), input_names(circuit), strict=True):
        table = netlist.voltage_sources if source < len(circuit.source_names) else netlist.current_sources
        line = int(table.line[table.names.index(name)])
        changes.append(_value_of(card_words(lines, line - 1), f"{sources[source]:.17g}"))
    return changes


def input_names(circuit: Circuit) -> list[str]:
    """Of the sources that take the inputs, one for each."""
    names = [circuit.source_names[k] for k in range(len(circuit.source_names))]
    driven = None if circuit.current_inputs is None else circuit.branches[circuit.current_inputs].labels
    names += [] if driven is None else [driven[k] for k in range(len(driven))]
    return [names[k] for k in np.asarray(circuit.input_source).tolist()]


def _value_of(words: list[Word], value: str) -> tuple[Word, str]:
    """Where a source's DC value stands, or is to stand, and what is to stand there."""
    for at in range(3, len(words)):
        if words[at].lower == "dc" and at + 1 < len(words):
            return words[at + 1 + (words[at + 1].text == "=" and at + 2 < len(words))], value
    if len(words) > 3 and words[3].lower not in _WORDS and (len(words) == 4 or words[4].text != "="):
        return words[3], value
    last = words[2]
    return Word("", last.line, last.end, last.end), f" DC {value}"


def _check(circuit: Circuit, text: str) -> None:
    """Refuse to write what the netlist would not say: the text, read back, must be the circuit.

    Raises:
        InputError: if it is not.
    """
    netlist = parse_netlist(text)
    rows = np.array([netlist.resistors.names.index(resistor) for resistor in programmable_conductances(circuit)], int)
    roles = Roles(
        inputs=input_names(circuit),
        input_gain=circuit.input_gain,
        outputs=circuit.prediction_ends,
        resistors=rows,
        conductance=1.0 / netlist.resistors.resistance[rows],
        lower=float(np.finfo(float).tiny),
        upper=float("inf"),
    )
    back = netlist_circuit(netlist, roles, energy=circuit.ties is not None)
    for ours, theirs in zip(
        (*circuit.branches, *circuit.controlled, *circuit.behavioural),
        (*back.branches, *back.controlled, *back.behavioural),
        strict=True,
    ):
        for value, read in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            if not np.allclose(value, read, rtol=_SAME, atol=0.0, equal_nan=True):
                what = getattr(ours, "name", "controlled sources")
                raise InputError(
                    f"the circuit's {what!r} are not its netlist's: of that, what is programmable alone may change"
                )
