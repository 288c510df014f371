"""Coupled learning: the free state against one in which the outputs are held a little nearer to their targets.

Source: Stern, Hexner, Rocks and Liu 2021, "Supervised learning in physical networks: from machine learning to learning
machines", Phys. Rev. X 11, 021045 (arXiv:2011.00098).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from mho.errors import InputError
from mho.learning.cost import SquaredError
from mho.learning.gradient import Gradient, Phase, energy_gradient
from mho.learning.readout import Readout
from mho.learning.rule import Rule
from mho.networks import Network
from mho.steady import Auto, Clamp, Solver


class CoupledLearning(Rule):
    """Descent direction of coupled learning: (1/η) [∂E/∂θ(clamped) − ∂E/∂θ(free)], averaged over the batch.

    In the clamped phase sources hold the outputs at v_free + η·(target − v_free). For a conductance it is
    (1/η)·½[(Δv_clamped)² − (Δv_free)²]; a step of −γ times it is the paper's rule (its equation 8). As η → 0 it tends
    to the gradient of ½ (v − y)ᵀ R⁻¹ (v − y) at fixed R, the outputs' resistance matrix: a contrast, not the squared
    error's gradient. The cost reported is the squared error ½ Σ (v − y)².

    Raises:
        InputError: for an η outside (0, 1].
    """

    eta: float = eqx.field(default=0.1, kw_only=True)
    """η, in (0, 1]."""
    readout: Readout = eqx.field(default_factory=Readout, kw_only=True)
    """How the two states' voltages are read."""
    solver: Solver = eqx.field(default_factory=Auto, kw_only=True)

    def __check_init__(self) -> None:
        if not isinstance(self.eta, Tracer) and not 0 < self.eta <= 1:
            raise InputError(f"clamping amplitude η = {self.eta}: must be above 0 and at most 1")

    def gradient(
        self,
        network: Network,
        inputs: Array,
        targets: Array,
        *,
        trained: tuple[str, ...] = ("conductance",),
        key: Array | None = None,
    ) -> Gradient:
        """See `Rule.gradient` and above; a noisy read-out needs a key."""
        solver, batch = self.solver, inputs.shape[0]
        drive = network.drive(inputs)
        free = solver.solve(network, drive)
        prediction = network.prediction(free.voltages)
        towards = self.eta * (targets - prediction)
        clamp = Clamp(prediction + towards, network.paired_outputs)
        weight = 1.0 / (self.eta * batch)
        if solver.deviates(network, batch):
            # Of a deep network float32 tells the clamped phase from the free one as deviations from it alone.
            clamped = solver.deviate(
                network, drive, free.start, attached=Clamp(towards, network.paired_outputs), times=1
            )
            moved = clamped.voltages
            there = jax.tree.map(jnp.add, free.voltages, moved)
            phase = Phase(drive.sources, free.voltages, clamp, moved)
        else:
            clamped = solver.solve(network, drive, attached=clamp, start=free.start)
            there = clamped.voltages
            moved = jax.tree.map(jnp.subtract, there, free.voltages)
            phase = Phase(drive.sources, there, clamp)
        here, change = free.voltages, moved
        if not self.readout.exact:
            still = self.readout.read(jax.tree.map(jnp.zeros_like, moved), here, key)
            change = jax.tree.map(jnp.subtract, self.readout.read(moved, here, key, 1), still)
            here = jax.tree.map(jnp.add, here, still)
            there = jax.tree.map(jnp.add, here, change)

        def difference(varied: Network) -> Array:
            return weight * jnp.sum(varied.energy(drive, there) - varied.energy(drive, here))

        direction = energy_gradient(
            network,
            trained,
            drive,
            jax.tree.map(lambda a, b: 0.5 * (a + b), there, here),
            jax.tree.map(lambda x: weight * x, change),
            difference,
        )
        residual = jnp.concatenate([free.residual, clamped.residual])
        return Gradient(
            by_parameter=direction,
            cost=jnp.mean(SquaredError().value(prediction, targets)),
            prediction=prediction,
            residual=jnp.max(residual),
            unconverged=jnp.sum(~(residual <= solver.rtol)),
            steps=free.steps + clamped.steps,
            phases=(Phase(drive.sources, free.voltages), phase),
        )

    def attachment(self, prediction: Callable[[], np.ndarray], target: np.ndarray, paired: bool) -> Clamp:
        """The clamps: see `Rule.attachment`."""
        free = prediction()
        return Clamp(free + self.eta * (target - free), paired)  # type: ignore[arg-type]
