"""Plots, and the files that they are written to."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.experiments.atomic_file import write_atomically
from mho.experiments.record import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mho.element_fit import ElementFit

_MOST_NAMED = 20
"""Waveforms up to which a plot's legend names them."""


ENDINGS = (".png", ".pdf", ".svg")
"""Of the names of figures' files, which tell their formats."""


def check_figure(path: Path, option: str = "") -> None:
    """Refuse a file that no figure can be written to, by its name's end."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{option} {path}: expected a name that ends in {', '.join(ENDINGS)}".lstrip())


def save_figure(figure: "Figure", path: Path, dots: int = 120) -> None:
    """Write a figure in the format that its name's end tells, PNG if it tells none, with so many dots an inch.

    Text stays text, to be found and edited; the same figure gives the same file.
    """
    import matplotlib

    end = path.suffix.lower()
    kind = end[1:] if end in ENDINGS else "png"
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(end)
    with matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "mho"}):
        write_atomically(path, lambda file: figure.savefig(file, format=kind, dpi=dots, metadata=dated))


def plot_curves(metrics: Sequence[Metrics], path: Path) -> None:
    """Loss and errors against the epoch."""
    # Imported here: matplotlib takes a second, which a run need not wait for at its start.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in metrics]
    left.plot(epochs, [record["train_loss"] for record in metrics], marker=".")
    left.set(xlabel="epoch", ylabel="training loss")
    for name in ("train_error", "test_error", "error_after"):
        errors = [math.nan if (error := record.get(name)) is None else 100 * error for record in metrics]
        if not all(map(math.isnan, errors)):
            right.plot(epochs, errors, marker=".", label=name.replace("_", " "))
    right.set(xlabel="epoch", ylabel="error [%]")
    right.legend()
    save_figure(figure, path)


def plot_histograms(weights: Mapping[str, ArrayLike], label: str, path: Path) -> None:
    """A histogram of each layer's weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(weights), 3.5), layout="constrained")
    for axes, (name, values) in zip(np.ravel(figure.subplots(1, len(weights))), weights.items(), strict=True):
        # Counted by NumPy, a piece at a time: matplotlib would copy the values, millions in a wide layer.
        counts, edges = np.histogram(np.asarray(values), bins=80)
        axes.stairs(counts, edges, fill=True)
        axes.set(title=name, xlabel=label, ylabel="count", yscale="log")
    save_figure(figure, path)


def plot_fit(fitted: "ElementFit", path: Path) -> None:
    """A measured curve and the law fitted to it, as it is and by magnitudes in a logarithm."""
    from matplotlib.figure import Figure

    voltage, current = np.array(fitted.curve.voltage), np.array(fitted.curve.current)
    dense = np.linspace(voltage[0], voltage[-1], 500)
    law = np.asarray(fitted.element.current(dense))  # type: ignore[arg-type]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, shown in zip(figure.subplots(1, 2), (lambda i: i, np.abs), strict=True):
        axes.plot(voltage, shown(current), ".", label="measured")
        axes.plot(dense, shown(law), label=fitted.law)
        axes.set(xlabel="voltage [V]", ylabel="current [A]")
    sizes = np.abs(current[current != 0.0])
    # Nothing below can be seen of a curve that passes through 0 A.
    axes.set_ylim(0.5 * max(sizes.min(), 1e-12 * sizes.max()), 2.0 * sizes.max())
    axes.set(yscale="log", ylabel="magnitude of the current [A]")
    axes.legend()
    save_figure(figure, path)


def plot_waveforms(times: np.ndarray, voltages: Mapping[str, np.ndarray], path: Path) -> None:
    """Node voltages [V] against time [s]."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name, voltage in voltages.items():
        axes.plot(times, voltage, label=name)
    axes.set(xlabel="time [s]", ylabel="voltage [V]")
    if len(voltages) <= _MOST_NAMED:
        axes.legend()
    save_figure(figure, path)
