"""A check of a device of one's own: what training takes for granted of it."""

import jax
import jax.numpy as jnp
import numpy as np

from mho.devices.device import Device
from mho.elements import ProgrammableResistor
from mho.errors import InputError

_STANDS, _DEVICES = 9, 512
"""Conductances over the window, and devices at each."""
_REQUESTS = (-0.5, -0.1, -0.02, 0.0, 0.02, 0.1, 0.5)
"""As shares of the window."""
_ERRORS = 5.0
"""Standard errors of a mean that are no difference."""


def check_device(device: Device, window: tuple[float, float] = (1e-6, 1e-3)) -> list[str]:
    """Check a device; see `mho.devices.Device` for what a subclass defines.

    Args:
        device: the device.
        window: smallest and largest conductance of the resistors that it is tried on [S].

    Returns:
        What was checked, a line each, noise and leakage named.

    Raises:
        InputError: for the first check that fails: what is wrong, and by how much.
    """
    if not isinstance(device, Device):
        what = "a class: give an object of it" if isinstance(device, type) else type(device).__name__
        raise InputError(f"device: is {what}; an object of a subclass of mho.devices.Device is needed")
    name, (least, largest) = type(device).__name__, window
    if not 0 < least < largest < np.inf:
        raise InputError(f"window {window}: two conductances above 0 S are needed, the lower one first")
    done = []
    for dtype in (np.float32, np.float64):
        with jax.enable_x64(dtype == np.float64):
            done = _checked(name, device, least, largest, dtype)
    return done


def _checked(name: str, device: Device, least: float, largest: float, dtype: type) -> list[str]:
    grid = jnp.asarray(np.repeat(np.linspace(least, largest, _STANDS)[:, None], _DEVICES, 1), dtype)
    resistors = ProgrammableResistor(grid, least, largest)
    keys = jax.random.split(jax.random.key(0), 3)
    first, drawn = device.drawn(resistors, keys[0])
    again, _ = device.drawn(resistors, keys[0])
    if not np.array_equal(first, again):
        raise InputError(f"{name}.drawn: gives other first conductances with the same key")
    first = resistors.within_bounds(first)
    program = jax.jit(lambda change, key: drawn.programmed(first, change, key)[0])
    means, told = [], []
    for request in _REQUESTS:
        change = jnp.full_like(first, request * (largest - least))
        new = program(change, keys[1])
        if getattr(new, "shape", None) != first.shape or new.dtype != first.dtype:
            raise InputError(
                f"{name}.program: gives {getattr(new, 'dtype', type(new).__name__)} of shape {np.shape(new)}; "
                f"{first.dtype} of shape {first.shape} is needed"
            )
        if not np.isfinite(np.asarray(new)).all():
            raise InputError(
                f"{name}.program: gives numbers that are not finite for a change of {request:+.0%} of the window"
            )
        if not np.array_equal(new, program(change, keys[1])):
            raise InputError(f"{name}.program: gives other conductances with the same key")
        moved = np.asarray(resistors.within_bounds(new), np.float64) - np.asarray(first, np.float64)
        if request == 0.0 and np.any(moved):
            told = [f"a change of 0 moves the device, by {np.std(moved) / (largest - least):.1e} of the window"]
        means.append((moved.mean(), moved.std() / np.sqrt(moved.size)))
        if request and means[-1][0] * np.sign(request) < -_ERRORS * means[-1][1]:
            raise InputError(
                f"{name}.program: a change of {request:+.0%} of the window moves it the other way on average"
            )
    for (low, error), (high, other), smaller, request in zip(means, means[1:], _REQUESTS, _REQUESTS[1:], strict=False):
        if high < low - _ERRORS * np.hypot(error, other) - 1e-6 * (largest - least):
            raise InputError(
                f"{name}.program: asked for {request:+.0%} of the window it moves on average less than for {smaller:+.0%}"
            )
    noisy = not np.array_equal(program(change, keys[1]), program(change, keys[2]))
    return [
        "same key, same devices and conductances",
        "shape and precision kept, numbers finite; bounds are kept by the resistors",
        "more asked for moves it further on average",
        *(told or ["a change of 0 changes nothing"]),
        "noise: yes" if noisy else "noise: none",
    ]
