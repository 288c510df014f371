"""Windows: a network's resistors become ones with a smallest and a largest conductance that devices have."""

from typing import Any, Literal, TypeVar

import jax
import numpy as np

from mho.elements import ProgrammableResistor
from mho.errors import InputError

Network = TypeVar("Network")
Floor = Literal["clipped", "mapped"]


def windowed(
    network: Network, on_off_ratio: float | None = None, *, floor: Floor = "clipped", headroom: float = 4.0
) -> Network:
    """The network with each array of programmable resistors in a window [g_min, g_max].

    Args:
        network: the network, layered or a circuit; resistors that do not learn stay as they are.
        on_off_ratio: g_max/g_min; the resistors' own lower bounds are g_min if None.
        floor: what becomes of conductances: those below g_min are g_min (clipped), or 0 to g_max is mapped onto the
            window (mapped).
        headroom: where a resistor's upper bound is infinite, g_max is so many times the array's largest conductance.

    Raises:
        InputError: for a ratio that is not above 1 or a window without width.
    """
    if on_off_ratio is not None and not 1 < on_off_ratio < float("inf"):
        raise InputError(f"on_off_ratio {on_off_ratio}: must be above 1 and finite")

    def part(resistors: Any, learns: Any) -> Any:
        if not isinstance(resistors, ProgrammableResistor) or not learns.conductance:
            return resistors
        conductance = resistors.conductance
        largest = resistors.upper
        if np.isinf(largest):
            largest = float(f"{headroom * float(np.max(np.asarray(conductance))):.3g}")
        least = resistors.lower if on_off_ratio is None else float(f"{largest / on_off_ratio:.6g}")
        if not largest > least:
            raise InputError(f"window {least:g} to {largest:g} S: has no width")
        kind = np.asarray(conductance).dtype.type
        if floor == "mapped":
            conductance = kind(least) + conductance * kind(1 - least / largest)
        return ProgrammableResistor(conductance.clip(kind(least), kind(largest)), least, largest)

    learn = network.marked(("conductance",))  # type: ignore[attr-defined]
    return jax.tree.map(part, network, learn, is_leaf=lambda x: isinstance(x, ProgrammableResistor))
