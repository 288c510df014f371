"""Bidirectional amplifiers in netlists, where they stand as two controlled sources each.

An E source of gain A forward and, backward, an F source that draws 1/A of the E source's current from the controlling node
(Kendall et al. 2020, figure 2); the current is sensed by the E source itself or by a 0 V source in series, or, for a G
source, by a resistor in series. An E source that is controlled from a node that sources hold needs no backward half, for
nothing that is drawn there matters. Recognised, they give the circuit its energy back.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mho.netlists.reading.netlist import GROUND, Elements, Netlist

_RECIPROCAL = 1e-9
"""How nearly the backward gain has to be the forward gain's inverse; what is further off has no energy."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """All E sources of a netlist, each as the forward half of an amplifier."""

    near: np.ndarray
    """Nodes, (n,)."""
    far: np.ndarray
    """Nodes, (n,)."""
    gain: np.ndarray


def amplifier_pairs(netlist: Netlist, programmable: Sequence[int] = (), *, whole: bool = False) -> Pairs | None:
    """The amplifiers of a netlist whose controlled sources are nothing else; None where that is not so.

    Args:
        netlist: the netlist.
        programmable: resistors whose values change, by which no current can be sensed.
        whole: whether each must have its backward half, without which it draws nothing from what it is controlled by.
    """
    forward = netlist.vcvs
    backward = len(netlist.vccs) + len(netlist.cccs)
    if not len(forward) or backward > len(forward) or len(netlist.ccvs) or len(netlist.behavioural):
        return None
    ends = netlist.vcvs.nodes, netlist.vcvs.control_nodes
    if any(((pair == GROUND).sum(1) != 1).any() for pair in ends):
        return None
    # Turned so that both pairs begin at the node that is not ground.
    turned = [pair[:, 0] == GROUND for pair in ends]
    far, near = (pair.max(1) for pair in ends)
    gain = forward.gain * np.where(turned[0] ^ turned[1], -1.0, 1.0)
    if not (np.isfinite(gain) & (gain != 0)).all():
        return None
    drawn = _by_cccs(netlist, far, turned[0])
    drawn = None if drawn is None else drawn + (_by_vccs(netlist, far, programmable) or [])
    if drawn is None or len(drawn) != backward:
        return None
    paired = set()
    for node, share, candidates in drawn:
        match = [
            k for k in candidates if near[k] == node and abs(share * gain[k] - 1.0) <= _RECIPROCAL and k not in paired
        ]
        if not match:
            return None
        paired.add(match[0])
    held = _held(netlist, near, far)
    loaded = all(k in paired or (held[node] and not whole) for k, node in enumerate(near.tolist()))
    return Pairs(near, far, gain) if loaded else None


def _held(netlist: Netlist, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Which nodes sources hold, whatever is drawn there: what is controlled from such a node need not load it."""
    held = np.zeros(len(netlist.nodes), bool)
    held[GROUND] = True
    ends = [*netlist.voltage_sources.nodes.tolist(), *zip(near.tolist(), far.tolist(), strict=True)]
    sources, grown = len(netlist.voltage_sources), True
    while grown:
        grown = False
        for k, (a, b) in enumerate(ends):
            if held[a] != held[b] and (k < sources or held[a]):
                held[a] = held[b] = grown = True
    return held


_Drawn = list[tuple[int, float, list[int]]]
"""Node from which a current is drawn, as which share of an E source's, and which E sources those may be."""


def _by_cccs(netlist: Netlist, far: np.ndarray, turned: np.ndarray) -> _Drawn | None:
    voltages = netlist.voltage_sources
    alone = _neighbours(netlist)
    at_far: dict[int, list[int]] = {}
    for k, node in enumerate(far.tolist()):
        at_far.setdefault(node, []).append(k)
    found: _Drawn = []
    for pair, control, gain in zip(
        netlist.cccs.nodes.tolist(), netlist.cccs.control.tolist(), netlist.cccs.gain.tolist(), strict=True
    ):
        if (pair[0] == GROUND) == (pair[1] == GROUND):
            return None
        node, sign = (pair[0], 1.0) if pair[1] == GROUND else (pair[1], -1.0)
        if control >= len(voltages):
            k = control - len(voltages)
            if k >= len(far):
                return None
            # The E source's own current, counted from its first node through it, is what the load draws, turned round.
            found.append((node, (1.0 if turned[k] else -1.0) * sign * gain, [k]))
            continue
        if voltages.dc[control] != 0 or control in voltages.waveforms:
            return None
        first, second = voltages.nodes[control].tolist()
        for joint, direction in ((first, 1.0), (second, -1.0)):
            # Nothing else may draw from the node between the E source and the one that senses.
            if joint in at_far and len(at_far[joint]) == 1 and alone[joint] == 2:
                found.append((node, direction * sign * gain, at_far[joint]))
                break
        else:
            return None
    return found


def _by_vccs(netlist: Netlist, far: np.ndarray, programmable: Sequence[int]) -> _Drawn | None:
    if not len(netlist.vccs):
        return []
    alone = _neighbours(netlist)
    resistors: dict[frozenset[int], list[int]] = {}
    for k, pair in enumerate(netlist.resistors.nodes.tolist()):
        resistors.setdefault(frozenset(pair), []).append(k)
    rows = {node: k for k, node in enumerate(far.tolist())}
    found: _Drawn = []
    for pair, (plus, minus), gain in zip(
        netlist.vccs.nodes.tolist(), netlist.vccs.control_nodes.tolist(), netlist.vccs.gain.tolist(), strict=True
    ):
        if (pair[0] == GROUND) == (pair[1] == GROUND):
            return None
        node, sign = (pair[0], 1.0) if pair[1] == GROUND else (pair[1], -1.0)
        for joint, direction in ((plus, 1.0), (minus, -1.0)):
            between = resistors.get(frozenset((plus, minus)), [])
            if joint in rows and alone[joint] == 2 and len(between) == 1 and between[0] not in programmable:
                share = direction * sign * gain * float(netlist.resistors.resistance[between[0]])
                found.append((node, share, [rows[joint]]))
                break
        else:
            return None
    return found


def _neighbours(netlist: Netlist) -> np.ndarray:
    """How many elements' ends are at each node; capacitors, open in the operating point, and control pairs left out."""
    tables = [
        value
        for field in dataclasses.fields(netlist)
        if isinstance(value := getattr(netlist, field.name), Elements) and value is not netlist.capacitors
    ]
    return np.bincount(np.concatenate([t.nodes.ravel() for t in tables]), minlength=len(netlist.nodes))
