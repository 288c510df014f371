"""`mho draw`: a picture of a circuit."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse
from mho.command.output import check_output


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw, and where."""

    subject: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|NETLIST")]
    """Folder of a run, one of its checkpoints, or a SPICE netlist."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """Picture to write: .svg, .pdf or .png."""
    voltages: bool = False
    """Show the operating point's node voltages; in a diagram of layers, their ranges."""
    currents: bool = False
    """Show its currents, of elements with two ends; in a diagram of layers, each crossbar's largest."""
    sample: int = 0
    """Sample of a run's test set that the sources hold, from 0."""


def run(arguments: Sequence[str]) -> None:
    """Write the picture."""
    options = parse(
        Options,
        arguments,
        prog="mho draw",
        description="Draw a circuit: a schematic with names and values of up to 80 elements; above, a diagram of a layered "
        "network's layers, or a graph of another circuit. Example: mho draw runs/xor-seed0 --voltages -o xor.svg",
    )
    check_output("-o", options.output)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.plots import check_figure

    check_figure(Path(options.output), "-o")
    from mho.drawing.draw import draw

    notes = draw(
        options.subject, options.output, voltages=options.voltages, currents=options.currents, sample=options.sample
    )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
