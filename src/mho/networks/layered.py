"""Layered networks: sources at ±x, then crossbars, nonlinear elements at the nodes and amplifiers, layer after layer.

The energy of the network is E = Σ_l s_l·E_l, where E_l is the co-content of layer l (its crossbar, the elements and
bias sources at its nodes) and s_l = Π_{k<l} B_k/A_k over the amplifiers before it: 1/A_k² where B_k = 1/A_k. Its
stationary points in the node voltages, the sources held, are the states that obey Kirchhoff's laws (Kendall et al. 2020,
section 3). The circuit of Kendall et al. (antiparallel diodes, amplifiers, paired outputs) and the deep resistive network
of Scellier (arXiv:2402.11674: ideal diodes, gain on the input) are both instances.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from mho.elements import BidirectionalAmplifier, CurrentSource, ProgrammableResistor, TwoTerminal
from mho.errors import InputError
from mho.networks.balanced import balanced_gains, mirrored_blocks
from mho.networks.crossbar import Crossbar, DenseCrossbar, MirroredCrossbar
from mho.networks.network import Drive, Network, unmarked, without_polarities

Voltages = tuple[Array, ...]
"""Node voltages of every layer [V], each of shape (batch, nodes)."""


class Layer(eqx.Module):
    """The nodes of one layer, the crossbar into them and what stands at and behind them."""

    crossbar: Crossbar
    element: TwoTerminal | None = None
    """From each node to ground."""
    bias: CurrentSource | None = None
    """A current source into each node."""
    amplifier: BidirectionalAmplifier | None = None
    """Between each node and the next layer's crossbar."""

    def amplified(self, voltage: Array) -> Array:
        """What drives the next layer's crossbar [V]."""
        return voltage if self.amplifier is None else self.amplifier.forward(voltage)

    def drawn(self, current: Array) -> Array:
        """What the nodes give for `current` drawn by the next layer's crossbar [A]."""
        return current if self.amplifier is None else self.amplifier.backward(current)

    def reflected(self, conductance: Any) -> Any:
        """What conductances at the rows of the next layer's crossbar are at the nodes [S]."""
        return conductance if self.amplifier is None else self.amplifier.reflected(conductance)

    def energy(self, drive: Array, voltage: Array) -> Array:
        """Co-content of the layer's crossbar, elements and bias sources [W], (batch,)."""
        total = self.crossbar.co_content(drive, voltage)
        for element in (self.element, self.bias):
            if element is not None:
                total = total + jnp.sum(element.co_content(voltage), -1)
        return total


class LayeredDrive(Drive):
    """What all phases of a batch share: the sources' currents and the conductances at the nodes."""

    sources: Array
    """Voltages of the positive sources [V], (batch, pairs)."""
    input_current: Array
    """From the sources into the first layer's grounded nodes [A], (batch, nodes)."""
    conductances: tuple[Array, ...]
    """Total conductance at the nodes of each layer [S], (nodes,)."""
    phases: int = eqx.field(static=True, default=1)
    """How often the same samples stand in the batch, one set after the other."""

    def repeated(self, times: int) -> "LayeredDrive":
        """The same drive for `times` batches stacked into one."""
        return LayeredDrive(
            jnp.concatenate([self.sources] * times),
            jnp.concatenate([self.input_current] * times),
            self.conductances,
            times * self.phases,
        )


