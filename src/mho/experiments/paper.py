"""Papers: what a published table holds, as experiments, each a file of `papers/`."""

import dataclasses
import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.errors import InputError
from mho.experiments.configuration import Configuration
from mho.experiments.registry import experiment
from mho.experiments.study import checked_value

_FOLDER = Path(__file__).parent / "papers"
QUICK = "quick"
"""The part that is no part of the paper: small networks that show in less than a minute that all works."""


@dataclass(frozen=True)
class Row:
    """A network of a paper's table."""

    part: str
    """Part of the paper that it belongs to."""
    network: str
    """What it is."""
    experiment: str
    """The named experiment that it is a variation of."""
    configuration: Configuration
    published: float | None = None
    """Test error [%]; None where the paper gives none."""
    where: str = ""
    """Where in the paper that stands."""
    note: str = ""
    """In what it differs from the paper's."""
    lacks: str = ""
    """What is missing to train it; nothing if empty."""


@dataclass(frozen=True)
class Paper:
    """A paper and the rows of its table."""

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]

    @property
    def parts(self) -> list[str]:
        """Their names."""
        return list(dict.fromkeys(row.part for row in self.rows))

    def of(self, parts: Sequence[str]) -> list[Row]:
        """The rows of some parts; of all but the quick one if none is named.

        Raises:
            InputError: for a part that the paper has not.
        """
        for part in parts:
            if part not in self.parts:
                raise InputError(f"--part {part}: {self.name} has {', '.join(self.parts)}")
        return [row for row in self.rows if row.part in parts or (not parts and row.part != QUICK)]


def paper_names() -> list[str]:
    """The papers that there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_paper(name: str) -> Paper:
    """A paper by its name.

    Raises:
        InputError: if there is none.
    """
    if name not in paper_names():
        close = difflib.get_close_matches(name, paper_names(), n=1)
        told = f"did you mean {close[0]}?" if close else f"known are {', '.join(paper_names())}"
        raise InputError(f"unknown paper {name!r}: {told}")
    content = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    rows = []
    for row in content["row"]:
        known = experiment(row["experiment"]).configuration
        changes = {field: checked_value(type(known), field, value) for field, value in row.pop("set", {}).items()}
        rows.append(Row(**row, configuration=dataclasses.replace(known, **changes)))
    return Paper(name, content["title"], content["source"], tuple(rows))
