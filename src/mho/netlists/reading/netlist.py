"""A netlist as flat arrays: what the reader hands to whoever solves the circuit.

Subcircuits are expanded, parameters evaluated, defaults filled in, temperatures applied. Names are lower case and
flattened as ngspice does it: resistor ``r2`` of subcircuit instance ``x1`` is ``r.x1.r2``, its node ``n3`` is
``x1.n3``. Elements stand in the order of their cards, those of subcircuits behind those of the top level.

Signs are SPICE's: a branch's current flows from its first node through the element to its second.
"""

from dataclasses import dataclass

import numpy as np

from mho.netlists.reading.waveforms import Transient, Waveform

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
        perimeter: Perimeter factor ``pj`` times the multiplier, not negative, shape (n,).
        multiplier: ``m``, above 0, shape (n,): it scales IBV, too, which the area does not.
        temperature: °C, shape (n,): the card's ``temp=``, or the circuit's plus ``dtemp=``.
    """

    model: np.ndarray
    area: np.ndarray
    perimeter: np.ndarray
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
class Inductors(Elements):
    """L cards: shorts at DC; their currents are unknowns.

    Attributes:
        inductance: Henries, shape (n,), with the temperature coefficients, ``scale`` and the multiplier ``m``.
        initial: Initial current ``ic=`` (A), shape (n,); 0 where the card gives none.
        has_initial: Whether the card gives one, shape (n,), bool.
    """

    inductance: np.ndarray
    initial: np.ndarray
    has_initial: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Couplings(Elements):
    """K cards; they have no nodes, and ``nodes`` is 0.

    Attributes:
        inductors: Indices into ``Netlist.inductors`` of the two, shape (n, 2), int32.
        coefficient: M / √(L₁ L₂), shape (n,).
    """

    inductors: np.ndarray
    coefficient: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Switches(Elements):
    """S or W cards.

    Attributes:
        control: Of S, the controlling nodes, shape (n, 2); of W, the controlling branch, an index into
            ``Netlist.branches``, shape (n,); int32.
        model: Index into the netlist's models of the kind, shape (n,), int32.
        on: Whether the card says ``on``, shape (n,), bool.
    """

    control: np.ndarray
    model: np.ndarray
    on: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Mosfets(Elements):
    """M cards; ``nodes`` are drain and source. Lengths in metres, areas in square metres, all of shape (n,).

    Attributes:
        gate: Gate nodes, int32.
        bulk: Bulk nodes, int32.
        model: Index into ``Netlist.mosfet_models``, int32.
        width: W.
        length: L.
        drain_area: AD.
        source_area: AS.
        drain_perimeter: PD.
        source_perimeter: PS.
        drain_squares: NRD.
        source_squares: NRS.
        multiplier: m, above 0.
        temperature: °C.
    """

    gate: np.ndarray
    bulk: np.ndarray
    model: np.ndarray
    width: np.ndarray
    length: np.ndarray
    drain_area: np.ndarray
    source_area: np.ndarray
    drain_perimeter: np.ndarray
    source_perimeter: np.ndarray
    drain_squares: np.ndarray
    source_squares: np.ndarray
    multiplier: np.ndarray
    temperature: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Bipolars(Elements):
    """Q cards; ``nodes`` are collector and emitter. All of shape (n,).

    Attributes:
        base: Base nodes, int32.
        substrate: Substrate nodes, int32; ground where the card names none.
        model: Index into ``Netlist.bipolar_models``, int32.
        area: Of the emitter, a factor above 0.
        base_area: Factor of the collector junction of a vertical transistor.
        collector_area: Factor of the collector junction of a lateral one.
        multiplier: m, above 0.
        temperature: °C.
    """

    base: np.ndarray
    substrate: np.ndarray
    model: np.ndarray
    area: np.ndarray
    base_area: np.ndarray
    collector_area: np.ndarray
    multiplier: np.ndarray
    temperature: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Jfets(Elements):
    """J cards; ``nodes`` are drain and source. All of shape (n,).

    Attributes:
        gate: Gate nodes, int32.
        model: Index into ``Netlist.jfet_models``, int32.
        area: Factor above 0.
        multiplier: m, above 0.
        temperature: °C.
    """

    gate: np.ndarray
    model: np.ndarray
    area: np.ndarray
    multiplier: np.ndarray
    temperature: np.ndarray


@dataclass(frozen=True, slots=True)
class JfetModel:
    """A ``.model NAME NJF`` or ``PJF`` card of level 1; None where the card gives no value.

    Attributes:
        name: As of a ``DiodeModel``.
        polarity: 1 for NJF, -1 for PJF.
        threshold: VTO (V).
        transconductance: BETA (A/V²).
        length_modulation: LAMBDA (1/V).
        drain_resistance: RD (ohm).
        source_resistance: RS (ohm).
        junction_current: IS (A).
        tail: B.
        gate_potential: PB (V).
        nominal_temperature: TNOM (°C).
        threshold_falls: TCV (V/K), which VTO falls by.
        threshold_rises: VTOTC (V/K), which VTO rises by instead.
        gain_exponent: BEX.
        gain_growth: BETATCE (%/K), instead.
        saturation_exponent: XTI.
        activation_energy: EG (eV).
        gate_source_capacitance: CGS (F).
        gate_drain_capacitance: CGD (F).
        forward_bias: FC.
    """

    name: str
    polarity: int
    threshold: float
    transconductance: float
    length_modulation: float
    drain_resistance: float
    source_resistance: float
    junction_current: float
    tail: float
    gate_potential: float
    nominal_temperature: float
    threshold_falls: float
    threshold_rises: float | None
    gain_exponent: float
    gain_growth: float | None
    saturation_exponent: float
    activation_energy: float
    gate_source_capacitance: float
    gate_drain_capacitance: float
    forward_bias: float


@dataclass(frozen=True, slots=True)
class SwitchModel:
    """A ``.model NAME SW`` or ``CSW`` card.

    Attributes:
        name: As of a ``DiodeModel``.
        threshold: VT (V) or IT (A).
        hysteresis: VH (V) or IH (A): closed above the threshold plus its amount, open below the threshold less it.
        closed_resistance: RON (ohm).
        open_resistance: ROFF (ohm), or None: one over gmin.
    """

    name: str
    threshold: float
    hysteresis: float
    closed_resistance: float
    open_resistance: float | None


@dataclass(frozen=True, slots=True)
class MosfetModel:
    """A ``.model NAME NMOS`` or ``PMOS`` card of level 1; None where the card gives no value and the default isn't a number.

    Attributes:
        name: As of a ``DiodeModel``.
        polarity: 1 for NMOS, -1 for PMOS.
        threshold: VTO (V).
        transconductance: KP (A/V²).
        body_effect: GAMMA (√V).
        surface_potential: PHI (V).
        length_modulation: LAMBDA (1/V).
        lateral_diffusion: LD (m).
        drain_resistance: RD (ohm), or None: RSH times the squares.
        source_resistance: RS (ohm), or None: likewise.
        sheet_resistance: RSH (ohm), or None.
        junction_current: IS (A), of the bulk junctions.
        junction_current_density: JS (A/m²).
        nominal_temperature: TNOM (°C).
        oxide_thickness: TOX (m); 0 for an oxide without capacitance.
        oxide_capacitance: Of the gate oxide (F/m²).
        gate_source_overlap: CGSO (F/m).
        gate_drain_overlap: CGDO (F/m).
        gate_bulk_overlap: CGBO (F/m).
        bulk_drain_capacitance: CBD (F), or None: CJ times the area.
        bulk_source_capacitance: CBS (F), or None: likewise.
        bottom_capacitance: CJ (F/m²).
        bottom_grading: MJ.
        sidewall_capacitance: CJSW (F/m).
        sidewall_grading: MJSW.
        junction_potential: PB (V).
        forward_bias: FC.
    """

    name: str
    polarity: int
    threshold: float
    transconductance: float
    body_effect: float
    surface_potential: float
    length_modulation: float
    lateral_diffusion: float
    drain_resistance: float | None
    source_resistance: float | None
    sheet_resistance: float | None
    junction_current: float
    junction_current_density: float
    nominal_temperature: float
    oxide_thickness: float
    oxide_capacitance: float
    gate_source_overlap: float
    gate_drain_overlap: float
    gate_bulk_overlap: float
    bulk_drain_capacitance: float | None
    bulk_source_capacitance: float | None
    bottom_capacitance: float
    bottom_grading: float
    sidewall_capacitance: float
    sidewall_grading: float
    junction_potential: float
    forward_bias: float


@dataclass(frozen=True, slots=True)
class BipolarModel:
    """A ``.model NAME NPN`` or ``PNP`` card of level 1 (Gummel-Poon); None for an effect that the card leaves out.

    Attributes:
        name: As of a ``DiodeModel``.
        polarity: 1 for NPN, -1 for PNP.
        vertical: Whether the substrate's junction is at the collector; it is at the base otherwise.
        saturation_current: IS (A).
        forward_gain: BF.
        forward_emission: NF.
        forward_early: VAF (V).
        forward_knee: IKF (A).
        roll_off: NKF.
        emitter_leakage: ISE (A).
        emitter_leakage_emission: NE.
        reverse_gain: BR.
        reverse_emission: NR.
        reverse_early: VAR (V).
        reverse_knee: IKR (A).
        collector_leakage: ISC (A).
        collector_leakage_emission: NC.
        base_resistance: RB (ohm).
        base_half_current: IRB (A).
        least_base_resistance: RBM (ohm).
        emitter_resistance: RE (ohm).
        collector_resistance: RC (ohm).
        substrate_current: ISS (A).
        substrate_emission: NS.
        gain_exponent: XTB.
        activation_energy: EG (eV).
        saturation_exponent: XTI.
        nominal_temperature: TNOM (°C).
        emitter_capacitance: CJE (F).
        emitter_potential: VJE (V).
        emitter_grading: MJE.
        forward_transit_time: TF (s).
        forward_transit_bias: XTF.
        forward_transit_voltage: VTF (V).
        forward_transit_current: ITF (A).
        excess_phase: PTF (degrees).
        collector_capacitance: CJC (F).
        collector_potential: VJC (V).
        collector_grading: MJC.
        inner_share: XCJC.
        reverse_transit_time: TR (s).
        substrate_capacitance: CJS (F).
        substrate_potential: VJS (V).
        substrate_grading: MJS.
        forward_bias: FC.
    """

    name: str
    polarity: int
    vertical: bool
    saturation_current: float
    forward_gain: float
    forward_emission: float
    forward_early: float | None
    forward_knee: float | None
    roll_off: float
    emitter_leakage: float
    emitter_leakage_emission: float
    reverse_gain: float
    reverse_emission: float
    reverse_early: float | None
    reverse_knee: float | None
    collector_leakage: float
    collector_leakage_emission: float
    base_resistance: float
    base_half_current: float | None
    least_base_resistance: float
    emitter_resistance: float
    collector_resistance: float
    substrate_current: float
    substrate_emission: float
    gain_exponent: float
    activation_energy: float
    saturation_exponent: float
    nominal_temperature: float
    emitter_capacitance: float
    emitter_potential: float
    emitter_grading: float
    forward_transit_time: float
    forward_transit_bias: float
    forward_transit_voltage: float | None
    forward_transit_current: float
    excess_phase: float
    collector_capacitance: float
    collector_potential: float
    collector_grading: float
    inner_share: float
    reverse_transit_time: float
    substrate_capacitance: float
    substrate_potential: float
    substrate_grading: float
    forward_bias: float


@dataclass(frozen=True, slots=True, eq=False)
class BehaviouralSources(Elements):
    """Sources whose formulas differ in their numbers alone: B cards, POLY, VALUE and TABLE, resistors with a formula.

    Attributes:
        kind: ``i``: currents (A) from the first node through the source to the second; ``v``: voltages (V) of the first
            node above the second.
        sensed: What each formula senses, shape (n, k), int64: a node's index, or -1 - b for the current of
            ``Netlist.branches[b]``.
        program: What is made of it; see ``mho.netlists.reading.behavioural_law``.
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
        level: 1, or 3, whose IBV is for an area of 1 and whose area may follow from width and length.
        area: Of an element whose card gives none.
        perimeter: PJ, likewise.
        sidewall_current: JSW (A), for a perimeter of 1.
        sidewall_emission: NS, or None: the sidewall conducts as the bottom does.
        recombination_current: ISR (A); 0 for none.
        recombination_emission: NR.
        forward_knee: IKF (A), or None.
        reverse_knee: IKR (A), or None.
        breakdown_emission: NBV, or None: N.
        breakdown_temperature: TCV (V/K, or 1/K where TLEV isn't 0): BV falls by it.
        breakdown_temperature_law: TLEV.
        resistance_temperature_1: TRS1 (1/K).
        resistance_temperature_2: TRS2 (1/K²).
        tunnelling_current: JTUN (A).
        tunnelling_sidewall_current: JTUNSW (A), for a perimeter of 1.
        tunnelling_emission: NTUN.
        tunnelling_exponent: XTITUN.
        tunnelling_energy_factor: KEG.
        sidewall_capacitance: CJP (F), for a perimeter of 1.
        sidewall_potential: PHP (V).
        sidewall_grading: MJSW.
        sidewall_forward_bias: FCS.
        transit_temperature_1: TTT1 (1/K).
        transit_temperature_2: TTT2 (1/K²).
        grading_temperature_1: TM1 (1/K).
        grading_temperature_2: TM2 (1/K²).
        capacitance_temperature_law: TLEVC: 0 for silicon's own, 1 for the four coefficients below.
        capacitance_temperature: CTA (1/K).
        sidewall_capacitance_temperature: CTP (1/K).
        potential_temperature: TPB (V/K).
        sidewall_potential_temperature: TPHP (V/K).
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
    level: int = 1
    area: float = 1.0
    perimeter: float = 0.0
    sidewall_current: float = 0.0
    sidewall_emission: float | None = None
    recombination_current: float = 0.0
    recombination_emission: float = 1.0
    forward_knee: float | None = None
    reverse_knee: float | None = None
    breakdown_emission: float | None = None
    breakdown_temperature: float = 0.0
    breakdown_temperature_law: float = 0.0
    resistance_temperature_1: float = 0.0
    resistance_temperature_2: float = 0.0
    tunnelling_current: float = 0.0
    tunnelling_sidewall_current: float = 0.0
    tunnelling_emission: float = 30.0
    tunnelling_exponent: float = 3.0
    tunnelling_energy_factor: float = 1.0
    sidewall_capacitance: float = 0.0
    sidewall_potential: float = 1.0
    sidewall_grading: float = 0.33
    sidewall_forward_bias: float = 0.5
    transit_temperature_1: float = 0.0
    transit_temperature_2: float = 0.0
    grading_temperature_1: float = 0.0
    grading_temperature_2: float = 0.0
    capacitance_temperature_law: float = 0.0
    capacitance_temperature: float = 0.0
    sidewall_capacitance_temperature: float = 0.0
    potential_temperature: float = 0.0
    sidewall_potential_temperature: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Netlist:
    """A flat circuit and the analyses asked for.

    Attributes:
        title: First line of the netlist.
        text: The whole of it, with the files that it includes in the places of the cards that include them.
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
        inductors: L elements.
        couplings: K elements.
        switches: S elements.
        current_switches: W elements.
        mosfets: M elements.
        bipolars: Q elements.
        jfets: J elements.
        models: Diode models in use.
        switch_models: Models of S elements in use.
        current_switch_models: Models of W elements in use.
        mosfet_models: MOSFET models in use.
        bipolar_models: Bipolar transistor models in use.
        jfet_models: JFET models in use.
        branches: Names of the elements whose current is an unknown: V, then E, then H elements, then
            behavioural voltage sources, then L elements.
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
    text: str
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
    inductors: Inductors
    couplings: Couplings
    switches: Switches
    current_switches: Switches
    mosfets: Mosfets
    bipolars: Bipolars
    jfets: Jfets
    models: list[DiodeModel]
    switch_models: list[SwitchModel]
    current_switch_models: list[SwitchModel]
    mosfet_models: list[MosfetModel]
    bipolar_models: list[BipolarModel]
    jfet_models: list[JfetModel]
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
