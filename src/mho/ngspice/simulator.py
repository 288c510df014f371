"""The circuit simulator ngspice, the referee of mho's own solvers: operating points and transients of netlists.

Everything goes through the executable ``ngspice`` (measured: version 39, Debian 12). Results come back in a
binary raw file, in full float64. On the way in, ngspice's reading of a decimal number is off by up to 2 units
in the last place (3.4e-16 relative). What was measured, and what follows from it:

- Diode law: i = IS (exp(v/(N Vt)) − 1) + GMIN v for v ≥ −3 N Vt; below, i = −IS (1 + (3 N Vt/(e v))³) + GMIN v.
  Vt = k T/q with k = 1.38064852e-23 J/K, q = 1.6021766208e-19 C (CODATA 2014) and T = 300.15 K, so
  Vt = 0.025864917007157463 V. The currents follow this law to 2e-15 relative.
- Where Newton's method, gmin stepping and source stepping have all failed, ngspice ramps the sources up in a
  transient, with GMIN left at every node, and takes where that ends for the operating point: a floating island
  comes out at 0 V, a singular matrix at 1e9 V. Here this last resort is off (``optran``): such circuits fail.
- A resistance of exactly 0 Ω silently becomes 1 mΩ; a session refuses to set it.
- A node that only current sources touch gets no row in the matrix; its "voltage" is the number of amperes
  that flow into it. ngspice does not notice, and nothing in its output shows it.
- Of several ``.options`` the last wins, so the tolerances stand at the end of the netlist.
- A first line ``*ng_script`` makes a script of a netlist, so the title line is replaced.
- An operating point of a 1568-100-20 crossbar with antiparallel diodes takes 17 to 24 s after parsing (1.3 s),
  and nearly all of it goes into building and ordering the matrix (Sparse 1.3 walks linked lists); a Newton
  iteration takes 0.04 s. Written hidden node by hidden node instead of input by input, the same resistors take
  6.5 s. ``op`` builds and orders anew each time, where a sweep with ``dc`` keeps the matrix. So `NgspiceSession` sweeps
  an idle source, halts after every point (``step``), alters the elements (40 µs each) and goes on: 0.3 s an
  operating point. Where a point does not converge from the one before, ``dc`` falls back on gmin and
  source stepping, as ``op`` does.
"""

import os
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.errors import InputError
from mho.ngspice.process import NgspiceProcess, SpiceError, complaint, telling_lines
from mho.ngspice.rawfile import RawHeader, parse_header, read_raw

__all__ = [
    "NgspicePool",
    "NgspiceSession",
    "SpiceError",
    "SpiceOperatingPoint",
    "SpiceTransient",
    "operating_point",
    "operating_points",
    "transient",
]

