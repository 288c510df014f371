"""How a layered network settles in the free and the nudged phase of a sample, and what its sources spend on it.

Every hidden node, amplifier output and output node has a parasitic capacitor to ground. The free phase begins with all
nodes at 0 V and the sources switched on; the nudged phase in the free phase's steady state, with current sources of
−β ∂C/∂v of that state switched on at the outputs (Kendall et al. 2020, section 3).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mho.elements import CurrentSource
from mho.errors import InputError, MhoError
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layered_circuit import layered_circuit
from mho.precision import double
from mho.steady import operating_point
from mho.transient.dynamics import Dynamics, circuit_dynamics
from mho.transient.simulate import Waveforms, simulator

_POINTS = 400
_DECADES = 6
_DOUBLINGS = 5
"""Of the time that the linearised circuit would need, before a network counts as one that does not settle."""


@dataclasses.dataclass(frozen=True)
class Settling:
    """One phase of one sample."""

    time: float
    """From which all hidden and output nodes stay within the tolerance of their steady state [s]."""
    voltage_source_energy: float
    """That the voltage sources give until then [J]."""
    current_source_energy: float
    """That the bias and the nudging current sources give until then [J]; negative where they take up more."""
    times: np.ndarray
    """(times,) [s]; closer together at the beginning."""
    voltages: tuple[np.ndarray, ...]
    """Of each layer's nodes [V], (times, nodes)."""


def settling(
    network: LayeredNetwork,
    inputs: ArrayLike,
    nudging: ArrayLike,
    *,
    capacitance: float,
    bandwidth: float | None = None,
    tolerance: float = 1e-3,
) -> tuple[Settling, Settling]:
    """The free and the nudged phase of one sample.

    Args:
        network: the network; its elements have finite laws (no ideal diodes).
        inputs: (features,).
        nudging: currents into the output nodes in the nudged phase [A], (outputs,).
        capacitance: at every hidden node, amplifier output and output node [F].
        bandwidth: of the amplifiers [Hz]; None for infinite.
        tolerance: distance to the steady state, as a share of the largest distance that a node goes.

    Raises:
        InputError: for a capacitance, bandwidth or tolerance that is not positive, or an element without a finite law.
        MhoError: if a phase does not settle.
    """
    if not (capacitance > 0 and np.isfinite(capacitance)):
        raise InputError(f"capacitance {capacitance} F: must be positive and finite")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance {tolerance}: must be between 0 and 1")
    sample = np.asarray(inputs, np.float64)
    circuit = layered_circuit(network)
    circuit = eqx.tree_at(lambda c: c.source_voltage, circuit, np.asarray(double(circuit.sources)(sample), np.float64))
    free_nodes = np.setdiff1d(np.arange(1, circuit.nodes), np.asarray(circuit.source_plus))
    capacitors = (free_nodes, np.zeros_like(free_nodes), np.full(len(free_nodes), capacitance))
    dynamics = circuit_dynamics(circuit, capacitors, bandwidth=bandwidth)

    currents = np.asarray(nudging, np.float64)
    rest = tuple(np.zeros((1, n)) for n in network.widths[1:])
    free = operating_point(network, sample[None]).voltages
    nudged = operating_point(network, sample[None], nudge=CurrentSource(currents[None])).voltages  # type: ignore[arg-type]
    places = _places(circuit, network)
    outputs = places[-1]
    r = np.zeros(dynamics.system.size)
    r[dynamics.source_rows] = circuit.source_voltage
    driven = r.copy()
    driven[outputs] = currents
    simulate = simulator(dynamics, lambda time, held: held, tally=_powers(circuit, dynamics, outputs))
    slowest = double(jax.jit(jax.jacfwd(dynamics.rate)))

    def phase(name: str, begun: Sequence[Any], steady: Sequence[Any], r: np.ndarray) -> Settling:
        swing = max(float(np.abs(a - b).max()) for a, b in zip(begun, steady, strict=True))
        if swing == 0:
            raise MhoError(f"{name} phase: nothing moves, so there is no settling")
        start, end = (dynamics.projection @ _unknowns(circuit, dynamics, places, v) for v in (begun, steady))
        slope = np.asarray(slowest(end, r))  # type: ignore[arg-type]
        stop = 2.0 * np.log(1.0 / tolerance) * float(np.max(-1.0 / np.linalg.eigvals(slope).real))
        for _ in range(_DOUBLINGS):
            times = np.append(0.0, np.geomspace(10.0**-_DECADES * stop, stop, _POINTS))
            run = simulate(start, times, r)
            found = tuple(run.unknowns[:, p] for p in places)
            distance = np.max([np.abs(v - w).max(1) for v, w in zip(found, steady, strict=True)], 0) / swing
            if distance[-1] <= tolerance:
                return _settled(dynamics, r, run, found, distance, tolerance)
            stop *= 2.0
        raise MhoError(
            f"{name} phase: after {stop / 2:.3g} s a node is still {distance[-1]:.2g} of the largest distance away from "
            f"its steady state; the tolerance is {tolerance:g}"
        )

    return phase("free", rest, free, r), phase("nudged", free, nudged, driven)


