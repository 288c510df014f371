"""Deep networks: mean-field sweeps against plain block coordinate descent, and a step of training against an MLP's.

Settling: the free phase of a batch of MNIST images from 0 V, by either method, in networks of 1 to 10 hidden layers of
256 ideal-diode nodes, at random conductances and after some steps of training: sweeps and time to 1e-4 in float32,
sweeps to 1e-8 in float64. A sweep is one product forward and one backward with each crossbar in either method. The
other exact methods of `rivals` settle the same batch.

Steps: `drn-2h` and `drn-3h` converged to 1e-4 relative, against backpropagation in a JAX MLP of the same hidden layers and
batch, at first and after some training; and the residual where the 5 or 6 sweeps of the published code (Scellier 2024,
arXiv:2402.11674) leave the same batch.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mho.experiments.configuration import AnalogConfiguration, BaselineConfiguration
from mho.experiments.data import Dataset, load_dataset
from mho.experiments.registry import experiment
from mho.networks import Drive, LayeredNetwork
from mho.precision import double
from mho.steady import MeanFieldSweeps, Solution, Solver, Sweeps
from mho_benchmarks import rivals
from mho_benchmarks.epoch import PEER, JaxTurn
from mho_benchmarks.scaling import exponent, plot_scaling

DEPTHS = (1, 2, 3, 5, 10)
WIDTH = 256
BATCH = 32
TRAINED_STEPS = 500
NETWORKS = {"drn-2h": 5, "drn-3h": 6}
"""Sweeps of the published code."""
BATCHES = (32, 128)
RIVALS = {"anderson": rivals.anderson, "newton_krylov": rivals.newton_krylov}
COLUMNS = {"plain": "plain", "mean_field": "field", "anderson": "Anderson", "newton_krylov": "N-CG"}
RTOL, FINE_RTOL = 1e-4, 1e-8
MOST_SWEEPS = 1000
TURN_SAMPLES = 1280
TURNS = 5

Row = dict[str, Any]
Result = dict[str, list[Row]]


def measure(data_dir: str | None = None) -> Result:
    """What settling and steps take.

    Args:
        data_dir: folder that holds MNIST's files.

    Returns:
        Records `settling`, one for each depth and kind of conductances, and `steps`, one for each network, batch and kind.
    """
    data = load_dataset("mnist", data_dir)
    return {"settling": _settling(data), "steps": _steps(data)}


def table(result: Result) -> list[str]:
    """Lines to print."""
    lines = _settling_table(result["settling"])
    exponents = [f"{name} {exponent(*_sweeps(result, name, kind)):.2f} ({kind})" for name, kind in _SERIES]
    lines.append(f"exponents of the sweeps to 1e-8 in the hidden layers: {', '.join(exponents)}")
    lines.append(
        f"{'step':<10}{'batch':>7}{'conductances':>14}{'MLP [ms]':>10}{'mho [ms]':>10}{'ratio':>7}{'residual':>10}"
        "  plain sweeps leave"
    )
    for row in result["steps"]:
        lines.append(
            f"{row['name']:<10}{row['batch_size']:>7}{row['conductances']:>14}{1e3 * row['mlp_seconds']:>10.2f}"
            f"{1e3 * row['seconds']:>10.2f}{row['ratio']:>7.2f}{row['residual']:>10.0e}"
            f"  {row['fixed_residual']:.0e} after {row['fixed_sweeps']}"
        )
    return lines


def _settling_table(rows: list[Row]) -> list[str]:
    """A column for each method in each of three groups, the ratio of mean-field to plain time; > not settled."""
    groups = {"sweeps to 1e-4": "sweeps", "sweeps to 1e-8 (float64)": "fine_sweeps", "to 1e-4 [ms]": "seconds"}
    columns = {key: list(COLUMNS) for key in groups.values()}
    heads = [f"{title:>{9 * len(columns[key])}}" for title, key in groups.items()]
    names = [f"{COLUMNS[name]:>9}" for key in columns for name in columns[key]]
    lines = [f"{f'hidden layers of {WIDTH}':<20}{''.join(heads)}", f"{'':<20}{''.join(names)}{'ratio':>7}"]
    for row in rows:
        told = f"{row['hidden_layers']:>3}, {row['conductances']:<15}"
        for key, methods in columns.items():
            told += "".join(f"{_entry(row[name], key):>9}" for name in methods)
        field = row["mean_field"]
        lines.append(told + ("" if field is None else f"{field['seconds'] / row['plain']['seconds']:>7.2f}"))
    return lines


def _entry(settled: Row | None, key: str) -> str:
    if settled is None:
        return ""
    if key == "seconds":
        return f"{1e3 * settled[key]:.2f}" + ("" if settled["residual"] <= RTOL else ">")
    reached = settled["residual"] <= RTOL if key == "sweeps" else settled["fine_residual"] <= FINE_RTOL
    return f"{settled[key]}" + ("" if reached else ">")


def plot(result: Result, folder: Path) -> None:
    """The sweeps to 1e-8 against the hidden layers."""
    series = {f"{name} sweeps, {kind}": _sweeps(result, name, kind) for name, kind in _SERIES}
    path = folder / "depth.png"
    plot_scaling(series, size="hidden layers", value="sweeps to 1e-8 in float64", path=path)


_SERIES = tuple((name, kind) for name in ("plain", "mean-field") for kind in ("random", "trained"))


def _sweeps(result: Result, name: str, kind: str) -> tuple[list[float], list[float]]:
    key = name.replace("-", "_")
    rows = [row for row in result["settling"] if row["conductances"] == kind and row[key] is not None]
    return [row["hidden_layers"] for row in rows], [row[key]["fine_sweeps"] for row in rows]


def _settling(data: Dataset) -> list[Row]:
    images = np.asarray(data.test_inputs[:BATCH], np.float64) * data.scale
    rows: list[Row] = []
    for depth in DEPTHS:
        base = experiment("drn-2h").configuration
        assert isinstance(base, AnalogConfiguration)
        # The middle rate of the published two; deeper networks have none.
        configuration = dataclasses.replace(
            base, hidden=(WIDTH,) * depth, learning_rates=base.learning_rates[1:2], batch_size=BATCH
        )
        training = JaxTurn(configuration, data, TRAINED_STEPS)
        for kind in ("random", "trained"):
            if kind == "trained":
                training()
            network = training.state.network
            suited = MeanFieldSweeps().suits(network)
            rows.append(
                {
                    "hidden_layers": depth,
                    "conductances": kind,
                    "plain": _settled(_by(Sweeps), network, images),
                    "mean_field": _settled(_by(MeanFieldSweeps), network, images) if suited else None,
                    **{name: _settled(rival, network, images) for name, rival in RIVALS.items()},
                }
            )
    return rows


def _by(kind: type[Solver]) -> Callable[..., Solution]:
    def settle(network: LayeredNetwork, drive: Drive, *, rtol: float, max_steps: int) -> Solution:
        return kind(rtol, max_steps).solve(network, drive)

    return settle


def _settled(settle: Callable[..., Solution], network: LayeredNetwork, images: np.ndarray) -> Row:
    def free_phase(network: LayeredNetwork, inputs: Array, rtol: float) -> Solution:
        return settle(network, network.drive(inputs), rtol=rtol, max_steps=MOST_SWEEPS)

    compiled = eqx.filter_jit(free_phase)
    inputs, best = jnp.asarray(images, jnp.float32), math.inf
    point = compiled(network, inputs, RTOL)
    for _ in range(TURNS):
        begin = time.perf_counter()
        point = jax.block_until_ready(compiled(network, inputs, RTOL))
        best = min(best, time.perf_counter() - begin)
    fine: Any = double(compiled)(network, images, FINE_RTOL)  # pyright: ignore[reportArgumentType]
    return {
        "sweeps": int(point.steps),
        "residual": float(jnp.max(point.residual)),
        "seconds": best,
        "fine_sweeps": int(fine.steps),
        "fine_residual": float(np.max(fine.residual)),
    }


def _steps(data: Dataset) -> list[Row]:
    rows: list[Row] = []
    for name, fixed_sweeps in NETWORKS.items():
        for batch_size in BATCHES:
            analog, peer = experiment(name).configuration, experiment(PEER).configuration
            assert isinstance(analog, AnalogConfiguration) and isinstance(peer, BaselineConfiguration)
            analog = dataclasses.replace(analog, batch_size=batch_size, rtol=RTOL)
            peer = dataclasses.replace(peer, batch_size=batch_size, hidden=analog.hidden)
            steps = TURN_SAMPLES // batch_size
            theirs, ours = JaxTurn(peer, data, steps), JaxTurn(analog, data, steps)
            inputs = jnp.asarray(data.test_inputs[:batch_size], jnp.float32) * data.scale

            @eqx.filter_jit
            def fixed(network: LayeredNetwork, inputs: Array, sweeps: int = fixed_sweeps) -> Array:
                point = Sweeps(0.0, sweeps).solve(network, network.drive(inputs))
                return jnp.max(point.residual)

            for kind in ("random", "trained"):
                if kind == "trained":
                    for _ in range(TRAINED_STEPS // steps):
                        ours()
                left = float(fixed(ours.state.network, inputs))
                best = [math.inf, math.inf]
                for _ in range(TURNS):
                    best = [min(b, turn()) for b, turn in zip(best, (theirs, ours), strict=True)]
                tally = ours.state.tally
                rows.append(
                    {
                        "name": name,
                        "batch_size": batch_size,
                        "conductances": kind,
                        "mlp_seconds": best[0] / steps,
                        "seconds": best[1] / steps,
                        "ratio": best[1] / best[0],
                        "residual": float(tally.residual),
                        "unconverged": int(tally.unconverged),
                        "sweeps": int(tally.sweeps) / steps,
                        "fixed_sweeps": fixed_sweeps,
                        "fixed_residual": left,
                    }
                )
    return rows
