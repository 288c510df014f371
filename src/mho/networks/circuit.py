"""Circuits: any graph of elements between named nodes, with voltage sources, amplifiers and controlled sources.

Elements come in groups of arrays: a hundred thousand resistors are one `Branches` with three arrays. Voltage sources and
bidirectional amplifiers tie a node's voltage to another's; where these ties form a forest, as they do in every circuit
without a loop of sources, the tied voltages are eliminated and the energy of what is left is

    E(x) = Σ_k w_k p_k(v_a(k) − v_b(k)),    v = factor · x[group] + offset,

with p_k the elements' co-contents, x the voltages of the free groups of nodes and w_k = Π 1/A² over the amplifiers between
an element and the sources (Kendall et al. 2020, sections 3 and 4). Circuits with controlled sources have no energy.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import csgraph

from mho.elements import (
    CurrentSource,
    IdealDiode,
    JunctionDiode,
    ProgrammableResistor,
    TwoTerminal,
)
from mho.errors import InputError, MhoError
from mho.networks.crossbar import DenseCrossbar, MirroredCrossbar
from mho.networks.layered import LayeredNetwork

Values = Array | np.ndarray
Nodes = ArrayLike | Sequence[Hashable]


class Names:
    """Names that compare by identity, so that compiled functions need not compare 100,000 strings at each call."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._index: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> str:
        return self._names[index]

    def index(self, name: str, kind: str) -> int:
        """Where a name stands.

        Raises:
            InputError: if it is not there; `kind` says what it names.
        """
        if self._index is None:
            self._index = {known: i for i, known in enumerate(self._names)}
        if name not in self._index:
            raise InputError(f"unknown {kind} {name!r}: no such {kind} in the circuit")
        return self._index[name]


class Branches(eqx.Module):
    """A group of elements of one kind, each from its first to its second node."""

    name: str = eqx.field(static=True)
    first: Values
    """Node numbers, (branches,)."""
    second: Values
    """Node numbers, (branches,)."""
    element: TwoTerminal
    """Parameters of shape (branches,)."""
    programmable: bool = eqx.field(static=True, default=False)
    """Whether the elements' conductances are weights to be trained."""


class Amplifiers(eqx.Module):
    """Bidirectional amplifiers, each from a near node to a far node; both sides refer to ground."""

    near: Values
    far: Values
    gain: Values
    """A, not 0."""


class Controlled(eqx.Module):
    """SPICE's four linear controlled sources; none has an energy.

    A VCVS ("e") and a VCCS ("g") are controlled by the voltage between two nodes, a CCCS ("f") and a CCVS ("h") by the
    current through an independent voltage source, from its positive node through the source to the negative one.
    """

    kind: str = eqx.field(static=True)
    plus: Values
    minus: Values
    control: Values
    """Control nodes (plus, minus), (2, sources), or numbers of voltage sources, (sources,)."""
    gain: Values
    """V/V, S, A/A or Ω."""


