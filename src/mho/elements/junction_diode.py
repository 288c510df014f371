"""SPICE's junction diode at DC: what `D` cards with a `.model … D(…)` stand for in ngspice.

Sources: ngspice manual, section 7.2 (the law and its parameters); Massobrio and Antognetti, Semiconductor Device
Modeling with SPICE, 2nd ed., chapter 1 (temperature). Checked against ngspice 39.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jax import Array, lax
from numpy.typing import ArrayLike

from mho.arrays import namespace
from mho.elements.shockley_diode import LARGEST_CURRENT, ROOM_TEMPERATURE, bounded_exp, thermal_voltage
from mho.elements.two_terminal import TwoTerminal, bracketed_root
from mho.errors import InputError

_ZERO_CELSIUS = 273.15
# Stands for "no breakdown" inside the formulae: a finite voltage keeps derivatives free of inf · 0.
_NEVER = 1e9


class JunctionDiode(TwoTerminal):
    """Junction diodes, anode at the first terminal, with series resistance, breakdown and gmin across the junction.

    With u the voltage across the junction, V = n·V_T and gmin added everywhere, its law is I_S·(exp(u/V) − 1) for
    u ≥ −3V; −I_S·(1 + (3V/(e·u))³) below; and −I_S·exp(−(BV + u)/(n_B·V_T)) for u < −BV. The terminals stand at
    v = u + R_S·i. The co-content is the junction's plus ½·R_S·i². Parameters are those at the diode's temperature and area:
    `from_model` computes them from a SPICE model card.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {
        "saturation_current": (1e-30, 1.0),
        "ideality": (0.1, 100.0),
        "series_resistance": (0.0, float("inf")),
        "breakdown_voltage": (0.1, float("inf")),
        "breakdown_ideality": (0.1, 100.0),
    }

    saturation_current: Array
    """I_S [A]."""
    ideality: Array
    """Emission coefficient n."""
    series_resistance: Array | None
    """R_S [Ω]; None where no diode has any, which spares the solution for the junction's voltage."""
    breakdown_voltage: Array
    """BV [V], positive; infinite for none."""
    breakdown_ideality: Array
    """n_B."""
    temperature: float = eqx.field(static=True, default=ROOM_TEMPERATURE)
    """K."""
    gmin: float = eqx.field(static=True, default=1e-12)
    """Conductance across the junction [S]."""

    @classmethod
    def from_model(
        cls,
        *,
        saturation_current: ArrayLike = 1e-14,
        ideality: ArrayLike = 1.0,
        series_resistance: ArrayLike = 0.0,
        breakdown_voltage: ArrayLike = np.inf,
        breakdown_current: ArrayLike = 1e-3,
        breakdown_ideality: ArrayLike | None = None,
        activation_energy: ArrayLike = 1.11,
        saturation_exponent: ArrayLike = 3.0,
        nominal_temperature: ArrayLike = ROOM_TEMPERATURE,
        temperature: float = ROOM_TEMPERATURE,
        area: ArrayLike = 1.0,
        multiplier: ArrayLike = 1.0,
        gmin: float = 1e-12,
        reltol: float = 1e-3,
    ) -> "JunctionDiode":
        """Diodes of a SPICE model: IS, N, RS, BV, IBV, NBV, EG, XTI and TNOM, at a temperature, with area and m.

        Args:
            saturation_current: IS [A] at the nominal temperature.
            ideality: N.
            series_resistance: RS [Ω].
            breakdown_voltage: BV [V]; infinite for none.
            breakdown_current: IBV [A], at BV.
            breakdown_ideality: NBV; N if None.
            activation_energy: EG [eV].
            saturation_exponent: XTI.
            nominal_temperature: TNOM [K].
            temperature: the diodes' own [K].
            area: multiplies IS, divides RS.
            multiplier: diodes in parallel (m).
            gmin: SPICE's option [S].
            reltol: SPICE's option: how closely the breakdown branch is fitted to IBV.

        Raises:
            InputError: for a parameter out of its range.
        """
        given = {
            "saturation current IS": saturation_current,
            "emission coefficient N": ideality,
            "breakdown voltage BV": breakdown_voltage,
            "breakdown current IBV": breakdown_current,
            "nominal temperature TNOM": nominal_temperature,
            "temperature": temperature,
            "area": area,
            "multiplier m": multiplier,
        }
        for name, value in given.items():
            if not np.all(np.asarray(value, np.float64) > 0):
                raise InputError(f"diode {name} = {np.min(value):g}: must be positive")
        if not np.all(np.asarray(series_resistance) >= 0):
            raise InputError(f"diode series resistance RS = {np.min(series_resistance):g} Ω: must not be negative")
        parameters = (
            saturation_current,
            ideality,
            series_resistance,
            breakdown_voltage,
            breakdown_current,
            ideality if breakdown_ideality is None else breakdown_ideality,
            activation_energy,
            saturation_exponent,
            nominal_temperature,
            area,
            multiplier,
        )
        arrays: Any = np.broadcast_arrays(*(np.asarray(p, np.float64) for p in parameters))
        current, n, resistance, breakdown, at_breakdown, n_b, energy, exponent, nominal, size, times = arrays
        v_t = float(thermal_voltage(temperature))
        ratio = temperature / nominal
        heated: Any = current * size * times * np.exp((ratio - 1.0) * energy / (n * v_t) + exponent / n * np.log(ratio))
        return cls(
            saturation_current=heated,  # pyright: ignore[reportArgumentType]
            ideality=n.copy(),  # pyright: ignore[reportArgumentType]
            series_resistance=resistance / (size * times) if np.any(resistance > 0) else None,  # pyright: ignore[reportArgumentType]
            breakdown_voltage=_fitted_breakdown(breakdown, at_breakdown * times, heated, n_b * v_t, v_t, reltol),  # pyright: ignore[reportArgumentType]
            breakdown_ideality=n_b.copy(),  # pyright: ignore[reportArgumentType]
            temperature=temperature,
            gmin=gmin,
        )

    def junction_voltage(self, voltage: Array) -> Array:
        """The voltage across the junction [V], behind the series resistance."""
        return _junction(self, voltage)[0]

    def current(self, voltage: Array) -> Array:
        """The law at the terminals."""
        return _junction(self, voltage)[1]

    def slope(self, voltage: Array) -> Array:
        """di/dv, the series resistance included."""
        return self.tangent(voltage)[1]

    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        """Both at once: the junction's voltage is to be found but once."""
        _, current, slope = _junction(self, voltage)
        return current, slope if self.series_resistance is None else slope / (1.0 + self.series_resistance * slope)

    def in_range(self, voltage: Array) -> Array:
        """Below `LARGEST_CURRENT`."""
        return namespace(voltage).abs(self.current(voltage)) < LARGEST_CURRENT

    def voltage_near(self, current: Array, stand: Array, drop: Array) -> Array:
        """The law's inverse where the diode conducts or breaks down, gmin's current left out; elsewhere `drop`."""
        scale, breakdown, breakdown_scale = _scales(self)
        xp = namespace(current, stand, scale)
        multiple = current / self.saturation_current
        forward = scale * xp.log1p(xp.maximum(multiple, 1.0))
        reverse = -breakdown - breakdown_scale * xp.log(xp.maximum(-multiple, 1.0))
        series = 0.0 if self.series_resistance is None else self.series_resistance * current
        upwards = xp.clip(forward + series, stand, drop)
        downwards = xp.where(multiple < -1.0, xp.clip(reverse + series, drop, stand), drop)
        return xp.where(drop > stand, upwards, downwards)

    def voltage_past(self, current: Array, stand: Array, drop: Array) -> Array:
        """The law's inverse where a conducting or broken diode is to carry less of the same sign."""
        scale, breakdown, breakdown_scale = _scales(self)
        xp = namespace(current, stand, scale)
        multiple = current / self.saturation_current
        series = 0.0 if self.series_resistance is None else self.series_resistance * current
        forward = scale * xp.log1p(xp.maximum(multiple, 1.0)) + series
        reverse = -breakdown - breakdown_scale * xp.log(xp.maximum(-multiple, 1.0)) + series
        falling = (drop < stand) & (multiple > 1.0) & (drop > 0)
        rising = (drop > stand) & (multiple < -1.0) & (drop < -breakdown)
        return xp.where(falling, xp.minimum(forward, drop), xp.where(rising, xp.maximum(reverse, drop), drop))

    def co_content(self, voltage: Array) -> Array:
        """The junction's co-content and ½·R_S·i²."""
        scales = _scales(self)
        scale, breakdown, breakdown_scale = scales
        junction, current, _ = _junction(self, voltage)
        xp = namespace(junction, scale)
        forward, broken = _regions(junction, scales)
        edge = -3.0 * scale
        exponential = scale * (bounded_exp(junction / scale) - 1.0) - junction
        cubic, below = _cubic(xp.maximum(junction, -breakdown), scale)
        to_edge = scale * (np.exp(-3.0) - 1.0) - edge
        reverse = to_edge - (below - edge) + 0.5 * (cubic * below + edge * np.exp(-3.0))
        rest = breakdown_scale * (bounded_exp(-(breakdown + junction) / breakdown_scale) - 1.0)
        content = xp.where(forward, exponential, xp.where(broken, reverse + rest, reverse))
        total = self.saturation_current * content + 0.5 * self.gmin * junction**2
        return total if self.series_resistance is None else total + 0.5 * self.series_resistance * current**2

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE diode whose model is given at the diode's own temperature; SPICE adds its own gmin."""
        i = index or 0
        saturation, ideality, resistance, breakdown, breakdown_ideality = (
            float(np.asarray(p, np.float64).reshape(-1)[i % np.size(p)])
            for p in (
                self.saturation_current,
                self.ideality,
                0.0 if self.series_resistance is None else self.series_resistance,
                self.breakdown_voltage,
                self.breakdown_ideality,
            )
        )
        model = f"MD{name}"
        text = f"IS={saturation:.17g} N={ideality:.17g} RS={resistance:.17g} EG=0 XTI=0"
        if np.isfinite(breakdown):
            # With an IBV below IS·BV/V_T SPICE takes BV as it stands.
            text += f" BV={breakdown:.17g} IBV={saturation * 1e-3:.17g} NBV={breakdown_ideality:.17g}"
        return [
            f"D{name} {node} {reference} {model} temp={self.temperature - _ZERO_CELSIUS:.17g}",
            f".model {model} D({text})",
        ]


