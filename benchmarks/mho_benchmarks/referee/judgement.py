"""One netlist, judged: mho's operating point against ngspice's, and where there is one against a solution in 60 digits.

A point is right if it is within `TOLERANCE` of a solution, in volts, or relative where the voltage is above 1 V. The
solution that counts is the one that high precision finds from the point itself: another one that lies elsewhere is another
operating point of the circuit, which is not for the judge to prefer.
"""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mho.errors import MhoError
from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages
from mho.netlists.reading.netlist import Netlist
from mho.ngspice.simulator import SpiceOperatingPoint
from mho.steady.newton import solve_circuit
from mho_benchmarks.referee.high_precision import Refined, Unsolved, distance, refine, share_of

TOLERANCE = 1e-6
"""V, or relative above 1 V."""
VERDICTS = (
    "agreed",
    "ngspice wrong",
    "ngspice refused",
    "another point",
    "both refused",
    "mho refused",
    "mho wrong",
    "not judged",
)
"""From the best to the worst for mho. Of `ngspice refused`, mho's answer is right."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What mho says to a netlist.

    Attributes:
        voltages: Node voltages [V] by name, or None.
        bounds: What mho says its errors are below [V], by node, or None.
        refusal: Why there is no answer, or "".
        seconds: How long it took.
    """

    voltages: Mapping[str, float] | None
    bounds: Mapping[str, float] | None
    refusal: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one netlist.

    Attributes:
        family: Its family.
        seed: Its seed.
        verdict: One of `VERDICTS`.
        difference: Of mho's and ngspice's voltages, in volts or relative above 1 V, or None.
        error: Of mho's voltages, by high precision, in the same measure, or None.
        ngspice_error: Of ngspice's voltages, as `error`.
        of_bound: mho's error as a multiple of its own bound, where that is largest, or None: above 1 the bound is broken.
        told: Why mho, or ngspice, refused.
        seconds: mho took.
    """

    family: str
    seed: int
    verdict: str
    difference: float | None
    error: float | None
    ngspice_error: float | None
    of_bound: float | None
    told: str
    seconds: float


class _LateError(MhoError):
    """mho took too long."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise an error in the block after some seconds; in the main thread alone, elsewhere there is no limit.

    Raises:
        MhoError: The block was not done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: object) -> None:
        raise _LateError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ask_mho(netlist: Netlist, limit: float) -> Answer:
    """Mho's operating point, within a time limit [s]. An exception that is not mho's own is a refusal, named as such."""
    started = time.perf_counter()
    voltages = bounds = None
    refusal = ""
    try:
        with time_limit(limit):
            circuit = netlist_circuit(netlist)
            point = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
        index = [circuit.node_names.index(name, "node") for name in netlist.nodes[1:]]
        found = np.asarray(point.voltages)[index]
        voltages = dict(zip(netlist.nodes[1:], found.tolist(), strict=True))
        bounds = dict(zip(netlist.nodes[1:], np.asarray(point.error_bound)[index].tolist(), strict=True))
    except MhoError as error:
        refusal = str(error)
    except Exception as error:  # what a user would see as a traceback is what is looked for here
        refusal = f"traceback: {type(error).__name__}: {error}"
    return Answer(voltages, bounds, refusal, time.perf_counter() - started)


def judge(family: str, seed: int, netlist: Netlist, mho: Answer, ngspice: SpiceOperatingPoint | MhoError) -> Judgement:
    """Who is right about a netlist."""
    theirs = ngspice.voltages if isinstance(ngspice, SpiceOperatingPoint) else None
    difference = error = ngspice_error = of_bound = None
    told = mho.refusal
    if theirs is None and not told:
        told = f"ngspice: {ngspice}"
    if mho.voltages is not None and theirs is not None:
        difference = apart(mho.voltages, theirs)
    ours_found = _refined(netlist, mho.voltages)
    theirs_found = _refined(netlist, theirs)
    if mho.voltages is not None and ours_found is not None:
        error = distance(mho.voltages, ours_found.voltages)
        if mho.bounds is not None:
            of_bound = share_of(netlist, mho.bounds, mho.voltages, ours_found.voltages)
    if theirs is not None and theirs_found is not None:
        ngspice_error = distance(theirs, theirs_found.voltages)
    verdict = _verdict(mho, theirs, difference, error, ngspice_error)
    return Judgement(family, seed, verdict, difference, error, ngspice_error, of_bound, told, mho.seconds)


def _verdict(
    mho: Answer,
    theirs: Mapping[str, float] | None,
    difference: float | None,
    error: float | None,
    ngspice_error: float | None,
) -> str:
    if mho.voltages is None:
        return "both refused" if theirs is None else "mho refused"
    if error is None:
        return "agreed" if difference is not None and difference <= TOLERANCE else "not judged"
    if not error <= TOLERANCE:
        return "mho wrong"
    if theirs is None:
        return "ngspice refused"
    if difference is not None and difference <= TOLERANCE:
        return "agreed"
    if ngspice_error is None:
        return "not judged"
    return "another point" if ngspice_error <= TOLERANCE else "ngspice wrong"


def _refined(netlist: Netlist, candidate: Mapping[str, float] | None) -> Refined | None:
    if candidate is None:
        return None
    try:
        return refine(netlist, candidate if np.isfinite(list(candidate.values())).all() else None)
    except Unsolved:
        return None


def apart(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """The largest difference of a node's voltage [V], or relative where it is above 1 V; inf for one not finite.

    A node that ngspice does not print, since nothing but a current source or a capacitor touches it, is passed over.
    """
    names = [name for name in ours if name in theirs]
    a, b = (np.array([point[name] for name in names]) for point in (ours, theirs))
    with np.errstate(invalid="ignore"):
        size = np.abs(a - b) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    return float(np.max(np.where(np.isfinite(size), size, np.inf), initial=0.0))
