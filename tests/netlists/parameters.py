"""Random parameters of model and element cards."""

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st


def logarithmic(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of any order of magnitude between two, of a few digits."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(f"{10**x:.4g}"))


def linear(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers between two, of a few digits: ngspice's reading of long ones is off by an ulp or two."""
    return st.floats(low, high).map(lambda x: float(f"{x:.4g}"))


@st.composite
def cards(draw: st.DrawFn, known: Mapping[str, st.SearchStrategy], most: int) -> str:
    """``name=value`` of up to so many of the known parameters."""
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=most, unique=True))
    return " ".join(f"{name}={draw(known[name])}" for name in chosen)
