"""Windows that settle with their pooling nodes: the states of plain sweeps, in fewer of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mho.elements import IdealDiode, PiecewiseDiode
from mho.learning import EnergyNudge, SquaredError
from mho.networks import Layer, LayeredNetwork, convolutional_network
from mho.precision import double
from mho.steady import PooledSweeps, Sweeps, kirchhoff_residual
from random_circuits import STRUCTURES, random_network

pytestmark = pytest.mark.usefixtures("compiled_in_haste")

BATCH = 4


def diodes(nodes: int, element: str):
    polarity = np.where(np.random.default_rng(nodes).random(nodes) < 0.5, 1.0, -1.0)
    if element == "ideal":
        return IdealDiode(polarity)
    return PiecewiseDiode(np.full(nodes, 10.0), np.full(nodes, 1e6), np.full(nodes, 0.1), polarity)


def network(element: str, filters: tuple[int, ...]) -> LayeredNetwork:
    """Convolutions whose nodes the pooling windows leave some over of; polarities are mixed in each window."""
    nodes = [count * n for count, n in zip(filters, (9 * 8, 3 * 3), strict=False)]
    return convolutional_network(
        (10, 9),
        filters,
        (3,),
        jax.random.key(1),
        window=2,
        pooling=2,
        elements=[None if element == "linear" else diodes(n, element) for n in nodes],
        gains=(2.0, 3.0)[: len(filters)],
        input_gain=5.0,
        lower=0.05,
    )


@double
def settled(method, network, inputs, nudge, phases, start=None):
    driven = network.drive(jnp.asarray(inputs)).repeated(phases)
    return method(1e-13, 3000).solve(network, driven, attached=nudge, start=start)


@pytest.mark.parametrize("element", ["ideal", "piecewise", "linear"])
@pytest.mark.parametrize("filters", [(4,), (3, 4)])
def test_states_are_those_of_plain_sweeps(element, filters):
    """All phases together from 0 V, in half the sweeps at the most, and from elsewhere."""
    subject = network(element, filters)
    assert PooledSweeps().suits(subject)
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(BATCH, 90)), np.eye(3)[rng.integers(3, size=BATCH)]
    strength = np.repeat([0.0, 0.1, -0.1], BATCH)[:, None]
    nudge = EnergyNudge(SquaredError(), strength, np.tile(targets, (3, 1)), False)
    ours = settled(PooledSweeps, subject, inputs, nudge, 3)
    plain = settled(Sweeps, subject, inputs, nudge, 3)
    assert max(ours.residual.max(), plain.residual.max()) <= 1e-13
    assert ours.steps <= plain.steps / 2
    sources = np.tile(inputs, (3, 1)) * subject.input_gain
    assert kirchhoff_residual(subject, sources, ours.voltages, nudge).max() <= 1e-10
    elsewhere = tuple(rng.normal(0, 5, v.shape) for v in ours.voltages)
    again = settled(PooledSweeps, subject, inputs, nudge, 3, elsewhere)
    for a, b, c in zip(ours.voltages, plain.voltages, again.voltages, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(a, c, rtol=1e-9, atol=1e-9)


def test_nodes_in_the_dark_are_in_balance_too():
    """In float32, where nearly no current flows; and one that is a thousandth off is reported."""
    subject = network("ideal", (4,))
    inputs = np.zeros((BATCH, 10, 9), np.float32)
    inputs[:, 3:5, 3:5] = np.random.default_rng(0).uniform(size=(BATCH, 2, 2))
    inputs = inputs.reshape(BATCH, -1)
    residual = {}
    for method in (PooledSweeps, Sweeps):
        settle = jax.jit(lambda n, x, m=method: m(1e-5, 100).solve(n, n.drive(x)))
        voltages = settle(subject, inputs).voltages
        residual[method] = kirchhoff_residual(subject, inputs * subject.input_gain, voltages).max()
    assert residual[PooledSweeps] < 1e-4 < residual[Sweeps]
    point = settled(PooledSweeps, subject, inputs, None, 1)
    dark = np.abs(point.voltages[1]).min(0).argmin()
    moved = point.voltages[1].copy()
    moved[:, dark] *= 1.001
    wrong = (point.voltages[0], moved, *point.voltages[2:])
    assert kirchhoff_residual(subject, inputs * subject.input_gain, wrong).max() > 1e-4


def test_what_it_is_not_for():
    """Nodes that are solved in a few steps from where they stand, nodes that pool and carry an element, and no pooling."""
    assert PooledSweeps().suits(random_network(STRUCTURES["pooled"], 0))
    for name in ("convolutional", "drn"):
        assert not PooledSweeps().suits(random_network(STRUCTURES[name], 0))
    subject = network("ideal", (2,))
    first, pooling, *rest = subject.layers
    element = IdealDiode(np.ones(pooling.crossbar.shape[1]))
    assert not PooledSweeps().suits(LayeredNetwork((first, Layer(pooling.crossbar, element), *rest)))
