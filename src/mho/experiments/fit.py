"""`fit`: any network that a Python program makes, trained as the command trains its experiments."""

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from mho.devices import Device, named_device
from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.experiments.circuits import with_parameter_rate
from mho.experiments.conductances import conductances
from mho.experiments.configuration import Configuration, NetworkConfiguration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.data_fields import InputScaling, is_file
from mho.experiments.devices import Devices, one_device
from mho.experiments.found_runs import trained_network
from mho.experiments.kinds import check_data
from mho.experiments.learner import Learner
from mho.experiments.programming import configured_programming
from mho.experiments.progress import Quiet
from mho.experiments.progress import progress as shown
from mho.experiments.record import Metrics
from mho.experiments.rule import exact_gradient, gradient_by, predicted_by, share_by
from mho.experiments.run import holds_run, read_configuration
from mho.experiments.structure import structure_of
from mho.experiments.training import begin, go_on
from mho.experiments.under_way import CHECKPOINT_MINUTES, Training
from mho.learning import (
    CoupledLearning,
    CrossEntropy,
    EquilibriumPropagation,
    ImplicitGradient,
    Rule,
    SquaredError,
    trained_part,
)
from mho.learning import optimizer as named_optimizer
from mho.networks import Circuit, LayeredNetwork, Network
from mho.steady import Auto

_STEP, _NUDGE, _LEAST = 0.03, 0.1, 0.25
"""Adam's rate as a share of the mean conductance, β as a share of the outputs' mean conductance, and the largest share of
their least one that it may be, where none is given."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What `fit` gives."""

    network: Any
    """The trained network."""
    metrics: list[Metrics]
    """A record an epoch; see the documentation, "What a run tells"."""
    folder: Path | None
    """The run's folder; None where none was asked for."""


def fit(
    network: Any,
    data: Any,
    *,
    rule: Rule | None = None,
    optimizer: str | optax.GradientTransformation = "adam",
    learning_rates: float | Sequence[float] | None = None,
    decay: float = 1.0,
    epochs: int = 10,
    batch_size: int | None = None,
    passes: int = 1,
    seed: int = 0,
    trained: Sequence[str] = ("conductance",),
    device: str | Device = "ideal",
    target_voltage: float = 1.0,
    precision: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    devices: Devices | None = None,
    progress: bool = True,
) -> Fitted:
    """Train a network: layered, convolutional, or a circuit that has an energy.

    Args:
        network: the network; NumPy's arrays will do. It is left as it is.
        data: a `Dataset`, the name of one of mho's, or arrays `(x, y)` or `(x, y, test_x, test_y)`: see
            `mho.Dataset.from_arrays`. Arrays' features are standardised for a layered network, not for a circuit.
        rule: gives the gradients: one of mho's rules or any object with a method `gradient` as `mho.Rule.gradient`.
            Equilibrium propagation if None, β a tenth of the outputs' mean conductance, at most a quarter of their least.
        optimizer: "sgd", "momentum", "adam" or "rmsprop", or any of Optax's transformations, its learning rate included.
        learning_rates: of a named optimizer: one, or of a layered network one for each layer [S/S]. 3 % of the mean
            conductance if None, which suits Adam alone. A netlist's parameters always learn at 0.03, in their logarithm.
        decay: factor on the named optimizer's rates after each epoch.
        epochs: in all.
        batch_size: samples an update; 16, or all if there are fewer, if None.
        passes: through the training set that make an epoch.
        seed: of the order of the samples.
        trained: kinds of parameters that learn, of `network.parameters`.
        device: what the trained conductances are: one of `mho.devices`, of your own or a name of `mho.devices.DEVICES`. Most
            need a window: the resistors' bounds, which `mho.devices.windowed` gives them.
        target_voltage: volts at an output that stand for a target of 1.
        precision: "float32" or "float64"; float64 for circuits, float32 for others, if None.
        out: folder of the run; nothing is kept if None.
        resume: go on with the run in `out`, or begin it if there is none; network and settings must be those that it was
            begun with, but for the epochs.
        checkpoint_minutes: time between two checkpoints within an epoch.
        devices: to train on; the first device if None.
        progress: whether a bar is shown.

    Raises:
        InputError: where network, data, rule and settings do not fit together.
        MhoError: if the loss or the network ceases to be finite.
        Interrupted: on SIGINT or SIGTERM, once a checkpoint is written.
    """
    if not isinstance(network, Network):
        raise InputError(
            f"fit: a {type(network).__name__} is no network; make one by mho.layered_network or mho.CircuitBuilder"
        )
    # What drives a circuit's sources is in volts already.
    dataset = _dataset(data, "none" if isinstance(network, Circuit) else "standard")
    precision = precision or ("float64" if isinstance(network, Circuit) else "float32")
    wide = precision == "float64"
    network = _as_trained(network, wide)
    rule = rule or _default_rule(network, wide)
    outputs = _check_fit(network, dataset, wide)
    own, rates = [], learning_rates
    if isinstance(optimizer, optax.GradientTransformation):
        own.append("optimizer")
        if rates is not None:
            raise InputError("learning_rates: an optimizer of Optax's has its own; give it there")
        rates = 1.0
    elif rates is None:
        if optimizer != "adam":
            raise InputError(f"learning_rates: {optimizer!r} needs some")
        rates = _STEP * _mean_conductance(network)
    settings, told = _rule_settings(rule)
    if isinstance(data, Dataset) and is_file(dataset.name):
        told.append("data")  # read from the file in the program's own way
    if isinstance(device, str):
        settings["device"], device = device, named_device(device)
    else:
        own.append(f"device {' '.join(repr(device).split())}")
    configuration = NetworkConfiguration(
        dataset=dataset.name,
        epochs=epochs,
        passes=passes,
        batch_size=min(16, len(dataset.train_inputs)) if batch_size is None else batch_size,
        seed=seed,
        optimizer="adam" if "optimizer" in own else optimizer,  # type: ignore[arg-type]
        learning_rates=tuple(rates) if isinstance(rates, Sequence) else (float(rates),),
        layers_of_weights=len(network.layers) if isinstance(network, LayeredNetwork) else 1,
        decay=decay,
        trained=tuple(trained),
        target_voltage=target_voltage,
        precision=precision,  # type: ignore[arg-type]
        outputs=outputs,
        own=(*own, *told),
        **settings,
    )
    trained_part(network, configuration.trained)
    check_data(configuration, dataset)
    make = partial(_learner, network, rule, optimizer, configuration, device)
    devices = devices or one_device()
    path = Path(out or "")

    def training(show: Any, form: Any = None) -> Training:
        _refuse_other_data(path, dataset, form)
        shown_by, keep = show or Quiet(), out is not None
        return Training("fit", configuration, dataset, path, checkpoint_minutes, devices, shown_by, make, keep)

    with shown() if progress else nullcontext() as show:
        if out is None:
            finished = training(show).run()
        elif resume and holds_run(path):
            finished = _resumed(path, configuration, devices, partial(training, show))
        else:
            finished = begin(training(show), structure_of(network))
    found = finished.network
    if found is None:
        found = trained_network(path, classes_of(network))[1]
    return Fitted(jax.tree.map(np.asarray, found), finished.metrics, None if out is None else path)


