"""`check_element` passes mho's own elements and names what is wrong with others; an own element trains and is solved."""

from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import mho
from mho import check_element
from mho.elements import CurrentSource, Curve, JunctionDiode, MeasuredElement, ProgrammableResistor, TwoTerminal
from random_circuits import ELEMENTS, CubicConductor
from referee import require_ngspice

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

CURVE = Curve((-0.9, -0.1, 0.3, 0.5, 0.6), (-1e-6, -1e-6, 0.0, 1e-3, 0.1))
RANDOM = np.random.default_rng(0)
OWN = {kind: make(RANDOM, 2) for kind, make in ELEMENTS.items()} | {
    "resistor": ProgrammableResistor(np.array([1e-3, 1.0])),
    "source": CurrentSource(np.array([1e-3, 0.0])),
    "measured": MeasuredElement(CURVE, np.array([1.0, 0.3]), np.array([1.0, -1.0])),
    "junction": JunctionDiode.from_model(saturation_current=np.array([1e-14, 1e-12])),
}


@pytest.mark.parametrize("kind", OWN)
def test_mho_s_own_elements_pass(kind: str) -> None:
    require_ngspice()
    done = check_element(OWN[kind])
    unchecked = [line for line in done if line.startswith("not checked")]
    assert len(done) == 10 and all("no SPICE card" in line for line in unchecked) and len(unchecked) == (kind == "sinh")


class Cubic(CubicConductor):
    """Right; each of those below overrides one method wrongly."""


class WrongContent(Cubic):
    def co_content(self, voltage: Array) -> Array:
        return self.coefficient * voltage**4 / 3


class ContentFromElsewhere(Cubic):
    def co_content(self, voltage: Array) -> Array:
        return self.coefficient * (voltage**4 + 1) / 4


class UntrainedContent(Cubic):
    def co_content(self, voltage: Array) -> Array:
        return jax.lax.stop_gradient(self.coefficient) * voltage**4 / 4


class WrongSlope(Cubic):
    def slope(self, voltage: Array) -> Array:
        return 2 * self.coefficient * voltage**2


class WrongTangent(Cubic):
    def tangent(self, voltage: Array) -> tuple[Array, Array]:
        return self.current(voltage), self.current(voltage)


class Falling(Cubic):
    def current(self, voltage: Array) -> Array:
        return self.coefficient * (voltage**3 - 0.1 * voltage)


class Overflowing(Cubic):
    def current(self, voltage: Array) -> Array:
        return self.coefficient * jnp.exp(voltage) / (1 + jnp.exp(voltage)) - 0.5 * self.coefficient


class InNumpy(Cubic):
    def current(self, voltage: Array) -> Array:
        return self.coefficient * np.sinh(voltage)  # type: ignore[return-value]


class Single(Cubic):
    def current(self, voltage: Array) -> Array:
        return (self.coefficient * voltage**3).astype("float32")


class Summed(Cubic):
    def current(self, voltage: Array) -> Array:
        return jnp.sum(self.coefficient * voltage**3)


class WrongNode(Cubic):
    def node_voltage(self, conductance: Array, current: Array, start: Array) -> Array:
        return current / conductance


class WrongChange(Cubic):
    def change(self, voltage: Array, deviation: Array) -> Array:
        return self.slope(voltage) * deviation


class WrongDeviation(Cubic):
    def deviating(self, voltage: Array, current: Array) -> TwoTerminal:
        return self


class WrongCard(Cubic):
    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        return super().card(name, node, reference, 0)


class BrokenCard(Cubic):
    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        return [f"B{name} {node} {reference} I = ("]


class Misnamed(Cubic):
    domain: ClassVar = {"coeficient": (0.0, 1.0)}