_ANALYSES = frozenset({".op", ".dc", ".ac", ".tran", ".noise", ".disto", ".sens", ".tf", ".pz", ".sp", ".pss"})
_OUTPUTS = frozenset({".print", ".plot", ".save", ".probe", ".four", ".meas", ".measure", ".width"})
_SWEEP = "mho_sweep"
_RAW_NAME = "points.raw"
# ngspice prints the iterate before the one that passed its test. After a warm start that one can be off by all of
# reltol (measured: 9.6e-10), so a session solves each operating point once more from where it stands (then: 1.7e-14).
_REPEATS = 2
# "Transient op" would say that the last resort ran although it was switched off.
_FAILED = re.compile(r"^\s*error|aborted|transient op ", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class SpiceOperatingPoint:
    """A DC operating point. Names are in lower case, as ngspice prints them."""

    voltages: dict[str, float]
    """Each node's voltage against ground (volts); a node of a subcircuit is called ``instance.node``."""
    branches: dict[str, float]
    """The current (amperes) of each voltage source, independent or controlled, and inductor, flowing in at its
    first node and out at its second."""
    warnings: tuple[str, ...]
    """What ngspice warned of, such as a model parameter that it ignores."""


@dataclass(frozen=True)
class SpiceTransient:
    """Waveforms of a transient analysis, at the times that ngspice chose."""

    times: NDArray[np.float64]
    """Shape (points,), seconds."""
    voltages: dict[str, NDArray[np.float64]]
    """Each node's voltage (volts), shape (points,)."""
    branches: dict[str, NDArray[np.float64]]
    """Each voltage source's current (amperes), shape (points,), as in `SpiceOperatingPoint`."""
    warnings: tuple[str, ...]
    """What ngspice warned of."""


def operating_point(netlist_text: str, *, gmin: float = 1e-12, timeout: float = 600.0) -> SpiceOperatingPoint:
    """Solve a netlist's DC operating point, with reltol = 1e-9, abstol = 1e-15 A and vntol = 1e-12 V.

    Args:
        netlist_text: the whole netlist; its first line is the title. Its analyses, output cards and ``.control``
            blocks are left out, its tolerances replaced; its other options hold. Relative paths of ``.include``
            start at the current folder.
        gmin: the conductance that ngspice puts across every junction (siemens).
        timeout: seconds after which ngspice is killed.

    Raises:
        InputError: ngspice is missing, or refuses the netlist.
        SpiceError: ngspice does not converge, dies, or takes too long.

    """
    deck = _deck(netlist_text, [tolerance_card(gmin), ".op"], dropped=_ANALYSES | _OUTPUTS)
    variables, points, warnings = _run(deck, timeout)
    if len(points) != 1:
        raise SpiceError(f"ngspice returned {len(points)} operating points instead of 1")
    voltages, branches = _by_kind(variables, points[0].tolist())
    return SpiceOperatingPoint(voltages, branches, warnings)


def operating_points(
    netlists: Sequence[tuple[str, float]], *, timeout: float = 600.0, spice_defaults: bool = False
) -> list[SpiceOperatingPoint | SpiceError | InputError]:
    """Solve many netlists' operating points, one after another in the same process: most of a small one is its start.

    Args:
        netlists: texts and gmin (siemens), each as in `operating_point`.
        timeout: seconds that each may take.
        spice_defaults: take SPICE's own tolerances, reltol = 1e-3, abstol = 1e-12 A and vntol = 1e-6 V.

    Returns:
        An operating point a netlist, or why there is none: an `InputError` where ngspice refuses the netlist. After a
        failure another process goes on.

    Raises:
        InputError: ngspice is missing, or a netlist is empty.

    """
    results: list[SpiceOperatingPoint | SpiceError | InputError] = []
    process: NgspiceProcess | None = None
    try:
        for text, gmin in netlists:
            tolerances = tolerance_card(gmin, spice_defaults=spice_defaults)
            deck = _deck(text, [tolerances, ".op"], dropped=_ANALYSES | _OUTPUTS)
            process = process or NgspiceProcess(_deadline(timeout))
            try:
                variables, points, warnings = _analysis(process, deck, _deadline(timeout))
                results.append(SpiceOperatingPoint(*_by_kind(variables, points[-1].tolist()), warnings))
                # The circuit stays: `remcirc` crashes ngspice 39 at the next.
                process.command("destroy all", _deadline(timeout))
            except (SpiceError, InputError) as error:
                results.append(error)
                process.close()
                process = None
    finally:
        if process is not None:
            process.close()
    return results


def transient(netlist_text: str, *, timeout: float = 600.0) -> SpiceTransient:
    """Run the transient analysis that a netlist's own ``.tran`` asks for, with the netlist's own options.

    Args:
        netlist_text: the whole netlist; its first line is the title. A ``.save`` limits what is returned; other
            analyses, output cards and ``.control`` blocks are left out.
        timeout: seconds after which ngspice is killed.

    Raises:
        InputError: ngspice is missing or refuses the netlist, or there is not exactly one ``.tran``.
        SpiceError: ngspice does not get to the end, dies, or takes too long.

    """
    deck = _deck(netlist_text, [".options noacct noinit"], dropped=(_ANALYSES | _OUTPUTS) - {".tran", ".save"})
    analyses = sum(_keyword(line) == ".tran" for line in deck.splitlines())
    if analyses != 1:
        raise InputError(f"the netlist has {analyses} .tran cards; a transient analysis needs exactly one")
    variables, points, warnings = _run(deck, timeout)
    if len(points) == 0 or variables[0] != "time":
        raise SpiceError("ngspice returned no transient")
    voltages, branches = _by_kind(variables[1:], list(points[:, 1:].T.copy()))
    return SpiceTransient(points[:, 0].copy(), voltages, branches, warnings)


class NgspiceSession:
    """A kept-alive ngspice that holds one netlist and solves it for many values of its elements.

    Each operating point starts from the one before, with the tolerances of `operating_point`. A session whose solve
    failed is closed, since what a failed ngspice holds (NaN, for one) spoils what it solves next. As a context
    manager it leaves neither a process nor a file behind.

    Args:
        netlist_text: as in `operating_point`.
        elements: names of the resistors and independent sources whose values vary; in a subcircuit they are called
            ``r.instance.name``, as in ngspice.
        nodes: names of the nodes whose voltages are wanted.
        gmin: as in `operating_point`.
        timeout: seconds that loading, and each operating point, may take.

    Raises:
        InputError: ngspice is missing or refuses the netlist, or an element does not exist or is of another kind.
        SpiceError: ngspice dies, or takes too long.

    """

    def __init__(
        self,
        netlist_text: str,
        elements: Sequence[str],
        nodes: Sequence[str],
        *,
        gmin: float = 1e-12,
        timeout: float = 600.0,
    ) -> None:
        self.elements = tuple(name.lower() for name in elements)
        self.nodes = tuple(name.lower() for name in nodes)
        if not self.nodes:
            raise InputError("no node is listed; name those whose voltages are wanted")
        queries = [f"@{name}[{_parameter(name)}]" for name in self.elements]
        if len(set(queries)) < len(queries):
            twice = next(name for name in self.elements if self.elements.count(name) > 1)
            raise InputError(f"element {twice!r} is listed twice; list each element once")
        cards = [tolerance_card(gmin), f"V{_SWEEP} {_SWEEP} 0 0", f".dc V{_SWEEP} 0 1e15 1"]
        cards += [f".save v({node})" for node in self.nodes]
        deck = _deck(netlist_text, cards, dropped=_ANALYSES | _OUTPUTS)
        deadline = _deadline(timeout)

        self._timeout = timeout
        self._is_resistor = np.array([name.startswith("r") for name in self.elements], dtype=bool)
        self._values = np.full(len(self.elements), np.nan)
        self._header: RawHeader | None = None
        self._columns: list[int] = []
        self._solved = 0
        self._ngspice = NgspiceProcess(deadline)
        try:
            self._ngspice.load(deck, deadline)
            answer = self._ngspice.command("\n".join(f"print {query}" for query in queries), deadline)
            known = {line.partition(" = ")[0].strip() for line in answer.splitlines() if " = " in line}
            for name, query in zip(self.elements, queries, strict=True):
                if query not in known:
                    raise InputError(f"the netlist has no element {name!r} whose value can be set")
        except BaseException:
            self.close()
            raise

    def operating_points(self, values: ArrayLike) -> NDArray[np.float64]:
        """Solve for each sample of the elements' values.

        Args:
            values: shape (samples, elements): a resistor's ohms, a source's DC volts or amperes.

        Returns:
            The nodes' voltages (volts), shape (samples, nodes).

        Raises:
            InputError: the values have another shape, are not finite, or set a resistor to 0 Ω; a node is unknown.
            SpiceError: a sample does not converge, ngspice dies or takes too long, or the session is closed.

        """
        return self._solve(self._checked(values), first=0)

    def close(self) -> None:
        """Kill ngspice and remove its files; twice does no harm."""
        self._ngspice.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _checked(self, values: ArrayLike) -> NDArray[np.float64]:
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.elements):
            expected = f"(samples, {len(self.elements)}), an entry an element"
            raise InputError(f"the values have shape {array.shape}; expected {expected}")
        wrong = np.argwhere(~np.isfinite(array) | ((array == 0) & self._is_resistor))
        if len(wrong):
            sample, element = wrong[0]
            value, right = float(array[sample, element]), "finite"
            if self._is_resistor[element]:
                right = "finite and not 0 Ω, which ngspice would take for 1 mΩ"
            raise InputError(f"sample {sample}: {self.elements[element]} = {value!r}; it must be {right}")
        return array

    def _solve(self, values: NDArray[np.float64], *, first: int) -> NDArray[np.float64]:
        """Solve for checked values; the first is the caller's sample number `first`."""
        voltages = np.empty((len(values), len(self.nodes)))
        for index, sample in enumerate(values):
            try:
                voltages[index] = self._point(sample)
            except SpiceError as error:
                self.close()
                raise SpiceError(f"sample {first + index}: {error}") from error
            except BaseException:
                # An interrupted ngspice is out of step with us.
                self.close()
                raise
        return voltages

    def _point(self, sample: NDArray[np.float64]) -> NDArray[np.float64]:
        changed = np.flatnonzero(sample != self._values)
        commands = [f"alter {self.elements[k]} = {float(sample[k])!r}" for k in changed]
        commands += [f"step {_REPEATS}"] if self._header else [f"stop after {_REPEATS}", f"run {_RAW_NAME}"]
        answer = self._ngspice.command("\n".join(commands), _deadline(self._timeout))
        self._values[changed] = sample[changed]
        path = self._ngspice.folder / _RAW_NAME
        if _FAILED.search(answer) or not path.exists():
            raise SpiceError(f"ngspice found no solution: {complaint(answer)}")
        content = path.read_bytes()
        if self._header is None:
            self._header = parse_header(content, path)
            self._columns = self._find_columns(self._header.variables)
            content = content[self._header.size :]
        # ngspice appends. Emptied, the file never grows, and no point can be read twice.
        os.truncate(path, 0)
        width = len(self._header.variables)
        points = np.frombuffer(content).reshape(-1, width) if len(content) % (8 * width) == 0 else np.empty((0, width))
        # The swept voltage counts the points: it proves that these voltages are this sample's.
        if not np.array_equal(points[:, 0], self._solved + np.arange(_REPEATS)):
            raise SpiceError(f"ngspice did not return the operating point asked for: {complaint(answer)}")
        voltages = points[-1, self._columns]
        if not np.isfinite(voltages).all():
            raise SpiceError("ngspice returned a voltage that is not finite")
        self._solved += _REPEATS
        return voltages

    def _find_columns(self, variables: Sequence[str]) -> list[int]:
        column = {name: k for k, name in enumerate(variables)}
        for node in self.nodes:
            if f"v({node})" not in column:
                raise InputError(f"the netlist has no node {node!r}")
        return [column[f"v({node})"] for node in self.nodes]


