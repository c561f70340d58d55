"""Where a stream of forecasts reads use from: blocks of the past, percentiles, minutes that closed.

Each layer sees use in its own way: limits the highest of each minute, requests the means of hours,
replicas the demand of all workers together.  All of it follows from what the usage model holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.demand import Demand
from recommender.forecast.experts.histogram import DAY_LEVELS, HOUR_LEVELS
from recommender.forecast.past import DAYS_KEPT, Past, average, highest, rings_of
from recommender.usage.blocks import BLOCK_S, BLOCKS_PER_HOUR, MINUTES_PER_BLOCK
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from recommender.usage.minutes import MINUTE_S
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import LIMITS_HALF_LIFE_S, REQUESTS_HALF_LIFE_S

if TYPE_CHECKING:
    from recommender.observation import Floats, Ints
    from recommender.usage.model import UsageModel
    from recommender.usage.rings import TimeRing

LATEST_OF_BLOCK_S, LATEST_OF_HOUR_S = 60, 600
"""How a block of five minutes, and how an hour, has ended: more than its own figures say."""
HALF_LIVES_S = (LIMITS_HALF_LIFE_S, REQUESTS_HALF_LIFE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedMinutes:
    """Use in minutes that have closed, of as many workers as a series has."""

    series: NDArray[np.int32]
    """[W] that of each worker."""
    use: NDArray[np.float32]
    """[M, W]; NaN: not measured."""
    minute: Ints
    """[M] numbers since the epoch, ascending."""

    def between(
        self, first: int, last: int, few: slice
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the minutes ``first <= minute < last`` of some neighbouring series.

        Which of them it is, from 0 on, and its use, ``[n]`` each.
        """
        begin, end = np.searchsorted(self.minute, [first, last])
        workers = np.flatnonzero((self.series >= few.start) & (self.series < few.stop))
        return _measured(self.series[workers] - few.start, self.use[begin:end, workers])

    def kept(self, slot: Ints) -> ClosedMinutes:
        """Return those of the series that have a new number in ``slot``; -1, or beyond it: none."""
        known = self.series < len(slot)
        series = np.full(len(self.series), -1, np.int32)
        series[known] = slot[self.series[known]]
        stays = series >= 0
        return ClosedMinutes(series=series[stays], use=self.use[:, stays], minute=self.minute)

    def means(self, series: int) -> Floats:
        """Return the mean use of each of so many series, ``[S]``; NaN: it has no minute."""
        of_each, use = _measured(self.series, self.use)
        count = np.bincount(of_each, minlength=series)
        total = np.bincount(of_each, use, minlength=series)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


class Use(Protocol):
    """Use as one layer sees it; ``rows`` are those of the usage model, one per series."""

    block_s: int
    after_s: int
    """A block is looked at when minutes have closed up to so long after its end."""

    def past(self, rows: Ints, block: int, reach: Ints) -> Past:
        """Return the blocks up to ``block``, of which ``reach`` ``[S]`` count."""
        ...

    def percentiles(self, rows: Ints) -> Floats:
        """Return those of the histograms, ``[histogram.PERCENTILES, S]``."""
        ...

    def minutes(self, rows: Ints, block: int) -> ClosedMinutes:
        """Return the minutes of a block that has just closed."""
        ...


