"""Crossbars: programmable resistors between every row and every column.

A crossbar of n rows and m columns is an array of n·m resistors, and nothing here ever forms an array of batch × n × m:
currents are matrix products, and so is the sum over a batch of the products of voltage drops.
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mho.elements import ProgrammableResistor

SingleResistors = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Row, column and conductance [S] of resistors, each an array of one entry a resistor."""

_FEW = 8
"""Samples up to which sums over a batch may be written out: XLA fuses them with what they are for."""
_NARROW, _WIDE = 32, 256
"""Columns between which that beats a matrix product, which is written to memory and read again."""


def outer_sum(rows: Array, columns: Array) -> Array:
    """Σ_b rows[b] ⊗ columns[b], shape (n, m), from arrays of shape (batch, n) and (batch, m).

    A few samples are added up as outer products, which fuse with whatever uses the sum; many as a matrix product.
    """
    width = columns.shape[1]
    if (rows.shape[0] <= _FEW + 1 and _NARROW < width <= _WIDE) or rows.shape[0] == 1:
        return sum((r[:, None] * c[None, :] for r, c in zip(rows, columns, strict=True)), start=jnp.zeros(()))
    # XLA's CPU folds a bare transposition into the product, for which it has slower kernels or, with few columns, none.
    if width <= _NARROW:
        return lax.optimization_barrier(lax.optimization_barrier(columns.T) @ rows).T
    if width > _WIDE:
        return lax.optimization_barrier(rows.T) @ columns
    return rows.T @ columns


def batch_sum(values: Array) -> Array:
    """Σ_b values[b], by a matrix product: XLA's CPU draws a reduction into the large array that it is needed for."""
    return jnp.ones(values.shape[0], values.dtype) @ values


class Crossbar(eqx.Module):
    """What a layer needs to know of the resistors between its nodes (columns) and the layer before (rows).

    `drive` [V] has shape (batch, n), `voltage` [V] shape (batch, m).
    """

    mirrored: ClassVar[bool] = False
    """Whether each row stands for two, at +x and −x."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows that are driven (n) and columns (m)."""

    @abc.abstractmethod
    def load(self, drive: Array) -> tuple[Array, Array]:
        """Currents into grounded columns [A], (batch, m), and each column's total conductance [S], (m,)."""

    @abc.abstractmethod
    def current(self, drive: Array) -> Array:
        """Currents into grounded columns [A], (batch, m)."""

    @abc.abstractmethod
    def reverse_current(self, voltage: Array) -> Array:
        """Currents into grounded rows [A], (batch, n), with the columns at `voltage`."""

    @abc.abstractmethod
    def column_conductance(self) -> Array:
        """Each column's total conductance [S], (m,)."""

    @abc.abstractmethod
    def row_conductance(self) -> Array:
        """Each row's total conductance [S], (n,)."""

    @abc.abstractmethod
    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ g Δv² of each sample [W], (batch,)."""

    @abc.abstractmethod
    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "Crossbar":
        """Σ_batch Δv·δΔv for each resistor [V²]: its voltage drop times its drop's change.

        With the mean of two phases and their difference it is the sum of ½(Δv²) of one phase less the other's,
        exactly and without cancellation. The result has this crossbar's structure, the products in place of the
        conductances. `drive_change` is None where the rows are held, as sources hold them.
        """

    @abc.abstractmethod
    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """The largest |g Δv| at each row, (batch, n), and at each column, (batch, m), in amperes.

        For checks, not for training: it visits every resistor of every sample, one row at a time.
        """

    def balance(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Currents out of the rows, (batch, n), and into the columns, (batch, m), in amperes.

        For checks, in the voltages' precision, which may be higher than the conductances'.
        """
        drawn = self.row_conductance() * drive - self.reverse_current(voltage)
        return drawn, self.current(drive) - self.column_conductance() * voltage

    @abc.abstractmethod
    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Its resistors one by one; where it is mirrored, those at +x, then those at −x."""


class DenseCrossbar(Crossbar):
    """A crossbar between two layers of nodes."""

    resistors: ProgrammableResistor
    """Conductances of shape (n, m)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n, m = self.resistors.conductance.shape
        return n, m

    def load(self, drive: Array) -> tuple[Array, Array]:
        """One matrix product and the column sums."""
        return self.current(drive), self.column_conductance()

    def current(self, drive: Array) -> Array:
        """Drive · G."""
        return drive @ self.resistors.conductance

    def reverse_current(self, voltage: Array) -> Array:
        """Voltage · Gᵀ."""
        return voltage @ self.resistors.conductance.T

    def column_conductance(self) -> Array:
        """Column sums of G."""
        return self.resistors.conductance.sum(0)

    def row_conductance(self) -> Array:
        """Row sums of G."""
        return self.resistors.conductance.sum(1)

    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ g (u − v)², expanded."""
        squares = drive**2 @ self.row_conductance() + voltage**2 @ self.column_conductance()
        return 0.5 * squares - jnp.sum(self.current(drive) * voltage, -1)

    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "DenseCrossbar":
        """Σ (u − v)(δu − δv), expanded: row sums, column sums and rank-batch products."""
        product = batch_sum(voltage * voltage_change)[None, :]
        if drive_change is None:
            product -= outer_sum(drive, voltage_change)
        else:
            # Both sums as one: the array of products is written once.
            rows, columns = jnp.concatenate([drive, drive_change]), jnp.concatenate([voltage_change, voltage])
            product += batch_sum(drive * drive_change)[:, None] - outer_sum(rows, columns)
        return eqx.tree_at(lambda c: c.resistors.conductance, self, product)

    def balance(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Row by row: the conductances are never converted all at once."""
        return _balance(self.resistors.conductance[:, None], (1.0,), drive, voltage)

    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Row by row."""
        return _largest(self.resistors.conductance[:, None], (1.0,), drive, voltage)

    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Row by row."""
        return (_single(self.resistors),)


