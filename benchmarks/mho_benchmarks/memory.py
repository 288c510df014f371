"""Peak memory of `mho train`, from its start to its plots, each experiment in a process of its own for one epoch.

The peak is the kernel's high-water mark of the process's resident pages (VmHWM in /proc/PID/status, proc(5)), not
getrusage's, which a child inherits from a larger parent. The first row is a process that has loaded all that training
needs and holds no data: what is above it is the experiment's own.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mho.errors import MhoError

EXPERIMENTS = ("mlp-mnist", "drn-xs", "paper-mnist")

_LOAD = "import mho.experiments.training, matplotlib.figure, tensorboardX, jax; jax.numpy.zeros(1)"
_TRAIN = "import sys; from mho.command import main; code = main(sys.argv[1:]); sys.exit(code) if code else None"
_PEAK = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM:')][0])"


def measure(data_dir: str | None = None) -> list[dict[str, float | str | None]]:
    """Peak memory of each experiment.

    Args:
        data_dir: folder that holds MNIST's files.

    Returns:
        A record a process: name, peak and what of it is above an idle process's, in megabytes (1e6 bytes).

    Raises:
        MhoError: where a training fails, or the system has no /proc.
    """
    peaks = {"idle": idle_peak()}
    folder = [] if data_dir is None else ["--data-dir", data_dir]
    for name in EXPERIMENTS:
        with tempfile.TemporaryDirectory() as out:
            peaks[name] = training_peak(name, "--epochs", "1", "--out", out, *folder)
    return [
        {"name": name, "peak_megabytes": peak, "above_idle_megabytes": peak - peaks["idle"]}
        for name, peak in peaks.items()
    ]


def table(rows: Sequence[dict[str, float | str | None]]) -> list[str]:
    """Lines to print."""
    lines = [f"{'name':<22}{'peak [MB]':>11}{'above idle':>12}"]
    lines += [f"{row['name']:<22}{row['peak_megabytes']:>11.0f}{row['above_idle_megabytes']:>12.0f}" for row in rows]
    return lines


def idle_peak() -> float:
    """Peak memory [MB] of a process that has loaded all that training needs.

    Raises:
        MhoError: where the system has no /proc.
    """
    return measured(_LOAD)[1]


def training_peak(*arguments: str) -> float:
    """Peak memory [MB] of `mho train` with these arguments.

    Raises:
        MhoError: if it fails.
    """
    return measured(_TRAIN, "train", *arguments)[1]


def measured(program: str, *arguments: str) -> tuple[str, float]:
    """What a Python program printed in a process of its own, and the process's peak memory in megabytes.

    Raises:
        MhoError: where it fails, or the system has no /proc.
    """
    if not Path("/proc/self/status").exists():
        raise MhoError("mho bench: peak memory is read from /proc/PID/status, which this system does not have")
    command = [sys.executable, "-c", f"{program}\n{_PEAK}", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        said = finished.stderr.strip().splitlines() or ["no word of why"]
        raise MhoError(f"{' '.join(('mho', *arguments))}: {said[-1].removeprefix('mho: ')}")
    printed, peak = finished.stdout.rstrip("\n").rpartition("\n")[::2]
    return printed, int(peak) * 1024 / 1e6
