"""What a layered network's nodes are called, in circuits and netlists.

Counted from 0 within a layer, layers from 1:

- `in12p`, `in12n`: the sources at +x and −x of input 12; `in12` where the first crossbar is not mirrored;
- `biasp`, `biasn`: the constant pair of sources, where the network has one;
- `h1_7`: node 7 of hidden layer 1; `a1_7`: the same behind its amplifier;
- `out_3`: output 3; where outputs are paired, the second half follows the first.
"""

from collections.abc import Sequence

from mho.networks.layered import LayeredNetwork


def node_names(network: LayeredNetwork) -> tuple[list[str], ...]:
    """Of the nodes of each layer, in the order of the layers' arrays; outputs last."""
    widths = network.widths[1:]
    hidden = [[f"h{index}_{k}" for k in range(n)] for index, n in enumerate(widths[:-1], 1)]
    return (*hidden, [f"out_{k}" for k in range(widths[-1])])


def source_nodes(network: LayeredNetwork) -> tuple[list[str], ...]:
    """Of the nodes that sources hold: at +x, and at −x where the first crossbar is mirrored."""
    first = network.layers[0].crossbar
    pairs = first.shape[0]
    names = [f"in{k}" for k in range(pairs)]
    if network.bias_line is not None:
        names[-1] = "bias"
    if first.mirrored:
        return [f"{name}p" for name in names], [f"{name}n" for name in names]
    return (names,)


def row_nodes(network: LayeredNetwork) -> list[Sequence[list[str]]]:
    """Of the nodes that each layer's rows stand at, by polarity: the sources, then those behind the layer before."""
    rows: list[Sequence[list[str]]] = [source_nodes(network)]
    for index, (layer, nodes) in enumerate(zip(network.layers[:-1], node_names(network), strict=False), 1):
        rows.append((nodes if layer.amplifier is None else [f"a{index}_{k}" for k in range(len(nodes))],))
    return rows