class MirroredCrossbar(Crossbar):
    """A crossbar whose rows come in pairs held at +x and −x, since conductances are positive.

    A pair acts on its columns as one weight g₊ − g₋ of either sign, and ±x is never formed: `drive` is x alone, of shape
    (batch, n), for 2n rows. The rows are voltage sources, so nothing flows back that matters. Both polarities stand side
    by side in one array, so that a product with x or an update passes over memory once.
    """

    mirrored = True
    resistors: ProgrammableResistor
    """Conductances of shape (n, 2, m): from the sources at +x, and from those at −x."""

    @classmethod
    def joined(cls, plus: ProgrammableResistor, minus: ProgrammableResistor) -> "MirroredCrossbar":
        """From the resistors at the sources of either polarity, (n, m) each; bounds as those of `plus`."""
        parts = (plus.conductance, minus.conductance)
        # NumPy's float64 stays what it is, whatever JAX's precision.
        stack = np.stack if all(isinstance(part, np.ndarray) for part in parts) else jnp.stack
        both = stack(parts, 1)
        return cls(eqx.tree_at(lambda r: r.conductance, plus, both))

    @property
    def plus(self) -> ProgrammableResistor:
        """The resistors from the sources at +x, (n, m)."""
        return eqx.tree_at(lambda r: r.conductance, self.resistors, self.resistors.conductance[:, 0])

    @property
    def minus(self) -> ProgrammableResistor:
        """The resistors from the sources at −x, (n, m)."""
        return eqx.tree_at(lambda r: r.conductance, self.resistors, self.resistors.conductance[:, 1])

    @property
    def shape(self) -> tuple[int, int]:
        """Pairs of rows and columns."""
        n, _, m = self.resistors.conductance.shape
        return n, m

    @property
    def _flat(self) -> Array:
        """Both polarities side by side, (n, 2m): the same memory."""
        n, m = self.shape
        return self.resistors.conductance.reshape(n, 2 * m)

    def load(self, drive: Array) -> tuple[Array, Array]:
        """Currents and column sums; for a few samples from one pass over the conductances, the sums by a row of ones."""
        if drive.shape[0] > _FEW:
            return self.current(drive), self.column_conductance()
        ones = jnp.ones_like(drive[:1])
        plus, minus = jnp.split(jnp.concatenate([drive, ones]) @ self._flat, 2, -1)
        return plus[:-1] - minus[:-1], plus[-1] + minus[-1]

    def current(self, drive: Array) -> Array:
        """x · (G₊ − G₋)."""
        return drive @ (self.resistors.conductance[:, 0] - self.resistors.conductance[:, 1])

    def reverse_current(self, voltage: Array) -> Array:
        """Voltage · (G₊ + G₋)ᵀ: what the pair of sources takes up together."""
        return jnp.concatenate([voltage, voltage], -1) @ self._flat.T

    def column_conductance(self) -> Array:
        """Column sums over both polarities."""
        plus, minus = jnp.split(jnp.ones(self.shape[0], self._flat.dtype) @ self._flat, 2)
        return plus + minus

    def row_conductance(self) -> Array:
        """Each pair's total conductance."""
        return self.resistors.conductance.sum((1, 2))

    def co_content(self, drive: Array, voltage: Array) -> Array:
        """½ Σ [g₊ (x − v)² + g₋ (x + v)²], expanded."""
        squares = drive**2 @ self.row_conductance() + voltage**2 @ self.column_conductance()
        return 0.5 * squares - jnp.sum(self.current(drive) * voltage, -1)

    def drop_product(
        self, drive: Array, voltage: Array, drive_change: Array | None, voltage_change: Array
    ) -> "MirroredCrossbar":
        """Σ (±u − v)(±δu − δv), expanded: the even part is common to both polarities, the odd part changes sign."""
        even = batch_sum(voltage * voltage_change)
        if drive.shape[0] > _FEW or voltage.shape[1] > _WIDE:
            odd = outer_sum(drive, voltage_change)
            product = even + jnp.stack([-odd, odd], 1)
        else:
            # One sum of outer products over both polarities, the even part a row of ones' product.
            rows = jnp.concatenate([drive, jnp.ones_like(drive[:1])])
            columns = [jnp.vstack([sign * voltage_change, even]) for sign in (-1.0, 1.0)]
            product = outer_sum(rows, jnp.concatenate(columns, 1)).reshape(self.resistors.conductance.shape)
        if drive_change is not None:
            product += batch_sum(drive * drive_change)[:, None, None]
            odd = outer_sum(drive_change, voltage)
            product += jnp.stack([-odd, odd], 1)
        return eqx.tree_at(lambda c: c.resistors.conductance, self, product)

    def balance(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Row by row, both polarities; of a pair of rows what they give together, as `reverse_current` has it."""
        return _balance(self.resistors.conductance, (1.0, -1.0), drive, voltage)

    def largest_branch_current(self, drive: Array, voltage: Array) -> tuple[Array, Array]:
        """Row by row, both polarities."""
        return _largest(self.resistors.conductance, (1.0, -1.0), drive, voltage)

    def single_resistors(self) -> tuple[SingleResistors, ...]:
        """Row by row, both polarities."""
        return _single(self.plus), _single(self.minus)


_Signs = tuple[float, ...]
"""Of the drive at each of the resistors of a row's polarities: conductances have shape (n, polarities, m)."""


def _largest(conductance: Array, signs: _Signs, drive: Array, voltage: Array) -> tuple[Array, Array]:
    def row(largest: Array, entry: tuple[Array, Array]) -> tuple[Array, Array]:
        branch = jnp.abs(_branches(*entry, signs, voltage))
        return jnp.maximum(largest, branch.max(0)), branch.max((0, 2))

    columns, rows = lax.scan(row, jnp.zeros_like(voltage), (conductance, drive.T))
    return rows.T, columns


def _balance(conductance: Array, signs: _Signs, drive: Array, voltage: Array) -> tuple[Array, Array]:
    def row(inflow: Array, entry: tuple[Array, Array]) -> tuple[Array, Array]:
        branch = _branches(*entry, signs, voltage)
        return inflow + branch.sum(0), branch.sum((0, 2))

    inflow, rows = lax.scan(row, jnp.zeros_like(voltage), (conductance, drive.T))
    return rows.T, inflow


def _branches(conductances: Array, potential: Array, signs: _Signs, voltage: Array) -> Array:
    """Currents of a row's resistors [A], (polarities, batch, m), in the voltages' precision."""
    drops = jnp.stack([sign * potential[:, None] - voltage for sign in signs])
    return conductances.astype(voltage.dtype)[:, None] * drops


def _single(resistors: ProgrammableResistor) -> SingleResistors:
    conductance = np.asarray(resistors.conductance, np.float64)
    row, column = np.indices(conductance.shape)
    return row.reshape(-1), column.reshape(-1), conductance.reshape(-1)
