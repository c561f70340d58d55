"""Which of the names that a mapping has for a metric a server has series of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.promql import aggregate, over_time
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.promql import Matcher

LOOK_AGAIN_S = 3600
"""An alternative may begin or end while a process runs: how often the names are looked at."""
LOOK_AGAIN_IF_NONE_S = 600
KNOWN = frozenset(str(metric) for metric in Metric)


class NamesInUse:
    """Chooses a name per metric: the only one, or the first that had series within a day."""

    def __init__(
        self, client: PrometheusClient, mapping: NameMapping, matchers: Sequence[Matcher] = ()
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._matchers = tuple(matchers)
        self._names: dict[str, SeriesName | None] = {}
        self._look_again_s: dict[str, int] = {}

    def known(self, metric: str) -> SeriesName | None:
        """Return the name that was chosen last; the only one where there is no choice."""
        alternatives = self._alternatives(metric)
        return alternatives[0] if len(alternatives) == 1 else self._names.get(metric)

    def at(self, metric: str, at_s: int) -> SeriesName | None:
        """Return the name to read a metric under; None where it has none with series.

        Raises ``SourceError``.
        """
        alternatives = self._alternatives(metric)
        if len(alternatives) <= 1:
            return alternatives[0] if alternatives else None
        if metric not in self._names or at_s >= self._look_again_s[metric]:
            found = next((name for name in alternatives if self._has_series(name, at_s)), None)
            # A name that served is not given up for a gap in the record.
            self._names[metric] = found or self._names.get(metric)
            is_found = self._names[metric] is not None
            self._look_again_s[metric] = at_s + (LOOK_AGAIN_S if is_found else LOOK_AGAIN_IF_NONE_S)
        return self._names[metric]

    def _alternatives(self, metric: str) -> tuple[SeriesName, ...]:
        return self._mapping.metrics.get(Metric(metric), ()) if metric in KNOWN else ()

    def _has_series(self, name: SeriesName, at_s: int) -> bool:
        last = over_time("last_over_time", name.selector(self._matchers), DAY_S)
        return len(self._client.instant(aggregate("count", last), at_s)) > 0
