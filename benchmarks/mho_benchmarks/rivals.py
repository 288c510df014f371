"""Other exact methods for deep networks of ideal diodes, from 0 V, to measure plain and mean-field sweeps against.

`anderson`: Anderson acceleration of plain sweeps (Anderson 1965; Walker and Ni 2011). What a sweep hands to the next is
the currents that layers draw back; these are mixed, so that the voltages of the sweep that follows are on the diodes'
side.

`newton_krylov`: which nodes are free (their diodes block) is fixed, the linear system of the free nodes is solved, the
set is taken anew (primal-dual active sets, a semismooth Newton's method: Hintermüller, Ito and Kunisch 2002). The
system by conjugate gradients (Hestenes and Stiefel 1952), preconditioned by a symmetric block Gauss-Seidel sweep in
Eisenstat's form (1981): one product forward and one backward with each crossbar in a step, as in a sweep.

Both need networks without amplifiers. Elimination of one layer after the other is left out: it takes nodes³ operations for
every sample and layer, where a sweep takes nodes². Residuals are those of `Solution`, of the outputs, too; `sweeps`
counts products with the crossbars between layers, in those of a plain sweep.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import Array, lax

from mho.networks import LayeredDrive, LayeredNetwork, Voltages
from mho.steady import Solution
from mho.steady.coordinate_descent import drawn_back, imbalance, node_voltage

MIXED = 4
"""Changes that Anderson acceleration keeps."""
FORCING = 0.1
"""What conjugate gradients leave of the imbalance before the set of free nodes is taken anew."""

_Solve = Callable[[Voltages, Voltages, Voltages, Array], tuple[Voltages, Array]]
"""Voltages of the free nodes [V] and passes made (two to a sweep), given voltages [V], neighbours' currents there [A],
1 at free nodes and 0 at others, and residuals."""


def anderson(network: LayeredNetwork, drive: LayeredDrive, *, rtol: float, max_steps: int) -> Solution:
    """Sweep from mixed currents; where that does not lower a sample's residual, it goes on from the unmixed ones."""
    widths = [a.shape[0] for a in drive.conductances[:-1]]
    cuts = [sum(widths[: k + 1]) for k in range(len(widths) - 1)]

    def sweep(drawn: Array) -> tuple[Voltages, Array, Array]:
        """Voltages, the currents that they draw back [A] and the residual."""
        voltages: list[Array] = []
        used = [*jnp.split(drawn, cuts, -1), jnp.zeros((), drawn.dtype)]
        for k, back in enumerate(used):
            current = _ahead(network, drive, k, voltages) + back
            voltages.append(node_voltage(network.layers[k].element, drive.conductances[k], current, current))
        new = [drawn_back(network, k, v) for k, v in enumerate(voltages[1:])]
        left = _residual(network, drive, voltages, _currents(network, drive, voltages, new))
        return tuple(voltages), jnp.concatenate(new, -1), left

    def mixed(new: Array, out: Array, news: Array, outs: Array) -> Array:
        """The new currents less the kept changes that make what is out of balance least."""
        gram = jnp.einsum("bin,bjn->bij", outs, outs)
        size = jnp.diagonal(gram, axis1=1, axis2=2)
        scale = jnp.sqrt(size) + jnp.finfo(new.dtype).tiny ** 0.5
        gram = gram / (scale[:, :, None] * scale[:, None, :])
        ridge = 10 * jnp.finfo(new.dtype).eps * jnp.eye(MIXED, dtype=new.dtype) + _diagonal(
            (size == 0).astype(new.dtype)
        )
        weight = (
            jnp.linalg.solve(gram + ridge, (jnp.einsum("bin,bn->bi", outs, out) / scale)[..., None])[..., 0] / scale
        )
        return new - jnp.einsum("bi,bin->bn", weight, news)

    def step(state: tuple) -> tuple:
        begin, voltages, new, out, residual, news, outs, forced, sweeps = state
        found, back, left = sweep(begin)
        taken = forced | (left < residual)
        changed, moved = back - new, back - begin - out
        news, outs = (
            jnp.where(taken[:, None, None], jnp.concatenate([kept[:, 1:], latest[:, None]], 1), 0.0)
            for kept, latest in ((news, changed), (outs, moved))
        )
        voltages = tuple(jnp.where(taken[:, None], a, b) for a, b in zip(found, voltages, strict=True))
        new, out = jnp.where(taken[:, None], back, new), jnp.where(taken[:, None], back - begin, out)
        residual = jnp.where(taken, left, residual)
        return mixed(new, out, news, outs), voltages, new, out, residual, news, outs, ~taken, sweeps + 1

    def unsettled(state: tuple) -> Array:
        return jnp.any(~(state[4] <= rtol)) & (state[-1] < max_steps)

    batch, dtype = drive.input_current.shape[0], drive.input_current.dtype
    zero = jnp.zeros((batch, sum(widths)), dtype)
    voltages, new, residual = sweep(zero)
    history = jnp.zeros((batch, MIXED, sum(widths)), dtype)
    first = (new, voltages, new, new, residual, history, history, jnp.ones(batch, bool), jnp.int32(1))
    end = lax.while_loop(unsettled, step, first)
    return Solution(end[1], end[4], end[-1])


