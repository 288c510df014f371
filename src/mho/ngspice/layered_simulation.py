"""Layered networks settled by ngspice: the circuit simulator in the place of mho's own solver.

The network's circuit is parsed once, by each of the ngspice processes that share out the samples; after that only
values are altered: the sources', the resistors', the bias currents', and the nudging's. What nudges in the energy
follows the outputs by behavioural sources whose factor and targets are the voltages of nodes of their own, so those
are sources' values, too.
"""

from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements import CurrentSource
from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.nudging import EnergyNudge
from mho.netlists.writing.dialects import LEAST_GMIN
from mho.netlists.writing.layered_netlist import network_cards, node_names, prediction_ends, source_nodes
from mho.netlists.writing.nudging_cards import energy_nudge_cards
from mho.networks import LayeredDrive, LayeredNetwork, Network, Voltages
from mho.ngspice.simulator import NgspicePool
from mho.steady import Attached, Solution, Solver, kirchhoff_residual


class Ngspice(Solver):
    """ngspice as the solver of one layered network, in processes that are kept alive. As a context manager it leaves none.

    Args:
        network: the network; its conductances and bias currents may change from one call to the next, its elements'
            parameters and gains may not.
        cost: the cost whose energy nudges; None where held current sources do.
        processes: the number of ngspice processes; None stands for one a CPU.
        rtol: residual up to which ngspice's operating points are counted as converged.

    Raises:
        InputError: ngspice is missing or refuses the circuit, or there are fewer than one process.
        SpiceError: ngspice dies.
    """

    traceable = False

    _cost: Cost | None = eqx.field(static=True, kw_only=True)
    _widths: list[int] = eqx.field(static=True, kw_only=True)
    _fixed: list[Array] = eqx.field(kw_only=True)
    _classes: int = eqx.field(static=True, kw_only=True)
    _pool: NgspicePool = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        network: LayeredNetwork,
        cost: Cost | None = None,
        *,
        processes: int | None = None,
        rtol: float = 1e-5,
    ) -> None:
        self.rtol, self.max_steps = rtol, 0
        layers = node_names(network)
        self._cost = cost
        self._widths = [len(nodes) for nodes in layers]
        self._fixed = _fixed_parameters(network)
        rows = source_nodes(network)
        cards = ["layered resistive network", *(f"V{node} {node} 0 DC 0" for nodes in rows for node in nodes)]
        cards += network_cards(network)
        elements = [f"v{node}" for nodes in rows for node in nodes]
        for index, (layer, nodes) in enumerate(zip(network.layers, layers, strict=True)):
            for (row, column, _), polarity in zip(layer.crossbar.single_resistors(), rows, strict=True):
                elements += [f"r{polarity[i]}_{nodes[j]}" for i, j in zip(row.tolist(), column.tolist(), strict=True)]
            if layer.bias is not None:
                elements += [f"i{node}" for node in nodes]
            rows = (nodes if layer.amplifier is None else [f"a{index + 1}_{k}" for k in range(len(nodes))],)
        outputs = layers[-1]
        self._classes = len(outputs) // (2 if network.paired_outputs else 1)
        if cost is None:
            cards += [f"Inudge_{k} 0 {node} DC 0" for k, node in enumerate(outputs)]
            elements += [f"inudge_{k}" for k in range(len(outputs))]
        else:
            held = ["strength", *(f"target_{k}" for k in range(self._classes))]
            cards += [f"V{node} {node} 0 DC 0" for node in held]
            wanted = [f"V({node})" for node in held[1:]]
            cards += energy_nudge_cards(cost, "V(strength)", wanted, prediction_ends(network))
            elements += [f"v{node}" for node in held]
        text = "\n".join([*cards, ".end\n"])
        nodes = [node for names in layers for node in names]
        self._pool = NgspicePool(text, elements, nodes, processes=processes, gmin=LEAST_GMIN)

    def suits(self, network: Network) -> bool:
        """Layered networks of the circuit that it was given; `solve` tells."""
        return isinstance(network, LayeredNetwork)

    def solve(
        self,
        network: LayeredNetwork,
        drive: LayeredDrive,
        *,
        attached: Attached | None = None,
        start: Voltages | None = None,
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
        for before, now in zip(self._fixed, _fixed_parameters(network), strict=True):
            if not np.array_equal(before, now):
                raise InputError("an element's parameter has changed, and ngspice's models stay as they were parsed")
        batch = drive.sources.shape[0]
        shared = np.concatenate(_network_values(network))
        sources = np.asarray(drive.sources, np.float64)
        if network.layers[0].crossbar.mirrored:
            sources = np.concatenate([sources, -sources], 1)
        values = [sources, np.broadcast_to(shared, (batch, len(shared))), self._nudge_values(attached, batch)]
        # A sample's phases follow each other: then only the nudging is altered, and ngspice starts close by.
        order = np.argsort(np.unique(sources, axis=0, return_inverse=True)[1].reshape(-1), kind="stable")
        found = np.empty((batch, sum(self._widths)))
        found[order] = self._pool.operating_points(np.concatenate(values, 1)[order])
        voltages = tuple(np.split(found, np.cumsum(self._widths)[:-1], 1))
        residual = np.asarray(kirchhoff_residual(network, drive.sources, voltages, attached))  # type: ignore[arg-type]
        if isinstance(attached, EnergyNudge):
            rest = jnp.zeros((batch, self._widths[-1]))
            nudged = np.asarray(attached.node_voltage(drive.conductances[-1], rest, rest))
            unstable = np.logical_not(np.isfinite(nudged).all(axis=1))
            residual = np.where(unstable, np.inf, residual)
            voltages = tuple(np.where(unstable.reshape(-1, 1), np.nan, v) for v in voltages)
        dtype = drive.sources.dtype
        return Solution(tuple(jnp.asarray(v, dtype) for v in voltages), jnp.asarray(residual, dtype), jnp.int32(0))

    def respond(self, network: LayeredNetwork, drive: LayeredDrive, voltages: Voltages, forces: Any) -> Solution:
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
            count = self._widths[-1] if self._cost is None else 1 + self._classes
            return np.zeros((batch, count))
        if isinstance(attached, CurrentSource) and self._cost is None:
            return np.broadcast_to(np.asarray(attached.injected, np.float64), (batch, self._widths[-1]))
        if isinstance(attached, EnergyNudge) and attached.cost == self._cost:
            return np.concatenate(
                [np.asarray(attached.strength, np.float64), np.asarray(attached.target, np.float64)], 1
            )
        raise InputError(f"the circuit was not parsed with a {type(attached).__name__} of this cost at its outputs")


def _network_values(network: LayeredNetwork) -> list[np.ndarray]:
    """Ohms of the crossbars and amperes of the biases, in the order of the cards."""
    values = []
    for layer in network.layers:
        values += [1.0 / conductance for _, _, conductance in layer.crossbar.single_resistors()]
        if layer.bias is not None:
            values.append(np.asarray(layer.bias.injected, np.float64))
    return values


def _fixed_parameters(network: LayeredNetwork) -> list[Array]:
    return jax.tree.leaves([(layer.element, layer.amplifier) for layer in network.layers])