class Ties(eqx.Module):
    """The forest of voltage sources and amplifiers: how each tied node's voltage follows from another's.

    Arrays are ordered so that a parent's own tie comes in an earlier level.
    """

    levels: tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]
    """For each level: children, parents, sources (or −1), signs of the sources (0: an amplifier), gains."""
    factor: Values
    """(nodes,)."""
    group: Values
    """Number of the free voltage behind each node, (nodes,); `free` for held nodes."""
    offset_node: np.ndarray
    offset_source: np.ndarray
    offset_weight: Values
    """offset[offset_node] += offset_weight · source voltage."""
    weights: tuple[Values, ...]
    """w of each branch, group by group."""
    scale: Values
    """Π 1/A² over the amplifiers before each node, (nodes,): the weight of what is attached there."""
    root: np.ndarray
    """A node of each free group, (free,): for messages."""
    free: int = eqx.field(static=True)


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
    ties: Ties | None
    """None where the circuit has no energy."""
    node_names: Names = eqx.field(static=True)
    source_names: Names = eqx.field(static=True)

    @property
    def nodes(self) -> int:
        """Number of nodes, ground included."""
        return len(self.node_names)

    def sources(self, inputs: ArrayLike | Array | None = None) -> Array:
        """Source voltages [V], (sources,), or (batch, sources) for inputs of shape (batch, features)."""
        base = jnp.asarray(self.source_voltage)
        if inputs is None:
            return base
        driven = jnp.asarray(inputs, base.dtype)
        drive = driven[..., self.input_feature] * self.input_gain
        return jnp.broadcast_to(base, (*driven.shape[:-1], base.shape[0])).at[..., self.input_source].add(drive)

    def offsets(self, sources: Array) -> Array:
        """What the sources add to the nodes' voltages [V], (..., nodes)."""
        ties = self.tied
        shape = (*sources.shape[:-1], self.nodes)
        contributions = sources[..., ties.offset_source] * ties.offset_weight
        return jnp.zeros(shape, sources.dtype).at[..., ties.offset_node].add(contributions)

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

    def node_voltages(self, free: Array, offsets: Array) -> Array:
        """All nodes' voltages [V], (..., nodes), from the free groups', (..., free)."""
        ties = self.tied
        padded = jnp.concatenate([free, jnp.zeros((*free.shape[:-1], 1), free.dtype)], -1)
        return jnp.asarray(ties.factor) * padded[..., ties.group] + offsets

    def energy(self, voltages: Array) -> Array:
        """E = Σ w p(v_a − v_b) [W], (...), of node voltages of shape (..., nodes).

        Raises:
            MhoError: if the circuit has no energy.
        """
        total = jnp.zeros(voltages.shape[:-1], voltages.dtype)
        for branch, weight in zip(self.branches, self.tied.weights, strict=True):
            drop = voltages[..., branch.first] - voltages[..., branch.second]
            total = total + jnp.sum(weight * branch.element.co_content(drop), -1)
        return total

    def power(self, voltages: Array) -> Array:
        """Power dissipated in the elements, Σ v i [W], (...); no amplifier weights: this is no energy function."""
        total = jnp.zeros(voltages.shape[:-1], voltages.dtype)
        for branch in self.branches:
            drop = voltages[..., branch.first] - voltages[..., branch.second]
            total = total + jnp.sum(drop * branch.element.current(drop), -1)
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


