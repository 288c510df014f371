"""Configurations: everything that decides an experiment's outcome, in one frozen record.

A configuration is plain data, so it can be read, checked and shown without loading JAX. Its fields are the options of
`mho train` and the content of a run's config.json; equal configurations give equal runs on the same machine.
"""

import dataclasses
import difflib
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mho.constants import ZERO_CELSIUS
from mho.errors import InputError
from mho.experiments.data_fields import DataFields, option
from mho.experiments.device_fields import DEVICE_NAMES, DeviceFields
from mho.experiments.flaw_fields import FlawFields, LayeredFlawFields
from mho.experiments.own_objects import is_own

_MOST = 2**31
"""What whole numbers must be below: steps are counted in 32 bits."""
PerLayer = float | tuple[float, ...]
"""One value for all layers, or one for each."""
_SINGLE, _DOUBLE = (1e-30, 1e18), (1e-150, 1e150)
"""Between what settings in SI units must be: so that their squares are numbers of float32, of float64."""

OPTIMIZER_NAMES = ("sgd", "momentum", "adam", "rmsprop")
RULE_NAMES = ("equilibrium-propagation", "coupled-learning", "implicit")
KEPT_FILES = ("curve", "module")
"""Fields that name a file and, in a configuration, hold its text."""
ELEMENT_NAMES = ("ideal", "shockley", "piecewise", "linear", "measured", "veriloga")


@dataclass(frozen=True, kw_only=True)
class Configuration(DataFields):
    """What all kinds have in common."""

    epochs: int = 10
    """Epochs. Each ends with a test, a line of metrics.jsonl and a checkpoint."""
    passes: int = 1
    """Passes through the training set that make an epoch; more than one for a set of few samples."""
    batch_size: int = 4
    """Samples an update. A last batch that is not full is dropped from its pass."""
    seed: int = 0
    """Seed of the initial weights and of the order of the samples."""
    optimizer: str = "sgd"
    """Optimizer: sgd, momentum, adam or rmsprop; or an Optax transformation of one's own, module:name, its rate included."""
    learning_rates: tuple[float, ...] = (0.006,)
    """Learning rate of each layer, or one for all; a circuit without layers has one."""
    decay: float = 1.0
    """Factor on the learning rates after each epoch."""
    schedule: Literal["constant", "cosine"] = "constant"
    """What else happens to them: nothing, or a fall to 0 by half a cosine over all epochs, step by step."""
    warm_up: float = 0.0
    """Epochs in which they first rise from 0 in a straight line."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for number in _each(value):
                if isinstance(number, int) and not -_MOST < number < _MOST:
                    raise InputError(f"{option(field.name)} {_brief(number)}: must be below {_MOST}")
        super().__post_init__()
        judged = self.epochs == 0 and getattr(self, "start", None) is not None
        names = ("passes", "batch_size", "decay", "learning_rates", *(() if judged else ("epochs",)))
        _check_positive({name: getattr(self, name) for name in names})
        if not 0 <= self.warm_up < max(1, self.epochs):
            raise InputError(f"--warm-up {self.warm_up}: must be at least 0 and less than the {self.epochs} epochs")
        _check_name("optimizer", self.optimizer, OPTIMIZER_NAMES)
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: must not be negative")
        if len(self.learning_rates) not in (1, self.layers):
            expected = "one" if self.layers == 1 else f"one for each of {self.layers} layers, or one for all"
            raise InputError(f"--learning-rates: {len(self.learning_rates)} given, expected {expected}")

    @property
    def layers(self) -> int:
        """How many learning rates there may be."""
        return 1

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rate of each layer."""
        return self.learning_rates * self.layers if len(self.learning_rates) == 1 else self.learning_rates


