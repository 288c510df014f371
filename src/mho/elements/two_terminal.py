"""What a two-terminal element is: a current-voltage law i(v), its co-content and its differential conductance.

The co-content (Millar 1951, "Some general theorems for non-linear systems possessing resistance") of an element
with law i(v) is p(v) = ∫₀^v i(u) du, so that dp/dv = i. A network's energy is the sum of its elements'
co-contents; Kirchhoff's current law is where it is stationary in the free node voltages.
"""

import abc
from collections.abc import Callable, Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

_QUADRATURE_NODES, _QUADRATURE_WEIGHTS = np.polynomial.legendre.leggauss(64)
_ROOT_STEPS = 200


def entry(parameter: Array | float, index: int | None) -> float:
    """One element's value of a parameter: entry `index` of an array, or the value that all elements share."""
    values = np.asarray(parameter, np.float64).reshape(-1)
    return float(values[0] if values.size == 1 else values[index or 0])


class TwoTerminal(eqx.Module):
    """A two-terminal element, or an array of them: parameters broadcast against the voltages.

    A subclass needs only `current`; differential conductance, co-content and the node equation follow from it.
    The law must not decrease (di/dv ≥ 0): then the energy is convex and the steady state unique.
    """

    domain: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Least and largest value of parameters that have them, by name: training keeps within these. A parameter whose least
    value is positive is trained in its logarithm (see `mho.learning.update`). Those not named may take any value."""

    @abc.abstractmethod
    def current(self, voltage: Array) -> Array:
        """Current through the element [A] at the voltage drop across it [V], elementwise."""

    def slope(self, voltage: Array) -> Array:
        """Differential conductance di/dv [S], by forward-mode differentiation of `current`."""
        return jax.jvp(self.current, (voltage,), (jnp.ones_like(voltage),))[1]

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

    def mismatch(self, voltage: Array, current: Array) -> Array:
        """How far a current [A] is from what the law allows at a voltage [V]."""
        return current - self.current(voltage)

    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        """The voltage v at which conductance·v + i(v) = current: a node with the element to ground.

        This is the exact minimum of the energy over one node's voltage, its neighbours held. `conductance` [S] is
        positive, `current` [A] is what flows in from the neighbours, `start` [V] a first guess. Solved by Newton's
        method inside a shrinking bracket, so it converges from any start.
        """
        edge = (current - self.current(jnp.zeros_like(current))) / conductance
        return bracketed_root(
            lambda v: (conductance * v + self.current(v) - current, conductance + self.slope(v)),
            jnp.minimum(edge, 0.0),
            jnp.maximum(edge, 0.0),
            start,
        )

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """The SPICE lines of this element (or of its entry `index`) between two nodes, named after `name`.

        Raises:
            NotImplementedError: where the element has none; override it to export circuits with such an element.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no SPICE card")


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
    dtype = jnp.result_type(low)
    eps = 4 * jnp.finfo(dtype).eps
    floor = jnp.maximum(scale, jnp.finfo(dtype).tiny)

    def advance(state: tuple) -> tuple:
        count, point, low, high, last, before, _ = state
        value, slope = excess(point)
        high = jnp.where(value >= 0, point, high)
        low = jnp.where(value <= 0, point, low)
        newton = point - value / slope
        # Where the slope overflows and the value does not, Newton's step is 0 V: no root.
        inside = (newton >= low) & (newton <= high) & jnp.isfinite(slope)
        quick = inside & (2.0 * jnp.abs(newton - point) <= before)
        new = jnp.where(quick, newton, 0.5 * (low + high))
        step = jnp.abs(new - point)
        moving = jnp.any(step > eps * jnp.maximum(jnp.abs(new), floor))
        return count + 1, new, low, high, step, last, moving

    point = jnp.clip(start, low, high)
    low, high = jnp.broadcast_to(low, point.shape), jnp.broadcast_to(high, point.shape)
    width = jnp.full_like(point, jnp.inf)
    state = (jnp.int32(0), point, low, high, width, width, jnp.bool_(True))
    return lax.while_loop(lambda s: s[-1] & (s[0] < _ROOT_STEPS), advance, state)[1]


def newton_root(
    excess: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, start: Array, steps: int
) -> Array:
    """Roots of increasing functions, elementwise, by a fixed number of Newton steps, each clipped into a bracket.

    For starts from which Newton's method is known to converge. The bracket does not shrink: XLA may evaluate the same
    value twice with different rounding, and a bracket closed by the one locks the other out.

    Args:
        excess: gives the function's value and slope at an array of points.
        low: points where the function is ≤ 0.
        high: points where it is ≥ 0.
        start: first guesses.
        steps: number of steps, unrolled.
    """
    point = start
    for _ in range(steps):
        value, slope = excess(point)
        point = jnp.clip(point - value / slope, low, high)
    return point
