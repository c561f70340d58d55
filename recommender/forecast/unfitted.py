"""Which series of a fleet go without the model that is fitted for them alone, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from recommender.forecast.absence import Absence

if TYPE_CHECKING:
    from recommender.forecast.asked import StreamKey
    from recommender.observation import Ints

SeriesWhy = Mapping[tuple["StreamKey", int], Absence]
"""Stream and usage row of a series to why it has no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfitted:
    """What is known of series without a course; of one that has a course nothing of it counts."""

    others: Absence = Absence.NOT_HERE
    """Of series of which nothing else is known; before anybody fits, that nobody does."""
    why: SeriesWhy = field(default_factory=lambda: MappingProxyType({}))

    def of(self, key: StreamKey, rows: Ints) -> Ints:
        """Return the ``Absence`` of some rows of a stream, ``[S]``."""
        known = (self.why.get((key, row), self.others) for row in rows.tolist())
        return np.array([int(absence) for absence in known], np.int64)

    def without(self, rows: Collection[int]) -> Unfitted:
        """Return the same without rows that are gone: others may take their place."""
        why = {series: absence for series, absence in self.why.items() if series[1] not in rows}
        return replace(self, why=MappingProxyType(why))