@dataclass(frozen=True, kw_only=True)
class LayeredConfiguration(Configuration):
    """What layered analog networks and software baselines have in common."""

    hidden: tuple[int, ...] = (100,)
    """Nodes of each hidden layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive({"hidden": self.hidden})

    @property
    def layers(self) -> int:
        """Layers of weights."""
        return len(self.hidden) + 1


@dataclass(frozen=True, kw_only=True)
class RuleConfiguration(Configuration, DeviceFields):
    """How a network that settles learns, and to which tolerance it settles.

    On a regression's data set, `train_error` and `test_error` are fractions of variance unexplained: Σ (p − y)² over
    Σ (y − ȳ)², ȳ the mean of all targets of the training, or of the test set.
    """

    cost: Literal["squared", "cross-entropy"] = "squared"
    """Cost: squared error to the targets [V], one-hot in a classification; or cross-entropy."""
    logit_gain: float = 1.0
    """Factor on the outputs before the softmax of the cross-entropy [1/V]."""
    rule: str = "equilibrium-propagation"
    """Gradient by equilibrium-propagation, or exactly by implicit differentiation; or the contrast of coupled-learning; or
    a rule of one's own, module:name."""
    variant: Literal["positive", "negative", "random-sign", "centred"] = "centred"
    """Equilibrium propagation: sign of the nudging."""
    nudging: Literal["energy", "held"] = "energy"
    """Equilibrium propagation: cost added to the energy, or current sources held at their values of the free phase."""
    beta: float | Literal["auto"] = 1.0
    """Equilibrium propagation: nudging factor β [S, for a squared error]; auto chooses it for each epoch by the response
    of a layered network: large enough against rounding and noise, small enough for the bias."""
    target_voltage: float = 1.0
    """Volts at an output that stand for a target of 1."""
    eta: float = 0.1
    """Coupled learning: part η of the way to the targets at which the outputs are clamped."""
    read_noise: float = 0.0
    """Noise of the node voltages that an update is computed from: standard deviation of a read [V]."""
    relative_read_noise: float = 0.0
    """The same, relative to the voltage."""
    reads: int = 1
    """Reads of each voltage that are averaged."""
    read_step: float = 0.0
    """Step of the converter that reads them [V]; 0 for none."""
    rtol: float = 1e-5
    """Where a steady state's solver stops: currents out of balance relative to the largest in the same layer (in a circuit
    without layers, at the same node). What comes of it is judged after each epoch by Kirchhoff's law node by node: see
    residual and above_tolerance in metrics.jsonl."""
    max_sweeps: int = 100
    """Sweeps, or Newton's steps, for a steady state at the most; those above rtol then count as out of sweeps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("logit_gain", "eta", "target_voltage", "rtol", "max_sweeps")
        _check_positive({name: getattr(self, name) for name in names})
        if self.beta != "auto":
            _check_positive({"beta": self.beta})
        _check_name("rule", self.rule, RULE_NAMES)
        _check_name("device", self.device, DEVICE_NAMES)
        for name in ("read_noise", "relative_read_noise", "read_step"):
            self.refuse_negative(name)
            value = getattr(self, name)
            if value and (self.rule == "implicit" or is_own(self.rule)):
                raise InputError(f"{option(name)} {value}: --rule {self.rule} reads no phases")
        self._check_chosen_beta()
        if self.reads < 1:
            raise InputError(f"--reads {self.reads}: must be at least 1")
        if self.eta > 1:
            raise InputError(f"--eta {self.eta}: must be at most 1")
        if self.rule == "coupled-learning" and self.cost != "squared":
            raise InputError(f"--cost {self.cost}: coupled learning clamps outputs to voltages; its cost is squared")

    def _check_chosen_beta(self) -> None:
        if self.beta != "auto":
            return
        given = {name: getattr(self, name, None) for name in ("rule", "variant", "nudging", "simulator")}
        wrong = {"rule": self.rule != "equilibrium-propagation", "variant": self.variant == "positive"}
        wrong |= {"nudging": self.nudging == "held", "simulator": given["simulator"] == "ngspice"}
        for name, refused in wrong.items():
            if refused:
                raise InputError(
                    f"--beta auto: goes by the limit of a phase nudged by −β; not with {option(name)} {given[name]}"
                )

    @property
    def tolerance(self) -> float:
        """Kirchhoff residual up to which an operating point of the probe after each epoch passes.

        It is judged node by node, relative to the largest branch current at that node, where `rtol` is relative to the
        largest of a layer. Rounding in float32 leaves some 1e-4 of it at nodes that carry next to no current.
        """
        return 1e-3


@dataclass(frozen=True, kw_only=True)
class SimulatedConfiguration(RuleConfiguration):
    """A network of whose operating points a circuit simulator may be asked."""

    simulator: Literal["mho", "ngspice"] = "mho"
    """What finds the operating points: mho's own solver, or the circuit simulator ngspice, which must be installed."""
    start: str | None = None
    """Run, or one of its checkpoints, whose conductances and bias currents this one begins with: trained on one chip, or on
    an ideal one, and programmed into another. With 0 epochs `mho sweep` judges the networks as they begin."""
    processes: int | None = None
    """Processes of ngspice, which share out the samples; one a CPU if it is not given."""
    relative_updates: bool = False
    """Conductances move by their logarithms: a step is a share of a conductance, and learning rates are such shares."""
    leakage: float = 0.0
    """Share of what a trained conductance is above its lower bound that leaks away in an epoch: weight decay."""
    average_last: int = 0
    """Last epochs after which the parameters are averaged; the mean is what is tested and kept. 0 for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.processes is not None and self.processes < 1:
            raise InputError(f"--processes {self.processes}: must be at least 1")
        if not 0 <= self.leakage < 1:
            raise InputError(f"--leakage {self.leakage}: must be at least 0 and below 1")
        if self.leakage and not self.ideal_devices:
            raise InputError(f"--leakage {self.leakage}: real devices (--device) have a law of their own")
        if not 0 <= self.average_last <= self.epochs:
            raise InputError(
                f"--average-last {self.average_last}: must be at least 0 and at most the {self.epochs} epochs"
            )
        if self.simulator == "ngspice" and self.rule != "equilibrium-propagation":
            raise InputError(f"--rule {self.rule}: ngspice trains by --rule equilibrium-propagation")


@dataclass(frozen=True, kw_only=True)
class AnalogConfiguration(LayeredConfiguration, SimulatedConfiguration, LayeredFlawFields):
    """A layered analog network, how it learns and how its steady states are found. Computed in float32."""

    bias_rates: tuple[float, ...] = ()
    """Learning rate of each layer's bias currents, or one for all; those of the layers if not given."""
    element_rates: tuple[float, ...] = ()
    """Learning rate of the elements' parameters in each hidden layer, or one for all; those of the layers if not given."""
    gain_rates: tuple[float, ...] = ()
    """Learning rate of the amplifier behind each hidden layer, or one for all; those of the layers if not given."""
    filters: tuple[int, ...] = ()
    """Filters of each convolution before the dense layers, over square images; none if empty."""
    window: int = 3
    """Width of the convolutions' windows [nodes]."""
    pooling: int = 1
    """Width of the windows that are averaged behind each convolution [nodes]; 1 for none."""
    element: str = "ideal"
    """At the hidden nodes: ideal or piecewise diodes (half hold v ≥ 0, half v ≤ 0), shockley pairs, or nothing (linear);
    devices of a measured curve (--curve) or a Verilog-A module (--module), half of them one way round, half the other; or an
    element of one's own, module:name, called with the number of nodes."""
    curve: str | None = None
    """Measured elements' curve: FILE.csv or FILE.npz with columns v [V] and i [A]; or the table itself, as runs keep it."""
    module: str | None = None
    """Verilog-A elements' module, of two terminals: FILE.va; or its text, as runs keep it."""
    network: str | None = None
    """A network of one's own, module:name, called with the numbers of features and outputs and a JAX random key; then the
    fields that shape a network mean nothing."""
    saturation_current: PerLayer = 1e-9
    """Shockley diodes' saturation current [A]. It and the other diodes' settings: for all hidden layers, or for each."""
    ideality: PerLayer = 1.0
    """Shockley diodes' ideality factor."""
    temperature: float = 27.0
    """Temperature T of Shockley diodes and Verilog-A modules [°C]: the thermal voltage k T/q is 25.9 mV at 27 °C."""
    diode_bias: PerLayer = 0.0
    """Voltage of the source in series with a Shockley diode, or a piecewise-linear diode's threshold [V]."""
    on_resistance: PerLayer = 1.0
    """Piecewise-linear diodes' resistance above the threshold [Ω]."""
    off_resistance: PerLayer = 1e6
    """Piecewise-linear diodes' resistance below the threshold [Ω]."""
    gains: tuple[float, ...] = ()
    """Gain of the bidirectional amplifiers behind each hidden layer, or one for all; none if empty."""
    current_gains: tuple[float, ...] = ()
    """Current gain of the same amplifiers, from the next layer back, or one for all; 1/gain if empty."""
    input_gain: float = 1.0
    """Volts at a source for an input of 1."""
    bias_line: float | None = None
    """Voltage of one more pair of sources, the same for all samples [V]."""
    bias_currents: bool = True
    """Whether every node has a current source."""
    paired_outputs: bool = False
    """Two output nodes a class, whose difference is the prediction."""
    initial: PerLayer = 1.0
    """Sets the first conductances [S] of all layers, or of each; see initial_law."""
    initial_law: Literal["clipped", "uniform", "lognormal", "balanced"] = "clipped"
    """First conductances: uniform in ±initial/√rows, those below the lower bound at the bound (clipped); uniform between
    the lower bound and initial; lognormal with initial as median, within the bounds; or as clipped, but in blocks over
    positive and negative nodes that cancel what is common to all, and with amplifiers that level the voltages where no gains
    are given (balanced)."""
    initial_spread: float = 1.0
    """Standard deviation of the logarithm of lognormal first conductances."""
    lower: PerLayer = 1e-7
    """Smallest conductance [S] of all layers, or of each."""
    upper: PerLayer = math.inf
    """Largest conductance [S] of all layers, or of each."""
    trained: tuple[Literal["conductance", "bias", "element", "gain"], ...] = ("conductance", "bias")
    """What learns: conductances, bias currents, parameters of the nodes' elements, amplifier gains."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive({name: getattr(self, name) for name in ("filters", "window", "pooling")})
        _check_range(self, _SINGLE)
        _check_name("element", self.element, ELEMENT_NAMES)
        self._check_lengths()
        if self.initial_law == "balanced" and self.network is None:
            if self.filters:
                raise InputError("--initial-law balanced: is for networks without convolutions")
            if odd := [nodes for nodes in self.hidden if nodes % 2]:
                raise InputError(f"--hidden {odd[0]}: --initial-law balanced needs even numbers, half of each sign")
        if self.filters and self.bias_line is not None:
            raise InputError(f"--bias-line {self.bias_line}: convolutions have none; use --bias-currents")
        names = ("saturation_current", "ideality", "on_resistance", "off_resistance", "input_gain", "initial", "lower")
        _check_positive({name: getattr(self, name) for name in (*names, "initial_spread", "gains", "current_gains")})
        _check_temperature(self.temperature)
        for name in ("diode_bias", "bias_line"):
            for value in _each(getattr(self, name)):
                if value is not None and not math.isfinite(value):
                    raise InputError(f"{option(name)} {value}: must be finite")
        if self.element == "piecewise" and (least := min(_each(self.diode_bias))) < 0:
            raise InputError(f"--diode-bias {least}: a piecewise-linear diode's threshold must not be negative")
        if self.simulator == "ngspice" and {"element", "gain"} & set(self.trained):
            raise InputError("--trained: with ngspice conductance and bias alone are trained")
        self._keep_files()
        if self.network is None and not self.gains:
            for name in ("current_gains", "gain_mismatch", "current_gain_mismatch"):
                if getattr(self, name):
                    raise InputError(f"{shown(self, name)}: there are no amplifiers (--gains)")
        if self.network is None:
            self._check_bounds()
            self._check_trained()

    def _keep_files(self) -> None:
        """Put the text of an element's file in its place: what a run is of must be in its config.json."""
        needed = {"measured": ("curve", "FILE.csv"), "veriloga": ("module", "FILE.va")}.get(self.element)
        if needed is not None and self.network is None and not getattr(self, needed[0]):
            raise InputError(f"--element {self.element}: needs {option(needed[0])} {needed[1]}")
        # Here alone, since it loads JAX.
        if self.curve:
            from mho.experiments.curves import curve_text, parse_curve, read_curve

            text = "\n" in self.curve
            object.__setattr__(self, "curve", curve_text(parse_curve(self.curve) if text else read_curve(self.curve)))
        if self.module:
            from mho.elements.verilog_a import checked_module, module_text

            kept = "\n" in self.module
            text, origin = (self.module, "--module") if kept else (module_text(self.module), self.module)
            checked_module(text, origin, 1, temperature=ZERO_CELSIUS + self.temperature)
            object.__setattr__(self, "module", text)

    def _check_bounds(self) -> None:
        for lower, upper, initial in self.in_layers("lower", "upper", "initial"):
            if not upper > lower:
                raise InputError(f"--upper {upper}: must be above the lower conductance bound, {lower} S")
            if self.initial_law not in ("clipped", "balanced") and not lower < initial <= upper:
                raise InputError(f"--initial {initial}: must be within the bounds, {lower} to {upper} S")
        for on, off in self.in_layers("on_resistance", "off_resistance", hidden=True):
            if on > off:
                raise InputError(f"--on-resistance {on}: must not be above --off-resistance")

    def _check_lengths(self) -> None:
        kinds = ("bias_rates", "element_rates", "gain_rates")
        _check_positive({name: getattr(self, name) for name in kinds})
        optional = (*kinds, "gains", "current_gains")
        of_hidden = ("saturation_current", "ideality", "diode_bias", "on_resistance", "off_resistance")
        for name in (*optional, "initial", "lower", "upper", *of_hidden):
            hidden = name in ("element_rates", "gain_rates", "gains", "current_gains", *of_hidden)
            layers = self.layers - hidden
            given = getattr(self, name)
            if not isinstance(given, tuple) or (self.network is not None and name not in kinds):
                continue
            if len(given) not in ((0, 1, layers) if name in optional else (1, layers)):
                what = f"{layers} {'hidden layer' if hidden else 'layer'}{'' if layers == 1 else 's'}"
                raise InputError(f"{option(name)}: {len(given)} given, expected one for each of {what}, or one for all")

    def in_layers(self, *names: str, hidden: bool = False) -> list[tuple[float, ...]]:
        """What fields that are of all layers, or of each, are in each one: in those that learn, or in the hidden ones."""
        layers = self.layers - hidden
        found = [_each(getattr(self, name)) for name in names]
        return list(zip(*(given * layers if len(given) == 1 else given for given in found), strict=True))

    @property
    def kind_rates(self) -> dict[str, tuple[float, ...]]:
        """Learning rates of the kinds of parameters that have their own, one or one for each layer that learns."""
        # Behind the last layer stands nothing: any rate will do for it.
        given = {"bias": self.bias_rates, "element": self.element_rates, "gain": self.gain_rates}
        inner = {"element", "gain"}
        return {k: (*r, r[-1]) if k in inner and len(r) > 1 else r for k, r in given.items() if r}

    def _check_trained(self) -> None:
        hidden = self.layers > 1
        there_is = {
            "conductance": True,
            "bias": self.bias_currents,
            "element": hidden and self.element not in ("ideal", "linear"),
            "gain": bool(self.gains) and hidden,
        }
        lacking = {
            "element": f"--element {self.element} has no parameters to train, or there is no hidden layer",
            "gain": "there are no amplifiers (--gains)",
        }
        for kind, why in lacking.items():
            if kind in self.trained and not there_is[kind]:
                raise InputError(f"--trained {kind}: {why}")
        # Bias currents are named by default, so they may lack as long as something else learns.
        if not any(there_is[kind] for kind in self.trained):
            raise InputError(f"{' '.join(('--trained', *self.trained))}: names nothing that this network has to train")

    @property
    def layers(self) -> int:
        """Layers that learn: pooling does not. As many as there are rates where a network of one's own tells it later."""
        if self.network is not None:
            return max(len(rates) for rates in (self.learning_rates, *self.kind_rates.values()))
        return len(self.filters) + super().layers

    @property
    def layer_gains(self) -> tuple[float, ...]:
        """Gain of each hidden layer's amplifiers; empty for none."""
        return self.gains * (self.layers - 1) if len(self.gains) == 1 else self.gains

    @property
    def layer_current_gains(self) -> tuple[float, ...]:
        """Their current gains; empty where they follow from the others."""
        return self.current_gains * (self.layers - 1) if len(self.current_gains) == 1 else self.current_gains


