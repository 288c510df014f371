"""Runs that are killed at random moments and resumed: each must end as the run that was left alone, bit for bit.

A run of each kind trains once undisturbed. Then `--samples` runs of it get SIGKILL at a moment drawn from that run's time,
are resumed, killed again with even odds, and in the end resumed to their end. What is compared is the last checkpoint,
array by array, and the epochs' losses and errors.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import MhoError
from mho_benchmarks.referee.measurement import chosen_families

Row = dict[str, Any]

_NETLIST = """a divider that learns
vx1 a 0 0
vx2 b 0 0
r1 a h 1k
r2 b h 1k
d1 h 0 dm
r3 h out 1k
r4 out 0 2k
.model dm d
.end
"""
_SMALL = ("--epochs", "3", "--checkpoint-minutes", "0.002")
KINDS = {
    "layered": ("drn-digits", *_SMALL),
    "convolutional": ("drn-conv-digits", *_SMALL),
    "deep": ("drn-digits", "--hidden", "16", "16", *_SMALL, "--batch-size", "32"),
    "adam, shuffled signs": ("drn-digits", "--optimizer", "adam", "--variant", "random-sign", *_SMALL),
    "device": ("drn-digits", "--device", "soft-bounds", *_SMALL, "--batch-size", "32"),
    "chip": ("drn-digits", "--gains", "2", "--mismatch", "0.1", "--read-noise", "1e-4", *_SMALL),
    "circuit": ("xor", *_SMALL),
    "coupled learning": ("allosteric", *_SMALL),
    "netlist": (
        "NETLIST",
        "--dataset",
        "xor",
        "--inputs",
        "vx1,vx2",
        "--outputs",
        "out",
        "--programmable",
        "r*",
        *_SMALL,
    ),
    "software": ("mlp-digits", *_SMALL),
}
"""What `mho train` is given for a run of each kind."""
_COMPARED = ("train_loss", "train_error", "test_error", "residual")
_PATIENCE = 600.0


def measure(samples: int = 100, seed: int = 0, families: Sequence[str] = ()) -> list[Row]:
    """A row a kind of run: kills, runs that ended as they should, and those that did not.

    Args:
        samples: runs of each kind that are killed.
        seed: of the moments.
        families: kinds of runs; all of them if none is given.

    Raises:
        InputError: an unknown kind, or no sample.
        MhoError: if a run ends by itself with an error.
    """
    names = chosen_families(families, KINDS, samples, seed)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "divider.cir").write_text(_NETLIST)
        return [_row(name, Path(folder), samples, seed) for name in names]


def _row(name: str, folder: Path, samples: int, seed: int) -> Row:
    given = [str(folder / "divider.cir") if word == "NETLIST" else word for word in KINDS[name]]
    stem = name.replace(" ", "-").replace(",", "")
    began = time.perf_counter()
    _run(["train", *given, "--out", str(folder / stem)])
    seconds = time.perf_counter() - began
    expected = _outcome(folder / stem)
    random, kills, differing = np.random.default_rng([seed, *name.encode()]), 0, []
    for sample in range(samples):
        run = folder / f"{stem}-{sample}"
        while True:
            # Begun anew where it was killed before its first checkpoint.
            resumes = any((run / "checkpoints").glob("*.npz"))
            words = ["train", "--resume", str(run)] if resumes else ["train", *given, "--out", str(run)]
            if kills and resumes and random.random() < 0.5:
                break
            if not _killed(words, random.uniform(0.0, 1.1 * seconds)):
                break
            kills += 1
        if not _finished(run, given):
            _run(
                ["train", "--resume", str(run)]
                if any((run / "checkpoints").glob("*.npz"))
                else ["train", *given, "--out", str(run)]
            )
        if _outcome(run) != expected:
            differing.append(sample)
    return {"kind": name, "runs": samples, "kills": kills, "differing": differing, "seconds": seconds}


def _finished(run: Path, given: Sequence[str]) -> bool:
    epochs = int(given[given.index("--epochs") + 1])
    return (run / "histograms.png").exists() and len(_lines(run)) == epochs


def _lines(run: Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "mho", *words]


def _run(words: Sequence[str]) -> None:
    ran = subprocess.run(_command(words), capture_output=True, text=True, timeout=_PATIENCE)
    if ran.returncode:
        raise MhoError(f"mho {' '.join(words)}: ended with {ran.returncode}: {ran.stderr.strip().splitlines()[-1]}")


def _killed(words: Sequence[str], after: float) -> bool:
    """Whether a run was killed; if not, it was done before."""
    process = subprocess.Popen(_command(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def _outcome(run: Path) -> tuple[Any, ...]:
    """What must be equal: the last checkpoint's arrays and the epochs' records."""
    last = max((run / "checkpoints").glob("*.npz"))
    with np.load(last) as stored:
        arrays = [(name, stored[name].tobytes()) for name in sorted(stored.files) if stored[name].dtype.kind in "fiub"]
    records = [tuple(line[name] for name in _COMPARED) for line in _lines(run)]
    return last.name, arrays, records


def table(rows: Sequence[Row]) -> list[str]:
    """A line a kind."""
    lines = [f"{'kind of run':<24}{'runs':>6}{'kills':>7}{'as undisturbed':>16}{'undisturbed [s]':>17}"]
    for row in rows:
        alike = row["runs"] - len(row["differing"])
        lines.append(f"{row['kind']:<24}{row['runs']:>6}{row['kills']:>7}{alike:>16}{row['seconds']:>17.1f}")
        lines += [f"  differing: run {number}" for number in row["differing"]]
    return lines