def _scales(diode: JunctionDiode) -> tuple[Array, Array, Array]:
    """n·V_T, BV (finite) and n_B·V_T [V]."""
    v_t = thermal_voltage(diode.temperature)
    xp = namespace(diode.breakdown_voltage)
    bounded = xp.where(xp.isfinite(diode.breakdown_voltage), diode.breakdown_voltage, _NEVER)
    return diode.ideality * v_t, bounded, diode.breakdown_ideality * v_t


def _junction(diode: JunctionDiode, voltage: Array) -> tuple[Array, Array, Array]:
    """The voltage across the junction, behind the series resistance, and current and slope there."""
    scales = _scales(diode)
    saturation, gmin = diode.saturation_current, diode.gmin
    if diode.series_resistance is None:
        return voltage, *_law(voltage, saturation, scales, gmin)
    scale, breakdown, breakdown_scale = scales
    xp = namespace(diode.series_resistance, voltage)
    resistance = xp.broadcast_to(diode.series_resistance, voltage.shape)

    def excess(junction: Array) -> tuple[Array, Array]:
        current, slope = _law(junction, saturation, scales, gmin)
        return junction + resistance * current - voltage, 1.0 + resistance * slope

    # Start where the series resistance alone, or the junction alone, would take the whole voltage: the law is
    # convex (in breakdown concave) from there to the root, and Newton's method does not overshoot.
    load = saturation * xp.maximum(resistance, np.finfo(voltage.dtype).tiny)
    forward = xp.minimum(voltage, scale * xp.log1p(xp.maximum(voltage, 0.0) / load + 1.0))
    surplus = xp.maximum(-voltage - breakdown, 0.0)
    reverse = xp.maximum(voltage, -breakdown - breakdown_scale * xp.log1p(surplus / load + 1.0))
    start = xp.where(voltage >= 0, forward, reverse)
    low, high = xp.minimum(voltage, 0.0), xp.maximum(voltage, 0.0)
    root = bracketed_root(excess, low, high, start)
    if xp is not np:
        # One more step, outside the loop: the root's derivatives by whatever the diode depends on.
        root = lax.stop_gradient(root)
        value, slope = excess(root)
        root = root - value / lax.stop_gradient(slope)
    return root, *_law(root, saturation, scales, gmin)