@dataclass(frozen=True, kw_only=True)
class BaselineConfiguration(LayeredConfiguration):
    """A network of ReLU units (logistic regression with no hidden layer), by backpropagation of the cross-entropy."""


@dataclass(frozen=True, kw_only=True)
class UnlayeredConfiguration(SimulatedConfiguration, FlawFields):
    """What circuits without layers have in common. Computed in float64."""

    lower: float = 1e-6
    """Smallest conductance [S]."""
    upper: float = math.inf
    """Largest conductance [S]."""

    @property
    def tolerance(self) -> float:
        """As that of a layered network, but a hundred times `rtol` where that is less: float64 rounds to much less."""
        return min(100.0 * self.rtol, super().tolerance)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive({"lower": self.lower})
        _check_range(self, _DOUBLE)
        if not self.upper > self.lower:
            raise InputError(f"--upper {self.upper}: must be above the lower conductance bound, {self.lower} S")

    def _check_chosen_beta(self) -> None:
        if self.beta == "auto":
            raise InputError("--beta auto: is for layered networks, whose limit of β is known")


@dataclass(frozen=True, kw_only=True)
class CircuitConfiguration(UnlayeredConfiguration):
    """A circuit without layers that is drawn at random, how it learns and how its steady states are found."""

    graph: Literal["random", "lattice"] = "random"
    """A random graph of resistors and diodes between ±x sources, or a square lattice of resistors."""
    nodes: int = 6
    """Hidden nodes of a random graph, or nodes along each edge of a lattice."""
    density: float = 0.6
    """Random graph: share, of the possible resistors among sources and hidden nodes, that there are."""
    diodes: int = 12
    """Random graph: Shockley diodes between hidden nodes, or from them to ground."""
    saturation_current: float = 1e-6
    """Diodes' saturation current [A]."""
    ideality: float = 1.0
    """Diodes' ideality factor."""
    temperature: float = 27.0
    """Diodes' temperature T [°C]: their thermal voltage is k T/q, 25.9 mV at 27 °C."""
    input_gain: float = 1.0
    """Volts at a source for an input of 1."""
    bias_line: float | None = None
    """Voltage of one more source, or pair of sources in a random graph, the same for all samples [V]."""
    initial: float = 1e-3
    """Mean of the first conductances [S], which are random about it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("nodes", "saturation_current", "ideality", "input_gain", "initial")
        _check_positive({name: getattr(self, name) for name in names})
        _check_temperature(self.temperature)
        if not 0 < self.density <= 1:
            raise InputError(f"--density {self.density}: must be above 0 and at most 1")
        if self.diodes < 0:
            raise InputError(f"--diodes {self.diodes}: must not be negative")
        if self.bias_line is not None and not math.isfinite(self.bias_line):
            raise InputError(f"--bias-line {self.bias_line}: must be finite")


@dataclass(frozen=True, kw_only=True)
class NetlistConfiguration(UnlayeredConfiguration):
    """A netlist whose resistors learn. Names are those of its elements and nodes, as flattened by the reader; where there
    are several, commas between them will do.
    """

    netlist: str = ""
    """The netlist's file."""
    text: str = ""
    """The netlist itself, the files that it includes in their places; read from its file if not given."""
    inputs: tuple[str, ...] = ()
    """Voltage or current sources, one for each feature."""
    outputs: tuple[str, ...] = ()
    """Nodes, or pairs of nodes p:m, one for each class or value; one alone can tell two classes, by whether its voltage is
    below or above half the target voltage."""
    programmable: tuple[str, ...] = ()
    """Patterns of what learns: names of resistors, 'r*'; or, with a point, of parameters: 'dm.is' of a model, 'x1.gain' of
    an instance, 'sub.gain' of a subcircuit, 'param.load' of a .param card, with bounds where they are to have some,
    'dm.is=1n..10u', and between a thousandth and a thousand times its first value if not."""
    parameter_rate: float = 0.03
    """Learning rate of parameters: of their logarithm where the lower bound is above 0."""
    input_gain: tuple[float, ...] = (1.0,)
    """Volts, or amperes, at a source for a feature of 1: one for all inputs or one for each."""
    initial: float | None = None
    """Mean of the first conductances [S], which are uniform between 0.1 and 1.9 times it; the netlist's own if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive({"parameter_rate": self.parameter_rate})
        for name in ("inputs", "outputs", "programmable"):
            listed = (part.strip() for given in getattr(self, name) for part in given.split(","))
            object.__setattr__(self, name, tuple(part for part in listed if part))
        if self.netlist and not self.text:
            # Here alone, since it loads JAX: what a run is of must be in its config.json, whoever made the configuration.
            from mho.netlists import read_netlist

            object.__setattr__(self, "text", read_netlist(self.netlist).text)
        if self.initial is not None:
            _check_positive({"initial": self.initial})
        for gain in self.input_gain:
            if not (math.isfinite(gain) and gain):
                raise InputError(f"--input-gain {gain}: must be finite and not 0")


@dataclass(frozen=True, kw_only=True)
class NetworkConfiguration(RuleConfiguration):
    """A network that a Python program made, and how it learns: what `mho.fit` trains."""

    trained: tuple[str, ...] = ("conductance",)
    """Kinds of parameters that learn."""
    target_voltage: float = 1.0
    """Volts at an output that stand for a target of 1."""
    precision: Literal["float32", "float64"] = "float32"
    """In which it is computed."""
    outputs: int = 1
    """The network's outputs."""
    layers_of_weights: int = 1
    """How many learning rates there may be."""
    own: tuple[str, ...] = ()
    """What is not mho's own, or set otherwise than these fields can tell: rule, cost, optimizer."""

    @property
    def layers(self) -> int:
        """How many learning rates there may be."""
        return self.layers_of_weights

    @property
    def tolerance(self) -> float:
        """In float64 a hundred times `rtol` where that is less, as for circuits."""
        return super().tolerance if self.precision == "float32" else min(100.0 * self.rtol, super().tolerance)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive({"target_voltage": self.target_voltage})


