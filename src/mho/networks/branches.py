"""What circuits are made of: groups of two-terminal elements, amplifiers and controlled sources, as arrays."""

from collections.abc import Sequence

import equinox as eqx

from mho.arrays import Values
from mho.elements import ControlledLaw, TwoTerminal
from mho.errors import InputError


class Names:
    """Names that compare by identity, so that compiled functions need not compare 100,000 strings at each call."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._index: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> str:
        return self._names[index]

    def __contains__(self, name: str) -> bool:
        return name in self._places()

    def index(self, name: str, kind: str) -> int:
        """Where a name stands.

        Raises:
            InputError: if it is not there; `kind` says what it names.
        """
        if name not in self._places():
            raise InputError(f"unknown {kind} {name!r}: no such {kind} in the circuit")
        return self._places()[name]

    def _places(self) -> dict[str, int]:
        if self._index is None:
            self._index = {known: i for i, known in enumerate(self._names)}
        return self._index


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
    labels: Names | None = eqx.field(static=True, default=None)
    """Names of the elements, for messages."""


class Amplifiers(eqx.Module):
    """Bidirectional amplifiers, each from a near node to a far node; both sides refer to ground."""

    near: Values
    far: Values
    gain: Values
    """A, not 0."""


class Controlled(eqx.Module):
    """SPICE's four linear controlled sources; none has an energy.

    A VCVS ("e") and a VCCS ("g") are controlled by the voltage between two nodes, a CCCS ("f") and a CCVS ("h") by the
    current through one of `Circuit.branch_names`, from its positive node through the source to the negative one.
    """

    kind: str = eqx.field(static=True)
    plus: Values
    minus: Values
    control: Values
    """Control nodes (plus, minus), (2, sources), or numbers of branches, (sources,)."""
    gain: Values
    """V/V, S, A/A or Ω."""


class Behavioural(eqx.Module):
    """A group of behavioural sources of one law; none has an energy."""

    name: str = eqx.field(static=True)
    kind: str = eqx.field(static=True)
    """"i": currents from `plus` through the source to `minus`; "v": voltages of `plus` above `minus`."""
    plus: Values
    """Node numbers, (n,)."""
    minus: Values
    """Node numbers, (n,)."""
    sensed: Values
    """What each senses, (n, k): a node's number for its voltage, −1 − b for the current of `Circuit.branch_names[b]`."""
    law: ControlledLaw
