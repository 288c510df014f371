"""Convolutional resistive networks: layered networks that begin with convolutions and pooling.

Each convolution's nodes carry elements, bias sources and amplifiers like any layer's; a pooling layer behind it, if there
is one, is a layer of linear nodes. The rest is dense.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from mho.elements import BidirectionalAmplifier, CurrentSource, ProgrammableResistor, TwoTerminal
from mho.errors import InputError
from mho.networks.convolution import ConvolutionCrossbar, MirroredConvolutionCrossbar, Planes, PoolingCrossbar
from mho.networks.crossbar import Crossbar, DenseCrossbar
from mho.networks.layered import (
    Layer,
    LayeredNetwork,
    PerLayer,
    layers_amplifiers,
    layers_conductances,
    random_resistors,
)


def image_planes(image: Sequence[int], filters: Sequence[int], window: int, pooling: int) -> list[Planes]:
    """Where the windows of each convolution, and of the pooling behind it, lie: one after the other.

    Args:
        image: height and width of the input, and its channels if it has more than one.
        filters: of each convolution.
        window: width of the convolutions' windows, which lie at every place.
        pooling: width of the pooling windows; 1 for no pooling.

    Raises:
        InputError: if a number is not positive or the windows outgrow the nodes.
    """
    if pooling < 1:
        raise InputError(f"pooling {pooling}: must be positive; 1 is none")
    if len(image) not in (2, 3):
        raise InputError(f"image {tuple(image)}: expected height and width, or height, width and channels")
    planes, (height, width, channels) = [], (*image, 1)[:3]
    for count in filters:
        planes.append(Planes(channels, height, width, window, 1))
        (height, width), channels = planes[-1].steps, count
        if pooling > 1:
            planes.append(Planes(channels, height, width, pooling, pooling))
            height, width = planes[-1].steps
    return planes


def convolutional_network(
    image: Sequence[int],
    filters: Sequence[int],
    widths: Sequence[int],
    key: Array,
    *,
    window: int = 3,
    pooling: int = 1,
    pooling_conductance: float = 1.0,
    elements: Sequence[TwoTerminal | None] = (),
    gains: Sequence[float | None] = (),
    current_gains: Sequence[float] = (),
    input_gain: float = 1.0,
    bias_currents: bool = True,
    paired_outputs: bool = False,
    lower: PerLayer = 1e-7,
    upper: PerLayer = float("inf"),
    initial: PerLayer = 1.0,
    initial_law: str = "clipped",
    initial_spread: float = 1.0,
) -> LayeredNetwork:
    """A convolutional network with random conductances.

    Args:
        image: height and width of the inputs, or height, width and channels; flattened plane by plane, a plane a channel,
            and each row by row.
        filters: of each convolution; one at the least.
        widths: nodes of the dense layers behind; outputs, the last, count once a class, paired or not.
        key: JAX random key.
        window: width of the convolutions' windows.
        pooling: width of the pooling windows behind each convolution; 1 for no pooling.
        pooling_conductance: of the resistors that pool [S].
        elements: what stands at the nodes of each convolution and each dense hidden layer; an empty sequence for none.
        gains: their amplifiers' gains; None or an empty sequence for no amplifier.
        current_gains: their current gains; an empty sequence for one over each gain.
        input_gain: volts at a source for an input of 1.
        bias_currents: whether a trainable current source, at first 0 A, stands at every node that does not pool.
        paired_outputs: two output nodes a class.
        lower: smallest conductance [S] of all layers, or of each that learns; so are the next two.
        upper: largest conductance [S].
        initial: sets the conductances at the start [S]; see `Conductances`, as for the next two.
        initial_law: clipped, uniform or lognormal.
        initial_spread: of the lognormal law.

    Raises:
        InputError: if filters, widths, windows, elements and gains do not fit together, or a bound is not positive.
    """
    if not filters or not widths or min(*filters, *widths) < 1:
        raise InputError(f"filters {tuple(filters)}, widths {tuple(widths)}: one positive number of each is needed")
    if initial_law == "balanced":
        raise InputError("initial_law 'balanced': is for networks without convolutions")
    hidden = len(filters) + len(widths) - 1
    elements = tuple(elements) or (None,) * hidden
    if len(elements) != hidden:
        raise InputError(f"{len(elements)} elements for {hidden} hidden layers: one for each is needed")
    amplifiers = [*layers_amplifiers(hidden, gains, current_gains), None]
    keys = iter(jax.random.split(key, 2 * hidden + 2))
    conductances = layers_conductances(hidden + 1, lower, upper, initial, initial_law, initial_spread)

    def resistors(shape: tuple[int, ...], rows: int, layer: int) -> ProgrammableResistor:
        return random_resistors(next(keys), shape, rows, conductances[layer])

    layers: list[Layer] = []

    def add(crossbar: Crossbar, element: TwoTerminal | None, amplifier: BidirectionalAmplifier | None) -> None:
        layers.append(
            Layer(
                crossbar=crossbar,
                element=element,
                bias=CurrentSource(jnp.zeros(crossbar.shape[1])) if bias_currents else None,
                amplifier=amplifier,
            )
        )

    under = iter(image_planes(image, filters, window, pooling))
    for index, count in enumerate(filters):
        planes = next(under)
        shape, rows = (count, planes.channels, window, window), planes.channels * window**2
        if index == 0:
            first = (resistors(shape, 2 * rows, 0), resistors(shape, 2 * rows, 0))
            add(MirroredConvolutionCrossbar(*first, planes), elements[index], amplifiers[index])
        else:
            add(ConvolutionCrossbar(resistors(shape, rows, index), planes), elements[index], amplifiers[index])
        if pooling > 1:
            layers.append(Layer(PoolingCrossbar(next(under), pooling_conductance)))
    for index, width in enumerate(widths, len(filters)):
        rows, last = layers[-1].crossbar.shape[1], index == hidden
        columns = width * (2 if last and paired_outputs else 1)
        crossbar = DenseCrossbar(resistors((rows, columns), rows, index))
        add(crossbar, None if last else elements[index], amplifiers[index])
    return LayeredNetwork(tuple(layers), input_gain, None, paired_outputs)