KINDS: dict[str, type[Configuration]] = {
    "analog": AnalogConfiguration,
    "baseline": BaselineConfiguration,
    "circuit": CircuitConfiguration,
    "netlist": NetlistConfiguration,
    "network": NetworkConfiguration,
}
"""Configurations by the name that config.json gives to their kind."""


def shown(configuration: Configuration, field: str) -> str:
    """A field as the command takes it: `--hidden 100 10`."""
    value = getattr(configuration, field)
    return " ".join([option(field), *map(short, _each(value))])


def short(value: object) -> str:
    """A value in few characters, from which a number is read back exactly."""
    if not isinstance(value, float):
        return str(value)
    return min((text for text in (f"{value:g}", repr(value)) if float(text) == value), key=len, default=repr(value))


def to_json(configuration: Configuration) -> dict[str, Any]:
    """A configuration as an object for JSON: its kind, then its fields. An infinite bound becomes null."""
    kind = next(name for name, known in KINDS.items() if type(configuration) is known)
    fields = dataclasses.asdict(configuration)
    return {"kind": kind} | {k: without_infinity(v) for k, v in fields.items()}


def without_infinity(value: Any) -> Any:
    """A field's value for JSON, which has no infinite numbers: null in their place."""
    return tuple(map(without_infinity, value)) if isinstance(value, tuple) else None if value == math.inf else value


