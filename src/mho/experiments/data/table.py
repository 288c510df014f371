"""Tables in text: CSV with commas, semicolons or tabs, and with or without a header.

A row is a sample. The first row is a header if none of its cells is a number, or if its numbers are those of their columns
from 0, as pandas writes names of columns that have none; else columns are called by their numbers from 1.
"""

import array
import csv
import difflib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.experiments.data.samples import Samples, refuse_not_finite

_NUMBERED = 4
"""Numbers that there are at the least in a header of numbers."""


_LOOKED_AT = 20
"""Rows that tell what stands between the columns."""


@dataclass(frozen=True)
class Table:
    """A table's text and its columns."""

    origin: str
    """Its file, for errors."""
    text: str
    delimiter: str
    names: tuple[str, ...]
    header: bool
    """Whether the first row has the names."""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The lines' numbers and the cells of the samples.

        Raises:
            InputError: for a row of another length, or what is no text.
        """
        skip = self.header
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter, skipinitialspace=True)
        try:
            for row in reader:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue
                if skip:
                    skip = False
                    continue
                if len(row) != len(self.names):
                    raise InputError(
                        f"{self.origin}:{reader.line_num}: {len(row)} columns, and the first row has {len(self.names)}"
                    )
                yield reader.line_num, row
        except csv.Error as problem:
            raise InputError(f"{self.origin}:{reader.line_num}: {problem}") from problem

    def place(self, name: str, option: str = "") -> int:
        """The number of a column, from 0.

        Raises:
            InputError: if there is none of that name; it lists near names.
        """
        if name in self.names:
            return self.names.index(name)
        close = difflib.get_close_matches(name, self.names, n=3)
        known = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(self.names[:20])}"
        raise InputError(f"{option}{self.origin} has no column {name!r}: {known}")


def read_table(content: bytes, origin: str) -> Table:
    """The table that a file holds.

    Raises:
        InputError: if it is no text, or empty, or its header has no name or one name twice.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise InputError(f"{origin}:{line}: is not text in UTF-8") from problem
    if not text.strip():
        raise InputError(f"{origin}: is empty; expected a table with a sample in each row")
    # Commas may stand in numbers, too, and each of the others in text: that counts which cuts the first rows alike.
    cut = {mark: _first_rows(text, mark, origin) for mark in "\t;,"}
    alike = [mark for mark, rows in cut.items() if len(rows[0]) > 1 and len({len(row) for row in rows}) == 1]
    delimiter = next((mark for mark in (*alike, *cut) if len(cut[mark][0]) > 1), ",")
    cells = [cell.strip() for cell in cut[delimiter][0]]
    if not _is_header(cells):
        return Table(origin, text, delimiter, tuple(str(k + 1) for k in range(len(cells))), False)
    for k, name in enumerate(cells):
        if not name:
            raise InputError(f"{origin}:1: column {k + 1} has no name (pandas writes no index with index=False)")
        if name in cells[:k]:
            raise InputError(f"{origin}:1: two columns are called {name!r}")
    return Table(origin, text, delimiter, tuple(cells), True)


def _first_rows(text: str, delimiter: str, origin: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return list(itertools.islice((row for row in reader if row and (len(row) > 1 or row[0].strip())), _LOOKED_AT))
    except csv.Error as problem:
        raise InputError(f"{origin}:{reader.line_num}: {problem}") from problem


def _is_header(cells: Sequence[str]) -> bool:
    numbers = [k for k, cell in enumerate(cells) if _is_number(cell)]
    return not numbers or (len(numbers) >= _NUMBERED and all(cells[k] == str(k) for k in numbers))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def csv_text(header: Sequence[str] | None, rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    """A table as text; None leaves a cell empty."""
    content = io.StringIO()
    writer = csv.writer(content, delimiter=delimiter, lineterminator="\n")
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return content.getvalue()


def table_samples(table: Table, features: Sequence[int], targets: Sequence[int]) -> Samples:
    """The samples of a table.

    Args:
        table: the table.
        features: numbers of the columns that are inputs.
        targets: numbers of the columns that are to be predicted; none if empty.

    Raises:
        InputError: if a number is missing, is text or is not finite; it tells the line and the column.
    """
    values, lines = array.array("d"), array.array("q")
    texts: list[list[str]] = [[] for _ in targets]
    scored = "_" in table.text  # which Python reads in numbers
    for line, row in table.rows():
        try:
            cells = [row[k] for k in features]
            if scored and any("_" in cell for cell in cells):
                raise ValueError
            values.extend(map(float, cells))
        except ValueError:
            raise _wrong_cell(table, line, row, features) from None
        lines.append(line)
        for column, k in zip(texts, targets, strict=True):
            column.append(row[k].strip())
            if not column[-1]:
                raise InputError(f"{table.origin}:{line}: column {table.names[k]!r} is empty")
    if not lines:
        raise InputError(f"{table.origin}: has a header and no samples")
    inputs = np.frombuffer(values, np.float64).reshape(len(lines), -1) if features else np.zeros((len(lines), 0))
    named = table.header
    samples = Samples(
        origin=table.origin,
        inputs=_compact(inputs),
        targets=_targets(table, texts, targets, lines) if targets else None,
        where=lambda row: f"{table.origin}:{lines[row]}",
        feature_names=tuple(table.names[k] for k in features) if named else None,
        target_names=tuple(table.names[k] for k in targets) if named else None,
    )
    refuse_not_finite(samples)
    return samples


def _compact(values: np.ndarray) -> np.ndarray:
    """Bytes where that is what the numbers are: an eighth of the memory."""
    if values.size and values.min() >= 0 and values.max() <= 255:
        small = values.astype(np.uint8)
        if np.array_equal(small, values):
            return small
    return values


def _wrong_cell(table: Table, line: int, row: Sequence[str], features: Sequence[int]) -> InputError:
    k = next(k for k in features if not _is_number(row[k]))
    cell, place = row[k].strip(), f"{table.origin}:{line}: column {table.names[k]!r}"
    if not cell:
        return InputError(f"{place} is empty")
    hint = "" if table.header or line > 1 else "; a header has no numbers in it"
    return InputError(f"{place}: {cell[:40]!r} is no number{hint}")


def _targets(table: Table, texts: list[list[str]], targets: Sequence[int], lines: Sequence[int]) -> np.ndarray:
    """Numbers if all are numbers, or text if none is."""
    numbers = [[_is_number(cell) for cell in column] for column in texts]
    if all(itertools.chain.from_iterable(numbers)):
        return np.array(texts, np.float64).T
    for column, are_numbers, k in zip(texts, numbers, targets, strict=True):
        numeric = sum(are_numbers)
        if numeric == len(column) or (numeric == 0 and len(targets) == 1):
            continue
        # What the fewer of them are is the fault.
        wanted = len(targets) > 1 or 2 * numeric >= len(column)
        row = are_numbers.index(not wanted)
        raise InputError(
            f"{table.origin}:{lines[row]}: column {table.names[k]!r}: {column[row][:40]!r} is {'no' if wanted else 'a'} "
            f"number: {'a target is text or numbers throughout' if len(targets) == 1 else 'several targets are numbers'}"
        )
    return np.array(texts, object).T.astype(str)
