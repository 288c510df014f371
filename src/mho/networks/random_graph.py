"""Random graphs of programmable resistors and diodes between voltage sources: circuits that learn without layers."""

import numpy as np

from mho.constants import ROOM_TEMPERATURE
from mho.elements import ShockleyDiode
from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder


def random_graph(
    features: int,
    outputs: int,
    *,
    hidden: int,
    diodes: int,
    seed: int,
    density: float = 0.6,
    conductance: float = 1e-3,
    lower: float = 1e-6,
    upper: float = float("inf"),
    input_gain: float = 1.0,
    bias_line: float | None = 1.0,
    saturation_current: float = 1e-6,
    ideality: float = 1.0,
    temperature: float = ROOM_TEMPERATURE,
) -> Circuit:
    """Sources at ±x and at ± a constant, hidden nodes and pairs of output nodes, joined at random.

    Resistors stand between hidden nodes and sources and among hidden nodes, and between every hidden and every output
    node; each diode between two random hidden nodes or a hidden node and ground, in random direction.

    Args:
        features: features of the input, each of which drives two sources.
        outputs: predictions, each the difference of two nodes.
        hidden: hidden nodes.
        diodes: Shockley diodes.
        seed: of the graph and of the conductances.
        density: share, of the possible resistors among sources and hidden nodes, that there are.
        conductance: mean of the first conductances, which are uniform between 0.1 and 1.9 times it [S].
        lower: smallest conductance [S].
        upper: largest conductance [S].
        input_gain: volts at a source for an input of 1.
        bias_line: voltage of the constant pair of sources [V], or None.
        saturation_current: the diodes' [A].
        ideality: the diodes'.
        temperature: the diodes' [K].

    Raises:
        InputError: where there is nothing to join, or the first conductances would not be within their bounds.
    """
    if min(features, outputs, hidden) < 1:
        raise InputError(f"{features} features, {outputs} outputs, {hidden} hidden nodes: each must be positive")
    if not lower <= 0.1 * conductance < 1.9 * conductance <= upper:
        raise InputError(
            f"first conductances, {0.1 * conductance:g} to {1.9 * conductance:g} S: must be within the bounds "
            f"{lower:g} to {upper:g} S"
        )
    random = np.random.default_rng(seed)
    builder = CircuitBuilder()
    lines = [f"x{i}" for i in range(features)] + ([] if bias_line is None else ["bias"])
    rails = [f"{line}{sign}" for line in lines for sign in "pm"]
    held = [0.0] * (2 * features) + ([] if bias_line is None else [bias_line, -bias_line])
    builder.add_voltage_sources(rails, ["0"] * len(rails), held, [f"v{rail}" for rail in rails])
    builder.set_inputs(
        [f"v{rail}" for rail in rails[: 2 * features]],
        features=np.repeat(np.arange(features), 2).tolist(),
        gains=[input_gain, -input_gain] * features,
    )
    inner = [f"h{i}" for i in range(hidden)]
    plus, minus = [f"out{i}p" for i in range(outputs)], [f"out{i}m" for i in range(outputs)]
    pairs = [(a, b) for a in rails for b in inner]
    pairs += [(a, b) for i, a in enumerate(inner) for b in inner[i + 1 :]]
    pairs = [pair for pair in pairs if random.random() < density]
    # One more each: the graph is connected whatever was drawn.
    pairs += [(rails[int(random.integers(len(rails)))], node) for node in inner]
    pairs += [(a, b) for a in inner for b in plus + minus]
    first, second = zip(*pairs, strict=True)
    values = conductance * random.uniform(0.1, 1.9, len(pairs))
    builder.add_resistors(first, second, values, programmable=True, lower=lower, upper=upper)
    if diodes:
        ends = [random.choice([*inner, "0"], 2, replace=False) for _ in range(diodes)]
        parameters = (np.full(diodes, saturation_current), np.full(diodes, ideality), np.zeros(diodes), np.ones(diodes))
        diode = ShockleyDiode(*parameters, temperature)  # pyright: ignore[reportArgumentType]
        builder.add_elements([str(a) for a, _ in ends], [str(b) for _, b in ends], diode, name="diodes")
    builder.set_outputs(plus, references=minus)
    return builder.build()
