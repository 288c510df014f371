"""The one entry to pictures of circuits: `picture`, of a network, a run or a netlist, and `draw`, which writes it."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.drawing.parts import GROUND, Circuitry
from mho.errors import InputError
from mho.experiments.plots import check_figure, save_figure
from mho.experiments.registry import NETLISTS
from mho.netlists import Netlist, parse_netlist, read_netlist
from mho.netlists.circuits.circuit import PROGRAMMABLE
from mho.netlists.circuits.operating_point import operating_point
from mho.networks import Circuit, LayeredNetwork
from mho.networks.layer_names import source_nodes
from mho.steady import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mho.experiments.prediction import Run

MOST_IN_SCHEMATIC, MOST_IN_GRAPH = 80, 5000
"""Elements up to which a schematic and a graph are readable."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure, and what is to be said of it."""

    figure: "Figure"
    kind: str
    """schematic, lattice, graph or layers."""
    notes: tuple[str, ...] = ()
    """Why it is no schematic; what it leaves out."""


def draw(
    subject: Any, path: str | Path, *, voltages: bool = False, currents: bool = False, sample: int = 0
) -> tuple[str, ...]:
    """Write a picture of a circuit; see `picture`.

    Args:
        subject: what to draw.
        path: file to write; its name ends in .svg, .pdf or .png.
        voltages: whether the operating point's node voltages are on it.
        currents: whether its currents are.
        sample: of a run's test set, which its sources hold.

    Returns:
        What is to be said of it, a line each.

    Raises:
        InputError: for another end of the name, or see `picture`.
        MhoError: if there is no operating point.
    """
    check_figure(Path(path))
    made = picture(subject, voltages=voltages, currents=currents, sample=sample)
    save_figure(made.figure, Path(path), dots=200)
    return made.notes


def picture(subject: Any, *, voltages: bool = False, currents: bool = False, sample: int = 0) -> Picture:
    """A picture of a circuit.

    A schematic up to 80 elements, a square lattice as it lies. Above, of a layered network a diagram of its layers, of any
    other circuit a graph whose lines' colours tell conductances or, where they are asked for, currents.

    Args:
        subject: a network, whose inputs are 0; a run, or its folder or one of its checkpoints; a netlist, or its file.
        voltages: whether the operating point's node voltages are on it; of a diagram of layers, their ranges.
        currents: whether its currents are, of elements with two ends; of a diagram of layers, each crossbar's largest.
        sample: of a run's test set, which its sources hold; see `mho.experiments.held_sample.held_sample`.

    Raises:
        InputError: for what is none of these, or too large for a picture, or a run that trains a network in software.
        MhoError: if there is no operating point.
    """
    wanted = voltages or currents
    inputs: np.ndarray | None = None
    origin = "network"
    if isinstance(subject, str | Path):
        origin, path = str(subject), Path(subject)
        named = path.suffix.lower() in NETLISTS or (path.is_file() and path.suffix != ".npz")
        subject = read_netlist(path) if named else _run(path)
    if isinstance(subject, Netlist):
        origin = subject.files[0]
        point = operating_point(subject) if wanted else None
        circuitry = _netlist_parts(subject, point)
        return _circuit_picture(circuitry, voltages, currents, origin)
    if not isinstance(subject, Circuit | LayeredNetwork):
        subject, inputs, origin = _held(subject, sample)
    network: Circuit | LayeredNetwork = subject
    if isinstance(network, LayeredNetwork):
        return _layered_picture(network, inputs, voltages, currents)
    if network.netlist is not None:
        return _circuit_picture(_own_netlist(network, inputs, wanted), voltages, currents, origin)
    from mho.drawing.network_parts import circuit_parts

    point = solve(network, inputs) if wanted else None
    return _circuit_picture(circuit_parts(network, inputs, point), voltages, currents, origin)


def _run(path: Path) -> "Run":
    from mho.experiments.prediction import load

    return load(path)


