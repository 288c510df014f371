"""Devices: how programmable conductances take the changes that learning asks of them. A file a family."""

from mho.devices.ageing import AgeingDevice
from mho.devices.checks import check_device
from mho.devices.constant_step import ConstantStep
from mho.devices.device import Device, Ideal
from mho.devices.exponential_step import ExponentialStep
from mho.devices.levels import Levels, ProgramVerify
from mho.devices.linear_step import LinearStep, SoftBounds
from mho.devices.power_step import PiecewiseStep, PowerStep
from mho.devices.presets import DEVICES, named_device
from mho.devices.pulsed import Cells, PulsedDevice
from mho.devices.window import windowed

__all__ = [
    "DEVICES",
    "AgeingDevice",
    "Cells",
    "ConstantStep",
    "Device",
    "ExponentialStep",
    "Ideal",
    "Levels",
    "LinearStep",
    "PiecewiseStep",
    "PowerStep",
    "ProgramVerify",
    "PulsedDevice",
    "SoftBounds",
    "check_device",
    "named_device",
    "windowed",
]
