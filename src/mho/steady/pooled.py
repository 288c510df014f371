"""Steady states of networks with pooling: each pooling node settles together with the nodes of its window.

Every row of a pooling crossbar has one resistor, so a window's nodes are joined by their pooling node alone: given what
else drives them, their voltages v_k are functions of its voltage p, and Kirchhoff's law at it is one scalar equation,
F(p) = A p − g Σ_k v_k(p) − d = 0, with A its total conductance and d what else drives it at 0 V. A sweep is that of
`mho.steady.coordinate_descent`, with one step of Newton's method in p for the window. The slope of F,
A − Σ_k g²/(a_k + i'(v_k)), lies between 0 and A; with half of A at the least no step lets the energy rise. The windows'
nodes, most of the network, are passed over once a sweep and not written: they follow from p.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.networks import LayeredDrive, LayeredNetwork, Network, PoolingCrossbar, Voltages
from mho.steady.attachment import Attached
from mho.steady.coordinate_descent import LayeredSolver, drawn_back, imbalance, node_voltage
from mho.steady.solver import Solution

_ULPS = 8
"""Of the largest voltage in the next layer: what float arithmetic leaves of these voltages' own equations."""


class _Nodes:
    """A layer whose nodes settle each on its own."""

    def __init__(self, network: LayeredNetwork, index: int, drive: LayeredDrive, attached: Attached | None) -> None:
        self.head = self.index = index
        """The first and the last layer of what settles together."""
        self._conductance = drive.conductances[index]
        self._element = attached if index + 1 == len(network.layers) else network.layers[index].element

    def arranged(self, ahead: Array) -> Array:
        """Currents into the first layer's nodes from the layer before, in the order in which `follow` takes them."""
        return ahead

    def follow(self, ahead: Array, voltage: Array) -> tuple[Array, None]:
        """Currents into the last layer's nodes at 0 V [A]."""
        return _repeated(ahead, voltage), None

    def settled(self, current: Array, slope: Any, voltage: Array) -> Array:
        """Voltages of the last layer's nodes [V], given all currents into them at 0 V."""
        return node_voltage(self._element, self._conductance, current, voltage)

    def resting(self, voltage: Array, back: Array) -> tuple[Array, None]:
        """What `follow` would have to return for the nodes to stay where they are, given what flows back into them [A]."""
        return self._conductance * voltage - back, None

    def head_voltage(self, ahead: Array, voltage: Array) -> Array:
        """Voltages of the first layer's nodes [V]."""
        return voltage

    def out_of_balance(self, current: Array, voltage: Array, following: Array | None) -> Array:
        """Each sample's residual, (batch,), given what is driven into the nodes and the next layer's voltages."""
        out, total = imbalance(self._element, self._conductance, current, voltage)
        return out / total


