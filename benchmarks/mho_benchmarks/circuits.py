"""Operating points of large circuits: lattices and random graphs of resistors and diodes, a crossbar with wire resistance.

Every circuit is solved by `mho.steady.newton.solve_circuit` in a process of its own, whose peak memory is the table's; its
seconds are the best of up to three solves, as many as fit into six seconds, the circuit's building not counted. The
lattices' diodes stand at their knee: sources hold two opposite sides, 0.6 V apart for every edge between them.

ngspice solves the same lattices, with the tolerances of `mho.ngspice.simulator`, and badcrossbar 1.1 the crossbar.
Those ratios are of processor seconds (of all threads), which other work on the machine adds little to; ngspice is not
charged for reading the netlist. On the large lattice it is stopped after twelve times mho's seconds: the ratio is then a
lower bound. badcrossbar takes arrays and returns node voltages, so there mho's building of the circuit
counts.
"""

import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np

from mho.netlists.writing.circuit_netlist import circuit_netlist
from mho.networks import Circuit
from mho.networks.diode_graph import diode_graph, random_edges
from mho.networks.lattice import lattice_edges
from mho.networks.wired_crossbar import wired_crossbar
from mho.ngspice.process import NgspiceProcess
from mho.ngspice.rawfile import read_raw
from mho.ngspice.simulator import tolerance_card
from mho.steady.newton import CircuitSolution, solve_circuit
from mho_benchmarks.memory import measured
from mho_benchmarks.scaling import exponent, plot_scaling

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
FIELD = 0.6
"""Volts an edge between the driven sides of a lattice."""
DIODES = 0.1
"""Share of a lattice's edges that are diodes; a random graph has as many diodes for its resistors on top of these."""
SPICE_NODES = 10_000
"""The lattice that ngspice is given the time to solve."""
SPICE_TIMES = 12.0
"""At the largest lattice ngspice is stopped after so many times mho's processor seconds."""
CROSSBAR = 256
WIRE_RESISTANCE = 1.0
"""Of a segment [Ω]; the devices have 10 to 100 kΩ."""
TURNS, TURN_SECONDS = 3, 6.0

Row = dict[str, float | str | None]


def square(nodes: int) -> Circuit:
    """A square lattice with both diagonals of at least that many nodes; a tenth of its edges are diodes."""
    side = int(np.ceil(np.sqrt(nodes)))
    number = np.arange(1, side**2 + 1).reshape(side, side)
    return _between((side, side), number[:, 0], number[:, -1], diagonals=True)


def cube(nodes: int) -> Circuit:
    """A cubic lattice of about that many nodes; a tenth of its edges are diodes."""
    side = round(nodes ** (1 / 3))
    number = np.arange(1, side**3 + 1).reshape(side, side, side)
    return _between((side, side, side), number[0].ravel(), number[-1].ravel(), diagonals=False)


def _between(sides: tuple[int, ...], left: np.ndarray, right: np.ndarray, *, diagonals: bool) -> Circuit:
    first, second = lattice_edges(sides, diagonals=diagonals)
    volts = np.repeat([0.5, -0.5], len(left)) * FIELD * (sides[0] - 1)
    driven = np.concatenate([left, right])
    diodes = round(DIODES * len(first))
    return diode_graph(first, second, driven=driven, voltages=volts, diodes=diodes, seed=0)