class LayeredNetwork(Network):
    """A layered nonlinear resistive network; the last layer's nodes are the outputs.

    What of it learns: conductances, bias currents, parameters of the nodes' elements but their polarities, amplifier gains.
    """

    parameters = ("conductance", "bias", "element", "gain")
    local_parameters = ("conductance", "bias")

    layers: tuple[Layer, ...]
    input_gain: float = eqx.field(static=True, default=1.0)
    """Volts at a source for an input of 1."""
    bias_line: float | None = eqx.field(static=True, default=None)
    """Voltage of one more pair of sources, the same for all samples [V]; None leaves it out."""
    paired_outputs: bool = eqx.field(static=True, default=False)
    """Whether the first half of the outputs less the second half is the prediction."""
    input_step: float = eqx.field(static=True, default=0.0)
    """Step of the converter that sets the sources [V]; 0 for none."""

    def __check_init__(self) -> None:
        if self.layers[-1].amplifier is not None or self.layers[-1].element is not None:
            raise InputError("the output layer has an element or an amplifier: outputs are linear nodes")

    @property
    def widths(self) -> tuple[int, ...]:
        """Sources, then the nodes of each layer: (1568, 100, 20) for the paper's network."""
        first = self.layers[0].crossbar
        sources = first.shape[0] * (2 if first.mirrored else 1)
        return (sources, *(layer.crossbar.shape[1] for layer in self.layers))

    def scales(self) -> list[Array | float]:
        """s_l of each layer: what its co-content is multiplied by."""
        scales: list[Array | float] = [1.0]
        for layer in self.layers[:-1]:
            scales.append(scales[-1] if layer.amplifier is None else layer.amplifier.weighed(scales[-1]))
        return scales

    def source_voltages(self, inputs: Array) -> Array:
        """Voltages of the positive sources [V], (batch, pairs), from inputs of shape (batch, features)."""
        drive = inputs * self.input_gain
        if self.input_step:
            drive = self.input_step * jnp.round(drive / self.input_step)
        if self.bias_line is None:
            return drive
        line = jnp.full((inputs.shape[0], 1), self.bias_line, drive.dtype)
        return jnp.concatenate([drive, line], 1)

    def drive(self, inputs: Array) -> LayeredDrive:
        """Drive the sources with inputs of shape (batch, features)."""
        sources = self.source_voltages(inputs)
        input_current, first = self.layers[0].crossbar.load(sources)
        conductances = [first]
        for before, layer in itertools.pairwise(self.layers):
            conductances[-1] = conductances[-1] + before.reflected(layer.crossbar.row_conductance())
            conductances.append(layer.crossbar.column_conductance())
        return LayeredDrive(sources, input_current, tuple(conductances))

    @property
    def reciprocal(self) -> bool:
        """Whether it has an energy; see `Network.reciprocal`."""
        return all(layer.amplifier is None or layer.amplifier.reciprocal for layer in self.layers)

    def adjoint(self) -> "LayeredNetwork":
        """With every amplifier's gains exchanged; see `Network.adjoint`."""
        if self.reciprocal:
            return self
        amplifiers = [layer.amplifier for layer in self.layers]
        turned = [a if a is None else a.adjoint() for a in amplifiers]
        return eqx.tree_at(lambda n: [layer.amplifier for layer in n.layers], self, turned, is_leaf=lambda x: x is None)

    def work(self, drive: LayeredDrive, voltages: Voltages, change: Voltages) -> Array:
        """Layer by layer, the change at the rows being the adjoint's; see `Network.work`."""
        rows = self.row_voltages(drive.sources, voltages)
        moved = self.adjoint().row_voltages(jnp.zeros_like(drive.sources), change)
        terms = zip(self.scales(), self.layers, rows, voltages, moved, change, strict=True)
        return sum(s * jax.jvp(layer.energy, (u, v), (du, dv))[1] for s, layer, u, v, du, dv in terms)  # type: ignore[return-value]

    def row_voltages(self, sources: Array, voltages: Voltages) -> list[Array]:
        """What stands at the rows of each layer's crossbar [V]."""
        behind = [layer.amplified(v) for layer, v in zip(self.layers[:-1], voltages[:-1], strict=True)]
        return [sources, *behind]

    def energy(self, drive: LayeredDrive, voltages: Voltages) -> Array:
        """E of each sample [W], (batch,), given the sources and the node voltages [V].

        Where amplifiers are not reciprocal, the sum of the same co-contents, stationary at no operating point.
        """
        rows = self.row_voltages(drive.sources, voltages)
        terms = zip(self.scales(), self.layers, rows, voltages, strict=True)
        return jnp.sum(jnp.stack([s * layer.energy(u, v) for s, layer, u, v in terms]), 0)

    def held(self, drive: LayeredDrive) -> Voltages:
        """Nothing: the sources stand at no node of a layer."""
        batch = drive.sources.shape[0]
        return tuple(jnp.zeros((batch, layer.crossbar.shape[1]), drive.sources.dtype) for layer in self.layers)

    def prediction(self, voltages: Voltages) -> Array:
        """Output voltages, or their differences where outputs are paired [V], (batch, classes)."""
        output = voltages[-1]
        if not self.paired_outputs:
            return output
        half = output.shape[-1] // 2
        return output[..., :half] - output[..., half:]

    @property
    def output_weight(self) -> Array | float:
        """The last layer's scale."""
        return self.scales()[-1]

    def at_outputs(self, gradient: Array) -> Array:
        """∂C/∂v at the output nodes from ∂C/∂p, (batch, outputs): both signs where outputs are paired."""
        return jnp.concatenate([gradient, -gradient], -1) if self.paired_outputs else gradient

    def output_forces(self, gradient: Array) -> tuple[Array | None, ...]:
        """At the last layer's nodes alone; see `Network.output_forces`."""
        return (*[None] * (len(self.layers) - 1), self.at_outputs(gradient))

    def marked(self, kinds: tuple[str, ...]) -> Any:
        """Which leaves are parameters of these kinds: the network's structure with True and False."""
        marked = unmarked(self)

        def mark(kind: str, part: Callable) -> None:
            nonlocal marked
            if kind in kinds and jax.tree.leaves(part(marked)):
                marked = eqx.tree_at(part, marked, replace_fn=lambda _: True)

        mark("conductance", lambda n: jax.tree.leaves([layer.crossbar for layer in n.layers]))
        mark("bias", lambda n: jax.tree.leaves([layer.bias for layer in n.layers]))
        mark("element", lambda n: jax.tree.leaves([layer.element for layer in n.layers]))
        mark("gain", lambda n: [k.amplifier.gain for k in n.layers if k.amplifier is not None])
        return without_polarities(marked)

    def local_gradient(self, kinds: tuple[str, ...], drive: LayeredDrive, mean: Voltages, change: Voltages) -> Any:
        """By each crossbar's product of voltages; see `Network.local_gradient`."""
        scales = self.scales()
        rows = self.row_voltages(drive.sources, mean)
        row_changes = [None, *self.row_voltages(drive.sources, change)[1:]]
        result: Any = eqx.filter(self, self.marked(kinds))
        for index, layer in enumerate(self.layers):
            # One scale for both: equal layers' ratio is 1, and XLA drops the product.
            scale = scales[index] / scales[-1]
            weighted = change[index] * scale
            if "conductance" in kinds:
                behind = row_changes[index]
                product = layer.crossbar.drop_product(
                    rows[index], mean[index], None if behind is None else behind * scale, weighted
                )
                result = eqx.tree_at(lambda n, i=index: n.layers[i].crossbar, result, product)
            if "bias" in kinds and layer.bias is not None:
                result = eqx.tree_at(lambda n, i=index: n.layers[i].bias.injected, result, -jnp.sum(weighted, 0))
        return result


