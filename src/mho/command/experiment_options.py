"""The fields of an experiment's configuration as options, beside a subcommand's own."""

import dataclasses
import itertools
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from mho.command.options import parse
from mho.errors import InputError
from mho.experiments.configuration import Configuration, NetlistConfiguration
from mho.experiments.registry import EXPERIMENTS


def parse_experiment(
    command: str, name: str, default: Configuration, given: Sequence[str], own: type, example: str
) -> tuple[Configuration, Any]:
    """Read the options of an experiment.

    Args:
        command: the subcommand.
        name: the experiment's.
        default: its configuration.
        given: what follows its name on the command line.
        own: the subcommand's own options: a dataclass, its fields' documents in its docstring.
        example: options for the help's example.

    Returns:
        The configuration with the options that are fields of it, and all options.

    Raises:
        InputError: for an unknown option, or a value that the configuration refuses.
    """
    kind, prog = type(default), f"mho {command} {name}"
    more = [(field.name, field.type, dataclasses.field(default=field.default)) for field in dataclasses.fields(own)]
    if isinstance(default, NetlistConfiguration):
        # Its text comes from the file.
        more.append(("text", tyro.conf.Suppress[tyro.conf.Fixed[str]], dataclasses.field(default="")))
    made: Any = dataclasses.make_dataclass("Options", more, bases=(kind,), frozen=True, kw_only=True)
    made.__doc__ = own.__doc__
    fields = [field.name for field in dataclasses.fields(kind)]
    summary = f"{EXPERIMENTS[name].summary}. " if name in EXPERIMENTS else ""
    options = parse(
        made,
        given,
        prog=prog,
        description=f"{summary}Example: {prog} {example}",
        default=made(**{field: getattr(default, field) for field in fields}),
    )
    return kind(**{field: getattr(options, field) for field in fields}), options


def value_of(name: str, given: Sequence[str]) -> str | None:
    """The value of an option, which decides what the others mean; its last one, as that of any option.

    Raises:
        InputError: if it is empty.
    """
    value = None
    for argument, following in itertools.zip_longest(given, given[1:]):
        if argument == name:
            value = following or ""
        elif argument.startswith(f"{name}="):
            value = argument.removeprefix(f"{name}=")
    if value == "":
        raise InputError(f"{name}: names no folder")
    return value


def how_to_go_on(command: str, folder: Path) -> str:
    """What the user types to go on with what a folder holds."""
    return f"{program()} {command} --resume {shlex.quote(str(folder))}"


def program() -> str:
    """What the user types for `mho`: its path where it is not on PATH, as after `make mnist`."""
    called = Path(sys.argv[0])
    found = shutil.which("mho")
    if called.name != "mho" or not called.exists() or (found is not None and called.samefile(found)):
        return "mho"
    return shlex.quote(sys.argv[0])
