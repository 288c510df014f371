"""Layered networks as circuits of single resistors."""

import numpy as np

from mho.elements import BidirectionalAmplifier
from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder
from mho.networks.crossbar import DenseCrossbar, MirroredCrossbar
from mho.networks.layer_names import node_names, row_nodes, source_nodes
from mho.networks.layered import LayeredNetwork


def layered_circuit(network: LayeredNetwork) -> Circuit:
    """The same network as a circuit, resistor by resistor, for the tools that take any circuit.

    Nodes are called as `mho.networks.layer_names` says.

    Raises:
        InputError: for elements without a finite law (ideal diodes).
    """
    builder = CircuitBuilder()
    first = network.layers[0].crossbar
    if not isinstance(first, MirroredCrossbar):
        raise InputError("the first layer has no mirrored crossbar: its sources are not known")
    pairs = first.shape[0]
    sources = source_nodes(network)
    features = pairs - (network.bias_line is not None)
    for nodes, factor in zip(sources, (1.0, -1.0), strict=True):
        held = np.zeros(pairs)
        if network.bias_line is not None:
            held[-1] = factor * network.bias_line
        builder.add_voltage_sources(nodes, ["0"] * pairs, held, [f"v{node}" for node in nodes])
    builder.set_inputs(
        [f"v{node}" for nodes in sources for node in nodes[:features]],
        features=[*range(features)] * 2,
        gains=np.repeat([network.input_gain, -network.input_gain], features),
    )
    behind = [*row_nodes(network), (node_names(network)[-1],)]
    for index, (layer, here) in enumerate(zip(network.layers, node_names(network), strict=True)):
        width, rows = layer.crossbar.shape[1], behind[index]
        crossbar = layer.crossbar
        if isinstance(crossbar, MirroredCrossbar):
            parts = [(rows[0], crossbar.plus, "_plus"), (rows[1], crossbar.minus, "_minus")]
        elif isinstance(crossbar, DenseCrossbar):
            parts = [(rows[0], crossbar.resistors, "")]
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
        if layer.amplifier is not None:
            _add_amplifiers(builder, layer.amplifier, here, behind[index + 1][0], f"amplifier{index + 1}")
    outputs = behind[-1][0]
    if network.paired_outputs:
        half = len(outputs) // 2
        builder.set_outputs(outputs[:half], references=outputs[half:])
    else:
        builder.set_outputs(outputs)
    return builder.build()


def _add_amplifiers(
    builder: CircuitBuilder, amplifier: BidirectionalAmplifier, near: list[str], far: list[str], name: str
) -> None:
    gain = np.asarray(amplifier.gain, np.float64)
    if amplifier.current_gain is None and not gain.ndim:
        builder.add_amplifiers(near, far, gain, name=name)
        return
    back = 1.0 / gain if amplifier.current_gain is None else np.asarray(amplifier.current_gain, np.float64)
    ground, forward = ["0"] * len(near), [f"{name}_e{k}" for k in range(len(near))]
    builder.add_vcvs(far, ground, near, ground, gain, name=forward)
    # The E source's current runs from its positive node through it: what is drawn behind it, the other way.
    builder.add_cccs(near, ground, forward, -back, name=[f"{name}_f{k}" for k in range(len(near))])
