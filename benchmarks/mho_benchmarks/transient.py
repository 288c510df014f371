"""Transients of families of circuits, against ngspice: errors, and processor seconds at equal accuracy.

The reference is ngspice at steps of at most a 20,000th of the whole time and tight tolerances; where that gets stuck,
looser ones, and at last mho at a hundredth of its tolerance, which the table marks. An error is the largest of all
nodes that swing, at the card's reported times, as a share of the node's swing. ngspice is then run with ever smaller
largest steps until its error is not above mho's: those are its seconds at equal accuracy, its start-up and reading
taken off by a run of a circuit of one resistor. mho's are those of `netlist_transient` on a netlist that was read
before, its best of some turns, less those on that circuit of one resistor.

Where its error stays above mho's at the smallest of these steps, its seconds are those of that run, and the ratio is an
upper bound of what equal accuracy would give; errors below a few 1e-6 are those of the reference.
"""

import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.netlists import parse_netlist
from mho.netlists.circuits.transient import NetlistTransient, netlist_transient
from mho.netlists.reading.waveforms import Transient
from mho.ngspice.rawfile import read_raw
from mho.ngspice.simulator import SpiceError
from mho.ngspice.simulator import transient as spice_transient
from mho_benchmarks.transient_circuits import FAMILIES

TURNS = 2
STEPS = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
"""Of ngspice's whole time, at the least, in the order in which they are tried."""
REFERENCES = (
    (20_000, "reltol=1e-5 abstol=1e-14 vntol=1e-9 chgtol=1e-18 trtol=1"),
    (5_000, "reltol=1e-3 abstol=1e-11 vntol=1e-6"),
)
"""Least steps and options of ngspice, in the order in which they are tried."""
REFERENCE_SECONDS, TIMEOUT = 4.0, 120.0
LEAST_SWING = 1e-3
"""Volts: nodes that swing less tell nothing."""

_NOTHING = "v1 a 0 1\nr1 a 0 1\n.tran 1 2\n"
"""Of which a run is all start-up."""

Row = dict[str, float | str | None]


def measure(families: Sequence[str] = ()) -> list[Row]:
    """A row a family.

    Args:
        families: their names; all of them if empty.

    Raises:
        InputError: for an unknown family, or if ngspice is missing.
    """
    names = families or list(FAMILIES)
    for name in names:
        if name not in FAMILIES:
            raise InputError(f"unknown family {name!r}: known are {', '.join(FAMILIES)}")
    start_up = min(_processor_seconds(_NOTHING)[0] for _ in range(5))
    nothing = parse_netlist(f"nothing\n{_NOTHING}.end\n")
    own = min(_best(lambda: netlist_transient(nothing))[0] for _ in range(5))
    return [_row(name, start_up, own) for name in names]


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    lines = [
        f"{'transient':<24}{'steps':>7}{'error':>10}{'mho [s]':>10}{'ngspice [s]':>13}{'its error':>11}{'times':>8}"
    ]
    for row in rows:
        theirs, other, times = (
            "-" if row[k] is None else f"{row[k]:{shape}}"
            for k, shape in (("ngspice_seconds", ".2g"), ("ngspice_error", ".1e"), ("times_ngspice", ".3g"))
        )
        lines.append(
            f"{row['name']:<24}{row['steps']:>7}{row['error']:>10.1e}{row['mho_seconds']:>10.2g}{theirs:>13}{other:>11}"
            f"{times:>8}" + ("  *" if row["reference"] == "mho" else "")
        )
    ratios = sorted(float(row["times_ngspice"]) for row in rows if row["times_ngspice"] is not None)
    if ratios:
        lines.append(f"median {ratios[len(ratios) // 2]:.3g} times ngspice's processor seconds, least {ratios[0]:.3g}")
    if any(row["reference"] == "mho" for row in rows):
        lines.append("* ngspice does not get through with small steps: against mho at a hundredth of its tolerance")
    return lines


