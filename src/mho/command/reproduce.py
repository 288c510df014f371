"""`mho reproduce`: the networks of a paper's table, published errors beside measured ones."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.experiment_options import program
from mho.command.options import parse
from mho.command.sweep import read_seeds
from mho.experiments.paper import paper_names, read_paper


@dataclasses.dataclass(frozen=True)
class Options:
    """What to train, and where."""

    paper: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PAPER")]
    """The paper's name; without one, mho reproduce lists papers and parts."""
    part: Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction] = ()
    """Parts to train; all but the quick one if not given."""
    seeds: str = "0..2"
    """Seeds: 0..2 for a range, or a list with commas between."""
    out: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None
    """Folder for results.csv, results.png and what is trained, in which the same command goes on; reproductions/PAPER if
    not given."""


def run(arguments: Sequence[str]) -> None:
    """Train; print the table. Without arguments: list papers and their parts."""
    if not arguments:
        for name in paper_names():
            paper = read_paper(name)
            print(f"{name}: {paper.title}; {paper.source}\n  parts: {', '.join(paper.parts)}")
        return
    options = parse(
        Options,
        arguments,
        prog="mho reproduce",
        description="Train what a paper's table holds and print its figures beside those measured. Example: mho reproduce "
        "scellier2024 --part xs --seeds 0..2",
    )
    seeds = read_seeds(options.seeds)
    parts = [part for given in options.part for part in given]
    read_paper(options.paper).of(parts)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.reproduction import Reproduced, reproduce

    folder = Path("reproductions", options.paper) if options.out is None else Path(options.out)
    try:
        found = reproduce(options.paper, parts, seeds=seeds, out=folder)
    except KeyboardInterrupt as interruption:
        again = " ".join([program(), "reproduce", *arguments])
        raise KeyboardInterrupt(f"interrupted; go on with: {again}") from interruption

    def measured(r: Reproduced) -> str:
        if r.mean is None:
            return "skipped" if r.skipped else "diverged"
        spread = "" if r.deviation is None else f" ± {r.deviation:.2f}"
        return f"{r.mean:.2f}{spread} % ({len(r.errors)})"

    width = max(len(r.row.network) for r in found) + 2
    print(f"{'network':<{width}}{'published':>10}{'measured (seeds)':>22}  where; note")
    for r in found:
        published = "-" if r.row.published is None else f"{r.row.published:.2f} %"
        told = "; ".join(filter(None, (r.row.where, r.row.note, r.skipped)))
        print(f"{r.row.network:<{width}}{published:>10}{measured(r):>22}  {told}".rstrip())
    print(f"the table, results.csv and results.png, is in {folder}")
