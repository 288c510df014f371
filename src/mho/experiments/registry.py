"""The named experiments."""

import difflib
import math
from dataclasses import dataclass, replace

from mho.errors import InputError
from mho.experiments.configuration import AnalogConfiguration, BaselineConfiguration, Configuration


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


EXPERIMENTS: dict[str, Experiment] = {
    "paper-mnist": Experiment("the paper's 1568-100-20 network of Shockley diodes and amplifiers on MNIST", _PAPER),
    "drn-xs": Experiment("deep resistive network 1568-100-10 of ideal diodes on MNIST", _DEEP_RESISTIVE),
    "drn-1h": Experiment(
        "deep resistive network 1568-1024-10 of ideal diodes on MNIST",
        replace(_DEEP_RESISTIVE, hidden=(1024,), input_gain=480.0, epochs=50),
    ),
    "drn-digits": Experiment(
        "deep resistive network 128-32-10 on digits of 8 × 8 pixels, in a few seconds",
        replace(_DEEP_RESISTIVE, dataset="digits", hidden=(32,), input_gain=20.0, epochs=5),
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
            learning_rates=(1e-4, 0.01),
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
