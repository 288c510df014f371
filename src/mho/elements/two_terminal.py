"""What a two-terminal element is: a current-voltage law i(v), its co-content and its differential conductance.

The co-content (Millar 1951, "Some general theorems for non-linear systems possessing resistance") of an element
with law i(v) is p(v) = ∫₀^v i(u) du, so that dp/dv = i. A network's energy is the sum of its elements'
co-contents; Kirchhoff's current law is where it is stationary in the free node voltages.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mho.arrays import namespace
from mho.errors import InputError

_QUADRATURE_NODES, _QUADRATURE_WEIGHTS = np.polynomial.legendre.leggauss(64)
_ROOT_STEPS = 200
_BISECTIONS = 40


def entry(parameter: Array | float, index: int | None) -> float:
    """One element's value of a parameter: entry `index` of an array, or the value that all elements share."""
    values = np.asarray(parameter, np.float64).reshape(-1)
    return float(values[0] if values.size == 1 else values[index or 0])


class TwoTerminal(eqx.Module):
    """A two-terminal element, or an array of them: parameters broadcast against the voltages.

    A subclass is a list of parameters and one law, written with `jax.numpy`, elementwise: `current`, i(v), or `co_content`,
    p(v). Everything else follows from it:

    - the other of the two, differential conductance and gradients by automatic differentiation (`co_content` by quadrature);
    - the node equation g·v + i(v) = I by Newton's method inside a bracket, `node_voltage`;
    - deviations from an operating point, `change`, by subtraction.

    The law must not decrease (di/dv ≥ 0): then the energy is convex and the steady state unique. `mho.check_element` tests
    that, and everything that a subclass overrides. Worth overriding: `node_voltage` where the node equation has a closed
    form, for it is what training spends its time in; `change` where currents of float32 lose a small deviation's digits;
    `card`, without which a circuit with the element has no netlist; `domain`, which training keeps parameters within.

        class Cubic(mho.TwoTerminal):
            coefficient: jax.Array  # A/V³

            def current(self, voltage):
                return self.coefficient * voltage**3
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Least and largest value of parameters that have them, by name: training keeps within these. A parameter whose least
    value is positive is trained in its logarithm (see `mho.learning.update`). Those not named may take any value."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {name for base in cls.__mro__[: cls.__mro__.index(TwoTerminal)] for name in vars(base)}
        if not own & {"current", "co_content"}:
            raise InputError(f"element {cls.__name__}: has no law; define current(voltage) or co_content(voltage)")

    def current(self, voltage: Array) -> Array:
        """Current through the element [A] at the voltage drop across it [V], elementwise: the co-content's derivative."""
        return jax.jvp(self.co_content, (voltage,), (jnp.ones_like(voltage),))[1]

    def slope(self, voltage: Array) -> Array:
        """Differential conductance di/dv [S], by forward-mode differentiation of `current`."""
        return jax.jvp(self.current, (voltage,), (jnp.ones_like(voltage),))[1]

    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        """Current [A] and differential conductance [S]: for laws that give both at once."""
        return self.current(voltage), self.slope(voltage)

    def prepared(self) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """`tangent` as a function of NumPy's arrays, (..., elements), for a law that is evaluated many thousands of times.

        What does not depend on the voltage may be computed once.
        """
        law: Any = partial(type(self).tangent, self)
        return law

    def prepared_near(self) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """`voltage_near` as a function of NumPy's arrays, as `prepared`."""
        law: Any = partial(type(self).voltage_near, self)
        return law

    def co_content(self, voltage: Array) -> Array:
        """Co-content ∫₀^v i(u) du [W], by 64-point Gauss-Legendre quadrature of `current`.

        The error is below 1e-12 relative for laws whose exponent stays under about 40 on the way; a law with kinks
        should override it with its closed form.
        """
        nodes = jnp.asarray(_QUADRATURE_NODES, voltage.dtype)
        weights = jnp.asarray(_QUADRATURE_WEIGHTS, voltage.dtype)

        def add(total: Array, point: tuple[Array, Array]) -> tuple[Array, None]:
            node, weight = point
            return total + weight * self.current(0.5 * voltage * (node + 1.0)), None

        total, _ = lax.scan(add, jnp.zeros_like(voltage), (nodes, weights))
        return 0.5 * voltage * total

    @property
    def exact(self) -> bool:
        """Whether `node_voltage` solves to rounding at every call and in every precision."""
        return True

    def in_range(self, voltage: Array) -> Array:
        """Whether the law is meant to hold at a voltage, elementwise; no operating point is accepted where it isn't."""
        xp = namespace(voltage)
        return xp.isfinite(self.current(voltage))

    def beyond(self, voltage: Array) -> Array:
        """By how much a voltage is beyond those at which the law was measured [V], elementwise; 0 where it is not."""
        return namespace(voltage).zeros_like(voltage)

    def law_residual(self, voltage: Array, current: Array) -> Array:
        """How far a current [A] is from what the law allows at a voltage [V]."""
        return current - self.current(voltage)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The voltage v at which conductance·v + i(v) = current: a node with the element to ground.

        This is the exact minimum of the energy over one node's voltage, its neighbours held. `conductance` [S] is
        positive, `current` [A] is what flows in from the neighbours, `start` [V] a first guess. Solved by Newton's
        method inside a shrinking bracket, so it converges from any start. An element that is not `exact` may
        take a few steps from `start` instead: exact once the neighbours have settled.
        """
        edge = (current - self.current(jnp.zeros_like(current))) / conductance
        return bracketed_root(
            lambda v: (conductance * v + self.current(v) - current, conductance + self.slope(v)),
            jnp.minimum(edge, 0.0),
            jnp.maximum(edge, 0.0),
            start,
        )

    def change(self, voltage: Array, deviation: Array) -> Array:
        """i(v + δ) − i(v) [A] from a voltage v and a deviation δ [V].

        Override it where the two currents' difference loses the digits of a small deviation.
        """
        return self.current(voltage + deviation) - self.current(voltage)

    def deviating(self, voltage: Array, current: Array) -> "TwoTerminal":
        """The element as deviations from an operating point meet it: their law δ ↦ i(v + δ) − i(v).

        Args:
            voltage: v, where the element stands [V].
            current: that its node's neighbours drive into the node there, at 0 V, net of conductance·v: what an element
                without a law of its own at v carries [A].
        """
        return Deviation(self, voltage)

    def voltage_near(self, current: Array, stand: Array, drop: Array) -> Array:
        """A voltage near the one at which the elements carry `current` [A], between `stand` and `drop` [V], by bisection.

        For steps of Newton's method from `stand` towards `drop`, which `current` is between the currents of. Good to 2⁻⁴⁰ of
        the interval here, but an element may give less for a closed form, as long as it gets on.
        """
        xp = namespace(current, stand, drop)
        up = drop > stand
        law = self.current  # once: Equinox makes a module of every bound method

        def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            near, far = bracket
            middle = 0.5 * (near + far)
            value = law(middle)
            beyond = xp.where(up, value > current, value < current)
            return xp.where(beyond, near, middle), xp.where(beyond, middle, far)

        if xp is np:
            bracket = (stand, drop)
            for step in range(_BISECTIONS):
                bracket = halve(step, bracket)
            return bracket[0]
        return lax.fori_loop(0, _BISECTIONS, halve, (stand, drop))[0]

    def voltage_past(self, current: Array, stand: Array, drop: Array) -> Array:
        """Where a step of Newton's method from `stand` to `drop` [V] leads where the law's tangent promised `current` [A].

        `drop`, or beyond it: an exponential law that is to carry less falls by no more than its own scale a step, however
        far it is to fall, where its inverse gets there at once.
        """
        return drop

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """The SPICE lines of this element (or of its entry `index`) between two nodes, named after `name`.

        Raises:
            NotImplementedError: where the element has none; override it to export circuits with such an element.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no SPICE card")


