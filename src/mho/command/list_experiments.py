"""`mho list`: the experiments."""

from collections.abc import Sequence

from mho.errors import InputError
from mho.experiments.registry import EXPERIMENTS

_HELP = """usage: mho list

Name the experiments that `mho train` knows. Example: mho list"""


def run(arguments: Sequence[str]) -> None:
    """Print a line an experiment: its name and what it is."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    if arguments:
        raise InputError(f"mho list takes no arguments, but was given {arguments[0]!r}")
    width = max(map(len, EXPERIMENTS)) + 2
    for name, experiment in EXPERIMENTS.items():
        print(f"{name:<{width}}{experiment.summary}")
