"""Random numbers for millions of devices at each update, by a few operations each.

Threefry takes twenty times as long as a whole step of training at batch 4. Here each axis of an array has its own random
words, from JAX's generator, and an entry's word is their sum modulo 2³². Any two entries differ in an axis at least, so
their words are independent and uniform; four at the corners of a rectangle are not, as in a crossbar whose rows and columns
send the pulses (Gokmen & Vlasov 2016, doi:10.3389/fnins.2016.00333, section 2.1).
"""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax

_WORD, _PART = 32, 4
_DEVIATION = math.sqrt(_WORD / 4 + (1 - 4.0**-_PART) / 12)


def words(key: Array, shape: tuple[int, ...], count: int) -> list[Array]:
    """So many arrays of random words, uint32, uniform and pairwise independent."""
    bits = jax.random.bits(key, (count, max(1, sum(shape))), jnp.uint32)
    found = []
    for row in bits:
        total, start = row[0] if not shape else jnp.uint32(0), 0
        for axis, size in enumerate(shape):
            total = total + jnp.expand_dims(row[start : start + size], [k for k in range(len(shape)) if k != axis])
            start += size
        found.append(total)
    return found


def uniform(word: Array, dtype: jnp.dtype) -> Array:
    """Between 0 and 1, 1 excluded, from a word's upper 24 bits."""
    return (word >> 8).astype(dtype) * 2.0**-24


def normal(word: Array, fill: Array, dtype: jnp.dtype) -> Array:
    """Of mean 0 and deviation 1, from a word's number of ones; another's lower 4 bits fill the gaps between these numbers.

    All moments up to the third are the normal law's, the fourth is 2.94 for 3.
    """
    step = (fill & (2**_PART - 1)).astype(dtype) * 2.0**-_PART
    offset = _WORD / 2 + 0.5 - 2.0 ** -(_PART + 1)
    return (lax.population_count(word).astype(dtype) + step - offset) * (1 / _DEVIATION)


def rounded(amount: Array, rounding: str, word: Array) -> Array:
    """Numbers ≥ 0 as whole ones: the nearest, or one of the two neighbours so that the mean is right (stochastic)."""
    return jnp.floor(amount + (0.5 if rounding == "nearest" else uniform(word, amount.dtype)))
