"""Shockley diode, single or as an antiparallel pair, each in series with a bias voltage source."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mho.arrays import namespace
from mho.constants import BOLTZMANN, ELEMENTARY_CHARGE, ROOM_TEMPERATURE, ZERO_CELSIUS
from mho.elements.two_terminal import TwoTerminal, bracketed_root, entry, newton_root

LARGEST_CURRENT = 1e12
"""No junction carries more [A]: an operating point with such a current is none."""


def thermal_voltage(temperature: Array | float) -> Array | float:
    """k T / q [V] at a temperature in kelvin."""
    return BOLTZMANN / ELEMENTARY_CHARGE * temperature


def bounded_exp(x: Array) -> Array:
    """exp(x), continued by its tangent where it would overflow the array's precision.

    The tangent begins at 80 (float32) or 700 (float64), a current of 1e34 times the saturation current: no operating
    point lies there, but a first guess may. It keeps the law increasing and the energy convex.
    """
    xp = namespace(x)
    limit = 80.0 if x.dtype == np.float32 else 700.0
    bounded = xp.exp(xp.minimum(x, limit))
    return bounded * (1.0 + xp.maximum(x - limit, 0.0))


_STEPS = {"float32": 2, "float64": 4}
"""Of Newton's method a visit: what measured fastest."""


def _diode_root(excess: Callable[[Array], tuple[Array, Array]], bound: Array, last: Array, scale: Array) -> Array:
    # The root lies between 0 V and the conduction bound. A few steps from the node's last voltage, or from the bound if that
    # lies outside: exact once the neighbours have settled, and while those still move more would be lost. A step that
    # leaves the bracket is cut back at the end. Whatever is left shows in the steady state's residual, which is the law's
    # own residual. In float64, where no circuit may be too hard, nodes that are not yet where Newton's method squares the
    # error, within a part of the thermal voltage, are solved to rounding.
    side = jnp.sign(bound)

    def kept(root: Array, outside: Array) -> Array:
        return jnp.where((jnp.sign(root) == side) & (jnp.abs(root) <= jnp.abs(bound)), root, outside)

    begin, steps = kept(last, bound), _STEPS[bound.dtype.name]
    if bound.dtype == jnp.float32:
        root = newton_root(excess, begin, steps=steps)
        return kept(root, jnp.where(side * root <= 0.0, side * jnp.finfo(bound.dtype).tiny, bound))
    before = newton_root(excess, begin, steps=steps - 1)
    root = newton_root(excess, before, steps=1)
    near = (jnp.abs(root - before) <= 0.1 * scale) & (kept(root, begin) == root)
    low, high = jnp.minimum(bound, 0.0), jnp.maximum(bound, 0.0)
    return lax.cond(jnp.all(near), lambda: root, lambda: bracketed_root(excess, low, high, begin, scale))


