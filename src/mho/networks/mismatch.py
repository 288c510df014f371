"""Mismatch: parts that are drawn alike and come out of the process each a little different.

A positive value θ becomes θ·exp(σ·ξ), ξ standard normal and of its own for each part: σ is the share by which parts differ.
A voltage in series with an element, which may be of either sign, becomes θ·(1 + σ·ξ). Conductances that learn are not
touched: what they are is their devices' business (`mho.devices`).

Sources of a σ: an area law, σ ∝ 1/√(area), with a few percent for small diodes and transistors (Pelgrom, Duinmaijer and
Welbers 1989, "Matching properties of MOS transistors", IEEE J. Solid-State Circuits 24, 1433).
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np

from mho.elements import BidirectionalAmplifier, OffsetElement, TwoTerminal
from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.layered import LayeredNetwork

AnyNetwork = TypeVar("AnyNetwork", LayeredNetwork, Circuit)

_SERIES, _POSITIVE = ("bias",), ("conductance", "multiplier")
"""Parameters that are spread beside those that `domain` names: of either sign, and positive ones."""


def mismatched(
    network: AnyNetwork,
    seed: int,
    *,
    elements: float = 0.0,
    gains: float = 0.0,
    current_gains: float = 0.0,
    offset: float = 0.0,
) -> AnyNetwork:
    """A network whose parts differ: one chip of those that would be made of it.

    Args:
        network: a layered network, or a circuit.
        seed: of the chip; equal seeds give equal chips, whatever the sizes of the spreads.
        elements: σ of the parameters of nonlinear elements that their `domain` names and of the voltages in series with
            them, in a circuit of resistors that do not learn, too.
        gains: σ of the amplifiers' voltage gains A, of a layered network.
        current_gains: σ of their current gains B, drawn apart: with either, the network has no energy.
        offset: σ of a voltage in series with the element at each hidden node [V], of a layered network.

    Raises:
        InputError: for a negative or infinite spread, or one with nothing to spread in this network.
    """
    wanted = {"elements": elements, "gains": gains, "current_gains": current_gains, "offset": offset}
    for name, value in wanted.items():
        if not 0 <= value < math.inf:
            raise InputError(f"mismatch of {name} {value}: must be at least 0 and finite")
    makes = _in_circuit if isinstance(network, Circuit) else _in_layers
    return makes(network, seed, wanted)  # type: ignore[return-value,arg-type]


def _in_layers(network: LayeredNetwork, seed: int, wanted: dict[str, float]) -> LayeredNetwork:
    layers, touched = [], set()
    dtype = jax.tree.leaves(network.layers[0].crossbar)[0].dtype

    def held(values: Any) -> Any:
        return np.asarray(values, dtype)

    for index, layer in enumerate(network.layers):
        nodes = layer.crossbar.shape[1]

        def normal(what: int, index: int = index, nodes: int = nodes) -> Callable[[], np.ndarray]:
            generator = np.random.default_rng([seed, index, what])
            return lambda: generator.standard_normal(nodes)

        element, amplifier = layer.element, layer.amplifier
        if element is not None and wanted["elements"]:
            element, count = _spread(element, wanted["elements"], normal(0))
            touched |= {"elements"} if count else set()
        if element is not None and wanted["offset"]:
            element = OffsetElement(element, held(wanted["offset"] * normal(1)()))
            touched.add("offset")
        if amplifier is not None and (wanted["gains"] or wanted["current_gains"]):
            back = 1.0 / amplifier.gain if amplifier.current_gain is None else amplifier.current_gain
            amplifier = BidirectionalAmplifier(
                held(amplifier.gain * np.exp(wanted["gains"] * normal(2)())),
                held(back * np.exp(wanted["current_gains"] * normal(3)())),
            )
            touched |= {"gains", "current_gains"}
        layers.append(
            eqx.tree_at(lambda k: (k.element, k.amplifier), layer, (element, amplifier), is_leaf=lambda x: x is None)
        )
    _require_touched(wanted, touched)
    return eqx.tree_at(lambda n: n.layers, network, tuple(layers))


def _in_circuit(circuit: Circuit, seed: int, wanted: dict[str, float]) -> Circuit:
    branches, touched = list(circuit.branches), set()
    shares: dict[tuple, np.ndarray] = {}
    for index, branch in enumerate(branches):
        if branch.programmable or not wanted["elements"]:
            continue
        generator = np.random.default_rng([seed, index])
        drawn: list[np.ndarray] = []

        def normal(generator: Any = generator, count: int = len(branch.first), drawn: list = drawn) -> np.ndarray:
            drawn.append(generator.standard_normal(count))
            return drawn[-1]

        element, names = _spread(branch.element, wanted["elements"], normal)
        touched |= {"elements"} if names else set()
        for name, values in zip(names, drawn, strict=True):
            shares[("branches", index, "element", *name)] = np.exp(wanted["elements"] * values)
        branches[index] = dataclasses.replace(branch, element=element)
    _require_touched(wanted, touched)
    # A netlist of the user's has one model for many diodes: a chip is written element by element.
    circuit = dataclasses.replace(circuit, branches=tuple(branches), netlist=None)
    # What follows from a programmable parameter follows in the same proportion.
    kept = []
    for parameter in circuit.programmables:
        uses = []
        for use in parameter.uses:
            share = shares.get(tuple(use.path))
            if share is not None:
                by = 1.0 / share[use.entries] if use.inverse else share[use.entries]
                use = dataclasses.replace(use, offset=use.offset * by, factor=use.factor * by)
            uses.append(use)
        kept.append(dataclasses.replace(parameter, uses=tuple(uses)))
    return eqx.tree_at(lambda c: c.programmables, circuit, tuple(kept)) if kept else circuit


def _require_touched(wanted: dict[str, float], touched: set[str]) -> None:
    asked = [name for name, value in wanted.items() if value]
    # What is spread together, everything by one number, need not all be there.
    if asked and not touched & set(asked):
        raise InputError(
            f"no {', '.join(name.replace('_', ' ') for name in asked)} to spread in this network: ideal diodes have no "
            "parameters (they may have offsets), and amplifiers stand where there are gains"
        )


def _spread(element: TwoTerminal, share: float, normal: Callable[[], np.ndarray]) -> tuple[TwoTerminal, list[tuple]]:
    """An element with its parameters spread, and the paths of those that were."""
    names: list[tuple] = []

    def varied(part: Any, path: tuple) -> Any:
        if isinstance(part, TwoTerminal):
            positive = {*_POSITIVE, *(name for name, (least, _) in part.domain.items() if least >= 0)}
            either = {*part.domain, *_SERIES} - positive
            new = {}
            for field in dataclasses.fields(part):
                value = getattr(part, field.name)
                if field.name in positive | either and value is not None and not field.metadata.get("static"):
                    names.append((*path, field.name))
                    drawn = share * normal()
                    spread = np.asarray(value) * (np.exp(drawn) if field.name in positive else 1.0 + drawn)
                    new[field.name] = np.asarray(spread, getattr(value, "dtype", np.float32))
                elif isinstance(value, TwoTerminal):
                    new[field.name] = varied(value, (*path, field.name))
            return dataclasses.replace(part, **new)
        return part

    return varied(element, ()), names
