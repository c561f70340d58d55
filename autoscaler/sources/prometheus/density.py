"""How much there is to read of a metric, before it is read.

From it come the length of chunks, and whether a block holds more than one sample of a series: only
then do its mean and its maximum differ.  A history is read in many parts, so that what was found
once is believed for some days, and how many series there are is known from the part before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.counters import LONGEST_INTERVAL_S
from autoscaler.sources.prometheus.promql import Aggregation, aggregate, over_time

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.reading import Piece
    from recommender.observation import Floats

WINDOW_S = 600
POINTS = 4
FEWEST_PER_WINDOW = 12
"""Scrapes a minute apart give 10 or 11 samples in 10 minutes; from 12 on they are closer."""
SCRAPES_LOOKED_BACK = 4
"""Scrapes come late, and some are missing."""
BELIEVED_S = 3 * DAY_S
"""How far from where it was looked at the distance of scrapes is taken for the same."""


@dataclass(frozen=True, slots=True)
class _Spacing:
    has_several: bool
    end_s: int
    """End of the time that was looked at."""


@dataclass(frozen=True, slots=True)
class _Raw:
    samples_per_s: float
    interval_s: float
    """Of the samples of one series."""


class Densities:
    """What is known of the metrics of one server."""

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client
        self._series: dict[str, int] = {}
        self._spacing: dict[tuple[str, int], _Spacing] = {}
        self._raw: dict[str, _Raw] = {}

    def note(self, metric: str, series: int) -> None:
        """Keep how many series an answer had; one that is empty says nothing."""
        if series:
            self._series[metric] = series

    def learn(self, metric: str, piece: Piece, window_s: int) -> None:
        """Keep how many samples a window of so many seconds held."""
        if len(piece):
            interval_s = window_s * len(piece.labels) / len(piece)
            self._raw[metric] = _Raw(len(piece) / window_s, interval_s)

    def samples_per_s(self, metric: str) -> float:
        """Return how many samples of all series a second brings; infinite: not known yet."""
        known = self._raw.get(metric)
        return np.inf if known is None else known.samples_per_s

    def look_back_s(self, metric: str) -> int:
        """Return how long before a time the sample before it is found, in whole seconds."""
        known = self._raw.get(metric)
        if known is None:
            return LONGEST_INTERVAL_S
        return int(np.clip(SCRAPES_LOOKED_BACK * known.interval_s, 30, LONGEST_INTERVAL_S))

    def series(self, metric: str, selector: str, span: tuple[int, int]) -> int:
        """Return about how many series a metric has; asked only before the first answer.

        Where nothing is found in a few short windows of ``span``, 1.
        """
        if metric not in self._series:
            found = self._look("count", selector, span, WINDOW_S)
            self.note(metric, int(found.max(initial=0)))
        return self._series.get(metric, 1)

    def has_several_per_block(
        self, metric: str, selector: str, span: tuple[int, int], step_s: int
    ) -> bool:
        """Return whether a block of ``step_s`` holds more than one sample of a series.

        Looked at in a few short windows.  Where they are all empty, several are assumed, which is
        never wrong.
        """
        known = self._spacing.get((metric, step_s))
        if known is not None and abs(span[1] - known.end_s) <= BELIEVED_S:
            return known.has_several
        window_s = max(WINDOW_S, step_s)
        most = self._look("max", selector, span, window_s)
        if not len(most):
            return True
        fewest = FEWEST_PER_WINDOW * window_s / WINDOW_S if step_s <= 60 else window_s / step_s + 1
        has_several = bool(most.max() >= fewest)
        self._spacing[metric, step_s] = _Spacing(has_several, span[1])
        return has_several

    def _look(
        self, operator: Aggregation, selector: str, span: tuple[int, int], window_s: int
    ) -> Floats:
        """Return an aggregate of the counts of some windows of ``span``, the last at its end."""
        start_s, end_s = span
        every_s = max((end_s - start_s) // POINTS, 1)
        first_s = end_s - every_s * ((end_s - start_s - 1) // every_s)
        counts = aggregate(operator, over_time("count_over_time", selector, window_s))
        value = self._client.range(counts, first_s, end_s, every_s).value
        return value[np.isfinite(value)]
