"""One metrics server, opened for the loop, and once more for each thread that reads a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from autoscaler.scaling.fleet.stated import GpuModels, card_model
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
        gpu_models: GpuModels,
        *,
        peak_tflops: PeakTflops | None = None,
    ) -> None:
        """``peak_tflops`` tells the card of a series; None: the one that it reports."""
        self._server = server
        self._peak_tflops = peak_tflops or _reported(gpu_models)
        self._client = PrometheusClient(server.connection)
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
        return PrometheusSource(
            client, server.mapping, peak_tflops=self._peak_tflops, matchers=server.matchers
        )


def _reported(gpu_models: GpuModels) -> PeakTflops:
    def peak_tflops(labels: Mapping[str, str]) -> float | None:
        model = card_model(labels.get("gpu_model", ""), None, gpu_models)
        return None if model is None else model.fp16_tflops

    return peak_tflops