class _Windows:
    """A pooling layer and the nodes of its windows. See `_Nodes`; `voltage` is the pooling nodes', (batch, windows)."""

    def __init__(self, network: LayeredNetwork, index: int, drive: LayeredDrive) -> None:
        pool, nodes = network.layers[index].crossbar, drive.conductances[index - 1]
        assert isinstance(pool, PoolingCrossbar)

        def by_window(leaf: Array) -> Array:
            return pool.by_window(leaf) if jnp.shape(leaf)[-1:] == nodes.shape else leaf

        self.head, self.index = index - 1, index
        self._network, self._pool = network, pool
        self._conductance, self._nodes, self._windows = drive.conductances[index], nodes, by_window(nodes)
        self._back = network.layers[index].drawn(network.layers[index + 1].crossbar.row_conductance())
        self._element = jax.tree.map(by_window, network.layers[index - 1].element)

    def arranged(self, ahead: Array) -> Array:
        return self._pool.by_window(ahead)

    def follow(self, ahead: Array, voltage: Array) -> tuple[Array, Array]:
        """Currents that the windows' nodes, which follow the pooling nodes' voltage, drive into them [A]; F's slope [S]."""
        layer, bias = self._network.layers[self.head], self._network.layers[self.index].bias
        # Of the sources' currents there is one set for all phases.
        pooled = layer.drawn(self._pool.conductance * voltage.reshape(-1, len(ahead), voltage.shape[1]))
        driven = yielding = jnp.zeros(())
        # Entry by entry, which XLA makes one pass of; a sum over an axis would first write what it sums.
        for entry in range(ahead.shape[1]):
            stiffness, current = self._windows[entry], ahead[:, entry] + pooled
            element = jax.tree.map(lambda p, k=entry: p[..., k, :] if jnp.ndim(p) > 1 else p, self._element)
            nodes = node_voltage(element, stiffness, current, jnp.zeros_like(current))
            stiffness = stiffness if element is None else stiffness + element.slope(nodes)
            driven += nodes
            yielding += 1.0 / stiffness
        driven = self._pool.conductance * layer.amplified(driven).reshape(voltage.shape)
        # There and back through the window's amplifiers.
        returned = self._pool.conductance * layer.reflected(self._pool.conductance)
        yielding = returned * jnp.broadcast_to(yielding, pooled.shape)
        slope = jnp.maximum(self._conductance - yielding.reshape(voltage.shape), 0.5 * self._conductance)
        return (driven if bias is None else driven + bias.injected), slope

    def settled(self, current: Array, slope: Any, voltage: Array) -> Array:
        return voltage + (current - self._conductance * voltage) / slope

    def resting(self, voltage: Array, back: Array) -> tuple[Array, Array]:
        return self._conductance * voltage - back, jnp.broadcast_to(self._conductance, voltage.shape)

    def head_voltage(self, ahead: Array, voltage: Array) -> Array:
        current = _repeated(ahead, voltage) + drawn_back(self._network, self.head, voltage)
        element = self._network.layers[self.head].element
        return node_voltage(element, self._nodes, current, jnp.zeros_like(current))

    def out_of_balance(self, current: Array, voltage: Array, following: Array | None) -> Array:
        assert following is not None, "an output layer does not pool"
        drawn = self._conductance * voltage
        # Where an image is black, what flows back from the outputs is all there is: a tolerance relative to the largest
        # current of the layer would leave these nodes anywhere.
        own = jnp.abs(current) + jnp.abs(drawn)
        rounding = self._back * jnp.max(jnp.abs(following), 1, keepdims=True) * (_ULPS * jnp.finfo(own.dtype).eps)
        out = jnp.maximum(jnp.abs(current - drawn) - rounding, 0.0)
        return jnp.max(out / (own + jnp.finfo(own.dtype).tiny), 1)