def newton_krylov(network: LayeredNetwork, drive: LayeredDrive, *, rtol: float, max_steps: int) -> Solution:
    """Active sets, their systems by preconditioned conjugate gradients."""
    conductances, last = drive.conductances, len(network.layers) - 1

    def forward(current: Sequence[Array], free: Voltages) -> list[Array]:
        solved: list[Array] = []
        for k, value in enumerate(current):
            before = network.layers[k].crossbar.current(solved[-1]) if k else 0.0
            solved.append(free[k] * (value + before) / conductances[k])
        return solved

    def backward(current: Sequence[Array], free: Voltages) -> list[Array]:
        solved = [current[-1] / conductances[-1]]
        for k in range(last - 1, -1, -1):
            solved.insert(0, free[k] * (current[k] + drawn_back(network, k, solved[0])) / conductances[k])
        return solved

    def solve(voltages: Voltages, current: Voltages, free: Voltages, residual: Array) -> tuple[Voltages, Array]:
        start = [f * v for f, v in zip(free, voltages, strict=True)]
        surplus = [f * (c - a * v) for f, c, a, v in zip(free, current, conductances, voltages, strict=True)]
        driven = [jnp.max(jnp.abs(c), -1) for c in current]
        goal = jnp.where(residual <= rtol, jnp.inf, jnp.maximum(FORCING * residual, 0.3 * rtol))

        def left(rest: Sequence[Array]) -> Array:
            out = [jnp.max(jnp.abs(a * r), -1) / d for a, r, d in zip(conductances, rest, driven, strict=True)]
            return jnp.max(jnp.stack(out), 0)

        def step(state: tuple) -> tuple:
            v, rest, along, size, count = state
            moved = backward(along, free)
            against = forward([p - a * t for p, a, t in zip(along, conductances, moved, strict=True)], free)
            against = [t + y for t, y in zip(moved, against, strict=True)]
            length = jnp.where(left(rest) > goal, _ratio(size, _dot(along, against)), 0.0)[:, None]
            v = [x + length * t for x, t in zip(v, moved, strict=True)]
            rest = [r - length * q for r, q in zip(rest, against, strict=True)]
            steep = [a * r for a, r in zip(conductances, rest, strict=True)]
            new = _dot(rest, steep)
            along = [s + _ratio(new, size)[:, None] * p for s, p in zip(steep, along, strict=True)]
            return v, rest, along, new, count + 2

        def unsolved(state: tuple) -> Array:
            return jnp.any(left(state[1]) > goal) & (state[-1] < 2 * max_steps)

        rest = forward(surplus, free)
        steep = [a * r for a, r in zip(conductances, rest, strict=True)]
        v, *_, count = lax.while_loop(unsolved, step, (start, rest, steep, _dot(rest, steep), jnp.int32(1)))
        return tuple(v), count

    return _active_sets(network, drive, solve, rtol, max_steps)


