"""A step of training at batches of 1 to 4096, against backpropagation in MLPs and against what the machine can do.

`drn-xs` (1568-100-10) and `drn-1h` (1568-1024-10), three phases converged to 1e-4 relative, take turns with three peers: a
JAX MLP of equal size (1568 inputs: the images and their negatives, as many weights as there are conductances), a JAX MLP of
the same hidden layer that has the images alone and so half the weights, and the latter in PyTorch, in a process of its own.

The arithmetic that is counted is what a step cannot do without: the products of the batch with each crossbar that drive it
and that update it, and those of the sweeps with the outputs' crossbar. The memory traffic that is counted is the
conductances read once to drive, read and written once to update. Both are set against what a matrix product of 2048 × 2048
and reading and writing an array as large as `drn-1h`'s conductances, over and over, reach in the same process.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mho.experiments.configuration import AnalogConfiguration, BaselineConfiguration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.registry import experiment
from mho_benchmarks.epoch import PEER, JaxTurn, torch_seconds
from mho_benchmarks.scaling import plot_scaling

NETWORKS = ("drn-xs", "drn-1h")
BATCHES = (1, 4, 32, 128, 1024, 4096)
RTOL = 1e-4
WORK = 2.4e8
"""Weights times samples in a turn, so that a turn takes some tenths of a second."""
STEPS = (3, 2000)
"""In a turn, at the least and at the most."""
TURNS = 7
SAMPLES = 20_000
"""Of the set that also holds the images' negatives, which bounds its memory."""
MATRIX, COPIED, COPIES = 2048, 1_615_872, 100
"""Rows of the matrices, numbers of the array, how often it is copied."""

Row = dict[str, Any]
Result = dict[str, Any]


def measure(data_dir: str | None = None) -> Result:
    """Microseconds a step of each network and of its peers, their ratios, and the shares of the machine's rates.

    Args:
        data_dir: folder that holds MNIST's files.

    Returns:
        Records `machine` (gigaflops and gigabytes a second) and `steps`, one for each network and batch.
    """
    data = load_dataset("mnist", data_dir)
    machine = {"gigaflops": _matrix_product(), "gigabytes": _copy()}
    rows = [_step(name, batch_size, data, data_dir) for name in NETWORKS for batch_size in BATCHES]
    for row in rows:
        seconds = 1e-6 * row["microseconds"]
        row["gigaflops"] = 1e-9 * row.pop("operations") / seconds
        row["gigabytes"] = 1e-9 * row.pop("bytes") / seconds
        row["share_of_product"] = row["gigaflops"] / machine["gigaflops"]
        row["share_of_copy"] = row["gigabytes"] / machine["gigabytes"]
    return {"machine": machine, "steps": rows}


def table(result: Result) -> list[str]:
    """Lines to print."""
    machine = result["machine"]
    lines = [
        f"this machine: {machine['gigaflops']:.0f} GFLOP/s in a matrix product, {machine['gigabytes']:.1f} GB/s in a copy",
        f"{'step [µs]':<10}{'batch':>6}{'equal MLP':>11}{'half MLP':>10}{'PyTorch':>9}{'mho':>8}"
        f"{'to equal':>10}{'to half':>9}{'to PyTorch':>12}{'GFLOP/s':>9}{'share':>7}{'GB/s':>7}{'share':>7}",
    ]
    for row in result["steps"]:
        torch, ratio = row["torch_microseconds"], row["ratio_to_torch"]
        lines.append(
            f"{row['name']:<10}{row['batch_size']:>6}{row['equal_microseconds']:>11.0f}{row['half_microseconds']:>10.0f}"
            f"{'' if torch is None else f'{torch:.0f}':>9}{row['microseconds']:>8.0f}"
            f"{row['ratio_to_equal']:>10.2f}{row['ratio_to_half']:>9.2f}{'' if ratio is None else f'{ratio:.2f}':>12}"
            f"{row['gigaflops']:>9.0f}{row['share_of_product']:>7.0%}{row['gigabytes']:>7.1f}{row['share_of_copy']:>7.0%}"
        )
    return lines


