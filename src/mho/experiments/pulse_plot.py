"""Plot of measured responses to pulses and the law fitted to them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mho.experiments.plots import save_figure
from mho.pulse_fit import PulseFit, PulseSeries

_MOST = 8
"""Devices whose readings are shown, at the most."""


def plot_pulses(series: Sequence[PulseSeries], fit: PulseFit, path: Path) -> None:
    """Conductance against the pulses, device by device, and the step against the conductance."""
    # Imported here: matplotlib takes a second.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = list(dict.fromkeys(s.device for s in series))[:_MOST]
    pulses = dict.fromkeys(shown, 0)
    for s, curve in zip(series, fit.curves, strict=True):
        if s.device not in pulses:
            continue
        color, at = f"C{shown.index(s.device)}", pulses[s.device] + np.arange(len(curve))
        pulses[s.device] = int(at[-1])
        left.plot(at, 1e6 * s.conductance, ".", color=color, markersize=3)
        left.plot(at, 1e6 * curve, color="black", linewidth=1)
        right.plot(1e6 * s.conductance[:-1], 1e6 * np.diff(s.conductance), ".", color=color, markersize=3)
        right.plot(1e6 * curve[:-1], 1e6 * np.diff(curve), color="black", linewidth=1)
    left.set(xlabel="pulses", ylabel="conductance [µS]", title=f"{fit.law}, {fit.relative_error:.2%} of the range")
    right.set(xlabel="conductance [µS]", ylabel="step [µS]")
    save_figure(figure, path)
