"""ngspice as a solver: the circuit simulator in the place of mho's own.

A network's circuit is parsed once, by each of the ngspice processes that share out the samples; after that only
values are altered: the sources', the programmable elements', and the nudging's. What nudges in the energy follows the
outputs by behavioural sources whose factor and targets are the voltages of nodes of their own, so those are sources' values,
too.
"""

from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mho.elements import CurrentSource
from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.nudging import EnergyNudge
from mho.netlists.writing.nudging_cards import energy_nudge_cards
from mho.networks import Circuit, LayeredNetwork, Network
from mho.ngspice.circuit_wiring import CircuitWiring
from mho.ngspice.layered_wiring import LayeredWiring
from mho.ngspice.simulator import NgspicePool
from mho.ngspice.wiring import Wiring
from mho.steady import Attached, Solution, Solver, kirchhoff_residual

_NUDGE = "mho_nudge"
"""What the nodes and cards of the nudging begin with."""


class Ngspice(Solver):
    """ngspice as the solver of one network, in processes that are kept alive. As a context manager it leaves none.

    Args:
        network: the network, layered or a circuit with an energy; the conductances of its programmable resistors and a
            layered network's bias currents may change from one call to the next, nothing else.
        cost: the cost whose energy nudges; None where held current sources do.
        processes: the number of ngspice processes; None stands for one a CPU.
        rtol: residual up to which ngspice's operating points are counted as converged.

    Raises:
        InputError: ngspice is missing or refuses the circuit, or there are fewer than one process.
        SpiceError: ngspice dies.
    """

    traceable = False

    _cost: Cost | None = eqx.field(static=True, kw_only=True)
    _wiring: Wiring = eqx.field(static=True, kw_only=True)
    _fixed: list[Any] = eqx.field(kw_only=True)
    _pool: NgspicePool = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        network: LayeredNetwork | Circuit,
        cost: Cost | None = None,
        *,
        processes: int | None = None,
        rtol: float = 1e-5,
    ) -> None:
        self.rtol, self.max_steps = rtol, 0
        wiring: Any = LayeredWiring(network) if isinstance(network, LayeredNetwork) else CircuitWiring(network)
        self._cost, self._wiring, self._fixed = cost, wiring, list(wiring.fixed(network))
        cards, elements = list(wiring.cards), list(wiring.elements)
        if cost is None:
            cards += [f"I{_NUDGE}_{k} {minus} {plus} DC 0" for k, (plus, minus) in enumerate(wiring.held)]
            elements += [f"i{_NUDGE}_{k}" for k in range(len(wiring.held))]
        else:
            held = [_NUDGE, *(f"{_NUDGE}_target_{k}" for k in range(len(wiring.predictions)))]
            cards += [f"V{node} {node} 0 DC 0" for node in held]
            wanted = [f"V({node})" for node in held[1:]]
            cards += energy_nudge_cards(cost, f"V({_NUDGE})", wanted, wiring.predictions)
            elements += [f"v{node}" for node in held]
        text = "\n".join([*cards, ".end\n"])
        self._pool = NgspicePool(text, elements, wiring.nodes, processes=processes, gmin=wiring.gmin)

    def suits(self, network: Network) -> bool:
        """Networks of the circuit that it was given; `solve` tells."""
        return isinstance(network, LayeredNetwork | Circuit)

    def solve(
        self,
        network: Any,
        drive: Any,
        *,
        attached: Attached | None = None,
        start: Any = None,
    ) -> Solution:
        """Operating points, as `Solver.solve`; not to be traced by JAX.

        `start` is not used: ngspice starts from the operating point before, and converges to 1e-9 or fails.

        Returns:
            Voltages in the drive's precision; Kirchhoff's residual of ngspice's own, which is infinite, and the voltages
            NaN, where negative nudging leaves no stable state; 0 steps.

        Raises:
            InputError: the circuit is another than it was, but for its conductances and bias currents, or what is attached
                is of another kind.
            SpiceError: a sample does not converge, or ngspice dies.
        """
        del start
        wiring = self._wiring
        for before, now in zip(self._fixed, wiring.fixed(network), strict=True):
            if not np.array_equal(before, now):
                raise InputError("an element's parameter has changed, and ngspice's models stay as they were parsed")
        batch, shared = drive.sources.shape[0], wiring.values(network)
        sources = wiring.sources(network, drive)
        values = [sources, np.broadcast_to(shared, (batch, len(shared))), self._nudge_values(attached, batch)]
        # A sample's phases follow each other: then only the nudging is altered, and ngspice starts close by.
        order = np.argsort(np.unique(sources, axis=0, return_inverse=True)[1].reshape(-1), kind="stable")
        found = np.empty((batch, len(wiring.nodes)))
        found[order] = self._pool.operating_points(np.concatenate(values, 1)[order])
        residual: Any = kirchhoff_residual(network, drive.sources, wiring.voltages(network, drive, found), attached)
        stable = wiring.stable(drive, attached)
        residual = np.where(stable, np.asarray(residual), np.inf)
        voltages = wiring.voltages(network, drive, np.where(stable[:, None], found, np.nan))
        dtype = drive.sources.dtype
        voltages = jax.tree.map(lambda v: jnp.asarray(v, dtype), voltages)
        return Solution(voltages, jnp.asarray(residual, dtype), jnp.int32(0))

    def respond(self, network: Any, drive: Any, voltages: Any, forces: Any) -> Solution:
        """Not offered.

        Raises:
            NotImplementedError: always; mho's own solvers respond.
        """
        raise NotImplementedError("ngspice gives no linear response; use one of mho's own solvers")

    def close(self) -> None:
        """End the processes; twice does no harm."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _nudge_values(self, attached: Attached | None, batch: int) -> np.ndarray:
        if attached is None:
            return np.zeros(
                (batch, len(self._wiring.held) if self._cost is None else 1 + len(self._wiring.predictions))
            )
        if isinstance(attached, CurrentSource) and self._cost is None:
            return np.broadcast_to(np.asarray(attached.injected, np.float64), (batch, len(self._wiring.held)))
        if isinstance(attached, EnergyNudge) and attached.cost == self._cost:
            return np.concatenate(
                [np.asarray(attached.strength, np.float64), np.asarray(attached.target, np.float64)], 1
            )
        raise InputError(f"the circuit was not parsed with a {type(attached).__name__} of this cost at its outputs")
