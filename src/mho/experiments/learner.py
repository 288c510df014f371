"""What an epoch needs to know of a network and of how it learns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optax
from jax import Array
from numpy.typing import ArrayLike

from mho.learning import Gradient


@dataclass(frozen=True)
class Learner:
    """A network at its start and the functions that train and judge it, to be compiled by `mho.experiments.epoch`."""

    network: Any
    """A pytree of arrays with `layers`."""
    parameters: Callable[[Any], Any]
    """The trained part of a network, None in place of the rest."""
    optimizer: optax.GradientTransformation
    """Its learning rates included."""
    gradient: Callable[..., Gradient]
    """Of the batch's mean cost, from the network, inputs (batch, features), targets (batch, outputs), a random key; an
    analog network takes another nudging factor `beta`, too."""
    predict: Callable[[Any, Array], tuple[Array, Array]]
    """Predictions (batch, outputs), and which samples converged (batch,), from the network and inputs."""
    tolerance: float | None
    """Kirchhoff residual up to which an operating point of a probe obeys the law; None where there is no circuit."""
    weights: Callable[[Any], Mapping[str, ArrayLike]]
    """What the histograms show, by layer."""
    weight_name: str
    """What that is, and its unit."""
    target_voltage: float = 1.0
    """What a prediction is to be where the target is 1: volts, in a circuit."""
    double: bool = False
    """Whether all is computed in float64 and not in float32."""
    traceable: bool = True
    """Whether JAX can compile `gradient` and `predict`; they call another simulator if not."""
    close: Callable[[], None] = lambda: None
    """Ends what the learner has started."""
