"""How a layered network settles in the free and the nudged phase of a sample, and what its sources spend on it.

Every hidden node, amplifier output and output node has a parasitic capacitor to ground. The free phase begins with all
nodes at 0 V and the sources switched on; the nudged phase in the free phase's steady state, with current sources of
−β ∂C/∂v of that state switched on at the outputs (Kendall et al. 2020, section 3).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.dynamics.equations import CircuitInTime
from mho.dynamics.integration import integrate
from mho.elements import CurrentSource
from mho.errors import InputError, MhoError
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layer_names import node_names
from mho.networks.layered_circuit import layered_circuit
from mho.precision import double
from mho.steady import solve
from mho.steady.equations import System
from mho.steady.modified_system import modified_system

_POINTS = 400
_DECADES = 6
_ERROR = 1e-6
"""Of a step, as a share of a node's swing: well below any tolerance of settling."""
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
    circuit = jax.tree.map(_as_numpy, layered_circuit(network))
    held = np.asarray(double(circuit.sources)(sample), np.float64)
    circuit = eqx.tree_at(lambda c: c.source_voltage, circuit, held)
    equations = _equations(circuit, capacitance, bandwidth)

    currents = np.asarray(nudging, np.float64)
    rest = tuple(np.zeros((1, n)) for n in network.widths[1:])
    free = solve(network, sample[None]).voltages
    nudged = solve(network, sample[None], attached=CurrentSource(currents[None])).voltages  # type: ignore[arg-type]
    places = _places(circuit, network)
    driven = equations.constant.copy()
    driven[places[-1]] += currents
    names = [circuit.node_names[k] for k in range(1, circuit.nodes)]
    names += [f"current {k}" for k in range(equations.size - len(names))]

    def phase(name: str, begun: Sequence[Any], steady: Sequence[Any], r: np.ndarray) -> Settling:
        swing = max(float(np.abs(a - b).max()) for a, b in zip(begun, steady, strict=True))
        if swing == 0:
            raise MhoError(f"{name} phase: nothing moves, so there is no settling")
        start, end = (_unknowns(circuit, equations, places, v) for v in (begun, steady))
        constants = np.linalg.eigvals(np.linalg.solve(equations.conductance(end), _dense(equations.capacitance)))
        stop = 2.0 * np.log(1.0 / tolerance) * float(constants.real.max())
        for _ in range(_DOUBLINGS):
            times = np.append(0.0, np.geomspace(10.0**-_DECADES * stop, stop, _POINTS))
            course = integrate(
                equations,
                _Held(r, stop),
                start,
                times,
                names=names,
                judged=np.arange(equations.size) < circuit.nodes - 1,
                max_step=np.inf,
                error=_ERROR,
                integrated=True,
            )
            found = tuple(course.unknowns[:, p] for p in places)
            distance = np.max([np.abs(v - w).max(1) for v, w in zip(found, steady, strict=True)], 0) / swing
            if distance[-1] <= tolerance:
                assert course.integrals is not None
                spent = _energies(circuit, places[-1], currents if r is driven else 0.0 * currents, course.integrals)
                return _settled(times, spent, found, distance, tolerance)
            stop *= 2.0
        raise MhoError(
            f"{name} phase: after {stop / 2:.3g} s a node is still {distance[-1]:.2g} of the largest distance away from "
            f"its steady state; the tolerance is {tolerance:g}"
        )

    return phase("free", rest, free, equations.constant), phase("nudged", free, nudged, driven)


class _Held:
    """Sources at rest; see `mho.dynamics.step.Drive`."""

    def __init__(self, r: np.ndarray, stop: float) -> None:
        self._r, self.corners = r, np.array([stop])

    def enter(self, begin: float, end: float) -> bool:
        return False

    def at(self, times: np.ndarray) -> np.ndarray:
        return np.repeat(self._r[None], len(times), 0)


