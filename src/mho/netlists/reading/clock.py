"""The time as a voltage: what formulas that name ``time`` sense in a transient.

A source from an extra node to ground rises from 0 V at time 0 to 1 V at the end of the transient, so that the time is a
quantity like any other that a behavioural source senses, and its steps and derivatives need nothing of their own.
"""

import dataclasses

import numpy as np

from mho.netlists.reading.netlist import GROUND, BehaviouralSources, Netlist, Sources
from mho.netlists.reading.waveforms import PiecewiseLinear, Transient

CLOCK = "(time)"
"""Name of the node and of its source; no node or source of a netlist can have it."""


def with_clock(netlist: Netlist, transient: Transient) -> Netlist:
    """The netlist with a clock, if a formula in it names the time; else the netlist itself."""
    if not any(("time",) in group.program for group in netlist.behavioural):
        return netlist
    node = len(netlist.nodes)
    held = netlist.voltage_sources
    sources = Sources(
        [*held.names, CLOCK],
        np.concatenate([held.nodes, np.array([[node, GROUND]], held.nodes.dtype)]),
        np.append(held.file, np.int32(0)),
        np.append(held.line, np.int32(0)),
        dc=np.append(held.dc, 0.0),
        waveforms={**held.waveforms, len(held): PiecewiseLinear((0.0, transient.stop), (0.0, 1.0))},
    )
    return dataclasses.replace(
        netlist,
        nodes=[*netlist.nodes, CLOCK],
        branches=[*netlist.branches, CLOCK],
        voltage_sources=sources,
        behavioural=[_sensing_clock(group, node, transient.stop) for group in netlist.behavioural],
    )


def _sensing_clock(group: BehaviouralSources, node: int, stop: float) -> BehaviouralSources:
    """The group with stop times the clock's voltage in place of the time."""
    if ("time",) not in group.program:
        return group
    time = (("sensed", group.sensed.shape[1]), ("constant", len(group.constants)), ("call", "*", 2))
    clock = np.full((len(group), 1), node)
    return dataclasses.replace(
        group,
        program=tuple(new for item in group.program for new in (time if item == ("time",) else (item,))),
        sensed=np.concatenate([group.sensed, clock], axis=1),
        constants=np.concatenate([group.constants, np.full((1, len(group)), stop)]),
    )