def _repeated(ahead: Array, voltage: Array) -> Array:
    return jnp.concatenate([ahead] * (len(voltage) // len(ahead)))


class PooledSweeps(LayeredSolver):
    """Sweeps in which pooling nodes settle together with the nodes of their windows."""

    def suits(self, network: Network) -> bool:
        """There are pooling layers, of linear nodes; elements at the nodes of their windows are solved exactly."""
        if not isinstance(network, LayeredNetwork):
            return False
        layers = network.layers
        pooling = [index for index, layer in enumerate(layers) if isinstance(layer.crossbar, PoolingCrossbar)]
        return bool(pooling) and all(
            0 < index < len(layers) - 1
            and index - 1 not in pooling
            and layers[index].element is None
            and ((element := layers[index - 1].element) is None or element.exact)
            and ((amplifier := layers[index - 1].amplifier) is None or amplifier.reciprocal)
            for index in pooling
        )

    def solve(
        self,
        network: LayeredNetwork,
        drive: LayeredDrive,
        *,
        attached: Attached | None = None,
        start: Voltages | None = None,
    ) -> Solution:
        """Steady states; see `Solver.solve`."""
        return settle(network, drive, attached=attached, start=start, rtol=self.rtol, max_steps=self.max_steps)


def settle(
    network: LayeredNetwork,
    drive: LayeredDrive,
    *,
    attached: Attached | None = None,
    start: Voltages | None = None,
    rtol: float,
    max_steps: int,
) -> Solution:
    """Sweep until every sample's residual is at most `rtol`, or `max_steps` times.

    See `mho.steady.coordinate_descent.settle` for the arguments. The windows' nodes are in
    balance to rounding after each sweep, so the residual is the other nodes'. At a pooling node it is relative to the
    currents at that node, and what rounding of the next layer's voltages explains does not count.
    """
    layers = network.layers
    batch, dtype = drive.input_current.shape[0], drive.input_current.dtype
    pooling = [index for index, layer in enumerate(layers) if isinstance(layer.crossbar, PoolingCrossbar)]
    parts = [
        _Windows(network, index, drive) if index in pooling else _Nodes(network, index, drive, attached)
        for index in range(len(layers))
        if index + 1 not in pooling
    ]
    last = len(parts) - 1

    def ahead(k: int, before: Array) -> Array:
        # Into a part's grounded nodes from the part before or, into the first, from the sources.
        head = parts[k].head
        current = before if k == 0 else layers[head].crossbar.current(layers[head - 1].amplified(before))
        bias = layers[head].bias
        return current if bias is None else current + bias.injected

    def back(k: int, following: Array) -> Array:
        return drawn_back(network, parts[k].index, following)

    # One set of the sources' currents serves all phases.
    inflow = ahead(0, drive.input_current[: batch // drive.phases])
    arranged = parts[0].arranged(inflow)

    def sweep(state: tuple) -> tuple:
        voltages, drawn, standing, _, sweeps = list(state[0]), list(state[1]), *state[2:]
        residual, before = jnp.zeros(batch, dtype), standing[0]
        for k, part in enumerate(parts):
            incoming = inflow if k == 0 else ahead(k, voltages[k - 1])
            ordered = arranged if k == 0 else part.arranged(incoming)
            driven, slope = standing if k == 0 else part.follow(ordered, voltages[k])
            current = driven if k == last else driven + drawn[k]
            voltages[k] = part.settled(current, slope, voltages[k])
            followed = part.follow(ordered, voltages[k])
            if k == 0:
                standing = followed
            else:
                # The part before was in balance with this one's old voltages: what its current changes by is out of it.
                following = part.head_voltage(incoming, voltages[k])
                drawn[k - 1] = back(k - 1, following)
                out = parts[k - 1].out_of_balance(before + drawn[k - 1], voltages[k - 1], following)
                residual = jnp.maximum(residual, out)
            before = followed[0]
        if attached is not None and not attached.exact:
            residual = jnp.maximum(residual, parts[last].out_of_balance(before, voltages[last], None))
        return tuple(voltages), tuple(drawn), standing, residual, sweeps + 1

    def unsettled(state: tuple) -> Array:
        return jnp.any(~(state[3] <= rtol)) & (state[4] < max_steps)

    if start is None:
        begin = [jnp.zeros((batch, layers[part.index].crossbar.shape[1]), dtype) for part in parts]
        drawn = [jnp.zeros_like(v) for v in begin[:-1]]
    else:
        begin = [start[part.index] for part in parts]
        drawn = [back(k, start[part.head]) for k, part in enumerate(parts[1:])]
    # The first sweep leaves the first part as it is and finds what its windows' nodes make of that: outside the loop, XLA
    # would compute that from sources' currents that are not in order yet, which takes it several times as long.
    standing = parts[0].resting(begin[0], drawn[0])
    none = jnp.full(batch, jnp.inf, dtype)
    voltages, _, _, residual, sweeps = lax.while_loop(
        unsettled, sweep, (tuple(begin), tuple(drawn), standing, none, jnp.int32(0))
    )
    every = []
    for k, part in enumerate(parts):
        if part.head < part.index:
            incoming = inflow if k == 0 else ahead(k, voltages[k - 1])
            every.append(part.head_voltage(incoming, voltages[k]))
        every.append(voltages[k])
    return Solution(tuple(every), residual, sweeps)
