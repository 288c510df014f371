"""Figures fit for print: one style, engineering units, the format that the name's end tells, and their data beside them."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mho.engineering import engineering
from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.data.table import csv_text
from mho.experiments.record import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from mho.element_fit import ElementFit

ENDINGS = (".png", ".pdf", ".svg")
"""Of the names of figures' files, which tell their formats."""
COLUMN = (3.5, 2.6)
"""Inches of one plot, as wide as a column of a journal."""
MOST_LINES = 12
"""Waveforms that a plot tells apart."""
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": "cycler('color', ['0072B2', 'D55E00', '009E73', 'CC79A7', '56B4E9', 'E69F00', '000000'])",
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text, to be found and edited
    "svg.hashsalt": "mho",  # the same figure gives the same file
    "pdf.fonttype": 42,
}
"""Colours: Okabe and Ito's, which the colour-blind tell apart (Wong, "Color blindness", Nature Methods 8 (2011) 441)."""
_SPAN = 20.0
"""Ratio of the largest to the least value, all positive, from which on an axis is logarithmic."""
_MOST_BINS = 80
_ERRORS = {"train_error": "training", "test_error": "test", "error_after": "training, after the epoch"}
"""What a record's errors are of."""


def check_figure(path: Path, option: str = "") -> None:
    """Refuse a file that no figure can be written to, by its name's end."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{option} {path}: expected a name that ends in {', '.join(ENDINGS)}".lstrip())


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Within it, figures have the style that all have."""
    # Imported here: matplotlib takes a second, which a run need not wait for at its start.
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def save_figure(figure: "Figure", path: Path, dots: int = 300) -> None:
    """Write a figure in the format that its name's end tells, PNG if it tells none, with so many dots an inch."""
    end = path.suffix.lower()
    kind = end[1:] if end in ENDINGS else "png"
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(end)
    with style():
        write_atomically(path, lambda file: figure.savefig(file, format=kind, dpi=dots, metadata=undated))


def save_data(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write what a figure shows as CSV."""
    text = csv_text(header, rows)
    write_atomically(path, lambda file: file.write(text.encode()))


def columns(count: int) -> tuple["Figure", list["Axes"]]:
    """A figure of so many plots beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN[0] * count, COLUMN[1]), layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, count)))


def in_units(axis: "Axis", name: str, unit: str) -> None:
    """Name an axis, and have its numbers in a unit with prefixes: 10 µS."""
    axis.set_major_formatter(lambda value, _: engineering(value, unit))
    axis.set_label_text(name)


def by_span(axes: "Axes", values: Iterable[float | None]) -> None:
    """A logarithmic ordinate where values, all positive, span decades."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if known and min(known) > 0 and max(known) > _SPAN * min(known):
        axes.set_yscale("log")


def whole_epochs(axes: "Axes") -> None:
    """An abscissa of epochs, with ticks at whole ones."""
    axes.set_xlabel("epoch")
    whole_numbers(axes)


def whole_numbers(axes: "Axes") -> None:
    """An abscissa with ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def error_name(regression: bool) -> str:
    """What an error is called on an axis; see `error_number`."""
    return "fraction of variance unexplained" if regression else "error [%]"


def error_number(error: float | None, regression: bool) -> float:
    """An error on that axis, NaN for none."""
    return math.nan if error is None else error if regression else 100 * error


def plot_curves(metrics: Sequence[Metrics], path: Path, *, regression: bool) -> None:
    """Loss and errors against the epoch."""
    epochs = [record["epoch"] for record in metrics]
    losses = [record["train_loss"] for record in metrics]
    errors = {
        name: found
        for name in _ERRORS
        if not all(map(math.isnan, found := [error_number(record.get(name), regression) for record in metrics]))
    }
    with style():
        figure, (left, right) = columns(2)
        left.plot(epochs, losses, marker=".")
        left.set_ylabel("training loss")
        by_span(left, losses)
        for name, values in errors.items():
            right.plot(epochs, values, marker=".", label=_ERRORS[name])
        right.set_ylabel(error_name(regression))
        by_span(right, [value for values in errors.values() for value in values])
        right.legend()
        for axes in (left, right):
            whole_epochs(axes)
        save_figure(figure, path)
    rows = zip(epochs, losses, *errors.values(), strict=True)
    save_data(path.with_suffix(".csv"), ["epoch", "train_loss", *errors], rows)


