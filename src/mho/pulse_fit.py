"""Pulsed devices from measured responses: what pulses up and down do to conductances, as settings of `mho.devices`.

A series is what a device reads between pulses of one direction. The law is followed along pieces of each series and fitted
to the readings by least squares. What single steps scatter about it is the steps' noise, but for what the next step takes
back, which is the readings' (the autocovariance of a differenced noise is −σ² at a distance of one).
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix

from mho.devices import DEVICES, PulsedDevice
from mho.errors import InputError, MhoError

Law = Literal["constant-step", "linear-step", "soft-bounds", "exponential-step", "power-step"]
LAWS: tuple[Law, ...] = ("constant-step", "soft-bounds", "linear-step", "power-step", "exponential-step")
"""Simpler ones first."""

_LEAST = 3
"""Pulses either way, at the least."""
_EXACT = 1e-4
"""Share of the range within which steps that obey two laws obey both."""
_PARTS = 10
"""Pieces of a series, at the most."""


@dataclass(frozen=True)
class PulseSeries:
    """Pulses of one direction on one device."""

    device: str
    up: bool
    conductance: np.ndarray
    """Read before the first pulse and after each [S], (pulses + 1,)."""


@dataclass(frozen=True)
class PulseFit:
    """A law fitted to series of pulses."""

    law: Law
    device: PulsedDevice
    """With the settings found, to be drawn for a network's window."""
    settings: dict[str, float]
    """Those that the fit decides, by their names: `--device-settings` of `--device LAW`."""
    errors: dict[str, float]
    """Standard errors of the law's own."""
    window: tuple[float, float]
    """The mean device's least and largest conductance [S]: w_min and w_max."""
    relative_error: float
    """Root-mean-square of the readings about the fit, as a share of the range that each device spans."""
    criterion: float
    """Bayes's of the fit: the smaller the better, among laws fitted to the same readings."""
    read_noise: float
    """Standard deviation of a reading [S]."""
    curves: tuple[np.ndarray, ...]
    """The fit at each reading [S], in the series' order."""


class _Form(NamedTuple):
    """A law on w from −1 to 1: Δw up and down, by pulses Δw at most and parameters of its shape."""

    names: tuple[str, ...]
    starts: tuple[tuple[float, ...], ...]
    bounds: tuple[tuple[float, float], ...]
    up: Callable[..., np.ndarray]
    down: Callable[..., np.ndarray]
    open: bool
    """Whether pulses never reach the bounds, which are then fitted, and not what was read at the ends."""


def _power(way: np.ndarray, exponent: float) -> np.ndarray:
    return np.maximum(way / 2.0, 0.0) ** exponent


_FORMS: dict[str, _Form] = {
    "constant-step": _Form((), ((),), (), lambda w: 1.0 + 0.0 * w, lambda w: 1.0 + 0.0 * w, False),
    "linear-step": _Form(
        ("gamma_up", "gamma_down"),
        ((0.3, 0.3), (0.8, 0.8)),
        ((0.0, 0.999),) * 2,
        lambda w, up, down: 1.0 - up * w,
        lambda w, up, down: 1.0 + down * w,
        False,
    ),
    "soft-bounds": _Form((), ((),), (), lambda w: 1.0 - w, lambda w: 1.0 + w, True),
    "exponential-step": _Form(
        ("A_up", "A_down", "gamma_up", "gamma_down"),
        ((0.3, 0.3, 1.0, 1.0), (0.05, 0.05, 3.0, 3.0), (-0.5, -0.5, 1.0, 1.0)),
        ((-50.0, 0.999), (-50.0, 0.999), (0.01, 20.0), (0.01, 20.0)),
        lambda w, a, b, g, h: np.maximum(1.0 - a * np.exp(g * w), 0.0),
        lambda w, a, b, g, h: np.maximum(1.0 - b * np.exp(-h * w), 0.0),
        False,
    ),
    "power-step": _Form(
        ("gamma_up", "gamma_down"),
        ((1.0, 1.0), (2.0, 2.0), (0.5, 0.5)),
        ((0.05, 10.0),) * 2,
        lambda w, up, down: _power(1.0 - w, up),
        lambda w, up, down: _power(1.0 + w, down),
        True,
    ),
}


