"""`mho bench`: measurements against peers."""

import dataclasses
import importlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse
from mho.command.output import STANDARD, check_output, write_output
from mho.errors import InputError

BENCHMARKS = {
    "epoch": "an epoch of training, against backpropagation in MLPs in JAX and PyTorch",
    "batch": "a step at batches of 1 to 4096, against backpropagation in MLPs and what the machine can do",
    "convolution": "a step of a convolutional network, against backpropagation in a CNN of the same shape in JAX",
    "depth": "deep networks: mean-field sweeps against plain ones, and a step against an MLP of the same size in JAX",
    "width": "seconds and memory of a step from 100 to 32768 hidden nodes",
    "memory": "peak memory of training",
    "devices": "training shared out over four simulated devices, against one",
    "operating_point": "operating points of the paper's circuit, against ngspice",
    "referee": "random circuits of some thirty families, against ngspice and a solution in 60 digits: who is right",
    "fuzz": "netlists with anything in them, read and solved: what ends in no clear line, or takes too long",
    "kills": "runs of every kind, killed at random moments and resumed: whether they end bit for bit as undisturbed",
    "transient": "transients of some fifty families of circuits, against ngspice at equal accuracy",
    "circuits": "lattices, random graphs and a crossbar of 100,000 nodes, against ngspice and badcrossbar",
}
"""Each is a module of `mho_benchmarks` with the functions `measure`, which takes the options that it names and gives the
records that --json prints, `table`, and `plot` where it measures how something scales."""
SAMPLING = ("samples", "seed", "families")
"""Options of the benchmarks that draw at random."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure and how to tell it."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(BENCHMARKS)
    """Benchmarks; all of them if none is named."""
    json: bool = False
    """Print JSON instead of a table."""
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """File for the records as JSON, beside what is printed; for - they are all that is printed."""
    data_dir: str | None = None
    """Folder that holds the files of MNIST; they are downloaded and cached if it is not given."""
    samples: int = 100
    """Random circuits of each family, or killed runs of each kind, of the benchmarks referee, fuzz and kills."""
    seed: int = 0
    """Seed of the first random circuit, or of the moments; the others' follow."""
    families: tuple[str, ...] = ()
    """Families of random circuits, or kinds of runs; all of them if none is named."""
    plot: Path | None = None
    """Folder for plots on logarithmic axes, of the benchmarks that measure how something scales."""


def run(arguments: Sequence[str]) -> None:
    """Run the benchmarks that are named, and print what they measured."""
    listed = "; ".join(f"{name}: {summary}" for name, summary in BENCHMARKS.items())
    options = parse(
        Options, arguments, prog="mho bench", description=f"{listed}. Example: mho bench epoch -o epoch.json"
    )
    for name in options.names:
        if name not in BENCHMARKS:
            raise InputError(f"unknown benchmark {name!r}: known are {', '.join(BENCHMARKS)}")
    if options.plot is not None:
        try:
            options.plot.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise InputError(f"--plot {options.plot}: {problem.strerror}") from problem
    if options.output is not None:
        check_output("-o", options.output)
    try:
        modules = {name: importlib.import_module(f"mho_benchmarks.{name}") for name in options.names}
    except ModuleNotFoundError as problem:
        if problem.name != "mho_benchmarks":
            raise
        raise InputError(
            "mho bench: the benchmarks come with mho's source, not with the package; run it in a clone of the repository, "
            "after make test"
        ) from problem
    taken = {name: list(inspect.signature(module.measure).parameters) for name, module in modules.items()}
    for option in SAMPLING:
        if getattr(options, option) != getattr(Options, option) and not any(
            option in names for names in taken.values()
        ):
            raise InputError(f"--{option} is an option of benchmarks that draw at random: referee, fuzz, kills")
    results = {
        name: module.measure(**{option: getattr(options, option) for option in taken[name]})
        for name, module in modules.items()
    }
    if options.plot is not None:
        for name, module in modules.items():
            if hasattr(module, "plot"):
                module.plot(results[name], options.plot)
    if options.output is not None:
        write_output("-o", options.output, json.dumps(results, indent=1) + "\n")
    if options.output == STANDARD:
        return
    if options.json:
        print(json.dumps(results))
        return
    for name, module in modules.items():
        print("\n".join(module.table(results[name])))
