"""A circuit without layers in ngspice: a user's own netlist, or the one that mho writes of it."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from mho.elements import ShockleyDiode
from mho.elements.resistor import OPEN
from mho.elements.shockley_diode import thermal_voltage
from mho.elements.two_terminal import entry
from mho.errors import InputError
from mho.netlists.circuits.network import resistor_value
from mho.netlists.reading.reader import parse_netlist
from mho.netlists.reading.values import parse_number
from mho.netlists.writing.circuit_netlist import card_marks, least_gmin, source_cards
from mho.netlists.writing.network_netlist import write_netlist
from mho.netlists.writing.own_netlist import input_names
from mho.networks import Circuit
from mho.networks.circuit import CircuitDrive
from mho.ngspice.wiring import Wiring
from mho.steady import Attached


class CircuitWiring(Wiring):
    """Of one circuit that has an energy; the conductances of its programmable resistors may change, and nothing else.

    Raises:
        InputError: for a circuit without an energy, or one of whose parameters others than these learn.
    """

    def __init__(self, network: Circuit) -> None:
        circuit = jax.tree.map(np.asarray, network)
        if circuit.ties is None:
            raise InputError("ngspice in the loop: the circuit has no energy, which equilibrium propagation compares")
        if circuit.programmables:
            raise InputError(
                f"--simulator ngspice: alters resistors and sources alone; {circuit.programmables[0].name} learns by mho's "
                "own solver"
            )
        features = int(np.max(circuit.input_feature, initial=-1)) + 1
        text = write_netlist(circuit, np.zeros(features)).splitlines()
        self.cards = text[: next(k for k, line in enumerate(text) if line.strip().lower() == ".end")]
        self.gmin = least_gmin(circuit)
        name = [circuit.node_names[k] for k in range(circuit.nodes)]
        self.nodes = name[1:]
        self.predictions = self.held = circuit.prediction_ends
        self._driven, first = np.unique(circuit.input_source, return_index=True)
        self._programmed = [k for k, branches in enumerate(circuit.branches) if branches.programmable]
        count = sum(len(circuit.branches[k].first) for k in self._programmed)
        if circuit.netlist is not None:
            given = input_names(circuit)
            sources = [given[k] for k in first.tolist()]
            resistors = [label for k in self._programmed for label in _labels(circuit, k)]
            self._share = _shares(circuit.netlist, resistors)
        else:
            if circuit.current_inputs is not None:
                raise InputError("ngspice in the loop: inputs drive voltage sources, or those of a netlist")
            named, mark = source_cards(circuit), card_marks(circuit)
            sources = [named[k] for k in self._driven.tolist()]
            resistors = [f"r{mark}{k}_{j}" for k in self._programmed for j in range(len(circuit.branches[k].first))]
            self._share = np.ones(count)
            self.cards += _corrections(circuit, name)
        self.elements = [*sources, *resistors]

    def fixed(self, network: Circuit) -> list[Any]:
        """All but the conductances; see `Wiring.fixed`."""
        return jax.tree.leaves(eqx.filter(network, network.marked(("conductance",)), inverse=True))

    def sources(self, network: Circuit, drive: CircuitDrive) -> np.ndarray:
        """Of those that inputs drive; see `Wiring.sources`."""
        return np.asarray(drive.sources, np.float64)[:, self._driven]

    def values(self, network: Circuit) -> np.ndarray:
        """Ohms of the programmable resistors; see `Wiring.values`."""
        elements: list[Any] = [network.branches[k].element for k in self._programmed]
        conductance = np.concatenate([np.asarray(e.conductance, np.float64) for e in elements])
        return 1.0 / np.maximum(conductance, OPEN) / self._share

    def voltages(self, network: Circuit, drive: CircuitDrive, found: np.ndarray) -> np.ndarray:
        """Behind the ground's; see `Wiring.voltages`."""
        return np.pad(found, ((0, 0), (1, 0)))

    def stable(self, drive: CircuitDrive, attached: Attached | None) -> np.ndarray:
        """All: nothing tells; see `Wiring.stable`."""
        return np.ones(drive.sources.shape[0], bool)


def _labels(circuit: Circuit, group: int) -> list[str]:
    labels = circuit.branches[group].labels
    assert labels is not None
    return [labels[k] for k in range(len(labels))]


def _shares(text: str, names: list[str]) -> np.ndarray:
    """Resistances, as shares of the numbers on their cards: temperature and multipliers stand between them."""
    netlist, lines = parse_netlist(text), text.split("\n")
    rows = [netlist.resistors.names.index(name) for name in names]
    given = [parse_number(resistor_value(lines, int(netlist.resistors.line[row])).lower) for row in rows]
    return netlist.resistors.resistance[rows] / np.array(given)


def _corrections(circuit: Circuit, name: list[str]) -> list[str]:
    """What makes SPICE's diodes Shockley's below −3 n·V_T: see `mho.elements.ShockleyDiode`."""
    cards = []
    for group, branches in enumerate(circuit.branches):
        element = branches.element
        if not isinstance(element, ShockleyDiode):
            continue
        for k, (a, b) in enumerate(zip(branches.first.tolist(), branches.second.tolist(), strict=True)):
            saturation, ideality, bias, sign = (
                entry(p, k) for p in (element.saturation_current, element.ideality, element.bias, element.polarity)
            )
            scale = ideality * float(thermal_voltage(element.temperature))
            x = f"(({sign:.17g}*V({name[a]},{name[b]})-({bias:.17g}))/{scale:.17g})"
            cubic = f"({3.0 / np.e:.17g}/{x})"
            law = f"{sign * saturation:.17g}*(exp({x})+{cubic}*{cubic}*{cubic})"
            cards.append(f"Bcorrection{group}_{k} {name[a]} {name[b]} I = {x} < -3 ? {law} : 0")
    return cards
