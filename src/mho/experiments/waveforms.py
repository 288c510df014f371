"""Which of a transient's voltages are drawn: those that are named, those that the netlist prints, or those that move."""

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from mho.errors import InputError
from mho.experiments.plots import MOST_LINES
from mho.netlists.reading.netlist import Netlist


def drawn_waveforms(
    netlist: Netlist, voltages: Mapping[str, np.ndarray], nodes: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], str | None]:
    """Voltages to draw [V], by name, and what is to be said of the choice.

    Args:
        netlist: what they are of.
        voltages: of all nodes.
        nodes: names, or pairs p:m for the first's voltage above the second's; if empty, those of the netlist's .print,
            .plot and .save cards; without these the dozen that move most.

    Raises:
        InputError: for a node that is not there.
    """
    known = {**voltages, "0": np.zeros_like(next(iter(voltages.values())))}
    if nodes:
        return {name: _difference(known, name) for name in map(str.lower, nodes)}, None
    said = " ".join(card for card in netlist.output_cards if re.match(r"\.save|\.\w+\s+tran", card))
    printed = [":".join(re.split(r"[\s,]+", pair.strip())) for pair in re.findall(r"\bv\s*\(([^()]+)\)", said)]
    there = [name for name in dict.fromkeys(printed) if all(node in known for node in name.split(":"))]
    if there:
        return {name: _difference(known, name) for name in there}, None
    if len(voltages) <= MOST_LINES:
        return dict(voltages), None
    moved = sorted(voltages, key=lambda name: -float(np.ptp(voltages[name])))[:MOST_LINES]
    note = f"{MOST_LINES} of {len(voltages)} nodes are drawn, those whose voltages change most; --nodes names others"
    return {name: voltages[name] for name in voltages if name in moved}, note


def _difference(known: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    ends = name.split(":")
    for node in ends:
        if node not in known or len(ends) > 2:
            near = difflib.get_close_matches(node, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; write a node, or a pair as p:m"
            raise InputError(f"--nodes {name}: no node {node!r}{hint}")
    return known[ends[0]] - known[ends[1]] if len(ends) == 2 else known[ends[0]]