_LAWS = ("clipped", "uniform", "lognormal", "balanced")
PerLayer = float | Sequence[float]
"""One value for all layers, or one for each."""
_DRAWN_AT_ONCE = 2**22
"""Conductances up to which they are drawn at once, which takes four times their memory; beyond, a row at a time."""


class Conductances(NamedTuple):
    """Bounds of a layer's conductances, and what they are before training."""

    lower: float
    """Smallest [S]."""
    upper: float
    """Largest [S]."""
    initial: float
    """Sets the first ones [S], see `law`."""
    law: str
    """`clipped`: uniform in ±`initial`/√rows, those below `lower` at `lower`, the initialisation of the published deep
    resistive networks (Scellier 2024), rows being the resistors at a column; `uniform`: between `lower` and `initial`;
    `lognormal`: of the median `initial`, within the bounds; `balanced`: as clipped, but in mirrored blocks, with amplifiers
    that level the voltages where no gains are given (see `mho.networks.balanced`)."""
    spread: float
    """Standard deviation of ln g where the law is lognormal."""


def layers_conductances(
    layers: int, lower: PerLayer, upper: PerLayer, initial: PerLayer, law: str, spread: float
) -> list[Conductances]:
    """Those of each layer that learns.

    Raises:
        InputError: for values of another number, or an unknown law.
    """
    if law not in _LAWS:
        raise InputError(f"initial_law {law!r}: must be one of {', '.join(_LAWS)}")
    each = []
    for name, given in (("lower", lower), ("upper", upper), ("initial", initial)):
        values = [given] * layers if isinstance(given, int | float) else list(given)
        if len(values) == 1:
            values *= layers
        if len(values) != layers:
            raise InputError(
                f"{name}: {len(values)} given for {layers} layers: one for each, or one for all, is needed"
            )
        each.append(values)
    return [Conductances(least, most, first, law, spread) for least, most, first in zip(*each, strict=True)]