def plot(result: Result, folder: Path) -> None:
    """Time of a step against the batch, as `batch.png`."""
    series = {}
    for name in NETWORKS:
        rows = [row for row in result["steps"] if row["name"] == name]
        sizes = [row["batch_size"] for row in rows]
        series[name] = (sizes, [1e-6 * row["microseconds"] for row in rows])
        series[f"equal MLP of {name}"] = (sizes, [1e-6 * row["equal_microseconds"] for row in rows])
    plot_scaling(series, size="batch", value="time of a step [s]", path=folder / "batch.png")


def _step(name: str, batch_size: int, data: Dataset, data_dir: str | None) -> Row:
    analog, peer = experiment(name).configuration, experiment(PEER).configuration
    assert isinstance(analog, AnalogConfiguration) and isinstance(peer, BaselineConfiguration)
    features, hidden, outputs = data.train_inputs.shape[1], analog.hidden[0], data.classes or 1
    steps = int(np.clip(WORK / (features * hidden * batch_size), *STEPS))
    analog = dataclasses.replace(analog, batch_size=batch_size, rtol=RTOL)
    peer = dataclasses.replace(peer, batch_size=batch_size, hidden=analog.hidden)
    ours = JaxTurn(analog, data, steps)
    turns = {"equal": JaxTurn(peer, _with_negatives(data), steps), "half": JaxTurn(peer, data, steps), "": ours}
    took: dict[str, float | None] = dict.fromkeys(turns)
    for _ in range(TURNS):
        for key, turn in turns.items():
            took[key] = min(took[key] or float("inf"), turn() / steps)
    theirs = torch_seconds(peer, steps, TURNS, data_dir)
    took["torch"] = None if theirs is None else theirs / steps
    seconds = took.pop("") or float("inf")
    sweeps = int(ours.state.tally.sweeps) / steps
    first, last = features * hidden, hidden * outputs
    return {
        "name": name,
        "batch_size": batch_size,
        "microseconds": 1e6 * seconds,
        **{f"{key}_microseconds": None if other is None else 1e6 * other for key, other in took.items()},
        **{f"ratio_to_{key}": None if other is None else seconds / other for key, other in took.items()},
        "sweeps": sweeps,
        # A multiplication and an addition each: in, out and back in every sweep of three phases, two outer products.
        "operations": 2 * batch_size * (2 * first + (2 * 3 * sweeps + 2) * last),
        "bytes": 3 * 4 * (2 * first + last),
    }


def _with_negatives(data: Dataset) -> Dataset:
    def both(images: np.ndarray) -> np.ndarray:
        signed = images.astype(np.int16)
        return np.concatenate([signed, -signed], 1)

    return dataclasses.replace(
        data,
        train_inputs=both(data.train_inputs[:SAMPLES]),
        train_targets=data.train_targets[:SAMPLES],
        test_inputs=both(data.test_inputs[:1]),
        test_targets=data.test_targets[:1],
    )


def _matrix_product() -> float:
    """Gigaflops a second."""
    matrix = jnp.ones((MATRIX, MATRIX), jnp.float32)
    return 2e-9 * MATRIX**3 / _least(jax.jit(lambda a: a @ a), matrix)


def _copy() -> float:
    """Gigabytes a second, read and written."""
    array = jnp.ones(COPIED, jnp.float32)
    copies = jax.jit(lambda a: lax.fori_loop(0, COPIES, lambda _, a: a * 0.999, a))
    return 8e-9 * COPIED * COPIES / _least(copies, array)


def _least(function: Callable[[jax.Array], jax.Array], argument: jax.Array) -> float:
    best = float("inf")
    for _ in range(TURNS):
        begin = time.perf_counter()
        jax.block_until_ready(function(argument))
        best = min(best, time.perf_counter() - begin)
    return best
