"""What comes of a sweep: its members, and the files that tell of them."""

import contextlib
import dataclasses
import itertools
import json
import reprlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.configuration import without_infinity
from mho.experiments.data.files import digest
from mho.experiments.data.table import csv_text
from mho.experiments.run import LOCK, may_change, read_back
from mho.experiments.study import Study, value_text

_STUDY, _RESULTS, _TABLE = "sweep.json", "results.jsonl", "results.csv"
_COLUMNS = ("seed", "train_loss", "train_error", "test_error", "diverged", "unconverged")


@dataclass(frozen=True)
class Member:
    """What one network of a sweep was trained with and what came of it."""

    seed: int
    setting: dict[str, Any]
    """The varied fields' values."""
    train_loss: list[float | None]
    """Mean over each epoch; None from the epoch on in which it ceased to be finite, and where none was trained."""
    train_error: list[float | None]
    """Mean over each epoch, before each update; None where the loss is not finite."""
    test_error: list[float | None]
    """After each epoch, on the training samples where all are trained on; None where the loss is not finite."""
    unconverged: int
    """Operating points for which the solver ran out of sweeps, in training."""

    @property
    def diverged(self) -> bool:
        """Whether its loss ceased to be finite."""
        return self.test_error[-1] is None

    @property
    def label(self) -> str:
        """Its setting in words."""
        return setting_text(self.setting) or "as configured"

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON."""
        setting = {name: without_infinity(value) for name, value in self.setting.items()}
        return vars(self) | {"setting": setting, "diverged": self.diverged}


def setting_text(setting: dict[str, Any]) -> str:
    """Fields and their values in words."""
    return ", ".join(f"{name.replace('_', ' ')} {value_text(value)}" for name, value in setting.items())


@dataclass(frozen=True)
class Summary:
    """The last test errors of the networks of one setting, those that diverged left out; None where there are none."""

    setting: dict[str, Any]
    label: str
    mean: float | None
    deviation: float | None
    """None of fewer than two."""
    best: float | None
    networks: int
    diverged: int
    unconverged: int


def summaries(members: Sequence[Member]) -> list[Summary]:
    """A summary of each setting's members."""
    found = []
    for label, each in itertools.groupby(members, lambda member: member.label):
        group = list(each)
        errors = [error for member in group if (error := member.test_error[-1]) is not None]
        found.append(
            Summary(
                group[0].setting,
                label,
                statistics.fmean(errors) if errors else None,
                statistics.stdev(errors) if len(errors) > 1 else None,
                min(errors, default=None),
                len(group),
                len(group) - len(errors),
                sum(member.unconverged for member in group),
            )
        )
    return found


def begin_study(folder: Path, study: Study) -> None:
    """Write sweep.json; or, where there is one, refuse another study's.

    Raises:
        InputError: if the folder holds another sweep, or a file of the data has changed since.
    """
    path = folder / _STUDY
    if not path.exists():
        if (folder / _RESULTS).exists():
            raise InputError(f"--out {folder}: holds a sweep already; name another folder")
        content = study.to_json() | {"sha256": {file: digest(Path(file)) for file in sorted(study.files())}}
        _write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        return
    before, digests = _read(folder)
    then, now = _flat(before), _flat(study)
    for name in {**now, **then}:
        was, wanted = then.get(name), now.get(name)
        if was != wanted and (name == "epochs" or not may_change(name, was, wanted)):
            raise InputError(
                f"--out {folder}: holds another sweep: {name} is {reprlib.repr(was)} there, here {reprlib.repr(wanted)}; "
                "name another folder"
            )
    for file, expected in digests.items():
        if (actual := digest(Path(file))) != expected:
            raise InputError(f"{file}: is not what {folder} began with: expected sha256 {expected}, actual {actual}")


def holds_sweep(folder: Path) -> bool:
    """Whether there is a sweep in a folder."""
    return (folder / _STUDY).exists()


def discard_unbegun(folder: Path, made: Sequence[Path]) -> None:
    """Remove a sweep of which nothing is done, and the folders that were made for it, as far as they are empty then."""
    for name in (_STUDY, LOCK):
        (folder / name).unlink(missing_ok=True)
    for emptied in (folder / "runs", *made):
        with contextlib.suppress(OSError):
            emptied.rmdir()


def read_study(folder: Path) -> Study:
    """The study of a sweep's folder.

    Raises:
        InputError: if it holds none, or none that mho wrote.
    """
    return _read(folder)[0]


def _flat(study: Study) -> dict[str, Any]:
    content = study.to_json()
    varied = {f"vary {field}": values for field, values in content["vary"].items()}
    return content["configuration"] | varied | {"seeds": content["seeds"]}


def _read(folder: Path) -> tuple[Study, dict[str, str]]:
    with read_back(folder / _STUDY, "sweep"):
        content = json.loads((folder / _STUDY).read_text())
        return Study.from_json(content), dict(content["sha256"])


def read_members(folder: Path, study: Study) -> list[Member | None]:
    """The members of a study, None in place of those that are not trained yet.

    Raises:
        InputError: if results.jsonl cannot be read, or has other networks.
    """
    path = folder / _RESULTS
    configurations = study.members()
    rows = {_key(study.seed(row), study.setting(row)): row for row in range(len(configurations))}
    found: list[Member | None] = [None] * len(configurations)
    try:
        lines = path.read_text().splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: cannot be read: {problem}") from problem
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            row = rows[_key(content["seed"], content["setting"])]
            content["setting"] = study.setting(row)
            found[row] = Member(**{field.name: content[field.name] for field in dataclasses.fields(Member)})
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            raise InputError(f"{path}:{number}: no network of this sweep") from problem
    return found


def _key(seed: int, setting: dict[str, Any]) -> str:
    return json.dumps([seed, {name: without_infinity(value) for name, value in setting.items()}], sort_keys=True)


def write_members(folder: Path, members: Sequence[Member | None]) -> None:
    """Write results.jsonl and results.csv: a line a network that is trained, the errors in the table those of the end.

    Raises:
        OSError: if they cannot be written.
    """
    there = [member for member in members if member is not None]
    rows = [[*map(value_text, m.setting.values()), *(_last(m.to_json()[name]) for name in _COLUMNS)] for m in there]
    _write(folder / _TABLE, csv_text([*there[0].setting, *_COLUMNS], rows))
    _write(folder / _RESULTS, "".join(json.dumps(m.to_json(), allow_nan=False) + "\n" for m in there))


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) else value


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))
