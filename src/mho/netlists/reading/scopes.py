"""What the cards of one scope say: the netlist's top level or a subcircuit, before anything is expanded.

Cards are kept as columns, a list per field, since a netlist may have a million of them; an expression stands in its
field until the scope is expanded.
"""

from dataclasses import dataclass

from mho.errors import InputError
from mho.netlists.reading.expressions import Expression, Function, linked, parse_expression
from mho.netlists.reading.notes import Notes
from mho.netlists.reading.values import shown

Value = float | Expression

# Fields of each kind of element that hold numbers, in the order in which they are kept.
QUANTITIES: dict[str, tuple[str, ...]] = {
    "r": ("resistance", "tc1", "tc2", "m"),
    "c": ("capacitance", "ic", "m"),
    "d": ("area", "m", "temp", "dtemp", "pj", "w", "l"),
    "v": ("dc",),
    "i": ("dc",),
    "e": ("gain", "m"),
    "g": ("gain", "m"),
    "f": ("gain", "m"),
    "h": ("gain", "m"),
    "l": ("inductance", "ic", "m", "tc1", "tc2", "scale", "temp", "dtemp"),
    "k": ("coefficient",),
    "s": ("on",),
    "w": ("on",),
    "m": ("w", "l", "ad", "as", "pd", "ps", "nrd", "nrs", "m", "temp", "dtemp"),
    "j": ("area", "m", "temp", "dtemp"),
    "q": ("area", "areab", "areac", "m", "temp", "dtemp"),
}
MAX_STEPS = 500_000
"""Most steps of all expressions in which functions of ``.func`` cards are written out."""
NOT_GIVEN = float("nan")
"""In a number column: the card doesn't give this field. No number that is read can be a NaN."""


class Cards:
    """The cards of one kind of element in one scope, as columns.

    Attributes:
        names: The elements' names in the scope.
        nodes: Their nodes, numbers in the scope, one list for all: 2 a card, or 4 with a controlling pair.
        numbers: A list for each of the kind's quantities.
        expressions: Quantity, row and expression of the numbers still to be evaluated.
        models: The models that cards name, where the kind has them.
        controls: The controlling sources that cards name, where the kind has them.
        waveforms: Shape, numbers, named numbers and whether a DC value is given, by row.
        extras: Seldom given quantities, by row and name.
        positions: Where the cards are.
    """

    __slots__ = ("controls", "expressions", "extras", "models", "names", "nodes", "numbers", "positions", "waveforms")

    def __init__(self, kind: str):
        self.names: list[str] = []
        self.nodes: list[int] = []
        self.numbers: list[list[float]] = [[] for _ in QUANTITIES[kind]]
        self.expressions: list[tuple[int, int, Expression]] = []
        self.models: list[str] = []
        self.controls: list[str] = []
        self.extras: dict[int, dict[str, Value]] = {}
        self.waveforms: dict[int, tuple[str, list[Value], dict[str, Value], bool]] = {}
        self.positions: list[int] = []

    def add(self, name: str, nodes: tuple[int, ...], values: tuple[Value, ...], position: int) -> None:
        """Append a card."""
        for quantity, value in enumerate(values):
            if isinstance(value, Expression):
                self.expressions.append((quantity, len(self.names), value))
                value = 0.0
            self.numbers[quantity].append(value)
        self.names.append(name)
        self.nodes.extend(nodes)
        self.positions.append(position)

    def add_model(self, name: str) -> None:
        """Name the model of the card that was added last."""
        self.models.extend([""] * (len(self.names) - 1 - len(self.models)))
        self.models.append(name)


@dataclass(frozen=True, slots=True)
class BehaviouralCard:
    """A behavioural source: a current or a voltage between two nodes as a formula.

    Attributes:
        name: Its name in the scope.
        kind: ``i`` for a current, ``v`` for a voltage.
        nodes: Its two nodes, numbers in the scope.
        steps: The formula's program; see ``mho.netlists.reading.formulas``.
        text: The formula, for messages.
        factors: Its multiplier and temperature coefficients: m, tc1, tc2, temp and dtemp, where the card gives them.
        position: Where the card is.
    """

    name: str
    kind: str
    nodes: tuple[int, int]
    steps: tuple
    text: str
    factors: dict[str, Value]
    position: int


class Calls:
    """X cards of one scope that call the same subcircuit with the same parameters and number of nodes."""

    __slots__ = ("names", "nodes", "parameters", "ports", "positions", "subcircuit", "target", "values")

    def __init__(self, subcircuit: str, ports: int, parameters: tuple[str, ...]):
        self.subcircuit = subcircuit
        self.ports = ports
        self.parameters = parameters
        self.names: list[str] = []
        self.nodes: list[int] = []
        self.values: list[list[Value]] = [[] for _ in parameters]
        self.positions: list[int] = []
        self.target: Scope | None = None