class Deviation(TwoTerminal):
    """An element seen from an operating point: voltages and currents are deviations δ and i(v + δ) − i(v).

    Increasing as the law is, 0 A at 0 V; slope i'(v + δ).
    """

    element: TwoTerminal
    rest: Array
    """v [V], in the deviations' shape."""

    def current(self, voltage: Array) -> Array:
        """i(v + δ) − i(v)."""
        return self.element.change(self.rest, voltage)

    def slope(self, voltage: Array) -> Array:
        """The element's, at v + δ."""
        return self.element.slope(self.rest + voltage)


def bracketed_root(
    excess: Callable[[Array], tuple[Array, Array]],
    low: Array,
    high: Array,
    start: Array,
    scale: Array | float = 0.0,
) -> Array:
    """Roots of increasing functions, elementwise, by Newton's method kept inside a bracket (bisection otherwise).

    Runs until the step is below 4 ulp of the root, or of `scale`, everywhere; 200 steps at the most.

    Args:
        excess: gives the function's value and slope at an array of points.
        low: points where the function is ≤ 0.
        high: points where it is ≥ 0.
        start: first guesses; clipped into the bracket.
        scale: on which the function varies near 0, where rounding in it hides smaller differences of the root.

    Source: Press et al., Numerical Recipes, 3rd ed., section 9.4 (Newton's method with bisection: also where Newton's
    steps do not halve, as on the far side of an exponential).
    """
    xp = namespace(low, high, start)
    dtype = xp.result_type(low)
    eps = 4 * np.finfo(dtype).eps
    floor = xp.maximum(scale, np.finfo(dtype).tiny)

    def advance(state: tuple) -> tuple:
        count, point, low, high, last, before, _ = state
        value, slope = excess(point)
        high = xp.where(value >= 0, point, high)
        low = xp.where(value <= 0, point, low)
        newton = point - value / slope
        # Where the slope overflows and the value does not, Newton's step is 0 V: no root.
        inside = (newton >= low) & (newton <= high) & xp.isfinite(slope)
        quick = inside & (2.0 * xp.abs(newton - point) <= before)
        new = xp.where(quick, newton, 0.5 * (low + high))
        step = xp.abs(new - point)
        moving = xp.any(step > eps * xp.maximum(xp.abs(new), floor))
        return count + 1, new, low, high, step, last, moving

    point = xp.clip(start, low, high)
    low, high = xp.broadcast_to(low, point.shape), xp.broadcast_to(high, point.shape)
    width = xp.full_like(point, np.inf)
    if xp is np:
        state = (0, point, low, high, width, width, True)
        while state[-1] and state[0] < _ROOT_STEPS:
            state = advance(state)
        return state[1]
    state = (jnp.int32(0), point, low, high, width, width, jnp.bool_(True))
    return lax.while_loop(lambda s: s[-1] & (s[0] < _ROOT_STEPS), advance, state)[1]


def newton_root(excess: Callable[[Array], tuple[Array, Array]], start: Array, steps: int) -> Array:
    """Roots of increasing functions, elementwise, by a fixed number of Newton steps.

    For starts from which Newton's method is known to converge.

    Args:
        excess: gives the function's value and slope at an array of points.
        start: first guesses.
        steps: number of steps.
    """
    # Unrolled, XLA makes one piece of work of it, and spreads that over the cores where it is worth it.
    point = start
    for _ in range(steps):
        value, slope = excess(point)
        point = point - value / slope
    return point