def from_json(fields: Mapping[str, Any]) -> Configuration:
    """The configuration that `to_json` wrote; of fields that it did not know yet, the defaults.

    Raises:
        InputError: where a field is unknown or of the wrong type.
    """
    given = dict(fields)
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"kind {reprlib.repr(kind)}: expected one of {', '.join(KINDS)}")
    expected = typing.get_type_hints(KINDS[kind])
    for name in given:
        if name not in expected:
            raise InputError(f"{name if len(name) < 80 else reprlib.repr(name)}: unknown")
        if isinstance(given[name], list):
            given[name] = tuple(given[name])
        if name == "upper":
            bounds = tuple(math.inf if bound is None else bound for bound in _each(given[name]))
            given[name] = bounds if isinstance(given[name], tuple) else bounds[0]
        if not _is_of(given[name], expected[name]):
            raise InputError(f"{name}: {_brief(given[name])} is not of type {expected[name]}")
    return KINDS[kind](**given)


def _brief(value: object) -> str:
    """A value that may be anything, in few characters: Python refuses to print the longest integers."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return "an integer of very many digits"


def _check_name(field: str, name: str, known: tuple[str, ...]) -> None:
    """Refuse what is no name, nor that of a user's own object."""
    if name not in known and not all(name.partition(":")):
        close = difflib.get_close_matches(name, known, n=1)
        told = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}, or module:name"
        raise InputError(f"{option(field)} {name}: {told}")


