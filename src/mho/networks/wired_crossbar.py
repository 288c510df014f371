"""A crossbar of resistors whose word and bit lines are wires with resistance, driven and read at one end each.

Device (i, j) joins word line i to bit line j. A voltage source drives the left end of every word line, and the lower end of
every bit line is grounded, each through one more segment of wire:

    source i ─r_w─ w(i,0) ─r_w─ w(i,1) ─ … ─ w(i,n−1)
                     │ g(i,0)     │ g(i,1)
                   b(i,0)       b(i,1)  …   b(i,j) ─r_b─ b(i+1,j),   b(m−1,j) ─r_b─ ground

Without wire resistance the current out of bit line j is Σ_i g_ij V_i: a matrix product (Joksas and Mehonic 2020,
"badcrossbar: A Python tool for computing and plotting currents and voltages in passive crossbar arrays").
"""

import numpy as np
from numpy.typing import ArrayLike

from mho.errors import InputError
from mho.networks.circuit import Circuit
from mho.networks.circuit_builder import CircuitBuilder


def wired_crossbar(conductance: ArrayLike, *, word_wire: float, bit_wire: float) -> Circuit:
    """A crossbar with wire resistance; its input drives the word lines, its outputs are the lower ends of the bit lines.

    The current out of bit line j is that node's voltage times the wire's conductance. Word-line nodes are numbered row by
    row from 1, bit-line nodes from 1 + m·n, sources from 1 + 2·m·n; the sources are named v0, v1, …

    Args:
        conductance: of the devices [S], (m, n); they are programmable.
        word_wire: conductance of a segment of a word line [S].
        bit_wire: conductance of a segment of a bit line [S].

    Raises:
        InputError: for a conductance that is not positive and finite, or an array of another shape.
    """
    g = np.asarray(conductance, np.float64)
    if g.ndim != 2 or g.size == 0:
        raise InputError(f"crossbar conductances of shape {g.shape}: must be (word lines, bit lines)")
    rows, columns = g.shape
    word = 1 + np.arange(g.size).reshape(g.shape)
    bit = word + g.size
    driven = 1 + 2 * g.size + np.arange(rows)
    builder = CircuitBuilder()
    builder.add_resistors(word.ravel(), bit.ravel(), g.ravel(), name="devices", programmable=True)
    from_left = np.concatenate([driven[:, None], word], 1)
    builder.add_resistors(from_left[:, :-1].ravel(), from_left[:, 1:].ravel(), word_wire, name="word lines")
    to_ground = np.concatenate([bit, np.zeros((1, columns), bit.dtype)])
    builder.add_resistors(to_ground[:-1].ravel(), to_ground[1:].ravel(), bit_wire, name="bit lines")
    names = [f"v{i}" for i in range(rows)]
    builder.add_voltage_sources(driven, 0, 0.0, names)
    builder.set_inputs(names)
    builder.set_outputs(bit[-1].tolist())
    return builder.build()
