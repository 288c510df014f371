"""Updates: a step against the gradient, every parameter kept within what its device can be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from mho import networks
from mho.devices import Device
from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.learning.gradient import trained_part

Network = TypeVar("Network")

OPTIMIZERS = {
    "sgd": optax.identity,
    "momentum": lambda: optax.trace(decay=0.9),
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
}
"""Optax transformations by name, each before its learning rate."""


_PARTS = {"bias": "bias", "element": "element", "gain": "amplifier"}
"""Parts of a layer that the kinds of parameters belong to, beside its conductances."""


def scale_by_layer(
    rates: Sequence[Any], kind_rates: Mapping[str, Sequence[Any]] | None = None
) -> optax.GradientTransformation:
    """Multiply each layer's updates by its own rate; those of some kinds of parameters by others, where these are given."""

    def scaled(part: Any, rate: Any) -> Any:
        return jax.tree.map(lambda u: u * rate, part)

    def scale(updates: Any, _: Any = None) -> Any:
        layers = []
        for index, (rate, layer) in enumerate(zip(rates, updates.layers, strict=True)):
            new = scaled(layer, rate)
            for kind, own in (kind_rates or {}).items():
                part = getattr(layer, _PARTS[kind])
                if part is not None:
                    new = eqx.tree_at(lambda k, n=_PARTS[kind]: getattr(k, n), new, scaled(part, own[index]))
            layers.append(new)
        return eqx.tree_at(lambda n: n.layers, updates, tuple(layers))

    return optax.stateless(scale)


def optimizer(
    name: str,
    rates: Sequence[float] | float,
    *,
    kind_rates: Mapping[str, Sequence[float]] | None = None,
    decay: float = 1.0,
    steps_per_epoch: int = 1,
    cosine_epochs: int | None = None,
    warm_up_epochs: float = 0.0,
) -> optax.GradientTransformation:
    """An optimizer with one learning rate a layer, or one for all, and a schedule that multiplies them.

    Args:
        name: one of `OPTIMIZERS`.
        rates: of each layer, or one for all parameters.
        kind_rates: of each layer's parameters of a kind, "bias", "element" or "gain", that are not to have the layer's.
        decay: factor after each epoch.
        steps_per_epoch: steps that make an epoch.
        cosine_epochs: epochs in which the rates fall to 0 by half a cosine, step by step; None for no such fall.
        warm_up_epochs: epochs in which they rise from 0 in a straight line, step by step.

    Raises:
        InputError: for an unknown name or a rate that is not positive.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer {name!r}: must be one of {', '.join(OPTIMIZERS)}")
    one = isinstance(rates, int | float)
    for rate in [rates] if one else rates:
        if not rate > 0:
            raise InputError(f"learning rate {rate}: must be positive")
    kinds = {kind: [-rate for rate in own] for kind, own in (kind_rates or {}).items()}
    step = optax.scale(-rates) if one else scale_by_layer([-rate for rate in rates], kinds)
    stages = [OPTIMIZERS[name](), step]
    if decay != 1.0:

        def decayed(steps: Any) -> Any:
            count = jnp.asarray(steps)
            return decay ** lax.div(count, jnp.asarray(steps_per_epoch, count.dtype))

        stages.append(optax.scale_by_schedule(decayed))
    warm = round(warm_up_epochs * steps_per_epoch)
    if cosine_epochs is not None:
        fall = max(1, cosine_epochs * steps_per_epoch - warm)
        schedule = optax.cosine_decay_schedule(1.0, fall)
        stages.append(optax.scale_by_schedule(optax.join_schedules([_rise(warm), schedule], [warm])))
    elif warm:
        stages.append(
            optax.scale_by_schedule(optax.join_schedules([_rise(warm), optax.constant_schedule(1.0)], [warm]))
        )
    return optax.chain(*stages)


def _rise(steps: int) -> optax.Schedule:
    return lambda count: (count + 1) / (steps + 1)


def _restricted(x: Any) -> bool:
    return isinstance(x, ProgrammableResistor) or bool(getattr(type(x), "domain", None))


def coordinate_slope(network: Network, slope: Network, relative: bool = False) -> Network:
    """A gradient by the coordinates that an optimizer moves: ∂C/∂(ln θ) = θ·∂C/∂θ where θ is positive by its domain.

    Such parameters, a diode's saturation current say, span decades: a step that suits one is of no use to another. In the
    logarithm a step is relative, and θ stays positive.

    Args:
        network: the network, layered or a circuit.
        slope: ∂C/∂θ in its structure, None in place of what is not trained.
        relative: whether conductances move by their logarithms, too.
    """

    def converted(part: Any, slope: Any) -> Any:
        if not _restricted(part):
            return slope
        if isinstance(part, ProgrammableResistor):
            if not relative or slope.conductance is None:
                return slope
            return eqx.tree_at(lambda r: r.conductance, slope, part.conductance * slope.conductance)
        for name, (least, _) in part.domain.items():
            by_parameter = getattr(slope, name)
            if least > 0 and by_parameter is not None:
                slope = eqx.tree_at(lambda e, n=name: getattr(e, n), slope, getattr(part, name) * by_parameter)
        return slope

    return jax.tree.map(converted, network, slope, is_leaf=_restricted)


def _coordinates(network: Any, gradient: Any) -> Any:
    """What `coordinate_slope` is the gradient by: θ, or ln θ; for optimizers that ask for it, as those with weight decay."""

    def of(part: Any, slope: Any) -> Any:
        kept = jax.tree.map(lambda s, p: None if s is None else p, slope, part, is_leaf=lambda s: s is None)
        if _restricted(part) and not isinstance(part, ProgrammableResistor):
            for name, (least, _) in part.domain.items():
                if least > 0 and getattr(slope, name) is not None:
                    kept = eqx.tree_at(lambda e, n=name: getattr(e, n), kept, jnp.log(getattr(part, name)))
        return kept

    return jax.tree.map(of, network, gradient, is_leaf=_restricted)


def apply_updates(
    network: Network,
    updates: Network,
    program: Callable[[ProgrammableResistor, Array], Array] = lambda r, step: r.within_bounds(r.conductance + step),
    *,
    relative: bool = False,
    kept: float = 1.0,
) -> Network:
    """Move a network's parameters by updates of their coordinates (see `coordinate_slope`).

    Conductances that would leave their devices' bounds stop there, other parameters at the ends of their elements' domains.
    `program` makes new conductances of an array of resistors and of the changes asked for, array by array; `relative`
    updates are of their logarithms, `kept` is the share of what they are above their lower bounds that does not leak away.
    """

    def moved(part: Any, step: Any) -> Any:
        if not _restricted(part):
            return part if step is None else part + step
        if isinstance(part, ProgrammableResistor):
            # The bounds are those of devices that are programmed: what is not trained may stand anywhere.
            if step.conductance is None:
                return part
            change = part.conductance * jnp.expm1(step.conductance) if relative else step.conductance
            new = program(part, change)
            if kept != 1.0:
                new = part.lower + kept * (new - part.lower)
            return eqx.tree_at(lambda r: r.conductance, part, new)
        new = eqx.apply_updates(part, step)
        for name, (least, largest) in part.domain.items():
            change = getattr(step, name)
            if change is None:
                continue
            value = getattr(part, name)
            value = value * jnp.exp(change) if least > 0 else value + change
            new = eqx.tree_at(lambda e, n=name: getattr(e, n), new, jnp.clip(value, least, largest))
        return new

    new: Any = jax.tree.map(moved, network, updates, is_leaf=_restricted)
    return new.consistent() if isinstance(new, networks.Network) else new  # type: ignore[return-value]


class Programming(eqx.Module):
    """What goes on from update to update where conductances are real devices'."""

    optimizer_state: optax.OptState
    devices: tuple[Device, ...]
    """For each array of trained conductances, in the order of the network's leaves."""


