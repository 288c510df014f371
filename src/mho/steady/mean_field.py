"""Steady states of deep networks: symmetric sweeps, corrected by the network's mean field.

A conductance matrix G is positive throughout, so one of its singular values stands far above the others; of two hidden
layers that are joined by G, the sweeps of `mho.steady.coordinate_descent` settle that common mode last. The mean field of a
crossbar is the rank-one matrix r cᵀ/s, with r the conductances of its rows, c of its columns and s their sum: the crossbar
whose rows all feed one bus and whose columns all draw from it. Put in place of the crossbars between hidden layers, with
every element replaced by its differential conductance, it leaves a chain of two-ports, which one elimination and one
substitution back solve exactly in a few numbers a layer and sample. That solution corrects the currents between two half
sweeps.

A half sweep forward, inputs to outputs, leaves what the layers drive back into one another out of date, one backward what
they drive forward; so forward it takes forward products alone, backward reverse products alone, the other currents being
kept. Both together cost the products of one plain sweep (Niethammer 1964; Conrad and Wallach 1979 for the symmetric
Gauss-Seidel method). The outputs are few, so they and the last hidden layer settle together, passed twice in each half.

The fixed points are the exact steady states, whatever the correction: it vanishes there. Where it does not lower a sample's
imbalance it ends for that sample; what remains is block coordinate descent in symmetric order, which converges.

What the residual is known by, without a product for it alone:

- A half sweep backward finds each layer's exact imbalance before it moves it. Where the correction is within the tolerance,
  it moves none while every layer so far is in balance to the tolerance in all samples. If that goes on to the first layer,
  nothing has moved: the state stands.
- After one forward the currents driven back, G·v of the layer behind, are kept for voltages that have since changed by δ
  beyond the correction: as conductances are positive, an imbalance is at most the row's conductance times max |δ|.
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import Array, lax

from mho.networks import DenseCrossbar, Layer, LayeredDrive, LayeredNetwork, Network, Voltages
from mho.steady.attachment import Attached
from mho.steady.coordinate_descent import LayeredSolver, drawn_back, imbalance, largest, node_voltage
from mho.steady.deviation import Standing, deviating
from mho.steady.solver import Solution

_LAST_PASSES = 2
"""Passes over the last hidden layer and the outputs in a half sweep."""

_SIGNAL = 1e4
"""By how much deviations may be further from balance, relative to their own currents, than a whole phase relative to its
own: they are one batch's learning signal, and what is known of their imbalance is an upper bound."""


class _State(eqx.Module):
    voltages: Voltages
    ahead: tuple[Array, ...]
    """As in `Standing`; those of the voltages."""
    driven: tuple[Array, ...]
    """As in `Standing`."""
    used: tuple[Array, ...]
    """Mean-field voltages of the currents driven back that the last half sweep used [V]."""
    residual: Array
    """(batch,)."""
    imbalance: Array
    """That the last half sweep backward found, (batch,)."""
    trusted: Array
    """Samples whose imbalance has fallen, (batch,)."""
    sweeps: Array


