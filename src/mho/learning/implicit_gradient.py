"""The exact gradient, by implicit differentiation of the steady state: the referee of equilibrium propagation.

At a steady state ∂E/∂v = 0, so dC/dθ = −∂C/∂vᵀ (∂²E/∂v²)⁻¹ ∂²E/∂v∂θ. With ζ the linear response of the node voltages to
currents −∂C/∂v at the outputs, that is ζᵀ ∂²E/∂v∂θ: equilibrium propagation in the limit of small β. Where amplifiers are
not reciprocal and there is no E, the currents F out of the nodes stand for ∂E/∂v, and ζ is the response of the adjoint
network, (∂F/∂v)⁻ᵀ (`Network.work`).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.errors import InputError
from mho.learning.cost import Cost, SquaredError
from mho.learning.gradient import Gradient, Phase, energy_gradient, trained_part
from mho.learning.rule import Rule
from mho.networks import Network
from mho.steady import Attached, Auto, NodalNewton, Solver


class ImplicitGradient(Rule):
    """Gradient of a batch's mean cost by implicit differentiation of the steady state."""

    cost: Cost = eqx.field(default_factory=SquaredError)
    """Of a sample."""
    solver: Solver = eqx.field(default_factory=Auto, kw_only=True)
    """Its tolerance is that of the linear response, too."""

    def gradient(
        self,
        network: Network,
        inputs: Array,
        targets: Array,
        *,
        trained: tuple[str, ...] = ("conductance",),
        key: Array | None = None,
    ) -> Gradient:
        """See `Rule.gradient`."""
        trained_part(network, trained)  # refuses what cannot be trained before the work
        drive = network.drive(inputs)
        free = self.solver.solve(network, drive)
        prediction = network.prediction(free.voltages)
        weight = network.output_weight
        pull = jax.tree.map(
            lambda force: -weight * force, network.output_forces(self.cost.gradient(prediction, targets))
        )
        response = self.solver.respond(network, drive, free.voltages, pull)
        change = jax.tree.map(lambda v: v / inputs.shape[0], response.voltages)

        def difference(varied: Network) -> Array:
            return jnp.sum(varied.work(drive, free.voltages, change))

        solver = self.solver
        if isinstance(solver, NodalNewton) and "parameter" in trained:
            local = tuple(kind for kind in trained if kind != "parameter")
            gradient = energy_gradient(network, local, drive, free.voltages, change, difference)
            slopes = [s / len(inputs) for s in solver.sensitivity(network, drive, response)]  # type: ignore[arg-type]
            gradient = eqx.tree_at(
                lambda c: [p.value for p in c.programmables], gradient, slopes, is_leaf=lambda x: x is None
            )
        else:
            # Local products are of this network's voltages at both ends of a resistor: the adjoint's stand elsewhere.
            local = network.reciprocal
            gradient = energy_gradient(network, trained, drive, free.voltages, change, difference, local=local)
        residual = jnp.concatenate([free.residual, response.residual])
        return Gradient(
            by_parameter=gradient,
            cost=jnp.mean(self.cost.value(prediction, targets)),
            prediction=prediction,
            residual=jnp.max(residual),
            unconverged=jnp.sum(~(residual <= self.solver.rtol)),
            steps=free.steps + response.steps,
            phases=(Phase(drive.sources, free.voltages),),
        )

    def attachment(self, prediction: Callable[[], np.ndarray], target: np.ndarray, paired: bool) -> Attached:
        """None: see `Rule.attachment`."""
        raise InputError("implicit differentiation has the free phase alone: it nudges nothing")
