"""Wide networks: seconds and memory of training, from 100 to 32768 nodes in one hidden layer.

Each width is a `mho train` of its own process, from its start to its plots, on some hundred samples of MNIST (the rest are
held out and make the test): `drn-xl`, and narrower networks with its settings. The time is that of its steps, the memory the
kernel's high-water mark, as in `mho_benchmarks.memory`. What does not depend on the width, the samples and the compiler's
memory among it, is in the narrowest network's peak: the exponent of memory is of what the others take above that.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho_benchmarks.memory import idle_peak, training_peak
from mho_benchmarks.scaling import exponent, plot_scaling

EXPERIMENT = "drn-xl"
SOURCES, OUTPUTS = 1568, 10
WIDTHS = (100, 512, 2048, 8192, 32768)
SAMPLES = 60000
BATCH = 4
WORK = 3e9
"""Conductances times steps, so that the steps of a width take some seconds."""
STEPS = (30, 2000)
"""At the least and at the most."""

Row = dict[str, Any]


def measure(data_dir: str | None = None) -> list[Row]:
    """Seconds a step and peak memory of each width.

    Args:
        data_dir: folder that holds MNIST's files.

    Raises:
        MhoError: where a training fails, or the system has no /proc.
    """
    idle = idle_peak()
    folder = [] if data_dir is None else ["--data-dir", data_dir]
    rows: list[Row] = []
    for width in WIDTHS:
        conductances = (SOURCES + OUTPUTS) * width
        steps = int(min(max(WORK / conductances, STEPS[0]), STEPS[1]))
        held_out = ["--validation", str(SAMPLES - steps * BATCH), "--batch-size", str(BATCH), "--epochs", "1"]
        with tempfile.TemporaryDirectory() as out:
            # The published rate and β are drn-xl's; the cost of a step does not depend on them, its stability does.
            stable = ["--learning-rates", "1e-4", "--beta", "0.1"]
            peak = training_peak(EXPERIMENT, "--hidden", str(width), *stable, *held_out, "--out", out, *folder)
            record = json.loads((Path(out) / "metrics.jsonl").read_text().splitlines()[-1])
        rows.append(
            {
                "hidden": width,
                "conductances": conductances,
                "seconds_per_step": record["seconds"] / steps,
                "conductance_megabytes": 4e-6 * conductances,
                "above_idle_megabytes": peak - idle,
            }
        )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    lines = [
        f"{'hidden':>7}{'conductances':>14}{'ms/step':>10}{'conductances [MB]':>19}{'above idle [MB]':>17}{'ratio':>8}"
    ]
    lines += [
        f"{row['hidden']:>7}{row['conductances']:>14}{1e3 * row['seconds_per_step']:>10.3f}"
        f"{row['conductance_megabytes']:>19.1f}{row['above_idle_megabytes']:>17.0f}"
        f"{row['above_idle_megabytes'] / row['conductance_megabytes']:>8.1f}"
        for row in rows
    ]
    told = [f"{name} {exponent(*series):.2f}" for name, series in _series(rows).items()]
    lines.append(f"exponents in the conductances: {', '.join(told)}")
    return lines


def plot(rows: Sequence[Row], folder: Path) -> None:
    """Time and memory against the conductances, a file each."""
    for (name, series), value in zip(_series(rows).items(), ("time of a step [s]", "memory [MB]"), strict=True):
        plot_scaling({name: series}, size="conductances", value=value, path=folder / f"width-{name}.png")


def _series(rows: Sequence[Row]) -> dict[str, tuple[list[float], list[float]]]:
    size = [row["conductances"] for row in rows]
    base = rows[0]["above_idle_megabytes"]
    growth = [row["above_idle_megabytes"] - base for row in rows[1:]]
    return {
        "time": (size, [row["seconds_per_step"] for row in rows]),
        "memory": ([n - size[0] for n in size[1:]], growth),
    }
