"""Operating points of the paper's circuit, 1568-100-20 with Shockley diodes, against ngspice on the same images.

Both solve to the same voltages (the largest difference is in the table) and neither is charged for reading the circuit:
mho for a compiled batch and for a compiled single image, the image given and the voltages taken each time; ngspice as a
process that holds the netlist, asked for `op` after `alter` of all the sources, which builds its matrix anew each time,
and as the points of a sweep that goes on (`mho.ngspice.simulator.NgspiceSession`), which does not.
"""

import time
from collections.abc import Sequence

import numpy as np

from mho.experiments.analog import analog_network
from mho.experiments.configuration import AnalogConfiguration
from mho.experiments.data import load_dataset
from mho.experiments.registry import experiment
from mho.netlists.writing.layered_netlist import layered_netlist
from mho.networks import LayeredNetwork
from mho.networks.layer_names import node_names, source_nodes
from mho.ngspice.process import NgspiceProcess
from mho.ngspice.simulator import NgspiceSession
from mho.precision import double, widened
from mho.steady import Auto, solve

BATCH = 1000
SINGLE = 20
RTOL = 1e-9
TIMEOUT = 600.0
SPICE_POINTS = 2

Row = dict[str, float | str | None]


def measure(data_dir: str | None = None) -> list[Row]:
    """Seconds a point of each way, ratios to ngspice's `op` after `alter`, and the largest difference of a voltage.

    Args:
        data_dir: folder that holds MNIST's files.

    Raises:
        InputError: if ngspice is missing.
    """
    data = load_dataset("mnist", data_dir)
    configuration = experiment("paper-mnist").configuration
    assert isinstance(configuration, AnalogConfiguration) and data.classes is not None
    network = analog_network(configuration, data.train_inputs.shape[1], data.classes)
    images = np.asarray(data.test_inputs[:BATCH], np.float64) * data.scale

    batch_seconds, voltages = _ours(network, images, turns=5)
    single_seconds = min(_ours(network, images[k : k + 1], turns=10)[0] for k in range(SINGLE))
    op_seconds, session_seconds, theirs = _ngspice(network, images[:SPICE_POINTS])
    ours = np.concatenate(voltages, 1)[: len(theirs)]
    error = float(np.max(np.abs(ours - theirs)))
    seconds = {
        f"mho, {BATCH} at a time": batch_seconds / BATCH,
        "mho, one at a time": single_seconds,
        "ngspice, op after alter": op_seconds,
        "ngspice, a sweep's next": session_seconds,
    }
    return [
        {
            "name": name,
            "seconds_per_point": value,
            "times_faster_than_op": op_seconds / value,
            "times_faster_than_sweep": session_seconds / value,
            "largest_difference_volts": error if name.startswith("mho") else None,
        }
        for name, value in seconds.items()
    ]


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print."""
    lines = [f"{'operating point':<26}{'s/point':>12}{'to op':>12}{'to sweep':>12}{'max |Δv| [V]':>14}"]
    for row in rows:
        error = row["largest_difference_volts"]
        lines.append(
            f"{row['name']:<26}{row['seconds_per_point']:>12.2e}{row['times_faster_than_op']:>12,.0f}"
            f"{row['times_faster_than_sweep']:>12,.0f}" + ("" if error is None else f"{error:>14.1e}")
        )
    return lines


def _ours(network: LayeredNetwork, images: np.ndarray, *, turns: int) -> tuple[float, tuple[np.ndarray, ...]]:
    """The best of some turns, compiled before; float64."""
    network = widened(network)
    best, point = float("inf"), solve(network, images, solver=Auto(RTOL, 10_000))
    for _ in range(turns):
        begin = time.perf_counter()
        point = solve(network, images, solver=Auto(RTOL, 10_000))
        best = min(best, time.perf_counter() - begin)
    return best, tuple(np.asarray(v) for v in point.voltages)


def _ngspice(network: LayeredNetwork, images: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Seconds of an `op` after `alter` and of a sweep's point, and all nodes' voltages, (points, nodes)."""
    sources = np.asarray(double(network.source_voltages)(images))  # pyright: ignore[reportArgumentType]
    deck = layered_netlist(network, sources[0])
    plus, minus = source_nodes(network)[:2]
    elements = [f"v{node}" for node in (*plus, *minus)]
    nodes = [name for layer in node_names(network) for name in layer]
    values = np.concatenate([sources, -sources], 1)
    op_seconds = _op_after_alter(deck, dict(zip(elements, values[-1], strict=True)))
    with NgspiceSession(deck, elements, nodes) as session:
        voltages = [session.operating_points(values[:1])]
        begin = time.perf_counter()
        voltages.append(session.operating_points(values[1:]))
        return op_seconds, (time.perf_counter() - begin) / (len(values) - 1), np.concatenate(voltages)


def _op_after_alter(deck: str, values: dict[str, float]) -> float:
    deadline = time.monotonic() + TIMEOUT
    ngspice = NgspiceProcess(deadline)
    try:
        ngspice.load(deck, deadline)
        ngspice.command("op", deadline)
        altered = [f"alter {element} = {float(value)!r}" for element, value in values.items()]
        ngspice.command("\n".join(altered), deadline)
        begin = time.perf_counter()
        ngspice.command("op", deadline)
        return time.perf_counter() - begin
    finally:
        ngspice.close()