class CircuitBuilder:
    """Builds a circuit, group by group. Nodes are named by strings or integers; 0 and "gnd" are ground, as in SPICE.

    Example: a voltage divider with a diode across its lower half.

        builder = CircuitBuilder()
        builder.add_voltage_source("in", 0, 2.0, name="vin")
        builder.add_resistors(["in", "out"], ["out", 0], [1e-3, 5e-4])
        builder.add_diodes("out", 0)
        builder.set_outputs("out")
        circuit = builder.build()
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"0": 0, "gnd": 0}
        self._names = ["0"]
        self._branches: list[Branches] = []
        self._sources: list[tuple[int, int, float, str]] = []
        self._inputs: list[tuple[str, int, float]] = []
        self._outputs: tuple[list[str], list[str]] = ([], [])
        self._amplifiers: list[tuple[int, int, float, str]] = []
        self._controlled: list[tuple[str, int, int, tuple[int, int] | str, float, str]] = []

    def _number(self, nodes: Nodes) -> np.ndarray:
        """Node numbers of one or many names, new ones for new names."""
        array = np.atleast_1d(np.asarray(nodes))
        if array.dtype.kind in "iu":
            # Integers are looked up once each: a lattice's node has several branches.
            unique, inverse = np.unique(array, return_inverse=True)
            return np.array([self._number_of(str(n)) for n in unique.tolist()], np.int32)[inverse.reshape(-1)]
        return np.array([self._number_of(str(n)) for n in array.reshape(-1).tolist()], np.int32)

    def _number_of(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def add_elements(
        self,
        first: Nodes,
        second: Nodes,
        element: TwoTerminal,
        *,
        name: str,
        programmable: bool = False,
    ) -> None:
        """A group of elements; node arrays of lengths n or 1, parameters of shape (n,) or ().

        Raises:
            InputError: if the shapes do not fit, the name is taken or the element has no finite law.
        """
        if isinstance(element, IdealDiode):
            raise InputError(
                f"{name}: ideal diodes have no finite slope; use JunctionDiode, ShockleyDiode or PiecewiseDiode"
            )
        if any(b.name == name for b in self._branches):
            raise InputError(f"group of elements {name!r}: the name is taken; give each group its own")
        a, b = self._number(first), self._number(second)
        arrays = [np.asarray(p) for p in jax.tree.leaves(element)]
        try:
            shape = np.broadcast_shapes(a.shape, b.shape, *(p.shape for p in arrays))
        except ValueError:
            sizes = ", ".join(str(x.shape) for x in (a, b, *arrays))
            raise InputError(f"{name}: nodes and parameters of shapes {sizes} do not fit together") from None
        if len(shape) != 1:
            raise InputError(f"{name}: parameters must be scalars or have one entry an element, not shape {shape}")
        a, b = np.broadcast_to(a, shape).copy(), np.broadcast_to(b, shape).copy()
        whole = _with_parameters(element, [np.broadcast_to(p, shape).copy() for p in arrays])
        self._branches.append(Branches(name, a, b, whole, programmable))

    def add_resistors(
        self,
        first: Nodes,
        second: Nodes,
        conductance: ArrayLike,
        *,
        name: str = "resistors",
        labels: Sequence[str] | None = None,
        programmable: bool = False,
        lower: float = 1e-7,
        upper: float = float("inf"),
    ) -> None:
        """Resistors of given conductances [S]; `labels` name them in messages; programmable ones stay in [lower, upper].

        Raises:
            InputError: for a conductance that is not positive and finite; see also `add_elements`.
        """
        g: Any = np.asarray(conductance, np.float64)
        bad = np.flatnonzero(~(np.isfinite(g) & (g > 0)).reshape(-1))
        if bad.size:
            k = int(bad[0])
            label = labels[k] if labels is not None else f"{name}[{k}]"
            ends = (np.atleast_1d(np.asarray(n)) for n in (first, second))
            a, b = (str(n[k if len(n) > 1 else 0]) for n in ends)
            value = g.reshape(-1)[k]
            raise InputError(f"{label} ({a} to {b}): conductance {value:g} S; must be positive and finite")
        element = ProgrammableResistor(g, lower, upper)
        self.add_elements(first, second, element, name=name, programmable=programmable)

    def add_diodes(
        self, anode: Nodes, cathode: Nodes, diode: JunctionDiode | None = None, *, name: str = "diodes"
    ) -> None:
        """Diodes; SPICE's default model if none is given."""
        self.add_elements(anode, cathode, JunctionDiode.from_model() if diode is None else diode, name=name)

    def add_current_sources(
        self, first: Nodes, second: Nodes, current: ArrayLike, *, name: str = "current-sources"
    ) -> None:
        """Current sources [A], which drive from the first node through themselves to the second, as SPICE's do."""
        injected: Any = -np.asarray(current, np.float64)
        self.add_elements(first, second, CurrentSource(injected), name=name)

    def add_voltage_source(self, plus: Hashable, minus: Hashable, voltage: float, *, name: str) -> None:
        """A voltage source [V] between any two nodes."""
        self.add_voltage_sources([plus], [minus], [voltage], [name])

    def add_voltage_sources(self, plus: Nodes, minus: Nodes, voltage: ArrayLike, names: Sequence[str]) -> None:
        """Voltage sources [V] between pairs of nodes.

        Raises:
            InputError: if a name is taken or a voltage is not finite.
        """
        a, b = self._number(plus), self._number(minus)
        a, b, volts = np.broadcast_arrays(a, b, np.asarray(voltage, np.float64))
        if len(names) != a.size:
            raise InputError(f"{len(names)} names for {a.size} voltage sources")
        taken = {s[3] for s in self._sources}
        for p, m, v, name in zip(a.tolist(), b.tolist(), volts.tolist(), names, strict=True):
            if name in taken:
                raise InputError(f"voltage source {name!r}: the name is taken")
            if not np.isfinite(v):
                raise InputError(f"voltage source {name!r}: {v} V; must be finite")
            taken.add(name)
            self._sources.append((p, m, v, name))

    def add_amplifiers(self, near: Nodes, far: Nodes, gain: ArrayLike, *, name: str = "amplifiers") -> None:
        """Bidirectional amplifiers: the far node at A times the near one, 1/A of the far current drawn from the near."""
        a, b = self._number(near), self._number(far)
        gains = np.broadcast_to(np.asarray(gain, np.float64), a.shape)
        for k, (n, f, value) in enumerate(zip(a.tolist(), b.tolist(), gains.tolist(), strict=True)):
            if not (np.isfinite(value) and value != 0):
                raise InputError(f"{name}[{k}]: gain {value:g}; must be finite and not 0")
            self._amplifiers.append((n, f, value, f"{name}[{k}]"))

    def add_vcvs(
        self,
        plus: Hashable,
        minus: Hashable,
        control_plus: Hashable,
        control_minus: Hashable,
        gain: float,
        *,
        name: str,
    ) -> None:
        """Voltage-controlled voltage source of `gain` V/V (SPICE's E)."""
        self._add_controlled("e", plus, minus, (control_plus, control_minus), gain, name)

    def add_vccs(
        self,
        first: Hashable,
        second: Hashable,
        control_plus: Hashable,
        control_minus: Hashable,
        gain: float,
        *,
        name: str,
    ) -> None:
        """Voltage-controlled current source of `gain` S, from the first node through itself to the second (SPICE's G)."""
        self._add_controlled("g", first, second, (control_plus, control_minus), gain, name)

    def add_cccs(self, first: Hashable, second: Hashable, source: str, gain: float, *, name: str) -> None:
        """Current-controlled current source of `gain` A/A, controlled by a voltage source's current (SPICE's F)."""
        self._add_controlled("f", first, second, source, gain, name)

    def add_ccvs(self, plus: Hashable, minus: Hashable, source: str, gain: float, *, name: str) -> None:
        """Current-controlled voltage source of `gain` Ω, controlled by a voltage source's current (SPICE's H)."""
        self._add_controlled("h", plus, minus, source, gain, name)

    def _add_controlled(
        self,
        kind: str,
        plus: Hashable,
        minus: Hashable,
        control: tuple[Hashable, Hashable] | str,
        gain: float,
        name: str,
    ) -> None:
        if not np.isfinite(gain):
            raise InputError(f"controlled source {name!r}: gain {gain}; must be finite")
        p, m = self._number_of(str(plus)), self._number_of(str(minus))
        by = (
            control
            if isinstance(control, str)
            else (self._number_of(str(control[0])), self._number_of(str(control[1])))
        )
        self._controlled.append((kind, p, m, by, float(gain), name))

    def set_inputs(
        self, sources: Sequence[str], *, features: Sequence[int] | None = None, gains: ArrayLike = 1.0
    ) -> None:
        """Which voltage sources stand for which features of the input: source k adds gains[k] · input[features[k]] volts.

        Without `features`, source k follows feature k.
        """
        chosen = range(len(sources)) if features is None else features
        gains = np.broadcast_to(np.asarray(gains, np.float64), (len(sources),))
        self._inputs = list(zip(sources, [int(f) for f in chosen], gains.tolist(), strict=True))

    def set_outputs(
        self, nodes: Hashable | Sequence[Hashable], *, references: Sequence[Hashable] | None = None
    ) -> None:
        """Which nodes' voltages (less the reference nodes' voltages) are the prediction."""
        plus = [str(n) for n in np.atleast_1d(np.asarray(nodes)).tolist()]
        minus = ["0"] * len(plus) if references is None else [str(n) for n in references]
        if len(minus) != len(plus):
            raise InputError(f"{len(minus)} reference nodes for {len(plus)} outputs")
        self._outputs = (plus, minus)

    def build(self) -> Circuit:
        """The circuit, checked.

        Raises:
            InputError: for an output or an input that names an unknown node or source, a loop of voltage sources, or a
                node without a conductive path to ground.
        """
        nodes, sources = Names(self._names), Names([s[3] for s in self._sources])
        plus, minus = (np.array([s[i] for s in self._sources], np.int32) for i in (0, 1))
        amplifiers = None
        if self._amplifiers:
            near, far = (np.array([a[i] for a in self._amplifiers], np.int32) for i in (0, 1))
            amplifiers = Amplifiers(near, far, np.array([a[2] for a in self._amplifiers]))
        controlled = self._controlled_groups(sources)
        outputs = [[self._existing(n) for n in side] for side in self._outputs]
        self._check_source_loops()
        self._check_floating(nodes)
        ties = None if controlled else _ties(self._branches, plus, minus, amplifiers, len(nodes), self._amplifier_names)
        return Circuit(
            branches=tuple(self._branches),
            source_plus=plus,
            source_minus=minus,
            source_voltage=np.array([s[2] for s in self._sources], np.float64),
            input_source=np.array([sources.index(s, "voltage source") for s, _, _ in self._inputs], np.int32),
            input_feature=np.array([f for _, f, _ in self._inputs], np.int32),
            input_gain=np.array([g for _, _, g in self._inputs], np.float64),
            output=np.array(outputs[0], np.int32),
            reference=np.array(outputs[1], np.int32),
            amplifiers=amplifiers,
            controlled=controlled,
            ties=ties,
            node_names=nodes,
            source_names=sources,
        )

    def _existing(self, name: str) -> int:
        if name not in self._numbers:
            raise InputError(f"unknown node {name!r}: no element of the circuit is connected to it")
        return self._numbers[name]

    @property
    def _amplifier_names(self) -> list[str]:
        return [a[3] for a in self._amplifiers]

    def _controlled_groups(self, sources: Names) -> tuple[Controlled, ...]:
        groups = []
        for kind in "egfh":
            rows = [c for c in self._controlled if c[0] == kind]
            if not rows:
                continue
            if kind in "eg":
                control = np.array([c[3] for c in rows], np.int32).T
            else:
                control = np.array([sources.index(str(c[3]), "voltage source") for c in rows], np.int32)
            p, m = (np.array([c[i] for c in rows], np.int32) for i in (1, 2))
            groups.append(Controlled(kind, p, m, control, np.array([c[4] for c in rows])))
        return tuple(groups)

    def _voltage_edges(self) -> list[tuple[int, int, str]]:
        """Node pairs whose voltage some source fixes, with the source's name."""
        edges = [(p, m, name) for p, m, _, name in self._sources]
        edges += [(f, 0, name) for _, f, _, name in self._amplifiers]
        return edges + [(p, m, name) for kind, p, m, _, _, name in self._controlled if kind in "eh"]

    def _check_source_loops(self) -> None:
        adjacent: dict[int, list[tuple[int, str]]] = {}
        parent = list(range(len(self._names)))

        def top(n: int) -> int:
            while parent[n] != n:
                parent[n] = parent[parent[n]]
                n = parent[n]
            return n

        for p, m, name in self._voltage_edges():
            a, b = top(p), top(m)
            if a == b:
                loop = [name, *_path(adjacent, p, m)]
                raise InputError(f"loop of voltage sources: {', '.join(loop)}; remove one or put a resistor in series")
            parent[a] = b
            adjacent.setdefault(p, []).append((m, name))
            adjacent.setdefault(m, []).append((p, name))

    def _check_floating(self, nodes: Names) -> None:
        conducting = [b for b in self._branches if not isinstance(b.element, CurrentSource)]
        edges = self._voltage_edges()
        first = np.concatenate([*(b.first for b in conducting), np.array([e[0] for e in edges], np.int32)])
        second = np.concatenate([*(b.second for b in conducting), np.array([e[1] for e in edges], np.int32)])
        part = _components(first, second, len(nodes))
        floating = np.flatnonzero(part != part[0])
        if floating.size:
            more = f" (and {floating.size - 1} more)" if floating.size > 1 else ""
            raise InputError(
                f"floating node {nodes[int(floating[0])]!r}{more}: no conductive path to ground; connect it by a resistor"
            )


