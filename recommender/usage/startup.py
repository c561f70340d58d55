"""How long workers take from their start to Ready, learned per workload."""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats

STARTUP_LEVEL = 0.9


def learned_startup_s(remembered_s: Floats) -> Floats:
    """Return the 90th percentile of the remembered start-up times ``[W, N]``, ``[W]``.

    NaN where none was seen.
    """
    times = np.sort(remembered_s, axis=1)
    count = (~np.isnan(times)).sum(axis=1)
    index = np.maximum(np.ceil(STARTUP_LEVEL * count).astype(np.int64) - 1, 0)
    return np.asarray(times[np.arange(len(times)), index], np.float64)