def _as_numpy(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _dense(matrix: Any) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _equations(circuit: Circuit, capacitance: float, bandwidth: float | None) -> CircuitInTime:
    """The circuit with a capacitor at every node that no source holds, and one pole in front of each amplifier."""
    system = modified_system(circuit, np.asarray(circuit.source_voltage))
    storage = np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    if bandwidth is not None:
        system, storage = _with_poles(circuit, system, bandwidth)
    nodes = np.setdiff1d(np.arange(1, circuit.nodes), np.asarray(circuit.source_plus)) - 1
    ground = np.full(len(nodes), system.size)
    return CircuitInTime(system, (nodes, ground, np.full(len(nodes), capacitance)), storage=storage)


def _with_poles(
    circuit: Circuit, system: System, bandwidth: float
) -> tuple[System, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One more unknown u and one more equation, u − v + τ du/dt = 0, for each amplifier: it amplifies u instead of v.

    One pole and a buffer that draws nothing; τ = 1/(2π B).
    """
    if not (bandwidth > 0 and np.isfinite(bandwidth)):
        raise InputError(f"amplifier bandwidth {bandwidth} Hz: must be positive and finite")
    if circuit.amplifiers is None:
        raise InputError("an amplifier bandwidth is given, and the circuit has no amplifiers")
    near = np.asarray(circuit.amplifiers.near) - 1
    count, before = len(near), system.size
    size, poles = before + count, before + np.arange(count)
    rows, columns = np.asarray(system.rows), np.asarray(system.columns).copy()
    # The amplifiers' own equations are the last ones.
    for row, place, pole in zip(before - count + np.arange(count), near, poles, strict=True):
        columns[(rows == row) & (columns == place)] = pole

    def moved(ends: tuple) -> tuple:
        return tuple(np.where(np.asarray(e) == before, size, e) for e in ends)

    wider = dataclasses.replace(
        system,
        first=moved(system.first),
        second=moved(system.second),
        rows=np.concatenate([rows, poles, poles]),
        columns=np.concatenate([columns, poles, near]),
        values=np.concatenate([np.asarray(system.values), np.ones(count), -np.ones(count)]),
        constant=np.append(system.constant, np.zeros(count)),
        size=size,
    )
    return wider, (poles, poles, np.full(count, 1.0 / (2.0 * np.pi * bandwidth)))


def _energies(circuit: Circuit, outputs: np.ndarray, nudging: np.ndarray, integrals: np.ndarray) -> np.ndarray:
    """That the voltage sources and the current sources have given by each time [J], (times, 2)."""
    first = circuit.nodes - 1
    through = integrals[:, first : first + len(circuit.source_names)]
    given = integrals[:, outputs] @ nudging
    padded = np.concatenate([np.zeros((len(integrals), 1)), integrals], 1)  # ground first
    for branch in circuit.branches:
        if isinstance(branch.element, CurrentSource):
            drop = padded[:, np.asarray(branch.first)] - padded[:, np.asarray(branch.second)]
            given = given + drop @ np.asarray(branch.element.injected, np.float64)
    return np.stack([-through @ np.asarray(circuit.source_voltage), given], 1)


def _settled(
    times: np.ndarray,
    spent: np.ndarray,
    found: tuple[np.ndarray, ...],
    distance: np.ndarray,
    tolerance: float,
) -> Settling:
    last = int(np.flatnonzero(distance > tolerance)[-1])
    ends = times[last : last + 2]
    time = float(np.interp(np.log(tolerance), np.log(distance[last : last + 2])[::-1], ends[::-1]))
    sources, currents = (np.interp(time, times, column) for column in spent.T)
    return Settling(time, float(sources), float(currents), times, found)


def _places(circuit: Circuit, network: LayeredNetwork) -> list[np.ndarray]:
    """Where each layer's nodes stand among the unknowns."""
    return [np.array([circuit.node_names.index(n, "node") - 1 for n in layer]) for layer in node_names(network)]


def _unknowns(
    circuit: Circuit, equations: CircuitInTime, places: list[np.ndarray], voltages: Sequence[Any]
) -> np.ndarray:
    """All unknowns but the sources' currents, in a steady state of the layers."""
    y = np.zeros(equations.size)
    for place, voltage in zip(places, voltages, strict=True):
        y[place] = np.asarray(voltage)[0]
    y[np.asarray(circuit.source_plus) - 1] = circuit.source_voltage
    if circuit.amplifiers is not None:
        near = y[np.asarray(circuit.amplifiers.near) - 1]
        y[np.asarray(circuit.amplifiers.far) - 1] = np.asarray(circuit.amplifiers.gain) * near
        # Behind the amplifiers' currents stand the poles' voltages, if there are poles.
        poles = circuit.nodes - 1 + len(circuit.branch_names) + len(near)
        y[poles:] = near[: len(y) - poles]
    return y
