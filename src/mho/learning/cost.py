"""Costs: what the outputs are to be, and how the nudging pulls them there."""

import abc
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax


class Cost(eqx.Module):
    """A differentiable, convex function C(p, y) of predictions p [V] and targets y, both (batch, classes)."""

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
        NaN where there is no stable solution, which a negative reach can bring about.
        """

    def gradient_expressions(self, predictions: Sequence[str], target: Sequence[str]) -> list[str]:
        """∂C/∂p of one sample as SPICE expressions of the predictions' and the targets' expressions, one for each class.

        Raises:
            NotImplementedError: where the cost has none; override it to export circuits nudged by such a cost.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no SPICE expression of its gradient")


class SquaredError(Cost):
    """C = ½ Σ (p − y)²."""

    def value(self, prediction: Array, target: Array) -> Array:
        """½ Σ (p − y)²."""
        return 0.5 * jnp.sum((prediction - target) ** 2, -1)

    def gradient(self, prediction: Array, target: Array) -> Array:
        """P − y."""
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

    def value(self, prediction: Array, target: Array) -> Array:
        """−Σ y log softmax(k p)."""
        return -jnp.sum(target * jax.nn.log_softmax(self.logit_gain * prediction), -1)

    def gradient(self, prediction: Array, target: Array) -> Array:
        """K (softmax(k p) Σy − y)."""
        total = jnp.sum(target, -1, keepdims=True)
        return self.logit_gain * (jax.nn.softmax(self.logit_gain * prediction) * total - target)

    def nudged_gradient(self, free: Array, reach: Array, target: Array, start: Array) -> Array:
        """By Newton's method, a step halved until it brings a sample's error down.

        The matrix of a step is diagonal plus rank one (Sherman-Morrison).
        """
        gain = self.logit_gain
        total = jnp.sum(target, -1, keepdims=True)
        enough = 8 * jnp.finfo(free.dtype).eps * (jnp.max(jnp.abs(free), -1, keepdims=True) + 1.0)

        def state(p: Array) -> tuple[Array, Array, Array, Array]:
            share = jax.nn.softmax(gain * p)
            error = p + reach * gain * (share * total - target) - free
            return p, share, error, jnp.max(jnp.abs(error), -1, keepdims=True)

        def advance(carry: tuple) -> tuple:
            here, length, count = carry
            p, share, error, size = here
            pull = gain**2 * total * share * reach
            diagonal = 1.0 + pull
            solved, column = error / diagonal, pull / diagonal
            rank_one = jnp.sum(share * solved, -1, keepdims=True)
            step = solved + column * rank_one / (1.0 - jnp.sum(share * column, -1, keepdims=True))
            there = state(p - length * step)
            better = (there[-1] <= size) | (size <= enough)
            moved = tuple(jnp.where(better, new, old) for new, old in zip(there, here, strict=True))
            return moved, jnp.where(better, 1.0, 0.5 * length), count + 1

        def unsolved(carry: tuple) -> Array:
            here, _, count = carry
            return (count < 200) & jnp.any(here[-1] > enough)

        first = (state(start), jnp.ones_like(total), jnp.int32(0))
        (_, share, _, _), _, _ = lax.while_loop(unsolved, advance, first)
        stable = 1.0 + gain**2 * total * reach / 2.0 > 0.0
        return jnp.where(stable, gain * (share * total - target), jnp.nan)

    def gradient_expressions(self, predictions: Sequence[str], target: Sequence[str]) -> list[str]:
        """K (Σy / Σ_j exp(k (p_j − p)) − y)."""
        gain, total = self.logit_gain, " + ".join(f"({y})" for y in target)

        def slope(p: str, y: str) -> str:
            partition = " + ".join(["1", *(f"exp({gain:.17g}*({other} - {p}))" for other in predictions if other != p)])
            return f"{gain:.17g}*(({total})/({partition}) - ({y}))"

        return [slope(p, y) for p, y in zip(predictions, target, strict=True)]
