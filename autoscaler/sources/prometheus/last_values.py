"""The last value of every series of a name, read by the workers that the labels name.

One query for the whole fleet.  Series whose labels name no worker are counted, and so is what the
server could not answer.  What the values mean is ``inventory``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autoscaler.errors import QueryRejectedError
from autoscaler.sources.prometheus.promql import over_time
from recommender.observation import Floats

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.labels import LabelTable
    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.promql import Matcher

GONE_S = 300
GONE_SCRAPES = 3
"""A worker without a sample for longer than both is no longer running."""
INTERVAL_WINDOW_S = 3600
"""From how many samples of this time the usual distance of scrapes is taken."""
IDENTITY = ("namespace", "workload", "worker")

WorkerKey = tuple[str, str, str]
"""(namespace, workload, worker)."""
Labels = Mapping[str, str]


class LastValue(NamedTuple):
    """The last sample of one series of a worker."""

    key: WorkerKey
    labels: Labels
    """By our names."""
    value: float
    written: Labels
    """As the server has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledSeries:
    """Series that belong to no worker, because one of the labels of ``IDENTITY`` is missing."""

    series: str
    """As it was asked for."""
    namespace: str
    """Empty where that label is missing."""
    workload: str
    missing: tuple[str, ...]
    count: int


class LastValues:
    """Asks for last values; one query for the fleet each, all at one time."""

    def __init__(
        self,
        client: PrometheusClient,
        table: LabelTable,
        matchers: tuple[Matcher, ...],
        now_s: int,
    ) -> None:
        self.interval_s: int | None = None
        """Usual distance of scrapes, once it was learned."""
        self.warnings: dict[str, None] = {}
        self._unlabelled: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
        self._client = client
        self._table = table
        self._matchers = matchers
        self._now_s = now_s

    @property
    def recent_s(self) -> int:
        """How old the last sample of a running worker may be."""
        return max(GONE_S, GONE_SCRAPES * (self.interval_s or 0))

    @property
    def unlabelled(self) -> tuple[UnlabelledSeries, ...]:
        """Series of the answers so far that name no worker."""
        return tuple(
            UnlabelledSeries(
                series=series, namespace=namespace, workload=workload, missing=missing, count=count
            )
            for (series, namespace, workload, missing), count in sorted(self._unlabelled.items())
        )

    def learn_interval(self, name: SeriesName) -> None:
        """Take the usual distance of scrapes from a name, once."""
        if self.interval_s is None:
            counted = over_time("count_over_time", self._selector(name), INTERVAL_WINDOW_S)
            try:
                _, counts = self._ask(f"quantile(0.5, {counted})")
            except QueryRejectedError:
                # a name that is refused is refused again in the next query, which tells it
                return
            if len(counts) and counts[0] > 0:
                self.interval_s = max(1, round(INTERVAL_WINDOW_S / float(counts[0])))

    def of(self, name: SeriesName, window_s: int, ago_s: int = 0) -> list[LastValue]:
        """Return each series' last sample in a window, as far as it names a worker.

        The window ends ``ago_s`` seconds before now.  Raises ``SourceError``.
        """
        query = over_time(
            "last_over_time", self._selector(name), window_s, offset_ms=1000 * ago_s + 1
        )
        labels, values = self._ask(query)
        table, rows = self._table.rows(labels)
        ours = [table[row] for row in rows.tolist()]
        keys = [tuple(label.get(part, "") for part in IDENTITY) for label in ours]
        # of the same series in several answers the largest number counts
        self._unlabelled |= Counter(
            (
                str(name),
                key[0],
                key[1],
                tuple(p for p, v in zip(IDENTITY, key, strict=True) if not v),
            )
            for key in keys
            if not all(key)
        )
        with np.errstate(over="ignore"):
            scaled = values * name.scale
        found = zip(keys, ours, scaled.tolist(), labels, strict=True)
        return [
            LastValue((key[0], key[1], key[2]), label, value, written)
            for key, label, value, written in found
            if all(key)
        ]

    def _selector(self, name: SeriesName) -> str:
        return name.selector(self._matchers)

    def _ask(self, query: str) -> tuple[tuple[Labels, ...], Floats]:
        answer = self._client.instant(query, self._now_s)
        self.warnings |= dict.fromkeys(answer.warnings)
        return tuple(answer.labels), answer.value
