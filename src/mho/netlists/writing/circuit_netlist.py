"""A circuit as a netlist for ngspice or Xyce: its elements, sources, amplifiers and controlled sources, for one input.

Nodes keep their names. Elements are written by their own cards and called after their group's number and their place in it
(`R0_17`), diodes of the same parameters share a model; amplifiers are E and F sources, as `mho.elements.amplifier` writes
them. Voltage sources, and E and H sources, keep their names where those begin with a v, e or h.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count

import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.elements import BidirectionalAmplifier, JunctionDiode
from mho.errors import InputError
from mho.netlists.writing.dialects import LEAST_GMIN, Simulator, check_dialect, one_input, whole_netlist
from mho.netlists.writing.nudging_cards import Nudge, nudge_cards
from mho.networks.branches import Controlled
from mho.networks.circuit import Circuit

_NODE = re.compile(r"[^\s(),=;$'\"{}]+", re.ASCII)


def circuit_netlist(
    circuit: Circuit,
    inputs: ArrayLike | None = None,
    *,
    nudge: Nudge | None = None,
    title: str = "mho circuit",
    told: Sequence[str] = (),
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a circuit, for one input; its operating point is that of `mho.steady.newton.solve_circuit`.

    Numbers are written with 17 digits. SPICE's own diode law in reverse is not Shockley's: see `mho.elements.ShockleyDiode`.

    Args:
        circuit: the circuit.
        inputs: features, (features,), or None for the sources' own voltages.
        nudge: what is attached to the predictions, each from an output node to its reference: currents into the outputs of
            shape (outputs,) or (1, outputs), an energy nudge with a strength of shape (1, 1) and a target of shape
            (1, outputs), or a clamp of voltages of shape (1, outputs).
        title: the first line.
        told: comments.
        simulator: whose options and analysis the netlist ends with.

    Raises:
        InputError: for a batch of inputs, a nudge that is not one sample's, an element without a card, junction diodes of
            several gmins, behavioural sources, or names that SPICE would take for others.
    """
    check_dialect(title, simulator)
    if circuit.behavioural:
        raise InputError(
            f"the circuit has behavioural sources ({circuit.behavioural[0].name} ...), which have no card here; resistors, "
            "diodes, V, I, E, F, G and H sources and amplifiers have"
        )
    # In NumPy: outside its x64 mode JAX would cut a trained circuit's float64 to float32.
    circuit = jax.tree.map(np.asarray, circuit)
    sources = np.asarray(circuit.sources(None if inputs is None else one_input(inputs)))
    name = _node_names(circuit)
    mark, named = card_marks(circuit), source_cards(circuit)
    lines, models = [f"* {title}"], {}
    for number, (branch, element) in enumerate(zip(circuit.branches, circuit.elements(sources), strict=True)):
        for k, (a, b) in enumerate(_ends(branch.first, branch.second)):
            try:
                card = element.card(f"{mark}{number}_{k}", name[a], name[b], k)
            except NotImplementedError as problem:
                raise InputError(f"group of elements {branch.name!r}: {problem}") from None
            lines += _with_shared_models(card, models)
    for k, (a, b) in enumerate(_ends(circuit.source_plus, circuit.source_minus)):
        lines.append(f"{named[k]} {name[a]} {name[b]} DC {sources[k]:.17g}")
    if circuit.amplifiers is not None:
        gains = np.asarray(circuit.amplifiers.gain, np.float64)
        for k, (near, far) in enumerate(_ends(circuit.amplifiers.near, circuit.amplifiers.far)):
            one = BidirectionalAmplifier(gains[k])  # type: ignore[arg-type]
            lines += one.card(f"{mark}{len(circuit.branches)}_{k}", name[near], name[far])
    placed = len(circuit.source_names)
    for group in circuit.controlled:
        lines += _controlled_cards(group, name, named, mark, placed)
        placed += len(group.gain) if group.kind in "eh" else 0
    lines += nudge_cards(nudge, circuit.prediction_ends, circuit.prediction_ends)
    _refuse_twins(lines)
    lines += told
    swept = {"source": named[0], "volts": float(sources[0])} if circuit.source_names else {"source": "", "volts": 0.0}
    if not circuit.source_names and simulator == "xyce":
        raise InputError("the circuit has no voltage source, and Xyce's operating point is a sweep of one")
    return whole_netlist(lines, simulator, gmin=least_gmin(circuit), **swept)


