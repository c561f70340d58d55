"""One metrics server, opened for the loop, and once more for each thread that reads a history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from autoscaler.scaling.running.tick_source import settings_of_ticks
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource

if TYPE_CHECKING:
    from autoscaler.prometheus_settings import PrometheusSettings
    from autoscaler.sources.prometheus.query_counts import QueryCountsSnapshot
    from autoscaler.sources.prometheus.units import PeakTflops


class MetricsAccess:
    """A server that is named.  Raises ``UsageError`` where it cannot be reached as it is said."""

    def __init__(
        self,
        server: PrometheusSettings,
        *,
        tick_s: float,
        peak_tflops: PeakTflops,
        is_compute_given_once: bool = False,
    ) -> None:
        """``peak_tflops`` tells the card of a series.

        ``is_compute_given_once`` asks for shares of the card too, of devices without TFLOPS.
        """
        self._server = server
        self._peak_tflops = peak_tflops
        self._is_compute_given_once = is_compute_given_once
        self._client = PrometheusClient(settings_of_ticks(server, tick_s).connection)
        self.source = self._source(self._client)
        """For the loop's thread."""

    @property
    def title(self) -> str:
        """Return where use comes from, for the head of a report."""
        parts = (self._server.mapping.name, *map(str, self._server.matchers))
        return f"{self._server.url} ({', '.join(parts)})"

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what the names of the server cannot say, one sentence each."""
        return tuple(self._server.mapping.limits)

    @contextmanager
    def opened(self) -> Iterator[PrometheusSource]:
        """Open the server once more, for another thread; both are counted together."""
        client = PrometheusClient(self._server.connection, counts=self._client.counts)
        with closing(client):
            yield self._source(client)

    def counts(self) -> QueryCountsSnapshot:
        """Return the counts of all queries."""
        return self._client.counts.snapshot()

    def close(self) -> None:
        """Leave the server."""
        self._client.close()

    def _source(self, client: PrometheusClient) -> PrometheusSource:
        server = self._server
        source = PrometheusSource(
            client, server.mapping, peak_tflops=self._peak_tflops, matchers=server.matchers
        )
        if self._is_compute_given_once:
            source.give_compute_once()
        return source
