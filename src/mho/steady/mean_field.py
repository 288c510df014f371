"""Steady states of deep networks: symmetric sweeps, corrected by the network's mean field.

A conductance matrix G is positive throughout, so one of its singular values stands far above the others; of two layers that
are joined by G, the sweeps of `mho.steady.coordinate_descent` settle that common mode last. The mean field of a crossbar is
the rank-one matrix r cᵀ/s, with r the conductances of its rows, c of its columns and s their sum: the crossbar whose rows all
feed one bus and whose columns all draw from it. Put in place of the crossbars, with every element replaced by its
differential conductance, it leaves a chain of two-ports, which one elimination from the outputs to the inputs and one
substitution back solve exactly in a few numbers a layer and sample. That solution corrects the currents between two sweeps.

A sweep forward, inputs to outputs, leaves what the layers drive back into one another out of date, a sweep backward what
they drive forward; so a sweep forward takes forward products alone and one backward reverse products alone, the other
currents being kept. Both together cost the products of one plain sweep (Niethammer 1964; Conrad and Wallach 1979 for the
symmetric Gauss-Seidel method).

The fixed points are the exact steady states, whatever the correction: it vanishes there. Where it does not lower a sample's
residual it ends for that sample; what remains is block coordinate descent in symmetric order, which converges.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array, lax

from mho.elements import TwoTerminal
from mho.networks import LayeredNetwork, Voltages
from mho.steady.coordinate_descent import Load, OperatingPoint

_Scalars = tuple[Array, ...]
"""One for each crossbar between two layers of nodes, (batch,)."""


class _Crossings(eqx.Module):
    """The mean fields of the crossbars between layers of nodes."""

    rows: tuple[Array, ...]
    """Row conductances [S]."""
    columns: tuple[Array, ...]
    """Column conductances [S]."""
    up: tuple[Array, ...]
    """Gain of the amplifiers before the crossbar over its total conductance [1/S]."""
    down: tuple[Array, ...]
    """1 over gain and total conductance [1/S]."""


def _crossings(network: LayeredNetwork) -> _Crossings:
    rows = tuple(layer.crossbar.row_conductance() for layer in network.layers[1:])
    columns = tuple(layer.crossbar.column_conductance() for layer in network.layers[1:])
    before = zip(network.layers[:-1], rows, strict=True)
    up = tuple(layer.amplified(jnp.ones((), r.dtype)) / jnp.sum(r) for layer, r in before)
    before = zip(network.layers[:-1], rows, strict=True)
    down = tuple(layer.drawn(jnp.ones((), r.dtype)) / jnp.sum(r) for layer, r in before)
    return _Crossings(rows, columns, up, down)


class _State(eqx.Module):
    voltages: Voltages
    ahead: tuple[Array, ...]
    """Currents into each layer but the first from the one before [A]."""
    back: tuple[Array, ...]
    """Currents into each layer but the last from the one behind [A]."""
    ahead_field: _Scalars
    """The mean-field voltages that `ahead` stands for."""
    back_field: _Scalars
    """The mean-field voltages that `back` stands for."""
    residuals: tuple[Array, Array, Array]
    """Of the last half sweep and the two before it, each (batch,)."""
    corrected: Array
    """Whether the last half sweep began with corrected currents; its residual then does not tell Kirchhoff's."""
    correcting: Array
    """Whether the next one will."""
    trusted: Array
    """Samples whose residuals have fallen, (batch,)."""
    halves: Array
    """Half sweeps made."""


