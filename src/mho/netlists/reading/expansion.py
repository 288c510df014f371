"""Expansion of subcircuits: from scopes of cards to the flat arrays of a ``Netlist``.

All instances of a subcircuit that are called the same way are expanded together, as a batch: node numbers are a matrix
with a column for each instance, parameters are arrays with a number for each. A hundred thousand instances of a
synapse cost a few array operations, not a hundred thousand walks over its cards.

Parameters are looked up as ngspice 39 does: in the subcircuit, then in its caller, and so on up to the top level.
Models and subcircuits are looked up where they are defined: in the subcircuit, then in the one around its definition.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.netlists.reading.behavioural_law import Program
from mho.netlists.reading.expressions import Expression, Number
from mho.netlists.reading.expressions import evaluate as evaluate_steps
from mho.netlists.reading.fields import value_of
from mho.netlists.reading.formula_program import FormulaProgram, check_points, formula_program
from mho.netlists.reading.lines import NetlistLines
from mho.netlists.reading.models import model_kind, model_parameters
from mho.netlists.reading.scopes import NOT_GIVEN, QUANTITIES, BehaviouralCard, Calls, Cards, Scope
from mho.netlists.reading.values import shown, shown_cycle
from mho.netlists.reading.waveforms import Waveform, waveform

MAX_ELEMENTS = 5_000_000
"""Most elements, subcircuit instances included, of an expanded netlist."""
MAX_NAMES = 20_000_000
"""Most elements, instances and nodes."""
MAX_NAME_CHARACTERS = 500_000_000
"""Most characters of all flattened names together."""
MAX_BATCHES = 200_000
"""Most batches: ways from the top level to a subcircuit that differ in the subcircuits on them."""
MAX_DEPTH = 100
"""Deepest nesting of subcircuit instances."""

# Behind the value: what a resistor (tc1, tc2, m) or a capacitor (ic, m) without a model has where its card gives nothing.
_DEFAULTS = {"r": (0.0, 0.0, 1.0), "c": (NOT_GIVEN, 1.0)}


class Parameters:
    """The parameters that one batch of instances sees.

    Attributes:
        scope: Whose parameters they are.
        values: Its own: numbers, or arrays with a number for each instance.
        parent: Its callers' parameters.
        rows: Which instance of the caller's batch each instance belongs to.
    """

    def __init__(
        self,
        scope: Scope,
        values: dict[str, Number],
        parent: "Parameters | None" = None,
        rows: np.ndarray | None = None,
    ):
        self.scope = scope
        self.values = values
        self.parent = parent
        self.rows = rows

    def __call__(self, name: str) -> Number:
        """Value of a parameter, here or up the chain of callers.

        Raises:
            InputError: There is no such parameter.
        """
        value = self.find(name)
        if value is None:
            raise InputError(f"undefined parameter {shown(name)}; define it with .param {name}=VALUE")
        return value

    def find(self, name: str) -> Number | None:
        """Value of a parameter, or None."""
        level: Parameters | None = self
        rows: np.ndarray | None = None
        while level is not None:
            value = level.values.get(name)
            if value is not None:
                return value if rows is None or np.ndim(value) == 0 else np.asarray(value)[rows]
            if level.rows is not None:
                rows = level.rows if rows is None else level.rows[rows]
            level = level.parent
        return None

    def above(self, name: str) -> Number | None:
        """Value of a parameter in the callers alone, or None."""
        return Parameters(self.scope, {}, self.parent, self.rows).find(name)

    def seen_by(self, scope: Scope) -> "Parameters":
        """What the caller that is an instance of ``scope`` sees, still with a number for each instance here."""
        level, rows = self, None
        while level.scope is not scope and level.parent is not None:
            if level.rows is not None:
                rows = level.rows if rows is None else level.rows[rows]
            level = level.parent
        return Parameters(scope, {}, level, rows)


def evaluate(value: float | Expression, parameters: Parameters) -> Number:
    """Value of a number or an expression, with the functions and parameters that are seen there.

    Raises:
        InputError: It has no finite value; see ``mho.netlists.reading.expressions.evaluate``.
    """
    if not isinstance(value, Expression):
        return value
    return evaluate_steps(parameters.scope.linked(value), parameters)


def resolve_parameters(
    scope: Scope, parameters: Parameters, lines: NetlistLines, wanted: Iterable[str] | None = None
) -> None:
    """Evaluate the scope's own parameters that aren't given yet, whatever the order of their definitions.

    Args:
        scope: The scope.
        parameters: What it sees; its own values are added.
        lines: For the places of errors.
        wanted: The parameters that are needed, with what they depend on; all if it is None.

    Raises:
        InputError: Parameters that depend on each other in a circle, or an undefined one.
    """
    own, values = scope.parameters, parameters.values
    for first in own if wanted is None else wanted:
        if first in values or first not in own:
            continue
        path: dict[str, Iterator[str]] = {}
        pending: str | None = first
        while pending is not None or path:
            if pending is not None:
                value = own[pending][0]
                path[pending] = iter(_names(value, scope, own[pending][1], lines))
            name = next(reversed(path))
            pending = None
            for needed in path[name]:
                # Of its own name, a parameter sees the value that the callers have.
                if needed == name and parameters.above(name) is not None:
                    continue
                if needed in path:
                    circle = list(path)[list(path).index(needed) :]
                    where = lines.where(own[name][1])
                    raise InputError(f"{where}: parameter cycle {shown_cycle(circle)}; give one of them a number")
                if needed in own and needed not in values:
                    pending = needed
                    break
            if pending is None:
                values[name] = _parameter_value(name, own[name], parameters, lines)
                path.popitem()


def _names(value: float | Expression, scope: Scope, position: int, lines: NetlistLines) -> list[str]:
    """The parameters that a parameter's value uses."""
    if not isinstance(value, Expression):
        return []
    try:
        return sorted(scope.linked(value).names)
    except InputError as error:
        raise InputError(f"{lines.where(position)}: {error}") from None


