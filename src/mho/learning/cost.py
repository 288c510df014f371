"""Costs: what the outputs are to be, and how the nudging pulls them there."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

_LONGEST_STEP = 4.0
"""Of Newton's method in float32, in logits: a softmax's curvature changes by e^4 at the most."""


class Cost(eqx.Module):
    """A differentiable, convex function C(p, y) of predictions p [V] and targets y, both (batch, classes)."""

    closed_form: ClassVar[bool] = False
    """Whether `nudged_gradient` is exact in any precision."""

    @property
    def curvature(self) -> float | None:
        """The largest second derivative that C can have by a prediction of the outputs [1/V²]; None if that is not known."""
        return None

    @abc.abstractmethod
    def value(self, prediction: Array, target: Array) -> Array:
        """C of each sample, (batch,)."""

    @abc.abstractmethod
    def gradient(self, prediction: Array, target: Array) -> Array:
        """∂C/∂p [1/V], (batch, classes)."""

    @abc.abstractmethod
    def nudged_gradient(self, free: Array, reach: Array, target: Array, start: Array) -> Array:
        """∂C/∂p at the p that solves p + reach·∂C/∂p = free: where the nudging leaves the outputs, hidden layers held.

        `reach` is the nudging factor times the resistance at the outputs, (batch, classes); `start` a first guess of p.
        NaN where there is no stable solution, which a negative reach can bring about. In float32, for training, a step
        towards p may do where there is no closed form: the sweeps call again, and measure what is left.
        """

    def gradient_expressions(self, predictions: Sequence[str], target: Sequence[str]) -> list[str]:
        """∂C/∂p of one sample as SPICE expressions of the predictions' and the targets' expressions, one for each class.

        Raises:
            NotImplementedError: where the cost has none; override it to export circuits nudged by such a cost.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no SPICE expression of its gradient")


class SquaredError(Cost):
    """C = ½ Σ (p − y)²."""

    closed_form = True

    @property
    def curvature(self) -> float:
        """1."""
        return 1.0

    def value(self, prediction: Array, target: Array) -> Array:
        """½ Σ (p − y)²."""
        return 0.5 * jnp.sum((prediction - target) ** 2, -1)

    def gradient(self, prediction: Array, target: Array) -> Array:
        """p − y."""
        return prediction - target

    def nudged_gradient(self, free: Array, reach: Array, target: Array, start: Array) -> Array:
        """(free − y) / (1 + reach): the nudging is a resistor to a source at y."""
        return jnp.where(reach > -1.0, (free - target) / (1.0 + reach), jnp.nan)

    def gradient_expressions(self, predictions: Sequence[str], target: Sequence[str]) -> list[str]:
        """(p − y)."""
        return [f"{p} - ({y})" for p, y in zip(predictions, target, strict=True)]


class CrossEntropy(Cost):
    """C = −Σ y log softmax(k p)."""

    logit_gain: float = eqx.field(static=True, default=1.0)
    """k [1/V]."""

    @property
    def curvature(self) -> float:
        """k²/2, for targets that add up to 1: between two classes of equal voltage."""
        return self.logit_gain**2 / 2.0

    def value(self, prediction: Array, target: Array) -> Array:
        """−Σ y log softmax(k p)."""
        return -jnp.sum(target * jax.nn.log_softmax(self.logit_gain * prediction), -1)

    def gradient(self, prediction: Array, target: Array) -> Array:
        """k (softmax(k p) Σy − y)."""
        total = jnp.sum(target, -1, keepdims=True)
        return self.logit_gain * (jax.nn.softmax(self.logit_gain * prediction) * total - target)

    def nudged_gradient(self, free: Array, reach: Array, target: Array, start: Array) -> Array:
        """By Newton's method, to rounding in float64; one step of it in float32, from `start`.

        The matrix of a step is diagonal plus rank one (Sherman-Morrison).
        """
        total = jnp.sum(target, -1, keepdims=True)
        solve = self._newton_step if free.dtype == jnp.float32 else self._newton
        stable = 1.0 + self.logit_gain**2 * total * reach / 2.0 > 0.0
        return jnp.where(stable, solve(free, reach, target, total, start), jnp.nan)

    def _newton_step(self, free: Array, reach: Array, target: Array, total: Array, start: Array) -> Array:
        # The gradient linearised at `start`: the step solves that. It is cut to what the linearisation is good for; the
        # gradient returned is then the one that leaves p there.
        gain = self.logit_gain
        share = jax.nn.softmax(gain * start)
        gradient = gain * (share * total - target)
        curvature = gain**2 * total * share
        step, mean = _step(start + reach * gradient - free, share, curvature * reach)
        length = jnp.minimum(1.0, _LONGEST_STEP / (gain * jnp.max(jnp.abs(step), -1, keepdims=True)))
        cut = (1.0 - length) * step / jnp.where(reach == 0.0, 1.0, reach)
        return gradient + curvature * (step - mean) + cut

    def _newton(self, free: Array, reach: Array, target: Array, total: Array, start: Array) -> Array:
        # A step is halved until it brings a sample's error down.
        gain = self.logit_gain
        enough = 8 * jnp.finfo(free.dtype).eps * (jnp.max(jnp.abs(free), -1, keepdims=True) + 1.0)

        def state(p: Array) -> tuple[Array, Array, Array, Array]:
            share = jax.nn.softmax(gain * p)
            error = p + reach * gain * (share * total - target) - free
            return p, share, error, jnp.max(jnp.abs(error), -1, keepdims=True)

        def advance(carry: tuple) -> tuple:
            here, length, count = carry
            p, share, error, size = here
            step, _ = _step(error, share, gain**2 * total * share * reach)
            there = state(p + length * step)
            better = (there[-1] <= size) | (size <= enough)
            moved = tuple(jnp.where(better, new, old) for new, old in zip(there, here, strict=True))
            return moved, jnp.where(better, 1.0, 0.5 * length), count + 1

        def unsolved(carry: tuple) -> Array:
            here, _, count = carry
            return (count < 200) & jnp.any(here[-1] > enough)

        first = (state(start), jnp.ones_like(total), jnp.int32(0))
        (_, share, _, _), _, _ = lax.while_loop(unsolved, advance, first)
        return gain * (share * total - target)

    def gradient_expressions(self, predictions: Sequence[str], target: Sequence[str]) -> list[str]:
        """k (Σy / Σ_j exp(k (p_j − p)) − y)."""
        gain, total = self.logit_gain, " + ".join(f"({y})" for y in target)

        def slope(p: str, y: str) -> str:
            partition = " + ".join(["1", *(f"exp({gain:.17g}*({other} - {p}))" for other in predictions if other != p)])
            return f"{gain:.17g}*(({total})/({partition}) - ({y}))"

        return [slope(p, y) for p, y in zip(predictions, target, strict=True)]


def _step(error: Array, share: Array, pull: Array) -> tuple[Array, Array]:
    """Newton's step −(1 + diag(pull) − pull ⊗ share)⁻¹ error, (batch, classes), and its mean weighted by `share`."""
    solved, column = error / (1.0 + pull), pull / (1.0 + pull)
    rank_one = jnp.sum(share * solved, -1, keepdims=True) / (1.0 - jnp.sum(share * column, -1, keepdims=True))
    return -(solved + column * rank_one), -rank_one
