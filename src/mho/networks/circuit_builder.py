"""The builder of circuits: groups of elements between named nodes, checked as a whole."""

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.elements import ControlledLaw, CurrentSource, IdealDiode, JunctionDiode, ProgrammableResistor, TwoTerminal
from mho.errors import InputError
from mho.networks.branches import Amplifiers, Behavioural, Branches, Controlled, Names
from mho.networks.circuit import Circuit
from mho.networks.connectivity import components, path
from mho.networks.ties import tie_forest

Nodes = ArrayLike | Sequence[Hashable]


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
        self._controlled: list[tuple[str, list[np.ndarray], list[str], np.ndarray, list[str]]] = []
        self._behavioural: list[tuple[str, np.ndarray, np.ndarray, list[list[str]], ControlledLaw, list[str]]] = []

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
        labels: Sequence[str] | None = None,
    ) -> None:
        """A group of elements: nodes of lengths n or 1, parameters of shape (n,) or (); `labels` name them in messages.

        Raises:
            InputError: if the shapes do not fit, the name is taken or the element has no finite law.
        """
        parts = jax.tree.leaves(element, is_leaf=lambda part: isinstance(part, IdealDiode))
        if any(isinstance(part, IdealDiode) for part in parts):
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
        named = None if labels is None else Names(labels)
        self._branches.append(Branches(name, a, b, whole, programmable, named))

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
        self.add_elements(first, second, element, name=name, programmable=programmable, labels=labels)

    def add_diodes(
        self,
        anode: Nodes,
        cathode: Nodes,
        diode: JunctionDiode | None = None,
        *,
        name: str = "diodes",
        labels: Sequence[str] | None = None,
    ) -> None:
        """Diodes; SPICE's default model if none is given."""
        element = JunctionDiode.from_model() if diode is None else diode
        self.add_elements(anode, cathode, element, name=name, labels=labels)

    def add_current_sources(
        self,
        first: Nodes,
        second: Nodes,
        current: ArrayLike,
        *,
        name: str = "current-sources",
        labels: Sequence[str] | None = None,
    ) -> None:
        """Current sources [A], which drive from the first node through themselves to the second, as SPICE's do."""
        injected: Any = -np.asarray(current, np.float64)
        self.add_elements(first, second, CurrentSource(injected), name=name, labels=labels)

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
        """Bidirectional amplifiers: the far node at A times the near one, 1/A of the far current drawn from the near.

        Raises:
            InputError: if a gain is 0 or not finite.
        """
        a, b = self._number(near), self._number(far)
        gains = np.broadcast_to(np.asarray(gain, np.float64), a.shape)
        for k, (n, f, value) in enumerate(zip(a.tolist(), b.tolist(), gains.tolist(), strict=True)):
            if not (np.isfinite(value) and value != 0):
                raise InputError(f"{name}[{k}]: gain {value:g}; must be finite and not 0")
            self._amplifiers.append((n, f, value, f"{name}[{k}]"))

    def add_vcvs(
        self,
        plus: Nodes,
        minus: Nodes,
        control_plus: Nodes,
        control_minus: Nodes,
        gain: ArrayLike,
        *,
        name: str | Sequence[str],
    ) -> None:
        """Voltage-controlled voltage sources of `gain` V/V (SPICE's E); one, or arrays of them with as many names.

        Raises:
            InputError: if a gain is not finite, or the shapes do not fit.
        """
        self._add_controlled("e", plus, minus, (control_plus, control_minus), gain, name)

    def add_vccs(
        self,
        first: Nodes,
        second: Nodes,
        control_plus: Nodes,
        control_minus: Nodes,
        gain: ArrayLike,
        *,
        name: str | Sequence[str],
    ) -> None:
        """Voltage-controlled current sources of `gain` S, from the first node through them to the second (SPICE's G)."""
        self._add_controlled("g", first, second, (control_plus, control_minus), gain, name)

    def add_cccs(
        self, first: Nodes, second: Nodes, source: str | Sequence[str], gain: ArrayLike, *, name: str | Sequence[str]
    ) -> None:
        """Current-controlled current sources of `gain` A/A, by the current of a V, E or H source (SPICE's F)."""
        self._add_controlled("f", first, second, source, gain, name)

    def add_ccvs(
        self, plus: Nodes, minus: Nodes, source: str | Sequence[str], gain: ArrayLike, *, name: str | Sequence[str]
    ) -> None:
        """Current-controlled voltage sources of `gain` Ω, by the current of a V, E or H source (SPICE's H)."""
        self._add_controlled("h", plus, minus, source, gain, name)

    def _add_controlled(
        self,
        kind: str,
        plus: Nodes,
        minus: Nodes,
        control: tuple[Nodes, Nodes] | str | Sequence[str],
        gain: ArrayLike,
        name: str | Sequence[str],
    ) -> None:
        names = [name] if isinstance(name, str) else list(name)
        gains = np.broadcast_to(np.asarray(gain, np.float64), len(names))
        bad = np.flatnonzero(~np.isfinite(gains))
        if bad.size:
            raise InputError(f"controlled source {names[bad[0]]!r}: gain {gains[bad[0]]}; must be finite")
        ends = [self._number(plus), self._number(minus)]
        if isinstance(control, tuple):
            ends += [self._number(control[0]), self._number(control[1])]
            by: Any = ()
        else:
            by = [control] if isinstance(control, str) else list(control)
        if {len(x) for x in (*ends, *([by] if by else []))} != {len(names)}:
            raise InputError(f"controlled sources {names[0]!r} ...: as many nodes, controls and names are needed")
        self._controlled.append((kind, ends, by, gains, names))

    def add_behavioural_sources(
        self,
        plus: Nodes,
        minus: Nodes,
        sensed: Sequence[Sequence[str]],
        law: ControlledLaw,
        *,
        kind: Literal["i", "v"],
        names: Sequence[str],
    ) -> None:
        """Behavioural sources of one law: currents ("i", from plus through them to minus) or voltages ("v").

        Args:
            plus: nodes, (n,).
            minus: nodes, (n,).
            sensed: what each of the n sources senses, k each: "v:NODE" for a node's voltage, "i:SOURCE" for the current
                through a V, E, H or behavioural voltage source, from its positive node through it to the negative one.
            law: f of n rows of k values.
            kind: what f gives, amperes or volts.
            names: a name for each source; those of voltages join `Circuit.branch_names`.

        Raises:
            InputError: if the shapes do not fit.
        """
        a, b = self._number(plus), self._number(minus)
        if not len(a) == len(b) == len(sensed) == len(names) or len({len(s) for s in sensed}) > 1:
            raise InputError(
                f"behavioural sources {names[0]!r} ...: as many nodes, sensed quantities and names are needed"
            )
        for quantity in {q for s in sensed for q in s if q.startswith("v:")}:
            self._number_of(quantity[2:])
        self._behavioural.append((kind, a, b, [list(s) for s in sensed], law, list(names)))

    def set_inputs(
        self, sources: Sequence[str], *, features: Sequence[int] | None = None, gains: ArrayLike = 1.0
    ) -> None:
        """Which sources stand for which features of the input: source k adds gains[k] · input[features[k]] volts.

        Without `features`, source k follows feature k. A name of `add_current_sources`, all of whose sources that take
        inputs must be of one group, stands for amperes.
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
        branches = self._branch_names()
        controlled = self._controlled_groups(branches)
        behavioural = self._behavioural_groups(branches)
        outputs = [[self._existing(n) for n in side] for side in self._outputs]
        driven = self._current_inputs()
        self._check_source_loops()
        self._check_floating(nodes, controlled, behavioural)
        ties = (
            None
            if controlled or behavioural
            else tie_forest(self._branches, plus, minus, amplifiers, len(nodes), self._amplifier_names)
        )
        return Circuit(
            branches=tuple(self._branches),
            source_plus=plus,
            source_minus=minus,
            source_voltage=np.array([s[2] for s in self._sources], np.float64),
            input_source=np.array([self._driven(s, sources, driven) for s, _, _ in self._inputs], np.int32),
            input_feature=np.array([f for _, f, _ in self._inputs], np.int32),
            input_gain=np.array([g for _, _, g in self._inputs], np.float64),
            output=np.array(outputs[0], np.int32),
            reference=np.array(outputs[1], np.int32),
            amplifiers=amplifiers,
            controlled=controlled,
            behavioural=behavioural,
            ties=ties,
            node_names=nodes,
            source_names=sources,
            branch_names=branches,
            current_inputs=driven,
        )

    def _driven(self, name: str, sources: Names, group: int | None) -> int:
        """Where an input's source stands in `Circuit.sources`."""
        labels = None if group is None else self._branches[group].labels
        if labels is not None and name in labels:
            return len(sources) + labels.index(name, "source")
        return sources.index(name, "voltage source")

    def _current_inputs(self) -> int | None:
        """Which group has the current sources that inputs drive."""
        names = {name for name, _, _ in self._inputs}
        found = [
            k
            for k, b in enumerate(self._branches)
            if isinstance(b.element, CurrentSource) and b.labels is not None and any(n in b.labels for n in names)
        ]
        if len(found) > 1:
            raise InputError("inputs drive current sources of two groups: put them into one")
        return found[0] if found else None

    def _existing(self, name: str) -> int:
        if name not in self._numbers:
            raise InputError(f"unknown node {name!r}: no element of the circuit is connected to it")
        return self._numbers[name]

    @property
    def _amplifier_names(self) -> list[str]:
        return [a[3] for a in self._amplifiers]

    def _branch_names(self) -> Names:
        """Of V, E, H and behavioural voltage sources, in this order."""
        names = [s[3] for s in self._sources]
        for wanted in "eh":
            names += [n for kind, _, _, _, group in self._controlled if kind == wanted for n in group]
        names += [n for kind, *_, group in self._behavioural if kind == "v" for n in group]
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InputError(f"source {twice!r}: the name is taken")
        return Names(names)

    def _controlled_groups(self, branches: Names) -> tuple[Controlled, ...]:
        groups = []
        for kind in "egfh":
            rows = [c for c in self._controlled if c[0] == kind]
            if not rows:
                continue
            ends = [np.concatenate([r[1][k] for r in rows]) for k in range(len(rows[0][1]))]
            if kind in "eg":
                control = np.stack(ends[2:])
            else:
                control = np.array([branches.index(n, "voltage source") for r in rows for n in r[2]], np.int32)
            groups.append(Controlled(kind, ends[0], ends[1], control, np.concatenate([r[3] for r in rows])))
        return tuple(groups)

    def _behavioural_groups(self, branches: Names) -> tuple[Behavioural, ...]:
        def number(quantity: str) -> int:
            kind, name = quantity.split(":", 1)
            return self._existing(name) if kind == "v" else -1 - branches.index(name, "voltage source")

        return tuple(
            Behavioural(names[0], kind, a, b, np.array([[number(q) for q in s] for s in sensed], np.int32), law)
            for kind, a, b, sensed, law, names in self._behavioural
        )

    def _voltage_edges(self) -> list[tuple[int, int, str]]:
        """Node pairs whose voltage some source fixes, with the source's name."""
        edges = [(p, m, name) for p, m, _, name in self._sources]
        edges += [(f, 0, name) for _, f, _, name in self._amplifiers]
        for kind, ends, _, _, names in self._controlled:
            if kind in "eh":
                edges += zip(ends[0].tolist(), ends[1].tolist(), names, strict=True)
        for kind, plus, minus, _, _, names in self._behavioural:
            if kind == "v":
                edges += zip(plus.tolist(), minus.tolist(), names, strict=True)
        return edges

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
                loop = [name, *path(adjacent, p, m)]
                raise InputError(f"loop of voltage sources: {', '.join(loop)}; remove one or put a resistor in series")
            parent[a] = b
            adjacent.setdefault(p, []).append((m, name))
            adjacent.setdefault(m, []).append((p, name))

    def _check_floating(
        self, nodes: Names, controlled: tuple[Controlled, ...], behavioural: tuple[Behavioural, ...]
    ) -> None:
        conducting = [b for b in self._branches if not isinstance(b.element, CurrentSource)]
        edges = self._voltage_edges()
        first = np.concatenate([*(b.first for b in conducting), np.array([e[0] for e in edges], np.int32)])
        second = np.concatenate([*(b.second for b in conducting), np.array([e[1] for e in edges], np.int32)])
        part = components(first, second, len(nodes))
        # Where controlled sources drive currents into a part and others sense its voltage, the numbers decide.
        driven, sensed = (np.zeros(part.max() + 1, bool) for _ in range(2))
        for group in controlled:
            if group.kind in "gf":
                _mark(driven, part, group.plus, group.minus)
            if group.kind in "eg":
                _mark(sensed, part, group.control[0], group.control[1])
        # A behavioural source of currents may conduct between its own nodes: what it senses decides.
        for group in behavioural:
            if group.kind == "i":
                _mark(driven, part, np.asarray(group.plus), np.asarray(group.minus))
            for column in np.asarray(group.sensed).T:
                own = column >= 0
                _mark(sensed, part, column[own], np.zeros(int(own.sum()), np.int32))
        floating = np.flatnonzero((part != part[0]) & ~(driven & sensed)[part])
        if floating.size:
            more = f" (and {floating.size - 1} more)" if floating.size > 1 else ""
            raise InputError(
                f"floating node {nodes[int(floating[0])]!r}{more}: no conductive path to ground; connect it by a resistor"
            )


def _mark(marks: np.ndarray, part: np.ndarray, first: Any, second: Any) -> None:
    """Mark the parts of the graph between which pairs of nodes reach."""
    a, b = part[first], part[second]
    marks[a[a != b]] = True
    marks[b[a != b]] = True


def _with_parameters(element: TwoTerminal, parameters: list[np.ndarray]) -> TwoTerminal:
    return jax.tree.unflatten(jax.tree.structure(element), parameters)
