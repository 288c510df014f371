"""Constants of estimates: ranges from low over typical to high, each with its source, from a file that users may replace."""

import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InputError

DEFAULTS = Path(__file__).parent / "constants.toml"
_SINGLE = ("read_voltage", "conductance_max")
"""Constants that set a scale: one number."""


@dataclass(frozen=True)
class Range:
    """A quantity ≥ 0 from low over typical to high; sums, products and quotients reach as far as their parts allow."""

    low: float
    typical: float
    high: float

    @classmethod
    def of(cls, value: "Range | float") -> "Range":
        """A range, or a number as one."""
        return value if isinstance(value, Range) else cls(value, value, value)

    def __add__(self, other: "Range | float") -> "Range":
        there = Range.of(other)
        return Range(self.low + there.low, self.typical + there.typical, self.high + there.high)

    def __mul__(self, other: "Range | float") -> "Range":
        there = Range.of(other)
        return Range(self.low * there.low, self.typical * there.typical, self.high * there.high)

    def __truediv__(self, other: "Range | float") -> "Range":
        there = Range.of(other)
        return Range(self.low / there.high, self.typical / there.typical, self.high / there.low)

    __radd__, __rmul__ = __add__, __mul__

    def each(self, function: Any) -> "Range":
        """The range of a function that does not fall."""
        return Range(*map(function, dataclasses.astuple(self)))


@dataclass(frozen=True)
class Constant:
    """A constant."""

    range: Range
    unit: str
    source: str


Constants = Mapping[str, Constant]
"""By name; of devices as `device.NAME.…`, of other machines as `beside.NAME`."""


def read_constants(path: Path | None = None) -> Constants:
    """The constants, with what a file says instead.

    Raises:
        InputError: if the file cannot be read, is no TOML, or has an unknown name or a wrong value: with its line.
    """
    known = _flat(tomllib.loads(DEFAULTS.read_text()))
    made = {name: _constant(name, entry, None) for name, entry in known.items()}
    if path is None:
        return made
    try:
        text = path.read_text(encoding="utf-8")
        given = _flat(tomllib.loads(text))
    except OSError as problem:
        raise InputError(f"--constants {path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"--constants {path}: is no text in UTF-8") from problem
    except tomllib.TOMLDecodeError as problem:
        where = re.search(r"\(at line (\d+), column \d+\)$", str(problem))
        told = str(problem).partition(" (at")[0]
        raise InputError(f"--constants {path}{f':{where[1]}' if where else ''}: not TOML: {told}") from problem
    for name, entry in given.items():
        try:
            base = made.get(name) or (made.get(name.split(".")[-1]) if name.startswith("device.") else None)
            if base is None and not name.startswith("beside."):
                close = difflib.get_close_matches(name, made, n=1)
                told = f"did you mean {close[0]}?" if close else "see mho estimate --show-constants"
                raise InputError(f"unknown constant {name!r}: {told}")
            made[name] = _constant(name, entry, base)
        except InputError as problem:
            raise InputError(f"--constants {_place(path, text, name)}: {problem}") from problem
    return made


def constant(constants: Constants, name: str, device: str) -> Range:
    """A constant's range; the device's own, where it has one."""
    return constants.get(f"device.{device}.{name}", constants[name]).range


def _flat(content: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and not {"range", "unit", "source"} & value.keys():
            found |= _flat(value, f"{before}{name}.")
        else:
            found[before + name] = value
    return found


def _constant(name: str, entry: Any, base: Constant | None) -> Constant:
    fields = entry if isinstance(entry, dict) else {"range": entry}
    if unknown := fields.keys() - {"range", "unit", "source"}:
        raise InputError(f"{name} has {min(unknown)!r}; expected range, unit and source")
    unit = fields.get("unit", base.unit if base else "")
    if base is not None and unit != base.unit:
        raise InputError(f"{name} is in {unit!r}; expected {base.unit!r}")
    numbers = fields.get("range", dataclasses.astuple(base.range) if base else None)
    values: Any = [numbers] * 3 if type(numbers) in (int, float) else numbers
    right = isinstance(values, list | tuple) and len(values) == 3
    if not (right and all(isinstance(v, int | float) and 0 < v < math.inf for v in values)):
        raise InputError(f"{name} is {numbers}: expected a positive number, or low, typical and high")
    if not values[0] <= values[1] <= values[2]:
        raise InputError(f"{name} is {numbers}: low, typical and high must not fall")
    if name in _SINGLE and values[0] != values[2]:
        raise InputError(f"{name} is {numbers}: sets a scale, and is one number")
    return Constant(Range(*map(float, values)), unit, fields.get("source", "the user's"))


def _place(path: Path, text: str, name: str) -> str:
    last = name.rpartition(".")[2]
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*(\[{re.escape(name)}\]|{re.escape(last)}\s*=)", line):
            return f"{path}:{number}"
    return str(path)
