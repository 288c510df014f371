"""Devices: a configuration becomes what its conductances are, and their window."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from mho.devices import AgeingDevice, Device, Ideal, named_device, windowed
from mho.errors import InputError
from mho.experiments.configuration import RuleConfiguration
from mho.experiments.device_fields import AGEING
from mho.experiments.own_objects import is_own, own_made
from mho.learning import programming

_DRAWN = 2**32 - 1
"""Folded into a seed's key for the devices' own numbers: no epoch has this number."""

Programs = Callable[[Any, Any], tuple[Any, Any]]
"""See `mho.experiments.learner.Learner.programming`."""


def configured_device(configuration: RuleConfiguration) -> Device:
    """What a configuration's conductances are.

    Raises:
        InputError: for a setting that the device has not, or one of the user's own that is none.
    """
    name, settings = configuration.device, configuration.device_settings
    if is_own(name):
        if settings:
            raise InputError(f"--device-settings {settings[0]}: {name} is a device of your own; set it there")
        device = own_made("--device", name, Device)
    else:
        common = {field: getattr(configuration, field) for field in ("levels", "rounding", "pulses_per_update")}
        device = named_device(name, settings, **common)
    if not any(getattr(configuration, field) for field in AGEING):
        return device
    given = {field: getattr(configuration, field) for field in (*AGEING, "drift_start", "update_time", "idle_time")}
    return AgeingDevice(device, **given)


def configured_window(configuration: RuleConfiguration, network: Any) -> Any:
    """A network in its configuration's window, if it has one."""
    if not configuration.has_window:
        return network
    ratio, floor, headroom = configuration.on_off_ratio, configuration.floor, configuration.headroom
    return windowed(network, ratio, floor=floor, headroom=headroom)


def configured_programming(device: Device, seed: int, trained: Sequence[str]) -> Programs:
    """What makes such devices of a network's conductances; ideal ones they are already."""
    if isinstance(device, Ideal):
        return lambda network, state: (network, state)
    key = jax.random.fold_in(jax.random.key(seed), _DRAWN)
    return lambda network, state: programming(network, device, state, trained, key)
