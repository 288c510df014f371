"""The named experiments."""

import difflib
import math
from dataclasses import dataclass, replace

from mho.errors import InputError
from mho.experiments.configuration import (
    AnalogConfiguration,
    BaselineConfiguration,
    CircuitConfiguration,
    Configuration,
)


@dataclass(frozen=True)
class Experiment:
    """A configuration with a name and a line that says what it is."""

    summary: str
    configuration: Configuration


# Kendall et al., arXiv:2006.01981, section 5: the architecture and the elements are the paper's; what it leaves open
# (diodes, bounds, learning rates) is chosen on a validation split.
_PAPER = AnalogConfiguration(
    hidden=(100,),
    element="shockley",
    saturation_current=1e-12,
    gains=(4.0,),
    input_gain=50.0,
    paired_outputs=True,
    cost="cross-entropy",
    logit_gain=4.0,
    beta=1e-4,
    learning_rates=(1.5e-9, 1e-8),
    decay=0.8,
    initial=1e-3,
    lower=1e-8,
    batch_size=4,
    epochs=10,
)

# Scellier, arXiv:2402.11674, section 4.
_DEEP_RESISTIVE = AnalogConfiguration(
    hidden=(100,),
    element="ideal",
    input_gain=100.0,
    bias_currents=True,
    cost="squared",
    variant="centred",
    nudging="energy",
    beta=1.0,
    learning_rates=(0.006,),
    decay=0.99,
    batch_size=4,
    epochs=10,
    lower=1e-7,
    upper=math.inf,
)


_RANDOM_GRAPH = CircuitConfiguration(
    graph="random",
    bias_line=1.0,
    target_voltage=0.1,
    optimizer="adam",
    learning_rates=(3e-5,),
    beta=1e-5,
    rtol=1e-8,
)

# Stern, Hexner, Rocks and Liu, Phys. Rev. X 11, 021045 (2021), and, with resistors on a bench, Dillavou, Stern, Liu and
# Durian, Phys. Rev. Applied 18, 014040 (2022): allostery, regression and classification by networks without layers.
_LATTICE = CircuitConfiguration(
    graph="lattice",
    rule="coupled-learning",
    eta=0.1,
    initial=1.0,
    lower=1e-3,
    learning_rates=(3.0,),
    rtol=1e-8,
)


EXPERIMENTS: dict[str, Experiment] = {
    "paper-mnist": Experiment("the paper's 1568-100-20 network of Shockley diodes and amplifiers on MNIST", _PAPER),
    "drn-xs": Experiment("deep resistive network 1568-100-10 of ideal diodes on MNIST", _DEEP_RESISTIVE),
    "drn-1h": Experiment(
        "deep resistive network 1568-1024-10 of ideal diodes on MNIST",
        replace(_DEEP_RESISTIVE, hidden=(1024,), input_gain=480.0, epochs=50),
    ),
    "drn-2h": Experiment(
        "deep resistive network 1568-1024-1024-10 of ideal diodes on MNIST",
        replace(
            _DEEP_RESISTIVE,
            hidden=(1024, 1024),
            input_gain=2000.0,
            learning_rates=(0.002, 0.006, 0.018),
            epochs=50,
        ),
    ),
    "drn-3h": Experiment(
        "deep resistive network 1568-1024-1024-1024-10 of ideal diodes on MNIST",
        # The published biases have a tenth of these rates.
        replace(
            _DEEP_RESISTIVE,
            hidden=(1024, 1024, 1024),
            input_gain=4000.0,
            beta=2.0,
            learning_rates=(0.005, 0.02, 0.08, 0.005),
            epochs=50,
        ),
    ),
    "drn-xl": Experiment(
        "deep resistive network 1568-32768-10 of ideal diodes on MNIST, 51 million conductances",
        replace(_DEEP_RESISTIVE, hidden=(32768,), input_gain=800.0, epochs=50),
    ),
    "drn-digits": Experiment(
        "deep resistive network 128-32-10 on digits of 8 × 8 pixels, in a few seconds",
        # At β = 1 S a third of the seeds begin with outputs of less conductance than that: no state at −β.
        replace(_DEEP_RESISTIVE, dataset="digits", hidden=(32,), input_gain=20.0, beta=0.5, epochs=5),
    ),
    "drn-conv-digits": Experiment(
        "convolutional resistive network on digits of 8 × 8 pixels: 16 filters of 3 × 3, pooled by 2, in a few seconds",
        # Tuned on 300 validation samples. A filter's conductance belongs to 36 resistors, hence its small rate.
        replace(
            _DEEP_RESISTIVE,
            dataset="digits",
            filters=(16,),
            pooling=2,
            hidden=(),
            input_gain=40.0,
            beta=0.5,
            learning_rates=(1e-4, 0.01),
            epochs=5,
        ),
    ),
    "drn-conv": Experiment(
        "convolutional resistive network on MNIST: 16 filters of 5 × 5, pooled by 2, paired outputs, cross-entropy",
        # Tuned on 10,000 samples held out of the training set.
        replace(
            _DEEP_RESISTIVE,
            filters=(16,),
            window=5,
            pooling=2,
            hidden=(),
            paired_outputs=True,
            cost="cross-entropy",
            logit_gain=10.0,
            beta=0.05,
            optimizer="adam",
            learning_rates=(0.001, 0.003),
            decay=0.7,
            batch_size=16,
            epochs=5,
        ),
    ),
    "mlp-mnist": Experiment(
        "784-100-10 ReLU network by backpropagation on MNIST",
        BaselineConfiguration(hidden=(100,), learning_rates=(0.02,), batch_size=4, epochs=10),
    ),
    "logistic-mnist": Experiment(
        "logistic regression on MNIST",
        BaselineConfiguration(hidden=(), learning_rates=(0.01,), batch_size=4, epochs=10),
    ),
    "mlp-digits": Experiment(
        "64-32-10 ReLU network by backpropagation on digits of 8 × 8 pixels",
        BaselineConfiguration(dataset="digits", hidden=(32,), learning_rates=(0.05,), batch_size=4, epochs=5),
    ),
    "xor": Experiment(
        "exclusive or on a random graph of resistors and diodes",
        replace(_RANDOM_GRAPH, dataset="xor", nodes=6, diodes=12, batch_size=4, passes=30),
    ),
    "iris": Experiment(
        "iris flowers on a random graph of resistors and diodes",
        replace(_RANDOM_GRAPH, dataset="iris", nodes=10, diodes=20, target_voltage=0.15, batch_size=30, passes=8),
    ),
    "diabetes": Experiment(
        "regression of the progression of diabetes on a random graph of resistors and diodes",
        replace(
            _RANDOM_GRAPH,
            dataset="diabetes",
            nodes=8,
            diodes=12,
            learning_rates=(2e-5,),
            batch_size=50,
            passes=5,
            epochs=5,
        ),
    ),
    "linear-regression": Experiment(
        "a linear function of two inputs on a square lattice of resistors, by coupled learning",
        replace(_LATTICE, dataset="linear", nodes=6, bias_line=1.0, batch_size=40, passes=50),
    ),
    "allosteric": Experiment(
        "three voltages called forth by a distant source on a square lattice of resistors, by coupled learning",
        replace(_LATTICE, dataset="allosteric", nodes=6, learning_rates=(2.0,), batch_size=1, passes=100, epochs=5),
    ),
}
"""The experiments by name, as `mho train` takes it."""


def experiment(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        InputError: if there is none; it lists close names.
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    close = difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
    known = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(EXPERIMENTS)}"
    raise InputError(f"unknown experiment {name!r}: {known}")