def programming(
    network: Network, device: Device, optimizer_state: optax.OptState, trained: Sequence[str], key: Array
) -> tuple[Network, Programming]:
    """A network whose trained conductances are such devices', and what `updated` takes in place of an optimizer's state.

    Args:
        network: the network, its conductances as they should be at first.
        device: what each is; see `mho.devices`.
        optimizer_state: `optimizer.init(trained_parameters(network, trained))`.
        trained: the kinds of parameters that learn.
        key: a JAX random key, by which the devices' own numbers are drawn.

    Raises:
        InputError: if no conductance is trained, or the devices need bounds that the resistors have not.
    """
    drawn: list[Device] = []

    def held(part: Any, kept: Any) -> Any:
        if not isinstance(part, ProgrammableResistor) or kept.conductance is None:
            return part
        conductance, own = device.placed(part, jax.random.fold_in(key, len(drawn)))
        # Buffers of their own, which a step may take.
        drawn.append(jax.tree.map(jnp.array, own))
        return eqx.tree_at(lambda r: r.conductance, part, conductance)

    network = jax.tree.map(held, network, trained_parameters(network, trained), is_leaf=_restricted)
    if not drawn:
        raise InputError(f"device {type(device).__name__}: no conductance is trained")
    return network, Programming(optimizer_state, tuple(drawn))


def updated(
    network: Network,
    gradient: Any,
    optimizer: optax.GradientTransformation,
    state: optax.OptState | Programming,
    key: Array | None = None,
    *,
    relative: bool = False,
    kept: float = 1.0,
) -> tuple[Network, Any]:
    """One step against a gradient: by the parameters' coordinates, within their devices' bounds.

    Args:
        network: the network.
        gradient: ∂C/∂θ in its structure, None in place of what is not trained: `mho.learning.Gradient.by_parameter`.
        optimizer: of Optax's, its learning rate included.
        state: the optimizer's; at first `optimizer.init(trained_parameters(network, kinds))`, or what `programming` gives.
        key: a JAX random key, which devices need.
        relative: whether conductances move by their logarithms.
        kept: share of what conductances are above their lower bounds that does not leak away; see `apply_updates`.
    """
    updates: Any
    updates, new = optimizer.update(
        coordinate_slope(network, gradient, relative),
        state.optimizer_state if isinstance(state, Programming) else state,
        _coordinates(network, gradient),
    )
    if not isinstance(state, Programming):
        return apply_updates(network, updates, relative=relative, kept=kept), new
    if key is None:
        raise InputError("updated: needs a random key where conductances are real devices'")
    before, after, keys = iter(state.devices), [], key

    def program(resistors: ProgrammableResistor, change: Array) -> Array:
        found, device = next(before).reprogrammed(resistors, change, jax.random.fold_in(keys, len(after)))
        after.append(device)
        return found

    network = apply_updates(network, updates, program, relative=relative)
    return network, Programming(new, tuple(after))


def trained_parameters(network: Any, trained: Sequence[str]) -> Any:
    """The parameters of some kinds, None in place of all others: what an optimizer is initialised with.

    Raises:
        InputError: for a kind that the network has not.
    """
    return eqx.filter(network, trained_part(network, tuple(trained)))
