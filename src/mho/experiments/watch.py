"""A run in the terminal, from its config.json and metrics.jsonl alone: curves, rates, residuals, time left."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mho.engineering import engineering
from mho.experiments.configuration import Configuration
from mho.experiments.record import Metrics
from mho.experiments.run import read_configuration, read_metrics

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_RECENT = 5
"""Epochs that the time of one is the median of."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a Braille character, U+2800 on, by row and column of its dots."""
_STYLES = ("cyan", "magenta", "yellow")
_SPAN = 20.0
"""Ratio of the largest to the least value, all positive, from which on a curve's axis is logarithmic."""


def frame(folder: Path, width: int, height: int) -> tuple["RenderableType", bool]:
    """What a terminal of so many characters shows of a run, and whether the run has made all its epochs.

    Raises:
        InputError: if there is no run, or its files are not what mho wrote.
    """
    from rich.columns import Columns
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    name, configuration = read_configuration(folder)
    metrics = read_metrics(folder)
    epochs, done = configuration.epochs, len(metrics)
    head = Text.assemble((name, "bold"), f"  {folder}  epoch {done}/{epochs}")
    if not metrics:
        return Group(head, Text("waiting for the first epoch to end")), False
    table = Table.grid(padding=(0, 2))
    for label, value in told(configuration, metrics).items():
        table.add_row(Text(label, "dim"), Text(value, "yellow" if label == "warning" else ""))
    side = width >= 100
    inner = (width - 2) // 2 - 4 if side else width - 4
    rows = max(4, min(14, height - table.row_count - 6 if side else (height - table.row_count - 10) // 2))
    errors = {key: [100 * e for e in found] for key in ("train_error", "test_error", "error_after")
              if (found := _series(metrics, key))}  # fmt: skip
    panels = [
        Panel(curves({"train_loss": _series(metrics, "train_loss")}, inner, rows), title="loss", expand=False),
        Panel(curves(errors, inner, rows), title="errors [%]", expand=False),
    ]
    return Group(head, Columns(panels) if side else Group(*panels), table), done >= epochs


def _series(metrics: Sequence[Metrics], key: str) -> list[float]:
    values = [record.get(key) for record in metrics]
    return [] if all(v is None for v in values) else [math.nan if v is None else v for v in values]


def told(configuration: Configuration, metrics: Sequence[Metrics]) -> dict[str, str]:
    """What there is to say of a run beside its curves, by what it is of."""
    last, left = metrics[-1], configuration.epochs - len(metrics)
    each = statistics.median(record["seconds"] for record in metrics[-_RECENT:])
    lines = {"time": f"{_duration(each)} an epoch, {_duration(sum(r['seconds'] for r in metrics))} so far"}
    if left > 0:
        lines["time"] += f", about {_duration(left * each)} left without tests"
    factor = rate_factor(configuration, len(metrics))
    rates = " ".join(f"{factor * rate:.3g}" for rate in configuration.learning_rates)
    lines["learning rates"] = rates + (f"  ({factor:.3g} of the first)" if factor != 1.0 else "")
    if last.get("residual") is not None:
        above = sum(record.get("above_tolerance") or 0 for record in metrics)
        probed = sum(record.get("probed") or 0 for record in metrics)
        lines["residual"] = (
            f"{last['residual']:.2g} of a node's largest current; {above} of {probed} above the tolerance"
        )
        if last.get("tolerance") is not None:
            lines["residual"] += f" {last['tolerance']:.2g}"
    if last.get("sweeps") is not None:
        short = sum((r.get("out_of_sweeps") or 0) + (r.get("test_out_of_sweeps") or 0) for r in metrics)
        lines["sweeps"] = f"{last['sweeps']:.3g} an update; {short} operating points ran out of them"
    for key, label in (("gradient_cosine", "gradient: cosine"), ("gradient_ratio", "gradient: length")):
        if last.get(key):
            lines[label] = (
                " ".join("–" if v is None else f"{v:.4f}" for v in last[key]) + "  to the exact one, by layer"
            )
    if last.get("signal") is not None:
        lines["signal"] = (
            f"{last['signal']:.2g} of the largest prediction, of which rounding {last['signal_rounding']:.2g}"
        )
    warned = sum(bool(record.get("warnings")) for record in metrics)
    if warned:
        lines["warnings"] = f"in {warned} of {len(metrics)} epochs"
    for warning in (last.get("warnings") or [])[:3]:
        lines["warning"] = f"{lines['warning']}\n{warning}" if "warning" in lines else warning
    return lines


def rate_factor(configuration: Configuration, done: int) -> float:
    """What the first learning rates are multiplied by after so many epochs; see `mho.learning.update.optimizer`."""
    warm, span = configuration.warm_up, configuration.epochs - configuration.warm_up
    factor = configuration.decay**done
    if done < warm:
        return factor * done / warm
    if configuration.schedule == "cosine":
        factor *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, (done - warm) / span)))
    return factor


def _duration(seconds: float) -> str:
    if seconds < 60:
        return engineering(seconds, "s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def curves(lines: Mapping[str, Sequence[float]], width: int, rows: int) -> "Text":
    """Curves in Braille dots, over the epochs: two by four dots a character, an axis left of them, their names below.

    A logarithm where values, all positive, span decades.
    """
    from rich.text import Text

    known = [v for values in lines.values() for v in values if math.isfinite(v)]
    if not known:
        return Text("nothing yet")
    log = min(known) > 0 and max(known) > _SPAN * min(known)
    scale = math.log if log else float
    low, high = scale(min(known)), scale(max(known))
    high = high if high > low else low + (abs(low) or 1.0)
    marks = [f"{v:.3g}" for v in (max(known), min(known))]
    margin = max(map(len, marks)) + 1
    across, down = 2 * max(4, width - margin), 4 * rows
    bits = [[0] * (across // 2) for _ in range(rows)]
    style = [[""] * (across // 2) for _ in range(rows)]
    for colour, values in zip(_STYLES, lines.values(), strict=False):
        dots = [(round((across - 1) * k / max(1, len(values) - 1)), round((down - 1) * (high - scale(v)) / (high - low)))
                for k, v in enumerate(values) if math.isfinite(v)]  # fmt: skip
        for (x1, y1), (x2, y2) in zip(dots, dots[1:] or dots, strict=False):
            steps = max(abs(x2 - x1), abs(y2 - y1), 1)
            for s in range(steps + 1):
                x, y = x1 + round((x2 - x1) * s / steps), y1 + round((y2 - y1) * s / steps)
                bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
                style[y // 4][x // 2] = colour
    drawn = Text()
    for k, (row, styles) in enumerate(zip(bits, style, strict=True)):
        drawn.append((marks[0] if k == 0 else marks[1] if k == rows - 1 else "").rjust(margin - 1) + "┤")
        for bit, colour in zip(row, styles, strict=True):
            drawn.append(chr(0x2800 + bit) if bit else " ", colour)
        drawn.append("\n")
    for colour, (name, values) in zip(_STYLES, lines.items(), strict=False):
        drawn.append(f"━ {name.replace('_', ' ')} {values[-1]:.4g}  ", colour)
    drawn.append("log" if log else "", "dim")
    return drawn
