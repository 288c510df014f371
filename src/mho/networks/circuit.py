"""Circuits: any graph of elements between named nodes, with voltage sources, amplifiers and controlled sources.

Elements come in groups of arrays: a hundred thousand resistors are one `Branches` with three arrays. Voltage sources and
bidirectional amplifiers tie a node's voltage to another's; where these ties form a forest, as they do in every circuit
without a loop of sources, the tied voltages are eliminated and the energy of what is left is

    E(x) = Σ_k w_k p_k(v_a(k) − v_b(k)),    v = factor · x[group] + offset,

with p_k the elements' co-contents, x the voltages of the free groups of nodes and w_k = Π 1/A² over the amplifiers between
an element and the sources (Kendall et al. 2020, sections 3 and 4). Circuits with controlled sources have no energy.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mho.arrays import Values, added_at, namespace
from mho.errors import InputError, MhoError
from mho.networks.branches import Amplifiers, Behavioural, Branches, Controlled, Names
from mho.networks.ties import Ties


class Circuit(eqx.Module):
    """A circuit, as `CircuitBuilder` makes it. Node 0 is ground."""

    branches: tuple[Branches, ...]
    source_plus: Values
    source_minus: Values
    source_voltage: Values
    """Of the independent voltage sources [V], those that inputs drive included (at their voltage for an input of 0)."""
    input_source: Values
    """Which source each entry of the input map drives, (entries,)."""
    input_feature: Values
    """Which feature drives it, (entries,)."""
    input_gain: Values
    """Volts at the source for a feature of 1, (entries,)."""
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
    netlist: str | None = eqx.field(static=True, default=None)
    """Text of the netlist whose programmable resistors these are; None for a circuit that is of none."""

    @property
    def paired_outputs(self) -> bool:
        """False: an output with a reference node is one output, and what nudges it stands between the two."""
        return False

    @property
    def nodes(self) -> int:
        """Number of nodes, ground included."""
        return len(self.node_names)

    def sources(self, inputs: ArrayLike | Array | None = None) -> Values:
        """Source voltages [V], (sources,), or (batch, sources) for inputs of shape (batch, features)."""
        base = self.source_voltage
        if inputs is None:
            return base
        traced = isinstance(inputs, Array) or namespace(self.input_gain) is not np
        driven = jnp.asarray(inputs) if traced else np.asarray(inputs)
        drive = driven[..., self.input_feature] * self.input_gain
        return base + added_at(drive, self.input_source, base.shape[0])

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

    def energy(self, voltages: Values) -> Values:
        """E = Σ w p(v_a − v_b) [W], (...), of node voltages of shape (..., nodes).

        Raises:
            MhoError: if the circuit has no energy.
        """
        total = namespace(voltages).zeros(voltages.shape[:-1], voltages.dtype)
        for branch, weight in zip(self.branches, self.tied.weights, strict=True):
            drop = voltages[..., branch.first] - voltages[..., branch.second]
            total = total + (weight * branch.element.co_content(drop)).sum(-1)
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
