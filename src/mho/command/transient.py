"""`mho transient`: the transient analysis of a netlist, by mho's own solver."""

import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from mho.command.options import parse
from mho.command.output import STANDARD, check_output, write_output
from mho.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """Which netlist to follow in time, and where its node voltages go."""

    netlist: Annotated[Path, tyro.conf.Positional]
    """A SPICE netlist with a .tran card."""
    capacitance: float = 0.0
    """Of one more capacitor from every node to ground [F]."""
    json: bool = False
    """JSON instead of CSV: {"times": [s], "nodes": {name: [V]}}."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """File for the node voltages; standard output if it is not given, or for -."""
    plot: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot to write: .png, .pdf or .svg; what it shows is beside it, as STEM-data.csv."""
    nodes: Annotated[str, tyro.conf.arg(metavar="NODE,…")] = ""
    """Nodes to plot, or pairs p:m, with commas between them; those of the netlist's .print, .plot and .save cards if not
    given, and without these the dozen that move most."""
    allow_include_outside: bool = False
    """Let .include read files outside the netlist's own folder."""


def run(arguments: Sequence[str]) -> None:
    """Run the analysis; write the voltages, and the plot if there is to be one."""
    description = (
        "Transient analysis of a SPICE netlist: node voltages at the steps of its .tran card. "
        "Example: mho transient filter.cir --plot filter.png --nodes in,out -o filter.csv"
    )
    options = parse(Options, arguments, prog="mho transient", description=description)
    for name, path in (("-o", options.output), ("--plot", options.plot)):
        if path is not None:
            check_output(name, path)
    if options.nodes and options.plot is None:
        raise InputError(f"--nodes {options.nodes}: goes with --plot; the table has all nodes")
    from mho.netlists import read_netlist
    from mho.netlists.circuits.transient import netlist_transient

    netlist = read_netlist(options.netlist, allow_include_outside=options.allow_include_outside)
    for note in netlist.notes:
        print(f"note: {note}", file=sys.stderr)
    with _bar(netlist.transient.stop if netlist.transient else 0.0) as visited:
        found = netlist_transient(netlist, capacitance=options.capacitance, visited=visited)
    text = as_json(found.times, found.voltages) if options.json else as_csv(found.times, found.voltages)
    if options.plot is not None:
        from mho.experiments.plots import plot_waveforms
        from mho.experiments.waveforms import drawn_waveforms

        wanted = [name.strip() for name in options.nodes.split(",") if name.strip()]
        drawn, note = drawn_waveforms(netlist, found.voltages, wanted)
        if note is not None:
            print(f"note: {note}", file=sys.stderr)
        plot_waveforms(found.times, drawn, Path(options.plot))
    write_output("-o", STANDARD if options.output is None else options.output, text)


@contextmanager
def _bar(stop: float) -> Iterator[Callable[[float], None]]:
    """What shows how far a transient has come, of its last time [s]: a bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda time: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("transient"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=stop)
        shown = 0.0

        def visited(time: float) -> None:
            nonlocal shown
            # A step takes less than the bar's bookkeeping.
            if time - shown > 1e-3 * stop:
                shown = time
                progress.update(task, completed=time)

        yield visited


def as_csv(times: np.ndarray, voltages: Mapping[str, np.ndarray]) -> str:
    """A header with the nodes' names, then a row a time: seconds and volts."""
    content = io.StringIO()
    content.write(",".join(["time", *voltages]) + "\n")
    np.savetxt(content, np.column_stack([times, *voltages.values()]), fmt="%.12g", delimiter=",")
    return content.getvalue()


def as_json(times: np.ndarray, voltages: Mapping[str, np.ndarray]) -> str:
    """An object with `times` [s] and, by name, the `nodes`' voltages [V]."""
    return json.dumps({"times": times.tolist(), "nodes": {k: v.tolist() for k, v in voltages.items()}}) + "\n"