def _with_parameters(element: TwoTerminal, parameters: list[np.ndarray]) -> TwoTerminal:
    return jax.tree.unflatten(jax.tree.structure(element), parameters)


def _components(first: np.ndarray, second: np.ndarray, nodes: int) -> np.ndarray:
    """Number of the connected part that each node belongs to."""
    graph = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), shape=(nodes, nodes))
    return csgraph.connected_components(graph, directed=False)[1]


def _path(adjacent: dict[int, list[tuple[int, str]]], start: int, end: int) -> list[str]:
    """Names of the edges on the way from a node to another in a forest."""
    came: dict[int, tuple[int, str]] = {}
    stack, seen = [start], {start}
    while stack:
        here = stack.pop()
        for there, name in adjacent.get(here, []):
            if there not in seen:
                seen.add(there)
                came[there] = (here, name)
                stack.append(there)
    names = []
    while end != start:
        end, name = came[end]
        names.append(name)
    return names


def _ties(
    branches: list[Branches],
    plus: np.ndarray,
    minus: np.ndarray,
    amplifiers: Amplifiers | None,
    nodes: int,
    amplifier_names: list[str],
) -> Ties | None:
    """The forest of voltage sources and amplifiers, or None where amplifiers leave the circuit without an energy."""
    adjacent: dict[int, list[tuple[int, int, float]]] = {}
    for k, (p, m) in enumerate(zip(plus.tolist(), minus.tolist(), strict=True)):
        adjacent.setdefault(p, []).append((m, k, -1.0))
        adjacent.setdefault(m, []).append((p, k, 1.0))
    part = _components(plus, minus, nodes)
    depth = np.full(nodes, -1, np.int64)
    rows: list[tuple[int, int, int, int, float, float]] = []

    def spread(root: int, level: int) -> None:
        """Tie all nodes that sources join to `root`."""
        depth[root] = level
        queue = [root]
        while queue:
            here = queue.pop()
            for there, source, sign in adjacent.get(here, []):
                if depth[there] < 0:
                    depth[there] = depth[here] + 1
                    rows.append((int(depth[there]), there, here, source, sign, 1.0))
                    queue.append(there)

    far_of: dict[int, tuple[int, int, float]] = {}
    if amplifiers is not None:
        for n, f, g in zip(
            amplifiers.near.tolist(), amplifiers.far.tolist(), np.asarray(amplifiers.gain).tolist(), strict=True
        ):
            far_of[int(part[f])] = (n, f, g)
    spread(0, 0)
    driven = set(far_of)
    for node in adjacent:
        if depth[node] < 0 and int(part[node]) not in driven:
            spread(node, 0)
    if amplifiers is not None:
        for node in np.unique(np.asarray(amplifiers.near)).tolist():
            if depth[node] < 0 and int(part[node]) not in driven:
                spread(node, 0)
        waiting = dict(far_of)
        while waiting:
            ready = [key for key, (near, _, _) in waiting.items() if depth[near] >= 0]
            if not ready:
                return None
            for key in ready:
                near, far, gain = waiting.pop(key)
                depth[far] = depth[near] + 1
                rows.append((int(depth[far]), far, near, -1, 0.0, gain))
                spread(far, int(depth[far]))

    levels = []
    rows.sort()
    factor = np.ones(nodes)
    root = np.arange(nodes)
    factor[0] = 0.0
    paths = sparse.csr_array((nodes, len(plus)))
    for level in sorted({r[0] for r in rows}):
        at = [r for r in rows if r[0] == level]
        child, parent, source = (np.array([r[i] for r in at], np.int32) for i in (1, 2, 3))
        sign, gain = (np.array([r[i] for r in at], np.float64) for i in (4, 5))
        levels.append((child, parent, source, sign, gain))
        factor[child] = factor[parent] * gain
        root[child] = root[parent]
        real = source >= 0
        step = sparse.csr_array((sign[real], (child[real], source[real])), shape=(nodes, len(plus)))
        carry = sparse.csr_array((gain, (child, parent)), shape=(nodes, nodes))
        paths = paths + carry @ paths + step
    held = root == 0
    factor[held] = 0.0
    free_roots = np.flatnonzero((root == np.arange(nodes)) & ~held)
    number = np.full(nodes, len(free_roots), np.int32)
    number[free_roots] = np.arange(len(free_roots), dtype=np.int32)
    coo = sparse.coo_array(paths)
    scale = _scales(branches, levels, held, nodes, amplifiers is not None)
    if scale is None:
        return None
    weights = tuple(
        np.where(held[b.first], np.where(held[b.second], 1.0, scale[b.second]), scale[b.first]) for b in branches
    )
    return Ties(
        levels=tuple(levels),
        factor=factor,
        group=number[root],
        offset_node=coo.row.astype(np.int32),
        offset_source=coo.col.astype(np.int32),
        offset_weight=coo.data,
        weights=weights,
        scale=scale,
        root=free_roots,
        free=len(free_roots),
    )


