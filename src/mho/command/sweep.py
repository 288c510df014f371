"""`mho sweep`: an experiment over seeds and hyperparameters, many networks in one compiled program."""

import contextlib
import dataclasses
import itertools
import json
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import tyro

from mho.command.options import parse
from mho.errors import InputError
from mho.experiments.registry import experiment

if TYPE_CHECKING:
    from mho.experiments.sweep import Member

_DIGITS = 20
"""Of a number that is looked at: a seed has ten at the most, and Python reads no number of thousands."""
_EXAMPLE = "Example: mho sweep drn-digits --seeds 0..7 --learning-rates 3e-3,6e-3 --validation 300"


@dataclasses.dataclass(frozen=True)
class Options:
    """Lists are separated by commas. Every combination is trained with every seed."""

    experiment: Annotated[str, tyro.conf.Positional]
    """Name of the experiment, see mho list; or FILE.toml."""
    seeds: str = "0..3"
    """Seeds: 0..31 for a range, or a list."""
    learning_rates: str | None = None
    """Learning rates; a colon between the rates of layers: 1e-4:0.01,3e-4:0.03."""
    beta: str | None = None
    """Nudging factors."""
    decay: str | None = None
    """Factors on the learning rates after each epoch."""
    initial: str | None = None
    """Scales of the initial conductances."""
    epochs: int | None = None
    """Passes through the training set; the experiment's if not given."""
    batch_size: int | None = None
    """Samples an update; the experiment's if not given."""
    validation: int | None = None
    """Training samples to hold out and test on in place of the test set: tune on these."""
    data_dir: str | None = None
    """Folder that holds the files of mnist or fashion-mnist."""
    out: str | None = None
    """Folder for results.jsonl, a line a network, and sweep.png; sweeps/EXPERIMENT if not given."""


def run(arguments: Sequence[str]) -> None:
    """Sweep; print a table of means and deviations over the seeds."""
    if not arguments:
        raise InputError("mho sweep needs an experiment (see mho sweep --help)")
    options = parse(Options, arguments, prog="mho sweep", description=_EXAMPLE)
    configuration = experiment(options.experiment).configuration
    changes = {name: getattr(options, name) for name in ("epochs", "batch_size", "validation", "data_dir")}
    configuration = dataclasses.replace(configuration, **{k: v for k, v in changes.items() if v is not None})
    values: dict[str, Any] = {}
    for name in ("beta", "decay", "initial"):
        if (given := getattr(options, name)) is not None:
            values[name] = _numbers(f"--{name}", given, ",")
    if options.learning_rates is not None:
        each = options.learning_rates.split(",")
        values["learning_rates"] = [tuple(_numbers("--learning-rates", rates, ":")) for rates in each]
    seeds = _seeds(options.seeds)

    folder = Path(options.out) if options.out is not None else Path("sweeps", Path(options.experiment).stem)
    if (folder / "results.jsonl").exists():
        raise InputError(f"--out {folder}: holds a sweep already; name another folder")
    from mho.experiments.sweep import settings_of, sweep

    settings_of(
        dataclasses.replace(configuration, seed=seeds[-1] if isinstance(seeds, range) else max(seeds)), values
    )  # refused before the folder is made
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"--out {folder}: cannot be made: {problem.strerror}") from problem
    try:
        members = sweep(configuration, seeds, values, told=lambda line: print(line, file=sys.stderr, flush=True))
    except BaseException:
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise
    _write(folder, members)
    _report(folder, members)


def _report(folder: Path, members: "list[Member]") -> None:
    print(
        f"{'setting':<40}{'test error':>12}{'± std':>9}{'best':>9}{'networks':>10}{'diverged':>10}{'out of sweeps':>15}"
    )
    for label, group in _groups(members):
        errors = [100 * error for member in group if (error := member.test_error[-1]) is not None]
        spread = f"{statistics.stdev(errors):.2f}" if len(errors) > 1 else "-"
        mean = f"{statistics.mean(errors):.2f} %" if errors else "-"
        best = f"{min(errors):.2f}" if errors else "-"
        unconverged = sum(member.unconverged for member in group)
        diverged = len(group) - len(errors)
        print(f"{label:<40}{mean:>12}{spread:>9}{best:>9}{len(group):>10}{diverged:>10}{unconverged:>15}")
    print(f"the sweep is in {folder}")


def _write(folder: Path, members: "list[Member]") -> None:
    from mho.experiments.atomic_file import write_atomically
    from mho.experiments.plots import plot_sweep

    lines = "".join(
        json.dumps(dataclasses.asdict(member) | {"diverged": member.diverged}, allow_nan=False) + "\n"
        for member in members
    )
    plot_sweep({label: [m.test_error for m in group] for label, group in _groups(members)}, folder / "sweep.png")
    write_atomically(folder / "results.jsonl", lambda file: file.write(lines.encode()))


def _groups(members: "list[Member]") -> "list[tuple[str, list[Member]]]":
    """The members of each setting, and its name."""

    def label(member: "Member") -> str:
        shown = {
            name: ":".join(f"{x:g}" for x in value) if isinstance(value, tuple) else f"{value:g}"
            for name, value in member.setting.items()
        }
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items()) or "as configured"

    return [(name, list(group)) for name, group in itertools.groupby(members, label)]


def _numbers(name: str, text: str, separator: str) -> list[float]:
    try:
        return [float(part) for part in text.split(separator)]
    except ValueError as problem:
        raise InputError(f"{name} {text}: expected numbers, separated by {separator!r}") from problem


def _seeds(text: str) -> Sequence[int]:
    if match := re.fullmatch(r"(\d+)\.\.(\d+)", text):
        first, last = (int(digits[:_DIGITS]) for digits in match.groups())
        if max(first, last) >= 2**31:
            raise InputError(f"--seeds {_shortened(text)}: must be below 2147483648")
        return range(first, last + 1) if first <= last else _refused(text)
    elif re.fullmatch(r"\d+(,\d+)*", text):
        seeds = [int(part[:_DIGITS]) for part in text.split(",")]
        return seeds if len(set(seeds)) == len(seeds) else _refused(text)
    return _refused(text)


def _refused(text: str) -> NoReturn:
    raise InputError(
        f"--seeds {_shortened(text)}: expected a range like 0..31, upwards, or a list of different numbers"
    )


def _shortened(text: str) -> str:
    return text if len(text) < 80 else text[:76] + " ..."