def fit_pulses(series: Sequence[PulseSeries], law: Law | None = None) -> PulseFit:
    """Fit a pulsed device to series of pulses.

    Args:
        series: of one device or several, up and down; see `mho.read_pulses`.
        law: `constant-step`, `linear-step`, `soft-bounds`, `exponential-step` or `power-step` (see `mho.devices`); that of
            them with the least criterion if None.

    Raises:
        InputError: for an unknown law, fewer than three pulses either way, or readings that do not move.
        MhoError: if no start of the search leads to a fit.
    """
    if law is None:
        return likeliest([fit_pulses(series, each) for each in LAWS])
    if law not in LAWS:
        raise InputError(f"law {law!r}: must be one of {', '.join(LAWS)}")
    form, read = _FORMS[law], _Readings(series)
    for up, told in ((True, "up"), (False, "down")):
        pulses = sum(len(s.conductance) - 1 for s in series if s.up == up)
        if pulses < _LEAST:
            raise InputError(f"{pulses} pulses {told}: a fit needs {_LEAST} at least either way")
    found = _fitted(form, _Readings([part for s in series for part in _parts(s)]))
    settings, errors, window = _settings(form, law, found)
    curves = _curves(form, read, found)
    ranges = read.span[read.owner]
    wrong = np.concatenate([(c - s.conductance) / r for c, s, r in zip(curves, series, ranges, strict=True)])
    scatter, noise, criterion = _noise(form, read, found)
    unit = (window[1] - window[0]) / 2.0
    settings |= {"dw_min_std": scatter, "write_noise_std": noise / (unit * settings["dw_min"])}
    chosen = {name: float(f"{value:.6g}") for name, value in settings.items()}
    return PulseFit(
        law=law,
        device=dataclasses.replace(DEVICES[law], **chosen),  # type: ignore[arg-type]
        settings=chosen,
        errors=errors,
        window=window,
        relative_error=float(np.sqrt(np.mean(wrong**2))),
        criterion=criterion,
        read_noise=noise,
        curves=tuple(curves),
    )


def likeliest(fits: Sequence[PulseFit]) -> PulseFit:
    """The first of the laws, simpler ones before, that no other beats by more than 10 (Kass & Raftery 1995, section 3.2)."""
    least = min(fit.criterion for fit in fits)
    return next(fit for fit in fits if fit.criterion <= least + 10.0)


class _Found(NamedTuple):
    """A law with what each device has for itself: Δw either way and its ends [S], (devices,) each."""

    shapes: np.ndarray
    up: np.ndarray
    down: np.ndarray
    low: np.ndarray
    high: np.ndarray
    errors: np.ndarray
    """Standard errors: of the shapes, and of the logarithms of the mean steps up and down."""
    parameters: int


class _Readings:
    """Series as arrays, each device's conductances in units of their range from their least."""

    def __init__(self, series: Sequence[PulseSeries]) -> None:
        self.series = series
        names = list(dict.fromkeys(s.device for s in series))
        self.owner = np.array([names.index(s.device) for s in series])
        self.devices, self.ups = len(names), np.array([s.up for s in series])
        own = [np.concatenate([s.conductance for s in series if s.device == name]) for name in names]
        for name, k in zip(names, range(len(names)), strict=True):
            ways = set(self.ups[self.owner == k].tolist())
            if ways != {True, False}:
                whose = f"device {name!r} has" if name else "there are"
                raise InputError(f"{whose} no pulses {'down' if ways == {True} else 'up'}: a fit needs both")
            if not np.ptp(own[k]) > 0:
                raise InputError(f"all readings are {own[k][0]:g} S: pulses that move nothing have no law")
        self.least, self.span = (np.array([f(g) for g in own]) for f in (np.min, np.ptp))
        self.measured = [
            (s.conductance - self.least[k]) / self.span[k] for s, k in zip(series, self.owner, strict=True)
        ]
        self.pulses = max(map(len, self.measured)) - 1
        length = [len(m) for m in self.measured]
        self.at = np.concatenate([np.arange(n) for n in length]), np.repeat(np.arange(len(length)), length)
        """Pulse and series of each reading."""


