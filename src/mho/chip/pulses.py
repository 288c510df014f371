"""How many pulses an update of a run's devices takes: of one more update of its network, from the first training samples."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mho.chip.constants import Range
from mho.devices import AgeingDevice, Ideal, Levels, PulsedDevice
from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.experiments.circuits import output_columns
from mho.experiments.configuration import RuleConfiguration
from mho.experiments.data import Dataset
from mho.experiments.error import target_voltages
from mho.experiments.kinds import learner
from mho.experiments.programming import configured_device
from mho.learning import updated


def pulses_an_update(
    configuration: RuleConfiguration, network: Any, dataset: Dataset, steps: Range
) -> tuple[Range, Range]:
    """Mean over the devices, and the most that one of them gets.

    A change of Δg is |Δg| over the device's step, or level, many pulses on average, `pulses_per_update` at the most. The
    optimizer begins anew.

    Args:
        configuration: the run's.
        network: as it was trained.
        dataset: its data.
        steps: pulses from the least to the largest conductance, of ideal devices.

    Raises:
        InputError: for a device whose steps are not known.
    """
    device = configured_device(configuration)
    device = device.device if isinstance(device, AgeingDevice) else device
    if isinstance(device, PulsedDevice):
        steps = Range.of((device.w_max - device.w_min) / device.dw_min)
    elif isinstance(device, Levels):
        steps = Range.of(float(device.levels - 1))
    elif not isinstance(device, Ideal):
        raise InputError(f"--device {configuration.device}: its pulses are not known")
    columns = output_columns(configuration, dataset)
    outputs = columns or dataset.train_targets.shape[1]
    count = configuration.batch_size
    made = learner(configuration, dataset.train_inputs.shape[1], outputs, 1, dataset.image_shape)
    try:
        with jax.enable_x64(made.double):
            network = jax.tree.map(jnp.asarray, network)
            inputs = jnp.asarray(dataset.train_inputs[:count], float) * dataset.scale
            targets = target_voltages(jnp.asarray(dataset.train_targets[:count]), columns, made.target_voltage)

            def changed(network: Any, inputs: Any, targets: Any) -> Any:
                slope = made.gradient(network, inputs, targets, jax.random.key(0)).by_parameter
                state = made.optimizer.init(made.parameters(network))
                return updated(network, slope, made.optimizer, state)[0]

            after = (jax.jit(changed) if made.traceable else changed)(network, inputs, targets)
    finally:
        made.close()
    shares = []
    learn = network.marked(("conductance",))

    def visit(before: Any, now: Any, learns: Any) -> None:
        if isinstance(before, ProgrammableResistor) and learns.conductance:
            there, here = np.asarray(before.conductance, float), np.asarray(now.conductance, float)
            largest = before.upper if np.isfinite(before.upper) else float(there.max())
            shares.append(np.ravel(np.abs(here - there)) / (largest - before.lower))

    jax.tree.map(visit, network, after, learn, is_leaf=lambda x: isinstance(x, ProgrammableResistor))
    share = np.concatenate(shares)
    most = configuration.pulses_per_update
    return (
        steps.each(lambda n: float(np.mean(np.minimum(share * n, most)))),
        steps.each(lambda n: float(np.ceil(np.minimum(share.max() * n, most)))),
    )
