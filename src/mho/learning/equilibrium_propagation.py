"""Equilibrium propagation: the gradient of the cost from two or three steady states.

∂C/∂θ = lim 1/β [∂E/∂θ(β) − ∂E/∂θ(0)] for every parameter θ of the energy E (Scellier and Bengio 2017). For a conductance
the difference is ½(Δv^β)² − ½(Δv^0)² (Kendall et al. 2020, theorem 2): local to the resistor. The centred variant takes the
difference of a positively and a negatively nudged phase and has a bias of O(β²) instead of O(β) (Laborieux et al. 2021).
"""

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.gradient import Gradient, Phase, energy_slope
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.networks import LayeredNetwork
from mho.steady import Network, Settle, load, settle_deviation, settles_by_mean_field
from mho.steady import settle as settle_by_kind

Variant = Literal["positive", "negative", "random-sign", "centred"]
Nudging = Literal["energy", "held"]


def check_settings(variant: str, nudging: str, beta: float | Array) -> None:
    """Refuse settings with which there is no gradient; a traced β cannot be looked at.

    Raises:
        InputError: for β that is not positive and finite, an unknown variant or an unknown nudging.
    """
    if not isinstance(beta, Tracer) and not (beta > 0 and beta < float("inf")):
        raise InputError(f"nudging factor β = {beta}: must be positive and finite (its sign is the variant's)")
    for name, value, known in (("variant", variant, Variant), ("nudging", nudging, Nudging)):
        if value not in get_args(known):
            raise InputError(f"{name} {value!r}: must be one of {', '.join(get_args(known))}")


def equilibrium_propagation(
    network: Network,
    inputs: Array,
    targets: Array,
    cost: Cost,
    *,
    beta: float | Array,
    variant: Variant = "centred",
    nudging: Nudging = "energy",
    trained: tuple[str, ...] = ("conductance", "bias"),
    rtol: float = 1e-5,
    max_sweeps: int = 1000,
    key: Array | None = None,
    settle: Settle = settle_by_kind,
) -> Gradient:
    """Gradient of a batch's mean cost by equilibrium propagation.

    Args:
        network: the network.
        inputs: (batch, features).
        targets: (batch, outputs).
        cost: the cost of a sample.
        beta: nudging factor β > 0 [S, for a squared error].
        variant: one-sided with β or −β, one-sided with the sign drawn for each sample, or centred.
        nudging: "held" current sources or the cost itself in the "energy"; see `mho.learning.nudging`.
        trained: kinds of parameters to differentiate by; see `mho.learning.gradient.trained_part`.
        rtol: tolerance of the steady states' residual.
        max_sweeps: sweeps, or Newton's steps, at the most for each phase.
        key: JAX random key for the random sign.
        settle: what finds the steady states.

    Raises:
        InputError: see `check_settings`; or no key for the random sign.
    """
    check_settings(variant, nudging, beta)
    batch = inputs.shape[0]
    driven = load(network, inputs)
    sign = jnp.ones((batch, 1), driven.sources.dtype)
    if variant == "negative":
        sign = -sign
    elif variant == "random-sign":
        if key is None:
            raise InputError("the random-sign variant needs a random key")
        sign = jax.random.rademacher(key, (batch, 1), sign.dtype)
    signs = jnp.concatenate([sign, -sign]) if variant == "centred" else sign
    phases = _phases(
        network, driven, targets, cost, beta * signs, nudging=nudging, rtol=rtol, max_sweeps=max_sweeps, settle=settle
    )
    prediction = network.prediction(phases.free)
    weight = sign / (len(signs) * beta)

    def difference(varied: Network) -> Array:
        here, there = (driven.energy(varied, phases.voltages(phase)) for phase in (phases.here, phases.there))
        return jnp.sum(weight[:, 0] * (here - there))

    slope = energy_slope(
        network,
        trained,
        driven,
        phases.voltages(jax.tree.map(lambda a, b: 0.5 * (a + b), phases.here, phases.there)),
        jax.tree.map(lambda a, b: weight * (a - b), phases.here, phases.there),
        difference,
    )
    return Gradient(
        by_parameter=slope,
        cost=jnp.mean(cost.value(prediction, targets)),
        prediction=prediction,
        residual=jnp.max(phases.residual),
        unconverged=jnp.sum(~(phases.residual <= rtol)),
        sweeps=phases.sweeps,
        phases=phases.settled,
    )


