"""`mho predict`: what a trained network says of a file's samples, or of one sample of its test set."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse
from mho.command.output import STANDARD, check_output, write_output
from mho.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what to tell the prediction, and how."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or one of its checkpoints."""
    file: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """FILE.csv with the columns that the run was trained on, FILE.npz with an array x, or a folder of pictures; what is to
    be predicted may be there, too."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="OUT.csv")] = STANDARD
    """File for the table with the predictions; - for standard output."""
    scores: bool = False
    """Tell the output voltages [V], too."""
    sample: int | None = None
    """One sample alone, counted from 0, of the file or, without one, of the run's test set: with every node's voltage."""
    json: bool = False
    """With --sample: print JSON, {"prediction": …, "expected": … or null, "nodes": {name: volts}}."""


def run(arguments: Sequence[str]) -> None:
    """Write the predictions."""
    options = parse(
        Options,
        arguments,
        prog="mho predict",
        description="Add a trained network's predictions to a table, classes by their own names and values in their own "
        "units; or show every node's voltage for one sample. Example: mho predict runs/iris flowers.csv -o predicted.csv",
    )
    if options.file is None and options.sample is None:
        raise InputError("mho predict needs FILE or --sample (see mho predict --help)")
    if options.scores and options.sample is not None:
        raise InputError("--scores: goes with a table; --sample shows all voltages")
    if options.json and options.sample is None:
        raise InputError("--json: goes with --sample; a file's predictions are a table")
    check_output("-o", options.output)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.predicted_table import predicted_sample, predicted_table

    if options.sample is not None:
        found = predicted_sample(Path(options.run), options.sample, Path(options.file) if options.file else None)
        if options.json:
            shown = {"prediction": found.prediction, "expected": found.expected, "nodes": found.nodes}
            write_output("-o", options.output, json.dumps(shown, allow_nan=False) + "\n")
            return
        width = max(map(len, found.nodes)) + 2
        lines = [f"{'node':<{width}}{'V':>16}", *(f"{name:<{width}}{v:>16.9g}" for name, v in found.nodes.items())]
        told = f"{found.origin} sample {options.sample}: predicted {_shown(found.prediction)}"
        told += "" if found.expected is None else f", is {_shown(found.expected)}"
        write_output("-o", options.output, "\n".join([*lines, told]) + "\n")
        return
    table = predicted_table(Path(options.run), Path(options.file or ""), scores=options.scores)
    write_output("-o", options.output, table.text)
    if table.error is not None:
        # Beside the table where that goes to standard output.
        stream = sys.stderr if options.output == STANDARD else sys.stdout
        print(f"error {table.error:.2%} on {table.samples} samples", file=stream)


def _shown(value: str | list[float]) -> str:
    return value if isinstance(value, str) else " ".join(f"{v:.6g}" for v in value)
