"""Studies: an experiment over values of its fields and over seeds, as plain data."""

import dataclasses
import difflib
import itertools
import math
import os
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.errors import InputError
from mho.experiments.configuration import (
    KEPT_FILES,
    CircuitConfiguration,
    Configuration,
    NetworkConfiguration,
    RuleConfiguration,
    from_json,
    option,
    short,
    to_json,
    type_of,
    typed,
    without_infinity,
)
from mho.experiments.data_fields import is_file

_KEPT = ("netlist", *KEPT_FILES)
"""Fields that name a file whose text a configuration keeps."""
_MOST = 100_000
"""Networks of a study, each of which is recorded."""


@dataclass(frozen=True)
class Study:
    """An experiment over values of its fields and over seeds.

    Raises:
        InputError: for an unknown field, or a value that is not of its type, comes twice or that the configuration refuses.
    """

    name: str
    """The experiment's."""
    configuration: Configuration
    """What all networks have in common."""
    vary: Mapping[str, Sequence[Any]]
    """Values by field, every combination of which is trained with every seed."""
    seeds: Sequence[int]
    """Of the initial weights and of the order of the samples."""

    def __post_init__(self) -> None:
        kind = type(self.configuration)
        if kind is NetworkConfiguration:
            raise InputError("a network that a Python program made cannot be swept: call mho.fit for each setting")
        vary = {}
        for given, values in self.vary.items():
            field = field_of(kind, given)
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise InputError(f"{option(field)} {values!r}: expected a list of values")
            vary[field] = tuple(checked_value(kind, field, value) for value in values)
            if not vary[field]:
                raise InputError(f"{option(field)}: no value")
            if twice := next((v for k, v in enumerate(vary[field]) if v in vary[field][:k]), None):
                raise InputError(f"{option(field)} {value_text(twice)}: given twice")
        object.__setattr__(self, "vary", vary)
        networks = math.prod(map(len, vary.values())) * len(self.seeds)
        if networks > _MOST:
            raise InputError(f"{networks} networks (--seeds, --vary): a sweep has {_MOST} at the most")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError("--seeds: expected different numbers, at least one")
        settings = self._settings()
        rules = {setting.rule for setting in settings if isinstance(setting, RuleConfiguration)}
        if "beta" in vary and all(rule in ("implicit", "coupled-learning") for rule in rules):
            raise InputError(f"--beta: --rule {' and '.join(sorted(rules))} has no nudging factor β")
        dataclasses.replace(self.configuration, seed=max(self.seeds))

    def _settings(self) -> list[Configuration]:
        return [
            self._set(dict(zip(self.vary, chosen, strict=True))) for chosen in itertools.product(*self.vary.values())
        ]

    def _set(self, changes: dict[str, Any]) -> Configuration:
        # A netlist's text is read from its file.
        return dataclasses.replace(self.configuration, **changes, **({"text": ""} if "netlist" in changes else {}))

    def members(self) -> list[Configuration]:
        """The networks' configurations, setting by setting, the seeds of each in their order."""
        return [_seeded(setting, seed) for setting in self._settings() for seed in self.seeds]

    def seed(self, row: int) -> int:
        """A member's seed."""
        return self.seeds[row % len(self.seeds)]

    def setting(self, row: int) -> dict[str, Any]:
        """The varied fields' values of a member, as they were given."""
        chosen = {}
        row //= len(self.seeds)
        for field, values in reversed(list(self.vary.items())):
            row, place = divmod(row, len(values))
            chosen[field] = values[place]
        return {field: chosen[field] for field in self.vary}

    def files(self) -> set[str]:
        """The user's own files and folders that its networks are made of or learn from."""
        sets = (file for setting in self._settings() for file in (setting.dataset, setting.test_dataset))
        kept = (value for field in _KEPT for value in self.vary.get(field, ()))
        return {file for file in sets if file and is_file(file)} | {file for file in kept if file}

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON. An infinite bound becomes null, as in a configuration."""
        vary = {field: [without_infinity(value) for value in values] for field, values in self.vary.items()}
        common = {"experiment": self.name} | to_json(self.configuration)
        return {"configuration": common, "vary": vary, "seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, content: Any) -> "Study":
        """What `to_json` wrote.

        Raises:
            InputError, KeyError, TypeError, ValueError, AttributeError: if it is something else.
        """
        common, vary = dict(content["configuration"]), dict(content["vary"])
        name = str(common.pop("experiment"))
        configuration = from_json(common)
        for field, values in vary.items():
            optional = types.NoneType in typing.get_args(field_type(type(configuration), field))
            vary[field] = [_with_infinity(value, optional) for value in values]
        return cls(name, configuration, vary, [int(seed) for seed in content["seeds"]])


def _seeded(setting: Configuration, seed: int) -> Configuration:
    if isinstance(setting, CircuitConfiguration) and setting.start is not None:
        # Its own seed drew the circuit that was trained; what differs is the chip.
        return dataclasses.replace(setting, flaw_seed=seed if setting.flaw_seed is None else setting.flaw_seed)
    return dataclasses.replace(setting, seed=seed)


def field_type(kind: type[Configuration], field: str) -> Any:
    """The type of a configuration's field."""
    return typing.get_type_hints(kind)[field_of(kind, field)]


