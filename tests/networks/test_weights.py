"""Parameters go out by name and come back bit for bit; what does not fit is refused."""

import jax
import numpy as np
import pytest

import mho


def network(seed: int):
    diodes = mho.AntiparallelDiodes.symmetric(4, saturation_current=1e-9)
    return mho.layered_network([3, 4, 2], jax.random.key(seed), elements=[diodes], gains=[2.0])


@pytest.mark.parametrize("made", [network, lambda seed: mho.random_graph(2, 1, hidden=4, diodes=5, seed=0)])
def test_weights_go_out_and_come_back(made) -> None:
    one, other = made(0), made(1)
    arrays = {name: 1.5 * array for name, array in mho.weights(one).items()}
    back = mho.weights(mho.with_weights(other, arrays))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_what_does_not_fit_is_refused() -> None:
    name = "layers.0.crossbar.resistors.conductance"
    with pytest.raises(mho.InputError, match=r"'layers.7': this network has layers.0.crossbar.resistors.conductance, "):
        mho.with_weights(network(0), {"layers.7": np.ones(3)})
    with pytest.raises(mho.InputError, match=r"of shape \(3,\); expected \(3, 2, 4\)"):
        mho.with_weights(network(0), {name: np.ones(3)})
    with pytest.raises(mho.InputError, match="not all are finite"):
        mho.with_weights(network(0), {name: np.full((3, 2, 4), np.nan)})