def _scales(
    branches: list[Branches], levels: list[tuple], held: np.ndarray, nodes: int, amplified: bool
) -> np.ndarray | None:
    """1/Π A² at every node over the amplifiers behind which it stands; None where two ways give two values."""
    if not amplified:
        return np.ones(nodes)
    ends = [(b.first, b.second) for b in branches]
    ends += [(level[0][level[2] >= 0], level[1][level[2] >= 0]) for level in levels]
    first, second = (np.concatenate([np.asarray(e[i]) for e in ends]) for i in (0, 1))
    inner = ~held[first] & ~held[second]
    part = _components(first[inner], second[inner], nodes)
    by_part: dict[int, list[tuple[int, float]]] = {}
    entered = set()
    for child, parent, source, _, gain in levels:
        for c, p, s, g in zip(child.tolist(), parent.tolist(), source.tolist(), gain.tolist(), strict=True):
            if s < 0 and not held[p]:
                by_part.setdefault(int(part[p]), []).append((int(part[c]), 1.0 / g**2))
                entered.add(int(part[c]))
    scale = np.full(int(part.max()) + 1, np.nan)
    scale[[k for k in range(len(scale)) if k not in entered]] = 1.0
    stack = [k for k in by_part if k not in entered]
    while stack:
        here = stack.pop()
        for there, ratio in by_part.get(here, []):
            value = scale[here] * ratio
            if np.isnan(scale[there]):
                scale[there] = value
                stack.append(there)
            elif not np.isclose(scale[there], value, rtol=1e-12):
                return None
    if np.isnan(scale).any():
        return None
    return scale[part]


