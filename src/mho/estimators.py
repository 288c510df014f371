"""scikit-learn's kind of estimators: circuits that classify and circuits that fit values.

They train by `mho.fit`; `predict` solves the circuit in float64.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mho.elements import IdealDiode
from mho.experiments.data import Dataset
from mho.experiments.fit import fit
from mho.experiments.prediction import predict
from mho.networks import Network, layered_network

_INPUT_GAIN = 2.0
"""Volts at a source for a standardised input of 1; a bias line of as many volts stands beside them."""


class _CircuitEstimator(BaseEstimator):
    """What both kinds have in common. See `CircuitClassifier` for the parameters."""

    def __init__(
        self,
        hidden: Sequence[int] = (32,),
        *,
        network: Network | Callable[[int, int, Any], Network] | None = None,
        rule: Any = None,
        optimizer: Any = "adam",
        learning_rates: Any = None,
        epochs: int = 30,
        batch_size: int = 16,
        scale_inputs: bool = True,
        target_voltage: float = 1.0,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.network = network
        self.rule = rule
        self.optimizer = optimizer
        self.learning_rates = learning_rates
        self.epochs = epochs
        self.batch_size = batch_size
        self.scale_inputs = scale_inputs
        self.target_voltage = target_voltage
        self.random_state = random_state

    def _train(self, x: np.ndarray, targets: np.ndarray, classes: int | None) -> None:
        self._offset, self._unit = np.zeros(x.shape[1]), np.ones(x.shape[1])
        if self.scale_inputs:
            deviation = x.std(0)
            # What does not vary beyond rounding says nothing.
            varies = deviation > 1e-9 * np.abs(x).max(0, initial=1e-300)
            self._offset, self._unit = x.mean(0), np.where(varies, deviation, np.inf)
        inputs = self._scaled(x)
        outputs = targets.shape[1] if classes is None else classes
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        network = self.network or self._layered
        if not isinstance(network, Network):
            network = network(x.shape[1], outputs, jax.random.key(seed))
        dataset = Dataset("samples", inputs, targets, inputs, targets, classes=classes)
        fitted = fit(
            network,
            dataset,
            rule=self.rule,
            optimizer=self.optimizer,
            learning_rates=self.learning_rates,
            epochs=self.epochs,
            batch_size=min(self.batch_size, len(inputs)),
            seed=seed,
            trained=("conductance", "bias") if self.network is None else ("conductance",),
            target_voltage=self.target_voltage,
            progress=False,
        )
        self.network_, self.metrics_ = fitted.network, fitted.metrics

    def _layered(self, features: int, outputs: int, key: Any) -> Network:
        elements = [IdealDiode(np.where(np.arange(n) < n / 2, 1.0, -1.0)) for n in self.hidden]  # type: ignore[arg-type]
        gain = _INPUT_GAIN
        return layered_network(
            (features, *self.hidden, outputs),
            key,
            elements=elements,
            input_gain=gain,
            bias_line=gain,
            paired_outputs=True,
        )

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return (x - self._offset) / self._unit

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        checked = validate_data(self, x, reset=False, dtype=np.float64)
        return predict(self.network_, self._scaled(np.asarray(checked)))


class CircuitClassifier(ClassifierMixin, _CircuitEstimator):
    """A circuit that tells classes: the output with the highest voltage.

    Args:
        hidden: nodes of each hidden layer of ideal diodes, where no network is given.
        network: a network, or a function of features, outputs and a JAX random key that makes one.
        rule: a learning rule; see `mho.fit`.
        optimizer: a name or an Optax transformation; see `mho.fit`.
        learning_rates: see `mho.fit`.
        epochs: passes through the samples.
        batch_size: samples an update.
        scale_inputs: whether features are standardised first.
        target_voltage: volts at the output of a sample's class.
        random_state: seed of the network and of the order of the samples.

    Attributes:
        classes_: the classes.
        network_: the trained network.
        metrics_: a record an epoch.
    """

    def fit(self, X: Any, y: Any) -> "CircuitClassifier":
        """Train on samples, (samples, features), and their classes, (samples,)."""
        x, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, targets = np.unique(np.asarray(labels), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"all samples are of one class, {self.classes_[0]!r}: at least two classes are needed")
        self._train(np.asarray(x), targets.astype(np.int32), len(self.classes_))
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Output voltages [V], (samples, classes); of two classes the second's above the first's, (samples,)."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> np.ndarray:
        """Softmax of the output voltages relative to the target's, four of which are one logit's scale."""
        logits = 4.0 * self._outputs(X) / self.target_voltage
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return weights / weights.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The classes of samples."""
        outputs = self._outputs(X)
        return self.classes_[np.argmax(outputs, 1)]


class CircuitRegressor(RegressorMixin, _CircuitEstimator):
    """A circuit that fits values; targets are standardised. See `CircuitClassifier` for the parameters."""

    def fit(self, X: Any, y: Any) -> "CircuitRegressor":
        """Train on samples, (samples, features), and values, (samples,) or (samples, outputs)."""
        x, values = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        values = np.asarray(values, np.float64)
        self._single = values.ndim == 1
        values = values.reshape(len(values), -1)
        self._mean, deviation = values.mean(0), values.std(0)
        self._width = np.where(deviation > 0, deviation, 1.0)
        targets = (values - self._mean) / self._width
        if not targets.any():
            raise ValueError("all targets are equal: there is no variance to explain")
        self._train(np.asarray(x), targets, None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The values of samples."""
        values = self._outputs(X) / self.target_voltage * self._width + self._mean
        return values[:, 0] if self._single else values

    def __sklearn_tags__(self) -> Any:
        """Values of several outputs are learnt, too."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
