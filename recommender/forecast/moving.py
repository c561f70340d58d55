"""A promise goes with its series: what was learned of it, where a series asks another stream now.

Streams differ in how far they look ahead.  What experts learned of one distance says little of
another; how many minutes lay above what was in force belongs to a workload, its resource and layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.forecast.rows import slots
from recommender.forecast.series import put

if TYPE_CHECKING:
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.realised import Realised
    from recommender.forecast.risk import RiskControl
    from recommender.forecast.stream import Stream
    from recommender.observation import Ints


@dataclass(frozen=True, slots=True)
class _Promised:
    rows: Ints
    control: RiskControl
    realised: Realised


class Moving:
    """The promises of all streams before some of their series move."""

    def __init__(self, streams: Mapping[StreamKey, Stream]) -> None:
        self._promised = {
            key: _Promised(stream.rows, deepcopy(stream.control), deepcopy(stream.realised))
            for key, stream in streams.items()
        }

    def move(self, key: StreamKey, stream: Stream) -> None:
        """Give the new series of a stream what others of its layer and resource know of them."""
        own = self._promised.get(key)
        for other, before in self._promised.items():
            if other == key or other[:2] != key[:2]:
                continue
            is_new = np.full(len(before.rows), fill_value=True)
            if own is not None:
                is_new = ~np.isin(before.rows, own.rows)
            at = slots(before.rows, stream.rows)
            moved = np.flatnonzero(is_new & (at >= 0))
            if len(moved) == 0:
                continue
            put(stream.control, at[moved], before.control, moved)
            put(stream.realised, at[moved], before.realised, moved)
            if own is None or len(own.rows) == 0:
                stream.control.follow(before.control)