def _active_sets(network: LayeredNetwork, drive: LayeredDrive, solve: _Solve, rtol: float, max_steps: int) -> Solution:
    """Solve for the free nodes and take their set anew, until every sample's residual is at most `rtol`."""
    elements = [layer.element for layer in network.layers]

    def seen(voltages: Voltages) -> tuple[Voltages, Array]:
        back = [drawn_back(network, k, v) for k, v in enumerate(voltages[1:])]
        current = _currents(network, drive, voltages, back)
        return tuple(current), _residual(network, drive, voltages, current)

    def step(state: tuple) -> tuple:
        voltages, current, residual, passes = state
        # A node is free where its neighbours' current would take it to its diode's blocking side.
        alone = [
            node_voltage(e, a, c, v) for e, a, c, v in zip(elements, drive.conductances, current, voltages, strict=True)
        ]
        free = [(v != 0).astype(v.dtype) for v in alone]
        free[-1] = jnp.ones_like(free[-1])
        found, made = solve(voltages, current, tuple(free), residual)
        allowed = [node_voltage(e, jnp.ones_like(v), v, v) for e, v in zip(elements, found, strict=True)]
        stands = (residual <= rtol)[:, None]
        voltages = tuple(jnp.where(stands, v, new) for v, new in zip(voltages, allowed, strict=True))
        return voltages, *seen(voltages), passes + made + 2

    def unsettled(state: tuple) -> Array:
        return jnp.any(~(state[2] <= rtol)) & (state[-1] < 2 * max_steps)

    voltages: list[Array] = []
    for k, element in enumerate(elements):
        current = _ahead(network, drive, k, voltages)
        voltages.append(node_voltage(element, drive.conductances[k], current, current))
    first = (tuple(voltages), *seen(tuple(voltages)), jnp.int32(2))
    settled, _, residual, passes = lax.while_loop(unsettled, step, first)
    return Solution(settled, residual, (passes + 1) // 2)


def _constant(network: LayeredNetwork, drive: LayeredDrive) -> list[Array]:
    """Currents into the nodes from sources alone [A], (batch, nodes)."""
    constant = [drive.input_current]
    constant += [jnp.zeros((constant[0].shape[0], *a.shape), constant[0].dtype) for a in drive.conductances[1:]]
    biases = [layer.bias for layer in network.layers]
    return [c if bias is None else c + bias.injected for c, bias in zip(constant, biases, strict=True)]


def _ahead(network: LayeredNetwork, drive: LayeredDrive, index: int, voltages: Sequence[Array]) -> Array:
    """Current into a layer's grounded nodes [A] from the layer before and from sources."""
    constant = _constant(network, drive)[index]
    return constant if index == 0 else constant + network.layers[index].crossbar.current(voltages[index - 1])


def _currents(
    network: LayeredNetwork, drive: LayeredDrive, voltages: Sequence[Array], back: Sequence[Array]
) -> list[Array]:
    """Currents that neighbours drive into each layer's nodes [A], given those that are drawn back."""
    ahead = [_ahead(network, drive, k, voltages) for k in range(len(voltages))]
    return [*(a + b for a, b in zip(ahead, back, strict=False)), ahead[-1]]


def _residual(
    network: LayeredNetwork, drive: LayeredDrive, voltages: Sequence[Array], currents: Sequence[Array]
) -> Array:
    """The largest imbalance of a layer relative to the largest current into it, (batch,)."""
    laws = zip(network.layers, drive.conductances, currents, voltages, strict=True)
    ratios = [out / driven for out, driven in (imbalance(layer.element, a, c, v) for layer, a, c, v in laws)]
    return jnp.max(jnp.stack(ratios), 0)


def _diagonal(values: Array) -> Array:
    """Diagonal matrices, (batch, n, n)."""
    return values[..., None] * jnp.eye(values.shape[-1], dtype=values.dtype)


def _dot(some: Sequence[Array], others: Sequence[Array]) -> Array:
    """Σ over all nodes of products, (batch,)."""
    return jnp.sum(jnp.stack([jnp.sum(a * b, -1) for a, b in zip(some, others, strict=True)]), 0)


def _ratio(value: Array, by: Array) -> Array:
    """The quotient, 0 where the divisor is 0."""
    return jnp.where(by == 0, 0.0, value / jnp.where(by == 0, 1.0, by))
