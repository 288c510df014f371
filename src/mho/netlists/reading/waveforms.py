"""Transient waveforms of independent sources: PULSE, SIN, EXP, PWL, SFFM and AM.

Source: ngspice 39 manual, section 4.1 ("Independent sources for voltage or current"). Where ngspice takes a missing
or zero value from the ``.tran`` card (its step or stop), the field is None and ``at`` takes it from there.
Levels are volts for a voltage source, amperes for a current source; times are seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mho.arrays import Values, namespace
from mho.errors import InputError

_MOST_REPEATS = 1e5


@dataclass(frozen=True, slots=True)
class Transient:
    """A ``.tran`` card.

    Attributes:
        step: Suggested time step (s), also the default of waveforms' rise and fall times.
        stop: Last time (s).
        start: First time to report (s); the analysis itself begins at 0.
        max_step: Largest time step (s), or None.
        use_initial: ``uic``: start from the initial conditions, without an operating point.
    """

    step: float
    stop: float
    start: float = 0.0
    max_step: float | None = None
    use_initial: bool = False

    def __post_init__(self):
        if not self.step > 0 or not self.stop > 0:
            raise InputError(f".tran needs a step and a stop above 0 s, not {self.step:g} and {self.stop:g}")
        if not 0 <= self.start < self.stop:
            raise InputError(f".tran starts to report at {self.start:g} s; it must lie from 0 to the stop")
        if self.max_step is not None and not self.max_step > 0:
            raise InputError(f".tran has a largest step of {self.max_step:g} s; it must be above 0")


@dataclass(frozen=True, slots=True)
class Pulse:
    """``PULSE(initial pulsed delay rise fall width period pulses)``: a trapezoid, periodic, for so many pulses if given."""

    initial: float
    pulsed: float
    delay: float = 0.0
    rise: float | None = None
    fall: float | None = None
    width: float | None = None
    period: float | None = None
    pulses: float = 0.0

    def __post_init__(self):
        _not_negative("PULSE", self.delay, self.rise, self.fall, self.width, self.period)
        if self.pulses < 0 or self.pulses != round(self.pulses):
            raise InputError(f"PULSE has {self.pulses:g} as its number of pulses; write a whole number, 0 for no end")

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s), NumPy's or JAX's."""
        xp = namespace(time)
        rise, fall = self.rise or transient.step, self.fall or transient.step
        width, period = self.width or transient.stop, self.period or transient.stop
        phase = time - self.delay
        phase = xp.where(phase > period, phase - period * xp.floor(phase / period), phase)
        corners = np.array([0.0, rise, rise + width, rise + width + fall])
        levels = np.array([self.initial, self.pulsed, self.pulsed, self.initial])
        value = xp.interp(phase, corners, levels)
        if self.pulses:
            value = xp.where(time - self.delay > self.pulses * period, self.initial, value)
        return value

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends."""
        rise, fall = self.rise or transient.step, self.fall or transient.step
        width, period = self.width or transient.stop, self.period or transient.stop
        within = np.array([0.0, rise, rise + width, rise + width + fall])
        count = max(0, np.ceil((transient.stop - self.delay) / period))
        if self.pulses:
            count = min(count, self.pulses)
            within = np.append(within, period)
        starts = self.delay + period * np.arange(count)
        return _until(transient.stop, np.add.outer(starts, within[within <= period]).ravel())

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        return self.initial


@dataclass(frozen=True, slots=True)
class Sine:
    """``SIN(offset amplitude frequency delay damping phase)``: a damped sine; phase in degrees."""

    offset: float
    amplitude: float
    frequency: float | None = None
    delay: float = 0.0
    damping: float = 0.0
    phase: float = 0.0

    def __post_init__(self):
        # A delay below 0 means that the sine runs already; without a frequency, how far would depend on the stop.
        if self.frequency is None or self.frequency == 0:
            _not_negative("SIN", self.delay)

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s), NumPy's or JAX's."""
        return self._law(namespace(time), transient)(time)

    def prepared(self, transient: Transient) -> Callable[[np.ndarray], np.ndarray]:
        """`at` as a function of NumPy's times alone, for a transient that asks for them at every step."""
        return self._law(np, transient)

    def _law(self, xp: Any, transient: Transient) -> Callable[[Any], Any]:
        pulsation, phase = 2 * np.pi * (self.frequency or 1 / transient.stop), np.radians(self.phase)

        def law(time: Any) -> Any:
            since = xp.maximum(time - self.delay, 0.0)
            wave = self.amplitude * xp.sin(pulsation * since + phase)
            return self.offset + (wave * xp.exp(-since * self.damping) if self.damping else wave)

        return law

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends."""
        return _until(transient.stop, np.array([self.delay]))

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        since = max(-self.delay, 0.0)
        angle = 2 * np.pi * (self.frequency or 0.0) * since + np.radians(self.phase)
        return self.offset + self.amplitude * float(np.sin(angle) * np.exp(-since * self.damping))


@dataclass(frozen=True, slots=True)
class Exponential:
    """``EXP(initial pulsed rise_delay rise_constant fall_delay fall_constant)``: up and down exponentially."""

    initial: float
    pulsed: float
    rise_delay: float | None = None
    rise_constant: float | None = None
    fall_delay: float | None = None
    fall_constant: float | None = None

    def __post_init__(self):
        _not_negative("EXP", self.rise_delay, self.rise_constant, self.fall_delay, self.fall_constant)

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s), NumPy's or JAX's."""
        xp = namespace(time)
        rise_delay = self.rise_delay or transient.step
        fall_delay = self.fall_delay or rise_delay + transient.step
        rising = xp.maximum(time - rise_delay, 0.0)
        falling = xp.maximum(time - fall_delay, 0.0)
        up = -xp.expm1(-rising / (self.rise_constant or transient.step))
        down = -xp.expm1(-falling / (self.fall_constant or transient.step))
        return self.initial + (self.pulsed - self.initial) * (up - down)

    def prepared(self, transient: Transient) -> Callable[[np.ndarray], np.ndarray]:
        """As `Sine.prepared`."""
        return partial(self.at, transient=transient)

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends."""
        rise_delay = self.rise_delay or transient.step
        return _until(transient.stop, np.array([rise_delay, self.fall_delay or rise_delay + transient.step]))

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        return self.initial


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """``PWL(t1 v1 t2 v2 ...)``: straight lines between points, constant before the first and after the last."""

    times: tuple[float, ...]
    levels: tuple[float, ...]
    delay: float = 0.0
    """``td=`` [s]: what all happens later."""
    repeat: float | None = None
    """``r=`` [s]: one of the times, from which all is repeated without end."""

    def __post_init__(self):
        for earlier, later in zip(self.times, self.times[1:], strict=False):
            if not earlier < later:
                raise InputError(f"PWL goes from {earlier:g} s to {later:g} s; its times must increase")
        _not_negative("PWL", self.delay, self.repeat)
        if self.repeat is not None and (self.repeat not in self.times or self.repeat == self.times[-1]):
            raise InputError(f"PWL repeats from {self.repeat:g} s; it must be one of its times, but not the last")

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s); ``transient`` has no part in it."""
        xp = namespace(time)
        since = time - self.delay
        if self.repeat is not None:
            end, period = self.times[-1], self.times[-1] - self.repeat
            since = xp.where(since > end, since - period * xp.ceil((since - end) / period), since)
        return xp.interp(since, np.array(self.times), np.array(self.levels))

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends."""
        times = np.array(self.times)
        if self.repeat is not None:
            period = times[-1] - self.repeat
            if transient.stop > _MOST_REPEATS * period:
                raise InputError(f"PWL repeats every {period:g} s up to {transient.stop:g} s: too often; stop earlier")
            rounds = period * np.arange(1, 2 + max(0.0, (transient.stop - self.delay - times[-1]) // period))
            times = np.concatenate([times, np.add.outer(rounds, times[times > self.repeat]).ravel()])
        return _until(transient.stop, times + self.delay)

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        return float(np.interp(-self.delay, self.times, self.levels))


@dataclass(frozen=True, slots=True)
class FrequencyModulated:
    """``SFFM(offset amplitude carrier index signal carrier_phase signal_phase)``: a sine, frequency-modulated by one.

    offset + amplitude sin(2π carrier t + φ_c + index sin(2π signal t + φ_s)); phases in degrees.
    """

    offset: float
    amplitude: float
    carrier: float | None = None
    index: float = 0.0
    signal: float | None = None
    carrier_phase: float = 0.0
    signal_phase: float = 0.0

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s), NumPy's or JAX's."""
        xp = namespace(time)
        signal = 2 * np.pi * (self.signal or 1 / transient.stop) * time + np.radians(self.signal_phase)
        carrier = 2 * np.pi * (self.carrier or 1 / transient.stop) * time + np.radians(self.carrier_phase)
        return self.offset + self.amplitude * xp.sin(carrier + self.index * xp.sin(signal))

    def prepared(self, transient: Transient) -> Callable[[np.ndarray], np.ndarray]:
        """`at` of one transient."""
        return lambda times: self.at(times, transient)

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends: none."""
        return np.zeros(0)

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        angle = np.radians(self.carrier_phase) + self.index * np.sin(np.radians(self.signal_phase))
        return self.offset + self.amplitude * float(np.sin(angle))


@dataclass(frozen=True, slots=True)
class AmplitudeModulated:
    """``AM(amplitude offset modulation carrier delay unused phase)``: a sine whose amplitude another changes, 0 before.

    amplitude (offset + sin(2π modulation (t - delay) + φ)) sin(2π carrier (t - delay) + φ); phase in degrees. ngspice has
    both sines begin at the one phase, and no use for the sixth number.
    """

    amplitude: float
    offset: float
    modulation: float | None = None
    carrier: float = 0.0
    delay: float = 0.0
    unused: float = 0.0
    phase: float = 0.0

    def __post_init__(self):
        _not_negative("AM", self.delay)

    def at(self, time: Values, transient: Transient) -> Values:
        """Value at each of the times (s), NumPy's or JAX's."""
        xp = namespace(time)
        since = 2 * np.pi * (time - self.delay)
        phase = np.radians(self.phase)
        envelope = self.offset + xp.sin((self.modulation or 1 / transient.stop) * since + phase)
        return xp.where(since > 0, self.amplitude * envelope * xp.sin(self.carrier * since + phase), 0.0)

    def prepared(self, transient: Transient) -> Callable[[np.ndarray], np.ndarray]:
        """`at` of one transient."""
        return lambda times: self.at(times, transient)

    def corners(self, transient: Transient) -> np.ndarray:
        """Times (s), up to the stop, at which the waveform bends."""
        return _until(transient.stop, np.array([self.delay]))

    @property
    def at_start(self) -> float:
        """Value at time 0."""
        return 0.0


Waveform = Pulse | Sine | Exponential | PiecewiseLinear | FrequencyModulated | AmplitudeModulated


def fastest(wave: Waveform, transient: Transient) -> float:
    """The highest frequency of a waveform made of sines [Hz], 0 for another: what a time step has to follow."""
    lowest = 1 / transient.stop
    if isinstance(wave, Sine):
        return wave.frequency or lowest
    if isinstance(wave, FrequencyModulated):
        return (wave.carrier or lowest) + abs(wave.index) * (wave.signal or lowest)
    if isinstance(wave, AmplitudeModulated):
        return wave.carrier + (wave.modulation or lowest)
    return 0.0


_FORMS = {
    **{"pulse": (Pulse, 8, 2), "sin": (Sine, 6, 2), "exp": (Exponential, 6, 2)},
    **{"sffm": (FrequencyModulated, 7, 2), "am": (AmplitudeModulated, 7, 1)},
}
"""Class of each shape but PWL, most numbers, and how many of the first are levels."""


def waveform(shape: str, values: list[float], named: dict[str, float], factor: float = 1.0) -> Waveform:
    """The waveform that a source's card spells out.

    Args:
        shape: ``pulse``, ``sin``, ``exp``, ``pwl``, ``sffm`` or ``am``.
        values: The numbers behind it, in order.
        named: ``td`` and ``r`` of a ``pwl``.
        factor: Times which its levels are taken.

    Raises:
        InputError: Too few or too many numbers, or one out of its range.
    """
    if shape == "pwl":
        if len(values) < 2 or len(values) % 2:
            raise InputError(f"PWL has {len(values)} numbers; it takes pairs of a time and a value")
        repeat = named.get("r")
        # As in ngspice, r=-1 means once.
        return PiecewiseLinear(
            tuple(values[::2]),
            tuple(factor * level for level in values[1::2]),
            named.get("td", 0.0),
            None if repeat == -1.0 else repeat,
        )
    if named:
        raise InputError(f"{shape.upper()} takes no {' '.join(named)}; PWL does")
    form, most, levels = _FORMS[shape]
    if not 2 <= len(values) <= most:
        raise InputError(f"{shape.upper()} has {len(values)} numbers; it takes 2 to {most}")
    return form(*(factor * value for value in values[:levels]), *values[levels:])


def _until(stop: float, times: np.ndarray) -> np.ndarray:
    return times[(times > 0) & (times < stop)]


def _not_negative(shape: str, *times: float | None) -> None:
    for time in times:
        if time is not None and time < 0:
            raise InputError(f"{shape} has a time of {time:g} s; its times can't be negative")
