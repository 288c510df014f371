"""A run's folder: config.json, metrics.jsonl, TensorBoard events, checkpoints and plots.

config.json holds the experiment's name and its configuration; metrics.jsonl a line an epoch. The checkpoints are what
counts: on resume, metrics.jsonl is rewritten from the one that the run goes on from.
"""

import contextlib
import fcntl
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.errors import InputError, MhoError
from mho.experiments.atomic_file import remove_partial, write_atomically
from mho.experiments.checkpoint_names import at_start, checkpoints
from mho.experiments.configuration import Configuration, from_json, to_json
from mho.experiments.data_fields import is_file
from mho.experiments.record import Metrics, check_record

if TYPE_CHECKING:
    from mho.experiments.structure import Structure

_SESSION_START = 1
"""`SessionLog.START` of TensorBoard's events."""

_CONFIG, _METRICS, _CHECKPOINTS, LOCK = "config.json", "metrics.jsonl", "checkpoints", ".lock"
_NETWORK = "network.json"

CHANGEABLE = ("epochs", "data_dir")
"""Fields of its configuration in which a resumed run may differ from what it began with."""
_MOVABLE = ("dataset", "test_dataset")
"""Fields that may name other files, as long as the same is in them."""


def may_change(field: str, before: object, now: object) -> bool:
    """Whether a resumed run may have another value of a field of its configuration than it began with."""
    files = isinstance(before, str) and isinstance(now, str) and is_file(before) and is_file(now)
    return before == now or field in CHANGEABLE or (field in _MOVABLE and files)


def state(folder: Path) -> tuple[int, int]:
    """What changes when a run has gone on."""
    try:
        found = (folder / _METRICS).stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def checkpoint_folder(folder: Path) -> Path:
    """Where a run's checkpoints are."""
    return folder / _CHECKPOINTS


def holds_run(folder: Path) -> bool:
    """Whether there is a run in a folder that has got beyond its start, or cannot be told to be at it."""
    saved = checkpoints(checkpoint_folder(folder))
    return any(not at_start(path) for path in saved) or bool(_size(folder / _METRICS))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def new_folder(name: str, configuration: Configuration) -> Path:
    """A folder that does not exist yet: runs/NAME-seedS, or with a number behind it."""
    stem = f"{name}-seed{configuration.seed}"
    folder, number = Path("runs", stem), 1
    while folder.exists():
        number += 1
        folder = Path("runs", f"{stem}-{number}")
    return folder


def create_run(
    folder: Path, name: str, configuration: Configuration, structure: "Structure | None" = None
) -> list[Path]:
    """Make the folder of a new run; a failure leaves no part of it.

    Args:
        folder: where it goes.
        name: the experiment's.
        configuration: what is trained.
        structure: of a network that no configuration can make.

    Returns:
        The folders that had to be made, innermost first.

    Raises:
        InputError: if it holds a run already or cannot be written.
        MhoError: if another process is making it.
    """
    _refuse_to_overwrite(folder)
    absent = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder):
            _refuse_to_overwrite(folder)
            (folder / _CHECKPOINTS).mkdir(exist_ok=True)
            for left in checkpoints(folder / _CHECKPOINTS):  # of a run that was killed at its start
                left.unlink()
            write_configuration(folder, name, configuration)
            if structure is not None:
                _write_json(folder / _NETWORK, structure)
    except OSError as problem:
        _remove(folder, absent)
        raise InputError(f"--out {folder}: cannot be made: {problem.strerror}") from problem
    return absent


def discard_unbegun(folder: Path, made: list[Path]) -> None:
    """Remove a run that has failed before its first step, so that its folder does not stand in the way of the next.

    Args:
        folder: its folder; a run that has got further is left as it is.
        made: what `create_run` returned.
    """
    if not holds_run(folder):
        _remove(folder, made)


def _remove(folder: Path, made: list[Path]) -> None:
    """Remove what mho writes in a folder, and the folders that it made for it as far as they are empty then."""
    saved = checkpoints(folder / _CHECKPOINTS)
    events = folder.glob("events.out.tfevents.*")
    for path in (*saved, *events, folder / _METRICS, folder / _CONFIG, folder / _NETWORK, folder / LOCK):
        with contextlib.suppress(OSError):
            path.unlink()
    for emptied in (folder / _CHECKPOINTS, *made):
        with contextlib.suppress(OSError):
            emptied.rmdir()


def _refuse_to_overwrite(folder: Path) -> None:
    if holds_run(folder):
        raise InputError(
            f"--out {folder}: holds a run already; go on with it by --resume {shlex.quote(str(folder))}, "
            "or name another folder"
        )


