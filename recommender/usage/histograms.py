"""A bank of decaying exponential histograms, one row per workload, all updated together.

Weights grow with time instead of old ones shrinking: a sample at ``t`` weighs
``2**((t - reference) / half_life)``, so adding one touches one bucket.  Layout, percentile and the
shift of the reference follow the Kubernetes VPA (``recommender/util/decaying_histogram.go``).

One thing differs: a bucket counts as empty below epsilon times the weight of the newest sample,
where the VPA compares with the weight at the reference.  There, what an old peak counts depends on
when the reference last moved; here a history read at once and the same one read step by step agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.errors import ContractError
from recommender.observation import Bools, Floats, Ints
from recommender.usage.layout import LEARNED_HEADROOM, Layout

MAX_DECAY_EXPONENT = 100
"""The reference moves before a weight passes 2**100."""
ROWS_AT_ONCE = 512
"""Percentiles are read in slices of rows that stay in the processor's cache."""


class HistogramBank:
    """Histograms ``[rows, buckets]`` with a half-life and a first bucket per row."""

    def __init__(
        self, layout: Layout, *, first_bucket: float | None = None, is_narrow: bool = False
    ) -> None:
        """``first_bucket`` None: every row learns it from its own data.

        ``is_narrow`` takes half of the memory; from such a bank nothing can be subtracted, for what
        would be left of many weights is their rounding.
        """
        self.layout = layout
        self.is_narrow = is_narrow
        self._default_first = np.nan if first_bucket is None else first_bucket
        self.weights = self._no_weights(0)
        self.reference_s: Ints = np.zeros(0, np.int64)
        self.half_life_s: Ints = np.zeros(0, np.int64)
        self.first: Floats = np.zeros(0)
        self.newest_weight: Floats = np.zeros(0)
        """Weight of a sample at the newest time seen, on the scale of ``weights``."""

    @property
    def rows(self) -> int:
        """Number of histograms."""
        return len(self.first)

    def grow(self, rows: int, half_life_s: int) -> None:
        """Append empty histograms until there are ``rows``."""
        more = rows - self.rows
        if more <= 0:
            return
        self.weights = np.concatenate([self.weights, self._no_weights(more)])
        self.reference_s = np.concatenate([self.reference_s, np.zeros(more, np.int64)])
        self.half_life_s = np.concatenate([self.half_life_s, np.full(more, half_life_s, np.int64)])
        self.first = np.concatenate([self.first, np.full(more, self._default_first)])
        self.newest_weight = np.concatenate([self.newest_weight, np.zeros(more)])

    def clear(self, rows: Ints, half_life_s: int) -> None:
        """Empty some histograms for reuse."""
        self.weights[rows] = 0.0
        self.newest_weight[rows] = 0.0
        self.reference_s[rows] = 0
        self.half_life_s[rows] = half_life_s
        self.first[rows] = self._default_first

    def set_half_life(self, rows: Ints, half_life_s: Ints, now_s: int) -> None:
        """Change half-lives from ``now_s`` on; what is in the histograms is kept.

        The weights stay as they are.  The reference moves to where a sample of ``now_s`` weighs
        the same with the new half-life as with the old one.
        """
        changed = self.half_life_s[rows] != half_life_s
        if not changed.any():
            return
        rows, half_life_s = rows[changed], half_life_s[changed]
        exponent = (now_s - self.reference_s[rows]) / self.half_life_s[rows]
        self.reference_s[rows] = np.rint(now_s - exponent * half_life_s).astype(np.int64)
        self.half_life_s[rows] = half_life_s

    def add(self, row: Ints, value: Floats, ts: Ints, weight: float = 1.0) -> None:
        """Add samples, ``[n]`` each; a row may occur often and times need no order."""
        if len(row) == 0:
            return
        self._learn_first(row, value)
        factor = self._decay_factor(row, ts)
        np.maximum.at(self.newest_weight, row, factor)
        np.add.at(self.weights, (row, self._bucket(row, value)), factor * weight)

    def subtract(self, row: Ints, value: Floats, ts: Ints, weight: float = 1.0) -> None:
        """Take samples back that were added at the same ``ts``; what is below epsilon becomes 0."""
        if self.is_narrow:
            raise ContractError("nothing can be subtracted from narrow histograms")
        if len(row) == 0:
            return
        factor = self._decay_factor(row, ts) * weight
        bucket = self._bucket(row, value)
        np.subtract.at(self.weights, (row, bucket), factor)
        left = self.weights[row, bucket]
        self.weights[row, bucket] = np.where(left < self._least(row), 0.0, left)

    def merge(self, other: HistogramBank) -> None:
        """Add another bank row by row; half-lives, layout and first buckets must be equal."""
        same = (
            self.layout == other.layout
            and np.array_equal(self.half_life_s, other.half_life_s)
            and np.array_equal(self.first, other.first, equal_nan=True)
        )
        if not same:
            raise ContractError("only histograms of one layout and half-life can be merged")
        later = np.maximum(self.reference_s, other.reference_s)
        every = np.arange(self.rows)
        self._shift(every, later)
        factor = np.exp2((other.reference_s - later) / np.maximum(self.half_life_s, 1))
        self.weights += other.weights * factor[:, None]
        self.newest_weight = np.maximum(self.newest_weight, other.newest_weight * factor)

    def percentiles(
        self, rows: Ints, levels: Floats, *, is_load_weighted: Bools | None = None
    ) -> Floats:
        """Return percentiles ``[rows, levels]``; NaN where a histogram is empty.

        The value is the end of the smallest bucket whose cumulative weight reaches the level (of
        the last bucket: its start), without interpolation, so it is at most 5 % above and never
        below.  Load-weighted rows count a sample by the work it stands for (weight times value;
        Autopilot's S_pj), not by its time.  ``levels`` is ``[rows, L]``, 0 to 1.
        """
        if is_load_weighted is None:
            is_load_weighted = np.zeros(len(rows), np.bool_)
        out = np.empty(levels.shape)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            out[part] = self._percentiles(rows[part], levels[part], is_load_weighted[part])
        return out

    def is_empty(self, rows: Ints) -> Bools:
        """Return which histograms hold nothing."""
        filled = (self.weights[rows] >= self._least(rows)[:, None]).any(axis=1)
        return ~np.asarray(filled, np.bool_)

    def _percentiles(self, rows: Ints, levels: Floats, is_load_weighted: Bools) -> Floats:
        weights = self.weights[rows]
        reported = self.layout.reported()
        filled = weights >= self._least(rows)[:, None]
        if is_load_weighted.any():
            weights = np.where(is_load_weighted[:, None], weights * reported, weights)
        lowest = filled.argmax(axis=1)
        highest = weights.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
        cumulative = np.cumsum(weights, axis=1, dtype=np.float64)
        thresholds = levels * cumulative[:, -1:]
        out = np.empty(levels.shape)
        for column in range(levels.shape[1]):
            bucket = (cumulative < thresholds[:, column : column + 1]).sum(axis=1)
            out[:, column] = reported[np.clip(bucket, lowest, highest)]
        out *= self.first[rows][:, None]
        out[~filled.any(axis=1)] = np.nan
        return out

    def _no_weights(self, rows: int) -> NDArray[Any]:
        return np.zeros((rows, self.layout.buckets), np.float32 if self.is_narrow else np.float64)

    def _least(self, rows: Ints) -> Floats:
        """Return the weight below which a bucket counts as empty; never 0."""
        least: Floats = np.maximum(
            self.layout.epsilon * self.newest_weight[rows], np.finfo(np.float64).tiny
        )
        return least

    def _bucket(self, row: Ints, value: Floats) -> Ints:
        with np.errstate(invalid="ignore"):
            multiples = value / self.first[row]
        return self.layout.find(np.nan_to_num(multiples, nan=0.0))

    def _decay_factor(self, row: Ints, ts: Ints) -> Floats:
        half_life = self.half_life_s[row]
        late = ts > self.reference_s[row] + half_life * MAX_DECAY_EXPONENT
        if late.any():
            newest = np.zeros(self.rows, np.int64)
            np.maximum.at(newest, row[late], ts[late])
            rows = np.flatnonzero(newest)
            step = self.half_life_s[rows]
            self._shift(rows, (newest[rows] + step // 2) // step * step)
        return np.exp2((ts - self.reference_s[row]) / half_life)

    def _shift(self, rows: Ints, reference_s: Ints) -> None:
        exponent = (self.reference_s[rows] - reference_s) / np.maximum(self.half_life_s[rows], 1)
        self.weights[rows] *= np.exp2(exponent)[:, None]
        self.newest_weight[rows] *= np.exp2(exponent)
        self.reference_s[rows] = reference_s

    def _learn_first(self, row: Ints, value: Floats) -> None:
        """Set the first bucket of learned rows, and re-bucket where values outgrow the layout."""
        if not np.isnan(self._default_first):
            return
        highest = np.zeros(self.rows)
        np.maximum.at(highest, row, value)
        with np.errstate(invalid="ignore"):
            outgrown = highest > self.first * self.layout.starts()[-1]
        unset = np.isnan(self.first) & (highest > 0)
        for r in np.flatnonzero(outgrown):
            self._rebucket(int(r), highest[r] / LEARNED_HEADROOM)
        self.first[unset] = highest[unset] / LEARNED_HEADROOM

    def _rebucket(self, row: int, first: float) -> None:
        middle = self.layout.reported() * self.first[row]
        moved = np.zeros(self.layout.buckets)
        # a bucket's end lies on the next bucket's start: a hair less keeps it in its own
        np.add.at(moved, self.layout.find(middle * (1 - 1e-9) / first), self.weights[row])
        self.weights[row] = moved
        self.first[row] = first
