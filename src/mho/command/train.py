"""`mho train`: train a named experiment, or go on with a run."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.command.experiment_options import how_to_go_on, parse_experiment, value_of
from mho.errors import InputError
from mho.experiments.configuration import Configuration, option
from mho.experiments.memory import refuse_if_too_large
from mho.experiments.progress import Show, progress
from mho.experiments.record import told_error
from mho.experiments.registry import EXPERIMENTS, NETLISTS, start
from mho.experiments.run import may_change, new_folder, read_configuration

if TYPE_CHECKING:
    from mho.experiments.devices import Devices

_EXAMPLE = "--epochs 3 --seed 1"

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
    resumed = value_of("--resume", given)
    if resumed is not None:
        # A run keeps its netlist, which need not be there any more.
        kept = name is None or name.lower().endswith(NETLISTS)
        _resume(Path(resumed), name and (Path(name).name if kept else start(name)[0]), given)
    elif name is None:
        raise InputError(f"mho train needs an experiment before {arguments[0]}, or --resume DIR")
    else:
        _train(*start(name), given)


def _train(name: str, default: Configuration, given: list[str]) -> None:
    configuration, options = parse_experiment("train", name, default, given, _Options, _EXAMPLE)
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
    changed, options = parse_experiment("train", began_as, configuration, given, _Options, _EXAMPLE)
    if options.out is not None and Path(options.out).resolve() != folder.resolve():
        raise InputError(f"--out {options.out}: a resumed run stays in its folder, {folder}")
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
    from mho.experiments.under_way import Interrupted

    try:
        yield
    except Interrupted as interruption:
        raise KeyboardInterrupt(f"{interruption}; go on with: {how_to_go_on('train', folder)}") from interruption


def _report(folder: Path, metrics: list[dict[str, Any]]) -> None:
    last = metrics[-1]
    warned = [record for record in metrics if record.get("warnings")]
    if warned:
        print(f"warnings in {len(warned)} of {len(metrics)} epochs: see warnings in {folder / 'metrics.jsonl'}")
    print(f"{told_error(last)} after {last['epoch']} epochs; the run is in {folder}")


@dataclasses.dataclass(frozen=True)
class _Options:
    """Options.

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

    out: str | None = None
    resume: str | None = None
    checkpoint_minutes: float = 10.0
    devices: int | None = None
    tensor_parallel: int = 1
    coordinator: str | None = None
    hosts: int = 1
    host_id: int = 0


def _shown(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"a text of {len(text.splitlines())} lines" if "\n" in text else text