def write_configuration(folder: Path, name: str, configuration: Configuration) -> None:
    """Write config.json."""
    _write_json(folder / _CONFIG, {"experiment": name} | to_json(configuration))


def _write_json(path: Path, fields: dict[str, Any]) -> None:
    content = json.dumps(fields, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(content.encode()))


def read_structure(folder: Path, classes: Sequence[type] = ()) -> Any:
    """The network of a run of `mho.fit`, with zeros for its arrays.

    Args:
        folder: the run's.
        classes: of the network, where they cannot be imported.

    Raises:
        InputError: if network.json is not one that mho wrote, or names a class that is not there.
    """
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.structure import built

    path = folder / _NETWORK
    with read_back(path, "network"):
        return built(json.loads(path.read_text()), classes)


@contextlib.contextmanager
def read_back(path: Path, what: str) -> Iterator[None]:
    """Within it a file is read that mho wrote: what is wrong with it names the file, and where there is none, `what`.

    Raises:
        InputError: for all that is wrong.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise InputError(f"{path.parent}: holds no {what} ({path.name} is missing)") from problem
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}") from problem
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem
    except json.JSONDecodeError as problem:
        raise InputError(f"{path}: not JSON: {problem}") from problem
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise InputError(f"{path}: is not what mho wrote: {problem}") from problem


def holds_configuration(folder: Path) -> bool:
    """Whether a folder is a run's, begun at the least."""
    return (folder / _CONFIG).is_file()


def read_configuration(folder: Path) -> tuple[str, Configuration]:
    """The experiment's name and the configuration of a run.

    Raises:
        InputError: if there is no run, or its config.json is not one that mho wrote.
    """
    with read_back(folder / _CONFIG, "run"):
        content = json.loads((folder / _CONFIG).read_text())
        if not isinstance(content, dict) or not isinstance(content.get("experiment"), str):
            raise InputError("names no experiment")
        name = content.pop("experiment")
        return name, from_json(content)


def read_metrics(folder: Path) -> list[Metrics]:
    """The records of a run, an epoch each; a last line that is not whole is left out.

    Raises:
        InputError: for a line that is no record.
    """
    path = folder / _METRICS
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}") from problem
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            records.append(json.loads(line))
            check_record(records[-1], number)
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{path}:{number}: not the record of an epoch: {problem}") from problem
    return records


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that no second process trains in it; clear it of what a killed one left half-written.

    Raises:
        MhoError: if another process does.
    """
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise MhoError(f"{folder}: another process is training this run") from problem
        remove_partial(folder)
        yield


class MetricsLog:
    """Writes metrics.jsonl and the TensorBoard events."""

    def __init__(self, folder: Path, metrics: list[Metrics]) -> None:
        """Begin after the epochs that `metrics` records; what was written of later ones is dropped."""
        # Imported here: `mho list` need not wait for it.
        from tensorboardX.event_file_writer import EventsWriter

        self._content = "".join(_line(record) for record in metrics)
        self._path = folder / _METRICS
        self._write()
        # EventsWriter writes at once and in this thread: a full disk is an error here, not a traceback elsewhere.
        self._events = EventsWriter(str(folder / "events"))
        if metrics:
            # Tells TensorBoard to forget what an earlier process wrote of these epochs.
            self._write_event(len(metrics) + 1, session_log={"status": _SESSION_START})

    def _write(self) -> None:
        write_atomically(self._path, lambda file: file.write(self._content.encode()))

    def append(self, record: Metrics) -> None:
        """Write an epoch's record.

        Raises:
            MhoError: if it cannot be written.
        """
        try:
            self._append(record)
        except OSError as problem:
            raise MhoError(
                f"{self._path} or the events beside it could not be written ({problem.strerror})"
            ) from problem

    def _append(self, record: Metrics) -> None:
        from tensorboardX.summary import scalar

        self._content += _line(record)
        self._write()
        for name, value in record.items():
            if isinstance(value, int | float) and name != "epoch":
                self._write_event(record["epoch"], summary=scalar(name, value))
        self._events.flush()

    def _write_event(self, epoch: int, **content: Any) -> None:
        from tensorboardX.proto import event_pb2

        event = event_pb2.Event(wall_time=time.time(), step=epoch, **content)  # pyright: ignore[reportAttributeAccessIssue]
        self._events.write_event(event)

    def close(self) -> None:
        """Close the event file."""
        # All that counts is on the disk since `append`; an error here would hide the one that ended the run.
        with contextlib.suppress(OSError):
            self._events.close()


def _line(record: Metrics) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