def field_of(kind: type[Configuration], given: str) -> str:
    """The field that a name with - or _ means.

    Raises:
        InputError: if there is none that can vary; it tells near names.
    """
    field = given.replace("-", "_")
    known = [f.name for f in dataclasses.fields(kind) if f.name not in ("seed", "text")]
    if field == "seed":
        raise InputError(f"--vary {given}: a sweep's seeds are given by --seeds")
    if field not in known:
        close = difflib.get_close_matches(field, known, n=1)
        raise InputError(
            f"--vary {given}: no field of this experiment" + (f": did you mean {close[0]}?" if close else "")
        )
    return field


def read_values(kind: type[Configuration], given: Iterable[str]) -> dict[str, list[Any]]:
    """Values of fields as the command takes them: FIELD=V1,V2,…; in a list blanks, or colons between numbers.

    Raises:
        InputError: for an unknown field, or a value that is not of its type.
    """
    found: dict[str, list[Any]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals:
            raise InputError(f"--vary {text}: expected FIELD=VALUE,VALUE,…")
        field = field_of(kind, name)
        if field in found:
            raise InputError(f"{option(field)}: is varied twice")
        found[field] = [_read(kind, field, value.strip(), values) for value in values.split(",")]
    return found


def _read(kind: type[Configuration], field: str, text: str, given: str) -> Any:
    expected = field_type(kind, field)
    parts = [expected, *typing.get_args(expected)]
    if types.NoneType in parts and text.lower() == "none":
        return None
    several = next((part for part in parts if typing.get_origin(part) is tuple), None)
    value = typed(_scalar(text, parts), expected) if text else None
    if value is None and several is not None:
        inner = typing.get_args(several)[0]
        items = re.split(r"[\s:]+" if inner in (int, float) else r"\s+", text) if text else []
        value = typed(tuple(_scalar(item, [inner]) for item in items), expected)
    if value is None or (isinstance(value, tuple) and not value):
        raise InputError(f"{option(field)} {given}: expected {type_of(expected)}, or several with commas between")
    return value


def _scalar(text: str, kinds: Sequence[Any]) -> Any:
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                pass
    return text


def checked_value(kind: type[Configuration], field: str, value: Any) -> Any:
    """A value as a configuration's field holds it.

    Raises:
        InputError: if it is of another type.
    """
    expected = field_type(kind, field)
    if value is None and types.NoneType in typing.get_args(expected):
        return None
    value = getattr(value, "item", lambda: value)()  # NumPy's numbers
    if value and (field in _KEPT or (field in ("dataset", "test_dataset") and is_file(str(value)))):
        return os.path.abspath(value)  # so that the study can be gone on with from another folder
    several = [part for part in (expected, *typing.get_args(expected)) if typing.get_origin(part) is tuple]
    found = typed(value, expected)
    if found is None and several:
        found = typed((value,), expected)  # one for all layers
    if found is None:
        raise InputError(f"{option(field)} {value!r}: expected {type_of(expected)}")
    return found


def _with_infinity(value: Any, optional: bool) -> Any:
    if isinstance(value, list):
        return tuple(_with_infinity(v, False) for v in value)
    return math.inf if value is None and not optional else value


def value_text(value: Any) -> str:
    """A value in few characters, as `read_values` reads it: colons between the numbers of a list."""
    if isinstance(value, tuple):
        return (":" if all(isinstance(v, int | float) for v in value) else " ").join(map(short, value))
    return str(value).lower() if isinstance(value, bool) or value is None else short(value)