def layered_circuit(network: LayeredNetwork) -> Circuit:
    """The same network as a circuit, resistor by resistor, for the tools that take any circuit.

    Nodes: `p0…` and `m0…` are the sources at ±input, `h{l}_{i}` the nodes of layer l (`a{l}_{i}` behind its amplifiers),
    `out{i}` the outputs.

    Raises:
        InputError: for elements without a finite law (ideal diodes).
    """
    builder = CircuitBuilder()
    first = network.layers[0].crossbar
    if not isinstance(first, MirroredCrossbar):
        raise InputError("the first layer has no mirrored crossbar: its sources are not known")
    pairs = first.shape[0]
    rows = {sign: [f"{sign}{i}" for i in range(pairs)] for sign in "pm"}
    features = pairs - (network.bias_line is not None)
    for sign, factor in (("p", 1.0), ("m", -1.0)):
        held = np.zeros(pairs)
        if network.bias_line is not None:
            held[-1] = factor * network.bias_line
        builder.add_voltage_sources(rows[sign], ["0"] * pairs, held, [f"v{r}" for r in rows[sign]])
    builder.set_inputs(
        [f"v{sign}{i}" for sign in "pm" for i in range(features)],
        features=[*range(features)] * 2,
        gains=np.repeat([network.input_gain, -network.input_gain], features),
    )
    behind: list[str] = []
    last = len(network.layers) - 1
    for index, layer in enumerate(network.layers):
        width = layer.crossbar.shape[1]
        here = [f"out{i}" if index == last else f"h{index + 1}_{i}" for i in range(width)]
        crossbar = layer.crossbar
        if isinstance(crossbar, MirroredCrossbar):
            parts = [(rows["p"], crossbar.plus, "_plus"), (rows["m"], crossbar.minus, "_minus")]
        elif isinstance(crossbar, DenseCrossbar):
            parts = [(behind, crossbar.resistors, "")]
        else:
            raise InputError(f"layer {index + 1}: a {type(crossbar).__name__} has no circuit of single resistors")
        for names, resistors, suffix in parts:
            builder.add_resistors(
                np.repeat(names, width),
                np.tile(here, len(names)),
                np.asarray(resistors.conductance, np.float64).reshape(-1),
                name=f"crossbar{index + 1}{suffix}",
                programmable=True,
                lower=resistors.lower,
                upper=resistors.upper,
            )
        if layer.element is not None:
            builder.add_elements(here, 0, layer.element, name=f"element{index + 1}")
        if layer.bias is not None:
            builder.add_elements(here, 0, layer.bias, name=f"bias{index + 1}")
        behind = here
        if layer.amplifier is not None:
            behind = [f"a{index + 1}_{i}" for i in range(width)]
            gain = np.asarray(layer.amplifier.gain, np.float64)
            builder.add_amplifiers(here, behind, gain, name=f"amplifier{index + 1}")
    if network.paired_outputs:
        half = len(behind) // 2
        builder.set_outputs(behind[:half], references=behind[half:])
    else:
        builder.set_outputs(behind)
    return builder.build()
