"""Convolutions and pooling: crossbars whose resistors share conductances.

The nodes of a convolutional layer are planes of height × width nodes, a plane a channel, one after the other: node
(channel, row, column) of C planes of H × W is number (channel·H + row)·W + column. The resistor from row node
(c, s·i + k, s·j + l) to column node (d, i, j), with s the stride, has conductance g[d, c, k, l] wherever (i, j) is:
devices programmed alike. No resistor reaches over the edge. Energy and currents are those of a dense crossbar with these
resistors (co-content Σ ½ g Δv²), so every law, solver and learning rule holds; the slope of the energy by a shared
conductance is the sum over its resistors. Source of the layered energy: Kendall et al. 2020, section 3; of
convolutional energies with shared weights: Ernoult et al. 2019, arXiv:1905.13633, section 4.2.
"""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mho.elements import ProgrammableResistor
from mho.errors import InputError
from mho.networks.crossbar import Crossbar, SingleResistors


@dataclass(frozen=True)
class Planes:
    """Where a convolution's windows lie: C planes of H × W rows under windows of `window` × `window`."""

    channels: int
    height: int
    width: int
    window: int
    stride: int

    def __post_init__(self) -> None:
        for name in ("channels", "height", "width", "window", "stride"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must be positive")
        if self.window > min(self.height, self.width):
            raise InputError(
                f"a window of {self.window} × {self.window} does not fit {self.height} × {self.width} nodes"
            )

    @property
    def rows(self) -> int:
        """Nodes under the windows."""
        return self.channels * self.height * self.width

    @property
    def steps(self) -> tuple[int, int]:
        """Windows down and across: the columns' height and width."""
        return (self.height - self.window) // self.stride + 1, (self.width - self.window) // self.stride + 1

    def convolve(self, kernel: Array, drive: Array) -> Array:
        """Σ g·u over each window: (batch, rows) to (batch, filters · windows); `kernel` is (filters, C, window, window)."""
        images = drive.reshape(-1, self.channels, self.height, self.width)
        result = lax.conv_general_dilated(images, kernel, (self.stride, self.stride), "VALID")
        return result.reshape(result.shape[0], -1)

    def spread(self, kernel: Array, voltage: Array) -> Array:
        """The transpose of `convolve` in the drive: (batch, filters · windows) to (batch, rows).

        A product with the kernel, whose entries' planes are then added up where they lie: XLA's CPU convolutions are
        slower at it.
        """
        (down, across), n, s = self.steps, self.window, self.stride
        planes = voltage.reshape(len(voltage), len(kernel), -1)
        entries = jnp.einsum("fe,bfw->bew", kernel.reshape(len(kernel), -1), planes)
        entries = entries.reshape(-1, self.channels, n, n, down, across)
        zero, total = jnp.zeros((), entries.dtype), jnp.zeros(())
        for k, l in np.ndindex(n, n):
            below, right = self.height - k - s * (down - 1) - 1, self.width - l - s * (across - 1) - 1
            total += lax.pad(entries[:, :, k, l], zero, ((0, 0, 0), (0, 0, 0), (k, below, s - 1), (l, right, s - 1)))
        return total.reshape(len(voltage), -1)

    def correlate(self, drive: Array, voltage: Array) -> Array:
        """The transpose of `convolve` in the kernel: Σ u·v over the batch and the windows, in the kernel's shape.

        As a product with the patches: XLA's CPU convolution takes many times as long for a large batch.
        """
        down, across = self.steps
        planes = voltage.reshape(len(voltage), -1, down * across)
        product = lax.dot_general(planes, self.patches(drive), (((0, 2), (0, 2)), ((), ())))
        return product.reshape(-1, self.channels, self.window, self.window)

    def patches(self, drive: Array) -> Array:
        """What each entry of the kernel meets at each place, (batch, channels · window², windows)."""
        (down, across), s = self.steps, self.stride
        images = drive.reshape(-1, self.channels, self.height, self.width)
        entries = [
            images[:, :, k : k + s * (down - 1) + 1 : s, l : l + s * (across - 1) + 1 : s]
            for k, l in np.ndindex(self.window, self.window)
        ]
        return jnp.stack(entries, 2).reshape(len(drive), -1, down * across)

    def over_windows(self, by_filter: Array) -> Array:
        """A number a filter, (..., filters), at each of its nodes, (..., filters · windows)."""
        return jnp.repeat(by_filter, self.steps[0] * self.steps[1], axis=-1)

    def indices(self) -> np.ndarray:
        """Row node under each window's entries, (C, window, window, windows down, windows across)."""
        c, k, l, i, j = np.indices((self.channels, self.window, self.window, *self.steps), sparse=True)
        return (c * self.height + self.stride * i + k) * self.width + self.stride * j + l

    def single_resistors(self, kernel: np.ndarray) -> SingleResistors:
        """Row, column and conductance of every resistor."""
        filters = len(kernel)
        row = np.broadcast_to(self.indices(), (filters, self.channels, self.window, self.window, *self.steps))
        column = np.arange(filters * self.steps[0] * self.steps[1]).reshape(filters, 1, 1, 1, *self.steps)
        column, conductance = np.broadcast_to(column, row.shape), np.broadcast_to(kernel[..., None, None], row.shape)
        return row.reshape(-1), column.reshape(-1), conductance.reshape(-1)

    def largest(self, kernel: Array, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """The largest |g Δv| at each row and at each column, one entry of the kernel after the other."""
        at = jnp.asarray(self.indices().reshape(self.channels * self.window**2, -1))
        entries = jnp.moveaxis(kernel.reshape(len(kernel), -1), 1, 0)
        columns = voltage.reshape(len(voltage), len(kernel), -1)

        def visit(largest: tuple[Array, Array], entry: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            index, conductance = entry
            branch = jnp.abs(conductance[:, None] * (jnp.take(drive, index, 1)[:, None] - columns))
            return (largest[0].at[:, index].max(branch.max(1)), jnp.maximum(largest[1], branch)), None

        start = (jnp.zeros_like(drive), jnp.zeros_like(columns))
        rows, found = lax.scan(visit, start, (at, entries))[0]
        return rows, found.reshape(voltage.shape)


class ConvolutionCrossbar(Crossbar):
    """A convolution between two layers of nodes."""

    resistors: ProgrammableResistor
    """Conductances of shape (filters, channels, window, window)."""
    planes: Planes = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        down, across = self.planes.steps
        return self.planes.rows, self.resistors.conductance.shape[0] * down * across

    def load(self, drive: Array) -> tuple[Array, Array]:
        """A convolution and the kernels' sums."""
        return self.current(drive), self.column_conductance()

    def current(self, drive: Array) -> Array:
        """The convolution."""
        return self.planes.convolve(self.resistors.conductance, drive)

    def reverse_current(self, voltage: Array) -> Array:
        """Its transpose."""
        return self.planes.spread(self.resistors.conductance, voltage)

    def column_conductance(self) -> Array:
        """Each kernel's sum, at all its nodes."""
        return self.planes.over_windows(self.resistors.conductance.sum((1, 2, 3)))

    def row_conductance(self) -> Array:
        """The transpose of the convolution at 1 V everywhere: nodes near the edge lie under fewer windows."""
        return self.reverse_current(jnp.ones((1, self.shape[1]), self.resistors.conductance.dtype))[0]

    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ g (u − v)², expanded."""
        squares = drive**2 @ self.row_conductance() + voltage**2 @ self.column_conductance()
        return 0.5 * squares - jnp.sum(self.current(drive) * voltage, -1)

    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "ConvolutionCrossbar":
        """Σ (u − v)(δu − δv) over batch and windows, expanded: correlations of planes."""
        planes = self.planes
        product = _columns_product(voltage, voltage_change, len(self.resistors.conductance))
        product = product - planes.correlate(drive, voltage_change)
        if drive_change is not None:
            product += _rows_product(planes, drive, drive_change) - planes.correlate(drive_change, voltage)
        return eqx.tree_at(lambda c: c.resistors.conductance, self, product)

    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Entry by entry of the kernel."""
        return self.planes.largest(self.resistors.conductance, drive, voltage)

    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Resistor by resistor."""
        return (self.planes.single_resistors(np.asarray(self.resistors.conductance, np.float64)),)


class MirroredConvolutionCrossbar(Crossbar):
    """A convolution whose rows come in pairs held at +x and −x; see `MirroredCrossbar`."""

    mirrored = True
    plus: ProgrammableResistor
    """From the sources at +x; conductances of shape (filters, channels, window, window)."""
    minus: ProgrammableResistor
    """From the sources at −x; the same shape."""
    planes: Planes = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Pairs of rows and columns."""
        down, across = self.planes.steps
        return self.planes.rows, self.plus.conductance.shape[0] * down * across

    @property
    def _weight(self) -> Array:
        return self.plus.conductance - self.minus.conductance

    @property
    def _total(self) -> Array:
        return self.plus.conductance + self.minus.conductance

    def load(self, drive: Array) -> tuple[Array, Array]:
        """A convolution and the kernels' sums."""
        return self.current(drive), self.column_conductance()

    def current(self, drive: Array) -> Array:
        """The convolution with G₊ − G₋."""
        return self.planes.convolve(self._weight, drive)

    def reverse_current(self, voltage: Array) -> Array:
        """The transpose with G₊ + G₋: what the pair of sources takes up together."""
        return self.planes.spread(self._total, voltage)

    def column_conductance(self) -> Array:
        """Each kernel's sum over both polarities, at all its nodes."""
        return self.planes.over_windows(self._total.sum((1, 2, 3)))

    def row_conductance(self) -> Array:
        """Each pair's total conductance."""
        return self.reverse_current(jnp.ones((1, self.shape[1]), self.plus.conductance.dtype))[0]

    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ [g₊ (x − v)² + g₋ (x + v)²], expanded."""
        squares = drive**2 @ self.row_conductance() + voltage**2 @ self.column_conductance()
        return 0.5 * squares - jnp.sum(self.current(drive) * voltage, -1)

    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "MirroredConvolutionCrossbar":
        """Σ (±u − v)(±δu − δv), expanded: the even part is common to both polarities, the odd part changes sign."""
        planes = self.planes
        even = _columns_product(voltage, voltage_change, len(self.plus.conductance))
        odd = planes.correlate(drive, voltage_change)
        if drive_change is not None:
            even += _rows_product(planes, drive, drive_change)
            odd += planes.correlate(drive_change, voltage)
        return eqx.tree_at(lambda c: (c.plus.conductance, c.minus.conductance), self, (even - odd, even + odd))

    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Entry by entry of the kernels."""
        plus_rows, plus_columns = self.planes.largest(self.plus.conductance, drive, voltage)
        minus_rows, minus_columns = self.planes.largest(self.minus.conductance, -drive, voltage)
        return jnp.maximum(plus_rows, minus_rows), jnp.maximum(plus_columns, minus_columns)

    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Resistor by resistor, those of the sources at +x first."""
        kernels = self.plus.conductance, self.minus.conductance
        return tuple(self.planes.single_resistors(np.asarray(kernel, np.float64)) for kernel in kernels)


class PoolingCrossbar(Crossbar):
    """Resistive averaging: equal, fixed resistors from the nodes of a window of each plane to one node.

    Windows do not overlap, and rows beyond the last whole window hang free. A node behind nothing but its window stands
    at the window's mean voltage.
    """

    planes: Planes = eqx.field(static=True)
    """`stride` is `window`."""
    conductance: float = eqx.field(static=True, default=1.0)
    """Of each resistor [S]; not trained."""

    def __check_init__(self) -> None:
        if self.planes.stride != self.planes.window:
            raise InputError(f"pooling windows of {self.planes.window} with stride {self.planes.stride}: must be equal")
        if not (self.conductance > 0 and np.isfinite(self.conductance)):
            raise InputError(f"pooling conductance {self.conductance} S: must be positive and finite")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        down, across = self.planes.steps
        return self.planes.rows, self.planes.channels * down * across

    def by_window(self, rows: Array) -> Array:
        """What stands at the rows, (..., rows), by window: (..., window², columns)."""
        planes, (down, across) = self.planes, self.planes.steps
        n, before = planes.window, rows.shape[:-1]
        images = rows.reshape(-1, planes.channels, planes.height, planes.width)[..., : n * down, : n * across]
        windows = images.reshape(-1, planes.channels, down, n, across, n).transpose(0, 3, 5, 1, 2, 4)
        return windows.reshape(*before, n * n, -1)

    def load(self, drive: Array) -> tuple[Array, Array]:
        """Window sums and the windows' conductance."""
        return self.current(drive), self.column_conductance()

    def current(self, drive: Array) -> Array:
        """Sums over the windows."""
        return self.conductance * self.by_window(drive).sum(-2)

    def reverse_current(self, voltage: Array) -> Array:
        """Each window's voltage at all its rows."""
        planes, (down, across) = self.planes, self.planes.steps
        n = planes.window
        images = voltage.reshape(-1, planes.channels, down, 1, across, 1)
        images = jnp.broadcast_to(images, (len(voltage), planes.channels, down, n, across, n))
        images = images.reshape(-1, planes.channels, n * down, n * across)
        beyond = ((0, 0), (0, 0), (0, planes.height - n * down), (0, planes.width - n * across))
        return self.conductance * jnp.pad(images, beyond).reshape(len(voltage), -1)

    def column_conductance(self) -> Array:
        """As many resistors as a window has rows."""
        return jnp.full(self.shape[1], self.conductance * self.planes.window**2)

    def row_conductance(self) -> Array:
        """One resistor a row, none beyond the last whole window."""
        return self.reverse_current(jnp.ones((1, self.shape[1])))[0]

    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ g (u − v)², expanded."""
        squares = drive**2 @ self.row_conductance() + voltage**2 @ self.column_conductance()
        return 0.5 * squares - jnp.sum(self.current(drive) * voltage, -1)

    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "PoolingCrossbar":
        """Nothing: its conductance is no parameter."""
        return self

    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Each row has one resistor."""
        branch = jnp.abs(drive * self.row_conductance() - self.reverse_current(voltage))
        return branch, self.by_window(branch).max(-2)

    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Resistor by resistor."""
        planes = self.planes
        row = planes.indices()
        column = np.arange(self.shape[1]).reshape(planes.channels, 1, 1, *planes.steps)
        row, column = (x.reshape(-1) for x in np.broadcast_arrays(row, column))
        return ((row, column, np.full(row.size, self.conductance)),)


def _columns_product(voltage: Array, change: Array, filters: int) -> Array:
    """Σ v·δv over the batch and each filter's nodes, (filters, 1, 1, 1)."""
    return jnp.sum((voltage * change).reshape(len(voltage), filters, -1), (0, 2))[:, None, None, None]


def _rows_product(planes: Planes, drive: Array, change: Array) -> Array:
    """Σ u·δu over the batch and the windows, (1, channels, window, window)."""
    down, across = planes.steps
    return planes.correlate(drive * change, jnp.ones((len(drive), down * across), drive.dtype))
