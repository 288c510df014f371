"""The figure of a sweep: the test error over what varies or, where seeds alone do, over the epochs."""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mho.experiments.configuration import Configuration
from mho.experiments.experiment_file import field_documents
from mho.experiments.plots import (
    by_span,
    columns,
    error_name,
    error_number,
    save_data,
    save_figure,
    style,
    whole_epochs,
    whole_numbers,
)
from mho.experiments.study import Study, value_text
from mho.experiments.sweep_results import Member, setting_text, summaries

Point = tuple[Any, float | None, float | None, float | None, int, int]
"""Where, and the mean of the last test errors as a fraction, their deviation and least one (see `Summary`), and how many
networks there are and have diverged."""
_COLUMNS = ("test_error_mean", "test_error_deviation", "test_error_best", "networks", "diverged")


def plot_sweep(members: Sequence[Member], study: Study, paths: Sequence[Path], *, regression: bool) -> None:
    """Draw the mean test error, its deviation over the seeds as bars, and write the numbers beside the figure as CSV.

    Over the first field of numbers that varies, with a line for each combination of the other fields' values; over the
    epochs, where none varies. Networks that diverged are in no mean; the CSV counts them.

    Args:
        members: what to draw.
        study: what they are of.
        paths: files of the figure; their names' ends tell the format. The numbers are beside the first.
        regression: whether errors are fractions of variance unexplained.
    """
    over = _abscissa(study)
    lines = _over_epochs(members) if over is None else _over_values(members, over)
    _draw(lines, study, over, paths, regression)
    named = over or "epoch"
    rows = [[name, value_text(at), *numbers] for name, line in lines.items() for at, *numbers in line]
    save_data(paths[0].with_suffix(".csv"), ["line", named, *_COLUMNS], rows)


def _abscissa(study: Study) -> str | None:
    several = [field for field, values in study.vary.items() if len(values) > 1]
    return next(
        (field for field in several if None not in map(_number, study.vary[field])), several[0] if several else None
    )


def _number(value: Any) -> float | None:
    """A value as a point on an axis; None for one that has no place there."""
    value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    sound = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if sound else None


def _over_values(members: Sequence[Member], over: str) -> dict[str, list[Point]]:
    lines: dict[str, list[Point]] = {}
    for s in summaries(members):
        others = {name: value for name, value in s.setting.items() if name != over}
        point = (s.setting[over], s.mean, s.deviation, s.best, s.networks, s.diverged)
        lines.setdefault(setting_text(others), []).append(point)
    return lines


def _over_epochs(members: Sequence[Member]) -> dict[str, list[Point]]:
    line: list[Point] = []
    for epoch in range(1, len(members[0].test_error) + 1):
        cut = [
            dataclasses.replace(m, train_loss=m.train_loss[:epoch], test_error=m.test_error[:epoch]) for m in members
        ]
        (s,) = summaries(cut)
        line.append((epoch, s.mean, s.deviation, s.best, s.networks, s.diverged))
    return {members[0].label: line}


def _draw(
    lines: dict[str, list[Point]], study: Study, over: str | None, paths: Sequence[Path], regression: bool
) -> None:
    with style():
        figure, (axes,) = columns(1)
        values = [] if over is None else list(study.vary[over])
        numbers = [_number(value) for value in values]
        places = dict(zip(values, range(len(values)) if None in numbers else numbers, strict=True))
        for name, line in lines.items():
            points = sorted(
                (places.get(at, at), mean, spread or 0.0) for at, mean, spread, *_ in line if mean is not None
            )
            if not points:
                continue
            where, means, deviations = zip(*points, strict=True)
            bars = np.array([means, deviations]) * error_number(1.0, regression)
            axes.errorbar(where, bars[0], bars[1], marker=".", capsize=2, linewidth=1, label=name)
        axes.set_ylabel(f"test {error_name(regression)}")
        by_span(axes, [mean for line in lines.values() for _, mean, *_ in line if mean is not None])
        if over is not None:
            axes.set_xlabel(axis_name(type(study.configuration), over))
        if over is None:
            whole_epochs(axes)
        elif None in numbers:
            axes.set_xticks(range(len(values)), list(map(value_text, values)))
        elif (scale := _scale(numbers)) is not None:
            axes.set_xscale(scale[0], **scale[1])
        elif all(number is not None and number.is_integer() for number in numbers):
            whole_numbers(axes)
        if len(lines) > 1 and axes.lines:
            axes.legend()
        for path in paths:
            save_figure(figure, path)


def _scale(numbers: Sequence[Any]) -> tuple[str, dict[str, Any]] | None:
    """Logarithmic where values span decades; a straight part near 0 where that is among them."""
    positive = [number for number in numbers if number > 0]
    if not positive or min(numbers) < 0 or max(positive) < 10 * min(positive):
        return None
    return ("log", {}) if len(positive) == len(numbers) else ("symlog", {"linthresh": min(positive)})


def axis_name(kind: type[Configuration], field: str) -> str:
    """A field's name on an axis, with the unit that its description tells."""
    said = field_documents(kind).get(field, "")
    told = re.search(r"\[(°C|1/V|[SAVΩ]|nodes)[\],]", said)
    unit = told[1] if told else "V" if said.startswith("Volts at") else ""
    return field.replace("_", " ") + (f" [{unit}]" if unit else "")