def _parameter_value(
    name: str, definition: tuple[float | Expression, int], parameters: Parameters, lines: NetlistLines
) -> Number:
    value, position = definition
    if not isinstance(value, Expression):
        return value
    try:
        value = parameters.scope.linked(value)
        outer = parameters.above(name) if name in value.names else None
        if outer is None:
            return evaluate_steps(value, parameters)
        return evaluate_steps(value, lambda needed: outer if needed == name else parameters(needed))
    except InputError as error:
        raise InputError(f"{lines.where(position)}: parameter {shown(name)}: {error}") from None


_TWICE = "ngspice takes one alone; multiply them in one place"
_NOT_MULTIPLIED = (
    "is in a subcircuit called with m=, which ngspice doesn't multiply as so many in parallel would be; call the "
    "subcircuit so many times, or write it without F, H, S, W, B currents and sensed currents"
)


@dataclass(slots=True)
class Batch:
    """Instances of one scope, n of them, expanded together.

    Attributes:
        scope: What they are instances of.
        prefixes: Name of each, such as ``x1.x2``; a single empty one for the top level.
        groups: The parts of those names, each with the level at which ngspice expands it: see ``_element_names``.
        nodes: Node numbers in the netlist, shape (nodes of the scope, n), int32.
        parameters: What they see.
        multiplier: How many instances in parallel each stands for (``m=`` on its X card and its callers'), shape (n,).
    """

    scope: Scope
    prefixes: list[str]
    groups: list[tuple[int, list[str]]]
    nodes: np.ndarray
    parameters: Parameters
    multiplier: np.ndarray


def _element_names(names: list[str], groups: list[tuple[int, list[str]]]) -> list[str]:
    """Flattened names of elements in a batch, name by name, instance by instance.

    Resistor r2 of instance x1 is r.x1.r2, and r.x1.x3.r2 one instance deeper. But ngspice expands a subcircuit that is
    defined inside another one when it comes to the definition of the outer, so that the element gets its letter each
    time: r.x1.r.x3.r2. A run of instances that is expanded in one go has one letter.
    """
    if not groups:
        return names
    heads: dict[str, list[str]] = {}
    for letter in {name[0] for name in names}:
        parts = [[f"{letter}.{part}." for part in group] for _, group in groups]
        heads[letter] = parts[0] if len(parts) == 1 else ["".join(row) for row in zip(*parts, strict=True)]
    return [head + name for name in names for head in heads[name[0]]]