def _check_positive(values: Mapping[str, PerLayer]) -> None:
    for name, given in values.items():
        for value in _each(given):
            if not (value > 0 and math.isfinite(value)):
                raise InputError(f"{option(name)} {value}: must be positive and finite")


def _check_temperature(celsius: float) -> None:
    if not -ZERO_CELSIUS < celsius < math.inf:
        raise InputError(f"--temperature {celsius}: must be above absolute zero, {-ZERO_CELSIUS} °C, and finite")


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


_RANGED = (
    "beta",
    "logit_gain",
    "gains",
    "current_gains",
    "input_gain",
    "target_voltage",
    "initial",
    "lower",
    "saturation_current",
    "ideality",
    "on_resistance",
    "off_resistance",
    "bias_line",
    "diode_bias",
    "temperature",
    "initial_spread",
)


def _check_range(configuration: Configuration, allowed: tuple[float, float]) -> None:
    """Refuse settings that are numbers, but none that training can compute with."""
    least, most = allowed
    precision = "float32" if allowed == _SINGLE else "float64"
    for name in _RANGED:
        value = getattr(configuration, name, None)
        for number in _each(value):
            if number and not isinstance(number, str) and math.isfinite(number) and not least <= abs(number) <= most:
                side = "small" if abs(number) < least else "large"
                raise InputError(
                    f"{option(name)} {number:g}: too {side} for {precision}, in which this network trains: expected "
                    f"{least:g} to {most:g} in magnitude"
                )


