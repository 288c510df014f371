"""What a network is: sources that inputs drive, an energy of its node voltages, outputs, parameters that learn.

Solvers and learning rules see networks through this class alone. Node voltages are whatever structure of arrays the network
keeps them in, a batch in the leading axis of each.
"""

import abc
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
from jax import Array


class Drive(eqx.Module):
    """What all phases of a batch share: what the sources do to the network."""

    sources: eqx.AbstractVar[Any]
    """Source voltages [V], (batch, sources)."""

    @abc.abstractmethod
    def repeated(self, times: int) -> Self:
        """The same drive for `times` batches stacked into one."""


class Network(eqx.Module):
    """A nonlinear resistive network whose Kirchhoff's laws are where its energy is stationary in the node voltages."""

    parameters: ClassVar[tuple[str, ...]] = ()
    """Kinds of parameters that can be trained."""
    local_parameters: ClassVar[tuple[str, ...]] = ()
    """Those of them whose gradient is a product of voltages at the element; see `local_gradient`."""

    @abc.abstractmethod
    def drive(self, inputs: Array) -> Drive:
        """Drive the sources with inputs of shape (batch, features)."""

    @abc.abstractmethod
    def energy(self, drive: Any, voltages: Any) -> Array:
        """E of each sample [W], (batch,), given the sources and the node voltages [V].

        Raises:
            MhoError: if the network has no energy.
        """

    @property
    def reciprocal(self) -> bool:
        """Whether Kirchhoff's laws are where the energy is stationary."""
        return True

    def adjoint(self) -> Self:
        """The network whose answer to small currents is this one's transposed: itself where it is reciprocal."""
        return self

    def work(self, drive: Any, voltages: Any, change: Any) -> Array:
        """Σ λ·F of each sample [W], (batch,): changes λ of the node voltages [V] times the currents F out of the nodes.

        F is the energy's gradient where there is one. By the parameters, the voltages held, its derivative at an operating
        point is λ·∂F/∂θ: with λ the adjoint's answer to −∂C/∂v, the exact gradient of C.
        """
        return jax.jvp(lambda v: self.energy(drive, v), (voltages,), (change,))[1]

    @abc.abstractmethod
    def prediction(self, voltages: Any) -> Array:
        """Output voltages, or their differences where outputs are pairs of nodes [V], (batch, outputs)."""

    @property
    @abc.abstractmethod
    def output_weight(self) -> Array | float:
        """What the energy's current at the outputs is multiplied by: Π 1/A² over the amplifiers before them."""

    @property
    @abc.abstractmethod
    def paired_outputs(self) -> bool:
        """Whether what is attached to the outputs stands at two nodes of each, each by itself."""

    @abc.abstractmethod
    def output_forces(self, gradient: Array) -> Any:
        """∂/∂(node voltages) of a function of the predictions, from its gradient by these, (batch, outputs).

        In the structure of the node voltages; None stands for zeros.
        """

    @abc.abstractmethod
    def held(self, drive: Any) -> Any:
        """What the sources alone put at the nodes [V], in the structure of the node voltages."""

    @abc.abstractmethod
    def marked(self, kinds: tuple[str, ...]) -> Any:
        """Which leaves are parameters of these kinds: the network's structure with True and False."""

    def consistent(self) -> Self:
        """The network with what follows from its parameters as they are now."""
        return self

    @abc.abstractmethod
    def local_gradient(self, kinds: tuple[str, ...], drive: Any, mean: Any, change: Any) -> Any:
        """∂/∂θ of the energy's difference between two phases, over the outputs' weight, by local products.

        For a conductance it is Σ Δv·δΔv, for a bias current −Σ δv: exact, since co-contents are quadratic and linear in the
        voltages there.

        Args:
            kinds: of `local_parameters`.
            drive: the network's sources.
            mean: of the two phases' node voltages [V].
            change: from one to the other, each sample's weight included.

        Returns:
            The network's structure with None in place of all other parameters.
        """


def unmarked(network: Network) -> Any:
    """A network's structure with False at every leaf."""
    return jax.tree.map(lambda _: False, network)


def without_polarities(marked: Any) -> Any:
    """The same, with False at the elements' polarities and offsets: wiring, +1 or −1, and what a process left."""

    def learns(path: Any, on: Any) -> Any:
        return on and getattr(path[-1], "name", "") not in ("polarity", "offset_voltage")

    return jax.tree_util.tree_map_with_path(learns, marked)
