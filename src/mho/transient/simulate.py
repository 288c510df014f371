"""Transients: a circuit's voltages in time, by Diffrax.

The equations are stiff (a diode's time constant spans decades), so the integrator is Kværnø's 5(4) method, an ESDIRK that
is L-stable and stiffly accurate (Kværnø 2004, BIT 44, 489-502), with steps by a PID controller on its embedded error.
"""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mho.errors import MhoError
from mho.precision import double
from mho.transient.dynamics import Dynamics

_RTOL = 1e-6
_ATOL = 1e-7
"""Error of a step, of the worst state: this share of a capacitor's voltage and these volts."""
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


Simulate = Callable[..., Waveforms]


def simulator(
    dynamics: Dynamics,
    sources: Callable[[Array, Array], Array],
    *,
    tally: Callable[[Array, Array], Array] = lambda y, r: jnp.zeros(0),
) -> Simulate:
    """A function that integrates a circuit's ODE in float64, compiled at its first call.

    Args:
        dynamics: the ODE.
        sources: values r of the sources, (size,), at a time [s] and for a call's own argument.
        tally: what to integrate in time, of the unknowns and the sources' values: a vector.

    Returns:
        A function of (start, times, argument, corners, max_step): the state at the first time [V], (states,); increasing
        times to report [s], at least two; an array for `sources`; times at which the sources bend [s]; the largest step [s].
        It raises MhoError if the steps become too many or the resistive rest has no solution.
    """

    @jax.jit
    def run(
        start: Array, reported: Array, begin: Array, span: Array, argument: Array, bends: Array, largest: Array
    ) -> tuple[Array, Array, Array, Array]:
        # Time counts from 0 to 1: differences of nanoseconds would drown in the solver's own absolute constants.
        def at(time: Array) -> Array:
            return sources(begin + span * time, argument)

        def rate(time: Any, state: tuple[Array, Array], args: object) -> tuple[Array, Array]:
            r, r_rate = jax.jvp(at, (time,), (jnp.ones_like(time),))  # per span
            y = dynamics.unknowns(state[0], r)
            return span * dynamics.rate_at(y, r, r_rate / span), span * tally(y, r)

        tallies = jax.eval_shape(tally, jnp.zeros(dynamics.system.size), at(begin)).shape
        controller = diffrax.PIDController(
            rtol=_RTOL, atol=_ATOL, dtmax=largest, norm=lambda error: jnp.max(jnp.abs(error[0]))
        )
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(rate),
            diffrax.Kvaerno5(),
            0.0,
            1.0,
            None,
            (start, jnp.zeros(tallies)),
            saveat=diffrax.SaveAt(ts=reported),
            stepsize_controller=diffrax.ClipStepSizeController(controller, jump_ts=bends if bends.size else None),
            max_steps=_MAX_STEPS,
            throw=False,
        )
        assert solution.ys is not None
        states, totals = solution.ys
        unknowns = jax.vmap(lambda a, t: dynamics.unknowns(a, at(t)))(states, reported)
        return unknowns, totals, solution.stats["num_steps"], diffrax.is_successful(solution.result)

    integrate = double(run)

    def simulate(
        start: np.ndarray,
        times: np.ndarray,
        argument: ArrayLike = 0.0,
        corners: ArrayLike = (),
        max_step: float = np.inf,
    ) -> Waveforms:
        begin, span = times[0], times[-1] - times[0]
        bends = np.unique((np.asarray(corners, np.float64) - begin) / span)
        given = (start, (times - begin) / span, begin, span, np.asarray(argument, np.float64))
        largest = np.asarray(min(1.0, max_step / span))
        with np.errstate(all="ignore"):
            unknowns, totals, steps, fine = integrate(*given, bends[(bends > 0) & (bends < 1)], largest)  # type: ignore[arg-type]
        if not fine or not np.isfinite(unknowns).all():
            reached = times[np.isfinite(np.asarray(unknowns)).all(1)]
            where = f"{reached[-1]:.4g} s" if len(reached) else "its start"
            raise MhoError(
                f"the transient does not get beyond {where}, in {int(steps)} steps: no solution, or too stiff"
            )
        return Waveforms(times, np.asarray(unknowns), np.asarray(totals), int(steps))

    return simulate
