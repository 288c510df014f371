"""Measured responses to pulses: tables of them, and what is written for `--device`."""

from pathlib import Path

import numpy as np

from mho.errors import InputError
from mho.experiments.data.files import read_bytes
from mho.experiments.data.table import Table, read_table
from mho.pulse_fit import PulseFit, PulseSeries

_DIRECTIONS = {"up": True, "+1": True, "1": True, "+": True, "down": False, "-1": False, "-": False}


def read_pulses(path: str | Path) -> list[PulseSeries]:
    """The series in a table with columns pulse, conductance [S] and, where there are, direction and device.

    A row is a reading after the pulse of that number; pulse 0 is before the first. Numbers go up by 1, or start again at 0
    or 1 with a new series. The direction, up or down, is the pulse's. Where the table has none, series go up and down in
    turn; a single one goes up to its largest reading, and down from there. A device's rows stand together.

    Raises:
        InputError: if it cannot be read, lacks a column, or has a hole, text, a number that does not go up or a conductance
            that is not positive: with file and line.
    """
    table = read_table(read_bytes(Path(path)), str(path))
    if not table.header:
        raise InputError(f"{path}:1: no header; expected columns pulse, conductance and maybe direction, device")
    lowered = [name.lower() for name in table.names]
    places = {name: lowered.index(name) for name in ("direction", "device") if name in lowered}
    places |= {n: lowered.index(n) if n in lowered else table.place(n) for n in ("pulse", "conductance")}
    found: list[PulseSeries] = []
    rows: list[tuple[int, float, bool | None]] = []
    seen: set[str] = set()
    device: str | None = None
    for line, cells in table.rows():
        name = cells[places["device"]].strip() if "device" in places else ""
        if name != device:
            if name in seen:
                raise InputError(f"{path}:{line}: device {name!r} has rows above, apart from these")
            found += _series(device or "", rows)
            seen.add(name)
            device, rows = name, []
        pulse, conductance = (_number(table, line, cells, places[n]) for n in ("pulse", "conductance"))
        where = f"{path}:{line}"
        if not pulse.is_integer() or pulse < 0:
            raise InputError(f"{where}: pulse {pulse:g}: expected a whole number from 0")
        if not conductance > 0:
            raise InputError(f"{where}: conductance {conductance:g} S: must be positive")
        before = rows[-1][0] if rows else None
        again = pulse <= 1 and before is not None and before > pulse
        if before is not None and pulse != before + 1 and not again:
            told = f"pulse {before + 1} is missing" if pulse > before else "expected the next, or 1 for a new series"
            raise InputError(f"{where}: pulse {pulse:g} follows pulse {before}: {told}")
        rows.append((int(pulse), conductance, _direction(where, cells, places.get("direction"), int(pulse))))
    found += _series(device or "", rows)
    if not found:
        raise InputError(f"{path}: has a header and no pulses")
    return found


def _number(table: Table, line: int, cells: list[str], place: int) -> float:
    text = cells[place].strip()
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if "_" in text or not np.isfinite(value):
        told = f"{text[:40]!r} is no finite number" if text else "is empty"
        raise InputError(f"{table.origin}:{line}: column {table.names[place]!r}: {told}")
    return value


def _direction(where: str, cells: list[str], place: int | None, pulse: int) -> bool | None:
    if place is None or pulse == 0:
        return None
    text = cells[place].strip().lower()
    if text not in _DIRECTIONS:
        raise InputError(f"{where}: direction {text[:40]!r}: expected up or down")
    return _DIRECTIONS[text]


def _series(device: str, rows: list[tuple[int, float, bool | None]]) -> list[PulseSeries]:
    """A device's series: cut where the direction changes, or else where numbers start again, or at the largest reading."""
    if len(rows) < 2:
        return []
    readings = np.array([g for _, g, _ in rows])
    known = any(up is not None for _, _, up in rows)
    begun = [k for k in range(1, len(rows)) if rows[k][0] <= rows[k - 1][0]]
    ways = [up for _, _, up in rows]
    if not known:
        turns = begun or [int(readings.argmax()) + 1]
        ways = [sum(k >= t for t in turns) % 2 == 0 for k in range(len(rows))]
    found, first = [], 0
    for k in range(1, len(rows) + 1):
        # A reading before the first pulse begins a series of its own.
        if k < len(rows) and rows[k][0] != 0 and (ways[k] == ways[k - 1] or k - 1 == first):
            continue
        if k - first > 1:
            found.append(PulseSeries(device, bool(ways[k - 1]), readings[first:k]))
        first = k if k < len(rows) and rows[k][0] == 0 else k - 1
    return found


def device_text(fit: PulseFit, origin: str) -> str:
    """A fitted device as a file for `--device`, whose lines an experiment's file takes, too."""
    settings = ", ".join(f'"{name}={value:g}"' for name, value in fit.settings.items())
    least, largest = fit.window
    return (
        f"# Fitted by mho pulses to {origin}: {least:.4g} to {largest:.4g} S, readings within "
        f"{fit.relative_error:.2%} of the range (root-mean-square).\n"
        f'device = "{fit.law}"\ndevice_settings = [{settings}]\n'
    )
