"""Flaws: a configuration becomes one chip of its network."""

from typing import TypeVar

from mho.errors import InputError
from mho.experiments.configuration import AnalogConfiguration, UnlayeredConfiguration, option
from mho.experiments.flaw_fields import SPREAD_FIELDS
from mho.networks import Circuit, LayeredNetwork
from mho.networks.mismatch import mismatched

AnyNetwork = TypeVar("AnyNetwork", LayeredNetwork, Circuit)


def configured_flaws(configuration: AnalogConfiguration | UnlayeredConfiguration, network: AnyNetwork) -> AnyNetwork:
    """A network with a configuration's mismatch; the network itself if it has none.

    Raises:
        InputError: where there is nothing that could differ.
    """
    spreads = configuration.spreads
    if not spreads:
        return network
    seed = configuration.seed if configuration.flaw_seed is None else configuration.flaw_seed
    try:
        return mismatched(network, seed, **spreads)
    except InputError as problem:
        named = "mismatch" if configuration.mismatch else SPREAD_FIELDS[next(iter(spreads))]
        raise InputError(f"{option(named)}: {problem}") from problem