def _held(subject: Any, sample: int) -> tuple[Any, np.ndarray, str]:
    """A run's network, the inputs of one of its samples, (features,), and its folder."""
    from mho.experiments.held_sample import held_sample
    from mho.experiments.prediction import Run

    if not isinstance(subject, Run):
        raise InputError(f"a {type(subject).__name__} cannot be drawn; expected a network, a run or a netlist")
    return subject.network, held_sample(subject.folder, subject, sample).inputs[0], str(subject.folder)


def _netlist_parts(netlist: Netlist, point: Any, **roles: Any) -> Circuitry:
    from mho.drawing.netlist_parts import netlist_parts

    return netlist_parts(netlist, point=point, **roles)


def _own_netlist(network: Circuit, inputs: np.ndarray | None, wanted: bool) -> Circuitry:
    """Of a network that is a user's netlist: this, with what it has learned."""
    from mho.netlists.writing.network_netlist import write_netlist

    netlist = parse_netlist(write_netlist(network, inputs), "the run's netlist")
    learn = [b.labels for b in network.branches if b.name == PROGRAMMABLE and b.labels is not None]
    programmable = {labels[k] for labels in learn for k in range(len(labels))}
    outputs = [node for pair in network.prediction_ends for node in pair if node != GROUND]
    point = operating_point(netlist) if wanted else None
    return _netlist_parts(netlist, point, programmable=programmable, outputs=outputs)


def _layered_picture(network: LayeredNetwork, inputs: np.ndarray | None, voltages: bool, currents: bool) -> Picture:
    features = len(source_nodes(network)[0]) - (network.bias_line is not None)
    given = np.zeros((1, features)) if inputs is None else np.asarray(inputs)[None]
    point = solve(network, given) if voltages or currents else None
    resistors = sum(math.prod(layer.crossbar.shape) for layer in network.layers)
    from mho.drawing.network_parts import layered_parts, source_voltages

    if resistors <= MOST_IN_SCHEMATIC:
        circuitry = layered_parts(network, given[0], point)
        if len(circuitry.parts) <= MOST_IN_SCHEMATIC:
            return _circuit_picture(circuitry, voltages, currents, "network")
    from mho.drawing.layer_diagram import layer_diagram

    sources = None if point is None else source_voltages(network, given)
    figure = layer_diagram(network, point=point, sources=sources, voltages=voltages, currents=currents)
    why = f"a diagram of the layers: more than {MOST_IN_SCHEMATIC} elements, too many for a schematic"
    return Picture(figure, "layers", (why,))


def _circuit_picture(circuitry: Circuitry, voltages: bool, currents: bool, origin: str) -> Picture:
    looped = [part.name for part in circuitry.parts if part.first == part.second]
    notes = (f"left out: {', '.join(looped)}, both ends at one node",) if looped else ()
    parts = [part for part in circuitry.parts if part.first != part.second]
    if not parts:
        raise InputError(f"{origin}: has no elements to draw")
    circuitry = dataclasses.replace(circuitry, parts=parts, voltages=circuitry.voltages if voltages else None)
    if len(parts) > MOST_IN_GRAPH:
        raise InputError(f"{origin}: has {len(parts)} elements, too many for a picture: at most {MOST_IN_GRAPH}")
    if len(parts) > MOST_IN_SCHEMATIC:
        from mho.drawing.graph_view import graph_view

        why = f"a graph: {len(parts)} elements are too many for a schematic (at most {MOST_IN_SCHEMATIC})"
        return Picture(graph_view(circuitry, currents=currents), "graph", (why, *notes))
    from mho.drawing.lattice import lattice_places, lattice_schematic

    places = lattice_places(circuitry)
    if places is not None:
        return Picture(lattice_schematic(circuitry, places, currents=currents), "lattice", notes)
    from mho.drawing.schematic import schematic

    return Picture(schematic(circuitry, currents=currents), "schematic", notes)
