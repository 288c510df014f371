import dataclasses
from typing import Any

import jax
import numpy as np

from mho.experiments.gradient_health import Health, compile_health
from mho.experiments.kinds import learner
from mho.experiments.learner import Learner
from mho.experiments.registry import experiment


def made(**changes: Any) -> Learner:
    return learner(dataclasses.replace(experiment("drn-digits").configuration, **changes), 12, 4, 10)


def health(trains: Learner) -> Health:
    random = np.random.default_rng(0)
    inputs, targets = random.uniform(-1.0, 1.0, (8, 12)), np.eye(4)[random.integers(4, size=8)]
    judge = compile_health(trains)
    assert judge is not None
    return judge(trains.network, inputs, targets, jax.random.key(0))


def test_a_small_nudge_is_exact_a_smaller_one_drowns_and_faults_are_seen() -> None:
    sound = made(beta=1e-3)
    found = health(sound)
    np.testing.assert_allclose([found.cosine, found.ratio], np.ones((2, 2)), atol=2e-3)

    def planted(*given: Any) -> Any:
        gradient = sound.gradient(*given)
        return dataclasses.replace(gradient, by_parameter=jax.tree.map(lambda g: -2.0 * g, gradient.by_parameter))

    turned = health(dataclasses.replace(sound, gradient=planted))
    np.testing.assert_allclose(np.array(turned.cosine) / found.cosine, -1.0, rtol=1e-5)
    np.testing.assert_allclose(np.array(turned.ratio) / found.ratio, 2.0, rtol=1e-5)
    drowned = health(made(beta=1e-7)).cosine[0]
    assert drowned is not None and drowned < 0.9
    assert health(made(beta=1e-12)) == Health((0.0, 0.0), (0.0, 0.0))
    assert compile_health(made(rule="implicit")) is None
