"""Short questions to a server on behalf of its checks, and what they have found so far.

A probe looks at one moment.  It keeps the warnings of every answer, and which series each metric
has, so that later checks need not ask again.  What is made of the answers is in the modules whose
names end in ``_checks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.promql import over_time, window
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.clock import Clock
    from autoscaler.sources.prometheus.answer import Answer
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.promql import Matcher
    from recommender.observation import Floats

RECENT_S = 300
"""Series without a sample for so long count as gone."""
LOOK_S = 600
"""How much of a metric is read sample by sample."""
SIZED_METRICS = (Metric.TFLOPS, Metric.COMPUTE_PERCENT, Metric.VRAM_BYTES)


class Check(StrEnum):
    """Names of the checks, in the order in which they are made; stable, and titles of the docs."""

    REACHABLE = "reachable"
    ACCEPTED = "accepted"
    SERVER = "server"
    CLOCK = "clock"
    RANGES = "ranges"
    SERIES = "series"
    NEWEST = "newest"
    INTERVAL = "interval"
    HISTORY = "history"
    LABELS = "labels"
    HONOR_LABELS = "honor-labels"
    EXPORTER_LABELS = "exporter-labels"
    DUPLICATES = "duplicates"
    SIGNALS = "signals"
    IN_FORCE = "in-force"
    PARTIAL = "partial"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The last ``LOOK_S`` of one metric, sample by sample."""

    labels: tuple[Mapping[str, str], ...]
    """Of the series that have a sample in the last ``RECENT_S``."""
    lag_s: tuple[float, ...]
    """Per label set: how much older its newest sample is than the newest of all."""
    newest_s: float | None
    """Stamp of the newest sample of all; None: there is none."""
    spacing_s: float | None
    """Median distance of the samples of a series; None: no series has two."""


@dataclass(slots=True)
class Probe:
    """One look at a server; not safe for use by several threads, as its client."""

    client: PrometheusClient
    mapping: NameMapping
    clock: Clock
    since_s: int
    """How much history is wanted."""
    matchers: Sequence[Matcher] = ()
    """Narrow every selector."""
    now_s: int = field(init=False)
    names: dict[Metric, SeriesName] = field(default_factory=dict)
    """The name under which each metric has series."""
    recent: dict[Metric, Recent] = field(default_factory=dict)
    """Of the sized metrics that have series."""
    warnings: list[str] = field(default_factory=list)
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)
    _looks: dict[str, Recent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now_s = self.clock.now_s()

    def ask(self, query: str, at_s: int | None = None) -> Answer:
        """Return the answer of an instant query, by default of now.  Raises ``SourceError``."""
        answer = self.client.instant(query, self.now_s if at_s is None else at_s)
        self.warnings += [text for text in answer.warnings if text not in self.warnings]
        return answer

    def number(self, query: str, at_s: int | None = None) -> float | None:
        """Return the single number of a query; None where it has none, or none that counts."""
        value = self.ask(query, at_s).value
        return float(value[0]) if len(value) and np.isfinite(value[0]) else None

    def count(self, expression: str, at_s: int | None = None) -> int:
        """Return how many series an expression has; asked once for each time."""
        key = expression, self.now_s if at_s is None else at_s
        if key not in self._counts:
            self._counts[key] = int(self.number(f"count({expression})", at_s) or 0)
        return self._counts[key]

    def selector(self, name: SeriesName) -> str:
        """Return the selector of a series, narrowed as every query is."""
        return name.selector(self.matchers)

    def find(self, metric: Metric) -> tuple[SeriesName, int] | None:
        """Return the first name that had series in the last day, as the source chooses it.

        With it comes how many series; None where no name had any.
        """
        for name in self.mapping.metrics.get(metric, ()):
            in_a_day = self.count(over_time("last_over_time", self.selector(name), DAY_S))
            if in_a_day:
                self.names[metric] = name
                return name, in_a_day
        return None

    def look(self, name: SeriesName) -> Recent:
        """Read the last minutes of a series, once: several metrics may be made of it."""
        selector = self.selector(name)
        if selector not in self._looks:
            self._looks[selector] = self._look(selector)
        return self._looks[selector]

    def _look(self, selector: str) -> Recent:
        answer = self.ask(window(selector, LOOK_S))
        newest_s = _newest_of_each(answer)
        recent = np.flatnonzero(newest_s >= self.now_s - RECENT_S)
        return Recent(
            labels=tuple(answer.labels[i] for i in recent.tolist()),
            lag_s=tuple((newest_s.max(initial=-np.inf) - newest_s[recent]).tolist()),
            newest_s=float(answer.ts.max()) if len(answer.ts) else None,
            spacing_s=_median_spacing_s(answer),
        )

    def first_sized(self) -> Metric | None:
        """Return the first sized metric that has series."""
        return next((metric for metric in SIZED_METRICS if metric in self.names), None)


def _newest_of_each(answer: Answer) -> Floats:
    """Return the newest stamp of each series; -inf where it has no sample."""
    newest = np.full(len(answer.labels), -np.inf)
    np.maximum.at(newest, answer.series, answer.ts)
    return newest


def _median_spacing_s(answer: Answer) -> float | None:
    """Return the usual distance of two samples of one series."""
    gaps = np.diff(answer.ts)[np.diff(answer.series) == 0]
    return float(np.median(gaps)) if len(gaps) else None