def plot_histograms(
    weights: Mapping[str, ArrayLike], label: str, path: Path, bounds: Mapping[str, tuple[float, float]]
) -> None:
    """A histogram of each layer's weights, the devices' bounds as lines; over a logarithm where all are positive.

    What has one value alone, such as a netlist's parameter, is told as a number.
    """
    rows: list[tuple[str, float, float, int]] = []
    from matplotlib.ticker import MaxNLocator

    with style():
        single = {name: float(np.reshape(v, -1)[0]) for name, v in weights.items() if np.size(v) == 1}
        several = {name: np.asarray(v) for name, v in weights.items() if np.size(v) > 1}
        figure, all_axes = columns(len(several) + bool(single))
        for axes, (name, values) in zip(all_axes, several.items(), strict=False):
            counts, edges = _histogram(axes, values, bounds.get(name, (0.0, math.inf)))
            rows += zip([name] * len(counts), edges[:-1], edges[1:], counts.tolist(), strict=False)
            axes.set(title=name, ylabel="count")
            if counts.max() > _SPAN:
                axes.set(yscale="log", ylim=(0.5, None))
            else:
                axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            named, _, unit = label.partition(" [")
            if unit:
                in_units(axes.xaxis, named, unit.rstrip("]"))
            else:
                axes.set_xlabel(label)
        if single:
            axes = all_axes[-1]
            axes.axis("off")
            axes.text(0, 1, "\n".join(f"{n} = {engineering(v)}" for n, v in single.items()), va="top", parse_math=False)
            rows += [(name, value, value, 1) for name, value in single.items()]
        save_figure(figure, path)
    save_data(path.with_suffix(".csv"), ["weights", "from", "to", "count"], rows)


def _histogram(axes: "Axes", values: np.ndarray, bounds: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of its bins."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    least, largest = float(values.min()), float(values.max())
    bins = min(_MOST_BINS, 4 + 2 * math.isqrt(values.size))
    if least > 0 and largest > _SPAN * least:
        # Counted by NumPy, a piece at a time: matplotlib would copy the values, millions in a wide layer.
        counts, edges = np.histogram(values, bins=np.geomspace(least, largest * (1 + 1e-6), bins + 1))
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        counts, edges = np.histogram(values, bins=bins)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.stairs(counts, edges, fill=True)
    for bound in bounds:
        # Far beyond the weights it would squeeze them.
        if bound > 0 and math.isfinite(bound) and least / _SPAN <= bound <= largest * _SPAN:
            axes.axvline(bound, color="black", linestyle="--", linewidth=0.8)
    return counts, edges


def plot_fit(fitted: "ElementFit", path: Path) -> None:
    """A measured curve and the law fitted to it, as it is and by magnitudes in a logarithm.

    Its data are beside it as STEM-data.csv: STEM.csv may be the measured curve.
    """
    voltage, current = np.array(fitted.curve.voltage), np.array(fitted.curve.current)
    dense = np.linspace(voltage[0], voltage[-1], 500)
    law, there = (np.asarray(fitted.element.current(v)) for v in (dense, voltage))  # type: ignore[arg-type]
    with style():
        figure, plots = columns(2)
        for axes, shown in zip(plots, (lambda i: i, np.abs), strict=True):
            axes.plot(voltage, shown(current), ".", label="measured")
            axes.plot(dense, shown(law), label=fitted.law)
            in_units(axes.xaxis, "voltage", "V")
            in_units(axes.yaxis, "current", "A")
        sizes = np.abs(current[current != 0.0])
        # Nothing below can be seen of a curve that passes through 0 A.
        axes.set_ylim(0.5 * max(sizes.min(), 1e-12 * sizes.max()), 2.0 * sizes.max())
        axes.set_yscale("log")
        in_units(axes.yaxis, "magnitude of the current", "A")
        axes.legend()
        save_figure(figure, path)
    rows = zip(voltage.tolist(), current.tolist(), there.tolist(), strict=True)
    save_data(path.with_name(f"{path.stem}-data.csv"), ["v", "i", fitted.law], rows)


def plot_waveforms(times: np.ndarray, voltages: Mapping[str, np.ndarray], path: Path) -> None:
    """Node voltages [V] against time [s]; data beside it as STEM-data.csv."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(2 * COLUMN[0], 1.2 * COLUMN[1]), layout="constrained")
        axes = figure.subplots()
        for k, (name, voltage) in enumerate(voltages.items()):
            axes.plot(times, voltage, ("-", "--")[k // 7 % 2], label=name)
        in_units(axes.xaxis, "time", "s")
        in_units(axes.yaxis, "voltage", "V")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        axes.margins(x=0)
        save_figure(figure, path)
    rows = np.column_stack([times, *voltages.values()]).tolist()
    save_data(path.with_name(f"{path.stem}-data.csv"), ["time", *voltages], rows)