def _chain(
    crossings: _Crossings, compliance: Voltages, forward_surplus: _Scalars, back_surplus: _Scalars
) -> tuple[list[Array], list[Array]]:
    """Changes of the mean-field voltages, forward and back, that balance the chain of two-ports.

    Args:
        crossings: the crossbars' mean fields.
        compliance: voltage per current of each node, neighbours held [1/S], (batch, nodes).
        forward_surplus: by how much the forward fields lag behind the voltages.
        back_surplus: by how much the back fields do.
    """
    count = len(crossings.rows)
    own, across, taken = [], [], []
    for k in range(count):
        rows, columns = crossings.rows[k], crossings.columns[k]
        own.append(compliance[k] @ rows**2)
        taken.append(compliance[k + 1] @ columns**2)
        across.append(compliance[k] @ (rows * crossings.columns[k - 1]) if k else jnp.zeros_like(own[0]))
    # From the outputs down: back[k] = slope[k]·forward[k] + offset[k], forward[k] = carried[k]·forward[k-1] + driven[k].
    slope, offset = taken[-1] * crossings.down[-1], back_surplus[-1]
    slopes, offsets, carried, driven = [slope], [offset], [], []
    for k in range(count - 1, -1, -1):
        up = crossings.up[k]
        share = 1.0 / (1.0 - up * own[k] * slope)
        carry = share * up * across[k]
        drive = share * (up * own[k] * offset + forward_surplus[k])
        carried.insert(0, carry)
        driven.insert(0, drive)
        if k:
            down = crossings.down[k - 1]
            offset = across[k] * (slope * drive + offset) * down + back_surplus[k - 1]
            slope = (taken[k - 1] + across[k] * slope * carry) * down
            slopes.insert(0, slope)
            offsets.insert(0, offset)
    forward = [driven[0]]
    for carry, drive in zip(carried[1:], driven[1:], strict=True):
        forward.append(carry * forward[-1] + drive)
    back = [m * f + b for m, f, b in zip(slopes, forward, offsets, strict=True)]
    return forward, back