@dataclass(slots=True)
class Expanded:
    """The elements of one kind of the whole netlist; its lists of arrays have one for each batch."""

    names: list[str] = field(default_factory=list)
    nodes: list[np.ndarray] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    models: list[np.ndarray] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    extras: dict[int, dict[str, float]] = field(default_factory=dict)
    waveforms: dict[int, Waveform] = field(default_factory=dict)
    without_dc: list[int] = field(default_factory=list)


@dataclass(slots=True)
class ExpandedFormulas:
    """The behavioural sources whose formulas differ in their numbers alone; lists of arrays as in ``Expanded``.

    Attributes:
        constants: The numbers, (constants, sources) each.
        sensed: What is sensed, (sources, k) each: a node's number, or -1 - b for the current of ``sensed_branches[b]``.
    """

    names: list[str] = field(default_factory=list)
    nodes: list[np.ndarray] = field(default_factory=list)
    constants: list[np.ndarray] = field(default_factory=list)
    sensed: list[np.ndarray] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)


class Expansion:
    """The flat netlist as it grows.

    Attributes:
        elements: By kind.
        node_names: Flattened names; ground first.
        models: Models in use, by the letter of the elements that use them.
        formulas: Behavioural sources, by kind and program.
        sensed_branches: Number of each flattened name of a source whose current a formula senses.
        conditions: Kind, flattened node name, value and position of each initial condition.
    """

    def __init__(self, lines: NetlistLines, temperature: float, nominal_temperature: float):
        self.elements = {kind: Expanded() for kind in QUANTITIES}
        self.node_names: list[str] = ["0"]
        self.models: dict[str, list[Any]] = {kind: [] for kind in QUANTITIES}
        self.conditions: list[tuple[str, str, float, int]] = []
        self.formulas: dict[tuple[str, Program], ExpandedFormulas] = {}
        self.sensed_branches: dict[str, int] = {}
        self._lines = lines
        self._temperature = temperature
        self._programs: dict[int, FormulaProgram] = {}
        self._nominal_temperature = nominal_temperature
        self._numbers: dict[str, int] = {"0": 0}
        self._shared_models: dict[tuple[str, int, str], int] = {}

    def expand(self, top: Scope, parameters: Parameters) -> None:
        """Expand the netlist from its top level, whose parameters are evaluated already.

        Raises:
            InputError: A missing, recursive or wrongly called subcircuit, too many elements, a missing model, or an
                expression without a value.
        """
        check_calls(top, self._lines)
        nodes = self._batch_nodes(top, [""], np.zeros((0, 1), np.int32))
        waiting = [Batch(top, [""], [], nodes, parameters, np.ones(1))]
        while waiting:
            batch = waiting.pop()
            for kind, cards in batch.scope.cards.items():
                self._expand_cards(kind, cards, batch)
            for card in batch.scope.behavioural:
                self._expand_formula(card, batch)
            self._expand_conditions(batch)
            # The last call is expanded last: a stack turns their order around.
            waiting.extend(reversed([self._call(calls, batch) for calls in batch.scope.calls.values()]))

    def node(self, name: str) -> int | None:
        """Number of the node of that flattened name, or None."""
        return self._numbers.get(name)

    def _fail(self, position: int, error: InputError | str) -> InputError:
        return InputError(f"{self._lines.where(position)}: {error}")

    def _batch_nodes(self, scope: Scope, prefixes: list[str], ports: np.ndarray) -> np.ndarray:
        """Node numbers of a batch: ground, the ports as connected, and the inner nodes by their flattened names."""
        count = len(prefixes)
        nodes = np.zeros((len(scope.node_names), count), dtype=np.int32)
        nodes[1 : scope.ports + 1] = ports
        for row in range(scope.ports + 1, len(scope.node_names)):
            inner = scope.node_names[row]
            if inner in scope.global_nodes:
                nodes[row] = self._node_number(inner)
                continue
            column = []
            for prefix in prefixes:
                column.append(self._node_number(f"{prefix}.{inner}" if prefix else inner))
            nodes[row] = column
        return nodes

    def _node_number(self, name: str) -> int:
        """Number of the node of a flattened name; a new one for a new name."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.node_names)
            self.node_names.append(name)
        return number

    def _call(self, calls: Calls, batch: Batch) -> Batch:
        """The batch of all instances that these X cards make in a batch of their callers."""
        target = calls.target
        assert target is not None
        count = len(batch.prefixes)
        prefixes = calls.names
        if batch.groups:
            prefixes = [f"{prefix}.{name}" for name in calls.names for prefix in batch.prefixes]
        level = target.level - 1
        kept = [(at, group * len(calls.names)) for at, group in batch.groups if at < level]
        merged = [group for at, group in batch.groups if at >= level]
        last = [name for name in calls.names for _ in range(count)]
        for group in reversed(merged):
            last = [f"{part}.{name}" for part, name in zip(group * len(calls.names), last, strict=True)]
        groups = [*kept, (level, last)]
        rows = np.tile(np.arange(count), len(calls.names))
        values: dict[str, Number] = {}
        for parameter, column in zip(calls.parameters, calls.values, strict=True):
            given = np.empty((len(column), count))
            for row, value in enumerate(column):
                try:
                    given[row] = evaluate(value, batch.parameters)
                except InputError as error:
                    what = f"parameter {shown(parameter)} of {shown(calls.names[row])}: {error}"
                    raise self._fail(calls.positions[row], what) from None
            values[parameter] = given.ravel()
        multiplier = batch.multiplier[rows]
        if "m" in values and "m" not in target.parameters:
            multiplier = self._multiplied(calls, np.asarray(values.pop("m")), multiplier, count)
        parameters = Parameters(target, values, batch.parameters, rows)
        resolve_parameters(target, parameters, self._lines)
        self._check_scopes(calls, batch, parameters)
        local = np.array(calls.nodes, dtype=np.int32).reshape(len(calls.names), calls.ports)
        ports = batch.nodes[local.T].reshape(calls.ports, -1)
        return Batch(target, prefixes, groups, self._batch_nodes(target, prefixes, ports), parameters, multiplier)

    def _multiplied(self, calls: Calls, own: np.ndarray, around: np.ndarray, count: int) -> np.ndarray:
        """The multipliers of instances whose X cards have ``m=``; `around` is their callers'."""
        for wrong, why in (
            (~(own > 0), "it must be above 0"),
            ((own != 1) & (around != 1), f"and so have subcircuits around it, of which {_TWICE}"),
        ):
            if wrong.any():
                at = int(np.argmax(wrong))
                card = at // count
                raise self._fail(calls.positions[card], f"m of {shown(calls.names[card])} is {own[at]:g}; {why}")
        return own * around

    def _multiply(self, kind: str, cards: Cards, batch: Batch, numbers: np.ndarray) -> None:
        """Let elements stand for as many in parallel as their subcircuit does; voltages stay what they are.

        Raises:
            InputError: It isn't clear what that is: a card has an ``m=`` of its own, or senses a current.
        """
        if kind in "vek":
            return
        if kind not in "rcldgijqm":
            raise self._fail(cards.positions[0], f"{shown(cards.names[0])} {_NOT_MULTIPLIED}")
        each = np.tile(batch.multiplier, len(cards.names))
        row = 0 if kind == "i" else QUANTITIES[kind].index("m")
        given = numbers[row]
        twice = (kind != "i") & ~np.isnan(given) & (given != 1.0) & (each != 1.0)
        if twice.any():
            card = int(np.argmax(twice)) // len(batch.prefixes)
            text = f"{shown(cards.names[card])} has an m= of its own, and so has its subcircuit's X card, of which {_TWICE}"
            raise self._fail(cards.positions[card], text)
        numbers[row] = np.where(np.isnan(given), 1.0, given) * each

    def _check_scopes(self, calls: Calls, batch: Batch, inner: Parameters) -> None:
        """Refuse an X card's expression if it matters whether the caller or the subcircuit evaluates it.

        Here, as in most simulators, the caller does. ngspice evaluates it inside the subcircuit, which may have other
        parameters of the same names; which of them it sees depends on their order and on how they are written.
        """
        count = len(batch.prefixes)
        for parameter, column in zip(calls.parameters, calls.values, strict=True):
            for row, value in enumerate(column):
                if not isinstance(value, Expression):
                    continue
                for name in batch.scope.linked(value).names.intersection(inner.values) - {parameter}:
                    instances = slice(row * count, (row + 1) * count)
                    seen = np.broadcast_to(inner.values[name], len(calls.names) * count)[instances]
                    if np.any(seen != batch.parameters(name)):
                        raise self._fail(
                            calls.positions[row],
                            f"parameter {shown(parameter)} of {shown(calls.names[row])} uses {shown(name)}, which has "
                            f"another value inside subcircuit {shown(calls.subcircuit)}; rename one of them",
                        )

    def _expand_cards(self, kind: str, cards: Cards, batch: Batch) -> None:
        """Add the elements that these cards make in a batch: card by card, instance by instance."""
        found = self.elements[kind]
        count, first = len(batch.prefixes), len(found.names)
        found.names.extend(_element_names(cards.names, batch.groups))
        if cards.controls:
            # A coupling's card names two inductors, and both of an instance belong together.
            each = len(cards.controls) // len(cards.names)
            controls = np.array(_element_names(cards.controls, batch.groups), dtype=object)
            found.controls.extend(controls.reshape(-1, each, count).transpose(0, 2, 1).ravel().tolist())
        local = np.array(cards.nodes, dtype=np.int32).reshape(len(cards.names), -1)
        found.nodes.append(batch.nodes[local].transpose(0, 2, 1).reshape(-1, local.shape[1]))
        numbers = np.repeat(np.array(cards.numbers, dtype=np.float64), count, axis=1)
        for quantity, row, expression in cards.expressions:
            numbers[quantity, row * count : (row + 1) * count] = self._evaluated(
                expression, batch, cards, row, QUANTITIES[kind][quantity]
            )
        if np.any(batch.multiplier != 1.0):
            self._multiply(kind, cards, batch, numbers)
        found.numbers.append(numbers)
        found.positions.append(np.repeat(np.array(cards.positions, dtype=np.int64), count))
        cards.models.extend([""] * (len(cards.names) - len(cards.models)) if cards.models else [])
        self._read_bare_names(kind, cards, batch, numbers)
        found.models.append(self._models(kind, cards, batch))
        for row, given in cards.extras.items():
            columns = {key: self._evaluated(value, batch, cards, row, key) for key, value in given.items()}
            for instance in range(count):
                found.extras[first + row * count + instance] = {
                    key: float(np.broadcast_to(column, count)[instance]) for key, column in columns.items()
                }
        for row, (shape, values, named, has_dc) in cards.waveforms.items():
            columns = [np.broadcast_to(self._evaluated(value, batch, cards, row, shape), count) for value in values]
            others = {
                name: np.broadcast_to(self._evaluated(value, batch, cards, row, name), count)
                for name, value in named.items()
            }
            try:
                for instance in range(count):
                    index = first + row * count + instance
                    found.waveforms[index] = waveform(
                        shape,
                        [float(column[instance]) for column in columns],
                        {name: float(column[instance]) for name, column in others.items()},
                        float(batch.multiplier[instance]) if kind == "i" else 1.0,
                    )
                    if not has_dc:
                        found.without_dc.append(index)
            except InputError as error:
                raise self._fail(cards.positions[row], f"{shown(cards.names[row])}: {error}") from None

    def _read_bare_names(self, kind: str, cards: Cards, batch: Batch, numbers: np.ndarray) -> None:
        """Where a resistor or capacitor names no model that is known, the bare name is the parameter with its value."""
        if kind not in "rc" or not cards.models:
            return
        count = len(batch.prefixes)
        for row, label in enumerate(cards.models):
            if label and batch.scope.model_scope(label) is None:
                instances = slice(row * count, (row + 1) * count)
                if not np.isnan(numbers[0, instances]).all():
                    raise self._fail(cards.positions[row], self._no_model(label, cards.names[row], batch.scope))
                try:
                    value = value_of(label)
                except InputError as error:
                    raise self._fail(cards.positions[row], error) from None
                numbers[0, instances] = self._evaluated(value, batch, cards, row, QUANTITIES[kind][0])
                for quantity, default in enumerate(_DEFAULTS[kind], start=1):
                    given = numbers[quantity, instances]
                    numbers[quantity, instances] = np.where(np.isnan(given), default, given)

    def _expand_formula(self, card: BehaviouralCard, batch: Batch) -> None:
        """Add the behavioural sources that a card makes in a batch."""
        count = len(batch.prefixes)
        try:
            made = self._programs.get(id(card))
            if made is None:
                made = self._programs[id(card)] = formula_program(card.steps, batch.scope.function, batch.scope.spend)
            constants = np.empty((len(made.constants), count))
            for row, value in enumerate(made.constants):
                constants[row] = self._temperature if value == "temper" else evaluate(_of(value), batch.parameters)
            factor = self._factor(card, batch)
            if np.any(batch.multiplier != 1.0):
                if (card.kind == "i" and card.name[0] == "b") or any(q.kind == "i" for q in made.sensed):
                    raise InputError(f"it {_NOT_MULTIPLIED}")
                if card.kind == "i":
                    if "m" in card.factors:
                        raise InputError(
                            f"it has an m= of its own, and so has its subcircuit's X card, of which {_TWICE}"
                        )
                    factor = factor * batch.multiplier
            program = made.program
            if np.any(factor != 1.0):
                program = (*program, ("constant", len(constants)), ("call", "*", 2))
                constants = np.vstack([constants, np.broadcast_to(factor, count)])
            check_points(program, constants)
        except InputError as error:
            raise self._fail(card.position, f"formula of {shown(card.name)}: {error}") from None
        found = self.formulas.setdefault((card.kind, program), ExpandedFormulas())
        found.names.extend(_element_names([card.name], batch.groups))
        found.nodes.append(batch.nodes[list(card.nodes)].T)
        found.constants.append(constants)
        sensed = np.zeros((count, len(made.sensed)), dtype=np.int64)
        for column, quantity in enumerate(made.sensed):
            if quantity.kind == "v":
                sensed[:, column] = self._sensed_nodes(quantity.name, batch)
            else:
                names = _element_names([quantity.name], batch.groups)
                sensed[:, column] = [-1 - self.sensed_branches.setdefault(n, len(self.sensed_branches)) for n in names]
        found.sensed.append(sensed)
        found.positions.append(np.full(count, card.position, dtype=np.int64))

    def _sensed_nodes(self, name: str, batch: Batch) -> np.ndarray:
        """Numbers of the nodes of that name in a batch's instances; a formula may name one that nothing else does."""
        row = batch.scope.nodes.get(name)
        if row is not None:
            return batch.nodes[row]
        return np.array([self._node_number(f"{prefix}.{name}" if prefix else name) for prefix in batch.prefixes])

    def _factor(self, card: BehaviouralCard, batch: Batch) -> Number:
        """What multiplies a formula: m (1 + tc1 Δ + tc2 Δ²), Δ from 27 °C; for a resistor's current one over the latter."""
        given = {name: evaluate(value, batch.parameters) for name, value in card.factors.items()}
        warmer = given["temp"] if "temp" in given else self._temperature + given.get("dtemp", 0.0)
        warmer = warmer - 27.0
        factor = 1.0 + given.get("tc1", 0.0) * warmer + given.get("tc2", 0.0) * warmer * warmer
        if not np.all(np.isfinite(factor)):
            raise InputError("no finite factor at its temperature; look at temp, dtemp, tc1 and tc2")
        if "reciprocal" in given:
            if np.any(factor == 0):
                raise InputError("the resistance is 0 ohm at the circuit's temperature; it mustn't be")
            factor = 1.0 / factor
        return given.get("m", 1.0) * factor

    def _evaluated(self, value: float | Expression, batch: Batch, cards: Cards, row: int, what: str) -> Number:
        try:
            return evaluate(value, batch.parameters)
        except InputError as error:
            raise self._fail(cards.positions[row], f"{what} of {shown(cards.names[row])}: {error}") from None

    def _models(self, kind: str, cards: Cards, batch: Batch) -> np.ndarray:
        """Index into ``models`` of each element of these cards in a batch; -1 where a card names no model."""
        count = len(batch.prefixes)
        if not cards.models:
            return np.full(len(cards.names) * count, -1, dtype=np.int32)
        models: dict[str, int | np.ndarray] = {"": -1}
        for row, label in enumerate(cards.models):
            if kind in "rc" and batch.scope.model_scope(label) is None:
                models[label] = -1  # a parameter's name
            elif label not in models:
                models[label] = self._model(kind, label, batch, cards.positions[row], cards.names[row])
        if count == 1:
            return np.array([int(models[label]) for label in cards.models], dtype=np.int32)
        return np.concatenate([np.broadcast_to(models[label], count) for label in cards.models]).astype(np.int32)

    @staticmethod
    def _no_model(label: str, element: str, scope: Scope) -> str:
        known = _some(_model_names(scope))
        return f"no model {shown(label)} for {shown(element)}; {known or 'write a .model card'}"

    def _model(self, letter: str, label: str, batch: Batch, position: int, element: str) -> int | np.ndarray:
        """Index of a model, the same for all instances, or one for each where they differ."""
        home = batch.scope.model_scope(label)
        if home is None:
            raise self._fail(position, self._no_model(label, element, batch.scope))
        shared = self._shared_models.get((letter, id(home), label))
        if shared is not None:
            return shared
        kind, written, at = home.models[label]
        name = f"{home.name}:{label}" if home.name else label
        try:
            known = model_kind(letter, kind, label)
            given = model_parameters(kind, label, written)
        except InputError as error:
            raise self._fail(at, f"{error}") from None
        varies = home.parent is not None and any(isinstance(value, Expression) for value in given.values())
        count = len(batch.prefixes) if varies else 1
        # A model's expressions see the parameters of the scope that holds its card, not those of its users.
        parameters = batch.parameters.seen_by(home)
        try:
            columns = {
                parameter: np.broadcast_to(evaluate(value, parameters), count) for parameter, value in given.items()
            }
            table = np.stack(list(columns.values()), axis=1) if columns else np.zeros((1, 0))
            rows, inverse = np.unique(table, axis=0, return_inverse=True)
            found = self.models[letter]
            first = len(found)
            for row in rows:
                numbers = dict(zip(columns, row.tolist(), strict=True))
                found.append(known.build(name, kind, numbers, self._nominal_temperature))
                for remark, of in known.table.remarks(written, numbers) if known.table is not None else ():
                    self._lines.notes.add(remark, f"{of} of {name}", at)
        except InputError as error:
            raise self._fail(at, f"model {shown(label)}: {error}") from None
        if not varies:
            self._shared_models[letter, id(home), label] = first
            return first
        return first + inverse.reshape(-1) if count > 1 else first

    def _expand_conditions(self, batch: Batch) -> None:
        for kind, node, value, position in batch.scope.conditions:
            try:
                number = evaluate(value, batch.parameters)
            except InputError as error:
                raise self._fail(position, f".{kind} of node {shown(node)}: {error}") from None
            values = np.broadcast_to(number, len(batch.prefixes))
            row = batch.scope.nodes.get(node)
            for instance, prefix in enumerate(batch.prefixes):
                if row is not None:
                    name = self.node_names[batch.nodes[row, instance]]
                else:
                    name = f"{prefix}.{node}" if prefix else node
                self.conditions.append((kind, name, float(values[instance]), position))


