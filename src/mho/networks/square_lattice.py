"""Square lattices of programmable resistors between voltage sources: circuits for coupled learning."""

import numpy as np

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.lattice import lattice_edges


def square_lattice(
    features: int,
    outputs: int,
    *,
    side: int,
    seed: int,
    conductance: float = 1.0,
    lower: float = 1e-3,
    upper: float = float("inf"),
    input_gain: float = 1.0,
    bias_line: float | None = None,
) -> Circuit:
    """A square lattice of `side`² nodes named 1, 2, … row by row, each joined to its neighbours by a resistor.

    Voltage sources hold nodes evenly spaced along its edge, from node 1 on, clockwise: one a feature, then the constant
    one, then ground. The outputs are inner nodes drawn at random. Such a circuit's voltages are weighted means of its
    sources', so a linear function that it can learn has positive coefficients whose sum is at most 1.

    Args:
        features: features of the input.
        outputs: nodes whose voltages are the prediction.
        side: nodes along each edge.
        seed: of the outputs and of the conductances.
        conductance: mean of the first conductances, which are uniform between 0.5 and 1.5 times it [S].
        lower: smallest conductance [S].
        upper: largest conductance [S].
        input_gain: volts at a source for an input of 1.
        bias_line: voltage of the constant source [V], or None.

    Raises:
        InputError: for a lattice with fewer nodes than sources along its edge or than outputs inside, or the first
            conductances would not be within their bounds.
    """
    count = features + (bias_line is not None) + 1
    if not (features >= 1 <= outputs <= (side - 2) ** 2 and side > 2 and count <= 4 * (side - 1)):
        raise InputError(
            f"a lattice of side {side} has {max(0, 4 * (side - 1))} nodes along its edge for {count} sources and "
            f"{max(0, side - 2) ** 2} inside for {outputs} outputs: too few"
        )
    if not lower <= 0.5 * conductance < 1.5 * conductance <= upper:
        raise InputError(
            f"first conductances, {0.5 * conductance:g} to {1.5 * conductance:g} S: must be within the bounds "
            f"{lower:g} to {upper:g} S"
        )
    random = np.random.default_rng(seed)
    number = np.arange(1, side * side + 1).reshape(side, side)
    edge = np.concatenate([number[0, :-1], number[:-1, -1], number[-1, :0:-1], number[:0:-1, 0]])
    sources = edge[np.arange(count) * len(edge) // count].tolist()
    builder = CircuitBuilder()
    first, second = lattice_edges((side, side))
    values = conductance * random.uniform(0.5, 1.5, len(first))
    builder.add_resistors(first, second, values, programmable=True, lower=lower, upper=upper)
    held = [0.0] * features + ([] if bias_line is None else [bias_line]) + [0.0]
    names = [f"v{node}" for node in sources]
    builder.add_voltage_sources(sources, [0] * count, held, names)
    builder.set_inputs(names[:features], gains=[input_gain] * features)
    builder.set_outputs(random.choice(number[1:-1, 1:-1].ravel(), outputs, replace=False).tolist())
    return builder.build()