class NgspicePool:
    """Several `NgspiceSession`s of one netlist, which share out the samples. A failure in one closes all.

    Args:
        netlist_text: as in `operating_point`.
        elements: as in `NgspiceSession`.
        nodes: as in `NgspiceSession`.
        processes: the number of ngspice processes; None stands for one a CPU that this process may use.
        gmin: as in `operating_point`.
        timeout: seconds that loading, and each operating point, may take.

    Raises:
        InputError: as `NgspiceSession`, or there are fewer than one process.
        SpiceError: as `NgspiceSession`.

    """

    def __init__(
        self,
        netlist_text: str,
        elements: Sequence[str],
        nodes: Sequence[str],
        *,
        processes: int | None = None,
        gmin: float = 1e-12,
        timeout: float = 600.0,
    ) -> None:
        count = len(os.sched_getaffinity(0)) if processes is None else processes
        if count < 1:
            raise InputError(f"processes = {count}; it must be at least 1")
        self._sessions: list[NgspiceSession] = []

        def start() -> None:
            self._sessions.append(NgspiceSession(netlist_text, elements, nodes, gmin=gmin, timeout=timeout))

        try:
            with ThreadPoolExecutor(count) as executor:
                starts = [executor.submit(start) for _ in range(count)]
            for started in starts:
                started.result()
        except BaseException:
            self.close()
            raise

    def operating_points(self, values: ArrayLike) -> NDArray[np.float64]:
        """Solve for each sample, as `NgspiceSession.operating_points`: (samples, elements) to (samples, nodes)."""
        samples = self._sessions[0]._checked(values)
        voltages = np.empty((len(samples), len(self._sessions[0].nodes)))
        blocks = np.array_split(np.arange(len(samples)), len(self._sessions))

        def solve(session: NgspiceSession, block: NDArray[np.intp]) -> None:
            if len(block):
                voltages[block] = session._solve(samples[block], first=int(block[0]))

        try:
            with ThreadPoolExecutor(len(self._sessions)) as executor:
                solves = [executor.submit(solve, *share) for share in zip(self._sessions, blocks, strict=True)]
                try:
                    for solved in as_completed(solves):
                        solved.result()
                except BaseException:
                    # The other threads wait for their ngspice to answer; its death is an answer.
                    for session in self._sessions:
                        session._ngspice.kill()
                    raise
        except BaseException:
            self.close()
            raise
        return voltages

    def close(self) -> None:
        """Kill every ngspice and remove its files; twice does no harm."""
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _run(deck: str, timeout: float) -> tuple[tuple[str, ...], NDArray[np.float64], tuple[str, ...]]:
    """Run the deck's analysis in a process of its own: variables, points (points, variables), warnings."""
    deadline = _deadline(timeout)
    ngspice = NgspiceProcess(deadline)
    try:
        return _analysis(ngspice, deck, deadline)
    finally:
        ngspice.close()


