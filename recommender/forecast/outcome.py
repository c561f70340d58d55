"""What came in the time that a forecast was about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Use of each minute, of as many workers as a series has; and what experts learn from."""

    series: Ints
    """[N] of each minute; a series without any was not measured."""
    use: Floats
    """[N]; the share of it above the forecast is what is promised."""
    top: Floats
    """[S] the highest use, or the percentile that is asked for; NaN where nothing was measured."""

    @property
    def count(self) -> Ints:
        """Minutes of each series, ``[S]``."""
        return np.bincount(self.series, minlength=len(self.top))

    def mean(self, values: Floats) -> Floats:
        """Return the mean over the minutes of each series of ``values`` ``[N]``; NaN: none."""
        total = np.bincount(self.series, values, minlength=len(self.top))
        count = self.count
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def outcome_of(minutes: Floats) -> Outcome:
    """Return what came where a series has one use a minute, ``[N, S]``; NaN: not measured."""
    known = ~np.isnan(minutes)
    return Outcome(
        series=np.nonzero(known)[1],
        use=minutes[known],
        top=np.asarray(np.fmax.reduce(minutes, axis=0, initial=np.nan), np.float64),
    )
