"""Training shared out over devices: the losses of one device, step by step, and the time.

Runs in a process of its own in which XLA makes four devices of the CPU. They share its cores, so the time tells what
the communication costs, not what more machines would gain.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from mho.errors import MhoError
from mho.experiments.configuration import Configuration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.devices import Devices, mesh_devices
from mho.experiments.epoch import TrainingState, compile_epoch, fresh_tally, initial_state, sample_order
from mho.experiments.kinds import learner
from mho.experiments.learner import with_constants
from mho.experiments.registry import experiment

EXPERIMENT = "drn-xs"
BATCH_SIZE = 32
STEPS = 30
MESHES = {
    "1 device": (1, 1),
    "4 devices: samples": (4, 1),
    "4 devices: samples, nodes": (4, 2),
    "4 devices: nodes": (4, 4),
}
"""Devices, and over how many of them the nodes are split."""


def measure(data_dir: str | None = None) -> list[dict[str, Any]]:
    """Losses and time of each way to share out.

    Args:
        data_dir: folder that holds MNIST's files.

    Returns:
        A record a way: name, seconds a step, their ratio to one device's, and the relative difference of the
        first step's loss from one device's, and the largest of all steps', in float32 and in float64: training amplifies
        rounding.

    Raises:
        MhoError: if the process fails.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    script = "import sys; from mho_benchmarks.devices import tell; tell(*sys.argv[1:])"
    command = [sys.executable, "-c", script, *([] if data_dir is None else [data_dir])]
    finished = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}, capture_output=True, text=True
    )
    if finished.returncode != 0:
        said = finished.stderr.strip().splitlines() or ["no word of why"]
        raise MhoError(f"mho bench devices: {said[-1]}")
    return json.loads(finished.stdout)


def tell(data_dir: str | None = None) -> None:
    """Print the records as JSON; in a process of four devices."""
    data = load_dataset("mnist", data_dir)
    configuration = replace(experiment(EXPERIMENT).configuration, batch_size=BATCH_SIZE)
    found = {
        name: run_steps(mesh_devices(count, tensor_parallel=columns), configuration, data, STEPS)
        for name, (count, columns) in MESHES.items()
    }
    with jax.enable_x64(True):
        double = {
            name: run_steps(mesh_devices(count, tensor_parallel=columns), configuration, data, STEPS)[0]
            for name, (count, columns) in MESHES.items()
        }
    losses, seconds = found["1 device"]
    records = [
        {
            "name": name,
            "seconds_per_step": took / STEPS,
            "ratio": took / seconds,
            "first_loss_difference": abs(float(theirs[0] / losses[0] - 1.0)),
            "loss_difference": float(np.max(np.abs(theirs / losses - 1.0))),
            "double_loss_difference": float(np.max(np.abs(double[name] / double["1 device"] - 1.0))),
        }
        for name, (theirs, took) in found.items()
    ]
    print(json.dumps(records))


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lines to print."""
    lines = [
        f"{f'{EXPERIMENT}, batch {BATCH_SIZE}':<28}{'ms/step':>9}{'to one':>8}{'loss differs by: first':>24}{'largest':>9}"
        f"{'in float64':>12}"
    ]
    for row in rows:
        told = f"{1000 * row['seconds_per_step']:>9.2f}{row['ratio']:>8.2f}{row['first_loss_difference']:>24.1e}"
        told += f"{row['loss_difference']:>9.1e}{row['double_loss_difference']:>12.1e}"
        lines.append(f"{row['name']:<28}{told}")
    return lines


def run_steps(devices: Devices, configuration: Configuration, data: Dataset, steps: int) -> tuple[np.ndarray, float]:
    """The loss of each of the first steps, made one at a time, and the seconds that they take in one piece."""
    assert data.classes is not None
    samples, features = data.train_inputs.shape
    subject = learner(configuration, features, data.classes, samples // configuration.batch_size)
    subject = with_constants(subject, subject.network)
    state = devices.placed(initial_state(subject))
    inputs, labels = devices.replicated(data.train_inputs), devices.replicated(data.train_targets)
    advance = compile_epoch(
        subject,
        state,
        inputs,
        labels,
        classes=data.classes,
        scale=data.scale,
        batch_size=configuration.batch_size,
        devices=devices,
    )
    order = devices.replicated(sample_order(0, 1, samples))
    key = jax.random.wrap_key_data(devices.replicated(jax.random.key_data(jax.random.key(0))))
    sums = [0.0]
    for stop in range(1, steps + 1):
        state, _ = advance(state, devices.replicated(np.int32(stop)), order, inputs, labels, key)
        sums.append(float(state.tally.loss))
    tally = jax.tree.map(devices.replicated, fresh_tally())
    state = TrainingState(state.network, state.optimizer_state, devices.replicated(np.int32(0)), tally)
    begin = time.perf_counter()
    jax.block_until_ready(advance(state, devices.replicated(np.int32(steps)), order, inputs, labels, key))
    return np.diff(sums), time.perf_counter() - begin
