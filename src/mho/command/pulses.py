"""`mho pulses`: a pulsed device from its measured responses."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mho.command.options import parse
from mho.command.output import STANDARD, check_output, write_output


@dataclasses.dataclass(frozen=True)
class Options:
    """Which responses to fit, by which law."""

    file: Annotated[Path, tyro.conf.Positional]
    """Table with columns pulse and conductance [S], read after the pulse; and, where there are, direction (up, down) and
    device. Pulses are counted from 0, before the first, or 1 in each series."""
    law: Literal["constant-step", "linear-step", "soft-bounds", "exponential-step", "power-step"] | None = None
    """Law of the steps; the one that fits best, by Bayes's criterion, if not given."""
    plot: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot of the readings and the law to write: .png, .pdf or .svg."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE.toml")] = STANDARD
    """File for the device, which mho train --device FILE.toml trains with; - for standard output."""


def run(arguments: Sequence[str]) -> None:
    """Fit; print parameters and errors, and the device."""
    options = parse(
        Options,
        arguments,
        prog="mho pulses",
        description="Fit a pulsed device to readings between pulses: the law of its steps, what they scatter from pulse to "
        "pulse and from device to device, and the readings' noise. Example: mho pulses cell.csv -o cell.toml",
    )
    check_output("-o", options.output)
    if options.plot is not None:
        from mho.experiments.plots import check_figure

        check_output("--plot", options.plot)
        check_figure(Path(options.plot), "--plot")
    # Here and not above: help and complaints need not wait for JAX.
    from mho.errors import InputError
    from mho.experiments.pulse_series import device_text, read_pulses
    from mho.pulse_fit import LAWS, fit_pulses, likeliest

    series = read_pulses(options.file)
    try:
        fits = [fit_pulses(series, law) for law in (LAWS if options.law is None else (options.law,))]
    except InputError as problem:
        raise InputError(f"{options.file}: {problem}") from problem
    fit = likeliest(fits)
    if options.plot is not None:
        from mho.experiments.pulse_plot import plot_pulses

        plot_pulses(series, fit, Path(options.plot))
    for other in sorted(fits, key=lambda fit: fit.criterion):
        print(f"# {other.law:<20}{other.relative_error:>9.3%} of the range, criterion {other.criterion:.6g}")
    devices, pulses = len({s.device for s in series}), sum(len(s.conductance) - 1 for s in series)
    print(f"# {pulses} pulses in {len(series)} series on {devices} device{'s' if devices > 1 else ''}: {fit.law}")
    for name, value in fit.settings.items():
        error = f" ± {fit.errors[name]:.2g}" if name in fit.errors else ""
        print(f"# {name:<20}{value:>12.6g}{error}")
    print(f"# window {fit.window[0]:.4g} to {fit.window[1]:.4g} S, readings' noise {fit.read_noise:.3g} S")
    write_output("-o", options.output, device_text(fit, options.file.name))