def layers_amplifiers(
    hidden: int, gains: Sequence[float | None], current_gains: Sequence[float]
) -> list[BidirectionalAmplifier | None]:
    """The amplifiers behind each hidden layer, from their voltage and current gains; none without gains.

    Raises:
        InputError: for gains of another number, or one that is not positive.
    """
    for name, given in (("gains", gains), ("current_gains", current_gains)):
        if len(given) not in (0, hidden):
            raise InputError(f"{len(given)} {name} for {hidden} hidden layers: one for each is needed")
        for gain in given:
            if gain is not None and not gain > 0:
                raise InputError(f"amplifier gain {gain}: must be positive")
    if current_gains and (not gains or None in gains):
        raise InputError("current_gains: there is no amplifier behind each hidden layer; give their gains")
    back = [jnp.asarray(gain, jnp.float32) for gain in current_gains] or [None] * hidden
    return [
        None if gain is None else BidirectionalAmplifier(jnp.asarray(gain, jnp.float32), own)
        for gain, own in zip(gains or [None] * hidden, back, strict=True)
    ]


def random_resistors(key: Array, shape: tuple[int, ...], rows: int, given: Conductances) -> ProgrammableResistor:
    """Conductances before training; `rows` is the number of resistors at a column."""
    lower, upper, initial = given.lower, given.upper, given.initial
    spread = initial / rows**0.5

    def drawn(key: Array, shape: tuple[int, ...]) -> Array:
        match given.law:
            case "uniform":
                values = jax.random.uniform(key, shape, minval=lower, maxval=initial)
            case "lognormal":
                values = initial * jnp.exp(given.spread * jax.random.normal(key, shape))
            case _:
                values = jax.random.uniform(key, shape, minval=-spread, maxval=spread)
        return jnp.clip(values, lower, upper)

    if math.prod(shape) <= _DRAWN_AT_ONCE:
        return ProgrammableResistor(drawn(key, shape), lower, upper)
    by_row = jax.jit(lambda keys: lax.map(lambda k: drawn(k, shape[1:]), keys))
    return ProgrammableResistor(by_row(jax.random.split(key, shape[0])), lower, upper)


