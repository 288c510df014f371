"""What a run shows of itself while it trains, on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

_LINE_INTERVAL = 30.0
"""Seconds between two plain lines within an epoch, at least."""


@dataclass(frozen=True)
class Standing:
    """Where a run stands."""

    epoch: int
    """The epoch under way, from 1."""
    epochs: int
    step: int
    """Steps made of this epoch."""
    steps: int
    loss: float
    """Mean of this epoch's training losses so far."""
    error: float
    """Of this epoch's training samples; see `mho.experiments.error`."""
    exhausted: int
    """Operating points for which the sweeps ran out in this epoch."""

    def __str__(self) -> str:
        shortage = f" out of sweeps {self.exhausted}" if self.exhausted else ""
        return f"loss {self.loss:.4g} error {self.error:.2%}{shortage}"


class Show(Protocol):
    """What shows a run."""

    def standing(self, standing: Standing) -> None:
        """Show where the run stands."""

    def line(self, text: str) -> None:
        """Show a line that stays."""


class Quiet:
    """Shows nothing."""

    def standing(self, standing: Standing) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""


class Lines:
    """Plain lines, for logs."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def standing(self, standing: Standing) -> None:
        """A line now and then within an epoch."""
        if time.monotonic() - self._last >= _LINE_INTERVAL and standing.step < standing.steps:
            self.line(f"epoch {standing.epoch}/{standing.epochs}, step {standing.step}/{standing.steps}: {standing}")

    def line(self, text: str) -> None:
        """A line."""
        self._last = time.monotonic()
        print(text, file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[Show]:
    """A bar if standard error is a terminal, plain lines if not."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # Within 80 columns, the time left before what may be cut off.
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=8), TimeRemainingColumn(compact=True))
    with Progress(*columns, TextColumn("{task.fields[standing]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("compiling", total=None, standing="")

        class Bar:
            """A bar over all epochs."""

            def standing(self, standing: Standing) -> None:
                """Move the bar."""
                bar.update(
                    task,
                    description=f"epoch {standing.epoch}/{standing.epochs}",
                    total=standing.epochs * standing.steps,
                    completed=(standing.epoch - 1) * standing.steps + standing.step,
                    standing=str(standing),
                )

            def line(self, text: str) -> None:
                """A line above the bar."""
                bar.console.print(text, highlight=False, markup=False, soft_wrap=True)

        yield Bar()
