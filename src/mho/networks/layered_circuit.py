"""Layered networks as circuits of single resistors."""

import numpy as np

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.crossbar import DenseCrossbar, MirroredCrossbar
from mho.networks.layered import LayeredNetwork


def layered_circuit(network: LayeredNetwork) -> Circuit:
    """The same network as a circuit, resistor by resistor, for the tools that take any circuit.

    Nodes: `p0…` and `m0…` are the sources at ±input, `h{l}_{i}` the nodes of layer l (`a{l}_{i}` behind its amplifiers),
    `out{i}` the outputs.

    Raises:
        InputError: for elements without a finite law (ideal diodes).
    """
    builder = CircuitBuilder()
    first = network.layers[0].crossbar
    if not isinstance(first, MirroredCrossbar):
        raise InputError("the first layer has no mirrored crossbar: its sources are not known")
    pairs = first.shape[0]
    rows = {sign: [f"{sign}{i}" for i in range(pairs)] for sign in "pm"}
    features = pairs - (network.bias_line is not None)
    for sign, factor in (("p", 1.0), ("m", -1.0)):
        held = np.zeros(pairs)
        if network.bias_line is not None:
            held[-1] = factor * network.bias_line
        builder.add_voltage_sources(rows[sign], ["0"] * pairs, held, [f"v{r}" for r in rows[sign]])
    builder.set_inputs(
        [f"v{sign}{i}" for sign in "pm" for i in range(features)],
        features=[*range(features)] * 2,
        gains=np.repeat([network.input_gain, -network.input_gain], features),
    )
    behind: list[str] = []
    last = len(network.layers) - 1
    for index, layer in enumerate(network.layers):
        width = layer.crossbar.shape[1]
        here = [f"out{i}" if index == last else f"h{index + 1}_{i}" for i in range(width)]
        crossbar = layer.crossbar
        if isinstance(crossbar, MirroredCrossbar):
            parts = [(rows["p"], crossbar.plus, "_plus"), (rows["m"], crossbar.minus, "_minus")]
        elif isinstance(crossbar, DenseCrossbar):
            parts = [(behind, crossbar.resistors, "")]
        else:
            raise InputError(f"layer {index + 1}: a {type(crossbar).__name__} has no circuit of single resistors")
        for names, resistors, suffix in parts:
            builder.add_resistors(
                np.repeat(names, width),
                np.tile(here, len(names)),
                np.asarray(resistors.conductance, np.float64).reshape(-1),
                name=f"crossbar{index + 1}{suffix}",
                programmable=True,
                lower=resistors.lower,
                upper=resistors.upper,
            )
        if layer.element is not None:
            builder.add_elements(here, 0, layer.element, name=f"element{index + 1}")
        if layer.bias is not None:
            builder.add_elements(here, 0, layer.bias, name=f"bias{index + 1}")
        behind = here
        if layer.amplifier is not None:
            behind = [f"a{index + 1}_{i}" for i in range(width)]
            gain = np.asarray(layer.amplifier.gain, np.float64)
            builder.add_amplifiers(here, behind, gain, name=f"amplifier{index + 1}")
    if network.paired_outputs:
        half = len(behind) // 2
        builder.set_outputs(behind[:half], references=behind[half:])
    else:
        builder.set_outputs(behind)
    return builder.build()
