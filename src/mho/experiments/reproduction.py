"""Reproductions: the networks of a paper's table trained, and its figures beside what was measured."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mho.errors import InputError, MhoError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.data import Dataset
from mho.experiments.data.table import csv_text
from mho.experiments.duration import epoch_seconds
from mho.experiments.kinds import experiment_data
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.paper import Paper, Row, read_paper
from mho.experiments.plots import save_figure, style
from mho.experiments.study import Study
from mho.experiments.sweep import duration_text, run_study
from mho.experiments.sweep_results import Member, holds_sweep, read_members

_COLUMNS = (
    "part",
    "network",
    "published",
    "measured",
    "deviation",
    "seeds",
    "diverged",
    "epochs",
    "where",
    "note",
    "skipped",
)
_SEEN = 1_000_000
"""Samples from which on training may take minutes, so that its time is told beforehand."""
_LONG = 600.0
"""Seconds from which on networks train one after the other, with checkpoints, instead of at once."""


@dataclass(frozen=True)
class Reproduced:
    """A row of a paper and what came of it."""

    row: Row
    members: list[Member] = field(default_factory=list)
    """A network for each seed."""
    skipped: str = ""
    """Why nothing was trained."""

    @property
    def errors(self) -> list[float]:
        """Test error [%] of each network that did not diverge."""
        return [100 * error for member in self.members if (error := member.test_error[-1]) is not None]

    @property
    def mean(self) -> float | None:
        """Of the errors [%]."""
        return statistics.fmean(self.errors) if self.errors else None

    @property
    def deviation(self) -> float | None:
        """Of the errors [%]; None of fewer than two."""
        return statistics.stdev(self.errors) if len(self.errors) > 1 else None


def reproduce(
    paper: str,
    parts: Sequence[str] = (),
    *,
    seeds: Sequence[int] = range(3),
    out: str | Path | None = None,
    progress: bool = True,
) -> list[Reproduced]:
    """Train what a paper's table holds.

    Args:
        paper: its name; see `mho reproduce`.
        parts: those to train; all but the quick one if none is named.
        seeds: of the initial weights and the order of the samples.
        out: folder for results.csv, results.png and a sweep for each row, in which what was interrupted goes on;
            reproductions/PAPER if None.
        progress: whether to tell how far it has come, and how long it will take, on standard error.

    Returns:
        Row by row what was measured, or why it was skipped.

    Raises:
        InputError: for an unknown paper or part, or a folder with something else.
        MhoError: if no row can be trained.
    """
    known = read_paper(paper)
    rows = known.of(parts)
    folder = Path("reproductions", paper) if out is None else Path(out)

    def tell(text: str) -> None:
        if progress:
            print(text, file=sys.stderr, flush=True)

    plan = [_planned(row, _folder(folder, known, row), seeds) for row in rows]
    if all(isinstance(p, str) for p in plan):
        raise MhoError(f"{paper}: nothing to train: {plan[0]}")
    times = {row.network: p for row, p in zip(rows, plan, strict=True) if not isinstance(p, str) and p}
    for network, seconds in times.items():
        tell(f"{network}: about {duration_text(seconds)} of training left")
    if len(times) > 1:
        tell(f"about {duration_text(sum(times.values()))} in all; what is interrupted goes on by the same command")
    found = []
    for row, planned in zip(rows, plan, strict=True):
        if isinstance(planned, str):
            tell(f"{row.network}: skipped: {planned}")
            found.append(Reproduced(row, skipped=planned))
            continue
        tell(f"{row.network}:")
        where = _folder(folder, known, row)
        alone = planned > _LONG or (where / "runs").exists()
        study = Study(row.experiment, row.configuration, {}, seeds)
        found.append(Reproduced(row, run_study(study, where, progress=progress, alone=alone)))
        write_results(known, found, folder)
    return found


def _folder(folder: Path, paper: Paper, row: Row) -> Path:
    among = [r for r in paper.rows if r.part == row.part]
    return folder / (row.part if len(among) == 1 else f"{row.part}-{among.index(row) + 1}")


def _planned(row: Row, folder: Path, seeds: Sequence[int]) -> float | str:
    """Seconds that a row takes, 0 where that is not worth measuring; or why it cannot be trained."""
    if row.lacks:
        return row.lacks
    configuration = row.configuration
    try:
        refuse_if_too_large(configuration, 1, 1)
        data: Dataset = experiment_data(configuration)
        refuse_if_too_large(configuration, data.train_inputs.shape[1], data.form.outputs, len(data.train_inputs))
    except (InputError, MhoError) as problem:
        return str(problem)
    left = len(seeds)
    if holds_sweep(folder):
        study = Study(row.experiment, configuration, {}, seeds)
        left = sum(member is None for member in read_members(folder, study))
    epochs = configuration.epochs * left
    seen = len(data.train_inputs) * configuration.passes * epochs
    return epochs * epoch_seconds(configuration, data) if seen > _SEEN else 0.0


def write_results(paper: Paper, found: Sequence[Reproduced], folder: Path) -> None:
    """Write the table, results.csv, and the figure, results.png."""

    def shown(number: float | None) -> str:
        return "" if number is None else f"{number:.3f}"

    lines = []
    for r in found:
        counts = (len(r.members), len(r.members) - len(r.errors), r.row.configuration.epochs)
        numbers = map(shown, (r.row.published, r.mean, r.deviation))
        lines.append([r.row.part, r.row.network, *numbers, *counts, r.row.where, r.row.note, r.skipped])
    text = csv_text(_COLUMNS, lines)
    write_atomically(folder / "results.csv", lambda file: file.write(text.encode()))
    _draw(paper, [r for r in found if r.errors], folder / "results.png")


def _draw(paper: Paper, found: Sequence[Reproduced], path: Path) -> None:
    # Imported here: matplotlib takes a second, which training need not wait for.
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(7, 1.2 + 0.35 * len(found)), layout="constrained")
        axes = figure.subplots()
        for place, r in enumerate(found):
            axes.errorbar(
                statistics.fmean(r.errors),
                place,
                xerr=r.deviation,
                fmt="o",
                color="C0",
                capsize=3,
                label="" if place else "mho",
            )
            if r.row.published is not None:
                axes.plot(r.row.published, place, "d", color="C1", label="published")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(handles.values(), handles.keys())
        axes.set_yticks(range(len(found)), [r.row.network for r in found])
        axes.invert_yaxis()
        axes.set(xlabel="test error [%]", title=paper.name)
        save_figure(figure, path)
