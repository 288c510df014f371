"""Parameters of a diode's or a memristor's law from a measured curve, by least squares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from scipy.optimize import least_squares

from mho.constants import ROOM_TEMPERATURE
from mho.elements import Curve, JunctionDiode, SinhConductor, TwoTerminal
from mho.elements.shockley_diode import thermal_voltage
from mho.errors import InputError, MhoError

Law = Literal["shockley", "sinh"]

_FLOOR = 1e-6
"""Share of the largest current below which an error counts as if the current were that."""


@dataclass(frozen=True)
class ElementFit:
    """What `fit_element` finds."""

    law: str
    element: TwoTerminal
    """With the parameters found, of shape ()."""
    curve: Curve
    parameters: dict[str, float]
    """By the element's names, in SI units."""
    errors: dict[str, float]
    """Their standard errors, from the scatter of the points about the law."""
    relative_error: float
    """Root-mean-square of the points' errors relative to their currents, or to 1e-6 of the largest current."""
    largest_error: float
    """The largest of these."""
    voltage_of_largest: float
    """Where that is [V]."""


class _Form(NamedTuple):
    """A law as the fit sees it: positive parameters in their logarithm, and one more, at least 0, in a unit of its own."""

    names: tuple[str, ...]
    made: Callable[..., TwoTerminal]
    starts: list[tuple[float, ...]]
    unit: float
    bounds: tuple[tuple[float, float], ...]


def fit_element(curve: Curve, law: Law = "shockley", *, temperature: float = ROOM_TEMPERATURE) -> ElementFit:
    """Fit a law to a curve.

    Minimises Σ (asinh(i/f) − asinh(i_k/f))² with f = 1e-6 of the largest current: relative errors of the currents above f,
    absolute ones of those below, so that every decade counts alike.

    Args:
        curve: the curve.
        law: `shockley`, i = I_S·(exp((v − R_S·i)/(n·V_T)) − 1); or `sinh`, i = g·v + α·sinh(χ·v).
        temperature: of the diode [K]: V_T = k·T/q.

    Raises:
        InputError: for an unknown law, no more points than parameters, no current at all, or a diode whose largest current
            is not a positive one at a positive voltage.
        MhoError: if no start of the search leads to a fit.
    """
    if law not in get_args(Law):
        raise InputError(f"law {law!r}: must be one of {', '.join(get_args(Law))}")
    if not (temperature > 0 and np.isfinite(temperature)):
        raise InputError(f"temperature {temperature:g} K: must be positive and finite")
    v, i = np.array(curve.voltage), np.array(curve.current)
    largest = float(np.abs(i).max())
    if largest == 0.0:
        raise InputError("the curve has no current: nothing to fit")
    form = (_shockley if law == "shockley" else _sinh)(v, i, temperature)
    if len(v) <= len(form.names):
        raise InputError(f"{len(v)} points: a fit of {' '.join(form.names)} needs {len(form.names) + 1} at least")
    floor = _FLOOR * largest
    measured = np.arcsinh(i / floor)

    def values(x: np.ndarray) -> np.ndarray:
        return np.append(np.exp(x[:-1]), form.unit * x[-1])

    def residuals(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            found = np.asarray(form.made(*values(x)).current(v))  # type: ignore[arg-type]
        return np.arcsinh(np.clip(found / floor, -1e300, 1e300)) - measured

    low, high = np.array(form.bounds).T
    low, high = np.append(np.log(low[:-1]), low[-1]), np.append(np.log(high[:-1]), high[-1])
    found: Any = None
    for start in form.starts:
        x = np.append(np.log(start[:-1]), start[-1] / form.unit)
        tried = least_squares(residuals, np.clip(x, low + 1e-9, high - 1e-9), bounds=(low, high), x_scale="jac")
        found = tried if found is None or tried.cost < found.cost else found
    if found is None or not np.isfinite(found.cost):
        raise MhoError(f"no {law} law was found near the curve")
    spread = 2.0 * found.cost / (len(v) - len(form.names))
    deviations = np.sqrt(spread * np.diag(np.linalg.pinv(found.jac.T @ found.jac)))
    best = values(found.x)
    scales = np.append(best[:-1], form.unit)  # of ln p by p
    element = form.made(*best)
    relative = np.abs(np.asarray(element.current(v)) - i) / np.maximum(np.abs(i), floor)  # type: ignore[arg-type]
    return ElementFit(
        law=law,
        element=element,
        curve=curve,
        parameters=dict(zip(form.names, best.tolist(), strict=True)),
        errors=dict(zip(form.names, (deviations * scales).tolist(), strict=True)),
        relative_error=float(np.sqrt(np.mean(relative**2))),
        largest_error=float(relative.max()),
        voltage_of_largest=float(v[relative.argmax()]),
    )


def _shockley(v: np.ndarray, i: np.ndarray, temperature: float) -> _Form:
    top, scale = float(i[-1]), float(thermal_voltage(temperature))
    if not (v[-1] > 0 and top > 0 and top >= abs(i[0])):
        raise InputError(
            f"the largest current is not at a positive voltage ({top:g} A at {v[-1]:g} V): a diode's curve ends in forward "
            "direction"
        )
    starts = []
    for share in (1e-4, 1e-2, 0.5):
        k = min(int(np.searchsorted(i, share * top)), len(v) - 1)
        for n in (1.0, 1.5, 2.5):
            if v[k] > 0 and i[k] > 0:
                saturation = i[k] / np.expm1(min(v[k] / (n * scale), 300.0))
                used = n * scale * np.log1p(top / saturation)
                starts.append((saturation, n, max(float(v[-1] - used), 0.0) / top))

    def made(saturation: float, n: float, resistance: float) -> TwoTerminal:
        return JunctionDiode.from_model(
            saturation_current=saturation,
            ideality=n,
            series_resistance=resistance,
            nominal_temperature=temperature,
            temperature=temperature,
            gmin=0.0,
        )

    names = ("saturation_current", "ideality", "series_resistance")
    return _Form(names, made, starts, float(v[-1]) / top, ((1e-40, 1.0), (0.1, 100.0), (0.0, 1.0)))


def _sinh(v: np.ndarray, i: np.ndarray, temperature: float) -> _Form:
    del temperature
    at = int(np.argmax(np.abs(i)))
    reach, top = abs(float(v[at])), abs(float(i[at]))
    if reach == 0.0:
        raise InputError("the largest current is at 0 V, where a sinh law carries none")
    starts = [(top / np.sinh(x), x / reach, 0.1 * top / reach) for x in (0.3, 1.0, 3.0, 8.0)]

    def made(scale: float, steepness: float, conductance: float) -> TwoTerminal:
        return SinhConductor(*(np.float64(p) for p in (conductance, scale, steepness)))  # type: ignore[arg-type]

    bounds = ((1e-30, 1e6), (1e-3 / reach, 500.0 / reach), (0.0, 10.0))
    return _Form(("scale", "steepness", "conductance"), made, starts, top / reach, bounds)