def random_graph(nodes: int) -> Circuit:
    """A random graph of four resistors a node and diodes on top, a hundredth of its nodes held at −3 to 3 V."""
    diodes = round(4 * DIODES * nodes)
    first, second = random_edges(nodes, 4 * nodes + diodes, seed=0)
    random = np.random.default_rng(1)
    driven = random.choice(np.arange(1, nodes + 1), nodes // 100, replace=False)
    volts = random.uniform(-3.0, 3.0, len(driven))
    return diode_graph(first, second, driven=driven, voltages=volts, diodes=diodes, seed=0)


CIRCUITS: dict[str, Callable[[int], Circuit]] = {"square": square, "cube": cube, "random": random_graph}
TITLES = {"square": "square lattice with diagonals", "cube": "cubic lattice", "random": "random graph"}

_SOLVE = "import sys; from mho_benchmarks.circuits import solved; solved(sys.argv[1], int(sys.argv[2]), sys.argv[3])"


def solved(kind: str, nodes: int, path: str) -> None:
    """Solve a circuit, print a record of it, and save its node voltages [V], (nodes,): what the measured processes run."""
    circuit = CIRCUITS[kind](nodes)
    seconds, processor, point = _timed(lambda: solve_circuit(circuit))
    np.save(path, point.voltages)
    elements = sum(len(b.first) for b in circuit.branches)
    record = {
        "nodes": circuit.nodes - 1,
        "elements": elements,
        "seconds": seconds,
        "processor_seconds": processor,
        "newton_steps": int(point.steps),
        "factorisations": int(point.factorisations),
        "gradient_steps": int(point.gradient_steps),
        "residual": float(point.residual),
    }
    print(json.dumps(record))


def measure(data_dir: str | None = None) -> list[Row]:
    """Seconds, steps and memory of each circuit; exponents of time against nodes; ratios to ngspice and badcrossbar.

    Args:
        data_dir: not used: circuits need no data.

    Raises:
        InputError: if ngspice is missing.
        MhoError: if a circuit is not solved.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in CIRCUITS:
            taken: list[Row] = []
            for nodes in SIZES:
                path = Path(folder) / f"{kind}{nodes}.npy"
                printed, peak = measured(_SOLVE, kind, str(nodes), str(path))
                record = {"name": TITLES[kind], **json.loads(printed.splitlines()[-1]), "peak_megabytes": peak}
                taken.append(record)
                if kind == "square" and nodes in (SPICE_NODES, SIZES[-1]):
                    record |= _against_ngspice(nodes, path, record, whole=nodes == SPICE_NODES)
            rows += [{**row, "exponent": exponent(*_series(taken))} for row in taken]
    rows.append(_crossbar())
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    graphs = [row for row in rows if "nodes" in row]
    lines = [
        f"{'circuit':<31}{'nodes':>8}{'elements':>10}{'time [s]':>10}{'CPU [s]':>9}{'Newton':>8}{'factors':>9}"
        f"{'CG steps':>10}{'residual':>10}{'peak [MB]':>11}"
    ]
    for row in graphs:
        lines.append(
            f"{row['name']:<31}{row['nodes']:>8}{row['elements']:>10}{row['seconds']:>10.3g}"
            f"{row['processor_seconds']:>9.3g}{row['newton_steps']:>8}"
            f"{row['factorisations']:>9}{row['gradient_steps']:>10}{row['residual']:>10.1e}{row['peak_megabytes']:>11.0f}"
        )
    for name in dict.fromkeys(row["name"] for row in graphs):
        slope = next(row["exponent"] for row in graphs if row["name"] == name)
        lines.append(f"{name}: processor time grows as nodes^{slope:.2f}")
    for row in graphs:
        if "ngspice_processor_seconds" in row:
            stopped = row["largest_difference_volts"] is None
            told = "no answer, stopped" if stopped else f"largest |Δv| {row['largest_difference_volts']:.1e} V"
            more = "more than " if stopped else ""
            lines.append(
                f"{row['name']}, {row['nodes']} nodes, processor time: ngspice "
                f"{row['ngspice_processor_seconds']:.3g} s, mho {row['processor_seconds']:.3g} s: "
                f"{more}{row['times_faster_than_ngspice']:.3g} times faster; {told}"
            )
    for row in rows:
        if "nodes" not in row:
            told = f"{row['name']}, processor time: mho {row['processor_seconds']:.3g} s"
            if row["badcrossbar_processor_seconds"] is None:
                lines.append(f"{told}; badcrossbar is not installed (extra 'crossbar')")
            else:
                lines.append(
                    f"{told}, badcrossbar {row['badcrossbar_processor_seconds']:.3g} s: "
                    f"{row['times_faster_than_badcrossbar']:.3g} times faster; "
                    f"largest |Δv| {row['largest_difference_volts']:.1e} V, largest difference of an output current "
                    f"{row['largest_relative_difference_of_currents']:.1e} relative"
                )
    return lines


def plot(rows: Sequence[Row], folder: Path) -> None:
    """Processor seconds against nodes, as `circuits.png`."""
    series = {title: _series([row for row in rows if row["name"] == title]) for title in TITLES.values()}
    plot_scaling(series, size="nodes", value="operating point [processor s]", path=folder / "circuits.png")


def _series(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Nodes and processor seconds."""
    return [float(row["nodes"] or 0) for row in rows], [float(row["processor_seconds"] or 0) for row in rows]


def _timed(solve: Callable[[], Any]) -> tuple[float, float, Any]:
    """The least seconds by the clock and by the processor of some turns, and what the last returned."""
    clock, processor, result, begin = float("inf"), float("inf"), None, time.perf_counter()
    for _ in range(TURNS):
        turn, used = time.perf_counter(), time.process_time()
        result = solve()
        clock = min(clock, time.perf_counter() - turn)
        processor = min(processor, time.process_time() - used)
        if time.perf_counter() - begin > TURN_SECONDS:
            break
    return clock, processor, result


def _against_ngspice(nodes: int, path: Path, ours: dict[str, float], *, whole: bool) -> Row:
    """The seconds that ngspice takes for a square lattice, and the largest difference to the voltages in a file."""
    circuit = square(nodes)
    deck = circuit_netlist(circuit).replace(".end\n", f"{tolerance_card()}\n.end\n")
    limit = np.inf if whole else SPICE_TIMES * ours["processor_seconds"]
    error = None
    ngspice = NgspiceProcess(time.monotonic() + 60.0)
    try:
        ngspice.load(deck, time.monotonic() + 600.0)
        begin = theirs = ngspice.processor_seconds()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(ngspice.command, "op", time.monotonic() + 3600.0)
            while not wait([running], timeout=0.05).done and theirs - begin <= limit:
                theirs = ngspice.processor_seconds()
            if running.done():
                running.result()
                theirs = ngspice.processor_seconds()
            else:
                ngspice.kill()
        if running.exception() is None:
            ngspice.command("write point.raw", time.monotonic() + 600.0)
            variables, points = read_raw(ngspice.folder / "point.raw")
            found = dict(zip(variables, points[0].tolist(), strict=True))
            mine = np.load(path)
            names = [circuit.node_names[k] for k in range(1, circuit.nodes)]
            error = float(max(abs(found[f"v({name})"] - mine[k]) for k, name in enumerate(names, 1)))
    finally:
        ngspice.close()
    theirs -= begin
    return {
        "ngspice_processor_seconds": theirs,
        "times_faster_than_ngspice": theirs / ours["processor_seconds"],
        "largest_difference_volts": error,
    }


def _crossbar() -> Row:
    random = np.random.default_rng(0)
    volts, ohms = random.uniform(0.0, 1.0, CROSSBAR), random.uniform(1e4, 1e5, (CROSSBAR, CROSSBAR))
    wire = 1.0 / WIRE_RESISTANCE

    def ours() -> CircuitSolution:
        return solve_circuit(wired_crossbar(1.0 / ohms, word_wire=wire, bit_wire=wire), volts)

    row: dict[str, Any] = {"name": f"crossbar {CROSSBAR}×{CROSSBAR} with wire resistance"}
    compute = _badcrossbar()
    row["seconds"], row["processor_seconds"], point = _timed(ours)
    if compute is None:
        return {**row, "badcrossbar_processor_seconds": None}
    _, theirs, their_point = _timed(lambda: compute(volts[:, None], ohms, r_i=WIRE_RESISTANCE))
    devices = ohms.size
    word, bit = point.voltages[1 : 1 + devices], point.voltages[1 + devices : 1 + 2 * devices]
    error = max(
        np.abs(word - their_point.voltages.word_line.ravel()).max(),
        np.abs(bit - their_point.voltages.bit_line.ravel()).max(),
    )
    current, theirs_out = bit[-CROSSBAR:] * wire, their_point.currents.output[0]
    return {
        **row,
        "badcrossbar_processor_seconds": theirs,
        "times_faster_than_badcrossbar": theirs / row["processor_seconds"],
        "largest_difference_volts": float(error),
        "largest_relative_difference_of_currents": float(np.max(np.abs(current / theirs_out - 1.0))),
    }


def _badcrossbar() -> Callable[..., Any] | None:
    """Its `compute`, without the log that it prints; None where it is not installed."""
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    with warnings.catch_warnings(record=True):  # it warns where its plots lack a library
        try:
            from badcrossbar.compute import compute  # pyright: ignore[reportMissingImports]
        except ImportError:
            return None
    return compute
