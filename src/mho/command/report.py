"""`mho report`: runs as one HTML page."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse
from mho.command.output import STANDARD, check_output
from mho.errors import InputError
from mho.experiments.run import read_configuration


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what to report, and where."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN …")]
    """Folders of runs, or checkpoints of them; several are compared."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FILE.html")] = None
    """Page to write; report.html in the folder of the first run if not given; - for standard output."""


def run(arguments: Sequence[str]) -> None:
    """Write the page."""
    options = parse(
        Options,
        arguments,
        prog="mho report",
        description="Write what a run is, what it learned and how it works, or several runs compared, as one HTML page that "
        "opens without any network. Example: mho report runs/drn-digits-seed0 -o digits.html",
    )
    if not options.runs:
        raise InputError("mho report needs RUN (see mho report --help)")
    if options.output is not None:
        check_output("-o", options.output)
    for path in map(Path, options.runs):
        if path.suffix != ".npz":
            read_configuration(path)  # before anything is measured
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.progress import Lines
    from mho.reporting.page import report

    if options.output == STANDARD:
        report(options.runs, "/dev/stdout", show=Lines())
    else:
        print(f"wrote {report(options.runs, options.output, show=Lines())}")
