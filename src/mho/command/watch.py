"""`mho watch`: a training while it runs, in the terminal."""

import contextlib
import dataclasses
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from mho.command.options import parse

_INTERVAL = 0.5
"""Seconds between two looks at the run."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Which run to watch."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, under way or ended."""
    once: bool = False
    """Show it as it is now and end; so it is, too, where standard output is no terminal."""


def run(arguments: Sequence[str]) -> None:
    """Show the run until it has made all its epochs, or q is pressed."""
    options = parse(
        Options,
        arguments,
        prog="mho watch",
        description="Follow a training in the terminal, from its files alone: loss and errors, learning rates, residuals, "
        "the gradient's health, time left. It ends with the run, by q or by Ctrl-C. Example: mho watch runs/drn-xs-seed0",
    )
    from rich.console import Console
    from rich.live import Live

    from mho.experiments.run import state
    from mho.experiments.watch import frame

    console = Console(highlight=False)
    before = state(options.run), console.size
    shown, ended = frame(options.run, console.width, console.height)
    if options.once or ended or not sys.stdout.isatty():
        console.print(shown)
        return
    with _keys() as pressed, Live(shown, console=console, auto_refresh=False) as live:
        while not ended:
            if pressed() == "q":
                return
            now = state(options.run), console.size
            if now != before:
                before = now
                shown, ended = frame(options.run, console.width, console.height)
                live.update(shown, refresh=True)


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """What waits a moment for a key and gives it, as soon as it is pressed; nothing where no keyboard is."""
    if not sys.stdin.isatty():
        yield lambda: (time.sleep(_INTERVAL), "")[1]
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def pressed() -> str:
        there, _, _ = select.select([keyboard], [], [], _INTERVAL)
        return os.read(keyboard, 1).decode(errors="replace") if there else ""

    try:
        tty.setcbreak(keyboard)
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
