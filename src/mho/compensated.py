"""Sums and products with what their rounding loses: numbers as pairs of a value and a tail.

A circuit of 1 nΩ between two of 1 GΩ has a voltage drop of 5e-19 V between two nodes at 0.5 V: no double tells the nodes
apart, and what flows between them decides the operating point. As pairs the node voltages do.

Sources: Dekker 1971, "A floating-point technique for extending the available precision"; Rump, Ogita and Oishi 2008,
"Accurate floating-point summation" (the extraction in `sums_at`). For NumPy's arrays and JAX's; needs arithmetic that keeps
IEEE 754's rounding.
"""

from typing import Any

from mho import arrays
from mho.arrays import Values, maxima_at, namespace

Pair = tuple[Any, Any]
"""A value and its tail, at most half an ulp of it: the number is their sum."""

_SPLITTER = 134217729.0
"""2²⁷ + 1."""


def two_sum(a: Values, b: Values) -> Pair:
    """a + b and what its rounding loses (Knuth)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def two_product(a: Values, b: Values) -> Pair:
    """a · b and what its rounding loses (Dekker, Veltkamp); for doubles below 1e300."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Values) -> Pair:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def added(pair: Pair, step: Values) -> Pair:
    """The pair and a number in one pair."""
    total, lost = two_sum(pair[0], step)
    return two_sum(total, lost + pair[1])


def sums_at(terms: list[tuple[Values, Values]], size: int) -> tuple[Values, Values]:
    """Σ of terms at each place as if in twice the precision, and the largest of them, (size,) each.

    Args:
        terms: values and their places, (n,) each; 0 where none is.
        size: number of places.
    """
    xp = namespace(*(v for v, _ in terms))
    largest = count = xp.zeros(size, terms[0][0].dtype)
    for values, places in terms:
        largest = xp.maximum(largest, maxima_at(xp.abs(values), places, size))
        count = count + arrays.sums_at(xp.ones_like(values), places, size)
    # Multiples of an ulp of σ, a power of two above all partial sums, add up without rounding.
    exponent = xp.frexp(largest * (count + 2.0))[1] + 1
    sigma = xp.ldexp(xp.ones_like(largest), exponent)
    high = low = xp.zeros_like(sigma)
    for values, places in terms:
        level = sigma[places]
        part = (values + level) - level
        high = high + arrays.sums_at(part, places, size)
        low = low + arrays.sums_at(values - part, places, size)
    return high + low, largest
