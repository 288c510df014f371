"""The start of training: predicted spread, common mode and gradients are those measured; a balanced one is level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mho
from mho import InputError, layered_network
from mho.elements import IdealDiode
from mho.networks import LayeredNetwork

pytestmark = pytest.mark.usefixtures("compiled_in_haste")
INPUTS = np.random.default_rng(0).uniform(0.0, 0.6, (4, 32))


def network(law: str, hidden: int, seed: int, width: int = 128) -> LayeredNetwork:
    elements = [IdealDiode(jnp.where(jnp.arange(width) < width // 2, 1.0, -1.0)) for _ in range(hidden)]
    widths = (32, *[width] * hidden, 10)
    key = jax.random.key(seed)
    return layered_network(
        widths, key, elements=elements, paired_outputs=True, initial_law=law, input_gain=40.0, bias_currents=False
    )


@pytest.mark.parametrize(("law", "hidden"), [("balanced", 5), ("clipped", 3)])
def test_what_is_predicted_is_measured(law: str, hidden: int) -> None:
    starts = [mho.start_statistics(network(law, hidden, seed), INPUTS) for seed in range(4)]
    for layers in zip(*starts, strict=True):
        for name in ("common", "spread", "gradient"):
            measured = np.sqrt(np.mean([getattr(layer, name) ** 2 for layer in layers]))  # over the draws
            predicted = np.mean([getattr(layer, f"predicted_{name}") for layer in layers])
            if law == "balanced" and name == "common":
                assert measured < 1e-9 and predicted == 0.0, "it cancels exactly"
            else:
                # Of a plain start, where diodes of one sign pass all together, the gradient is known to its magnitude alone.
                within = 4.0 if (law, name) == ("clipped", "gradient") else 1.7
                assert 1.0 / within < measured / predicted < within, (name, measured, predicted)
    first, *_, last, _ = starts[0]
    assert (law == "balanced") == (last.spread > 0.1 * first.spread)


def test_a_balanced_start_is_level_through_ten_layers() -> None:
    layers = mho.start_statistics(network("balanced", 10, 0, 256), INPUTS)[:-1]
    spreads, gradients = ([getattr(layer, name) for layer in layers] for name in ("spread", "gradient"))
    assert max(spreads) < 2.0 * min(spreads) and max(gradients) < 3.0 * min(gradients)


def test_layers_without_halves_are_refused() -> None:
    with pytest.raises(InputError, match="a hidden layer of 5 nodes: a balanced start needs even numbers"):
        layered_network((4, 5, 2), jax.random.key(0), initial_law="balanced")
