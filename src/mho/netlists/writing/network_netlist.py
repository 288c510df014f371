"""Any network as a netlist that a SPICE simulator runs unchanged."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike

from mho.elements import ProgrammableResistor
from mho.elements.resistor import OPEN
from mho.errors import InputError
from mho.netlists.writing.circuit_netlist import circuit_netlist
from mho.netlists.writing.dialects import Simulator, one_input
from mho.netlists.writing.layered_netlist import layered_netlist
from mho.netlists.writing.nudging_cards import Nudge
from mho.netlists.writing.own_netlist import own_netlist
from mho.networks import Circuit, LayeredNetwork
from mho.precision import double


def write_netlist(
    network: LayeredNetwork | Circuit,
    inputs: ArrayLike | None = None,
    *,
    nudge: Nudge | None = None,
    title: str = "mho network",
    expected: Mapping[str, float] | None = None,
    simulator: Simulator = "ngspice",
) -> str:
    """The netlist of a network, layered, convolutional or a circuit, that holds one input.

    A circuit that was read from a netlist to be trained (`mho.netlists.circuits.network.netlist_network`) gives that
    netlist's text back, with its trained values. Numbers have 17 digits: the circuit is the network's to the last bit. A
    dead device, of 0 S, is a resistor of 1e24 Ω.

    Args:
        network: the network.
        inputs: features, (features,). None stands for 0, or for a circuit's sources as they are.
        nudge: what is attached to the outputs, of this sample alone; see `mho.netlists.writing.nudging_cards.nudge_cards`.
        title: the first line; a comment at its end in a netlist that has its own.
        expected: voltages [V] by node that the netlist is to tell as comments, ``* v(out) = 0.1``, to be checked against.
        simulator: whose dialect to write.

    Raises:
        InputError: for inputs or a nudge that are not one sample's, an element that has no card, or names that SPICE would
            take for others.
    """
    network = jax.tree.map(_in_ohms, network, is_leaf=lambda part: isinstance(part, ProgrammableResistor))
    told = [f"* v({node}) = {volts:.17g}" for node, volts in (expected or {}).items()]
    if isinstance(network, LayeredNetwork):
        features = one_input(np.zeros(_features(network)) if inputs is None else inputs)
        sources = double(LayeredNetwork.source_voltages)(network, features[None])  # type: ignore[arg-type]
        return layered_netlist(network, sources[0], nudge=nudge, title=title, told=told, simulator=simulator)
    if network.netlist is None:
        return circuit_netlist(network, inputs, nudge=nudge, title=title, told=told, simulator=simulator)
    if simulator != "ngspice":
        raise InputError(f"simulator {simulator!r}: a netlist of one's own stays as it is written, for ngspice")
    return own_netlist(network, inputs, nudge=nudge, about=title, told=told)


def _in_ohms(part: Any) -> Any:
    """Resistors of which none is open."""
    if not isinstance(part, ProgrammableResistor) or np.all(part.conductance):
        return part
    given = np.asarray(part.conductance)
    return eqx.tree_at(lambda r: r.conductance, part, np.where(given == 0, given.dtype.type(OPEN), given))


def _features(network: LayeredNetwork) -> int:
    return network.layers[0].crossbar.shape[0] - (network.bias_line is not None)
