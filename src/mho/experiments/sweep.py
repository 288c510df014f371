"""Sweeps: an experiment over values of its fields and over seeds, as many networks at once as can be trained so."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from mho.errors import InputError
from mho.experiments.configuration import Configuration, UnlayeredConfiguration
from mho.experiments.data import Dataset
from mho.experiments.data_fields import DataFields
from mho.experiments.devices import one_device
from mho.experiments.kinds import check_data, experiment_data
from mho.experiments.mapped_training import (
    Course,
    at_once,
    common,
    judge_at_once,
    mappable,
    networks_alike,
    train_at_once,
)
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.plots import check_figure
from mho.experiments.progress import Show, Standing
from mho.experiments.registry import start
from mho.experiments.run import exclusive, holds_run
from mho.experiments.study import Study
from mho.experiments.sweep_plot import plot_sweep
from mho.experiments.sweep_results import Member, begin_study, discard_unbegun, holds_sweep, read_members, write_members
from mho.experiments.training import begin, resume
from mho.experiments.under_way import CHECKPOINT_MINUTES, Diverged, Training


def sweep(
    experiment: Configuration | str | Path,
    vary: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: Sequence[int] = range(4),
    out: str | Path | None = None,
    plot: str | Path | None = None,
    progress: bool = True,
) -> list[Member]:
    """Train a network for each seed and each combination of values of an experiment's fields.

    Those that differ in seed, rates, decay, β or first conductances alone train at once, in one compiled program; groups
    that differ in other fields train one after the other; what cannot be compiled so trains as by `mho train`.

    Args:
        experiment: a configuration, the name of an experiment, or a file: FILE.toml or a netlist.
        vary: values by field; see `mho show` for the fields.
        seeds: of the initial weights and the order of the samples.
        out: folder for the results and the figure, in which a sweep that was interrupted goes on; nothing is kept if None.
        plot: file for the figure, PNG, PDF or SVG, its numbers beside it as CSV; sweep.png and sweep.pdf in `out` if None.
        progress: whether to tell how far it has come, a line an epoch on standard error.

    Returns:
        The members, setting by setting, the seeds of each in their order.

    Raises:
        InputError: for an unknown field, a value that its experiment refuses, or a folder with another sweep.
        MhoError: if a network cannot be trained; one that only diverges is a result.
    """
    name, configuration = ("sweep", experiment) if isinstance(experiment, Configuration) else start(str(experiment))
    study = Study(name, configuration, vary or {}, seeds)
    return run_study(study, None if out is None else Path(out), None if plot is None else Path(plot), progress=progress)


def run_study(
    study: Study, folder: Path | None, plot: Path | None = None, *, progress: bool = True, alone: bool = False
) -> list[Member]:
    """Train the networks of a study that are not in its folder yet; see `sweep`. `alone` trains each as `mho train` does."""
    if plot is not None:
        check_figure(plot, "--plot")
    plan = _plan(study, alone)
    absent: list[Member | None] = [None] * sum(len(group.members) for group in plan)
    with contextlib.nullcontext(absent) if folder is None else _kept(folder, study) as found:
        left = [_work(configuration) for g in plan for row, configuration in g.members.items() if found[row] is None]
        standing = _Standing(len(left), sum(left), progress)
        if not left:
            standing.tell(f"nothing left to train: the sweep in {folder} is finished")
        for group in plan:
            for courses in _trained(group, found, study.name, folder, standing):
                for row, course in courses.items():
                    found[row] = Member(study.seed(row), study.setting(row), **course)
                if folder is not None:
                    write_members(folder, found)
        members = [member for member in found if member is not None]
        paths = [plot] if plot is not None else [] if folder is None else [folder / "sweep.png", folder / "sweep.pdf"]
        if paths:
            plot_sweep(members, study, paths, regression=plan[0].data.classes is None)
    return members


@dataclasses.dataclass(frozen=True)
class _Group:
    """Members that differ in what can be mapped over alone, by their row."""

    members: dict[int, Configuration]
    data: Dataset
    mapped: bool


def _plan(study: Study, alone: bool) -> list[_Group]:
    """Group the members; refuse what cannot be trained before anything is."""
    groups: dict[Any, dict[int, Configuration]] = {}
    for row, configuration in enumerate(study.members()):
        groups.setdefault(common(configuration), {})[row] = configuration
    known: dict[Any, Dataset] = {}
    plan = []
    for members in groups.values():
        first = next(iter(members.values()))
        refuse_if_too_large(first, 1, 1)  # before the data are fetched
        fields = tuple(getattr(first, field.name) for field in dataclasses.fields(DataFields))
        if fields not in known:
            known[fields] = experiment_data(first)
        check_data(first, data := known[fields])
        refuse_if_too_large(first, data.train_inputs.shape[1], data.form.outputs, len(data.train_inputs))
        plan.append(_Group(members, data, not alone and mappable(first, data)))
    return plan


def _trained(
    group: _Group, found: Sequence[Member | None], name: str, folder: Path | None, standing: "_Standing"
) -> Iterator[dict[int, Course]]:
    """Train what has not been found of a group: what came of it, as soon as a part of it is done."""
    rows, data = list(group.members), group.data
    if not group.mapped:
        for row in rows:
            if found[row] is None:
                run = None if folder is None else folder / "runs" / str(row + 1)
                yield {row: _alone(name, group.members[row], data, run, standing)}
                standing.finished(1, _work(group.members[row]))
        return
    size = at_once(list(group.members.values()), data)
    double = isinstance(group.members[rows[0]], UnlayeredConfiguration)
    for part in (rows[first : first + size] for first in range(0, len(rows), size)):
        if all(found[row] is not None for row in part):
            continue
        with jax.enable_x64(double):
            alike = networks_alike([group.members[row] for row in part], data)
        for places, networks in alike:
            together = [part[place] for place in places]
            if all(found[row] is not None for row in together):
                continue
            members = [group.members[row] for row in together]
            with jax.enable_x64(double):
                if members[0].epochs:
                    courses = train_at_once(members, networks, data, standing.of(len(members)))
                else:
                    courses = judge_at_once(members, networks, data)
            yield dict(zip(together, courses, strict=True))
            standing.finished(len(members), _work(members[0]))


def _alone(
    name: str, configuration: Configuration, data: Dataset, folder: Path | None, standing: "_Standing"
) -> Course:
    """Train a network as `mho train` does; in a folder as a run, which goes on where it was interrupted."""
    if not configuration.epochs:
        with jax.enable_x64(isinstance(configuration, UnlayeredConfiguration)):
            ((_, networks),) = networks_alike([configuration], data)
            return judge_at_once([configuration], networks, data)[0]
    try:
        if folder is not None and holds_run(folder):
            metrics = resume(folder, show=standing).metrics
        else:
            path, keep = folder or Path(), folder is not None
            training = Training(name, configuration, data, path, CHECKPOINT_MINUTES, one_device(), standing, keep=keep)
            metrics = (begin(training) if keep else training.run()).metrics
    except Diverged as diverged:
        standing.line(str(diverged))
        metrics = diverged.metrics
    lost = [None] * (configuration.epochs - len(metrics))
    return {
        "train_loss": [m["train_loss"] for m in metrics] + lost,
        "train_error": [m["train_error"] for m in metrics] + lost,
        "test_error": [m["error_after"] if m["test_error"] is None else m["test_error"] for m in metrics] + lost,
        "unconverged": sum(m["out_of_sweeps"] or 0 for m in metrics),
    }


def _work(configuration: Configuration) -> int:
    """What training a network takes, in epochs; to judge it takes something, too."""
    return max(1, configuration.epochs)


class _Standing(Show):
    """Tells how far a sweep has come, and how long it may take."""

    def __init__(self, networks: int, epochs: int, told: bool) -> None:
        self.networks, self.epochs, self.told = networks, epochs, told
        self.done, self.epochs_done, self.under_way = 0, 0, 0.0
        self.began = time.monotonic()

    def tell(self, text: str) -> None:
        if self.told:
            print(text, file=sys.stderr, flush=True)

    def line(self, text: str) -> None:
        """A line, after how much is done."""
        share = (self.epochs_done + self.under_way) / self.epochs
        left = (time.monotonic() - self.began) * (1 / share - 1) if share else 0.0
        told = f", {duration_text(left)} left" if left else ""
        self.tell(f"[{self.done} of {self.networks} networks done{told}]  {text}")

    def standing(self, standing: Standing) -> None:
        """Of a network that trains alone."""
        self.under_way = standing.epoch - 1 + standing.step / standing.steps

    def of(self, networks: int) -> Callable[[int, str], None]:
        """What is told after each epoch of that many networks."""

        def told(epoch: int, text: str) -> None:
            self.under_way = epoch * networks
            self.line(text)

        return told

    def finished(self, networks: int, epochs: int) -> None:
        """So many networks of so many epochs are done."""
        self.done, self.epochs_done, self.under_way = self.done + networks, self.epochs_done + networks * epochs, 0.0


def duration_text(seconds: float) -> str:
    """A duration in few characters."""
    minutes = seconds / 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


@contextlib.contextmanager
def _kept(folder: Path, study: Study) -> Iterator[list[Member | None]]:
    """The members that a folder has; what fails before one is done leaves no folder.

    Raises:
        InputError: if the folder cannot be made, or holds another sweep.
        MhoError: if another process trains in it.
    """
    absent = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"--out {folder}: cannot be made: {problem.strerror}") from problem
    begun = holds_sweep(folder)
    with exclusive(folder):
        found: list[Member | None] = []
        try:
            begin_study(folder, study)
            found = read_members(folder, study)
            yield found
        except Exception:
            if not (begun or any(found)):
                discard_unbegun(folder, absent)
            raise