class ShockleyDiode(TwoTerminal):
    """Shockley diodes, each in series with a bias voltage source.

    Law i = s·I_S·(exp((s·v − V_b) / (n·V_T)) − 1); co-content I_S·(n·V_T·(exp((s·v − V_b)/(n·V_T)) − exp(−V_b/(n·V_T)))
    − s·v); di/dv = I_S/(n·V_T)·exp((s·v − V_b)/(n·V_T)). Polarity s = +1 has its anode at the first terminal. Source:
    Shockley 1949; Kendall et al. 2020, section 4 (the bias sources).

    SPICE's diode has the same forward law; below v = −3·n·V_T it approaches −I_S as a cubic instead of an exponential
    (ngspice manual, section 7.2), which differs from this law by at most 0.0041·I_S, and it adds gmin across
    the junction.
    """

    # Far beyond any diode's on either side, and well within float32.
    domain: ClassVar[Mapping[str, tuple[float, float]]] = {"saturation_current": (1e-30, 1.0), "ideality": (0.1, 100.0)}

    saturation_current: Array
    """I_S [A]."""
    ideality: Array
    """Emission coefficient n."""
    bias: Array
    """Voltage of the series source [V]; the diode conducts where s·v exceeds it by the diode's own drop."""
    polarity: Array
    """+1 or −1."""
    temperature: float = eqx.field(static=True, default=ROOM_TEMPERATURE)
    """K."""

    @property
    def _scale(self) -> Array:
        return self.ideality * thermal_voltage(self.temperature)

    @property
    def _steepness(self) -> Array:
        # A factor, where a divisor would cost as much as the exponential.
        return 1.0 / self._scale

    def _exponential(self, voltage: Array) -> Array:
        return self.saturation_current * bounded_exp((self.polarity * voltage - self.bias) * self._steepness)

    def current(self, voltage: Array) -> Array:
        """Shockley's law."""
        return self.polarity * (self._exponential(voltage) - self.saturation_current)

    def slope(self, voltage: Array) -> Array:
        """di/dv."""
        return self._exponential(voltage) * self._steepness

    def co_content(self, voltage: Array) -> Array:
        """The integral of the law from 0 V."""
        rise = self._exponential(voltage) - self._exponential(namespace(voltage).zeros_like(voltage))
        return self._scale * rise - self.saturation_current * self.polarity * voltage

    def change(self, voltage: Array, deviation: Array) -> Array:
        """exp(x)·(exp(dx) − 1), within the range of the exponential."""
        rise = self.polarity * deviation * self._steepness
        near = self._exponential(voltage) * jnp.expm1(jnp.minimum(rise, 1.0))
        return self.polarity * jnp.where(
            rise < 1.0, near, self._exponential(voltage + deviation) - self._exponential(voltage)
        )

    @property
    def exact(self) -> bool:
        """A few steps at a time."""
        return False

    def in_range(self, voltage: Array) -> Array:
        """Below `LARGEST_CURRENT`."""
        return namespace(voltage).abs(self.current(voltage)) < LARGEST_CURRENT

    def conduction_bound(self, conductance: Array, current: Array) -> Array:
        """A bound on |v| of the node equation on the conducting side.

        `current` ≥ 0 is the net current into the node at 0 V. Either all of it flows through the conductance or all
        through the diode: the lesser voltage of the two. A little more than that, for rounding.
        """
        at_rest = self._exponential(jnp.zeros((), current.dtype))
        rise = self._scale * jnp.log((current + at_rest) * (1.0 / self.saturation_current))
        slack = 8 * jnp.finfo(current.dtype).eps * (jnp.abs(self.bias) + jnp.abs(rise))
        return jnp.minimum(current / conductance, jnp.maximum(self.bias + rise + slack, 0.0))

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Steps of Newton's method, first from the conduction bound or, on the reverse side, from all the current's."""
        sign = self.polarity
        net = sign * (current - self.current(jnp.zeros((), current.dtype)))
        forward = self.conduction_bound(conductance, jnp.maximum(net, 0.0))
        return sign * _diode_root(
            lambda u: (
                conductance * u + sign * (self.current(sign * u) - current),
                conductance + self.slope(sign * u),
            ),
            jnp.where(net >= 0, forward, net / conductance),
            sign * start,
            self._scale,
        )

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """SPICE diode in series with its bias source."""
        saturation, ideality, bias, polarity = (
            entry(p, index) for p in (self.saturation_current, self.ideality, self.bias, self.polarity)
        )
        # TNOM is the device's own temperature: SPICE would rescale IS from any other.
        celsius = f"{self.temperature - ZERO_CELSIUS:.17g}"
        inner, model = f"{name}_b", f"MD{name}"
        terminals = f"{node} {inner}" if polarity > 0 else f"{inner} {node}"
        return [
            f"D{name} {terminals} {model} temp={celsius}",
            f"VD{name} {inner} {reference} {polarity * bias:.17g}",
            f".model {model} D(IS={saturation:.17g} N={ideality:.17g} TNOM={celsius})",
        ]


class AntiparallelDiodes(TwoTerminal):
    """Two Shockley diodes of opposite polarity from a node to ground, each in series with a bias source.

    The activation function of Kendall et al. 2020 (section 4, figure 2): the node's voltage saturates at about
    +`up.bias` and −`down.bias`. Law, co-content and slope are the sums over the two diodes.
    """

    up: ShockleyDiode
    """Conducts at positive node voltages (polarity +1)."""
    down: ShockleyDiode
    """Conducts at negative node voltages (polarity −1)."""

    @classmethod
    def symmetric(
        cls,
        nodes: int,
        *,
        saturation_current: float,
        ideality: float = 1.0,
        bias: float = 0.0,
        temperature: float = ROOM_TEMPERATURE,
    ) -> "AntiparallelDiodes":
        """The same diode in both directions at each of `nodes` nodes; amperes, volts, kelvin."""

        def diode(polarity: float) -> ShockleyDiode:
            return ShockleyDiode(
                saturation_current=jnp.full(nodes, saturation_current),
                ideality=jnp.full(nodes, ideality),
                bias=jnp.full(nodes, bias),
                polarity=jnp.full(nodes, polarity),
                temperature=temperature,
            )

        return cls(up=diode(1.0), down=diode(-1.0))

    def in_range(self, voltage: Array) -> Array:
        """Both diodes'."""
        return self.up.in_range(voltage) & self.down.in_range(voltage)

    def current(self, voltage: Array) -> Array:
        """Sum of the two diodes' currents."""
        return self.up.current(voltage) + self.down.current(voltage)

    def slope(self, voltage: Array) -> Array:
        """Sum of the two diodes' slopes."""
        return self.up.slope(voltage) + self.down.slope(voltage)

    def change(self, voltage: Array, deviation: Array) -> Array:
        """Sum of the two diodes' changes."""
        return self.up.change(voltage, deviation) + self.down.change(voltage, deviation)

    def co_content(self, voltage: Array) -> Array:
        """Sum of the two diodes' co-contents."""
        return self.up.co_content(voltage) + self.down.co_content(voltage)

    @property
    def exact(self) -> bool:
        """A few steps at a time."""
        return False

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """Steps of Newton's method, first from the conduction bound of whichever diode conducts."""
        net = current - self.current(jnp.zeros((), current.dtype))
        conducting = jax.tree.map(lambda up, down: jnp.where(net >= 0, up, down), self.up, self.down)
        bound = conducting.conduction_bound(conductance, jnp.abs(net))
        return _diode_root(
            lambda v: (conductance * v + self.current(v) - current, conductance + self.slope(v)),
            jnp.where(net >= 0, bound, -bound),
            start,
            jnp.minimum(self.up._scale, self.down._scale),
        )

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """The cards of both diodes."""
        return self.up.card(f"{name}_u", node, reference, index) + self.down.card(f"{name}_d", node, reference, index)