def converged(name: str, cards: str) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Times and node voltages of a reference by ngspice, or None where it gets stuck."""
    card = _card(cards)
    for steps, options in REFERENCES:
        deck = f"{name}\n{with_steps(cards, card, steps)}.options {options}\n.end\n"
        try:
            found = spice_transient(deck, timeout=REFERENCE_SECONDS)
        except SpiceError:
            continue
        return found.times, dict(found.voltages)
    return None


def with_steps(cards: str, card: Transient, steps: int) -> str:
    """The cards with a `.tran` of at least so many steps."""
    kept = "\n".join(line for line in cards.splitlines() if not line.startswith(".tran"))
    largest = card.stop / steps
    return f"{kept}\n.tran {card.step!r} {card.stop!r} 0 {largest!r}{' uic' if card.use_initial else ''}\n"


def error(
    times: np.ndarray, voltages: dict[str, np.ndarray], reference: tuple[np.ndarray, dict[str, np.ndarray]]
) -> float:
    """The largest difference of a node's voltage, as a share of its swing in the reference."""
    worst = 0.0
    for node, other in reference[1].items():
        expected = np.interp(times, reference[0], other)
        swing = float(np.ptp(expected))
        if node in voltages and swing >= LEAST_SWING:
            worst = max(worst, float(np.abs(voltages[node] - expected).max()) / swing)
    return worst


def _card(cards: str) -> Transient:
    card = parse_netlist(f"title\n{cards}.end\n").transient
    assert card is not None
    return card


def _row(name: str, start_up: float, own: float) -> Row:
    """A family's, with ngspice's and mho's processor seconds of nothing."""
    cards = FAMILIES[name]()
    netlist, card = parse_netlist(f"{name}\n{cards}.end\n"), _card(cards)
    seconds, found = _best(lambda: netlist_transient(netlist))
    seconds = max(seconds - own, 1e-3)
    reference, by = converged(name, cards), "ngspice"
    if reference is None:
        finer = netlist_transient(parse_netlist(f"{name}\n{cards}.options reltol=1e-5\n.end\n"))
        reference, by = (finer.times, finer.voltages), "mho"
    ours = error(found.times, found.voltages, reference)
    theirs: float | None = None
    used: float | None = None
    for steps in STEPS:
        used, waveforms = _processor_seconds(with_steps(cards, card, steps))
        if waveforms is None:
            used = None
            break
        at = {node: np.interp(found.times, waveforms[0], v) for node, v in waveforms[1].items()}
        theirs = error(found.times, at, reference)
        if theirs <= ours:
            break
    # A run that is over within the noise of a start-up counts as that noise.
    used = None if used is None else max(used - start_up, 1e-3)
    return {
        "name": name,
        "nodes": len(netlist.nodes) - 1,
        "steps": found.course.steps,
        "residual": found.course.residual,
        "error": ours,
        "mho_seconds": seconds,
        "ngspice_seconds": used,
        "ngspice_error": theirs,
        "times_ngspice": None if used is None else seconds / used,
        "reference": by,
    }


def _best(run) -> tuple[float, NetlistTransient]:
    """Processor seconds of the best of some turns, and what the last returned."""
    best, found = float("inf"), None
    for _ in range(TURNS):
        begin = time.process_time()
        found = run()
        best = min(best, time.process_time() - begin)
    assert found is not None
    return best, found


def _processor_seconds(cards: str) -> tuple[float, tuple[np.ndarray, dict[str, np.ndarray]] | None]:
    """Of a whole ngspice process, and its times and node voltages, None where it gets stuck."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "circuit.cir").write_text(f"title\n{cards}.end\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            subprocess.run(
                ["ngspice", "-n", "-b", "-r", "circuit.raw", "circuit.cir"],
                cwd=folder,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            raise InputError("ngspice is not installed; the benchmark compares with it") from None
        except subprocess.TimeoutExpired:
            return TIMEOUT, None
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if not (Path(folder) / "circuit.raw").exists():
            return seconds, None
        names, points = read_raw(Path(folder) / "circuit.raw")
    stop = _card(cards).stop
    if len(points) == 0 or points[-1, 0] < stop * (1 - 1e-6):
        return seconds, None
    nodes = {name[2:-1]: points[:, k] for k, name in enumerate(names) if name.startswith("v(")}
    return seconds, (points[:, 0], nodes)
