"""Random layered networks of a few fixed structures, so that one compiled function serves all that share one.

Conductances are log-uniform over three decades, 1e-4 to 1e-1 S; diodes have I_S from 1e-12 to 1e-9 A. SPICE's diode
departs from Shockley's law in reverse by at most 0.0041·I_S = 4e-12 A, which at 1e-4 S at the least in each of a node's
resistors moves a voltage by less than 4e-8 V, and by less than 1e-6 V behind the largest product of gains here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.elements import (
    AntiparallelDiodes,
    BidirectionalAmplifier,
    CurrentSource,
    IdealDiode,
    PiecewiseDiode,
    ProgrammableResistor,
    ShockleyDiode,
    TwoTerminal,
)
from mho.elements.two_terminal import entry
from mho.learning import Cost, CrossEntropy, EnergyNudge, SquaredError
from mho.networks import (
    ConvolutionCrossbar,
    DenseCrossbar,
    Layer,
    LayeredNetwork,
    MirroredConvolutionCrossbar,
    MirroredCrossbar,
    PoolingCrossbar,
    image_planes,
)

FEATURES, CLASSES, BATCH = 3, 2, 3


class CubicConductor(TwoTerminal):
    """An element as a user defines it: i = c v³, no more."""

    coefficient: Array
    """A/V³."""

    def current(self, voltage: Array) -> Array:
        return self.coefficient * voltage**3

    def card(self, name: str, node: str, reference: str, index: int | None = None) -> list[str]:
        drop = f"V({node},{reference})"
        return [f"B{name} {node} {reference} I = {entry(self.coefficient, index):.17g}*{drop}*{drop}*{drop}"]


class SinhConductor(TwoTerminal):
    """Another: i = I₀ sinh(v / v₀)."""

    current_scale: Array
    voltage_scale: Array

    def current(self, voltage: Array) -> Array:
        return self.current_scale * jnp.sinh(voltage / self.voltage_scale)


def log_uniform(rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def polarities(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n)


def shockley(rng: np.random.Generator, n: int, polarity: np.ndarray | None = None) -> ShockleyDiode:
    polarity = polarities(rng, n) if polarity is None else polarity
    return ShockleyDiode(log_uniform(rng, 1e-12, 1e-9, n), rng.uniform(1, 2, n), rng.uniform(0, 0.4, n), polarity)


def antiparallel(rng: np.random.Generator, n: int) -> AntiparallelDiodes:
    return AntiparallelDiodes(shockley(rng, n, np.ones(n)), shockley(rng, n, -np.ones(n)))


def ideal(rng: np.random.Generator, n: int) -> IdealDiode:
    return IdealDiode(polarities(rng, n))


def piecewise(rng: np.random.Generator, n: int) -> PiecewiseDiode:
    return PiecewiseDiode(
        log_uniform(rng, 1, 1e3, n), log_uniform(rng, 1e5, 1e7, n), rng.uniform(0, 0.3, n), polarities(rng, n)
    )


def cubic(rng: np.random.Generator, n: int) -> CubicConductor:
    return CubicConductor(log_uniform(rng, 1e-3, 1, n))


def sinh(rng: np.random.Generator, n: int) -> SinhConductor:
    return SinhConductor(log_uniform(rng, 1e-5, 1e-3, n), rng.uniform(0.1, 0.3, n))


ELEMENTS: dict[str, Callable[[np.random.Generator, int], TwoTerminal]] = {
    "shockley": shockley,
    "antiparallel": antiparallel,
    "ideal": ideal,
    "piecewise": piecewise,
    "cubic": cubic,
    "sinh": sinh,
}


SQUARED = SquaredError()


@dataclass(frozen=True)
class Structure:
    """What does not vary between the random networks that one compiled function serves."""

    hidden: tuple[int, ...] = ()
    elements: tuple[str | None, ...] = ()
    amplified: tuple[bool, ...] = ()
    bias_line: float | None = None
    bias_currents: bool = False
    paired: bool = False
    mirrored: bool = True
    cost: Cost = SQUARED
    input_gain: float = 1.0
    filters: tuple[int, ...] = ()
    """Of convolutions by windows of 2 × 2 on images of 5 × 4, each pooled by 2; `hidden` counts their nodes, too."""

    @property
    def features(self) -> int:
        return 20 if self.filters else FEATURES


STRUCTURES = {
    "linear": Structure(bias_currents=True),
    "paper": Structure((5,), ("antiparallel",), (True,), bias_line=1.0, paired=True),
    "paper-deep": Structure((4, 5), ("antiparallel", "shockley"), (True, True), bias_line=0.5, paired=True),
    "drn": Structure((5, 4, 5), ("ideal",) * 3, (False,) * 3, bias_currents=True, cost=CrossEntropy(2.0)),
    "piecewise": Structure((5, 4), ("piecewise", "shockley"), (False, True), bias_currents=True, mirrored=False),
    "mixed": Structure(
        (4, 5, 4), ("ideal", "piecewise", "antiparallel"), (True, False, True), 1.0, True, True, cost=CrossEntropy(1.0)
    ),
    "convolutional": Structure(
        (24, 4, 3),
        ("antiparallel", None, "ideal"),
        (True, False, False),
        None,
        True,
        cost=CrossEntropy(2.0),
        filters=(2,),
    ),
    "pooled": Structure(
        (24, 4, 3), ("piecewise", None, "ideal"), (True, True, False), None, True, cost=CrossEntropy(2.0), filters=(2,)
    ),
    "user-defined": Structure((4, 4), ("cubic", None), (True, False), bias_currents=True, input_gain=2.0),
}


def random_network(structure: Structure, seed: int) -> LayeredNetwork:
    """A network in float64, its parameters drawn from `seed`."""
    rng = np.random.default_rng(seed)
    pairs = structure.features + (structure.bias_line is not None)
    nodes = [*structure.hidden, CLASSES * (2 if structure.paired else 1)]

    def resistors(*shape: int) -> ProgrammableResistor:
        return ProgrammableResistor(log_uniform(rng, 1e-4, 1e-1, shape))

    planes = image_planes((5, 4), structure.filters, 2, 2)
    layers = []
    for index, (n, m) in enumerate(zip([pairs, *nodes[:-1]], nodes, strict=True)):
        if index < len(planes):
            here = planes[index]
            shape = (structure.filters[index // 2], here.channels, 2, 2)
            if index % 2:
                crossbar = PoolingCrossbar(here, 1e-2)
            elif index:
                crossbar = ConvolutionCrossbar(resistors(*shape), here)
            else:
                crossbar = MirroredConvolutionCrossbar(resistors(*shape), resistors(*shape), here)
        elif index == 0 and structure.mirrored:
            crossbar = MirroredCrossbar.joined(resistors(n, m), resistors(n, m))
        else:
            crossbar = DenseCrossbar(resistors(n, m))
        hidden = index + 1 < len(nodes)
        kind = structure.elements[index] if hidden else None
        gain = BidirectionalAmplifier(rng.uniform(1.5, 4.0, ())) if hidden and structure.amplified[index] else None
        bias = CurrentSource(rng.normal(0, 1e-2, m)) if structure.bias_currents else None
        layers.append(Layer(crossbar, None if kind is None else ELEMENTS[kind](rng, m), bias, gain))
    return LayeredNetwork(tuple(layers), structure.input_gain, structure.bias_line, structure.paired)


def random_samples(structure: Structure, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (BATCH, features) and targets (BATCH, CLASSES), one-hot."""
    rng = np.random.default_rng(seed + 1)
    return rng.normal(0, 1, (BATCH, structure.features)), np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)]


def random_nudges(structure: Structure, network: LayeredNetwork, seed: int) -> tuple[CurrentSource, EnergyNudge]:
    """Held and energy nudging, up to the scale of the output conductances, and of either sign where it is weak."""
    rng = np.random.default_rng(seed + 2)
    _, targets = random_samples(structure, seed)
    held = CurrentSource(rng.normal(0, 1e-2, (BATCH, network.widths[-1])))
    strength = rng.choice([-2e-5, 1e-3, 1e-1], (BATCH, 1))
    return held, EnergyNudge(structure.cost, strength, targets, structure.paired)


def one_sample(nudge: CurrentSource | EnergyNudge, sample: int) -> CurrentSource | EnergyNudge:
    """The nudge of one sample of the batch."""
    if isinstance(nudge, CurrentSource):
        return CurrentSource(np.asarray(nudge.injected)[sample])
    return EnergyNudge(nudge.cost, nudge.strength[sample, None], nudge.target[sample, None], nudge.paired)