def _followed(form: _Form, read: _Readings, starts: np.ndarray, steps: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """w of each series after each pulse, (pulses + 1, series), with a step of its own, (series,)."""
    w = np.empty((read.pulses + 1, len(starts)))
    w[0] = np.clip(starts, -1.0, 1.0)
    up = np.flatnonzero(read.ups)
    down = np.flatnonzero(~read.ups)
    for k in range(read.pulses):
        here = w[k]
        w[k + 1, up] = here[up] + steps[up] * form.up(here[up], *shapes)
        w[k + 1, down] = here[down] - steps[down] * form.down(here[down], *shapes)
        np.clip(w[k + 1], -1.0, 1.0, out=w[k + 1])
    return w


def _fitted(form: _Form, read: _Readings) -> _Found:
    """The law whose shapes all devices share. What is one device's, or one series', touches its own readings alone."""
    count, devices = len(form.names), read.devices
    ends = 2 * devices * form.open

    def split(x: np.ndarray) -> tuple[np.ndarray, ...]:
        up, down = np.exp(x[count : count + 2 * devices]).reshape(2, devices)
        low, high = np.zeros(devices), np.ones(devices)
        if form.open:
            low, high = x[count + 2 * devices :][:ends].reshape(2, devices) * [[-1.0], [1.0]] + [[0.0], [1.0]]
        return x[:count], up, down, low, high, x[count + 2 * devices + ends :]

    measured = np.concatenate(read.measured)

    def residuals(x: np.ndarray) -> np.ndarray:
        shapes, up, down, low, high, starts = split(x)
        low, unit = low[read.owner], ((high - low) / 2.0)[read.owner]
        steps = np.where(read.ups, up[read.owner], down[read.owner])
        w = _followed(form, read, (starts - low) / unit - 1.0, steps, shapes)
        return low[number] + unit[number] * (1.0 + w[read.at]) - measured

    number = read.at[1]
    owner = read.owner[number]
    own = [owner[:, None] == np.arange(devices)] * (2 + 2 * form.open)
    touched = np.concatenate(
        [np.ones((len(owner), count), bool), *own, number[:, None] == np.arange(len(read.measured))], 1
    )
    best: Any = None
    for shapes in form.starts:
        begun = [_first_steps(form, read, shapes, up=up) for up in (True, False)]
        x = np.concatenate([shapes, *begun, np.full(ends, 0.05), [m[0] for m in read.measured]])
        low, high = np.full(len(x), -0.5), np.full(len(x), 1.5)
        low[:count], high[:count] = np.array(form.bounds or np.zeros((0, 2))).T
        low[count:][: 2 * devices], high[count:][: 2 * devices] = -16.0, 0.0
        low[count + 2 * devices :][:ends], high[count + 2 * devices :][:ends] = 0.0, 5.0
        tried = least_squares(
            residuals,
            np.clip(x, low + 1e-6, high - 1e-6),
            bounds=(low, high),
            jac_sparsity=csr_matrix(touched),
            x_scale="jac",
            ftol=1e-7,
            max_nfev=60,
        )
        best = tried if best is None or tried.cost < best.cost else best
    if best is None or not np.isfinite(best.cost):
        raise MhoError("no law was found near the readings")
    spread = 2.0 * best.cost / max(1, len(best.fun) - len(best.x))
    normal = (best.jac.T @ best.jac).toarray()
    normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal)
    means = np.zeros((count + 2, len(best.x)))
    means[:, : count + 2 * devices][:count, :count] = np.eye(count)
    for row, at in ((count, count), (count + 1, count + devices)):
        means[row, at : at + devices] = 1.0 / devices
    covariance = means @ np.linalg.solve(normal, means.T)
    shapes, up, down, low, high, _ = split(best.x)
    errors = np.sqrt(spread * np.maximum(np.diag(covariance), 0.0))
    low, high = (read.least + read.span * end for end in (low, high))
    return _Found(shapes, up, down, low, high, errors, count + 4 * devices)


def _curves(form: _Form, read: _Readings, found: _Found) -> list[np.ndarray]:
    """The law followed from each series' first reading [S]."""
    low, unit = found.low[read.owner], ((found.high - found.low) / 2.0)[read.owner]
    begun = np.array([s.conductance[0] for s in read.series])
    steps = np.where(read.ups, found.up[read.owner], found.down[read.owner])
    w = _followed(form, read, (begun - low) / unit - 1.0, steps, found.shapes)
    each = low[read.at[1]] + unit[read.at[1]] * (1.0 + w[read.at])
    return np.split(each, np.cumsum([len(m) for m in read.measured])[:-1])


