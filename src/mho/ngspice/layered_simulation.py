"""Layered networks settled by ngspice: the circuit simulator in the place of mho's own solver.

The network's circuit is parsed once, by each of the ngspice processes that share out the samples; after that only
values are altered: the sources', the resistors', the bias currents', and the nudging's. What nudges in the energy
follows the outputs by behavioural sources whose factor and targets are the voltages of nodes of their own, so those
are sources' values, too.
"""

from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements import CurrentSource, TwoTerminal
from mho.errors import InputError
from mho.learning.cost import Cost
from mho.learning.nudging import EnergyNudge
from mho.netlists.writing.dialects import LEAST_GMIN
from mho.netlists.writing.layered_netlist import network_cards, node_names, prediction_ends, source_nodes
from mho.netlists.writing.nudging_cards import energy_nudge_cards
from mho.networks import LayeredNetwork, Voltages
from mho.ngspice.simulator import NgspicePool
from mho.steady import Load, OperatingPoint, kirchhoff_residual


class SimulatedNetwork:
    """A layered network's circuit in kept-alive ngspice processes. As a context manager it leaves none behind.

    Args:
        network: the network; its conductances and bias currents may change from one call to the next, its elements'
            parameters and gains may not.
        cost: the cost whose energy nudges; None where held current sources do.
        processes: the number of ngspice processes; None stands for one a CPU.

    Raises:
        InputError: ngspice is missing or refuses the circuit, or there are fewer than one process.
        SpiceError: ngspice dies.
    """

    def __init__(self, network: LayeredNetwork, cost: Cost | None = None, *, processes: int | None = None) -> None:
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

    def settle(
        self,
        network: LayeredNetwork,
        load: Load,
        *,
        nudge: TwoTerminal | None = None,
        start: Voltages | None = None,
        rtol: float,
        max_sweeps: int,
    ) -> OperatingPoint:
        """Operating points, in the manner of `mho.steady.settle`; not to be traced by JAX.

        Args:
            network: the network, as it now is.
            load: its sources, from `mho.steady.load`.
            nudge: what the nudging attaches to the output nodes; None in the free phase.
            start: unused: ngspice starts from the operating point before.
            rtol: unused: ngspice converges to 1e-9 or fails.
            max_sweeps: unused.

        Returns:
            Voltages in the load's precision; Kirchhoff's residual of ngspice's own, which is infinite, and the voltages
            NaN, where negative nudging leaves no stable state; 0 sweeps.

        Raises:
            InputError: the circuit is another than it was, but for its conductances and bias currents, or its nudging
                is of another kind.
            SpiceError: a sample does not converge, or ngspice dies.
        """
        del start, rtol, max_sweeps
        for before, now in zip(self._fixed, _fixed_parameters(network), strict=True):
            if not np.array_equal(before, now):
                raise InputError("an element's parameter has changed, and ngspice's models stay as they were parsed")
        batch = load.sources.shape[0]
        shared = np.concatenate(_network_values(network))
        drive = np.asarray(load.sources, np.float64)
        if network.layers[0].crossbar.mirrored:
            drive = np.concatenate([drive, -drive], 1)
        values = [drive, np.broadcast_to(shared, (batch, len(shared))), self._nudge_values(nudge, batch)]
        # A sample's phases follow each other: then only the nudging is altered, and ngspice starts close by.
        order = np.argsort(np.unique(drive, axis=0, return_inverse=True)[1].reshape(-1), kind="stable")
        found = np.empty((batch, sum(self._widths)))
        found[order] = self._pool.operating_points(np.concatenate(values, 1)[order])
        voltages = tuple(np.split(found, np.cumsum(self._widths)[:-1], 1))
        residual = np.asarray(kirchhoff_residual(network, load.sources, voltages, nudge))  # type: ignore[arg-type]
        if isinstance(nudge, EnergyNudge):
            rest = jnp.zeros((batch, self._widths[-1]))
            nudged = np.asarray(nudge.node_voltage(load.conductances[-1], rest, rest))
            unstable = np.logical_not(np.isfinite(nudged).all(axis=1))
            residual = np.where(unstable, np.inf, residual)
            voltages = tuple(np.where(unstable.reshape(-1, 1), np.nan, v) for v in voltages)
        dtype = load.sources.dtype
        return OperatingPoint(
            tuple(jnp.asarray(v, dtype) for v in voltages), jnp.asarray(residual, dtype), jnp.int32(0)
        )

    def close(self) -> None:
        """End the processes; twice does no harm."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _nudge_values(self, nudge: TwoTerminal | None, batch: int) -> np.ndarray:
        if nudge is None:
            count = self._widths[-1] if self._cost is None else 1 + self._classes
            return np.zeros((batch, count))
        if isinstance(nudge, CurrentSource) and self._cost is None:
            return np.broadcast_to(np.asarray(nudge.injected, np.float64), (batch, self._widths[-1]))
        if isinstance(nudge, EnergyNudge) and nudge.cost == self._cost:
            return np.concatenate([np.asarray(nudge.strength, np.float64), np.asarray(nudge.target, np.float64)], 1)
        raise InputError(f"the circuit was not parsed with a {type(nudge).__name__} of this cost at its outputs")


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