def _analysis(
    ngspice: NgspiceProcess, deck: str, deadline: float
) -> tuple[tuple[str, ...], NDArray[np.float64], tuple[str, ...]]:
    """Run the deck's analysis in a process: variables, points (points, variables), warnings."""
    path = ngspice.folder / _RAW_NAME
    path.unlink(missing_ok=True)
    said = ngspice.load(deck, deadline)
    answer = ngspice.command(f"run {_RAW_NAME}", deadline)
    if _FAILED.search(answer) or not path.exists():
        raise SpiceError(f"ngspice found no solution: {complaint(answer)}")
    variables, points = read_raw(path)
    if not np.isfinite(points).all():
        raise SpiceError("ngspice returned a value that is not finite")
    return variables, points, telling_lines(said + answer)


def _deck(netlist_text: str, cards: Iterable[str], *, dropped: frozenset[str]) -> str:
    """The netlist without dropped cards and control blocks, with `cards` at its end; its lines keep their numbers."""
    lines = netlist_text.splitlines()
    if len(lines) < 2:
        raise InputError("the netlist is empty; it needs a title line and at least one element")
    deck = ["* mho"]
    in_control = dropping = False
    for line in lines[1:]:
        keyword = _keyword(line)
        if keyword == ".end":
            break
        if keyword == ".control":
            in_control = True
        # A continuation line belongs to the card before, comments and blank lines between them notwithstanding.
        if keyword and not keyword.startswith(("+", "*")):
            dropping = keyword in dropped
        deck.append("*" if in_control or dropping else line)
        if keyword == ".endc":
            in_control = False
    return "\n".join([*deck, *cards, ".end", ""])


