"""A circuit of two-terminal elements and voltage sources as a netlist for ngspice or Xyce.

Elements are written by their own cards; diodes of the same parameters share a model.
"""

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.networks.circuit import Circuit


def circuit_netlist(circuit: Circuit, inputs: ArrayLike | None = None, *, title: str = "mho circuit") -> str:
    """The netlist of a circuit, for one input; its operating point is that of `mho.steady.newton.solve_circuit`.

    Args:
        circuit: the circuit. Nodes keep their names; a voltage source keeps its own if that begins with a v.
        inputs: features, (features,), or None for the sources' own voltages.
        title: the first line.

    Raises:
        InputError: for a circuit with amplifiers or controlled sources, or a batch of inputs.
    """
    if circuit.amplifiers is not None or circuit.controlled:
        raise InputError("the circuit has amplifiers or controlled sources, which have no card here yet")
    sources = np.asarray(circuit.sources(inputs))
    if sources.ndim != 1:
        raise InputError(f"inputs of shape {np.asarray(inputs).shape}: a netlist holds one input, of shape (features,)")
    name = [circuit.node_names[k] for k in range(circuit.nodes)]
    lines, models = [f"* {title}"], {}
    for number, branch in enumerate(circuit.branches):
        ends = zip(np.asarray(branch.first).tolist(), np.asarray(branch.second).tolist(), strict=True)
        for k, (a, b) in enumerate(ends):
            lines += _with_shared_models(branch.element.card(f"{number}_{k}", name[a], name[b], k), models)
    ends = zip(np.asarray(circuit.source_plus).tolist(), np.asarray(circuit.source_minus).tolist(), strict=True)
    for k, (a, b) in enumerate(ends):
        source = circuit.source_names[k]
        source = source if source.lower().startswith("v") else f"V{source}"
        lines.append(f"{source} {name[a]} {name[b]} {sources[k]:.17g}")
    return "\n".join([*lines, ".end", ""])


def _with_shared_models(card: list[str], models: dict[str, str]) -> list[str]:
    """The lines of an element's card without models that are there already; `models` has their names by their text."""
    renamed, lines = {}, []
    for line in card:
        if line.startswith(".model "):
            _, name, text = line.split(maxsplit=2)
            renamed[name] = models.setdefault(text, name)
            if renamed[name] != name:
                continue
        lines.append(line)
    return [" ".join(renamed.get(word, word) for word in line.split(" ")) for line in lines] if renamed else lines
