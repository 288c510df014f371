"""The switches of a netlist as elements of its circuit.

Source: ngspice 39, also for what a switch does between its thresholds, where its past decides: at DC an S element with
a hysteresis stands there as its card says, a W element is open; with a negative hysteresis, or on the one threshold
without hysteresis, both are closed.
"""

import numpy as np

from mho.elements import Switch
from mho.netlists.reading.netlist import Netlist, Switches, SwitchModel
from mho.networks.circuit_builder import CircuitBuilder


def add_switches(builder: CircuitBuilder, netlist: Netlist) -> None:
    """Add the S and W elements."""
    nodes = np.array(netlist.nodes, dtype=object)
    for switches, models in (
        (netlist.switches, netlist.switch_models),
        (netlist.current_switches, netlist.current_switch_models),
    ):
        if not len(switches):
            continue
        first, second = nodes[switches.nodes].T
        ends = [[f"v:{a}", f"v:{b}"] for a, b in zip(first, second, strict=True)]
        if switches is netlist.switches:
            sensed = [[*e, f"v:{p}", f"v:{m}"] for e, (p, m) in zip(ends, nodes[switches.control], strict=True)]
        else:
            sensed = [[*e, f"i:{netlist.branches[k]}"] for e, k in zip(ends, switches.control, strict=True)]
        flagged = switches.on if switches is netlist.switches else np.zeros(len(switches), bool)
        law = _law(switches, models, flagged, netlist.gmin)
        builder.add_behavioural_sources(first, second, sensed, law, kind="i", names=switches.names)


def _law(switches: Switches, models: list[SwitchModel], flagged: np.ndarray, gmin: float) -> Switch:
    chosen = [models[k] for k in switches.model]
    threshold = np.array([m.threshold for m in chosen])
    hysteresis = np.array([m.hysteresis for m in chosen])
    return Switch(
        closed=np.array([1.0 / m.closed_resistance for m in chosen]),
        open=np.array([gmin if m.open_resistance is None else 1.0 / m.open_resistance for m in chosen]),
        lower=threshold - np.abs(hysteresis),
        upper=threshold + np.abs(hysteresis),
        between=np.where(hysteresis > 0, flagged, True),
        remembers=hysteresis > 0,
    )
