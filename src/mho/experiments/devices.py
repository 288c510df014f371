"""The devices of a run: a mesh that shares out a batch's samples by its rows and wide layers' nodes by its columns.

Arrays are placed, and XLA's partitioner puts the communication in (GSPMD: Xu et al. 2021, arXiv:2105.04663): the
compiled epoch is the one-device program, so its steps are the same to rounding. Many machines run the same command, a
process each, and every process runs the same program on its own devices; the first alone writes and shows.
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mho.errors import InputError, MhoError

T = TypeVar("T")

_SAMPLES, _NODES = "samples", "nodes"
_CONNECTION_SECONDS = 120
"""How long a process waits for the others to begin."""


@dataclass(frozen=True)
class Devices:
    """The devices that a run is shared out over."""

    mesh: Mesh
    """Rows share out the samples of a batch, columns the nodes of layers."""

    @property
    def sample_shares(self) -> int:
        """Parts that a batch is split into."""
        return self.mesh.shape[_SAMPLES]

    @property
    def processes(self) -> int:
        """Processes that the devices belong to."""
        return len({device.process_index for device in self.mesh.devices.flat})

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return self.processes == 1 or jax.process_index() == 0

    @property
    def everywhere(self) -> NamedSharding:
        """The whole array on every device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that cannot be shared out equally.

        Raises:
            InputError: if its size is not a multiple of the parts.
        """
        if batch_size % self.sample_shares:
            right = -(-batch_size // self.sample_shares) * self.sample_shares
            raise InputError(
                f"--batch-size {batch_size}: does not divide over {self.sample_shares} devices; {right} would"
            )

    def shared_samples(self, batch: Array) -> Array:
        """A batch, (samples, ...), split by samples: for use within a compiled function."""
        return jax.lax.with_sharding_constraint(batch, NamedSharding(self.mesh, PartitionSpec(_SAMPLES)))

    def replicated(self, array: Any) -> Array:
        """The same array on every device."""
        return self._put(array, PartitionSpec())

    def placed(self, state: T) -> T:
        """A training state on the devices: matrices split by columns, or else by rows, and vectors by their entries.

        What does not divide by the mesh's columns stands whole on every device.

        Raises:
            InputError: if the nodes were to be split and nothing can be.
        """
        parts = self.mesh.shape[_NODES]

        def spec(leaf: Any) -> PartitionSpec:
            if 1 <= leaf.ndim <= 3:
                for axis in reversed(range(leaf.ndim)):
                    if leaf.shape[axis] % parts == 0:
                        return PartitionSpec(*[None] * axis, _NODES)
            return PartitionSpec()

        specs = jax.tree.map(spec, state)
        if parts > 1 and not any(jax.tree.leaves(specs, is_leaf=lambda x: isinstance(x, PartitionSpec))):
            raise InputError(f"--tensor-parallel {parts}: divides no layer's nodes")
        return jax.tree.map(self._put, state, specs)

    def gathered(self, state: T) -> T:
        """A state of which this process can read every array. All processes must call it together."""
        if self.processes == 1:
            return state
        whole = jax.jit(lambda s: s, out_shardings=self.everywhere)(state)
        return jax.tree.map(np.asarray, whole)

    def agreed(self, leader: Sequence[int], anyone: bool) -> tuple[list[int], bool]:
        """What all processes go by: the first one's numbers, and whether any of them says `anyone`."""
        if self.processes == 1:
            return list(leader), anyone
        told = np.asarray(multihost_utils.process_allgather(np.array([*leader, anyone], np.int32)))
        told = told.reshape(self.processes, -1)
        return [int(x) for x in told[0, :-1]], bool(told[:, -1].any())

    def together(self, work: Callable[[], T]) -> T:
        """Do what all processes take part in.

        Raises:
            MhoError: if the others cannot be reached any more.
        """
        if self.processes == 1:
            return work()
        try:
            return jax.block_until_ready(work())
        except (RuntimeError, ValueError) as problem:
            # What a broken connection raises (gloo a ValueError, others XlaRuntimeError) has no type of its own.
            reason = re.search(r"Gloo|NCCL|UNAVAILABLE|ABORTED|CANCELLED|coordination", str(problem))
            if reason is None:
                raise
            raise MhoError(lost(jax.process_index(), self.processes)) from problem

    def _put(self, array: Any, spec: PartitionSpec) -> Array:
        sharding = NamedSharding(self.mesh, spec)
        if self.processes == 1:
            return jax.device_put(array, sharding)
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def lost(process_id: int, processes: int) -> str:
    """What a process says that lost the others."""
    return (
        f"host {process_id} of {processes} lost the others: one of them ended, or their coordinator could not be "
        "reached; checkpoints stand, and mho train --resume goes on from the last one on any number of devices"
    )


@functools.cache
def one_device() -> Devices:
    """The first device alone."""
    return Devices(Mesh(np.array(jax.local_devices()[:1]).reshape(1, 1), (_SAMPLES, _NODES)))


def mesh_devices(count: int | None = None, *, tensor_parallel: int = 1) -> Devices:
    """Devices of all processes as a mesh, as many of each process.

    Args:
        count: how many; one of each process if None.
        tensor_parallel: over how many the nodes of layers are split; the samples over `count` / `tensor_parallel`.

    Raises:
        InputError: if there are fewer, or the numbers do not divide.
    """
    processes = jax.process_count()
    count = processes * tensor_parallel if count is None else count
    for name, value in (("--devices", count), ("--tensor-parallel", tensor_parallel)):
        if value < 1:
            raise InputError(f"{name} {value}: must be positive")
    if count % tensor_parallel:
        raise InputError(f"--tensor-parallel {tensor_parallel}: does not divide the {count} devices")
    if count % processes:
        raise InputError(f"--devices {count}: does not divide over the {processes} hosts")
    each = count // processes
    chosen = []
    for process in range(processes):
        there = [device for device in jax.devices() if device.process_index == process]
        if len(there) < each:
            kind = there[0].platform
            where = f"host {process}" if processes > 1 else "this machine"
            hint = f"; XLA_FLAGS=--xla_force_host_platform_device_count={each} makes {each} of a CPU"
            raise InputError(
                f"--devices {count}: {where} has {len(there)} ({kind}), and {each} are needed there"
                + (hint if kind == "cpu" else "")
            )
        chosen += there[:each]
    return Devices(Mesh(np.array(chosen).reshape(-1, tensor_parallel), (_SAMPLES, _NODES)))


def check_hosts(coordinator: str | None, processes: int, process_id: int) -> None:
    """Refuse processes that could not find each other.

    Raises:
        InputError: if the numbers or the address make no sense.
    """
    if processes < 1:
        raise InputError(f"--hosts {processes}: must be positive")
    if not 0 <= process_id < processes:
        raise InputError(f"--host-id {process_id}: must be from 0 to {processes - 1}, for --hosts {processes}")
    if (coordinator is None) != (processes == 1):
        raise InputError("--coordinator HOST:PORT and --hosts above 1 go together")
    if coordinator is not None:
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise InputError(f"--coordinator {coordinator}: expected HOST:PORT of the first process")


def connect(coordinator: str, processes: int, process_id: int) -> None:
    """Join the processes of a run; to be called before anything is computed.

    A process that then loses the others is aborted by JAX's runtime.

    Args:
        coordinator: `host:port` at which the first process listens.
        processes: how many there are.
        process_id: which one this is, from 0.
    """
    jax.distributed.initialize(
        coordinator,
        processes,
        process_id,
        initialization_timeout=_CONNECTION_SECONDS,
        cluster_detection_method="deactivate",
    )