class OutOfBounds(Cubic):
    domain: ClassVar = {"coefficient": (0.0, 0.5)}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WrongContent, r"WrongContent.current: is not the derivative of co_content: -0.* against -.* at -0\."),
        (ContentFromElsewhere, r"co_content: is not 0 W at 0 V: 0.25 at "),
        (UntrainedContent, r"co_content: its derivative by coefficient is 0, against a difference of 0\."),
        (WrongSlope, r"WrongSlope.slope: is not the derivative of current"),
        (WrongTangent, r"tangent: its slope is not `slope`"),
        (Falling, r"Falling.slope: is negative, where a law must not decrease: -0\."),
        (Overflowing, r"Overflowing.current: is NaN at 10000 V in float64"),
        (InNumpy, r"InNumpy.current: raised TracerArrayConversionError"),
        (Single, r"Single.current: gives float32 for voltages and parameters of float64"),
        (Summed, r"Summed.current: gives shape \(\) for voltages of shape \(24, 2\)"),
        (WrongNode, r"node_voltage: .* V from 0 V, in float64, leaves .* A of the node equation"),
        (WrongChange, r"WrongChange.change: is not i\(v \+ δ\) − i\(v\)"),
        (
            WrongDeviation,
            r"deviating: a node at .* V moves to .* V by its deviation, against .* V by the node equation",
        ),
        (WrongCard, r"WrongCard.card: ngspice has -0.* A at -.* V, current gives -0.* A"),
        (BrokenCard, r"BrokenCard.card: ngspice refuses 'Bx0 check0 0 I = \('"),
        (Misnamed, r"Misnamed.domain: names 'coeficient', which is no parameter"),
        (OutOfBounds, r"OutOfBounds.domain: coefficient = 1 is outside \[0, 0.5\]"),
    ],
)
def test_what_is_wrong_is_told(kind: Callable, message: str) -> None:
    if "Card" in kind.__name__:
        require_ngspice()
    with pytest.raises(mho.InputError, match=message) as told:
        check_element(kind(np.array([1.0, 0.2])))
    assert "\n" not in str(told.value)


def test_what_is_no_element_is_refused() -> None:
    for given in (Cubic, 3):
        with pytest.raises(mho.InputError, match=r"an object of a subclass of mho.TwoTerminal is needed"):
            check_element(given)  # type: ignore[arg-type]
    with pytest.raises(mho.InputError, match="two finite voltages"):
        check_element(Cubic(np.ones(1)), (1.0, -1.0))
    with pytest.raises(mho.InputError, match=r"element Lawless: has no law; define current\(voltage\) or co_content"):

        class Lawless(TwoTerminal):
            conductance: Array


class Cosh(mho.TwoTerminal):
    """An element of one's own, by its co-content alone: p = I₀ V₀ (cosh(v/V₀) − 1)."""

    current_scale: Array
    voltage_scale: Array

    def co_content(self, voltage: Array) -> Array:
        return self.current_scale * self.voltage_scale * (jnp.cosh(voltage / self.voltage_scale) - 1)


def test_an_own_element_trains_in_a_layered_network_and_is_solved_in_a_circuit() -> None:
    check_element(Cosh(np.array(1e-3), np.array(0.2)))
    network = mho.layered_network((2, 8, 2), jax.random.key(0), elements=[Cosh(np.full(8, 1e-2), np.full(8, 0.5))])
    x = RANDOM.uniform(-1, 1, (200, 2))
    run = mho.fit(network, (x, (x[:, 0] > x[:, 1]).astype(int)), epochs=4)
    assert run.metrics[-1]["train_error"] < 0.1 and run.metrics[-1]["residual"] < 1e-3
    builder = mho.CircuitBuilder()
    builder.add_voltage_source("in", 0, 1.0, name="v")
    builder.add_resistors("in", "out", 1e-3)
    builder.add_elements("out", 0, Cosh(np.array([1e-3]), np.array([0.2])), name="own")
    found = mho.solve(builder.build())
    v = found.voltages[2]
    assert 1e-3 * (1.0 - v) == pytest.approx(1e-3 * np.sinh(v / 0.2), rel=1e-12)