def classes_of(network: Any) -> list[type]:
    """Those of a network's parts."""
    inner = [part for part in eqx.tree_flatten_one_level(network)[0] if isinstance(part, eqx.Module | tuple | list)]
    return [type(network), *(kind for part in inner for kind in classes_of(part))]


def _resumed(path: Path, configuration: NetworkConfiguration, devices: Devices, training: Any) -> Any:
    _, began = read_configuration(path)
    for field in dataclasses.fields(Configuration if type(began) is not NetworkConfiguration else began):
        before, now = getattr(began, field.name), getattr(configuration, field.name, None)
        if field.name != "epochs" and before != now:
            raise InputError(f"{field.name} {now}: the run in {path} was begun with {before}")
    return go_on(path, began, configuration, devices, training)


def _refuse_other_data(path: Path, dataset: Dataset, form: Any) -> None:
    if form is not None and form != dataset.form:
        raise InputError(f"{dataset.name}: is not what the run in {path} was trained on")


def _dataset(data: Any, scaling: InputScaling) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load_dataset(str(data))
    if isinstance(data, tuple | list) and len(data) in (2, 4):
        x, y, *test = data
        return Dataset.from_arrays(x, y, test=(test[0], test[1]) if test else None, input_scaling=scaling)
    raise InputError("data: expected a Dataset, the name of one, (x, y) or (x, y, test_x, test_y)")


def _as_trained(network: Any, wide: bool) -> Any:
    kind = np.float64 if wide else np.float32

    def converted(leaf: Any) -> np.ndarray:
        values = np.asarray(leaf)
        return values.astype(kind) if values.dtype.kind == "f" else values

    return jax.tree.map(converted, network)