def _keyword(line: str) -> str:
    return line.split(maxsplit=1)[0].lower() if line.strip() else ""


def tolerance_card(gmin: float = 1e-12, *, spice_defaults: bool = False) -> str:
    """The card that sets the tolerances of `operating_point`, or SPICE's own, and gmin [S].

    Raises:
        InputError: for a gmin that is negative or not finite.
    """
    if not (np.isfinite(gmin) and gmin >= 0):
        raise InputError(f"gmin = {gmin!r} S; it must be finite and not negative")
    tolerances = "reltol=1e-3 abstol=1e-12 vntol=1e-6" if spice_defaults else "reltol=1e-9 abstol=1e-15 vntol=1e-12"
    return f".options noacct {tolerances} itl1=500 itl2=500 gmin={float(gmin)!r}"


def _parameter(element: str) -> str:
    """What ngspice calls the value of an element, by the letter of its kind."""
    if not re.fullmatch(r"[rvi]\S*", element):
        kinds = "a resistor (r…), voltage source (v…) or current source (i…)"
        raise InputError(f"element {element!r} has no value to set; expected {kinds}")
    return "resistance" if element.startswith("r") else "dc"


def _deadline(timeout: float) -> float:
    if not timeout > 0:
        raise InputError(f"timeout = {timeout!r} s; it must be positive")
    return time.monotonic() + timeout


def _by_kind(variables: Sequence[str], columns: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a raw file's columns into voltages and currents, by bare names; `savecurrents` adds i(@r1[i])."""
    named = list(zip(variables, columns, strict=True))
    voltages = {name[2:-1]: column for name, column in named if name.startswith("v(")}
    branches = {name[2:-1]: column for name, column in named if re.match(r"i\([^@]", name)}
    return voltages, branches
