"""SPICE's junction diode at DC: what `D` cards with a `.model … D(…)` stand for in ngspice.

Sources: ngspice manual, section 7.2 (the law and its parameters); Massobrio and Antognetti, Semiconductor Device
Modeling with SPICE, 2nd ed., chapter 1 (temperature). Where the manual is silent ngspice 39's behaviour was taken.
Checked against ngspice 39.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jax import Array, lax
from numpy.typing import ArrayLike

from mho.arrays import namespace
from mho.constants import ROOM_TEMPERATURE, ZERO_CELSIUS
from mho.elements.junction_temperature import saturation_growth
from mho.elements.shockley_diode import LARGEST_CURRENT, bounded_exp, thermal_voltage
from mho.elements.two_terminal import TwoTerminal, bracketed_root
from mho.errors import InputError

_POSITIVE = {
    "saturation_current": "saturation current IS",
    "ideality": "emission coefficient N",
    "breakdown_ideality": "breakdown emission coefficient NBV",
    "nominal_temperature": "nominal temperature TNOM",
    "area": "area",
    "multiplier": "multiplier m",
    "recombination_ideality": "recombination emission coefficient NR",
    "tunnelling_ideality": "tunnelling emission coefficient NTUN",
    "forward_knee": "forward knee current IKF",
    "reverse_knee": "reverse knee current IKR",
}
_NOT_NEGATIVE = {
    "breakdown_current": "breakdown current IBV",
    "series_resistance": "series resistance RS",
    "perimeter": "perimeter PJ",
    "sidewall_current": "sidewall saturation current JSW",
    "recombination_current": "recombination current ISR",
    "grading": "grading coefficient M",
    "tunnelling_current": "tunnelling current JTUN",
    "tunnelling_sidewall_current": "sidewall's tunnelling current JTUNSW",
}
# Stands for "no breakdown" inside the formulae: a finite voltage keeps derivatives free of inf · 0.
_NEVER = 1e9
_LARGE = 600.0
_CUBIC = 3.0 / np.e
# Saturation current [A] from which 1 ulp of exp(u/V) is a current that counts.
_STRONG = 1e-9
# Panels in which a co-content without a closed form is integrated, in thermal voltages from the end that carries most.
_PANELS = np.array([0.0, 3.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1e6])
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class JunctionDiode(TwoTerminal):
    """Junction diodes, anode at the first terminal, with series resistance, breakdown and gmin across the junction.

    With u the voltage across the junction, V = n·V_T and gmin added everywhere, its law is I_S·(exp(u/V) − 1) for
    u ≥ −3V; −I_S·(1 + (3V/(e·u))³) below; and −I_S·exp(−(BV + u)/(n_B·V_T)) for u < −BV. The terminals stand at
    v = u + R_S·i. The co-content is the junction's plus ½·R_S·i². Parameters are those at the diode's temperature and area:
    `from_model` computes them from a SPICE model card.

    What fewer models have costs nothing where no diode of the group has it (None):

    - a sidewall with a saturation current and emission coefficient of its own and the same law;
    - recombination, I_SR·(exp(u/(n_R·V_T)) − 1)·((1 − u/VJ)² + 0.005)^(M/2) for u ≥ −3V. SPICE has none below: the
      current drops by about I_SR there, which the law here shares;
    - tunnelling, I_TUN·(1 − exp(−u/(n_TUN·V_T)));
    - high injection: of the sum i of all these, i/(1 + √(i/I_KF)) for u ≥ −3V and i/(1 + √(−i/I_KR)) below, where i is
      positive and negative.
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
    sidewall_current: Any = None
    """Saturation current [A] of a sidewall with its own emission coefficient."""
    sidewall_ideality: Any = None
    """Its emission coefficient; given with it."""
    recombination_current: Any = None
    """I_SR [A]."""
    recombination_ideality: Any = None
    """n_R; given with it, as the next two are."""
    junction_potential: Any = None
    """VJ [V]."""
    grading: Any = None
    """M."""
    tunnelling_current: Any = None
    """I_TUN [A]."""
    tunnelling_ideality: Any = None
    """n_TUN; given with it."""
    forward_knee: Any = None
    """I_KF [A]; infinite for a diode without."""
    reverse_knee: Any = None
    """I_KR [A]; infinite for a diode without."""
    abrupt: bool = eqx.field(static=True, default=False)
    """Whether the reverse current stands at −I_S below −3V, as in the bulk junctions of SPICE's MOSFETs."""

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
        perimeter: ArrayLike = 0.0,
        sidewall_current: ArrayLike = 0.0,
        sidewall_ideality: ArrayLike = np.nan,
        recombination_current: ArrayLike = 0.0,
        recombination_ideality: ArrayLike = 1.0,
        junction_potential: ArrayLike = 1.0,
        grading: ArrayLike = 0.5,
        tunnelling_current: ArrayLike = 0.0,
        tunnelling_sidewall_current: ArrayLike = 0.0,
        tunnelling_ideality: ArrayLike = 30.0,
        tunnelling_exponent: ArrayLike = 3.0,
        tunnelling_energy_factor: ArrayLike = 1.0,
        forward_knee: ArrayLike = np.inf,
        reverse_knee: ArrayLike = np.inf,
        resistance_coefficient: ArrayLike = 0.0,
        resistance_coefficient_2: ArrayLike = 0.0,
        gmin: float = 1e-12,
        reltol: float = 1e-3,
    ) -> "JunctionDiode":
        """Diodes of a SPICE model at a temperature, with area, perimeter and m; arguments of shape (diodes,) or ().

        Args:
            saturation_current: IS [A] at the nominal temperature.
            ideality: N.
            series_resistance: RS [Ω].
            breakdown_voltage: BV [V], at the diodes' temperature; infinite for none.
            breakdown_current: IBV [A], at BV.
            breakdown_ideality: NBV; N if None.
            activation_energy: EG [eV].
            saturation_exponent: XTI.
            nominal_temperature: TNOM [K].
            temperature: the diodes' own [K].
            area: multiplies IS, ISR, JTUN and the knees, divides RS.
            multiplier: diodes in parallel (m).
            perimeter: PJ; multiplies JSW and JTUNSW.
            sidewall_current: JSW [A].
            sidewall_ideality: NS; NaN where the sidewall conducts as the bottom does.
            recombination_current: ISR [A].
            recombination_ideality: NR.
            junction_potential: VJ [V].
            grading: M, at the diodes' temperature.
            tunnelling_current: JTUN [A].
            tunnelling_sidewall_current: JTUNSW [A].
            tunnelling_ideality: NTUN.
            tunnelling_exponent: XTITUN.
            tunnelling_energy_factor: KEG.
            forward_knee: IKF [A]; infinite for none.
            reverse_knee: IKR [A]; infinite for none.
            resistance_coefficient: TRS1 [1/K]: RS times 1 + TRS1·ΔT + TRS2·ΔT².
            resistance_coefficient_2: TRS2 [1/K²].
            gmin: SPICE's option [S].
            reltol: SPICE's option: how closely the breakdown branch is fitted to IBV.

        Raises:
            InputError: for a parameter out of its range.
        """
        given = {
            name: value for name, value in locals().items() if name not in ("cls", "temperature", "gmin", "reltol")
        }
        if breakdown_ideality is None:
            given["breakdown_ideality"] = ideality
        for name, what in {**_POSITIVE, **_NOT_NEGATIVE}.items():
            value = np.asarray(given[name], np.float64)
            if not np.all(value > 0 if name in _POSITIVE else value >= 0):
                right = "must be positive" if name in _POSITIVE else "must not be negative"
                raise InputError(f"diode {what} = {np.min(value):g}: {right}")
        if not temperature > 0:
            raise InputError(f"diode temperature = {temperature:g}: must be positive")
        arrays = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in given.values()))
        model: dict[str, Any] = dict(zip(given, arrays, strict=True))
        v_t = float(thermal_voltage(temperature))
        nominal, energy, exponent = (
            model["nominal_temperature"],
            model["activation_energy"],
            model["saturation_exponent"],
        )
        size = model["area"] * model["multiplier"]
        edge = model["perimeter"] * model["multiplier"]

        def grown(factor: Any, n: Any, gap: Any = energy, power: Any = exponent) -> Any:
            return factor * saturation_growth(n, gap, power, nominal, temperature)

        n, n_b = model["ideality"], model["breakdown_ideality"]
        apart = np.isfinite(model["sidewall_ideality"])
        # Without an NS of its own SPICE heats the sidewall as if NS were 1.
        n_s = np.where(apart, model["sidewall_ideality"], 1.0)
        sidewall = grown(model["sidewall_current"] * edge, n_s)
        bottom = grown(model["saturation_current"] * size, n)
        tunnelling = grown(
            model["tunnelling_current"] * size + model["tunnelling_sidewall_current"] * edge,
            model["tunnelling_ideality"],
            model["tunnelling_energy_factor"] * energy,
            model["tunnelling_exponent"],
        )
        recombination = grown(model["recombination_current"] * size, model["recombination_ideality"])
        warmer = temperature - nominal
        slope, curvature = model["resistance_coefficient"], model["resistance_coefficient_2"]
        resistance = model["series_resistance"] * (1.0 + slope * warmer + curvature * warmer**2) / size
        if not np.all(resistance >= 0):
            raise InputError(
                f"diode series resistance RS (with TRS1, TRS2) = {np.min(resistance):g} Ω: must not be negative"
            )
        if not np.all(model["breakdown_voltage"] > 0):
            raise InputError(f"diode breakdown voltage BV = {np.min(breakdown_voltage):g}: must be positive")
        optional: dict[str, Any] = {}
        if np.any(apart & (sidewall > 0)):
            optional |= {"sidewall_current": np.where(apart, sidewall, 0.0), "sidewall_ideality": n_s}
        if np.any(recombination > 0):
            optional |= {
                "recombination_current": recombination,
                "recombination_ideality": model["recombination_ideality"].copy(),
                "junction_potential": model["junction_potential"].copy(),
                "grading": model["grading"].copy(),
            }
        if np.any(tunnelling > 0):
            optional |= {
                "tunnelling_current": tunnelling,
                "tunnelling_ideality": model["tunnelling_ideality"].copy(),
            }
        for knee in ("forward_knee", "reverse_knee"):
            if np.any(np.isfinite(model[knee])):
                optional[knee] = model[knee] * size
        # SPICE fits the breakdown to the bottom's saturation current alone.
        fitted = _fitted_breakdown(
            model["breakdown_voltage"], model["breakdown_current"] * model["multiplier"], bottom, n_b * v_t, v_t, reltol
        )
        return cls(
            saturation_current=np.where(apart, bottom, bottom + sidewall),  # pyright: ignore[reportArgumentType]
            ideality=n.copy(),
            series_resistance=resistance if np.any(resistance > 0) else None,
            breakdown_voltage=fitted,
            breakdown_ideality=n_b.copy(),
            temperature=temperature,
            gmin=gmin,
            **optional,
        )

    @classmethod
    def of_transistor(
        cls,
        saturation_current: Any,
        ideality: Any,
        *,
        temperature: float,
        gmin: float,
        leakage: Any = None,
        leakage_ideality: Any = None,
        abrupt: bool = False,
    ) -> "JunctionDiode":
        """Junctions inside transistors: neither breakdown nor series resistance; parameters at their temperature, (n,).

        Args:
            saturation_current: [A].
            ideality: emission coefficient.
            temperature: [K].
            gmin: [S].
            leakage: saturation current [A] of a second exponential; None where no junction has one.
            leakage_ideality: its emission coefficient.
            abrupt: as the field.
        """
        one = np.ones(len(saturation_current))
        leaking = leakage is not None and bool(np.any(leakage > 0))
        plain: Any = (saturation_current, ideality, None, np.inf * one, one)
        return cls(
            *plain,
            temperature=temperature,
            gmin=gmin,
            sidewall_current=leakage if leaking else None,
            sidewall_ideality=leakage_ideality if leaking else None,
            abrupt=abrupt,
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

    def prepared(self) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Without the branches that no diode of the group, or no voltage, reaches."""
        if self._more_than_exponential:
            return super().prepared()
        scale, breakdown, _ = _scales(self)
        saturation, gmin = np.asarray(self.saturation_current), self.gmin
        whole: Any = partial(_law, self)
        steepness, gain, unbroken = 1.0 / scale, saturation / scale, -np.asarray(breakdown)
        strong = bool((saturation > _STRONG).any())
        may_break = bool(np.isfinite(self.breakdown_voltage).any())
        largest, least = np.maximum.reduce, np.minimum.reduce

        def law(junction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            argument = junction * steepness
            if not largest(argument, axis=None, initial=0.0) < _LARGE or (may_break and (junction < unbroken).any()):
                return whole(junction)
            up = np.exp(argument)
            current, slope = saturation * (np.expm1(argument) if strong else up - 1.0), gain * up
            if least(argument, axis=None, initial=0.0) < -3.0:
                reverse = argument < -3.0
                below = np.minimum(argument, -3.0)
                root = _CUBIC / below
                cubic = root * root * root
                current = np.where(reverse, -saturation * (1.0 + cubic), current)
                slope = np.where(reverse, (3.0 * gain) * cubic / below, slope)
            return current + gmin * junction, slope + gmin

        return law

    @property
    def _more_than_exponential(self) -> bool:
        more = (self.series_resistance, self.sidewall_current, self.recombination_current, self.tunnelling_current)
        return self.abrupt or any(p is not None for p in (*more, self.forward_knee, self.reverse_knee))

    def prepared_near(self) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """Without the branches that no diode of the group has."""
        if self._more_than_exponential or np.isfinite(self.breakdown_voltage).any():
            return super().prepared_near()
        scale, inverse = _scales(self)[0], 1.0 / np.asarray(self.saturation_current)

        def near(current: np.ndarray, stand: np.ndarray, drop: np.ndarray) -> np.ndarray:
            forward = scale * np.log1p(np.maximum(current * inverse, 1.0))
            return np.where(drop > stand, np.minimum(np.maximum(forward, stand), drop), drop)

        return near

    def in_range(self, voltage: Array) -> Array:
        """Below `LARGEST_CURRENT`."""
        return namespace(voltage).abs(self.current(voltage)) < LARGEST_CURRENT

    def voltage_near(self, current: Array, stand: Array, drop: Array) -> Array:
        """The law's inverse where the diode conducts or breaks down, gmin's current left out; elsewhere `drop`."""
        xp = namespace(current, stand, self.saturation_current)
        forward, reverse = _inverse(self, current)
        broken = current < -self.saturation_current
        downwards = xp.where(broken, xp.clip(reverse, drop, stand), drop)
        return xp.where(drop > stand, xp.clip(forward, stand, drop), downwards)

    def voltage_past(self, current: Array, stand: Array, drop: Array) -> Array:
        """The law's inverse where a conducting or broken diode is to carry less of the same sign."""
        xp = namespace(current, stand, self.saturation_current)
        forward, reverse = _inverse(self, current)
        breakdown, saturation = _scales(self)[1], self.saturation_current
        falling = (drop < stand) & (current > saturation) & (drop > 0)
        rising = (drop > stand) & (current < -saturation) & (drop < -breakdown)
        return xp.where(falling, xp.minimum(forward, drop), xp.where(rising, xp.maximum(reverse, drop), drop))

    def co_content(self, voltage: Array) -> Array:
        """The junction's co-content and ½·R_S·i².

        Where currents recombine or meet a knee by 24-point Gauss-Legendre quadrature of panels that grow with their
        distance from the voltage, in thermal voltages: accurate to about 1e-12.
        """
        junction, current, _ = _junction(self, voltage)
        if self.recombination_current is None and self.forward_knee is None and self.reverse_knee is None:
            content = _co_content(self, junction)
        else:
            content = _integrated(self, junction)
        total = content + 0.5 * self.gmin * junction**2
        return total if self.series_resistance is None else total + 0.5 * self.series_resistance * current**2

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE diode whose model is given at the diode's own temperature; SPICE adds its own gmin.

        Raises:
            NotImplementedError: for what fewer models have: sidewalls, recombination, tunnelling, high injection.
        """
        more = (self.sidewall_current, self.recombination_current, self.tunnelling_current, self.forward_knee)
        if self.abrupt or any(p is not None for p in (*more, self.reverse_knee)):
            raise NotImplementedError(
                "JunctionDiode with a sidewall, recombination, tunnelling or high injection defines no SPICE card"
            )
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
            f"D{name} {node} {reference} {model} temp={self.temperature - ZERO_CELSIUS:.17g}",
            f".model {model} D({text})",
        ]


def _scales(diode: JunctionDiode) -> tuple[Array, Array, Array]:
    """n·V_T, BV (finite) and n_B·V_T [V]."""
    v_t = thermal_voltage(diode.temperature)
    xp = namespace(diode.breakdown_voltage)
    bounded = xp.where(xp.isfinite(diode.breakdown_voltage), diode.breakdown_voltage, _NEVER)
    return diode.ideality * v_t, bounded, diode.breakdown_ideality * v_t


def _inverse(diode: JunctionDiode, current: Array) -> tuple[Array, Array]:
    """The terminals' voltages at which a diode carries a current forwards and in breakdown, gmin's left out.

    Of several exponentials that share the current, it is the least voltage that one of them alone would need.
    """
    scale, breakdown, breakdown_scale = _scales(diode)
    xp = namespace(current, scale)
    v_t = thermal_voltage(diode.temperature)
    up = _above_knee(xp.maximum(current, 0.0), diode.forward_knee)
    down = _above_knee(xp.maximum(-current, 0.0), diode.reverse_knee)
    forward = scale * xp.log1p(xp.maximum(up / diode.saturation_current, 1.0))
    for more, n in (
        (diode.sidewall_current, diode.sidewall_ideality),
        (diode.recombination_current, diode.recombination_ideality),
    ):
        if more is not None:
            alone = n * v_t * xp.log1p(up / xp.where(more > 0, more, 1.0))
            forward = xp.where(more > 0, xp.minimum(forward, alone), forward)
    reverse = -breakdown - breakdown_scale * xp.log(xp.maximum(down / diode.saturation_current, 1.0))
    if diode.tunnelling_current is not None:
        more = diode.tunnelling_current
        alone = -diode.tunnelling_ideality * v_t * xp.log1p(down / xp.where(more > 0, more, 1.0))
        reverse = xp.where(more > 0, xp.maximum(reverse, alone), reverse)
    series = 0.0 if diode.series_resistance is None else diode.series_resistance * current
    return forward + series, reverse + series


def _above_knee(current: Any, knee: Any) -> Any:
    """The current [A] that high injection leaves so much of: the inverse of i/(1 + √(i/I_K)), for i ≥ 0."""
    if knee is None:
        return current
    share = current / knee
    root = 0.5 * (share + namespace(share).sqrt(share * (share + 4.0)))
    return current * (1.0 + root)


def _junction(diode: JunctionDiode, voltage: Array) -> tuple[Array, Array, Array]:
    """The voltage across the junction, behind the series resistance, and current and slope there."""
    if diode.series_resistance is None:
        return voltage, *_law(diode, voltage)
    scale, breakdown, breakdown_scale = _scales(diode)
    saturation = diode.saturation_current
    xp = namespace(diode.series_resistance, voltage)
    resistance = xp.broadcast_to(diode.series_resistance, voltage.shape)

    def excess(junction: Array) -> tuple[Array, Array]:
        current, slope = _law(diode, junction)
        return junction + resistance * current - voltage, 1.0 + resistance * slope

    # Start where the series resistance alone, or the junction alone, would take the whole voltage: the law is
    # convex (in breakdown concave) from there to the root, and Newton's method does not overshoot.
    whole = xp.abs(voltage) / xp.maximum(resistance, np.finfo(voltage.dtype).tiny)
    forward = xp.minimum(voltage, scale * xp.log1p(_above_knee(whole, diode.forward_knee) / saturation + 1.0))
    load = saturation * xp.maximum(resistance, np.finfo(voltage.dtype).tiny)
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
    return root, *_law(diode, root)


def _regions(junction: Array, scales: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """Where the exponential holds, and where the breakdown branch."""
    forward = junction >= -3.0 * scales[0]
    return forward, ~forward & (junction < -scales[1])


def _cubic(junction: Array, scale: Array) -> tuple[Array, Array]:
    """(3V/(e·u))³ and u, both kept off 0, for use below −3V only."""
    below = namespace(junction, scale).minimum(junction, -3.0 * scale)
    return (3.0 * scale / (below * np.e)) ** 3, below


def _law(diode: JunctionDiode, junction: Array) -> tuple[Array, Array]:
    """Current and slope at a junction voltage."""
    scales = _scales(diode)
    current, slope = _pure_law(junction, diode.saturation_current, scales, abrupt=diode.abrupt)
    v_t = thermal_voltage(diode.temperature)
    if diode.sidewall_current is not None:
        edge, edge_slope = _pure_law(
            junction, diode.sidewall_current, (diode.sidewall_ideality * v_t, *scales[1:]), abrupt=False
        )
        current, slope = current + edge, slope + edge_slope
    if diode.recombination_current is not None:
        more, steeper = _recombination(diode, junction, v_t)
        xp = namespace(junction, more)
        forward = junction >= -3.0 * scales[0]
        current, slope = current + xp.where(forward, more, 0.0), slope + xp.where(forward, steeper, 0.0)
    if diode.tunnelling_current is not None:
        through = diode.tunnelling_ideality * v_t
        down = bounded_exp(-junction / through)
        current = current - diode.tunnelling_current * (down - 1.0)
        slope = slope + diode.tunnelling_current * down / through
    if diode.forward_knee is not None or diode.reverse_knee is not None:
        forward = junction >= -3.0 * scales[0]
        current, slope = _high_injection(diode, current, slope, forward)
    return current + diode.gmin * junction, slope + diode.gmin


def _pure_law(junction: Array, saturation: Array, scales: tuple, *, abrupt: bool) -> tuple[Array, Array]:
    """Current and slope of one exponential, with its reverse and breakdown branches."""
    scale, breakdown, breakdown_scale = scales
    xp = namespace(junction, scale)
    forward, broken = _regions(junction, scales)
    argument = junction / scale
    up = bounded_exp(argument)
    # Near 0 V a strong diode's current is a small difference.
    rise = xp.where(argument < 1.0, xp.expm1(xp.clip(argument, -3.0, 1.0)), up - 1.0)
    if abrupt:
        return saturation * xp.where(forward, rise, -1.0), saturation * xp.where(forward, up / scale, 0.0)
    down = bounded_exp(-(breakdown + junction) / breakdown_scale)
    cubic, below = _cubic(junction, scale)
    current = xp.where(forward, rise, xp.where(broken, -down, -(1.0 + cubic)))
    slope = xp.where(forward, up / scale, xp.where(broken, down / breakdown_scale, 3.0 * cubic / below))
    return saturation * current, saturation * slope


def exponential_law(junction: Any, saturation: Any, scale: Any) -> tuple[Any, Any]:
    """Current [A] and slope [S] of a junction of a scale n·V_T [V], as diodes without breakdown have them, gmin left out."""
    return _pure_law(junction, saturation, (scale, _NEVER, scale), abrupt=False)


def _recombination(diode: JunctionDiode, junction: Array, v_t: Any) -> tuple[Array, Array]:
    """Current and slope of the recombination in the depletion layer, where SPICE has it."""
    scale = diode.recombination_ideality * v_t
    up = bounded_exp(junction / scale)
    depletion = 1.0 - junction / diode.junction_potential
    width = depletion**2 + 0.005
    half = 0.5 * diode.grading
    factor = width**half
    narrowing = -diode.grading / diode.junction_potential * depletion * width ** (half - 1.0)
    current = diode.recombination_current * (up - 1.0)
    return current * factor, diode.recombination_current * up / scale * factor + current * narrowing


def _high_injection(diode: JunctionDiode, current: Array, slope: Array, forward: Array) -> tuple[Array, Array]:
    """Current and slope beyond the knees."""
    xp = namespace(current)
    for knee, where in ((diode.forward_knee, forward & (current > 0)), (diode.reverse_knee, ~forward & (current < 0))):
        if knee is not None:
            # Off 0, where the root has no derivative and nothing is left of it.
            root = xp.where(where, xp.sqrt(xp.where(where, xp.abs(current) / knee, 1.0)), 0.0)
            current, slope = current / (1.0 + root), slope * ((1.0 + 0.5 * root) / (1.0 + root) / (1.0 + root))
    return current, slope


def _co_content(diode: JunctionDiode, junction: Array) -> Array:
    """The co-content of exponentials, in closed form, gmin's left out."""
    scales = _scales(diode)
    content = diode.saturation_current * _pure_co_content(junction, scales, abrupt=diode.abrupt)
    v_t = thermal_voltage(diode.temperature)
    if diode.sidewall_current is not None:
        edge = _pure_co_content(junction, (diode.sidewall_ideality * v_t, *scales[1:]), abrupt=False)
        content = content + diode.sidewall_current * edge
    if diode.tunnelling_current is not None:
        through = diode.tunnelling_ideality * v_t
        down = bounded_exp(-junction / through)
        content = content + diode.tunnelling_current * (through * (down - 1.0) + junction)
    return content


def _pure_co_content(junction: Array, scales: tuple, *, abrupt: bool) -> Array:
    """The integral of `_pure_law`'s current over the saturation current [V]."""
    scale, breakdown, breakdown_scale = scales
    xp = namespace(junction, scale)
    forward, broken = _regions(junction, scales)
    edge = -3.0 * scale
    exponential = scale * (bounded_exp(junction / scale) - 1.0) - junction
    to_edge = scale * (np.exp(-3.0) - 1.0) - edge
    if abrupt:
        return xp.where(forward, exponential, to_edge + edge - junction)
    cubic, below = _cubic(xp.maximum(junction, -breakdown), scale)
    reverse = to_edge - (below - edge) + 0.5 * (cubic * below + edge * np.exp(-3.0))
    rest = breakdown_scale * (bounded_exp(-(breakdown + junction) / breakdown_scale) - 1.0)
    return xp.where(forward, exponential, xp.where(broken, reverse + rest, reverse))


def _integrated(diode: JunctionDiode, junction: Array) -> Array:
    """The integral of the law's current from 0 V, gmin's left out, region by region."""
    scale, breakdown, breakdown_scale = _scales(diode)
    xp = namespace(junction, scale)
    edge = -3.0 * scale
    reverse = xp.minimum(edge, xp.maximum(junction, -breakdown))
    ends = (
        (0.0 * junction, xp.maximum(junction, edge), scale),
        (edge + 0.0 * junction, reverse, scale),
        (reverse, xp.minimum(junction, reverse), breakdown_scale),
    )
    # Panels and points in front of the junctions' own axes.
    apart = (-1, 1, *(1 for _ in junction.shape))
    near, far = _PANELS[:-1].reshape(apart), _PANELS[1:].reshape(apart)
    points, weights = (a.reshape(apart[1:2] + apart[:1] + apart[2:]) for a in (_POINTS, _WEIGHTS))
    total = 0.0 * junction
    for begin, end, unit in ends:
        span = xp.abs(end - begin)
        first, last = xp.minimum(near * unit, span), xp.minimum(far * unit, span)
        place = end - xp.sign(end - begin) * (0.5 * (first + last) + 0.5 * (last - first) * points)
        current = _law(diode, place)[0] - diode.gmin * place
        total = total + xp.sign(end - begin) * (0.5 * (last - first) * weights * current).sum((0, 1))
    return total


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
