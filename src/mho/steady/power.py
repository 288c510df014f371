"""Currents and static power of operating points: what sources give, and what becomes heat.

By Tellegen's theorem the two are equal at every operating point, whatever the elements' laws (Tellegen 1952, Philips
Research Reports 7, 259). Power is no energy function: no layer of it is divided by its amplifiers' A².
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.elements import CurrentSource, TwoTerminal
from mho.networks import Circuit, LayeredNetwork
from mho.precision import double


@dataclass(frozen=True)
class Power:
    """Of some samples."""

    given: dict[str, np.ndarray]
    """By what gives it [W], (samples,); negative where that takes it up."""
    heat: dict[str, np.ndarray]
    """By what it becomes heat in [W], (samples,)."""
    currents: dict[str, float]
    """The largest |i| through a branch of each kind in any of the samples [A]."""


def static_power(
    network: LayeredNetwork | Circuit, inputs: np.ndarray, voltages: Any, source_currents: np.ndarray | None = None
) -> Power:
    """Of a network's operating points.

    The sources at ±x of a pair give x²·Σ(g₊ + g₋) − x·Σ(g₊ − g₋)·v, an amplifier what the next crossbar takes less what
    it draws from its own node. In a circuit what is neither an independent source nor a two-terminal element gives, or
    takes, what is left, all of it together.

    Args:
        network: the network.
        inputs: what it sees, (samples, features).
        voltages: of its nodes [V], in its structure.
        source_currents: of a circuit; see `mho.steady.newton.CircuitSolution`. Without them the power of transistors, of
            controlled sources and of amplifiers is that of "all other sources".
    """
    if isinstance(network, Circuit):
        return _of_circuit(network, inputs, np.asarray(voltages), source_currents)
    given, heat, currents = double(_of_layers)(network, inputs, voltages)  # type: ignore[arg-type]
    return Power(given, heat, {name: float(i) for name, i in currents.items()})


def _of_layers(network: LayeredNetwork, inputs: jax.Array, voltages: tuple[jax.Array, ...]) -> tuple:
    rows = network.row_voltages(network.source_voltages(jnp.asarray(inputs)), voltages)
    zero = jnp.zeros(len(inputs))
    given = {"input sources": zero, "bias current sources": zero, "amplifiers": zero}
    heat = {"crossbars": zero, "elements at the nodes, with sources in series": zero}
    resistors, elements = heat
    currents = {}
    for number, (layer, u, v) in enumerate(zip(network.layers, rows, voltages, strict=True), 1):
        crossbar = layer.crossbar
        if number == 1:
            given["input sources"] = u**2 @ crossbar.row_conductance() - jnp.sum(crossbar.current(u) * v, -1)
        else:
            drawn = crossbar.row_conductance() * u - crossbar.reverse_current(v)
            near, before = voltages[number - 2], network.layers[number - 2]
            given["amplifiers"] += jnp.sum(u * drawn - near * before.drawn(drawn), -1)
        heat[resistors] += 2.0 * crossbar.co_content(u, v)
        currents[f"resistors of crossbar {number}"] = jnp.max(crossbar.largest_branch_current(u, v)[1])
        if layer.bias is not None:
            given["bias current sources"] -= jnp.sum(layer.bias.current(v) * v, -1)
            currents[f"bias sources of layer {number}"] = jnp.max(jnp.abs(layer.bias.injected))
        if layer.element is not None:
            heat[elements] += jnp.sum(layer.element.current(v) * v, -1)
    return given, heat, currents


def circuit_elements(circuit: Circuit, inputs: np.ndarray) -> tuple[TwoTerminal, ...]:
    """A circuit's groups of elements in float64, those that inputs drive at these."""
    return double(lambda c, x: c.consistent().elements(c.sources(jnp.asarray(x))))(circuit, inputs)


def _of_circuit(circuit: Circuit, inputs: np.ndarray, voltages: np.ndarray, through: np.ndarray | None) -> Power:
    elements = circuit_elements(circuit, inputs)
    circuit = double(Circuit.consistent)(circuit)  # NumPy's arrays: in float64 wherever it is called
    heat: dict[str, np.ndarray] = {}
    currents: dict[str, float] = {}
    none = np.zeros(len(voltages))
    injected = none
    for branch, element in zip(circuit.branches, elements, strict=True):
        drop: Any = voltages[:, branch.first] - voltages[:, branch.second]
        current = np.asarray(double(lambda e, v: e.current(jnp.asarray(v)))(element, drop))
        kind = type(element).__name__
        currents[kind] = max(currents.get(kind, 0.0), float(np.max(np.abs(current), initial=0.0)))
        if isinstance(element, CurrentSource):
            injected = injected - np.sum(drop * current, -1)
        else:
            heat[kind] = heat.get(kind, none) + np.sum(drop * current, -1)
    given = {"current sources": injected}
    rest = sum(heat.values(), none) - injected
    if through is None:
        return Power(given | {"all other sources": rest}, heat, currents)
    count = len(circuit.source_names)
    held = -np.sum(np.asarray(circuit.sources(inputs))[:, :count] * through[:, :count], -1)
    if circuit.amplifiers is not None or circuit.controlled or circuit.behavioural:
        given["amplifiers and controlled sources"] = np.maximum(rest - held, 0.0)
        heat["transistors and controlled sources"] = np.maximum(held - rest, 0.0)
    return Power(given | {"voltage sources": held}, heat, currents)
