"""Memory that training needs, reckoned before any is taken."""

import contextlib
import itertools
import os
from pathlib import Path

from mho.errors import InputError
from mho.experiments.configuration import (
    AnalogConfiguration,
    CircuitConfiguration,
    Configuration,
    LayeredConfiguration,
    shown,
)
from mho.experiments.device_fields import AGEING

_COPIES = {"sgd": 2, "momentum": 3, "rmsprop": 3, "adam": 4}
"""Arrays of the weights' size that stand at once, with each optimizer: the weights, their gradient, its averages."""
_DEVICE_COPIES, _WITHOUT_SPREAD = 4, ("ideal", "levels", "program-verify", "cmo")
"""Arrays of their own numbers that pulsed devices have at the least, bounds and steps; about as many as ageing ones have."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container is told its limit."""


def machine_memory() -> int:
    """Bytes of memory that this machine, or its container, has."""
    known = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):
            known = min(known, int(Path(path).read_text()))
    return known


def needed_memory(
    configuration: Configuration, features: int, outputs: int, samples: int = 0, members: int = 1
) -> dict[str, int]:
    """Bytes that training takes at the least, by the field that they grow with.

    Args:
        configuration: what is trained.
        features: of the inputs.
        outputs: classes, or values to predict.
        samples: of the training set; 0 where it is not known yet.
        members: networks that are trained at once.
    """
    needed = {"passes": 4 * configuration.passes * samples}
    batch = min(configuration.batch_size, max(1, samples))
    copies = _COPIES.get(configuration.optimizer, 4) * members
    spread = getattr(configuration, "device", "ideal") not in _WITHOUT_SPREAD
    ageing = any(getattr(configuration, field, 0.0) for field in AGEING)
    copies += _DEVICE_COPIES * members * (spread + ageing)
    if isinstance(configuration, LayeredConfiguration):
        analog = configuration if isinstance(configuration, AnalogConfiguration) else None
        filters = analog.filters if analog is not None else ()
        inputs = filters[-1] if filters else features * (2 if analog is not None else 1)  # ±x
        widths = (inputs, *configuration.hidden, outputs)
        weights = sum(n * m for n, m in itertools.pairwise(widths))
        nodes = batch * (sum(configuration.hidden) + sum(filters))
        needed["hidden"] = 4 * copies * weights + 4 * members * nodes
        if analog is not None:
            planes = (1, *filters)
            shared = sum(n * m * analog.window**2 for n, m in itertools.pairwise(planes))
            needed["filters"] = 4 * copies * shared
    if isinstance(configuration, CircuitConfiguration):
        nodes = configuration.nodes ** (2 if configuration.graph == "lattice" else 1)
        # Newton's method holds a dense matrix a sample, and the graph is drawn from all pairs of nodes.
        needed["nodes"] = 8 * nodes**2 * max(3 * batch, 2)
        needed["diodes"] = 8 * 8 * configuration.diodes if configuration.graph == "random" else 0
    return needed


def refuse_if_too_large(configuration: Configuration, features: int, outputs: int, samples: int = 0) -> None:
    """Refuse what this machine has not the memory for, before it is taken; see `needed_memory`.

    Raises:
        InputError: if the training would take more than there is; it names the option.
    """
    there_is = machine_memory()
    needed = needed_memory(configuration, features, outputs, samples)
    largest = max(needed, key=lambda name: needed[name])
    if sum(needed.values()) <= there_is:
        return
    raise InputError(
        f"{shown(configuration, largest)}: needs at least {_gigabytes(sum(needed.values()))} of memory, and there are "
        f"{_gigabytes(there_is)}"
    )


def _gigabytes(count: int) -> str:
    size = count / 1e9 if count < 1e300 else float("inf")
    return f"{size:,.0f} GB" if 10 <= size < 1e9 else f"{size:.2g} GB"
