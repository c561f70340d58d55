"""Sums over a fleet that do not depend on the order of its workloads.

Sums of floats do, in their last digits, and a quantile that is read from them may then jump from
one bucket to the next.  Sums of whole numbers do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats

PARTS = 2.0**30
"""Of 1 that are told apart."""
LARGEST = 2.0**12
"""What is more counts as so much; a sum over two million series then fits into 63 bits."""


def fleet_sum(
    values: Floats | NDArray[np.float32], axis: int, *, largest: float = LARGEST
) -> Floats:
    """Return the sum over the axis of series; NaN counts as 0.

    What is more than ``largest`` counts as so much; the sum has to stay below 2**33.
    """
    known = np.where(np.isnan(values), 0.0, values)
    whole = np.rint(np.minimum(known, largest) * PARTS).astype(np.int64)
    return np.asarray(whole.sum(axis=axis) / PARTS, np.float64)
