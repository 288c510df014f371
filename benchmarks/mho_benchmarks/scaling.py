"""How a measure grows with a size: exponents of power laws, and plots on logarithmic axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mho.experiments.atomic_file import write_atomically

Series = tuple[Sequence[float], Sequence[float]]
"""Sizes and what was measured at each."""


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p of values ∝ sizesᵖ, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def plot_scaling(series: Mapping[str, Series], *, size: str, value: str, path: Path) -> None:
    """Each series against its sizes on logarithmic axes, with its exponent in the legend, as a PNG file.

    Args:
        series: by name.
        size: label of the sizes, its unit included.
        value: label of the values.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, (sizes, values) in series.items():
        axes.loglog(sizes, values, marker="o", label=f"{name}: exponent {exponent(sizes, values):.2f}")
    axes.set(xlabel=size, ylabel=value)
    axes.legend()
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))
