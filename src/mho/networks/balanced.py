"""Balanced starts: voltages that are level and differential through layers of positive conductances.

A positive matrix is its mean, of rank one, plus fluctuation. A node with conductance S to the rows before it and R to
the columns behind it stands at h = Σ g u/(S + R). With n rows of mean conductance ḡ and spread c (deviation over mean),
S = n ḡ and r = S/(S + R): what is common to all rows passes by r, what tells nodes apart by r·c/√n, a hundredth in a wide
layer.

1. The common part cancels exactly where crossbars are drawn as [[P, M], [M, P]] over positive and negative nodes, the
   first and the second half of a layer (and of the sources, at +x and −x): if the rows' second half is the negative
   of the first, the columns' is, too: ±(P − M)ᵀu/(S + R). Ideal diodes keep that, since those of the halves are each
   other's mirror.
2. Then h has deviation r·c/√n·u, u being the rows' root mean square; of it diodes that let one sign pass leave v =
   r·c/√(2n)·u. Amplifiers of gain A = √(2n)/(r·c) make voltages level (√n where nothing rectifies), as He et al. 2015
   (arXiv:1502.01852) do for ReLU networks by the weights' variance, which conductances cannot follow: c is fixed by
   their law.
3. A change δ' at the nodes behind changes a node by δ = c ḡ' √m/(√2 A (S + R))·δ', m being those nodes. The gradient
   by a conductance is A⁻² a layer (the energy's scale) times u·δ; relative to ḡ, a layer's is that of the next times
   A₋·√m c ḡ'²/(√2 (S + R) ḡ), A₋ being the gain before. With the gains above and layers alike that is 1: relative
   updates are the same in all layers.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

SPREAD = math.sqrt(5.0 / 3.0)
"""c of conductances uniform in ±a, those below 0 at 0: mean a/4, variance 5 a²/48."""


def mirrored_blocks(plus: Array, minus: Array, columns: int) -> Array:
    """[[P, M], [M, P]], (2·rows, columns); or [P, M] one above the other where columns have no mirrors."""
    if plus.shape[1] == columns:
        return jnp.concatenate([plus, minus])
    return jnp.concatenate([jnp.concatenate([plus, minus], 1), jnp.concatenate([minus, plus], 1)])


def balanced_gains(widths: Sequence[int], means: Sequence[float], rectified: Sequence[bool]) -> list[float]:
    """Gain of the amplifiers behind each hidden layer; see above.

    Args:
        widths: nodes of each layer, outputs included.
        means: mean conductance of the crossbar into each layer [S].
        rectified: whether each layer's nodes let one sign pass.
    """
    gains = []
    for layer in range(1, len(widths)):
        rows = widths[layer - 1]
        before, behind = rows * means[layer], 0.0
        if layer + 1 < len(widths):
            behind = widths[layer + 1] * means[layer + 1]
        passed = before / (before + behind) * SPREAD
        gains.append(math.sqrt((2.0 if rectified[layer] else 1.0) * rows) / passed)
    return gains
