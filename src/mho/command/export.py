"""`mho export`: a trained network as a SPICE netlist."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mho.command.options import parse
from mho.command.output import check_output, write_output


@dataclasses.dataclass(frozen=True)
class Options:
    """What to write, and where."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or one of its checkpoints."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE.cir")]
    """Netlist to write; - for standard output."""
    file: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """The samples, as mho predict takes them; the run's test set, or its training set if it is tested on no other, if not
    given."""
    sample: int = 0
    """Sample that the sources hold, from 0."""
    phase: Literal["free", "nudged"] = "free"
    """Free phase, or with what the run's rule attaches to the outputs: nudging currents, or coupled learning's clamps."""
    format: Literal["ngspice", "xyce"] = "ngspice"
    """Simulator to write for."""


def run(arguments: Sequence[str]) -> None:
    """Write the netlist."""
    options = parse(
        Options,
        arguments,
        prog="mho export",
        description="Write a trained network, holding a sample of the test set, as a netlist that a SPICE simulator runs "
        "unchanged. Example: mho export runs/drn-digits-seed0 --sample 3 --phase nudged -o nudged.cir",
    )
    check_output("-o", options.output)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.export import trained_netlist

    path = Path(options.file) if options.file else None
    netlist = trained_netlist(
        Path(options.run), sample=options.sample, path=path, phase=options.phase, simulator=options.format
    )
    write_output("-o", options.output, netlist)
