"""What a netlist begins and ends with, so that a simulator runs it unchanged: ngspice, or Xyce, whose dialect differs."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError

Simulator = Literal["ngspice", "xyce"]

LEAST_GMIN = 1e-18
"""What a simulator adds across every junction where the network has nothing there [S]: far below its conductances."""

_ANALYSIS: dict[str, str] = {
    "ngspice": ".options reltol=1e-9 abstol=1e-15 vntol=1e-12 gmin={gmin} itl1=1000\n.op\n",
    # A sweep of one point: what Xyce prints an operating point with (Xyce Reference Guide, .DC and .PRINT).
    "xyce": ".options device gmin={gmin}\n.options nonlin reltol=1e-9 abstol=1e-15 maxstep=1000\n"
    ".dc {source} {volts:.17g} {volts:.17g} 1\n.print dc v(*)\n",
}


def one_input(inputs: ArrayLike) -> np.ndarray:
    """Features, (features,), of the one input that a netlist holds.

    Raises:
        InputError: if they are of several.
    """
    given = np.asarray(inputs, np.float64)
    if given.ndim != 1:
        raise InputError(f"inputs of shape {given.shape}: a netlist holds one input, of shape (features,)")
    return given


def check_dialect(title: str, simulator: str) -> None:
    """Refuse what cannot stand in a netlist's first line, and an unknown simulator.

    Raises:
        InputError: if the title is not one line that is not empty, or the simulator is unknown.
    """
    if simulator not in get_args(Simulator):
        raise InputError(f"simulator {simulator!r}: must be one of {', '.join(get_args(Simulator))}")
    if "\n" in title or not title.strip():
        raise InputError(f"title {title!r}: must be one line that is not empty")


def whole_netlist(
    lines: Sequence[str], simulator: Simulator, *, source: str, volts: float, gmin: float = LEAST_GMIN
) -> str:
    """A title and cards, with the options and the analysis of the operating point.

    Args:
        lines: the title, then the cards, as ngspice takes them.
        simulator: whose dialect to write.
        source: a voltage source of the circuit, and its voltage: what a sweep of one point sweeps.
        volts: see `source`.
        gmin: conductance across every junction [S].
    """
    if simulator == "xyce":
        lines = [re.sub(r"^(B\S+ \S+ \S+ [IV]) = (.*)$", r"\1={\2}", line) for line in lines]
    return (
        "\n".join(lines) + "\n" + _ANALYSIS[simulator].format(source=source, volts=volts, gmin=f"{gmin:g}") + ".end\n"
    )