class _Phases(eqx.Module):
    """The two phases whose energies are compared, as deviations from `rest`, and the free one."""

    free: Any
    rest: Any
    """The free phase, or None: then the deviations are from 0 V."""
    here: Any
    there: Any
    residual: Array
    """Of all phases' samples."""
    sweeps: Array
    settled: tuple[Phase, ...]

    def voltages(self, deviations: Any) -> Any:
        """Node voltages [V]."""
        return deviations if self.rest is None else jax.tree.map(jnp.add, self.rest, deviations)


def _phases(
    network: Network,
    driven: Any,
    targets: Array,
    cost: Cost,
    strength: Array,
    *,
    nudging: Nudging,
    rtol: float,
    max_sweeps: int,
    settle: Settle,
) -> _Phases:
    """Settle the free phase and those nudged by `strength`, (batch, 1) or, if there are two, (2 · batch, 1)."""
    batch = targets.shape[0]
    times = strength.shape[0] // batch
    paired = network.paired_outputs
    tolerance = {"rtol": rtol, "max_sweeps": max_sweeps}

    def copies(tree: Any) -> Any:
        return jax.tree.map(lambda x: jnp.concatenate([x] * times), tree)

    def compared(
        free: Any, nudged: Any, rest: Any, residual: Array, sweeps: Array, settled: tuple[Phase, ...]
    ) -> _Phases:
        other = jax.tree.map(lambda v: v[batch:], nudged)
        if times == 1:
            other = free if rest is None else jax.tree.map(jnp.zeros_like, free)
        return _Phases(free, rest, jax.tree.map(lambda v: v[:batch], nudged), other, residual, sweeps, settled)

    layered = isinstance(network, LayeredNetwork)
    # Of a deep network float32 tells the nudged phases from the free one as deviations from it alone.
    deviating = settle is settle_by_kind and layered and settles_by_mean_field(network, batch)
    if nudging == "energy" and layered and not deviating:
        # No phase needs another's result, so all settle as one batch: each sweep passes over the conductances once.
        everyone = jnp.concatenate([jnp.zeros((batch, 1), strength.dtype), strength])
        nudge = EnergyNudge(cost, everyone, jnp.concatenate([targets, copies(targets)]), paired)
        point = settle(network, driven.repeated(1 + times), nudge=nudge, **tolerance)
        settled = (Phase(driven.repeated(1 + times).sources, point.voltages, nudge),)
        free, nudged = (jax.tree.map(lambda v, s=s: v[s], point.voltages) for s in (slice(batch), slice(batch, None)))
        return compared(free, nudged, None, point.residual, point.sweeps, settled)
    first = settle(network, driven, **tolerance)
    free: Any = first.voltages
    if nudging == "held":
        nudge = held_nudge(cost, strength, copies(network.prediction(free)), copies(targets), paired)
    else:
        nudge = EnergyNudge(cost, strength, copies(targets), paired)
    everywhere = driven.repeated(times).sources
    if deviating:
        assert isinstance(network, LayeredNetwork)
        moved = nudge
        if isinstance(nudge, EnergyNudge):
            moved = eqx.tree_at(lambda n: n.rest, nudge, copies(free[-1]), is_leaf=lambda x: x is None)
        second = settle_deviation(network, driven, first.start, nudge=moved, times=times, **tolerance)
        nudged = Phase(everywhere, copies(free), nudge, second.voltages)
    else:
        # From the free phase: Newton's method has but a step or two to go.
        second = settle(network, driven.repeated(times), nudge=nudge, start=copies(first.start), **tolerance)
        nudged = Phase(everywhere, second.voltages, nudge)
    residual = jnp.concatenate([first.residual, second.residual])
    settled = (Phase(driven.sources, free), nudged)
    return compared(free, second.voltages, free if deviating else None, residual, first.sweeps + second.sweeps, settled)
