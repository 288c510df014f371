import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.experiments.analog import analog_network
from mho.experiments.registry import experiment
from mho.learning import CoupledLearning, EquilibriumPropagation, Readout, Rule

KEY = jax.random.key(0)


@settings(max_examples=20, deadline=None)
@given(
    noise=st.floats(1e-6, 1e-2), relative=st.floats(1e-6, 1e-2), reads=st.integers(1, 64), level=st.floats(-3.0, 3.0)
)
def test_noise_has_the_spread_of_its_settings_and_no_mean(
    noise: float, relative: float, reads: int, level: float
) -> None:
    rest = {"v": jnp.full((500, 40), level)}
    found = Readout(noise, relative, reads).read(jax.tree.map(jnp.zeros_like, rest), rest, KEY)["v"]
    spread = np.hypot(noise, relative * level) / reads**0.5
    assert abs(float(found.std()) / spread - 1.0) < 0.02
    assert abs(float(found.mean())) < 4.0 * spread / 20_000**0.5


@given(step=st.floats(1e-4, 0.1), level=st.floats(-2.0, 2.0), deviation=st.floats(-1e-2, 1e-2))
def test_a_converter_reads_multiples_of_its_step(step: float, level: float, deviation: float) -> None:
    found = level + float(Readout(step=step).read(jnp.asarray(deviation), jnp.asarray(level), None))
    assert abs(found - level - deviation) <= 0.5 * step + 1e-6
    assert abs(found / step - round(found / step)) < 1e-5 * max(1.0, abs(level) / step)


@pytest.mark.parametrize("rule", [EquilibriumPropagation(beta=0.05), CoupledLearning(eta=0.2)], ids=["ep", "coupled"])
def test_a_gradient_of_noisy_reads_is_the_gradient_on_average_and_noise_falls_with_reads(rule: Any) -> None:
    configuration: Any = dataclasses.replace(experiment("drn-digits").configuration, hidden=(6,))
    network = analog_network(configuration, 5, 3)
    random = np.random.default_rng(0)
    inputs, targets = random.uniform(size=(4, 5)).astype(np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]

    def flat(rule: Rule, key: Any) -> jax.Array:
        found = rule.gradient(network, inputs, targets, trained=("conductance",), key=key).by_parameter
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(found)])

    def drawn(reads: int) -> np.ndarray:
        noisy = dataclasses.replace(rule, readout=Readout(noise=1e-3, reads=reads))
        return np.asarray(jax.jit(jax.vmap(lambda key: flat(noisy, key)))(jax.random.split(KEY, 2000)))

    exact, once, often = np.asarray(flat(rule, KEY)), drawn(1), drawn(16)
    np.testing.assert_allclose(often.std(0), once.std(0) / 4.0, rtol=0.1)
    np.testing.assert_allclose(once.mean(0), exact, atol=5.0 * float(once.std(0).max()) / 2000**0.5)
    with pytest.raises(InputError, match="random key"):
        flat(dataclasses.replace(rule, readout=Readout(1e-3)), None)
