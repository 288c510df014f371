"""How a measure grows with a size: exponents of power laws, and plots on logarithmic axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mho.experiments.plots import columns, save_data, save_figure, style

Series = tuple[Sequence[float], Sequence[float]]
"""Sizes and what was measured at each."""


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p of values ∝ sizesᵖ, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def plot_scaling(series: Mapping[str, Series], *, size: str, value: str, path: Path) -> None:
    """Each series against its sizes on logarithmic axes, with its exponent in the legend, and the numbers beside it as CSV.

    Args:
        series: by name.
        size: label of the sizes, its unit included.
        value: label of the values.
        path: the file to write.
    """
    with style():
        figure, (axes,) = columns(1)
        for name, (sizes, values) in series.items():
            axes.loglog(sizes, values, marker="o", label=f"{name}: exponent {exponent(sizes, values):.2f}")
        axes.set(xlabel=size, ylabel=value)
        axes.legend()
        save_figure(figure, path)
    rows = [(name, *point) for name, (sizes, values) in series.items() for point in zip(sizes, values, strict=True)]
    save_data(path.with_suffix(".csv"), ["line", size, value], rows)
