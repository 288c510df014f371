"""What a chip's estimate needs of a network: what it is made of, its power and how fast it settles, in the network's units.

Power is what the resistors and elements turn into heat, Σ v·i: by Tellegen's theorem what the sources and amplifiers give.
With a capacitor C at each node a state near the operating point falls to it as C dv/dt = −J v, J the derivative of
Kirchhoff's currents by the voltages; the slowest of its time constants is the largest eigenvalue of J⁻¹C.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
from scipy.sparse import linalg

from mho.elements import CurrentSource, IdealDiode, ProgrammableResistor
from mho.errors import MhoError
from mho.networks import Circuit, LayeredNetwork, Network, PoolingCrossbar
from mho.precision import double
from mho.steady import solve
from mho.steady.equations import tangents
from mho.steady.modified_system import modified_system
from mho.steady.power import static_power

_DENSE = 300
"""Unknowns up to which all eigenvalues are found, and not the largest alone."""
_SETTLED = 4
"""Operating points at which time constants are found, at the most."""


@dataclass(frozen=True)
class ChipCircuit:
    """A network as a chip has it."""

    sources: int
    """Sources that inputs drive: a converter each."""
    outputs: int
    """Predictions: a converter each."""
    nodes: int
    """Nodes whose voltages an update is computed from."""
    amplifiers: int
    stages: int
    """Amplifiers one behind the other."""
    devices: int
    """Programmable resistors that a chip has: one for each place under a convolution's window."""
    rows: int
    """Of the largest array of them; in a circuit without layers each device is one."""
    products: int
    """Multiply-accumulates of the same network in software: a pair at ±x is one weight."""
    largest_voltage: float
    """At a source [V]."""
    largest_conductance: float
    """Of those that are programmed [S]; 0 where none are."""
    power: dict[str, float]
    """Mean over the samples [W], by what turns it into heat."""
    cell_squares: float
    """Σ n v² over all wires, n the resistors at each [V²]; mean over the samples."""
    node_squares: float
    """Σ v² over the nodes [V²]."""
    derivatives: list[tuple[Any, np.ndarray, np.ndarray]]
    """Of a few samples: J [S]; resistors at each unknown's wire, and 1 where it is a node's voltage and not a current, or
    the far side of an amplifier."""
    without_scale: bool
    """Whether its laws know no voltage of their own, so that all voltages may be scaled."""

    def time_constant(self, cell: float, node: float) -> float:
        """The slowest, of the slowest sample [s], with capacitances of a cell, at both its wires, and of a node [F]."""
        return max(_slowest(matrix, cell * cells + node * nodes) for matrix, cells, nodes in self.derivatives)


def chip_circuit(network: Network, inputs: np.ndarray) -> ChipCircuit:
    """A network at the operating points of some inputs, (samples, features).

    Raises:
        MhoError: if a sample has no operating point.
    """
    return (_layered if isinstance(network, LayeredNetwork) else _circuit)(network, inputs)  # type: ignore[arg-type]


def _heat(network: Any, inputs: np.ndarray, voltages: Any) -> dict[str, float]:
    heat = static_power(network, inputs, voltages).heat
    return {name: float(np.mean(p)) for name, p in heat.items() if np.any(p)}


def _resistors(crossbar: Any) -> tuple[np.ndarray, np.ndarray]:
    """How many are at each row (of a pair, at both) and at each column."""
    if isinstance(crossbar, PoolingCrossbar):
        unit, ones = crossbar.conductance, crossbar
    else:
        unit, ones = 1.0, jax.tree.map(jnp.ones_like, crossbar)
    rows, columns = (np.asarray(c) / unit for c in (ones.row_conductance(), ones.column_conductance()))
    return np.round(rows), np.round(columns)