def _parts(series: PulseSeries) -> list[PulseSeries]:
    """Pieces of a series, each to be followed from a start of its own: what steps scatter adds up along a series."""
    pulses = len(series.conductance) - 1
    cuts = np.unique(np.linspace(0, pulses, max(1, min(_PARTS, pulses // _LEAST)) + 1).astype(int))
    return [dataclasses.replace(series, conductance=series.conductance[a : b + 1]) for a, b in itertools.pairwise(cuts)]


def _first_steps(form: _Form, read: _Readings, shapes: Sequence[float], *, up: bool) -> np.ndarray:
    """Logarithm of each device's Δw one way, by its single steps' regression on the law."""
    products, squares = np.zeros(read.devices), np.zeros(read.devices)
    for m, k, way in zip(read.measured, read.owner, read.ups, strict=True):
        if way == up:
            w = np.clip(2.0 * m - 1.0, -1.0, 1.0)
            law = form.up(w[:-1], *shapes) if up else -form.down(w[:-1], *shapes)
            products[k] += float(np.diff(w) @ law)
            squares[k] += float(law @ law)
    return np.log(np.clip(products / np.maximum(squares, 1e-9), 1e-6, 0.9))


def _two(first: float, second: float) -> tuple[float, float]:
    """A pair of positive numbers as the larger and by how much the second is smaller, or if negative the first."""
    return (first, 1.0 - second / first) if first >= second else (second, first / second - 1.0)


def _settings(form: _Form, law: Law, found: _Found) -> tuple[dict[str, float], dict[str, float], tuple[float, float]]:
    """What the mean device and its deviations are called in `mho.devices`; their errors; its window [S]."""
    low, high = float(found.low.mean()), float(found.high.mean())
    unit, middle = (high - low) / 2.0, (high + low) / 2.0
    own = (found.high - found.low) / 2.0 / unit
    # The family counts its steps at w = 0, soft bounds by the distance from there to each.
    ahead = ((found.high - middle) / unit, (middle - found.low) / unit) if law == "soft-bounds" else (own, own)
    up, down = ahead[0] * found.up, ahead[1] * found.down
    size, tilt = _two(float(up.mean()), float(down.mean()))
    ups, downs = up / up.mean(), down / down.mean()

    def deviation(values: np.ndarray) -> float:
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    settings = {"w_min": -1.0, "w_max": 1.0, "dw_min": size, "up_down": tilt}
    settings["dw_min_dtod"] = deviation((ups + downs) / 2.0)
    settings["up_down_dtod"] = deviation((ups - downs) / 2.0)
    settings["w_max_dtod"] = deviation((found.high - middle) / unit)
    settings["w_min_dtod"] = deviation((found.low - middle) / unit)
    *shaped, of_up, of_down = found.errors.tolist()
    errors = {"dw_min": size * (of_up if up.mean() >= down.mean() else of_down)}
    errors["up_down"] = (1.0 - abs(tilt)) * math.hypot(of_up, of_down)
    if law == "power-step":
        exponents = found.shapes.tolist()
        exponent, skew = _two(*exponents)
        settings |= {"pow_gamma": exponent, "pow_up_down": skew, "pow_gamma_dtod": 0.0}
        errors["pow_gamma"] = shaped[0 if exponents[0] >= exponents[1] else 1]
        return settings, errors, (low, high)
    settings |= dict(zip(form.names, found.shapes.tolist(), strict=True))
    errors |= dict(zip(form.names, shaped, strict=True))
    if law == "exponential-step":
        settings |= {"a": 1.0, "b": 0.0}
    if law == "linear-step":
        settings |= {"gamma_up_dtod": 0.0, "gamma_down_dtod": 0.0}
    return settings, errors, (low, high)


def _noise(form: _Form, read: _Readings, found: _Found) -> tuple[float, float, float]:
    """Scatter of a step relative to it; standard deviation of a reading [S]; Bayes's criterion of the single steps."""
    squares = product = sizes = 0.0
    count = pairs = 0
    for s, k in zip(read.series, read.owner, strict=True):
        middle, unit = (found.low[k] + found.high[k]) / 2.0, (found.high[k] - found.low[k]) / 2.0
        w = np.clip((s.conductance - middle) / unit, -1.0, 1.0)
        law = (
            found.up[k] * form.up(w[:-1], *found.shapes) if s.up else -found.down[k] * form.down(w[:-1], *found.shapes)
        )
        law = np.clip(w[:-1] + law, -1.0, 1.0) - w[:-1]
        off, law = unit * (np.diff(w) - law), unit * law
        squares, product = squares + float(off @ off), product + float(off[1:] @ off[:-1])
        sizes += float(law @ law)
        count, pairs = count + len(off), pairs + max(0, len(off) - 1)
    reading = max(0.0, -product / max(1, pairs))
    step = max(0.0, squares / count - 2.0 * reading)
    floor = (_EXACT * float(read.span.mean())) ** 2
    criterion = count * math.log(max(squares / count, floor)) + found.parameters * math.log(count)
    return math.sqrt(step / max(sizes / count, 1e-300)), math.sqrt(reading), criterion