class LimitsUse:
    """The highest use of each minute of each worker."""

    block_s, after_s = BLOCK_S, 0

    def __init__(self, model: UsageModel, resource: int) -> None:
        self._model, self._store = model, model.stores[resource]

    def past(self, rows: Ints, block: int, reach: Ints) -> Past:
        """See ``Use``."""
        blocks, end = self._store.blocks, (block + 1) * BLOCK_S
        first, last = ((end - ago_s) // MINUTE_S for ago_s in (LATEST_OF_BLOCK_S, 0))
        minutes = _minutes(self._model, self._store.minute_mean, rows, first, last)
        return Past(
            top=blocks.top,
            mean=blocks.mean,
            block=block,
            columns=rows,
            reach=reach,
            latest=minutes.means(len(rows)),
        )

    def percentiles(self, rows: Ints) -> Floats:
        """See ``Use``."""
        return percentiles_of(self._store.limits, self._store.requests, rows)

    def minutes(self, rows: Ints, block: int) -> ClosedMinutes:
        """See ``Use``."""
        per_block = BLOCK_S // MINUTE_S
        first = block * per_block
        return _minutes(self._model, self._store.minute_top, rows, first, first + per_block)


class RequestsUse:
    """Means of the minutes of each worker; of each hour the highest mean of five minutes."""

    block_s = HOUR_S

    def __init__(self, model: UsageModel, resource: int) -> None:
        self._model, self._store = model, model.stores[resource]
        # a large fleet's hours are work: one resource after the other, and none in the tick that
        # takes a block of five minutes
        self.after_s = MINUTE_S * (1 + resource % (MINUTES_PER_BLOCK - 1))
        self._rows: Ints = np.empty(0, np.int64)
        self._taken = -1
        """The newest hour in ``_top`` and ``_mean``, of ``_rows``."""
        self._top, self._mean = rings_of(HOUR_S, 0)

    def past(self, rows: Ints, block: int, reach: Ints) -> Past:
        """See ``Use``."""
        if not np.array_equal(rows, self._rows) or block < self._taken:
            self._rows, self._taken = rows.copy(), -1
            self._top, self._mean = rings_of(HOUR_S, len(rows))
        for hour in range(max(self._taken + 1, block + 1 - DAYS_KEPT * 24), block + 1):
            self._take(hour)
        self._taken = block
        ring, end = self._store.blocks.mean, (block + 1) * BLOCKS_PER_HOUR
        first = end - LATEST_OF_HOUR_S // BLOCK_S
        latest = average(ring.values[ring.held(first, end)][:, rows])
        return Past(top=self._top, mean=self._mean, block=block, reach=reach, latest=latest)

    def percentiles(self, rows: Ints) -> Floats:
        """See ``Use``."""
        return percentiles_of(self._store.limits, self._store.requests, rows)

    def minutes(self, rows: Ints, block: int) -> ClosedMinutes:
        """See ``Use``."""
        first = block * HOUR_S // MINUTE_S
        last = first + HOUR_S // MINUTE_S
        return _minutes(self._model, self._store.minute_mean, rows, first, last)

    def _take(self, hour: int) -> None:
        ring = self._store.blocks.mean
        slot = ring.held(hour * BLOCKS_PER_HOUR, (hour + 1) * BLOCKS_PER_HOUR)
        if len(slot):
            means = ring.values[slot][:, self._rows].astype(np.float64)
            self._top.set(hour, highest(means))
            self._mean.set(hour, average(means))


class ReplicasUse:
    """Demand of all workers of a workload together; a block counts as one minute."""

    block_s, after_s = BLOCK_S, 0

    def __init__(self, model: UsageModel, resource: int) -> None:
        self.demand = Demand(model.stores[resource])
        self._rows: Ints = np.empty(0, np.int64)
        self._taken = -1
        """The newest block in ``_histograms``, of ``_rows``."""
        self._histograms = _two_banks()

    def past(self, rows: Ints, block: int, reach: Ints) -> Past:
        """See ``Use``."""
        if not np.array_equal(rows, self._rows):
            self._begin(rows)
        self._take_up_to(block)
        return Past(top=self.demand, mean=self.demand, block=block, columns=rows, reach=reach)

    def percentiles(self, rows: Ints) -> Floats:
        """See ``Use``; of the rows that the past was asked of."""
        return percentiles_of(*self._histograms, np.arange(len(rows)))

    def minutes(self, rows: Ints, block: int) -> ClosedMinutes:
        """See ``Use``."""
        return ClosedMinutes(
            series=np.arange(len(rows), dtype=np.int32),
            use=self.demand.of(block, rows)[None],
            minute=np.array([block * BLOCK_S // MINUTE_S]),
        )

    def _begin(self, rows: Ints) -> None:
        self._rows, self._taken = rows.copy(), -1
        self._histograms = _two_banks()
        for bank, half_life_s in zip(self._histograms, HALF_LIVES_S, strict=True):
            bank.grow(len(rows), half_life_s)

    def _take_up_to(self, block: int) -> None:
        """Take what the store holds and was not taken: most of a history is never asked for."""
        slots = self.demand.held(max(self._taken + 1, 0), block + 1)
        for each in self.demand.block[slots].tolist():
            demand = self.demand.of(each, self._rows).astype(np.float64)
            known = np.flatnonzero(~np.isnan(demand))
            for bank in self._histograms:
                bank.add(known, demand[known], np.full(len(known), each * BLOCK_S))
        self._taken = max(self._taken, block)


def _two_banks() -> tuple[HistogramBank, HistogramBank]:
    layout = Layout(LEARNED_SPAN)
    return HistogramBank(layout, is_narrow=True), HistogramBank(layout, is_narrow=True)


def percentiles_of(hour: HistogramBank, day: HistogramBank, rows: Ints) -> Floats:
    """Return ``[histogram.PERCENTILES, rows]`` of histograms that halve in an hour and in a day."""
    found = [
        bank.percentiles(rows, np.broadcast_to(np.array(levels), (len(rows), len(levels))))
        for bank, levels in ((hour, HOUR_LEVELS), (day, DAY_LEVELS))
    ]
    return np.ascontiguousarray(np.concatenate(found, axis=1).T)


def _measured(
    series: NDArray[np.int32], use: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    known = ~np.isnan(use)
    return np.broadcast_to(series, use.shape)[known], use[known]


def _minutes(model: UsageModel, ring: TimeRing, rows: Ints, first: int, last: int) -> ClosedMinutes:
    """Return the minutes ``first <= minute < last`` of the workers of ``rows``."""
    series_of_row = np.full(len(model.workloads), -1, np.int64)
    series_of_row[rows] = np.arange(len(rows))
    series_of_worker = np.full(len(model.row_of_worker), -1, np.int64)
    named = np.array([key is not None for key in model.workers.keys], np.bool_)
    series_of_worker[named] = series_of_row[model.row_of_worker[named]]
    workers = np.flatnonzero(series_of_worker >= 0)
    slot = ring.held(first, last)
    return ClosedMinutes(
        series=series_of_worker[workers].astype(np.int32),
        use=ring.values[slot][:, workers],
        minute=ring.block[slot],
    )