def _layered(network: LayeredNetwork, inputs: np.ndarray) -> ChipCircuit:
    voltages = solve(network, inputs).voltages

    def measured(network: LayeredNetwork, inputs: Any, voltages: Any) -> Any:
        rows = network.row_voltages(network.source_voltages(inputs), voltages)
        slopes = [
            jnp.zeros_like(v[:_SETTLED]) if layer.element is None else layer.element.slope(v[:_SETTLED])
            for layer, v in zip(network.layers, voltages, strict=True)
        ]
        return rows, slopes, network.drive(inputs[:1]).conductances

    rows, slopes, conductances = double(measured)(network, inputs, voltages)
    counts = [_resistors(layer.crossbar) for layer in network.layers]
    pairs = 2 if network.layers[0].crossbar.mirrored else 1
    joined = [counts[k + 1][0] if k + 1 < len(counts) else 0.0 for k in range(len(counts))]
    amplified = [layer.amplifier is not None for layer in network.layers]
    at_nodes = [n + (0.0 if a else m) for (_, n), m, a in zip(counts, joined, amplified, strict=True)]
    # An amplifier draws from its near side, too, what charges the wires behind it.
    reflected = [np.asarray(layer.reflected(m)) for layer, m in zip(network.layers, joined, strict=True)]  # type: ignore[arg-type]
    charged = np.concatenate([n + m for (_, n), m in zip(counts, reflected, strict=True)])
    # Wires that sources or amplifiers drive, and those of nodes; a pair's two rows stand at the same |x|.
    driven = [(counts[0][0], rows[0])]
    driven += [(m, rows[k + 1]) for k, (m, a) in enumerate(zip(joined, amplified, strict=True)) if a]
    wires = [*driven, *zip(at_nodes, voltages, strict=True)]
    learning = [layer.crossbar for layer in network.layers if not isinstance(layer.crossbar, PoolingCrossbar)]
    cells = [int(_resistors(c)[1].sum()) for c in learning]
    return ChipCircuit(
        sources=pairs * network.layers[0].crossbar.shape[0],
        outputs=network.widths[-1] // (2 if network.paired_outputs else 1),
        nodes=sum(network.widths[1:]),
        amplifiers=sum(w for w, a in zip(network.widths[1:], amplified, strict=True) if a),
        stages=sum(amplified),
        devices=sum(cells),
        rows=max((2 if c.mirrored else 1) * c.shape[0] for c in learning),
        products=sum(n // (2 if c.mirrored else 1) for n, c in zip(cells, learning, strict=True)),
        largest_voltage=float(np.abs(rows[0]).max()),
        largest_conductance=max(float(np.max(leaf)) for c in learning for leaf in jax.tree.leaves(c)),
        power=_heat(network, inputs, voltages),
        cell_squares=sum(float(np.mean(v**2 @ n)) for n, v in wires),
        node_squares=sum(float(np.mean(np.sum(v**2, -1))) for v in voltages),
        derivatives=_layered_derivatives(network, conductances, slopes, charged),
        without_scale=all(layer.element is None or isinstance(layer.element, IdealDiode) for layer in network.layers),
    )


def _layered_derivatives(network: LayeredNetwork, conductances: Any, slopes: Any, counts: np.ndarray) -> list[Any]:
    ends = np.cumsum([0, *network.widths[1:]])
    rows, columns, values = [], [], []
    for k, (before, layer) in enumerate(itertools.pairwise(network.layers)):
        ones = np.ones(network.widths[k + 1])
        forward, back = (np.asarray(way(ones)) * ones for way in (before.amplified, before.drawn))  # type: ignore[arg-type]
        for above, here, g in layer.crossbar.single_resistors():
            rows += [above + ends[k], here + ends[k + 1]]
            columns += [here + ends[k + 1], above + ends[k]]
            values += [-g * back[above], -g * forward[above]]
    total, found = np.concatenate([np.asarray(c) for c in conductances]), []
    place = np.arange(len(total))
    for sample in range(len(slopes[0])):
        slope = np.concatenate([np.asarray(s[sample]) for s in slopes])
        free = np.isfinite(slope)  # an ideal diode that conducts holds its node
        parts = [*values, np.where(free, total + np.where(free, slope, 0.0), 1.0)]
        made = np.concatenate(parts), (np.concatenate([*rows, place]), np.concatenate([*columns, place]))
        matrix = sparse.csc_matrix(made, shape=(len(total), len(total)))
        found.append((matrix[free][:, free].tocsc(), counts[free], np.ones(free.sum())))
    return found


def _circuit(network: Circuit, inputs: np.ndarray) -> ChipCircuit:
    circuit = jax.tree.map(np.asarray, network.consistent())
    point: Any = solve(circuit, inputs)
    voltages, sources = np.asarray(point.voltages), np.asarray(circuit.sources(inputs))
    heat = _heat(network, inputs, voltages)
    count, resistors, learning = np.zeros(circuit.nodes), 0, []
    for branch in circuit.branches:
        if isinstance(branch.element, ProgrammableResistor):
            for ends in (branch.first, branch.second):
                np.add.at(count, ends, 1.0)
            resistors += len(branch.first)
            if branch.programmable:
                learning.append(np.asarray(branch.element.conductance))
    unknown = np.concatenate([voltages[:, 1:], point.source_currents, point.amplifier_currents], 1)
    systems = [modified_system(circuit, row) for row in sources]
    for group, law in enumerate(circuit.behavioural):
        if law.kind == "i":  # transistors' currents, and B sources'
            drop = voltages[:, law.plus] - voltages[:, law.minus]
            seen = [s.drops(y)[len(circuit.branches) + group] for s, y in zip(systems, unknown, strict=True)]
            current = np.stack([law.law.tangent(at)[0] for at in seen])
            heat[law.name] = float(np.mean(np.sum(np.maximum(drop * current, 0.0), -1)))
    held = np.zeros(circuit.nodes, bool)
    held[[0, *circuit.source_plus]] = True
    if circuit.amplifiers is not None:
        held[circuit.amplifiers.far] = True
    conductances = np.concatenate(learning or [np.zeros(1)])
    far = 0 if circuit.amplifiers is None else len(circuit.amplifiers.far)
    without_scale = not circuit.behavioural and all(
        isinstance(b.element, ProgrammableResistor | CurrentSource) for b in circuit.branches
    )
    return ChipCircuit(
        sources=len(np.unique(circuit.input_source)),
        outputs=len(circuit.output),
        nodes=int(np.sum(~held)),
        amplifiers=far,
        stages=int(far > 0),
        devices=sum(map(len, learning)),
        rows=sum(map(len, learning)),
        products=sum(map(len, learning)) or resistors,
        largest_voltage=float(np.abs(sources[:, : len(circuit.source_names)]).max(initial=0.0)),
        largest_conductance=float(conductances.max()),
        power=heat,
        cell_squares=float(np.mean(voltages**2 @ count)),
        node_squares=float(np.mean(np.sum(voltages[:, ~held] ** 2, -1))),
        derivatives=[_derivative(s, y, count, ~held) for s, y in zip(systems[:_SETTLED], unknown, strict=False)],
        without_scale=without_scale,
    )


def _derivative(system: Any, y: np.ndarray, count: np.ndarray, node: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    rows, columns = system.places()
    entries = system.entries(tuple(slope for _, slope in tangents(system, system.drops(y))))
    size = system.size
    matrix = sparse.coo_matrix((entries, (rows, columns)), shape=(size + 1, size + 1)).tocsc()[:size, :size]
    currents = np.zeros(size - len(count) + 1)
    return matrix.tocsc(), np.append(count[1:], currents), np.append(node[1:], currents)


def _slowest(matrix: Any, capacitance: np.ndarray) -> float:
    """The largest real part of an eigenvalue of J⁻¹C [s]; 0 where there is no unknown voltage."""
    size = len(capacitance)
    if not np.any(capacitance):
        return 0.0
    try:
        if size <= _DENSE:
            found: Any = np.linalg.eigvals(np.linalg.solve(matrix.toarray(), np.diag(capacitance)))
        else:
            solver = linalg.splu(matrix)
            operator: Any = linalg.LinearOperator((size, size), lambda x: solver.solve(capacitance * np.ravel(x)))  # type: ignore[call-arg]
            options: Any = {"which": "LM", "return_eigenvectors": False, "tol": 1e-4, "v0": np.ones(size)}
            found = linalg.eigs(operator, 1, **options)
    except (np.linalg.LinAlgError, RuntimeError) as problem:
        raise MhoError(f"the circuit's time constants are not found: {problem}") from problem
    return float(np.max(found.real))
