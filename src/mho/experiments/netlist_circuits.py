"""A user's netlist as an experiment: its file becomes a configuration, the configuration a network that learns."""

from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.experiments.configuration import NetlistConfiguration
from mho.netlists import parse_netlist, read_netlist
from mho.netlists.circuits.network import netlist_network
from mho.networks import Circuit

_STEP = 0.03
"""Share of a typical conductance that an update by Adam moves one."""
_NUDGE = 0.01
"""The nudging factor as a share of a typical conductance."""


def netlist_configuration(path: Path) -> NetlistConfiguration:
    """The configuration that `mho train FILE.cir` begins with: rates and nudging by the scale of the netlist's resistors.

    Raises:
        InputError: if the netlist cannot be read.
    """
    netlist = read_netlist(path)
    ohms = np.abs(netlist.resistors.resistance)
    scale = float(np.exp(-np.mean(np.log(ohms)))) if len(ohms) else 1e-3
    return NetlistConfiguration(
        netlist=str(path),
        text=netlist.text,
        dataset="xor",
        optimizer="adam",
        learning_rates=(float(f"{_STEP * scale:.1g}"),),
        beta=float(f"{_NUDGE * scale:.1g}"),
        rtol=1e-8,
        target_voltage=0.1,
        lower=float(f"{1e-3 * scale:.1g}"),
        epochs=20,
        passes=10,
    )


def configured_network(configuration: NetlistConfiguration, features: int, outputs: int) -> Circuit:
    """The network of a configuration before training, in NumPy arrays of float64.

    Args:
        configuration: the configuration; its text counts, wherever its file has gone.
        features: of the data.
        outputs: that the data's targets need.

    Raises:
        InputError: if there is no such netlist, or its parts do not fit the data; see `netlist_network`.
    """
    for name in ("inputs", "outputs", "programmable"):
        if not getattr(configuration, name):
            raise InputError(f"--{name}: names nothing; a netlist is trained with {_EXAMPLE}")
    if not configuration.text:
        raise InputError("--netlist: names no file")
    circuit = netlist_network(
        parse_netlist(configuration.text, configuration.netlist or "netlist"),
        inputs=configuration.inputs,
        outputs=configuration.outputs,
        programmable=configuration.programmable,
        input_gain=configuration.input_gain,
        lower=configuration.lower,
        upper=configuration.upper,
        initial=configuration.initial,
        seed=configuration.seed,
    )
    if len(configuration.inputs) != features:
        raise InputError(f"--inputs: names {len(configuration.inputs)} sources, and the data have {features} features")
    if len(configuration.outputs) != outputs:
        raise InputError(
            f"--outputs: names {len(configuration.outputs)} outputs, and the data need {outputs}: one for each class or "
            "value, or one alone for two classes"
        )
    return circuit


_EXAMPLE = "--inputs vx1,vx2 --outputs out --programmable 'r*'"
