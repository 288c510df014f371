"""A step of training at batches of 4 to 128, against backpropagation in a JAX MLP of the same hidden layer and batch.

As `mho.benchmarks.epoch`, with `drn-xs` (100 hidden nodes) and `drn-1h` (1024) converged to 1e-4 relative.
"""

import dataclasses
from collections.abc import Sequence

from mho.benchmarks.epoch import PEER, JaxTurn, Turn
from mho.experiments.configuration import AnalogConfiguration, BaselineConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.registry import experiment

NETWORKS = ("drn-xs", "drn-1h")
BATCHES = (4, 32, 128)
RTOL = 1e-4
WORK = 2.4e8
"""Weights times samples in a turn of the peer, so that a turn takes some tenths of a second."""
TURNS = 5

Row = dict[str, float | str | None]


def measure(data_dir: str | None = None) -> list[Row]:
    """Microseconds a step of each network and of its peer, and their ratio.

    Args:
        data_dir: folder that holds MNIST's files.
    """
    data = load_dataset("mnist", data_dir)
    rows: list[Row] = []
    for name in NETWORKS:
        for batch_size in BATCHES:
            analog, peer = experiment(name).configuration, experiment(PEER).configuration
            assert isinstance(analog, AnalogConfiguration) and isinstance(peer, BaselineConfiguration)
            steps = max(10, round(WORK / (data.train_inputs.shape[1] * analog.hidden[0] * batch_size)))
            analog = dataclasses.replace(analog, batch_size=batch_size, rtol=RTOL)
            peer = dataclasses.replace(peer, batch_size=batch_size, hidden=analog.hidden)
            turns: list[Turn] = [JaxTurn(configuration, data, steps) for configuration in (peer, analog)]
            best = [float("inf"), float("inf")]
            for _ in range(TURNS):
                best = [min(b, turn()) for b, turn in zip(best, turns, strict=True)]
            rows.append(
                {
                    "name": name,
                    "batch_size": batch_size,
                    "mlp_microseconds": best[0] / steps * 1e6,
                    "microseconds": best[1] / steps * 1e6,
                    "ratio": best[1] / best[0],
                }
            )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    lines = [f"{'step':<10}{'batch':>7}{'MLP [µs]':>12}{'mho [µs]':>12}{'ratio':>8}"]
    lines += [
        f"{row['name']:<10}{row['batch_size']:>7}{row['mlp_microseconds']:>12.0f}{row['microseconds']:>12.0f}"
        f"{row['ratio']:>8.2f}"
        for row in rows
    ]
    return lines
