"""A network's parameters as arrays by name, for other programs' files: NumPy's, safetensors', PyTorch's state dicts."""

from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np

from mho.errors import InputError
from mho.networks.network import Network

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def weights(network: Network) -> dict[str, np.ndarray]:
    """Copies of all parameters that can be trained, by name: ``layers.0.crossbar.resistors.conductance`` [S].

    Names are those in a run's checkpoints.
    """
    return {name: np.array(leaf) for name, leaf in _named(network).items()}


def with_weights(network: AnyNetwork, arrays: Mapping[str, Any]) -> AnyNetwork:
    """A network with the parameters that are given by name, in its own precision; others stay as they are.

    Args:
        network: the network.
        arrays: by the names of `weights`: NumPy's, JAX's or PyTorch's.

    Raises:
        InputError: for a name that the network has not, or an array of another shape or with values that are not finite.
    """
    known = _named(network)
    for name, array in arrays.items():
        if name not in known:
            raise InputError(f"weights {name!r}: this network has {', '.join(known)}")
        if np.shape(array) != np.shape(known[name]):
            raise InputError(f"weights {name!r}: of shape {np.shape(array)}; expected {np.shape(known[name])}")
        if not np.isfinite(np.asarray(array)).all():
            raise InputError(f"weights {name!r}: not all are finite")

    def replaced(path: Any, leaf: Any) -> Any:
        name = _name(path)
        return np.asarray(arrays[name], leaf.dtype) if name in arrays and name in known else leaf

    return jax.tree_util.tree_map_with_path(replaced, network).consistent()


def _named(network: Network) -> dict[str, Any]:
    part = eqx.filter(network, network.marked(network.parameters))
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(part)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
