"""What came in the time that a forecast was about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.series import some_of
from recommender.forecast.shuffled import shuffled
from recommender.observation import Floats, Ints

DRAWS = 2**20
"""Places of a first minute that are told apart."""
MOST_MINUTES = 60
"""Of a series that experts learn from: those of a hundred workers teach little more."""
USE_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Use of each minute, of as many workers as a series has; and what experts learn from."""

    use: Floats
    """[N] one series after the other, ascending in each; the share of it above the forecast is what
    is promised."""
    count: Ints
    """[S] minutes of each series; 0: it was not measured."""
    top: Floats
    """[S] the highest use, or the percentile that is asked for; NaN where nothing was measured."""
    highest: Floats
    """[S] the highest use."""

    @property
    def series(self) -> Ints:
        """The series of each minute, ``[N]``."""
        return np.repeat(np.arange(len(self.count)), self.count)

    def of_each(self, values: Floats) -> Floats:
        """Return the value of the series of each minute, ``[..., N]`` of ``[..., S]``."""
        return np.repeat(values, self.count, axis=-1)

    def mean(self, values: Floats) -> Floats:
        """Return the mean over the minutes of each series of ``values`` ``[N]``; NaN: none."""
        known = np.flatnonzero(self.count)
        found = np.full(len(self.count), np.nan)
        if len(known):
            begin = (np.cumsum(self.count) - self.count)[known]
            found[known] = np.add.reduceat(values, begin) / self.count[known]
        return found

    @classmethod
    def joined(cls, parts: Iterable[Outcome]) -> Outcome:
        """Return the outcomes of all series of some (at least one), one part behind the other."""
        every = list(parts)
        columns = (item.name for item in fields(cls))
        return cls(**{name: np.concatenate([getattr(p, name) for p in every]) for name in columns})

    def parts(self) -> Iterator[tuple[slice, Outcome]]:
        """Yield the outcomes of some series at a time, and which they are."""
        end = np.append(0, np.cumsum(self.count))
        for few in some_of(len(self.count)):
            yield (
                few,
                Outcome(
                    use=self.use[end[few.start] : end[few.stop]],
                    count=self.count[few],
                    top=self.top[few],
                    highest=self.highest[few],
                ),
            )

    def spaced(self, number: int) -> Floats:
        """Return so many minutes of each series, drawn, ``[S, number]``; NaN: it has none."""
        known = np.flatnonzero(self.count)
        count = np.where(self.count > 0, number, 0)
        found = np.full((len(count), number), np.nan)
        found[known] = self.use[_drawn(self.count, count, self.top)].reshape(-1, number)
        return found


def outcome_of_minutes(
    series: NDArray[np.int32], use: NDArray[np.float32], number: int, percentile: float
) -> Outcome:
    """Return what came in minutes, ``[n]`` each and in any order, of so many series.

    Experts learn from a percentile of them, by nearest rank, and from ``MOST_MINUTES`` of each.
    """
    # one sort of whole numbers takes a fifth of the time of one by two columns: the bits of floats
    # that are not below 0 are in the order of their values
    ordered = series.astype(np.uint64)
    ordered <<= USE_BITS
    ordered |= (use + np.float32(0)).view(np.uint32)
    ordered.sort()
    ascending = ordered.astype(np.uint32).view(np.float32)
    count = np.bincount(series, minlength=number)
    known, end = np.flatnonzero(count), np.cumsum(count)
    rank = np.maximum(np.ceil(percentile * count - 1e-9).astype(np.int64) - 1, 0)
    top, highest = np.full(number, np.nan), np.full(number, np.nan)
    top[known] = ascending[(end - count + rank)[known]]
    highest[known] = ascending[end[known] - 1]
    kept = np.minimum(count, MOST_MINUTES)
    learned = ascending[_drawn(count, kept, top)].astype(np.float64)
    return Outcome(use=learned, count=kept, top=top, highest=highest)


def outcome_of(minutes: Floats) -> Outcome:
    """Return what came where a series has one use a minute, ``[n, S]``; NaN: not measured."""
    ordered = np.sort(minutes.T, axis=1)
    known = ~np.isnan(ordered)
    highest = np.asarray(np.fmax.reduce(minutes, axis=0, initial=np.nan), np.float64)
    return Outcome(use=ordered[known], count=known.sum(axis=1), top=highest, highest=highest)


def _drawn(count: Ints, kept: Ints, top: Floats) -> Ints:
    """Return which of the minutes of series, ``count`` of each, are the ``kept`` that are drawn.

    They are evenly spaced in the order of their use from a first one that is drawn: each minute is
    as likely as any other (systematic sampling, Madow and Madow 1944), the highest too.  Use says
    which one is first, not the place of a series.
    """
    first = shuffled(top) % np.uint64(DRAWS) / DRAWS
    place = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    place = (place + np.repeat(first, kept)) * np.repeat(count / np.maximum(kept, 1), kept)
    return np.repeat(np.cumsum(count) - count, kept) + place.astype(np.int64)