def _ends(first: ArrayLike, second: ArrayLike) -> list[tuple[int, int]]:
    return list(zip(np.asarray(first).tolist(), np.asarray(second).tolist(), strict=True))


def _node_names(circuit: Circuit) -> list[str]:
    names = [circuit.node_names[k] for k in range(circuit.nodes)]
    before: dict[str, str] = {"gnd": names[0]}
    for name in names:
        twin = before.setdefault(name.lower(), name)
        if twin != name or not _NODE.fullmatch(name):
            why = f"SPICE takes it for {twin!r}" if twin != name else "SPICE reads no such name"
            raise InputError(f"node {name!r}: {why}; rename it")
    return names


def card_marks(circuit: Circuit) -> str:
    """What elements' names begin with behind their letter, so that no node is called as one of their inner nodes."""
    nodes = _node_names(circuit)
    for repeats in count():
        mark = "x" * repeats
        if not any(re.match(rf"{mark}\d+_\d+_", node, re.IGNORECASE) for node in nodes):
            return mark
    raise AssertionError  # pragma: no cover


def source_cards(circuit: Circuit) -> list[str]:
    """What the sources of `Circuit.branch_names` are called in a netlist, with the letter of their kind.

    Raises:
        InputError: for a name that SPICE does not read.
    """
    mark = card_marks(circuit)
    letters = "v" * len(circuit.source_names)
    for group in circuit.controlled:
        letters += group.kind * len(group.gain) if group.kind in "eh" else ""
    names = []
    for k, letter in enumerate(letters):
        name = circuit.branch_names[k]
        if not _NODE.fullmatch(name):
            raise InputError(f"source {name!r}: SPICE reads no such name; rename it")
        names.append(name if name.lower().startswith(letter) else f"{letter.upper()}{mark}{name}")
    return names


def _controlled_cards(group: Controlled, name: list[str], named: list[str], mark: str, placed: int) -> list[str]:
    """Cards of a group; `placed` is the number in `Circuit.branch_names` of the first, where they are named there."""
    gains = np.asarray(group.gain, np.float64)
    control = np.asarray(group.control)
    lines = []
    for k, (plus, minus) in enumerate(_ends(group.plus, group.minus)):
        own = named[placed + k] if group.kind in "eh" else f"{group.kind.upper()}{mark}{k}"
        if group.kind in "eg":
            by = f"{name[control[0, k]]} {name[control[1, k]]}"
        else:
            by = named[control[k]]
        lines.append(f"{own} {name[plus]} {name[minus]} {by} {gains[k]:.17g}")
    return lines


def _refuse_twins(lines: list[str]) -> None:
    cards = [line.split(maxsplit=1)[0].lower() for line in lines[1:] if not line.startswith((".", "*"))]
    most = Counter(cards).most_common(1)
    if most and most[0][1] > 1:
        raise InputError(f"two sources would both be called {most[0][0]!r} in the netlist; rename one")


def least_gmin(circuit: Circuit) -> float:
    """What SPICE is to add across every junction [S].

    Raises:
        InputError: if junctions have several.
    """
    diodes = [b for b in circuit.branches if isinstance(b.element, JunctionDiode)]
    gmins = sorted({b.element.gmin for b in diodes if isinstance(b.element, JunctionDiode)})
    if len(gmins) > 1:
        raise InputError(f"junction diodes with a gmin of {gmins[0]:g} S and of {gmins[-1]:g} S: a netlist has one")
    return gmins[0] if gmins else LEAST_GMIN


def _with_shared_models(card: list[str], models: dict[str, str]) -> list[str]:
    """The lines of an element's card without models that are there already; `models` has their names by their text."""
    renamed, lines = {}, []
    for line in card:
        if line.startswith(".model "):
            _, name, text = line.split(maxsplit=2)
            renamed[name] = models.setdefault(text, name)
            if renamed[name] != name:
                continue
        lines.append(line)
    return [" ".join(renamed.get(word, word) for word in line.split(" ")) for line in lines] if renamed else lines