class _MeanField:
    """The chain of two-ports that stands for the crossbars between hidden layers.

    Its voltages, forward and back, are the buses': one of each for every crossbar and sample, (batch,). A crossbar of row
    conductances r and column conductances c drives c·forward into the layer behind it and r·back into the one before. Where
    amplifiers are not all alike, r is times each one's part of the mean gain, forward or backward.
    """

    def __init__(self, network: LayeredNetwork) -> None:
        self.layers = [_with_mean_gains(layer) for layer in network.layers]
        """The same with the mean of the amplifiers' gains."""
        between = list(zip(self.layers[:-2], self.layers[1:-1], strict=True))
        rows = [layer.crossbar.row_conductance() for _, layer in between]
        self.rows = [_share(layer, r, forward=False) for layer, r in zip(network.layers, rows, strict=False)]
        """Of the currents driven back."""
        self._seen = [_share(layer, r, forward=True) for layer, r in zip(network.layers, rows, strict=False)]
        self.columns = [layer.crossbar.column_conductance() for _, layer in between]
        self._up = [before.amplified(1.0 / jnp.sum(r)) for (before, _), r in zip(between, rows, strict=True)]
        self._down = [before.drawn(1.0 / jnp.sum(r)) for (before, _), r in zip(between, rows, strict=True)]

    def voltages(self, nodes: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Forward and back, given node voltages."""
        forward = [up * (v @ r) for up, r, v in zip(self._up, self._seen, nodes, strict=False)]
        return forward, [down * (v @ c) for down, c, v in zip(self._down, self.columns, nodes[1:], strict=False)]

    def balance(
        self, compliance: Sequence[Array], forward_lag: list[Array] | None, back_lag: list[Array] | None
    ) -> tuple[list[Array], list[Array]]:
        """Changes of the voltages, forward and back, once the lags have worked their way through the chain.

        Args:
            compliance: voltage per current of each hidden node, its neighbours held [1/S], (batch, nodes).
            forward_lag: by how much the forward voltages are behind the nodes'; None where they are not.
            back_lag: by how much the back voltages are.
        """
        count = len(self.rows)
        none = [jnp.zeros(())] * count
        forward_lag, back_lag = forward_lag or none, back_lag or none
        own = [self._up[k] * (compliance[k] @ (self._seen[k] * self.rows[k])) for k in range(count)]
        taken = [self._down[k] * (compliance[k + 1] @ self.columns[k] ** 2) for k in range(count)]
        across = [compliance[k] @ (self._seen[k] * self.columns[k - 1]) for k in range(1, count)]
        returned = [compliance[k] @ (self.rows[k] * self.columns[k - 1]) for k in range(1, count)]
        # From the outputs down: back[k] = slope[k]·forward[k] + offset[k], forward[k] = carry[k]·forward[k-1] + drive[k].
        slope, offset = taken[-1], back_lag[-1]
        lines: list[tuple[Array, Array, Array, Array]] = []
        for k in range(count - 1, -1, -1):
            share = 1.0 / (1.0 - own[k] * slope)
            drive = share * (own[k] * offset + forward_lag[k])
            carry = share * self._up[k] * across[k - 1] if k else jnp.zeros(())
            lines.insert(0, (slope, offset, carry, drive))
            if k:
                through = self._down[k - 1] * returned[k - 1]
                offset = through * (slope * drive + offset) + back_lag[k - 1]
                slope = taken[k - 1] + through * slope * carry
        forward, back = [], []
        for slope, offset, carry, drive in lines:
            forward.append(carry * forward[-1] + drive if forward else drive)
            back.append(slope * forward[-1] + offset)
        return forward, back


def _with_mean_gains(layer: Layer) -> Layer:
    return layer if layer.amplifier is None else eqx.tree_at(lambda k: k.amplifier, layer, layer.amplifier.mean)


def _share(layer: Layer, rows: Array, *, forward: bool) -> Array:
    """Row conductances times each amplifier's part of the mean gain."""
    if layer.amplifier is None or layer.amplifier.reciprocal:
        return rows
    gain = layer.amplified(jnp.ones_like(rows)) if forward else layer.drawn(jnp.ones_like(rows))
    return rows * (gain / jnp.mean(gain))


class MeanFieldSweeps(LayeredSolver):
    """Symmetric sweeps, corrected by the mean field of the crossbars between hidden layers."""

    def suits(self, network: Network) -> bool:
        """Between two hidden layers or more, dense crossbars throughout.

        A convolution joins its rows to a few columns each, far from what the mean field does.
        """
        if not isinstance(network, LayeredNetwork):
            return False
        between = network.layers[1:-1]
        return bool(between) and all(type(layer.crossbar) is DenseCrossbar for layer in between)

    def solve(
        self,
        network: LayeredNetwork,
        drive: LayeredDrive,
        *,
        attached: Attached | None = None,
        start: Voltages | Standing | None = None,
    ) -> Solution:
        """Steady states; see `Solver.solve`."""
        return settle(network, drive, attached=attached, start=start, rtol=self.rtol, max_steps=self.max_steps)

    def deviates(self, network: LayeredNetwork, batch: int) -> bool:
        """Always: in a deep network a nudge moves the first layers by less than float32 tells apart in their voltages."""
        return True

    def deviate(
        self, network: LayeredNetwork, drive: LayeredDrive, rest: Standing, *, attached: Attached, times: int = 1
    ) -> Solution:
        """See `Solver.deviate`.

        The tolerance is relative to the free phase's currents, and 10,000 times that relative to the deviations' own.
        """
        moved, zero, start, scales = deviating(network, drive, rest, attached=attached, times=times)
        settings = {"rtol": self.rtol, "max_steps": self.max_steps}
        return settle(moved, zero, attached=attached, start=start, scales=scales, **settings)


def settle(
    network: LayeredNetwork,
    drive: LayeredDrive,
    *,
    attached: Attached | None = None,
    start: Voltages | Standing | None = None,
    rtol: float,
    max_steps: int,
    scales: Sequence[Array] | None = None,
) -> Solution:
    """Sweep backward and forward until every sample's residual is at most `rtol`, or `max_steps` times.

    All samples take the same steps, so that what is left of the error is the same in both
    phases of a centred pair and cancels in their difference; every phase is swept through backward and forward once at
    the least, so that what nudges the outputs has come to all layers. Arguments and result are those of
    `mho.steady.coordinate_descent.settle`; from an operating point's own `start` less work is left than from its voltages.
    With `scales` [A], (batch,) a layer, an imbalance counts relative to a layer's own, kept between the largest current that
    neighbours drive and `_SIGNAL` times that.
    """
    layers = network.layers
    last = len(layers) - 1
    batch, dtype = drive.input_current.shape[0], drive.input_current.dtype
    field = _MeanField(network)
    reach = [jnp.max(r) for r in field.rows]
    reach.append(jnp.max(_share(layers[last - 1], layers[last].crossbar.row_conductance(), forward=False)))
    elements = [*(layer.element for layer in layers[:-1]), attached]

    def driven(index: int, ahead: Sequence[Array]) -> Array:
        """From the layer before and the bias sources [A]."""
        current = ahead[index - 1] if index else drive.input_current
        bias = layers[index].bias
        return current if bias is None else current + bias.injected

    def current_into(index: int, voltages: Sequence[Array]) -> Array:
        return layers[index].crossbar.current(layers[index - 1].amplified(voltages[index - 1]))

    def balanced(index: int, current: Array, voltage: Array) -> Array:
        return node_voltage(elements[index], drive.conductances[index], current, voltage)

    def out_of_balance(index: int, current: Array, voltage: Array) -> tuple[Array, Array]:
        out, total = imbalance(elements[index], drive.conductances[index], current, voltage)
        return out, total if scales is None else jnp.clip(scales[index], total, _SIGNAL * total)

    def outputs_imbalance(ahead: Sequence[Array], voltages: Sequence[Array]) -> Array:
        """The outputs stand in balance, unless their element is solved by a step at a time."""
        if attached is None or attached.exact:
            return jnp.zeros(batch, dtype)
        out, total = out_of_balance(last, driven(last, ahead), voltages[last])
        # Where no current comes from the hidden layer, it is the attached's that flows.
        return out / jnp.maximum(total, largest(drive.conductances[last] * voltages[last])[0])

    def compliances(voltages: Sequence[Array]) -> list[Array]:
        pairs = zip(drive.conductances[:-1], elements, voltages, strict=False)
        return [jnp.broadcast_to(1.0 / (a if e is None else a + e.slope(v)), v.shape) for a, e, v in pairs]

    def trusting(changes: list[Array], trusted: Array) -> list[Array]:
        return [jnp.where(trusted, change, 0.0) for change in changes]

    def backward(state: _State) -> tuple[list[Array], list[Array], list[Array], Array, Array]:
        """Voltages, currents driven back, lag of the forward voltages, imbalance, whether the state stands."""
        voltages, ahead = list(state.voltages), list(state.ahead)
        forward_field, back_field = field.voltages(voltages)
        lag = [now - used for now, used in zip(back_field, state.used, strict=True)]
        shift = trusting(field.balance(compliances(voltages), None, lag)[0], state.trusted)
        stands, found = state.sweeps > begun, outputs_imbalance(ahead, voltages)
        stands = stands & jnp.all(found <= rtol)
        for change, columns, current in zip(shift, field.columns, ahead, strict=False):
            stands = stands & jnp.all(jnp.abs(change) * jnp.max(columns) <= rtol * largest(current)[0])
        back: list[Array] = [drive.input_current] * last
        for index in range(last - 1, -1, -1):
            for turn in range(_LAST_PASSES if index + 1 == last else 1):
                if index + 1 == last:
                    if turn:
                        ahead[index] = current_into(last, voltages)
                    output = balanced(last, driven(last, ahead), voltages[last])
                    voltages[last] = jnp.where(stands, voltages[last], output)
                back[index] = drawn_back(network, index, voltages[index + 1])
                current = driven(index, ahead) + back[index]
                if not turn:
                    out, total = out_of_balance(index, current, voltages[index])
                    found = jnp.maximum(found, out / total)
                    stands = stands & jnp.all(found <= rtol)
                if index:
                    current = current + shift[index - 1][:, None] * field.columns[index - 1]
                voltages[index] = jnp.where(stands, voltages[index], balanced(index, current, voltages[index]))
        kept = zip(field.voltages(voltages)[0], forward_field, shift, strict=True)
        return voltages, back, [new - old - moved for new, old, moved in kept], found, stands

    def forward(
        voltages: Sequence[Array], back: Sequence[Array], shift: Sequence[Array]
    ) -> tuple[Voltages, tuple[Array, ...], tuple[Array, ...], Array]:
        """Voltages, currents driven forward, currents that the hidden layers were balanced with, residual."""
        before, voltages, ahead, currents = voltages, list(voltages), [], []
        for index in range(last):
            if index:
                ahead.append(current_into(index, voltages))
            current = driven(index, ahead) + back[index]
            if index + 1 < last:
                current = current + shift[index][:, None] * field.rows[index]
            currents.append(current)
            voltages[index] = balanced(index, current, voltages[index])
        seen = before[last]
        for turn in range(_LAST_PASSES):
            if turn:
                seen = voltages[last]
                currents[-1] = driven(last - 1, ahead[:-1]) + drawn_back(network, last - 1, seen)
                voltages[last - 1] = balanced(last - 1, currents[-1], voltages[last - 1])
                ahead.pop()
            ahead.append(current_into(last, voltages))
            voltages[last] = balanced(last, driven(last, ahead), voltages[last])
        residual = outputs_imbalance(ahead, voltages)
        for index in range(last):
            moved = field.layers[index].drawn(voltages[index + 1] - (seen if index + 1 == last else before[index + 1]))
            if index + 1 < last:
                moved = moved - shift[index][:, None]
            out, total = out_of_balance(index, currents[index], voltages[index])
            residual = jnp.maximum(residual, (out + reach[index] * largest(moved)[0]) / total)
        return tuple(voltages), tuple(ahead), tuple(currents), residual

    def sweep(state: _State) -> _State:
        voltages, back, lag, found, stands = backward(state)

        def on() -> _State:
            trusted = state.trusted & ~(found >= state.imbalance)
            shift = trusting(field.balance(compliances(voltages), lag, None)[1], trusted)
            used = tuple(now + moved for now, moved in zip(field.voltages(voltages)[1], shift, strict=True))
            new, ahead, balanced_with, residual = forward(voltages, back, shift)
            return _State(new, ahead, balanced_with, used, residual, found, trusted, state.sweeps + 1)

        def stand() -> _State:
            return eqx.tree_at(lambda s: s.residual, state, found)

        return lax.cond(stands, stand, on)

    def unsettled(state: _State) -> Array:
        return ((state.sweeps == begun) | jnp.any(~(state.residual <= rtol))) & (state.sweeps < max_steps)

    unknown = jnp.full(batch, jnp.inf, dtype)
    everyone = jnp.ones(batch, bool)
    if isinstance(start, Standing):
        begun = 0
        voltages, ahead, residual = start.voltages, start.ahead, unknown
        balanced_with = start.driven
        used = field.voltages(voltages)[1]
    else:
        begun = 1
        if start is None:
            here = tuple(jnp.zeros((batch, *a.shape), dtype) for a in drive.conductances)
            back = here[:-1]
        else:
            here, back = start, [drawn_back(network, index, v) for index, v in enumerate(start[1:])]
        used = field.voltages(here)[1]
        voltages, ahead, balanced_with, residual = forward(here, back, [jnp.zeros(batch, dtype)] * len(used))
    first = _State(voltages, ahead, balanced_with, tuple(used), residual, unknown, everyone, jnp.int32(begun))
    end = lax.while_loop(unsettled, sweep, first)
    return Solution(end.voltages, end.residual, end.sweeps, Standing(end.voltages, end.ahead, end.driven))