def _powers(circuit: Circuit, dynamics: Dynamics, outputs: np.ndarray) -> Callable[[Array, Array], Array]:
    """Power [W] that the voltage sources give but for the charging, and that the current sources give."""

    def powers(y: Array, r: Array) -> Array:
        given = r[outputs] @ y[outputs]
        for branch, drop in zip(circuit.branches, dynamics.system.drops(y), strict=True):
            if isinstance(branch.element, CurrentSource):
                given = given + jnp.sum(jnp.asarray(branch.element.injected) * drop)
        return jnp.stack([-r[dynamics.source_rows] @ (dynamics.source_current @ dynamics.imbalance(y, r)), given])

    return powers


def _settled(
    dynamics: Dynamics,
    r: np.ndarray,
    run: Waveforms,
    found: tuple[np.ndarray, ...],
    distance: np.ndarray,
    tolerance: float,
) -> Settling:
    last = int(np.flatnonzero(distance > tolerance)[-1])
    ends = run.times[last : last + 2]
    time = float(np.interp(np.log(tolerance), np.log(distance[last : last + 2])[::-1], ends[::-1]))

    def then(rows: np.ndarray) -> np.ndarray:
        return rows[last] + (time - ends[0]) / (ends[1] - ends[0]) * (rows[last + 1] - rows[last])

    resistive, given = then(run.accumulated)
    charged = dynamics.source_current @ dynamics.capacitance @ (then(run.unknowns) - run.unknowns[0])
    return Settling(time, float(resistive - r[dynamics.source_rows] @ charged), float(given), run.times, found)


def _places(circuit: Circuit, network: LayeredNetwork) -> list[np.ndarray]:
    """Where each layer's nodes stand among the unknowns."""
    last = len(network.layers) - 1
    names = [
        [f"out{i}" if index == last else f"h{index + 1}_{i}" for i in range(width)]
        for index, width in enumerate(network.widths[1:])
    ]
    return [np.array([circuit.node_names.index(n, "node") - 1 for n in layer]) for layer in names]


def _unknowns(circuit: Circuit, dynamics: Dynamics, places: list[np.ndarray], voltages: Sequence[Any]) -> np.ndarray:
    """All unknowns but the sources' currents, in a steady state of the layers."""
    y = np.zeros(dynamics.system.size)
    for place, voltage in zip(places, voltages, strict=True):
        y[place] = np.asarray(voltage)[0]
    y[np.asarray(circuit.source_plus) - 1] = circuit.source_voltage
    if circuit.amplifiers is not None:
        near = np.asarray(circuit.amplifiers.near) - 1
        y[np.asarray(circuit.amplifiers.far) - 1] = np.asarray(circuit.amplifiers.gain) * y[near]
        poles = np.flatnonzero(np.diag(dynamics.capacitance)[circuit.nodes - 1 :]) + circuit.nodes - 1
        y[poles] = y[near] if len(poles) else 0.0
    return y
