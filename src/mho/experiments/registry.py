"""The named experiments: each a file of `named/`, read when it is asked for."""

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from mho.errors import InputError
from mho.experiments.configuration import Configuration, SimulatedConfiguration
from mho.experiments.experiment_file import SUFFIX, Experiment, read_experiment
from mho.experiments.run import holds_configuration, read_configuration

_FOLDER = Path(__file__).parent / "named"
_ORDER = ("paper-mnist", "drn-xs", "drn-1h", "drn-2h", "drn-3h", "drn-xl", "drn-digits", "drn-conv-digits", "drn-conv")
"""Those that come first; the rest follow in the alphabet's order."""


class _Named(Mapping[str, Experiment]):
    """The experiments by name."""

    @functools.cached_property
    def _names(self) -> tuple[str, ...]:
        found = {path.stem for path in _FOLDER.glob(f"*{SUFFIX}")}
        return (*(name for name in _ORDER if name in found), *sorted(found - set(_ORDER)))

    def __getitem__(self, name: str) -> Experiment:
        if name not in self._names:
            raise KeyError(name)
        return _read(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@functools.cache
def _read(name: str) -> Experiment:
    return read_experiment(_FOLDER / f"{name}{SUFFIX}")


EXPERIMENTS: Mapping[str, Experiment] = _Named()
"""The experiments by name, as `mho train` takes it."""


def experiment(name: str) -> Experiment:
    """The experiment of a name, or in a file of the user's own.

    Raises:
        InputError: if there is none; it lists close names.
    """
    if name.lower().endswith(SUFFIX):
        return read_experiment(Path(name))
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    close = difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
    known = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(EXPERIMENTS)}"
    raise InputError(f"unknown experiment {name!r}: {known}, or a file of your own, FILE.toml or FILE.cir")


NETLISTS = (".cir", ".ckt", ".net", ".sp", ".spice")
"""How the names of netlists end."""


def start(name: str) -> tuple[str, Configuration]:
    """What a run of an experiment, a file of one's own, a netlist or another run is called, and what it begins with.

    After a run it has that run's configuration and begins with what that has learned.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    if holds_configuration(Path(name)):
        called, configuration = read_configuration(Path(name))
        if not isinstance(configuration, SimulatedConfiguration):
            raise InputError(
                f"{name}: is a run of a network in software or of mho.fit; begin with an analog experiment's"
            )
        return called, dataclasses.replace(configuration, start=name)
    if name.lower().endswith(NETLISTS):
        # Here and not above: named experiments need not wait for JAX.
        from mho.experiments.netlist_circuits import netlist_configuration

        return Path(name).name, netlist_configuration(Path(name))
    return Path(name).stem if name.lower().endswith(SUFFIX) else name, experiment(name).configuration
