"""What a device is: how a programmable conductance takes the changes that learning asks of it."""

import abc
from typing import Self

import equinox as eqx
from jax import Array

from mho.elements import ProgrammableResistor
from mho.errors import InputError


class Device(eqx.Module):
    """A programmable device, the same at each of an array of conductances; a subclass needs `program` alone.

    Arrays among its fields are the devices' own numbers, which are kept with a run; settings are static fields, or numbers.

        class Sign(mho.devices.Device):  # one step up or down, whatever is asked for
            step: float = 1e-4  # S

            def program(self, conductance, change, key):
                return conductance + self.step * jnp.sign(change)

    What it gives is then brought within the bounds of the resistors. `mho.check_device` tests a device.
    """

    @abc.abstractmethod
    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """The conductances after programming.

        Args:
            conductance: as they are [S].
            change: what is asked for [S], in their shape.
            key: a JAX random key, another one at each update.
        """

    def drawn(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """The first conductances as these devices hold them [S], and the devices with the numbers that each has for itself.

        Args:
            resistors: first conductances, and the bounds that make up the devices' window.
            key: a JAX random key.

        Raises:
            InputError: if the devices need a window, and the resistors have none.
        """
        return resistors.conductance, self

    def programmed(self, conductance: Array, change: Array, key: Array) -> tuple[Array, Self]:
        """As `program`, and the devices after it: for those that keep more than a conductance."""
        return self.program(conductance, change, key), self

    def placed(self, resistors: ProgrammableResistor, key: Array) -> tuple[Array, Self]:
        """As `drawn`, within the resistors' bounds: for devices that may stand beyond what they can be programmed to."""
        conductance, device = self.drawn(resistors, key)
        return resistors.within_bounds(conductance), device

    def reprogrammed(self, resistors: ProgrammableResistor, change: Array, key: Array) -> tuple[Array, Self]:
        """As `programmed`, within the resistors' bounds; see `placed`."""
        conductance, device = self.programmed(resistors.conductance, change, key)
        return resistors.within_bounds(conductance), device


class Ideal(Device):
    """Any change is made as it is asked for, within the resistors' bounds."""

    def program(self, conductance: Array, change: Array, key: Array) -> Array:
        """g + Δg."""
        return conductance + change


def finite_window(device: str, resistors: ProgrammableResistor) -> tuple[float, float]:
    """Bounds of resistors, as the ends of a window [S].

    Raises:
        InputError: if the upper bound is infinite.
    """
    if resistors.upper == float("inf"):
        raise InputError(f"device {device}: needs a largest conductance; give the network an upper bound [S]")
    return resistors.lower, resistors.upper