def settle(
    network: LayeredNetwork,
    load: Load,
    *,
    nudge: TwoTerminal | None = None,
    start: Voltages | None = None,
    rtol: float,
    max_sweeps: int,
) -> OperatingPoint:
    """Sweep forward and backward until every sample's residual is at most `rtol`, or `max_sweeps` times both ways.

    For networks with at least one hidden layer. All samples take the same steps, so that what is left of the error is the
    same in all phases of a sample and cancels in their differences. Arguments and result are those of
    `mho.steady.coordinate_descent.settle`; a sweep is one forward and one backward, or begun.
    """
    layers = network.layers
    last = len(layers) - 1
    batch, dtype = load.input_current.shape[0], load.input_current.dtype
    crossings = _crossings(network)
    elements = [*(layer.element for layer in layers[:-1]), nudge]

    def ahead_current(voltages: Voltages | list[Array], k: int) -> Array:
        return layers[k + 1].crossbar.current(layers[k].amplified(voltages[k]))

    def back_current(voltages: Voltages | list[Array], k: int) -> Array:
        return layers[k].drawn(layers[k + 1].crossbar.reverse_current(voltages[k + 1]))

    def balance(index: int, ahead: list[Array], back: list[Array], voltages: list[Array]) -> Array:
        """Put a layer's nodes where the currents want them; returns the residual found."""
        current = ahead[index - 1] if index else load.input_current
        if layers[index].bias is not None:
            current = current + layers[index].bias.injected
        if index < last:
            current = current + back[index]
        element, conductance, old = elements[index], load.conductances[index], voltages[index]
        surplus = current - conductance * old
        if element is None:
            voltages[index] = current / conductance
        else:
            voltages[index] = element.node_voltage(conductance, current, old)
            surplus = element.mismatch(old, surplus)
        scale = jnp.max(jnp.abs(current), -1) + jnp.finfo(dtype).tiny
        return jnp.max(jnp.abs(surplus), -1) / scale

    def compliances(voltages: list[Array]) -> list[Array]:
        pairs = zip(load.conductances, elements, voltages, strict=True)
        return [jnp.broadcast_to(1.0 / (a if e is None else a + e.slope(v)), v.shape) for a, e, v in pairs]

    def half(state: _State, forward: bool) -> _State:
        voltages, ahead, back = list(state.voltages), list(state.ahead), list(state.back)
        residual = jnp.zeros(batch, dtype)
        for index in range(last + 1) if forward else range(last, -1, -1):
            if forward and index > 0:
                ahead[index - 1] = ahead_current(voltages, index - 1)
            if not forward and index < last:
                back[index] = back_current(voltages, index)
            found = balance(index, ahead, back, voltages)
            if index < last:  # the outputs follow the last hidden layer
                residual = jnp.maximum(residual, found)
        residuals = (residual, *state.residuals[:2])
        trusted = state.trusted & ~(residual >= state.residuals[1])
        correcting = jnp.any(~(residual <= rtol) & trusted)

        crossed = list(zip(crossings.rows, crossings.columns, crossings.up, crossings.down, strict=True))
        ahead_field = tuple(up * (v @ r) for (r, _, up, _), v in zip(crossed, voltages[:-1], strict=True))
        back_field = tuple(down * (v @ c) for (_, c, _, down), v in zip(crossed, voltages[1:], strict=True))
        # What was taken anew is up to date; the kept currents lag behind the voltages.
        kept, fresh = (state.back_field, ahead_field) if forward else (state.ahead_field, back_field)
        lag = tuple(new - old for new, old in zip(back_field if forward else ahead_field, kept, strict=True))
        none = tuple(jnp.zeros_like(x) for x in lag)

        def correct() -> tuple[list[Array], _Scalars]:
            """Carry the lag through the chain into the currents that the next half sweep keeps."""
            changes = _chain(crossings, compliances(voltages), *((none, lag) if forward else (lag, none)))
            change = [jnp.where(trusted, x, 0.0) for x in changes[0 if forward else 1]]
            currents, shapes = (ahead, crossings.columns) if forward else (back, crossings.rows)
            moved = [i + d[:, None] * g for i, d, g in zip(currents, change, shapes, strict=True)]
            return moved, tuple(f + d for f, d in zip(fresh, change, strict=True))

        currents, field = lax.cond(correcting, correct, lambda: (ahead if forward else back, fresh))
        if forward:
            ahead, ahead_field, back_field = currents, field, state.back_field
        else:
            back, back_field, ahead_field = currents, field, state.ahead_field
        return _State(
            voltages=tuple(voltages),
            ahead=tuple(ahead),
            back=tuple(back),
            ahead_field=ahead_field,
            back_field=back_field,
            residuals=residuals,
            corrected=state.correcting,
            correcting=correcting,
            trusted=trusted,
            halves=state.halves + 1,
        )

    def unsettled(state: _State) -> Array:
        # The first half sweep has not seen the nudge act on the hidden layers.
        certain = ~state.corrected & (state.halves > 1)
        return ~(certain & jnp.all(state.residuals[0] <= rtol)) & (state.halves < 2 * max_sweeps)

    if start is None:
        voltages = tuple(jnp.zeros((batch, *a.shape), dtype) for a in load.conductances)
        ahead, back = voltages[1:], voltages[:-1]
    else:
        voltages = start
        ahead = tuple(ahead_current(start, k) for k in range(last))
        back = tuple(back_current(start, k) for k in range(last))
    unknown = jnp.full(batch, jnp.inf, dtype)
    fields = tuple(
        (up * (u @ r), down * (v @ c))
        for r, c, up, down, u, v in zip(
            crossings.rows,
            crossings.columns,
            crossings.up,
            crossings.down,
            voltages[:-1],
            voltages[1:],
            strict=True,
        )
    )
    first = _State(
        voltages=voltages,
        ahead=ahead,
        back=back,
        ahead_field=tuple(a for a, _ in fields),
        back_field=tuple(b for _, b in fields),
        residuals=(unknown, unknown, unknown),
        corrected=jnp.bool_(False),
        correcting=jnp.bool_(False),
        trusted=jnp.ones(batch, bool),
        halves=jnp.int32(0),
    )
    end = lax.while_loop(
        unsettled,
        lambda state: lax.cond(state.halves % 2 == 0, lambda s: half(s, True), lambda s: half(s, False), state),
        first,
    )
    # A backward half leaves the outputs a step behind.
    voltages, ahead = list(end.voltages), list(end.ahead)
    ahead[-1] = ahead_current(voltages, last - 1)
    balance(last, ahead, list(end.back), voltages)
    return OperatingPoint(tuple(voltages), end.residuals[0], (end.halves + 1) // 2)
