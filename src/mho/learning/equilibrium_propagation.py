"""Equilibrium propagation: the gradient of the cost from two or three steady states.

∂C/∂θ = lim 1/β [∂E/∂θ(β) − ∂E/∂θ(0)] for every parameter θ of the energy E (Scellier and Bengio 2017). For a conductance
the difference is ½(Δv^β)² − ½(Δv^0)² (Kendall et al. 2020, theorem 2): local to the resistor. The centred variant takes the
difference of a positively and a negatively nudged phase and has a bias of O(β²) instead of O(β) (Laborieux et al. 2021).
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.errors import InputError
from mho.learning.cost import Cost, SquaredError
from mho.learning.gradient import Gradient, Phase, energy_gradient
from mho.learning.nudging import EnergyNudge, held_nudge
from mho.learning.readout import Readout
from mho.learning.rule import Rule
from mho.networks import LayeredNetwork, Network
from mho.precision import double
from mho.steady import Attached, Auto, Solver

Variant = Literal["positive", "negative", "random-sign", "centred"]
Nudging = Literal["energy", "held"]


class EquilibriumPropagation(Rule):
    """Gradient of a batch's mean cost by equilibrium propagation.

    A phase nudged by −β minimises E − β C, whose second derivative by an output's voltage, all else held, is T − β C″ with T
    the conductance of the resistors at the node: T·δv flows back if the output moves by δv, and the nudging pulls away by
    β C″·δv. Where β C″ ≥ T there is no minimum; and other nodes that give way make E softer still. So β must be below
    T/C″: below T for the squared error, C″ = 1. Two paired outputs move against each other through 1/T₊ + 1/T₋ in series,
    so that T/2 takes the place of T. For the cross-entropy C″ is k²/2 at the most, k the logit gain, and β below 2 T/k², or
    T/k² where outputs are paired. The centred gradient's bias grows as (β C″/T)²: by 1/(1 − (β C″/T)²) for a squared error
    at the outputs. `share` is β in units of that limit.

    Raises:
        InputError: for a β that is not positive and finite, an unknown variant or an unknown nudging.
    """

    cost: Cost = eqx.field(default_factory=SquaredError)
    """Of a sample."""
    beta: float | Array = eqx.field(default=1.0, kw_only=True)
    """Nudging factor β > 0 [S, for a squared error]; its sign is the variant's."""
    variant: Variant = eqx.field(default="centred", static=True, kw_only=True)
    """One-sided with β or −β, one-sided with the sign drawn for each sample, or centred."""
    nudging: Nudging = eqx.field(default="energy", static=True, kw_only=True)
    """"held" current sources or the cost itself in the "energy"; see `mho.learning.nudging`."""
    readout: Readout = eqx.field(default_factory=Readout, kw_only=True)
    """How the phases' voltages are read."""
    solver: Solver = eqx.field(default_factory=Auto, kw_only=True)

    def __check_init__(self) -> None:
        beta = self.beta
        if isinstance(beta, int | float | np.number) and not (beta > 0 and beta < float("inf")):
            raise InputError(f"nudging factor β = {beta}: must be positive and finite (its sign is the variant's)")
        for name, value, known in (("variant", self.variant, Variant), ("nudging", self.nudging, Nudging)):
            if value not in get_args(known):
                raise InputError(f"{name} {value!r}: must be one of {', '.join(get_args(known))}")

    def gradient(
        self,
        network: Network,
        inputs: Array,
        targets: Array,
        *,
        trained: tuple[str, ...] = ("conductance",),
        key: Array | None = None,
    ) -> Gradient:
        """See `Rule.gradient`; the random sign and a noisy read-out need a key."""
        batch = inputs.shape[0]
        drive = network.drive(inputs)
        sign = jnp.ones((batch, 1), drive.sources.dtype)
        if self.variant == "negative":
            sign = -sign
        elif self.variant == "random-sign":
            if key is None:
                raise InputError("the random-sign variant needs a random key")
            sign = jax.random.rademacher(key, (batch, 1), sign.dtype)
        signs = jnp.concatenate([sign, -sign]) if self.variant == "centred" else sign
        phases = self._phases(network, drive, targets, self.beta * signs)
        prediction = network.prediction(phases.free)
        weight = sign / (len(signs) * self.beta)
        here, there = (self.readout.read(v, phases.rest, key, n) for n, v in enumerate((phases.here, phases.there)))

        def difference(varied: Network) -> Array:
            one, other = (varied.energy(drive, phases.voltages(phase)) for phase in (here, there))
            return jnp.sum(weight[:, 0] * (one - other))

        gradient = energy_gradient(
            network,
            trained,
            drive,
            phases.voltages(jax.tree.map(lambda a, b: 0.5 * (a + b), here, there)),
            jax.tree.map(lambda a, b: weight * (a - b), here, there),
            difference,
        )
        return Gradient(
            by_parameter=gradient,
            cost=jnp.mean(self.cost.value(prediction, targets)),
            prediction=prediction,
            residual=jnp.max(phases.residual),
            unconverged=jnp.sum(~(phases.residual <= self.solver.rtol)),
            steps=phases.steps,
            phases=phases.settled,
        )

    def share(self, network: Network) -> Array | None:
        """β in units of the least that leaves −β no state at an output; None where there is no limit, or none is known.

        The positive variant and held nudging have none; that of circuits without layers and of a user's costs is not known.
        """
        curvature = self.cost.curvature
        if self.variant == "positive" or self.nudging == "held" or curvature is None:
            return None
        if not isinstance(network, LayeredNetwork):
            return None
        resistance = 1.0 / network.layers[-1].crossbar.column_conductance()
        if network.paired_outputs:
            half = len(resistance) // 2
            resistance = resistance[:half] + resistance[half:]
        return self.beta * curvature * jnp.max(resistance)

    def settled(self, network: Network, inputs: Array, targets: Array) -> "_Phases":
        """Where samples come to rest in the phases that are compared, the first of them nudged by β."""
        drive = network.drive(inputs)
        sign = jnp.ones((len(inputs), 1), drive.sources.dtype)
        signs = jnp.concatenate([sign, -sign]) if self.variant == "centred" else sign
        return self._phases(network, drive, targets, self.beta * signs)

    def attachment(self, prediction: Callable[[], np.ndarray], target: np.ndarray, paired: bool) -> Attached:
        """The nudging by +β, or by −β in the negative variant; a random sign is taken for +. See `Rule.attachment`."""
        strength: Any = np.full((1, 1), (-1.0 if self.variant == "negative" else 1.0) * float(self.beta))
        if self.nudging == "energy":
            return EnergyNudge(self.cost, strength, target, paired)  # type: ignore[arg-type]
        return double(held_nudge)(self.cost, strength, prediction(), target, paired)  # type: ignore[arg-type]

    def _phases(self, network: Network, drive: Any, targets: Array, strength: Array) -> "_Phases":
        """Settle the free phase and those nudged by `strength`, (batch, 1) or, if there are two, (2 · batch, 1)."""
        solver, batch = self.solver, targets.shape[0]
        times = strength.shape[0] // batch
        paired = network.paired_outputs

        def copies(tree: Any) -> Any:
            return jax.tree.map(lambda x: jnp.concatenate([x] * times), tree)

        def compared(
            free: Any, nudged: Any, rest: Any, residual: Array, steps: Array, settled: tuple[Phase, ...]
        ) -> _Phases:
            other = jax.tree.map(lambda v: v[batch:], nudged)
            if times == 1:
                other = free if rest is None else jax.tree.map(jnp.zeros_like, free)
            return _Phases(free, rest, jax.tree.map(lambda v: v[:batch], nudged), other, residual, steps, settled)

        # Of a deep network float32 tells the nudged phases from the free one as deviations from it alone.
        deviating = solver.deviates(network, batch)
        if self.nudging == "energy" and solver.settles_together(network, batch) and not deviating:
            # No phase needs another's result, so all settle as one batch: each sweep passes over the conductances once.
            everyone = jnp.concatenate([jnp.zeros((batch, 1), strength.dtype), strength])
            nudge = EnergyNudge(self.cost, everyone, jnp.concatenate([targets, copies(targets)]), paired)
            point = solver.solve(network, drive.repeated(1 + times), attached=nudge)
            settled = (Phase(drive.repeated(1 + times).sources, point.voltages, nudge),)
            free, nudged = (
                jax.tree.map(lambda v, s=s: v[s], point.voltages) for s in (slice(batch), slice(batch, None))
            )
            return compared(free, nudged, None, point.residual, point.steps, settled)
        first = solver.solve(network, drive)
        free: Any = first.voltages
        if self.nudging == "held":
            nudge = held_nudge(self.cost, strength, copies(network.prediction(free)), copies(targets), paired)
        else:
            nudge = EnergyNudge(self.cost, strength, copies(targets), paired)
        everywhere = drive.repeated(times).sources
        if deviating:
            moved = nudge
            if isinstance(nudge, EnergyNudge):
                moved = eqx.tree_at(lambda n: n.rest, nudge, copies(free[-1]), is_leaf=lambda x: x is None)
            second = solver.deviate(network, drive, first.start, attached=moved, times=times)
            nudged = Phase(everywhere, copies(free), nudge, second.voltages)
        else:
            # From the free phase: Newton's method has but a step or two to go.
            second = solver.solve(network, drive.repeated(times), attached=nudge, start=copies(first.start))
            nudged = Phase(everywhere, second.voltages, nudge)
        residual = jnp.concatenate([first.residual, second.residual])
        settled = (Phase(drive.sources, free), nudged)
        rest = free if deviating else None
        return compared(free, second.voltages, rest, residual, first.steps + second.steps, settled)


class _Phases(eqx.Module):
    """The two phases whose energies are compared, as deviations from `rest`, and the free one."""

    free: Any
    rest: Any
    """The free phase, or None: then the deviations are from 0 V."""
    here: Any
    there: Any
    residual: Array
    """Of all phases' samples."""
    steps: Array
    settled: tuple[Phase, ...]

    def voltages(self, deviations: Any) -> Any:
        """Node voltages [V]."""
        return deviations if self.rest is None else jax.tree.map(jnp.add, self.rest, deviations)
