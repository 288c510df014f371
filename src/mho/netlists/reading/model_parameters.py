"""What a `.model` card's parameters are: names, defaults and ranges, one table a kind of model."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mho.errors import InputError
from mho.netlists.reading.values import shown


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind of model.

    Attributes:
        field: The field of the model's dataclass.
        default: Its value on a card without it.
        least: Smallest value.
        most: Largest value.
        open: Whether the smallest value itself is not allowed.
    """

    field: str
    default: float | None
    least: float = -math.inf
    most: float = math.inf
    open: bool = False


def positive(field: str, default: float | None, most: float = math.inf) -> Parameter:
    """A parameter above 0."""
    return Parameter(field, default, 0.0, most, open=True)


def not_negative(field: str, default: float | None = 0.0, most: float = math.inf) -> Parameter:
    """A parameter of at least 0."""
    return Parameter(field, default, 0.0, most)


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """The parameters of a kind of model.

    Attributes:
        what: The kind, in messages: ``diode``.
        known: By SPICE's first name.
        aliases: Other names of them.
        without_effect: Read and dropped: noise, ratings that only warn, what no DC or transient solution has.
        ignored: Other simulators' names, which ngspice passes over with a warning: dropped, too.
        levels: The levels that are this kind's law.
        other_levels: The level as which ngspice takes those that it doesn't have; None where it has others of its own.
        limits: A largest value that ngspice cuts a parameter to, by its first name.
    """

    what: str
    known: Mapping[str, Parameter]
    aliases: Mapping[str, str]
    without_effect: frozenset[str]
    ignored: frozenset[str] = frozenset()
    levels: tuple[int, ...] = (1,)
    other_levels: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def first_name(self, name: str) -> str | None:
        """The parameter's first name, or None if it has no effect and is to be dropped; ``level`` stands for itself.

        Raises:
            InputError: Such a model has no such parameter here.
        """
        name = self.aliases.get(name, name)
        if name in self.known or name == "level":
            return name
        if name in self.without_effect or name in self.ignored:
            return None
        levels = "|".join(map(str, self.levels))
        raise InputError(
            f"unsupported {self.what} parameter {shown(name)}; supported: {' '.join(self.known)} "
            f"{' '.join(self.aliases)} level={levels} (without effect: {' '.join(sorted(self.without_effect))})"
        )

    def remarks(self, written: Iterable[str], parameters: Mapping[str, float]) -> list[tuple[str, str]]:
        """What is to be told of a card, and of which parameter: as ngspice does it, names are passed over and values cut.

        Args:
            written: The names on the card.
            parameters: By first names.
        """
        over = f"no parameters of ngspice's {self.what} models are passed over, as it does"
        passed = [(over, name) for name in written if name in self.ignored]
        cut = [name for name, most in self.limits.items() if parameters.get(name, most) > most]
        if self.other_levels is not None and parameters.get("level", self.levels[0]) not in self.levels:
            passed.append(
                (f"a {self.what}'s level that ngspice doesn't have is {self.other_levels}, as it takes it", "level")
            )
        return passed + [
            (f"{name.upper()} of a {self.what} is at most {self.limits[name]:g}, as in ngspice", name) for name in cut
        ]

    def check_level(self, name: str, level: float) -> None:
        """Refuse a model of a law that isn't this kind's.

        Raises:
            InputError: It is of another level.
        """
        if level not in self.levels and self.other_levels is None:
            levels = " and ".join(map(str, self.levels))
            raise InputError(f"{self.what} model {shown(name)} is of level {level:g}; only level {levels} is supported")

    def fields(self, name: str, parameters: Mapping[str, float]) -> dict[str, float | None]:
        """The fields of a model, with the defaults filled in.

        Args:
            name: The model's name.
            parameters: By the names that `first_name` gives.

        Raises:
            InputError: A value is out of its range, or the level is another.
        """
        self.check_level(name, parameters.get("level", self.levels[0]))
        fields: dict[str, float | None] = {}
        for parameter, rule in self.known.items():
            value = parameters.get(parameter)
            if value is None:
                fields[rule.field] = rule.default
                continue
            if not rule.least <= value <= rule.most or (value == rule.least and rule.open) or math.isinf(value):
                allowed = [f"{'above' if rule.open else 'at least'} {rule.least:g}"] * math.isfinite(rule.least)
                allowed += [f"at most {rule.most:g}"] * math.isfinite(rule.most)
                right = " and ".join(allowed or ["finite"])
                raise InputError(
                    f"{parameter.upper()} of {self.what} model {shown(name)} is {value:g}; it must be {right}"
                )
            fields[rule.field] = value
        return fields
