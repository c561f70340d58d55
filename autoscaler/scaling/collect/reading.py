"""One pass over a source: each metric window by window from its own position, errors kept apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import SourceError
from autoscaler.scaling.collect.joining import columns_of
from autoscaler.scaling.collect.positions import JOINED_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.scaling.collect.joining import Columns
    from autoscaler.scaling.collect.series import SeriesIndex
    from autoscaler.scaling.collect.windows import Window
    from autoscaler.sources.source import MetricsSource, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one read of all metrics brought."""

    start_s: int
    end_s: int
    samples: Mapping[str, int]
    """Metric to number of samples, those that were read again included."""
    missing: tuple[str, ...] = ()
    """Resources that the source has no metric for."""
    partial: frozenset[str] = frozenset()
    """Metrics that the source answered in part; what it answered was used."""
    said: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Metric to the warnings of the source."""
    unlabelled: int = 0
    """Samples of series that lack ``namespace``, ``workload`` or ``worker``."""
    errors: Mapping[str, SourceError] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_partial(self) -> bool:
        """Whether some metric was answered in part or not at all."""
        return bool(self.partial or self.errors)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the warnings of all metrics, each once."""
        return tuple(dict.fromkeys(text for texts in self.said.values() for text in texts))


class Pass:
    """Where each metric goes on, and what has been found; ``ends`` is kept up to date."""

    def __init__(
        self,
        source: MetricsSource,
        index: SeriesIndex,
        starts: Mapping[str, int],
        ends: dict[str, int],
    ) -> None:
        self.going_s = dict(starts)
        """Metrics that still answer, and where each goes on."""
        self.known_before_s = dict(ends)
        """Samples before it had been read before this pass."""
        self.most_samples = 0
        """Of one metric in one window, since it was reset."""
        self.newest_s: dict[str, int] = {}
        """Metric to the stamp of its newest sample."""
        self._source = source
        self._index = index
        self._starts = dict(starts)
        self._ends = ends
        self._samples: dict[str, int] = {}
        self._said: dict[str, dict[str, None]] = {}
        self._partial: set[str] = set()
        self._errors: dict[str, SourceError] = {}
        self._unlabelled = 0

    def begin_s(self, metric: str, window: Window) -> int:
        """Return where a metric goes on; the window's end where it failed or is beyond it."""
        return min(self.going_s.get(metric, window.end_s), window.end_s)

    def read(self, metric: str, window: Window, begin_s: int) -> Columns | None:
        """Read a metric from ``begin_s`` to the window's end; None: nothing to read, or an error.

        A metric that fails is left out of the rest of the pass and keeps its position.
        """
        if metric not in self.going_s or begin_s >= window.end_s:
            return None
        start_s = begin_s
        if window.is_history:
            start_s = begin_s // window.step_s * window.step_s
        try:
            samples = self._source.read(metric, start_s, window.end_s, window.step_s)
        except SourceError as error:
            self._errors[metric] = error
            del self.going_s[metric]
            return None
        self.going_s[metric] = window.end_s
        self._ends[metric] = max(window.end_s, self._ends[metric])
        columns = self._noted(metric, samples)
        if start_s < begin_s and columns.top is None and metric not in JOINED_METRICS:
            # the source did not aggregate: what lies before the wanted time was not asked for;
            # what is joined counts nowhere by itself, and belongs to all of the first minute
            columns = columns.taken(columns.ts >= begin_s)
        return columns

    def collected(self, end_s: int, missing: tuple[str, ...]) -> Collected:
        """Return what the pass brought."""
        return Collected(
            start_s=min(self._starts.values(), default=end_s),
            end_s=end_s,
            samples=self._samples,
            missing=missing,
            partial=frozenset(self._partial),
            said={metric: tuple(texts) for metric, texts in self._said.items()},
            unlabelled=self._unlabelled,
            errors=self._errors,
        )

    def _noted(self, metric: str, samples: Samples) -> Columns:
        columns = columns_of(samples, self._index.rows_of(samples.labels, samples.series))
        self._unlabelled += len(samples) - len(columns)
        self._samples[metric] = self._samples.get(metric, 0) + len(samples)
        self.most_samples = max(self.most_samples, len(samples))
        if len(columns):
            self.newest_s[metric] = max(int(columns.ts.max()), self.newest_s.get(metric, 0))
        if samples.is_partial:
            self._partial.add(metric)
        if samples.warnings:
            self._said.setdefault(metric, {}).update(dict.fromkeys(samples.warnings))
        return columns