def _of(value: float | str | Expression) -> float | Expression:
    """A constant of a formula: a number, an expression or the name of a parameter."""
    return Expression(value, (value,), frozenset({value})) if isinstance(value, str) else value


def check_calls(top: Scope, lines: NetlistLines) -> None:
    """Find the subcircuit of each X card, and how large the expanded netlist will be, before expanding it.

    Subcircuits that nothing calls are left alone.

    Raises:
        InputError: A missing, faulty or recursive subcircuit, a wrong number of nodes, a parameter that the subcircuit
            doesn't have, instances nested too deep, or too many elements.
    """
    sizes: dict[int, Size] = {}  # children first
    path: dict[int, tuple[Scope, Iterator[Calls]]] = {}
    pending: Scope | None = top
    while pending is not None or path:
        if pending is not None:
            if pending.fault is not None:
                raise InputError(f"{lines.where(pending.fault[0])}: {pending.fault[1]}")
            path[id(pending)] = (pending, iter(pending.calls.values()))
        scope, remaining = path[next(reversed(path))]
        pending = None
        for calls in remaining:
            target = _find_target(scope, calls, lines)
            if id(target) in path:
                circle = list(path)[list(path).index(id(target)) :]
                names = [path[key][0].name for key in circle]
                where = lines.where(calls.positions[0])
                raise InputError(f"{where}: recursive subcircuit {shown_cycle(names)}; take one call out")
            if id(target) not in sizes:
                pending = target
                break
        if pending is None:
            sizes[id(scope)] = _size(scope, sizes, lines)
            path.popitem()


