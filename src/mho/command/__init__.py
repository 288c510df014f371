"""The command `mho`: a module a subcommand, each a thin layer on the package.

A subcommand's module has the function `run(arguments)`, which does the work. It is imported when it is asked for, so
that `mho --help` need not wait for JAX.
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence

from mho.cache import keep_compiled_programs
from mho.command.exit_code import exit_code
from mho.errors import InputError
from mho.interruption import EXIT_CODE

SUBCOMMANDS = {
    "train": ("mho.command.train", "train a named experiment, or go on with a run"),
    "solve": ("mho.command.solve", "compute the DC operating point of a SPICE netlist"),
    "transient": ("mho.command.transient", "follow the voltages of a SPICE netlist in time"),
    "predict": ("mho.command.predict", "add a trained network's predictions to a table, or show a sample's voltages"),
    "export": ("mho.command.export", "write a trained network as a SPICE netlist"),
    "report": ("mho.command.report", "write runs as one HTML page: curves, errors, conductances, voltages, power"),
    "estimate": ("mho.command.estimate", "energy, latency and area of a trained run's chip, as ranges"),
    "draw": ("mho.command.draw", "draw a network, a run or a netlist: a schematic, or a diagram of its layers"),
    "watch": ("mho.command.watch", "follow a training in the terminal while it runs"),
    "sweep": ("mho.command.sweep", "train an experiment over values of its fields and over seeds"),
    "reproduce": ("mho.command.reproduce", "train what a paper's table holds, published beside measured"),
    "curve": ("mho.command.curve", "fit a diode's or a memristor's law to a measured current-voltage curve"),
    "pulses": ("mho.command.pulses", "fit a pulsed device to measured responses"),
    "show": ("mho.command.show", "print an experiment as a file to edit and train"),
    "list": ("mho.command.list_experiments", "name the experiments"),
    "bench": ("mho.command.bench", "measure against peers, as ratios"),
    "completion": ("mho.command.completion", "print what bash, zsh or fish need to complete all this"),
}
"""The module that runs each, and a line on what it does."""

_HELP = """usage: mho SUBCOMMAND [options]

mho trains analog neural networks by equilibrium propagation.

subcommands:
{subcommands}

`mho SUBCOMMAND --help` tells its options. Example: mho train drn-digits --epochs 3"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    0 done, 1 the work failed, 2 wrong usage or bad input, 130 interrupted; all but 0 with one line on standard error.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the help has symbols that not every terminal's encoding has
    if arguments is None:
        keep_compiled_programs()
    code = exit_code(lambda: _dispatch(given), last=arguments is None)
    if arguments is None and code == EXIT_CODE:
        # What the exception has torn out of compiled code does not survive Python's own farewell.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _dispatch(given: list[str]) -> None:
    if not given:
        raise InputError("mho needs a subcommand (see mho --help)")
    if given[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<12}{summary}" for name, (_, summary) in SUBCOMMANDS.items())
        print(_HELP.format(subcommands=listed))
        return
    if given[0] == "--version":
        from mho import __version__

        print(f"mho {__version__}")
        return
    name, *rest = given
    if name not in SUBCOMMANDS:
        raise InputError(f"unknown subcommand {name!r}: expected one of {', '.join(SUBCOMMANDS)}")
    importlib.import_module(SUBCOMMANDS[name][0]).run(rest)
