"""`mho curve`: parameters of a device's law from a measured curve."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mho.command.options import parse
from mho.command.output import check_output
from mho.constants import ZERO_CELSIUS

_FORMULAS = {
    "shockley": "i = I_S (exp((v - R_S i)/(n k T/q)) - 1)",
    "sinh": "i = conductance v + scale sinh(steepness v)",
}
_UNITS = {"saturation_current": "A", "series_resistance": "ohm", "conductance": "S", "scale": "A", "steepness": "1/V"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Which curve to fit, and by which law."""

    file: Annotated[Path, tyro.conf.Positional]
    """Measured curve: FILE.csv or FILE.npz with columns v [V] and i [A], the voltage increasing."""
    law: Literal["shockley", "sinh"] = "shockley"
    """A diode's law with a series resistance, or a memristor's hyperbolic sine beside a leakage."""
    temperature: float = 27.0
    """The diode's temperature [°C]."""
    plot: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot of the points and the law to write: .png, .pdf or .svg; what it shows is beside it, as STEM-data.csv."""


def run(arguments: Sequence[str]) -> None:
    """Fit; print parameters, their standard errors and the fit's error."""
    description = (
        "Fit a law to a measured current-voltage curve: parameters with their standard errors, and how far the points are "
        "from the law, relative to their currents or to 1e-6 of the largest. "
        "Example: mho curve diode.csv --law shockley --plot diode.png"
    )
    options = parse(Options, arguments, prog="mho curve", description=description)
    if options.plot is not None:
        check_output("--plot", options.plot)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.element_fit import fit_element
    from mho.errors import InputError
    from mho.experiments.curves import read_curve

    curve = read_curve(options.file)
    try:
        fitted = fit_element(curve, options.law, temperature=ZERO_CELSIUS + options.temperature)
    except InputError as problem:
        raise InputError(f"{options.file}: {problem}") from problem
    if options.plot is not None:
        from mho.experiments.plots import plot_fit

        plot_fit(fitted, Path(options.plot))
    print(_FORMULAS[options.law])
    for name, value in fitted.parameters.items():
        print(f"{name:<20}{value:>14.6g} {_UNITS.get(name, ''):<4} ± {fitted.errors[name]:.2g}")
    print(
        f"{len(curve.voltage)} points, relative error {fitted.relative_error:.3g} (root-mean-square), "
        f"{fitted.largest_error:.3g} at most, at {fitted.voltage_of_largest:g} V"
    )