def _regions(junction: Array, scales: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """Where the exponential holds, and where the breakdown branch."""
    forward = junction >= -3.0 * scales[0]
    return forward, ~forward & (junction < -scales[1])


def _cubic(junction: Array, scale: Array) -> tuple[Array, Array]:
    """(3V/(e·u))³ and u, both kept off 0, for use below −3V only."""
    below = namespace(junction, scale).minimum(junction, -3.0 * scale)
    return (3.0 * scale / (below * np.e)) ** 3, below


def _law(junction: Array, saturation: Array, scales: tuple[Array, Array, Array], gmin: float) -> tuple[Array, Array]:
    """Current and slope at a junction voltage."""
    scale, breakdown, breakdown_scale = scales
    xp = namespace(junction, scale)
    forward, broken = _regions(junction, scales)
    up = bounded_exp(junction / scale)
    down = bounded_exp(-(breakdown + junction) / breakdown_scale)
    cubic, below = _cubic(junction, scale)
    current = xp.where(forward, up - 1.0, xp.where(broken, -down, -(1.0 + cubic)))
    slope = xp.where(forward, up / scale, xp.where(broken, down / breakdown_scale, 3.0 * cubic / below))
    return saturation * current + gmin * junction, saturation * slope + gmin


def _fitted_breakdown(
    breakdown: np.ndarray,
    at_breakdown: np.ndarray,
    saturation: np.ndarray,
    scale: np.ndarray,
    thermal: float,
    reltol: float,
) -> Any:
    """Where the breakdown branch must begin for the current at BV to be IBV, to SPICE's relative tolerance.

    SPICE's fixed-point iteration, stopped where SPICE stops it: its first guesses are within reltol of IBV, not of the
    fixed point, and an exponential shows the difference.
    """
    given = np.isfinite(breakdown)
    target = np.where(given, breakdown, 1.0)
    fitted = at_breakdown < saturation * target / thermal
    start = target - scale * np.log1p(at_breakdown / saturation)
    shifted = np.where(fitted, target, start)
    for _ in range(25):
        argument = np.where(fitted, 1.0, at_breakdown / saturation + 1.0 - shifted / thermal)
        shifted = np.where(fitted, shifted, target - scale * np.log(argument))
        reached = saturation * (np.exp((target - shifted) / scale) - 1.0 + shifted / thermal)
        fitted = fitted | (np.abs(reached - at_breakdown) <= reltol * at_breakdown)
    return np.where(given, shifted, np.inf)
