"""`mho train`: train a named experiment, or go on with a run."""

import contextlib
import dataclasses
import functools
import itertools
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from mho.command.options import parse
from mho.errors import InputError
from mho.experiments.configuration import Configuration, NetlistConfiguration, option
from mho.experiments.experiment_file import SUFFIX
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.progress import Show, progress
from mho.experiments.record import told_error
from mho.experiments.registry import EXPERIMENTS, experiment
from mho.experiments.run import may_change, new_folder, read_configuration

if TYPE_CHECKING:
    from mho.experiments.devices import Devices

_NETLISTS = (".cir", ".ckt", ".net", ".sp", ".spice")
"""How the names of netlists end."""

_HELP = """usage: mho train EXPERIMENT [options]
       mho train FILE.toml [options]
       mho train FILE.cir --inputs vx1,vx2 --outputs out --programmable 'r*' --dataset NAME [options]
       mho train --resume DIR [--epochs N] [--data-dir DIR] [--checkpoint-minutes M]

Train a named experiment, one of one's own (`mho show EXPERIMENT` prints a file to begin with), or a netlist. The run's
folder then holds config.json, metrics.jsonl (a line an epoch), TensorBoard events, checkpoints and plots. Ctrl-C (or
SIGTERM) stops with a checkpoint; --resume goes on as if nothing had happened.

experiments:
{experiments}

options of them all (`mho train EXPERIMENT --help` tells the rest, with the experiment's values):
  --epochs N              passes through the training set
  --batch-size B          samples an update
  --seed S                seed of the initial weights and of the order of the samples
  --out DIR               folder of the run; runs/EXPERIMENT-seedS if it is not given
  --checkpoint-minutes M  time between two checkpoints within an epoch (10); there is one after each epoch anyway
  --resume DIR            go on with the run in DIR
  --devices N             share each batch out over N devices; the losses are one device's to rounding
  --tensor-parallel M     split the nodes of layers over M of the N devices, the samples over N/M
  --coordinator HOST:PORT --hosts P --host-id I
                          train on many machines: the same command on each, I from 0; --out and --resume name a
                          folder that the first one writes and all can read

Example: mho train drn-digits --epochs 3 --learning-rates 0.01 --out runs/first"""


def run(arguments: Sequence[str]) -> None:
    """Train; print the test error and where the run is."""
    if not arguments or arguments[0] in ("-h", "--help"):
        if not arguments:
            raise InputError("mho train needs an experiment or --resume DIR (see mho train --help)")
        width = max(map(len, EXPERIMENTS)) + 2
        listed = "\n".join(f"  {name:<{width}}{known.summary}" for name, known in EXPERIMENTS.items())
        print(_HELP.format(experiments=listed))
        return
    name, given = (None, list(arguments)) if arguments[0].startswith("-") else (arguments[0], list(arguments[1:]))
    resumed = _value_of("--resume", given)
    file = Path(name) if name is not None and name.lower().endswith(_NETLISTS) else None
    start = experiment(name) if name is not None and file is None else None
    if resumed is not None:
        _resume(Path(resumed), name if file is None else file.name, given)
    elif file is not None:
        from mho.experiments.netlist_circuits import netlist_configuration

        _train(file.name, netlist_configuration(file), given)
    elif start is None or name is None:
        raise InputError(f"mho train needs an experiment before {arguments[0]}, or --resume DIR")
    else:
        _train(Path(name).stem if name.lower().endswith(SUFFIX) else name, start.configuration, given)


def _train(name: str, default: Configuration, given: list[str]) -> None:
    options = _parse(name, default, given)
    configuration = _configuration(options, type(default))
    refuse_if_too_large(configuration, 1, 1)
    # Here and not above: help and complaints need not wait for JAX.
    from mho.experiments.training import train

    if options.out == "":
        raise InputError("--out: names no folder")
    if options.out is None and options.hosts > 1:
        raise InputError(f"--hosts {options.hosts}: all of them need to be told the run's folder by --out")
    folder = Path(options.out) if options.out is not None else new_folder(name, configuration)

    def work(devices: "Devices") -> None:
        with _telling_how_to_go_on(folder), _shown_by(devices) as show:
            finished = train(
                name,
                configuration,
                folder,
                checkpoint_minutes=options.checkpoint_minutes,
                devices=devices,
                show=show,
            )
        if devices.leads:
            _report(finished.folder, finished.metrics)

    _on_devices(options, work)


def _resume(folder: Path, name: str | None, given: list[str]) -> None:
    began_as, configuration = read_configuration(folder)
    if name not in (None, began_as):
        raise InputError(f"--resume {folder}: is a run of {began_as}, not of {name}")
    options = _parse(began_as, configuration, given)
    if options.out is not None and Path(options.out).resolve() != folder.resolve():
        raise InputError(f"--out {options.out}: a resumed run stays in its folder, {folder}")
    changed = _configuration(options, type(configuration))
    for field in dataclasses.fields(configuration):
        before, now = getattr(configuration, field.name), getattr(changed, field.name)
        if not may_change(field.name, before, now):
            raise InputError(
                f"{option(field.name)} {_shown(now)}: {folder} was begun with {_shown(before)}, "
                "and a resumed run may change --epochs and --data-dir, and where its own data are, alone"
            )
    from mho.experiments.training import resume

    def work(devices: "Devices") -> None:
        with _telling_how_to_go_on(folder), _shown_by(devices) as show:
            finished = resume(
                folder,
                epochs=changed.epochs,
                data_dir=changed.data_dir,
                dataset=changed.dataset,
                test_dataset=changed.test_dataset,
                checkpoint_minutes=options.checkpoint_minutes,
                devices=devices,
                show=show,
            )
        if devices.leads:
            if not finished.trained:
                print(f"{folder} is finished; --epochs above {changed.epochs} would go on with it")
            _report(finished.folder, finished.metrics)

    _on_devices(options, work)


