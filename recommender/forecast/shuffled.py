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


def shuffled(values: Floats, salt: int = 0) -> NDArray[np.uint64]:
    """Return a number for each value (or row of values, ``[N, K]``), which may lie anywhere.

    Equal ones have equal numbers, another one for each ``salt``.
    """
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    mixed = _mixed(bits)
    if mixed.ndim == 2:
        mixed = _mixed(mixed * np.arange(1, 2 * mixed.shape[1], 2, dtype=np.uint64)).sum(axis=1)
    return _mixed(mixed + np.uint64(salt * int(MIXER) % 2**64))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return ((bits ^ (bits >> HALF)) * MIXER) >> HALF
