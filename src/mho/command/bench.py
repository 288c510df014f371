"""`mho bench`: measurements against peers."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import tyro

from mho.command.options import parse
from mho.errors import InputError

BENCHMARKS = {"epoch": "an epoch of training, against backpropagation in MLPs in JAX and PyTorch"}
"""Each is a module of `mho.benchmarks` with a function `measure`."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure and how to tell it."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(BENCHMARKS)
    """Benchmarks: epoch. All of them if none is named."""
    json: bool = False
    """Print JSON instead of a table."""
    data_dir: str | None = None
    """Folder that holds the files of MNIST; they are downloaded and cached if it is not given."""


def run(arguments: Sequence[str]) -> None:
    """Run the benchmarks that are named, and print their ratios."""
    listed = "; ".join(f"{name}: {summary}" for name, summary in BENCHMARKS.items())
    options = parse(Options, arguments, prog="mho bench", description=f"{listed}. Example: mho bench epoch --json")
    for name in options.names:
        if name not in BENCHMARKS:
            raise InputError(f"unknown benchmark {name!r}: known are {', '.join(BENCHMARKS)}")
    from mho.benchmarks import epoch

    results = {name: epoch.measure(options.data_dir) for name in options.names}
    if options.json:
        print(json.dumps(results))
        return
    for name, rows in results.items():
        print(f"{name:<22}{'s/epoch':>9}{'to JAX':>9}{'to PyTorch':>12}")
        for row in rows:
            torch_ratio = row["ratio_to_torch"]
            told = "not installed" if torch_ratio is None else f"{torch_ratio:.2f}"
            print(f"{row['name']:<22}{row['seconds_per_epoch']:>9.2f}{row['ratio_to_jax']:>9.2f}{told:>12}")
