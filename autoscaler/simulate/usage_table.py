"""Generated demand as a table of usage: the long form that ``tfa report --from`` reads from a file.

For trying things out without a cluster and without the days that a simulation takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.simulate.families import Load
    from recommender.observation import Ints


def usage_table(
    loads: Mapping[str, Load],
    ts: Ints,
    *,
    seed: int,
    limits_tflops: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return what one worker of each ``namespace/workload`` used at ``ts``, up to its limit.

    ``ts`` are UTC seconds, ascending and evenly spaced.  A sample that a load leaves out has no
    row.  Each load has noise of its own, so that one more changes none of those before it.
    """
    tables = []
    children = np.random.default_rng(seed).spawn(len(loads))
    for (name, load), rng in zip(loads.items(), children, strict=True):
        trace = load.trace(ts, rng)
        used = {
            TFLOPS.name: np.minimum(trace.tflops, limits_tflops.get(name, np.inf)),
            VRAM.name: trace.vram_bytes,
        }
        tables += [
            pd.DataFrame({"series_id": name, "ts": ts, "resource": resource, "value": values})[
                ~trace.is_missing
            ]
            for resource, values in used.items()
        ]
    return pd.concat(tables, ignore_index=True)
