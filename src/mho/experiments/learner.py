"""What an epoch needs to know of a network and of how it learns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import numpy as np
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
    exact: Callable[..., Gradient] | None = None
    """The exact gradient, from the network, inputs and targets, where `gradient` is another; None where it is the same,
    or a circuit's, which takes longer to compile than many a circuit to train."""
    share: Callable[[Any, float | Array], Array | None] = lambda network, beta: None
    """A nudging factor in units of the least that leaves a phase no state; None where there is no such limit."""
    suited: Callable[[Any, Array, Array], Array] | None = None
    """The nudging factor of an epoch from the network at its start, inputs and targets; None where all have the same."""
    double: bool = False
    """Whether all is computed in float64 and not in float32."""
    programming: Callable[[Any, Any], tuple[Any, Any]] = lambda network, optimizer_state: (network, optimizer_state)
    """Makes real devices of a network's conductances: the network at its start and what `updated` takes for a state, from
    the network and the optimizer's state."""
    relative: bool = False
    """Whether conductances are updated by their logarithms."""
    kept: float = 1.0
    """Share of what conductances are above their lower bounds that an update does not let leak away."""
    traceable: bool = True
    """Whether JAX can compile `gradient` and `predict`; they call another simulator if not."""
    close: Callable[[], None] = lambda: None
    """Ends what the learner has started."""


def with_constants(learner: Learner, network: Any) -> Learner:
    """The learner for one network's training: what is not trained is that of `network`, as constants.

    It is the same for all steps, and XLA can compute with constants beforehand. Of a network that the functions are given
    they take the trained part alone, so the learner serves no other network.

    Args:
        learner: the learner; one that calls another simulator, or trains a network in float64, stays as it is.
        network: the network as its training begins, or goes on, its arrays on this machine.
    """
    if not learner.traceable or learner.double:
        return learner
    constants = jax.tree.map(_shared, eqx.filter(network, is_trained(learner, network), inverse=True))

    def whole(network: Any) -> Any:
        return eqx.combine(learner.parameters(network), constants)

    suited = learner.suited

    return replace(
        learner,
        gradient=lambda network, *given, **options: learner.gradient(whole(network), *given, **options),
        predict=lambda network, inputs: learner.predict(whole(network), inputs),
        suited=suited and (lambda network, *given: suited(whole(network), *given)),
    )


def is_trained(learner: Learner, network: Any) -> Any:
    """Which arrays of a network learn, in its structure."""
    return jax.tree.map(lambda leaf: leaf is not None, learner.parameters(network), is_leaf=lambda leaf: leaf is None)


def _shared(parameter: Array) -> np.ndarray:
    """One number where all entries of a parameter are equal."""
    values = np.asarray(parameter)
    return values.flat[0] if values.size and np.all(values == values.flat[0]) else values
