"""A netlist as flat arrays: what the reader hands to whoever solves the circuit.

Subcircuits are expanded, parameters evaluated, defaults filled in, temperatures applied. Names are lower case and
flattened as ngspice does it: resistor ``r2`` of subcircuit instance ``x1`` is ``r.x1.r2``, its node ``n3`` is
``x1.n3``. Elements stand in the order of their cards, those of subcircuits behind those of the top level.

Signs are SPICE's: a branch's current flows from its first node through the element to its second.
"""

from dataclasses import dataclass

import numpy as np

from mho.spice.waveforms import Transient, Waveform

GROUND = 0
"""Index of the ground node, ``0``."""


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """What all kinds of elements have; n elements.

    Attributes:
        names: Flattened names.
        nodes: Indices into ``Netlist.nodes``, shape (n, 2), int32: the element's first and second node.
        file: Index into ``Netlist.files`` of the file of each element's card, shape (n,), int32.
        line: Line number of each element's card there, shape (n,), int32.
    """

    names: list[str]
    nodes: np.ndarray
    file: np.ndarray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Resistors(Elements):
    """R cards.

    Attributes:
        resistance: Ohms, not 0, shape (n,): at the circuit's temperature and with the multiplier ``m``, i.e. the
            value of the card or its model times (1 + tc1 Δ + tc2 Δ²) / m, Δ from the nominal temperature.
    """

    resistance: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Capacitors(Elements):
    """C cards.

    Attributes:
        capacitance: Farads, not negative, shape (n,).
        initial: Initial voltage ``ic=`` (V), shape (n,); 0 where the card gives none.
        has_initial: Whether the card gives one, shape (n,), bool.
    """

    capacitance: np.ndarray
    initial: np.ndarray
    has_initial: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Diodes(Elements):
    """D cards: anode, cathode.

    Attributes:
        model: Index into ``Netlist.models``, shape (n,), int32.
        area: Area factor times the multiplier ``m``, above 0, shape (n,).
        multiplier: ``m``, above 0, shape (n,): it scales IBV, too, which the area does not.
        temperature: °C, shape (n,): the card's ``temp=``, or the circuit's.
    """

    model: np.ndarray
    area: np.ndarray
    multiplier: np.ndarray
    temperature: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Sources(Elements):
    """V or I cards: independent sources of voltage (V) or current (A).

    Attributes:
        dc: Value in the DC operating point, shape (n,): the card's DC value, else its waveform's at time 0, else 0.
            A transient starts from the waveform's value at time 0, also where there is a DC value.
        waveforms: The transient waveform of those elements that have one.
    """

    dc: np.ndarray
    waveforms: dict[int, Waveform]


@dataclass(frozen=True, slots=True, eq=False)
class VoltageControlled(Elements):
    """E (voltage) or G (current) cards: gain times a voltage between two nodes.

    Attributes:
        control_nodes: Controlling nodes, shape (n, 2), int32.
        gain: Volts per volt (E) or siemens (G), shape (n,).
    """

    control_nodes: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class CurrentControlled(Elements):
    """F (current) or H (voltage) cards: gain times the current of a branch.

    Attributes:
        control: Controlling branch: index into ``Netlist.branches``, shape (n,), int32.
        gain: Amperes per ampere (F) or ohms (H), shape (n,).
    """

    control: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class BehaviouralSources(Elements):
    """Sources whose formulas differ in their numbers alone: B cards, POLY, VALUE and TABLE, resistors with a formula.

    Attributes:
        kind: ``i``: currents (A) from the first node through the source to the second; ``v``: voltages (V) of the first
            node above the second.
        sensed: What each formula senses, shape (n, k), int64: a node's index, or -1 - b for the current of
            ``Netlist.branches[b]``.
        program: What is made of it; see ``mho.spice.behavioural_law``.
        constants: The formulas' numbers, shape (constants, n).
    """

    kind: str
    sensed: np.ndarray
    program: tuple[tuple, ...]
    constants: np.ndarray


@dataclass(frozen=True, slots=True)
class DiodeModel:
    """A ``.model NAME D`` card, with ngspice's defaults.

    Attributes:
        name: The model's name; ``subcircuit:name`` if it belongs to one.
        saturation_current: IS (A).
        series_resistance: RS (ohm).
        emission: N.
        transit_time: TT (s).
        junction_capacitance: CJO (F) at zero bias.
        junction_potential: VJ (V).
        grading: M.
        forward_bias: FC: where, relative to VJ, the capacitance goes on as a straight line.
        breakdown_voltage: BV (V), or None: no breakdown.
        breakdown_current: IBV (A).
        activation_energy: EG (eV).
        saturation_exponent: XTI.
        nominal_temperature: TNOM (°C): the card's, or the circuit's.
    """

    name: str
    saturation_current: float
    series_resistance: float
    emission: float
    transit_time: float
    junction_capacitance: float
    junction_potential: float
    grading: float
    forward_bias: float
    breakdown_voltage: float | None
    breakdown_current: float
    activation_energy: float
    saturation_exponent: float
    nominal_temperature: float


@dataclass(frozen=True, slots=True, eq=False)
class Netlist:
    """A flat circuit and the analyses asked for.

    Attributes:
        title: First line of the netlist.
        files: The files read, as messages show them; the netlist itself first.
        nodes: Node names; ``0``, the ground, is the first.
        resistors: R elements.
        capacitors: C elements.
        diodes: D elements.
        voltage_sources: V elements.
        current_sources: I elements; a positive current flows from the first node through the source to the second.
        vcvs: E elements.
        vccs: G elements; signed as the current sources.
        cccs: F elements; signed as the current sources.
        ccvs: H elements.
        behavioural: Behavioural sources, in groups of one formula.
        models: Diode models in use.
        branches: Names of the elements whose current is an unknown: V, then E, then H elements, then
            behavioural voltage sources.
        temperature: Of the circuit (°C).
        nominal_temperature: At which values were measured (°C).
        gmin: Conductance in parallel to each junction (S).
        options: The other options of the netlist, which change accuracy or output but not the circuit.
        initial_conditions: Voltage (V) by node index, of ``.ic``; they hold in a transient only.
        nodesets: Voltage (V) by node index, of ``.nodeset``: where to start looking for the operating point.
        operating_point: Whether there is an ``.op`` card.
        transient: The ``.tran`` card, if there is one.
        notes: What of the netlist is passed over, or taken otherwise than its writer may think: one line each.
        output_cards: ``.print``, ``.plot`` and ``.save`` cards, in lower case; they don't change the circuit.
    """

    title: str
    files: list[str]
    nodes: list[str]
    resistors: Resistors
    capacitors: Capacitors
    diodes: Diodes
    voltage_sources: Sources
    current_sources: Sources
    vcvs: VoltageControlled
    vccs: VoltageControlled
    cccs: CurrentControlled
    ccvs: CurrentControlled
    behavioural: list[BehaviouralSources]
    models: list[DiodeModel]
    branches: list[str]
    temperature: float
    nominal_temperature: float
    gmin: float
    options: dict[str, float | str | bool]
    initial_conditions: dict[int, float]
    nodesets: dict[int, float]
    operating_point: bool
    transient: Transient | None
    output_cards: list[str]
    notes: list[str]

    def where(self, elements: Elements, index: int) -> str:
        """``file:line`` of an element's card, for messages."""
        return f"{self.files[elements.file[index]]}:{elements.line[index]}"