def _find_target(scope: Scope, calls: Calls, lines: NetlistLines) -> Scope:
    where, name = lines.where(calls.positions[0]), shown(calls.names[0])
    target = scope.definition(calls.subcircuit)
    if target is None:
        known = _some(_subcircuit_names(scope))
        raise InputError(
            f"{where}: no subcircuit {shown(calls.subcircuit)} for {name}; {known or 'write its .subckt card'}"
        )
    if calls.ports != target.ports:
        raise InputError(
            f"{where}: {name} connects {calls.ports} nodes to subcircuit {shown(target.name)}; it has {target.ports} "
            f"ports ({lines.where(target.position)})"
        )
    for parameter in calls.parameters:
        if parameter not in target.parameters and parameter != "m":
            raise InputError(
                f"{where}: subcircuit {shown(target.name)} has no parameter {shown(parameter)}; "
                f"{_some(target.parameters) or 'it has none'}"
            )
    calls.target = target
    return target


@dataclass(frozen=True, slots=True)
class Size:
    """What one instance of a scope expands to.

    Attributes:
        elements: Elements and subcircuit instances.
        names: Those and nodes.
        characters: Length of all their flattened names.
        batches: Batches in which they are expanded.
        levels: How deep instances are nested.
    """

    elements: int
    names: int
    characters: int
    batches: int
    levels: int