def _check_fit(network: Network, dataset: Dataset, wide: bool) -> int:
    """How many outputs the network has; refuses data of another form."""
    features = dataset.train_inputs.shape[1]
    takes = _features(network)
    if takes != features:
        raise InputError(f"{dataset.name}: has {features} features, and the network takes {takes}")
    with jax.enable_x64(wide):
        inputs = jax.ShapeDtypeStruct((1, features), jnp.result_type(float))
        outputs = jax.eval_shape(lambda x: network.prediction(network.held(network.drive(x))), inputs).shape[-1]
    wanted = dataset.form.outputs
    if outputs != wanted and not (outputs == 1 and dataset.classes == 2):
        raise InputError(
            f"{dataset.name}: has {wanted} {'values' if dataset.classes is None else 'classes'}, and the network "
            f"{outputs} output{'s' if outputs > 1 else ''}"
        )
    return outputs


def _features(network: Any) -> int:
    if isinstance(network, LayeredNetwork):
        return network.layers[0].crossbar.shape[0] - (network.bias_line is not None)
    return int(np.max(network.input_feature, initial=-1)) + 1


def _conductances(network: Any) -> list[np.ndarray]:
    parts = jax.tree.leaves(network, is_leaf=lambda x: isinstance(x, ProgrammableResistor))
    return [np.asarray(p.conductance) for p in parts if isinstance(p, ProgrammableResistor)]


def _mean_conductance(network: Any) -> float:
    found = np.concatenate([np.ravel(g) for g in _conductances(network)] or [np.ones(1)])
    return float(f"{np.mean(found, dtype=np.float64):.3g}")


def _default_rule(network: Any, wide: bool) -> Rule:
    scale = _mean_conductance(network)
    if isinstance(network, LayeredNetwork):
        features = _features(network)
        outputs = np.asarray(network.drive(jnp.zeros((1, features))).conductances[-1])
        # Where −β pulls harder than an output's conductance holds, the energy has no minimum.
        scale = min(float(np.mean(outputs)), float(np.min(outputs)) * _LEAST / _NUDGE)
    return EquilibriumPropagation(beta=float(f"{_NUDGE * scale:.2g}"), solver=Auto(1e-8 if wide else 1e-5))


def _rule_settings(rule: Any) -> tuple[dict[str, Any], list[str]]:
    """What of a rule a configuration can tell, and what it cannot."""
    settings: dict[str, Any] = {}
    told = []
    solver = getattr(rule, "solver", None)
    if type(solver) is Auto:
        settings |= {"rtol": float(solver.rtol), "max_sweeps": int(solver.max_steps)}
    elif solver is not None:
        told.append(f"solver {type(solver).__name__}")
        settings |= {"rtol": float(solver.rtol)}
    cost = getattr(rule, "cost", None)
    if type(cost) is CrossEntropy:
        settings |= {"cost": "cross-entropy", "logit_gain": float(cost.logit_gain)}
    elif cost is not None and type(cost) is not SquaredError:
        told.append(f"cost {type(cost).__name__}")
    readout = getattr(rule, "readout", None)
    if readout is not None:
        settings |= {"read_noise": float(readout.noise), "relative_read_noise": float(readout.relative_noise)}
        settings |= {"reads": int(readout.reads), "read_step": float(readout.step)}
    match rule:
        case EquilibriumPropagation():
            settings |= {"beta": float(rule.beta), "variant": rule.variant, "nudging": rule.nudging}
        case CoupledLearning():
            settings |= {"rule": "coupled-learning", "eta": float(rule.eta)}
        case ImplicitGradient():
            settings |= {"rule": "implicit"}
        case _:
            told.append(f"rule {type(rule).__name__}")
    return settings, told


def _learner(
    network: Any,
    rule: Any,
    optimizer: str | optax.GradientTransformation,
    configuration: NetworkConfiguration,
    device: Device,
    features: int,
    outputs: int,
    steps: int,
) -> Learner:
    del features, outputs
    trained = configuration.trained
    solver = getattr(rule, "solver", None) or Auto(configuration.rtol, configuration.max_sweeps)
    layered = isinstance(network, LayeredNetwork)

    if isinstance(optimizer, str):
        rates = configuration.rates if layered else configuration.rates[0]
        optimizer = named_optimizer(optimizer, rates, decay=configuration.decay, steps_per_epoch=steps)
        if "parameter" in trained:
            optimizer = with_parameter_rate(optimizer, _STEP / configuration.rates[0])
    return Learner(
        network=network,
        parameters=lambda network: eqx.filter(network, trained_part(network, trained)),
        optimizer=optimizer,
        gradient=gradient_by(rule, trained),
        predict=predicted_by(solver, solver.rtol),
        exact=exact_gradient(rule, trained) if layered and isinstance(rule, Rule) else None,
        share=share_by(rule),
        tolerance=configuration.tolerance,
        weights=conductances,
        weight_name="conductance [S]",
        target_voltage=configuration.target_voltage,
        programming=configured_programming(device, configuration.seed, trained),
        double=configuration.precision == "float64",
        traceable=solver.traceable,
    )
