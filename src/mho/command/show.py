"""`mho show`: an experiment, or a run's configuration, as a file to edit."""

from collections.abc import Sequence
from pathlib import Path

from mho.errors import InputError
from mho.experiments.experiment_file import shown_experiment
from mho.experiments.registry import EXPERIMENTS, experiment
from mho.experiments.run import read_configuration

_HELP = """usage: mho show EXPERIMENT | FILE.toml | RUN

Print an experiment, or what a run was trained with, as a TOML file with all its fields and what they are. Edit it, and
`mho train` takes it. Example: mho show drn-xs > mine.toml && mho train mine.toml"""


def run(arguments: Sequence[str]) -> None:
    """Print the TOML of an experiment."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    if len(arguments) != 1:
        raise InputError("mho show needs one experiment, file or folder of a run (see mho show --help)")
    name = arguments[0]
    if name not in EXPERIMENTS and Path(name).is_dir():
        began_as, configuration = read_configuration(Path(name))
        print(shown_experiment(f"{began_as}, as {name} has it", configuration), end="")
        return
    found = experiment(name)
    print(shown_experiment(found.summary, found.configuration), end="")
