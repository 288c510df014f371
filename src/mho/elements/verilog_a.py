"""Elements that a Verilog-A module describes."""

from collections.abc import Mapping
from pathlib import Path

import equinox as eqx
import numpy as np
from jax import Array

from mho.arrays import Values, namespace
from mho.constants import ROOM_TEMPERATURE
from mho.elements.two_terminal import TwoTerminal, entry
from mho.elements.verilog_a_compiler import equations, module_text
from mho.elements.verilog_a_equations import evaluated, formula
from mho.errors import InputError

_CHECKED = np.linspace(-1.0, 1.0, 201)
"""Voltages at which a module's law is looked at when it is read [V]."""


class VerilogAElement(TwoTerminal):
    """Elements of a Verilog-A module with two terminals: what it contributes to the current between them, at rest.

    The current and its derivative are the module's own equations, as openvaf-py compiles them; what it contributes by `ddt`
    is 0 at rest. The co-content is the integral of the current by 64-point Gauss-Legendre quadrature from 0 V, whose error
    is below 1e-12 relative where the law is analytic and its exponent stays under about 40; a law that conditions join from
    pieces loses digits at its corners, as `mho.check_element` tells. `$simparam` gives its default, or 0, `$limit` limits
    nothing, `$param_given` is false. `$vt` has the compiler's k/q, of CODATA 2010, 2.4e-7 above SPICE's: a module that is to
    agree further writes its own. A polarity of −1 turns the element round.
    """

    source: str = eqx.field(static=True)
    """The module's text, without files to include."""
    parameters: Mapping[str, Array]
    """By their names in the module; a trained one is not kept to its `from` range."""
    multiplier: Array
    """$mfactor: devices in parallel."""
    polarity: Array
    """+1 or −1."""
    temperature: float = eqx.field(static=True, default=ROOM_TEMPERATURE)
    """$temperature [K]."""

    def _values(self, voltage: Values, *targets: str) -> list[Values]:
        law, xp = equations(self.source), namespace(voltage, self.polarity)
        given = {**self.parameters, "mfactor": self.multiplier}
        drop = self.polarity * voltage
        found = evaluated(law, [getattr(law, t) for t in targets], drop, given, self.temperature, xp)
        return [value + xp.zeros_like(drop) for value in found]

    def current(self, voltage: Array) -> Array:
        """The module's contribution."""
        return self.polarity * self._values(voltage, "current")[0]

    def slope(self, voltage: Array) -> Array:
        """Its derivative, by the compiler."""
        return self._values(voltage, "slope")[0]

    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        """Both at once."""
        current, slope = self._values(voltage, "current", "slope")
        return self.polarity * current, slope

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        """A behavioural current source with the module's equations as one formula."""
        given = {name: entry(p, index) for name, p in {**self.parameters, "mfactor": self.multiplier}.items()}
        law, terminals = equations(self.source), (node, reference)
        if entry(self.polarity, index) < 0:
            terminals = (reference, node)
        drop = f"V({terminals[0]},{terminals[1]})"
        return [f"B{name} {' '.join(terminals)} I = {formula(law, drop, given, self.temperature)}"]


def verilog_a_element(source: str, nodes: int, *, temperature: float = ROOM_TEMPERATURE) -> VerilogAElement:
    """Elements of a module's text, its parameters at their defaults; see `read_verilog_a`."""
    law = equations(source)
    return VerilogAElement(
        source=source,
        parameters={name: np.full(nodes, value) for name, value in law.defaults.items()},  # type: ignore[arg-type]
        multiplier=np.ones(nodes),  # type: ignore[arg-type]
        polarity=np.ones(nodes),  # type: ignore[arg-type]
        temperature=temperature,
    )


def read_verilog_a(path: str | Path, nodes: int = 1, *, temperature: float = ROOM_TEMPERATURE) -> VerilogAElement:
    """Elements of the module in a Verilog-A file.

    Args:
        path: the file, with one module of two terminals.
        nodes: how many elements.
        temperature: K.

    Raises:
        InputError: if the file cannot be read or has a fault (with its line); if the module has more terminals, unknowns of
            its own or a current that is no function of the voltage between the terminals; if that decreases with the
            voltage or is not finite between −1 and 1 V; or if openvaf-py is not installed.
    """
    return checked_module(module_text(path), str(path), nodes, temperature=temperature)


def checked_module(source: str, origin: str, nodes: int, *, temperature: float = ROOM_TEMPERATURE) -> VerilogAElement:
    """The elements of a module's text, if they have an energy of one minimum; see `read_verilog_a`."""
    law = equations(source, origin)
    given = {**law.defaults, "mfactor": 1.0}
    with np.errstate(all="ignore"):
        current, slope, returned = (
            np.broadcast_to(values, _CHECKED.shape)
            for values in evaluated(law, [law.current, law.slope, law.returned], _CHECKED, given, temperature, np)
        )
        wrong = {
            "its current is not finite": ~(np.isfinite(current) & np.isfinite(slope)),
            "what goes in at one terminal does not come out": ~(np.abs(current + returned) <= 1e-9 * np.abs(current)),
            "its current decreases with the voltage, so its energy has no one minimum": slope < 0,
        }
    for what, where in wrong.items():
        if where.any():
            raise InputError(f"{origin}: module {law.name}: {what} at {_CHECKED[np.argmax(where)]:.3g} V")
    return verilog_a_element(source, nodes, temperature=temperature)
