"""An epoch of training, against backpropagation in a software network of the same size on the same samples.

Every contender makes the same number of steps on the same batches of MNIST, in turns; its time is the best of its turns,
which is what is left when other work on the machine is taken away. An epoch's time is that of a step times its steps.
"""

import importlib.util
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from mho.errors import MhoError
from mho.experiments.configuration import BaselineConfiguration, Configuration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.epoch import TrainingState, compile_epoch, fresh_tally, initial_state, sample_order
from mho.experiments.kinds import learner as learner_of
from mho.experiments.learner import with_constants
from mho.experiments.registry import experiment

ANALOG = ("drn-xs", "paper-mnist")
PEER = "mlp-mnist"
STEPS = 3000
TURNS = 5

Turn = Callable[[], float]
"""Makes some steps and returns the seconds they took."""


def measure(data_dir: str | None = None) -> list[dict[str, float | str | None]]:
    """Seconds an epoch of each contender, and their ratios to both software networks.

    Args:
        data_dir: folder that holds MNIST's files.

    Returns:
        A record a contender: name, seconds an epoch, ratio to the JAX MLP, ratio to the PyTorch MLP (None without
        PyTorch).
    """
    data = load_dataset("mnist", data_dir)

    def named(name: str) -> Turn:
        return JaxTurn(experiment(name).configuration, data, STEPS)

    contenders: dict[str, Turn] = {f"{PEER} (JAX)": named(PEER)}
    peer = experiment(PEER).configuration
    assert isinstance(peer, BaselineConfiguration)
    contenders |= {name: named(name) for name in ANALOG}
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(TURNS):
        for name, turn in contenders.items():
            best[name] = min(best[name], turn())
    theirs_in_torch = torch_seconds(peer, STEPS, TURNS, data_dir)
    if theirs_in_torch is not None:
        best["mlp-mnist (PyTorch)"] = theirs_in_torch
    scale = len(data.train_targets) // peer.batch_size / STEPS
    ours, theirs = best[f"{PEER} (JAX)"], best.get("mlp-mnist (PyTorch)")
    return [
        {
            "name": name,
            "seconds_per_epoch": seconds * scale,
            "ratio_to_jax": seconds / ours,
            "ratio_to_torch": None if theirs is None else seconds / theirs,
        }
        for name, seconds in best.items()
    ]


def table(rows: Sequence[dict[str, float | str | None]]) -> list[str]:
    """Lines to print."""
    lines = [f"{'name':<22}{'s/epoch':>9}{'to JAX':>9}{'to PyTorch':>12}"]
    for row in rows:
        torch_ratio = row["ratio_to_torch"]
        told = "not installed" if torch_ratio is None else f"{torch_ratio:.2f}"
        lines.append(f"{row['name']:<22}{row['seconds_per_epoch']:>9.2f}{row['ratio_to_jax']:>9.2f}{told:>12}")
    return lines


class JaxTurn:
    """A turn of some steps of an experiment's configuration, compiled as `mho train` does; each goes on from the last."""

    def __init__(self, configuration: Configuration, data: Dataset, steps: int) -> None:
        self._inputs, self._labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_targets)
        assert data.classes is not None
        steps_per_epoch = len(self._labels) // configuration.batch_size
        learner = learner_of(configuration, self._inputs.shape[1], data.classes, steps_per_epoch)
        learner = with_constants(learner, learner.network)
        self._state = initial_state(learner)
        self._advance = compile_epoch(
            learner,
            self._state,
            self._inputs,
            self._labels,
            classes=data.classes,
            scale=data.scale,
            batch_size=configuration.batch_size,
        )
        self._order, self._key = sample_order(0, 1, len(self._labels)), jax.random.key(0)
        self._steps = jnp.int32(steps)

    @property
    def state(self) -> TrainingState:
        """Where the training stands; the next turn takes its buffers."""
        return self._state

    def __call__(self) -> float:
        """Make the steps."""
        network, optimizer_state = self._state.network, self._state.optimizer_state
        state = TrainingState(network, optimizer_state, jnp.int32(0), fresh_tally())
        begin = time.perf_counter()
        self._state, _ = jax.block_until_ready(
            self._advance(state, self._steps, self._order, self._inputs, self._labels, self._key)
        )
        return time.perf_counter() - begin


_TORCH = "import sys; from mho_benchmarks.epoch import tell_torch; tell_torch(*sys.argv[1:])"


def torch_seconds(
    configuration: BaselineConfiguration, steps: int, turns: int, data_dir: str | None = None
) -> float | None:
    """The least seconds of some turns of the same MLP in PyTorch; None where that is not installed.

    In a process of its own: beside PyTorch in one process XLA's programs ran slower.

    Raises:
        MhoError: if the process fails.
    """
    if importlib.util.find_spec("torch") is None:
        return None
    given = {"hidden": configuration.hidden, "batch_size": configuration.batch_size, "rate": configuration.rates[0]}
    given |= {"steps": steps, "turns": turns, "data_dir": data_dir}
    finished = subprocess.run([sys.executable, "-c", _TORCH, json.dumps(given)], capture_output=True, text=True)
    if finished.returncode != 0:
        said = finished.stderr.strip().splitlines() or ["no word of why"]
        raise MhoError(f"mho bench: PyTorch: {said[-1]}")
    return float(finished.stdout)


def tell_torch(settings: str) -> None:
    """Print the least seconds of some turns: what `torch_seconds` runs. The MLP is written as PyTorch's users write it."""
    import torch  # pyright: ignore[reportMissingImports]

    given = json.loads(settings)
    data = load_dataset("mnist", given["data_dir"])
    batch_size = given["batch_size"]
    assert data.classes is not None
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for n, m in itertools.pairwise([data.train_inputs.shape[1], *given["hidden"], data.classes]):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=given["rate"])
    images = torch.from_numpy(np.array(data.train_inputs))
    labels = torch.from_numpy(np.array(data.train_targets, np.int64))
    order = torch.randperm(len(labels))
    best = float("inf")
    for _ in range(given["turns"]):
        begin = time.perf_counter()
        for step in range(given["steps"]):
            index = order[step * batch_size : (step + 1) * batch_size]
            loss = torch.nn.functional.cross_entropy(model(images[index].float() * data.scale), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        best = min(best, time.perf_counter() - begin)
    print(best)
