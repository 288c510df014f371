"""Transients: a circuit's voltages in time, by Diffrax.

The equations are stiff (a diode's time constant spans decades), so the integrator is Kværnø's 5(4) method, an ESDIRK that
is L-stable and stiffly accurate (Kværnø 2004, BIT 44, 489-502), with steps by a PID controller on its embedded error.
"""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.errors import MhoError
from mho.precision import double
from mho.transient.dynamics import Dynamics

_RTOL = 1e-6
_ATOL = 1e-7
"""Error of a step: this share of a capacitor's voltage and these volts."""
_MAX_STEPS = 200_000


class Waveforms(eqx.Module):
    """What a transient is made of, at the times asked for."""

    times: np.ndarray
    """(times,) [s]."""
    unknowns: np.ndarray
    """Node voltages [V], ground left out, then what else is unknown; (times, size)."""
    accumulated: np.ndarray
    """The integral of the tally from the first time, (times, tallies)."""
    steps: int


def simulate(
    dynamics: Dynamics,
    start: np.ndarray,
    times: np.ndarray,
    sources: Callable[[Array], Array],
    *,
    corners: np.ndarray | None = None,
    max_step: float | None = None,
    tally: Callable[[Array, Array], Array] = lambda y, r: jnp.zeros(0),
) -> Waveforms:
    """Integrate from the first time to the last, in float64.

    Args:
        dynamics: the circuit's ODE.
        start: state at the first time [V], (states,).
        times: increasing times to report [s], at least two.
        sources: values r of the sources, (size,), at a time [s]; compiled by JAX.
        corners: times between them at which the sources bend [s].
        max_step: largest step [s].
        tally: what to integrate in time, of the unknowns and the sources' values: a vector.

    Raises:
        MhoError: if the steps become too many or the resistive rest has no solution.
    """
    with np.errstate(all="ignore"):
        return _simulate(dynamics, start, times, sources, corners, max_step, tally)


@double
def _simulate(
    dynamics: Dynamics,
    start: np.ndarray,
    times: np.ndarray,
    sources: Callable[[Array], Array],
    corners: np.ndarray | None,
    max_step: float | None,
    tally: Callable[[Array, Array], Array],
) -> Waveforms:
    # Time counts from 0 to 1: differences of nanoseconds would drown in the solver's own absolute constants.
    begin, span = times[0], times[-1] - times[0]

    def at(time: Array) -> Array:
        return sources(begin + span * time)

    def rate(time: Array, state: tuple[Array, Array], args: object) -> tuple[Array, Array]:
        r = at(time)
        y = dynamics.unknowns(state[0], r)
        return span * (dynamics.drive @ dynamics.imbalance(y, r)), span * tally(y, r)

    controller: diffrax.AbstractStepSizeController = diffrax.PIDController(
        rtol=_RTOL,
        atol=_ATOL,
        dtmax=None if max_step is None else min(1.0, max_step / span),
        norm=lambda error: _largest(error[0]),
    )
    if corners is not None and len(corners):
        bends = np.unique((corners - begin) / span)
        controller = diffrax.ClipStepSizeController(controller, jump_ts=bends[(bends > 0) & (bends < 1)])
    initial = (jnp.asarray(start), jnp.zeros(jax.eval_shape(tally, jnp.zeros(dynamics.system.size), at(0.0)).shape))

    @jax.jit
    def run(initial: tuple[Array, Array], reported: Array) -> tuple[Array, Array, Array, Array]:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(rate),
            diffrax.Kvaerno5(),
            0.0,
            1.0,
            None,
            initial,
            saveat=diffrax.SaveAt(ts=reported),
            stepsize_controller=controller,
            max_steps=_MAX_STEPS,
            throw=False,
        )
        assert solution.ys is not None
        states, totals = solution.ys
        unknowns = jax.vmap(lambda a, t: dynamics.unknowns(a, at(t)))(states, reported)
        return unknowns, totals, solution.stats["num_steps"], diffrax.is_successful(solution.result)

    reported = (times - begin) / span
    unknowns, totals, steps, fine = run(initial, jnp.asarray(reported))
    if not fine or not np.isfinite(unknowns).all():
        reached = times[np.isfinite(unknowns).all(1)]
        where = f"{reached[-1]:.4g} s" if len(reached) else "its start"
        raise MhoError(f"the transient does not get beyond {where}, in {int(steps)} steps: no solution, or too stiff")
    return Waveforms(times, unknowns, totals, int(steps))  # type: ignore[arg-type]


def _largest(error: Array) -> Array:
    """The largest error of a state: every node is to be followed, not their mean."""
    return jnp.max(jnp.abs(error))