def _shown_by(devices: "Devices") -> AbstractContextManager[Show | None]:
    return progress() if devices.leads else nullcontext()


def _on_devices(options: Any, work: Callable[["Devices"], None]) -> None:
    """Do the work on the devices that the options ask for; as one of many processes, in a supervised child."""
    from mho.experiments.devices import check_hosts, connect, lost, mesh_devices

    def local() -> None:
        work(mesh_devices(options.devices, tensor_parallel=options.tensor_parallel))

    def joined() -> None:
        connect(options.coordinator, options.hosts, options.host_id)
        local()

    check_hosts(options.coordinator, options.hosts, options.host_id)
    if options.hosts == 1:
        return local()
    from mho.command.supervision import supervised

    raise SystemExit(supervised(joined, lost(options.host_id, options.hosts)))


@contextlib.contextmanager
def _telling_how_to_go_on(folder: Path) -> Iterator[None]:
    from mho.experiments.training import Interrupted

    try:
        yield
    except Interrupted as interruption:
        command = f"{_program()} train --resume {shlex.quote(str(folder))}"
        raise KeyboardInterrupt(f"{interruption}; go on with: {command}") from interruption


def _program() -> str:
    """What the user types for `mho`: its path where it is not on PATH, as after `make mnist`."""
    called = Path(sys.argv[0])
    found = shutil.which("mho")
    if called.name != "mho" or not called.exists() or (found is not None and called.samefile(found)):
        return "mho"
    return shlex.quote(sys.argv[0])


def _report(folder: Path, metrics: list[dict[str, Any]]) -> None:
    last = metrics[-1]
    warned = [record for record in metrics if record.get("warnings")]
    if warned:
        print(f"warnings in {len(warned)} of {len(metrics)} epochs: see warnings in {folder / 'metrics.jsonl'}")
    print(f"{told_error(last)} after {last['epoch']} epochs; the run is in {folder}")


@functools.cache
def _options(kind: type[Configuration]) -> type:
    """A configuration's fields and the options that do not bear on the outcome, as one dataclass."""
    more = [
        ("out", str | None, dataclasses.field(default=None)),
        ("resume", str | None, dataclasses.field(default=None)),
        ("checkpoint_minutes", float, dataclasses.field(default=10.0)),
        ("devices", int | None, dataclasses.field(default=None)),
        ("tensor_parallel", int, dataclasses.field(default=1)),
        ("coordinator", str | None, dataclasses.field(default=None)),
        ("hosts", int, dataclasses.field(default=1)),
        ("host_id", int, dataclasses.field(default=0)),
    ]
    if issubclass(kind, NetlistConfiguration):
        # Its text comes from the file.
        more.append(("text", tyro.conf.Suppress[tyro.conf.Fixed[str]], dataclasses.field(default="")))
    made = dataclasses.make_dataclass("Options", more, bases=(kind,), frozen=True, kw_only=True)
    made.__doc__ = """Options.

    Attributes:
        out: Folder of the run; runs/EXPERIMENT-seedS if it is not given.
        resume: Folder of the run to go on with.
        checkpoint_minutes: Time between two checkpoints within an epoch; there is one after each epoch anyway.
        devices: Devices to share the work out over, in all processes together; as many as --tensor-parallel in each
            process if it is not given.
        tensor_parallel: Devices to split the nodes of layers over; the samples are split over the rest.
        coordinator: Host and port at which the first of many hosts listens.
        hosts: Machines, or processes, that train together, each by this command.
        host_id: Which of them this is, from 0.
    """
    return made


def _parse(name: str, default: Configuration, given: list[str]) -> Any:
    kind = _options(type(default))
    fields = {field.name: getattr(default, field.name) for field in dataclasses.fields(default)}
    description = f"{EXPERIMENTS[name].summary}. " if name in EXPERIMENTS else ""
    return parse(
        kind,
        given,
        prog=f"mho train {name}",
        description=f"{description}Example: mho train {name} --epochs 3 --seed 1",
        default=kind(**fields),
    )


def _configuration(options: Any, kind: type[Configuration]) -> Configuration:
    return kind(**{field.name: getattr(options, field.name) for field in dataclasses.fields(kind)})


def _value_of(name: str, given: Sequence[str]) -> str | None:
    """The value of an option, which decides what the others mean; its last one, as that of any option."""
    value = None
    for argument, following in itertools.zip_longest(given, given[1:]):
        if argument == name:
            value = following or ""
        elif argument.startswith(f"{name}="):
            value = argument.removeprefix(f"{name}=")
    if value == "":
        raise InputError(f"{name}: names no folder")
    return value


def _shown(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"a text of {len(text.splitlines())} lines" if "\n" in text else text