def layered_network(
    widths: Sequence[int],
    key: Array,
    *,
    elements: Sequence[TwoTerminal | None] = (),
    gains: Sequence[float | None] = (),
    current_gains: Sequence[float] = (),
    input_gain: float = 1.0,
    bias_line: float | None = None,
    bias_currents: bool = True,
    paired_outputs: bool = False,
    lower: PerLayer = 1e-7,
    upper: PerLayer = float("inf"),
    initial: PerLayer = 1.0,
    initial_law: str = "clipped",
    initial_spread: float = 1.0,
) -> LayeredNetwork:
    """A layered network with random conductances.

    Args:
        widths: features of the input, then the nodes of each layer; outputs count once a class, paired or not.
        key: JAX random key.
        elements: what stands at the nodes of each hidden layer; an empty sequence for none.
        gains: each hidden layer's amplifier gain; None or an empty sequence for no amplifier.
        current_gains: their current gains; an empty sequence for one over each gain.
        input_gain: volts at a source for an input of 1.
        bias_line: voltage of the constant pair of sources [V], or None.
        bias_currents: whether a trainable current source, at first 0 A, stands at every node.
        paired_outputs: two output nodes a class.
        lower: smallest conductance [S] of all layers, or of each that learns; so are the next two.
        upper: largest conductance [S].
        initial: sets the conductances at the start [S]; see `Conductances`, as for the next two.
        initial_law: clipped, uniform, lognormal or balanced.
        initial_spread: of the lognormal law.

    Raises:
        InputError: if widths, elements and gains do not fit together, or a bound is not positive.
    """
    hidden = len(widths) - 2
    if hidden < 0 or min(widths) < 1:
        raise InputError(f"widths {tuple(widths)}: at least two positive numbers, inputs and outputs, are needed")
    elements = tuple(elements) or (None,) * hidden
    if len(elements) != hidden:
        raise InputError(f"{len(elements)} elements for {hidden} hidden layers: one for each is needed")
    pairs = widths[0] + (bias_line is not None)
    nodes = [*widths[1:-1], widths[-1] * (2 if paired_outputs else 1)]
    rows = [2 * pairs, *nodes[:-1]]
    keys = jax.random.split(key, len(nodes))
    conductances = layers_conductances(len(nodes), lower, upper, initial, initial_law, initial_spread)
    balanced = initial_law == "balanced"
    if balanced and (odd := [m for m in widths[1:-1] if m % 2]):
        raise InputError(f"a hidden layer of {odd[0]} nodes: a balanced start needs even numbers, half of each sign")
    if balanced and not gains:
        means = [given.initial / n**0.5 / 4.0 for given, n in zip(conductances, rows, strict=True)]
        gains = balanced_gains(nodes, means, [*(hasattr(e, "polarity") for e in elements), False])
    amplifiers = [*layers_amplifiers(hidden, gains, current_gains), None]

    layers = []
    for index, (n, m, layer_key) in enumerate(zip(rows, nodes, keys, strict=True)):
        if balanced:
            block = (n // 2, m // 2 if index < hidden or paired_outputs else m)
            parts = [random_resistors(k, block, n, conductances[index]) for k in jax.random.split(layer_key)]
            blocks = mirrored_blocks(parts[0].conductance, parts[1].conductance, m)
            resistors = eqx.tree_at(lambda r: r.conductance, parts[0], blocks)
        else:
            resistors = random_resistors(layer_key, (n, m), n, conductances[index])
        if index == 0:
            # In one compiled step: one copy, where a reshaping and a transposition would make two.
            both = jax.jit(lambda g, shape=(2, pairs, m): g.reshape(shape).swapaxes(0, 1))(resistors.conductance)
            crossbar: Crossbar = MirroredCrossbar(ProgrammableResistor(both, resistors.lower, resistors.upper))
        else:
            crossbar = DenseCrossbar(resistors)
        last = index == hidden
        layers.append(
            Layer(
                crossbar=crossbar,
                element=None if last else elements[index],
                bias=CurrentSource(jnp.zeros(m)) if bias_currents else None,
                amplifier=amplifiers[index],
            )
        )
    return LayeredNetwork(tuple(layers), input_gain, bias_line, paired_outputs)
