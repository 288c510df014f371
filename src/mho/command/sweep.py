"""`mho sweep`: an experiment over values of its fields and over seeds."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mho.command.experiment_options import how_to_go_on, parse_experiment, value_of
from mho.command.options import parse
from mho.command.output import check_output
from mho.errors import InputError
from mho.experiments.registry import start
from mho.experiments.study import Study, read_values
from mho.experiments.sweep_results import Member, holds_sweep, read_study, summaries

_DIGITS = 20
"""Of a number that is looked at: a seed has ten at the most, and Python reads no number of thousands."""
_VARIED = ("learning-rates", "beta", "decay", "initial")
"""Options that stand for --vary, and take several values with commas between."""
_EXAMPLE = "--seeds 0..7 --vary learning_rates=3e-3,6e-3 --validation 300"
_HELP = f"""usage: mho sweep EXPERIMENT | FILE.toml | FILE.cir [--vary FIELD=V1,V2,… …] [--seeds 0..3] [options]
       mho sweep --resume DIR [--plot FILE]

Train a network for every combination of the fields' values and every seed. Those that differ in seed, rates, decay, beta
or first conductances alone train at once, the others group after group; what no program can train at once (ngspice, a
circuit without an energy, an optimizer of one's own) trains as by mho train, in DIR/runs.

options (`mho sweep EXPERIMENT --help` tells the rest: all fields, as of mho train):
  --vary FIELD=V1,V2,…  a field's values; between those of layers a colon: learning_rates=1e-4:0.01,3e-4:0.03. Several times
  --learning-rates, --beta, --decay, --initial V1,V2,…  the same of these fields
  --seeds 0..7 | 1,5    seeds (0..3)
  --out DIR             folder for results.jsonl and results.csv (a line a network), sweep.png, sweep.pdf and sweep.csv;
                        sweeps/EXPERIMENT if it is not given. The same command goes on with what was interrupted
  --plot FILE           file for the figure (.png, .pdf or .svg), its numbers beside it as CSV
  --resume DIR          go on with the sweep in DIR

Example: mho sweep drn-digits {_EXAMPLE}"""


@dataclasses.dataclass(frozen=True)
class _Options:
    """Options.

    Attributes:
        vary: FIELD=V1,V2,…: a field's values; between those of layers colons. May be given several times.
        seeds: Seeds: 0..31 for a range, or a list with commas between.
        out: Folder of the sweep; sweeps/EXPERIMENT if it is not given.
        plot: File for the figure: .png, .pdf or .svg.
        resume: Folder of the sweep to go on with.
    """

    vary: tuple[str, ...] = ()
    seeds: str = "0..3"
    out: str | None = None
    plot: str | None = None
    resume: str | None = None


@dataclasses.dataclass(frozen=True)
class _Resumed:
    """A sweep that goes on has its own settings."""

    resume: str
    plot: str | None = None


def run(arguments: Sequence[str]) -> None:
    """Sweep; print a table of means and deviations over the seeds."""
    if not arguments:
        raise InputError("mho sweep needs an experiment or --resume DIR (see mho sweep --help)")
    if arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    if value_of("--resume", arguments) is not None:
        resumed = parse(_Resumed, arguments, prog="mho sweep", description="Go on with a sweep.")
        folder, plot = Path(resumed.resume), resumed.plot
        study = read_study(folder)
    elif arguments[0].startswith("-"):
        raise InputError(f"mho sweep needs an experiment before {arguments[0]}, or --resume DIR")
    else:
        name, default = start(arguments[0])
        configuration, options = parse_experiment(
            "sweep", name, default, _with_varied(arguments[1:]), _Options, _EXAMPLE
        )
        if configuration.seed != default.seed:
            raise InputError(f"--seed {configuration.seed}: a sweep's seeds are given by --seeds")
        vary = read_values(type(configuration), options.vary)
        study = Study(name, configuration, vary, read_seeds(options.seeds))
        value_of("--out", arguments)
        plot = options.plot
        folder = Path("sweeps", Path(name).stem) if options.out is None else Path(options.out)
    if plot is not None:
        check_output("--plot", plot)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.sweep import run_study

    try:
        members = run_study(study, folder, plot if plot is None else Path(plot))
    except KeyboardInterrupt as interruption:
        if not holds_sweep(folder):
            raise
        raise KeyboardInterrupt(
            f"{str(interruption) or 'interrupted'}; go on with: {how_to_go_on('sweep', folder)}"
        ) from interruption
    _report(members)
    print(f"the sweep is in {folder}")


def _report(members: Iterable[Member]) -> None:
    found = summaries(list(members))
    width = max(40, *(len(summary.label) + 2 for summary in found))
    print(
        f"{'setting':<{width}}{'test error':>12}{'± std':>9}{'best':>9}{'networks':>10}{'diverged':>10}"
        f"{'out of sweeps':>15}"
    )
    for summary in found:
        mean = "-" if summary.mean is None else f"{100 * summary.mean:.2f} %"
        spread, best = ("-" if x is None else f"{100 * x:.2f}" for x in (summary.deviation, summary.best))
        counts = f"{summary.networks:>10}{summary.diverged:>10}{summary.unconverged:>15}"
        print(f"{summary.label:<{width}}{mean:>12}{spread:>9}{best:>9}{counts}")


def _with_varied(given: Sequence[str]) -> list[str]:
    """The options with all that varies, wherever it stands, behind one --vary."""
    left: list[str] = []
    varied: list[str] = []
    position = 0
    while position < len(given):
        name, equals, value = given[position].partition("=")
        position += 1
        if name.removeprefix("--") not in ("vary", *_VARIED) or not name.startswith("--"):
            left.append(given[position - 1])
            continue
        values = [value] if equals else []
        while not equals and position < len(given) and not given[position].startswith("--"):
            values.append(given[position])
            position += 1
        if not values:
            raise InputError(f"{name}: no value")
        varied += values if name == "--vary" else [f"{name.removeprefix('--')}={' '.join(values)}"]
    return [*left, "--vary", *varied] if varied else left


def read_seeds(text: str) -> Sequence[int]:
    """Seeds as the command takes them.

    Raises:
        InputError: if they are none.
    """
    shown = text if len(text) < 80 else text[:76] + " ..."
    if match := re.fullmatch(r"(\d+)\.\.(\d+)", text):
        first, last = (int(digits[:_DIGITS]) for digits in match.groups())
        if max(first, last) >= 2**31:
            raise InputError(f"--seeds {shown}: must be below 2147483648")
        if first <= last:
            return range(first, last + 1)
    elif re.fullmatch(r"\d+(,\d+)*", text):
        seeds = [int(part[:_DIGITS]) for part in text.split(",")]
        if len(set(seeds)) == len(seeds):
            return seeds
    raise InputError(f"--seeds {shown}: expected a range like 0..31, upwards, or a list of different numbers")