class Scope:
    """The top level of a netlist, or a subcircuit's definition.

    Attributes:
        name: The subcircuit's name, empty at the top level.
        parent: The scope around the definition, ``None`` at the top level.
        level: How many scopes are around it.
        position: Where it starts.
        nodes: Number of each node name in this scope; ground is 0, ports follow.
        node_names: Name of each node number.
        ports: Number of ports.
        parameters: Value and position of each parameter, of the definition's card and of ``.param``.
        cards: Element cards by kind.
        calls: X cards, grouped.
        definitions: Subcircuits defined in this scope.
        functions: The ``.func`` cards of this scope.
        behavioural: Its behavioural sources.
        seen: Position of each element's name.
        fault: Where and what the first fault in its cards is: it counts where the subcircuit is called.
        settled: Parameters that ``.if`` cards have used.
        notes: What is to be told of the whole netlist.
        global_nodes: Names that are the top level's nodes everywhere, of the whole netlist.
        models: Kind, parameters and position of each model of this scope; a parameter that is neither a number nor
            an expression stays text, since it may be one without effect.
        conditions: ``ic`` or ``nodeset``, node name, value and position of each initial condition.
    """

    def __init__(self, name: str, parent: "Scope | None", position: int):
        self.name = name
        self.parent = parent
        self.level: int = 0 if parent is None else parent.level + 1
        self.position = position
        self.nodes: dict[str, int] = {"0": 0, "gnd": 0}
        self.node_names: list[str] = ["0"]
        self.ports = 0
        self.parameters: dict[str, tuple[Value, int]] = {}
        self.cards: dict[str, Cards] = {}
        self.calls: dict[tuple[str, int, tuple[str, ...]], Calls] = {}
        self.definitions: dict[str, Scope] = {}
        self.models: dict[str, tuple[str, dict[str, Value | str], int]] = {}
        self.conditions: list[tuple[str, str, Value, int]] = []
        self.functions: dict[str, Function] = {}
        self.behavioural: list[BehaviouralCard] = []
        self.seen: dict[str, int] = {}
        self.notes: Notes = Notes() if parent is None else parent.notes
        self.global_nodes: set[str] = set() if parent is None else parent.global_nodes
        self.fault: tuple[int, str] | None = None
        self.settled: set[str] = set()
        self._spent: list[int] = [0] if parent is None else parent._spent
        self._linked: dict[Expression, Expression] = {}

    def node(self, word: str) -> int:
        """Number of a node in this scope; a new name gets the next.

        Raises:
            InputError: An expression stands where a node's name should.
        """
        number = self.nodes.get(word)
        if number is None:
            if word[0] in "{=":
                what = "an expression" if word[0] == "{" else "a sign"
                raise InputError(f"{what} {shown(word)} stands where a node's name should")
            number = self.nodes[word] = len(self.node_names)
            self.node_names.append(word)
        return number

    def define(self, name: str, value: Value, position: int) -> None:
        """Give a parameter its value; a later one replaces an earlier one.

        Raises:
            InputError: A ``.if`` card has used the earlier one.
        """
        if name in self.settled and self.parameters.get(name, (None, 0))[0] != value:
            raise InputError(f"parameter {shown(name)} changes behind an .if card that uses it; define it once, before")
        self.parameters[name] = (value, position)

    def named(self, name: str, position: int) -> str:
        """The name of a new element of this scope.

        Raises:
            InputError: Another one has it.
        """
        if name in self.seen:
            raise InputError(f"duplicate element {shown(name)}; give each element its own name")
        self.seen[name] = position
        return name

    def cards_of(self, kind: str) -> Cards:
        """The columns of one kind of element."""
        cards = self.cards.get(kind)
        if cards is None:
            cards = self.cards[kind] = Cards(kind)
        return cards

    def function(self, name: str) -> Function | None:
        """The function of that name that is known in this scope."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            scope = scope.parent
        return None

    def add_function(self, name: str, function: Function) -> None:
        """Define a function; what a condition has written out before doesn't count any more."""
        self.functions[name] = function
        self._linked.clear()

    def spend(self, steps: int) -> None:
        """Count steps of expressions with functions written out, which a short netlist can make very many.

        Raises:
            InputError: There are too many in the whole netlist.
        """
        self._spent[0] += steps
        if self._spent[0] > MAX_STEPS:
            raise InputError(f"functions written out make more than {MAX_STEPS} steps in all; simplify them")

    def linked(self, expression: Expression) -> Expression:
        """The expression with the functions of this scope written out.

        Raises:
            InputError: A function is called wrongly, calls itself, or grows too long.
        """
        if not any(self.function(name) for name in expression.calls):
            return expression
        found = self._linked.get(expression)
        if found is None:
            steps = linked(expression.steps, self.function, lambda text: parse_expression(text).steps)
            names = frozenset(step for step in steps if isinstance(step, str))
            found = self._linked[expression] = Expression(expression.text, steps, names)
        self.spend(len(found.steps))
        return found

    def definition(self, name: str) -> "Scope | None":
        """The subcircuit of that name that is known in this scope."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.definitions:
                return scope.definitions[name]
            scope = scope.parent
        return None

    def model_scope(self, name: str) -> "Scope | None":
        """The scope, this one or one around it, that has the model of that name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.models:
            scope = scope.parent
        return scope
