"""Numbers that look drawn at random, but are the same for the same value.

So nothing depends on how series are called or sorted, and a replay gives the same again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats

MIXER = np.uint64(0x9E3779B97F4A7C15)
"""The golden ratio: each high bit of a product with it depends on many bits (Knuth, TAOCP 6.4)."""
HALF = np.uint64(29)


def shuffled(values: Floats) -> NDArray[np.uint64]:
    """Return a number for each value, by which equal ones are equal and others lie anywhere."""
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    return ((bits ^ (bits >> HALF)) * MIXER) >> HALF
