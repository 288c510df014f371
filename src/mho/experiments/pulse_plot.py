"""Plot of measured responses to pulses and the law fitted to them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mho.experiments.plots import columns, in_units, save_data, save_figure, style
from mho.pulse_fit import PulseFit, PulseSeries

_MOST = 8
"""Devices whose readings are shown, at the most."""


def plot_pulses(series: Sequence[PulseSeries], fit: PulseFit, path: Path) -> None:
    """Conductance against the pulses, device by device, and the step against the conductance.

    Its data are beside it as STEM-data.csv.
    """
    with style():
        _draw(series, fit, path)


def _draw(series: Sequence[PulseSeries], fit: PulseFit, path: Path) -> None:
    figure, (left, right) = columns(2)
    shown = list(dict.fromkeys(s.device for s in series))[:_MOST]
    pulses, rows = dict.fromkeys(shown, 0), []
    for s, curve in zip(series, fit.curves, strict=True):
        if s.device not in pulses:
            continue
        color, at = f"C{shown.index(s.device)}", pulses[s.device] + np.arange(len(curve))
        pulses[s.device] = int(at[-1])
        left.plot(at, s.conductance, ".", color=color, markersize=3)
        left.plot(at, curve, color="black", linewidth=1)
        right.plot(s.conductance[:-1], np.diff(s.conductance), ".", color=color, markersize=3)
        right.plot(curve[:-1], np.diff(curve), color="black", linewidth=1)
        rows += zip([s.device] * len(at), at.tolist(), s.conductance.tolist(), curve.tolist(), strict=True)
    left.set(xlabel="pulses", title=f"{fit.law}, {fit.relative_error:.2%} of the range")
    for axis, name in ((left.yaxis, "conductance"), (right.xaxis, "conductance"), (right.yaxis, "step")):
        in_units(axis, name, "S")
    save_figure(figure, path)
    save_data(path.with_name(f"{path.stem}-data.csv"), ["device", "pulse", "conductance", "fitted"], rows)
