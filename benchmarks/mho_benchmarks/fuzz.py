"""Netlists with anything in them, read, made a circuit and solved: each must end in an answer or in one of mho's errors.

They run one after another in a process of their own with a limit of memory, which is ended and started again where it
takes too long or dies, so that nothing a netlist does is lost or ends the measurement. `--samples` are of each family of
`mho_benchmarks.referee.hostile`; a case to look at is `hostile_text(family, seed)` there.
"""

import math
import multiprocessing
import resource
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from mho.errors import MhoError
from mho_benchmarks.referee.hostile import HOSTILE, hostile_text
from mho_benchmarks.referee.measurement import chosen_families

SECONDS = 5.0
"""What a netlist may take of the processor."""
MEMORY = 1 << 30
"""Bytes that a netlist may take, above what the process holds before it reads the first."""
_PATIENCE = 30.0
_LISTED = 5

Row = dict[str, Any]


def measure(samples: int = 100, seed: int = 0, families: Sequence[str] = ()) -> list[Row]:
    """A row a family: counts of what became of its netlists, and those that ended in anything else or took too long.

    Args:
        samples: netlists of each family.
        seed: of the first; the others follow.
        families: names; all of them if none is given.

    Raises:
        InputError: an unknown family, or no netlist.
    """
    names = chosen_families(families, HOSTILE, samples, seed)
    rows = [{"family": name, "netlists": samples, "counts": {}, "slowest_seconds": 0.0, "cases": []} for name in names]
    cases = [(row, each) for row in rows for each in range(seed, seed + samples)]
    at = 0
    while at < len(cases):
        at = _watch(cases, at)
    return rows


def _watch(cases: Sequence[tuple[Row, int]], first: int) -> int:
    """Have a process go through the cases from one on; gives the first that it did not come to."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    work = [(row["family"], seed) for row, seed in cases[first:]]
    process = context.Process(target=_go_through, args=(work, there), daemon=True)
    process.start()
    there.close()
    at = first
    try:
        if not here.poll(10 * _PATIENCE) or here.recv() != "started":
            raise MhoError("the process that reads the netlists did not start")
        while at < len(cases):
            row, seed = cases[at]
            if here.poll(_PATIENCE):
                try:
                    ended, seconds, said = here.recv()
                except EOFError:
                    ended, seconds, said = "died", 0.0, "the process died"
            else:
                ended, seconds, said = "too slow", _PATIENCE, f"not done after {_PATIENCE:g} s"
            _count(row, seed, ended, seconds, said)
            at += 1
            if ended == "died" or (ended == "too slow" and seconds == _PATIENCE):
                break
    finally:
        process.kill()
        process.join()
        here.close()
    return at


def _count(row: Row, seed: int, ended: str, seconds: float, said: str) -> None:
    row["counts"][ended] = row["counts"].get(ended, 0) + 1
    row["slowest_seconds"] = max(row["slowest_seconds"], seconds)
    if ended not in ("solved", "not read", "not solved"):
        row["cases"].append({"seed": seed, "ended": ended, "seconds": seconds, "said": said})


def _go_through(work: Sequence[tuple[str, int]], told: Connection) -> None:
    """Read and solve the netlists, and tell how each ended: runs in the process."""
    # A warning on a user's screen is no clear line either.
    warnings.simplefilter("error", RuntimeWarning)
    # What the first solve loads counts as the process's own.
    outcome("t\nv1 a 0 1\nr1 a b 1\nd1 b 0 d\n.model d d\n")
    held = _address_space()
    if held is not None:
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))
    told.send("started")
    for family, seed in work:
        text = hostile_text(family, seed)
        began = time.process_time()
        ended, said = outcome(text)
        seconds = time.process_time() - began
        told.send(("too slow" if seconds > SECONDS and ended != "traceback" else ended, seconds, said))


def _address_space() -> int | None:
    """Bytes of address space that this process has, from /proc (proc(5)); None where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def outcome(text: str) -> tuple[str, str]:
    """How a netlist ended, `solved`, `not read`, `not solved` or `traceback`, and what was said.

    A line that is no line, since it is empty or has a break, or a solution that is not finite, is a `traceback` too.
    """
    from mho.netlists import parse_netlist
    from mho.netlists.circuits.circuit import netlist_circuit, nodeset_voltages
    from mho.steady.newton import solve_circuit

    read = False
    try:
        netlist = parse_netlist(text)
        read = True
        circuit = netlist_circuit(netlist)
        point = solve_circuit(circuit, start=nodeset_voltages(netlist, circuit))
        if not all(math.isfinite(v) for v in (*point.voltages, *point.source_currents, float(point.residual))):
            return "traceback", "the operating point is not finite"
    except MhoError as error:
        said = str(error)
        if not said.strip() or "\n" in said or len(said) > 2000:
            return "traceback", f"not one clear line: {said[:200]!r}"
        return ("not solved" if read else "not read"), said
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"[:300]
    return "solved", ""


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    heads = ("solved", "not solved", "not read", "traceback", "too slow", "died")
    lines = [f"{'family':<20}{'netlists':>9}" + "".join(f"{head:>11}" for head in heads) + f"{'slowest [s]':>13}"]
    for row in rows:
        counts = "".join(f"{row['counts'].get(head, 0):>11}" for head in heads)
        lines.append(f"{row['family']:<20}{row['netlists']:>9}{counts}{row['slowest_seconds']:>13.3g}")
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row["counts"])
    lines.append(f"{'all':<20}{sum(total.values()):>9}" + "".join(f"{total[head]:>11}" for head in heads))
    for row in rows:
        for case in row["cases"][:_LISTED]:
            lines.append(f"{case['ended']}: {row['family']} {case['seed']}: {case['said']}")
        if len(row["cases"]) > _LISTED:
            lines.append(f"{row['family']}: {len(row['cases']) - _LISTED} more")
    return lines
