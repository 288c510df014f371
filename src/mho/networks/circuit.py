"""Circuits: any graph of elements between named nodes, with voltage sources, amplifiers and controlled sources.

Elements come in groups of arrays: a hundred thousand resistors are one `Branches` with three arrays. Voltage sources and
bidirectional amplifiers tie a node's voltage to another's; where these ties form a forest, as they do in every circuit
without a loop of sources, the tied voltages are eliminated and the energy of what is left is

    E(x) = Σ_k w_k p_k(v_a(k) − v_b(k)),    v = factor · x[group] + offset,

with p_k the elements' co-contents, x the voltages of the free groups of nodes and w_k = Π 1/A² over the amplifiers between
an element and the sources (Kendall et al. 2020, sections 3 and 4). Circuits with controlled sources have no energy.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mho.arrays import Values, added_at, namespace
from mho.elements import CurrentSource, ProgrammableResistor, TwoTerminal
from mho.errors import InputError, MhoError
from mho.networks.branches import Amplifiers, Behavioural, Branches, Controlled, Names
from mho.networks.network import Drive, Network, unmarked, without_polarities
from mho.networks.programmable_parameter import ProgrammableParameter
from mho.networks.ties import Ties


class CircuitDrive(Drive):
    """What all phases of a batch share: the sources."""

    sources: Values
    """Their voltages [V], then the currents of those that are current sources [A], (batch, sources)."""

    def repeated(self, times: int) -> "CircuitDrive":
        """The same drive for `times` batches stacked into one."""
        return CircuitDrive(jnp.concatenate([self.sources] * times))


class Circuit(Network):
    """A circuit, as `CircuitBuilder` makes it. Node 0 is ground.

    What of it learns: conductances of programmable resistors, current sources, parameters of all other elements, and the
    parameters of a netlist that several of these follow from. Not amplifier gains: they decide which nodes' voltages are the
    unknowns, and the circuit holds what follows from them.
    Node voltages are one array, (batch, nodes).
    """

    parameters = ("conductance", "bias", "element", "parameter")
    local_parameters = ("conductance",)

    branches: tuple[Branches, ...]
    source_plus: Values
    source_minus: Values
    source_voltage: Values
    """Of the independent voltage sources [V], those that inputs drive included (at their voltage for an input of 0)."""
    input_source: Values
    """Which source each entry of the input map drives, (entries,): a voltage source, or behind all of these one of the
    current sources of `current_inputs`."""
    input_feature: Values
    """Which feature drives it, (entries,)."""
    input_gain: Values
    """Volts, or amperes, at the source for a feature of 1, (entries,)."""
    output: Values
    """Nodes whose voltages are the prediction, (outputs,)."""
    reference: Values
    """Nodes whose voltages are subtracted from it; 0 for ground, (outputs,)."""
    amplifiers: Amplifiers | None
    controlled: tuple[Controlled, ...]
    behavioural: tuple[Behavioural, ...]
    ties: Ties | None
    """None where the circuit has no energy."""
    node_names: Names = eqx.field(static=True)
    source_names: Names = eqx.field(static=True)
    """Of the independent voltage sources."""
    branch_names: Names = eqx.field(static=True)
    """Of all elements whose current is an unknown: the independent voltage sources, then E, H and behavioural voltage
    sources."""
    current_inputs: int | None = eqx.field(static=True, default=None)
    """Which group of elements are the current sources that inputs drive; None for none."""
    netlist: str | None = eqx.field(static=True, default=None)
    """Text of the netlist whose programmable resistors these are; None for a circuit that is of none."""
    programmables: tuple[ProgrammableParameter, ...] = ()
    """Parameters of that netlist that learn."""

    @property
    def paired_outputs(self) -> bool:
        """False: an output with a reference node is one output, and what nudges it stands between the two."""
        return False

    @property
    def prediction_ends(self) -> list[tuple[str, str]]:
        """Names of the nodes that each prediction is measured between."""
        ends = zip(np.asarray(self.output).tolist(), np.asarray(self.reference).tolist(), strict=True)
        return [(self.node_names[plus], self.node_names[minus]) for plus, minus in ends]

    @property
    def nodes(self) -> int:
        """Number of nodes, ground included."""
        return len(self.node_names)

    def sources(self, inputs: ArrayLike | Array | None = None) -> Values:
        """Source voltages [V], then currents of input current sources, from their first node through them to the second [A].

        Of shape (sources,), or (batch, sources) for inputs of shape (batch, features).
        """
        base = self.source_voltage
        if self.current_inputs is not None:
            own: Any = self.branches[self.current_inputs].element
            base = namespace(base, own.injected).concatenate([base, -own.injected])
        if inputs is None:
            return base
        traced = isinstance(inputs, Array) or namespace(self.input_gain) is not np
        driven = jnp.asarray(inputs) if traced else np.asarray(inputs)
        drive = driven[..., self.input_feature] * self.input_gain
        return base + added_at(drive, self.input_source, base.shape[0])

    def elements(self, sources: Values | None = None) -> tuple[TwoTerminal, ...]:
        """The elements of each group, those that inputs drive at what `sources` says, (..., sources)."""
        own = tuple(branch.element for branch in self.branches)
        if sources is None or self.current_inputs is None:
            return own
        driven = CurrentSource(-sources[..., len(self.source_names) :])
        return (*own[: self.current_inputs], driven, *own[self.current_inputs + 1 :])

    def offsets(self, sources: Values) -> Values:
        """What the sources add to the nodes' voltages [V], (..., nodes)."""
        ties = self.tied
        return added_at(sources[..., ties.offset_source] * ties.offset_weight, ties.offset_node, self.nodes)

    @property
    def tied(self) -> Ties:
        """The ties of a circuit that has an energy.

        Raises:
            MhoError: if the circuit has none.
        """
        if self.ties is None:
            raise MhoError(
                "the circuit has no energy: it has controlled sources, or amplifiers whose two sides are joined by elements"
            )
        return self.ties

    def node_voltages(self, free: Values, offsets: Values) -> Values:
        """All nodes' voltages [V], (..., nodes), from the free groups', (..., free)."""
        ties = self.tied
        xp = namespace(free)
        padded = xp.concatenate([free, xp.zeros((*free.shape[:-1], 1), free.dtype)], -1)
        return ties.factor * padded[..., ties.group] + offsets

    def drive(self, inputs: Array | None) -> CircuitDrive:
        """Drive the sources with inputs of shape (batch, features); with none at their own voltages, a batch of one."""
        return CircuitDrive(self.sources(inputs) if inputs is not None else self.sources()[None])

    def held(self, drive: CircuitDrive) -> Values:
        """What the sources add to the nodes' voltages [V], (batch, nodes)."""
        return self.offsets(drive.sources)

    @property
    def output_weight(self) -> Values:
        """Π 1/A² over the amplifiers before the outputs; 1 of a circuit without an energy or an output."""
        if self.ties is None or not len(self.output):
            return 1.0
        return namespace(self.tied.scale).asarray(self.tied.scale)[self.output[0]]

    def output_forces(self, gradient: Array) -> Array:
        """At the outputs and, with the other sign, at their reference nodes; see `Network.output_forces`."""
        there = added_at(gradient, self.output, self.nodes)
        return there - added_at(gradient, self.reference, self.nodes)

    def kind_of(self, branches: Branches) -> str | None:
        """Which kind of parameter a group of elements has; None for resistors that are not programmable."""
        if isinstance(branches.element, ProgrammableResistor):
            return "conductance" if branches.programmable else None
        return "bias" if isinstance(branches.element, CurrentSource) else "element"

    def marked(self, kinds: tuple[str, ...]) -> Any:
        """Which leaves are parameters of these kinds: the circuit's structure with True and False."""
        marked = unmarked(self)
        for index, branches in enumerate(self.branches):
            if self.kind_of(branches) in kinds:
                real = jax.tree.map(lambda x: bool(jnp.issubdtype(x.dtype, jnp.inexact)), branches.element)
                marked = eqx.tree_at(lambda c, i=index: c.branches[i].element, marked, real)
        if "parameter" in kinds and self.programmables:
            marked = eqx.tree_at(lambda c: [p.value for p in c.programmables], marked, [True] * len(self.programmables))
        return without_polarities(marked)

    def consistent(self) -> "Circuit":
        """The circuit with what follows from its programmable parameters as they are now."""
        circuit = self
        for parameter in self.programmables:
            for use in parameter.uses:
                circuit = eqx.tree_at(use.of, circuit, use.put(use.of(circuit), parameter.value))
        return circuit

    def local_gradient(self, kinds: tuple[str, ...], drive: CircuitDrive, mean: Array, change: Array) -> Any:
        """By what stands across each resistor, and no more; see `Network.local_gradient`."""
        result: Any = jax.tree.map(lambda _: None, self)
        weights = [1.0] * len(self.branches) if self.ties is None else self.ties.weights
        for index, (branches, weight) in enumerate(zip(self.branches, weights, strict=True)):
            if "conductance" not in kinds or self.kind_of(branches) != "conductance":
                continue
            drop = mean[:, branches.first] - mean[:, branches.second]
            moved = change[:, branches.first] - change[:, branches.second]
            product = weight / self.output_weight * jnp.sum(drop * moved, 0)
            result = eqx.tree_at(
                lambda c, i=index: c.branches[i].element.conductance, result, product, is_leaf=lambda x: x is None
            )
        return result

    def energy(self, drive: CircuitDrive | None, voltages: Values) -> Values:
        """E = Σ w p(v_a − v_b) [W], (...), of node voltages of shape (..., nodes), those of the sources included.

        Raises:
            MhoError: if the circuit has no energy.
        """
        total = namespace(voltages).zeros(voltages.shape[:-1], voltages.dtype)
        elements = self.consistent().elements(None if drive is None else drive.sources)
        for branch, element, weight in zip(self.branches, elements, self.tied.weights, strict=True):
            drop = voltages[..., branch.first] - voltages[..., branch.second]
            total = total + (weight * element.co_content(drop)).sum(-1)
        return total

    def power(self, voltages: Values) -> Values:
        """Power dissipated in the elements, Σ v i [W], (...); no amplifier weights: this is no energy function."""
        total = namespace(voltages).zeros(voltages.shape[:-1], voltages.dtype)
        for branch in self.branches:
            drop = voltages[..., branch.first] - voltages[..., branch.second]
            total = total + (drop * branch.element.current(drop)).sum(-1)
        return total

    def prediction(self, voltages: Array) -> Array:
        """Output voltages, less their reference nodes' [V], (..., outputs)."""
        return voltages[..., self.output] - voltages[..., self.reference]

    def voltage(self, voltages: Array, name: str) -> Array:
        """A named node's voltage [V]."""
        return voltages[..., self.node_names.index(name, "node")]

    def group(self, name: str) -> Branches:
        """A group of elements by its name.

        Raises:
            InputError: if there is none.
        """
        for branch in self.branches:
            if branch.name == name:
                return branch
        raise InputError(f"unknown group of elements {name!r}; there are: {', '.join(b.name for b in self.branches)}")