_LIMITS = Size(MAX_ELEMENTS, MAX_NAMES, MAX_NAME_CHARACTERS, MAX_BATCHES, MAX_DEPTH)


def _size(scope: Scope, sizes: dict[int, Size], lines: NetlistLines) -> Size:
    own = [name for cards in scope.cards.values() for name in cards.names]
    own += [card.name for card in scope.behavioural]
    elements, names = len(own), len(own) + len(scope.node_names)
    characters = sum(map(len, own)) + sum(map(len, scope.node_names))
    batches, levels, position = 1, 0, scope.position
    for calls in scope.calls.values():
        inner = sizes[id(calls.target)]
        count, prefixes = len(calls.names), sum(map(len, calls.names)) + len(calls.names)
        elements += count * (1 + inner.elements)
        names += count * (1 + inner.names)
        characters += prefixes * (1 + inner.names) + count * inner.characters
        batches += inner.batches
        levels = max(levels, 1 + inner.levels)
        position = calls.positions[0]
    size = Size(elements, names, characters, batches, levels)
    for what in fields(Size):
        found, limit = getattr(size, what.name), getattr(_LIMITS, what.name)
        if found > limit:
            whose = f"subcircuit {shown(scope.name)}" if scope.name else "the netlist"
            raise InputError(f"{lines.where(position)}: {whose} expands to {found} {what.name}; the limit is {limit}")
    return size


def _subcircuit_names(scope: Scope) -> Iterator[str]:
    around: Scope | None = scope
    while around is not None:
        yield from around.definitions
        around = around.parent


def _model_names(scope: Scope) -> Iterator[str]:
    around: Scope | None = scope
    while around is not None:
        yield from around.models
        around = around.parent


def _some(names, most: int = 8) -> str:
    """``known: a b c``, of at most ``most`` names; empty where there are none."""
    listed = [name for name, _ in zip(names, range(most + 1), strict=False)]
    if not listed:
        return ""
    return f"known: {' '.join(listed[:most])}{' ...' if len(listed) > most else ''}"
