"""Runs as they are found again, and what trained networks predict."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.experiments.configuration import Configuration
from mho.experiments.data.arrays import array_samples
from mho.experiments.data.form import DataForm
from mho.experiments.found_runs import run_form, trained_network
from mho.experiments.record import Metrics
from mho.experiments.run import read_metrics
from mho.networks import Network
from mho.precision import double
from mho.steady import Solver, solve

_AT_ONCE = 1024
"""Samples that are solved at once, which bounds the memory."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of `mho train` or `fit`, read from its folder."""

    folder: Path
    configuration: Configuration
    network: Any
    """As its last checkpoint has it, in the precision that it was trained in."""
    metrics: list[Metrics]
    """A record an epoch."""
    form: DataForm | None
    """How its data's own numbers become inputs, and predictions the data's own terms."""

    @property
    def target_voltage(self) -> float:
        """Volts at an output that stand for a target of 1."""
        return getattr(self.configuration, "target_voltage", 1.0)


def load(run: str | Path, *, classes: Sequence[type] = ()) -> Run:
    """A run with its network, configuration and metrics.

    Args:
        run: its folder, or one of its checkpoints.
        classes: of a network that `mho.fit` trained, where they cannot be imported: those that a program defines itself.

    Raises:
        InputError: if there is no run, no checkpoint that can be read, or a class of the network is not found.
    """
    path = Path(run)
    configuration, network = trained_network(path, classes)
    folder = path.absolute().parent.parent if path.suffix == ".npz" else path
    return Run(folder, configuration, network, read_metrics(folder), run_form(path))


def predict(subject: Network | Run | str | Path, inputs: ArrayLike, *, solver: Solver | None = None) -> np.ndarray:
    """What a network's outputs are for some inputs [V], (samples, outputs): in float64, and certified.

    Args:
        subject: a network, whose inputs are then what multiplies its gain; or a run, whose inputs are in its data's own
            numbers, (samples, features) or images.
        inputs: NumPy's, JAX's or pandas'.
        solver: finds the operating points; see `mho.solve`.

    Raises:
        InputError: if the inputs do not fit the network, or the run trains a network in software.
        MhoError: if a sample has no operating point.
    """
    network = subject
    if isinstance(subject, str | Path):
        subject = load(subject)
    values = array_samples(inputs, None, "inputs").inputs
    if isinstance(subject, Run):
        network, form = subject.network, subject.form
        if form is not None:
            if values.shape[1] != form.features:
                raise InputError(f"inputs: have {values.shape[1]} features, and the run's data {form.features}")
            values = form.inputs(values)
    if not isinstance(network, Network):
        raise InputError("predict: a network in software has no circuit; mho predicts by circuits")
    values = np.asarray(values, np.float64)
    parts = [values[k : k + _AT_ONCE] for k in range(0, len(values), _AT_ONCE)]
    found = [double(network.prediction)(solve(network, part, solver=solver).voltages) for part in parts]
    return np.concatenate([np.asarray(v) for v in found])


def told(run: Run, prediction: np.ndarray) -> np.ndarray:
    """Predictions [V] in a run's own terms: names of classes, (samples,), or values, (samples, outputs)."""
    if run.form is None:
        return np.argmax(prediction, -1)
    return run.form.told(prediction, run.target_voltage)