def typed(value: Any, expected: Any) -> Any:
    """A value as it was read from a file, as a field of that type holds it; None if it is of another type."""
    if isinstance(value, list):
        value = tuple(value)
    if not _is_of(value, expected):
        return None
    kinds = typing.get_args(expected) or (expected,)
    if isinstance(value, int) and not isinstance(value, bool) and float in kinds and int not in kinds:
        return float(value)
    if isinstance(value, tuple):
        inner = next((k for k in (expected, *kinds) if typing.get_origin(k) is tuple), None)
        if inner is not None and float in typing.get_args(inner):
            return tuple(float(v) for v in value)
    return value


def type_of(expected: Any) -> str:
    """What a field's type is called in messages."""
    if typing.get_origin(expected) is Literal:
        choices = typing.get_args(expected)
        return "one of " * (len(choices) > 1) + ", ".join(map(str, choices))
    if typing.get_origin(expected) is tuple:
        inner = typing.get_args(expected)[0]
        return f"a list of {'numbers' if inner in (int, float) else type_of(inner)}"
    if typing.get_origin(expected) in (types.UnionType, typing.Union):
        return " or ".join(type_of(k) for k in typing.get_args(expected) if k is not types.NoneType)
    return {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}.get(expected, str(expected))


def _is_of(value: object, expected: Any) -> bool:
    """Whether a value read from JSON has the type of a field."""
    parts = typing.get_args(expected)
    if typing.get_origin(expected) is Literal:
        return isinstance(value, str) and value in parts
    if typing.get_origin(expected) is tuple:
        return isinstance(value, tuple) and all(_is_of(v, parts[0]) for v in value)
    if typing.get_origin(expected) in (types.UnionType, typing.Union):
        return any(_is_of(value, part) for part in parts)
    if expected is float:
        # An integer that is no float64 would be none of float32 either.
        return isinstance(value, float) or (
            isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        )
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)
