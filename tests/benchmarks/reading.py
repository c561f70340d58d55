"""Reading one metric of a whole history from a Prometheus: our source, or the stock client.

Run as ``python -m tests.benchmarks.reading CLIENT URL START_S END_S STEP_S`` in a process of its
own: it prints one line of JSON.  Both clients hand on what they have read piece by piece and let go
of it, and say how many points there were and their sum, so that it can be seen that both have read
the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
from prometheus_api_client import PrometheusConnect

from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.sources.source import Metric
from recommender.gpu_models import find_gpu_model
from tests.benchmarks.own_process import Meter

DAY_S = 86_400
Piece = tuple[int, float]
"""Number of points, and their sum."""


def peak_tflops(labels: Mapping[str, str]) -> float | None:
    model = find_gpu_model(labels.get("gpu_model", ""))
    return None if model is None else model.fp16_tflops


def source_at(url: str) -> PrometheusSource:
    """Return a source as the commands make it."""
    client = PrometheusClient(Connection(url=url))
    return PrometheusSource(client, AGENT, peak_tflops=peak_tflops)


class OurSource:
    """Reads day by day, as a history is collected."""

    chunk_s = DAY_S

    def __init__(self, url: str) -> None:
        self._source = source_at(url)

    def read(self, start_s: int, end_s: int, step_s: int) -> Piece:
        samples = self._source.read(Metric.TFLOPS, start_s, end_s, step_s)
        return len(samples), float(samples.value.sum(dtype=np.float64))


class StockClient:
    """Reads with the unchanged ``PrometheusConnect``, each series into an array of floats."""

    chunk_s = 7 * DAY_S
    """The most whole days of minutes that a Prometheus gives in one answer."""

    def __init__(self, url: str) -> None:
        self._client = PrometheusConnect(url=url)
        (name,) = AGENT.metrics[Metric.TFLOPS]
        self._query = name.selector()

    def read(self, start_s: int, end_s: int, step_s: int) -> Piece:
        # A range of evaluations ends with its last one.
        span = (datetime.fromtimestamp(time_s, UTC) for time_s in (start_s, end_s - step_s))
        answer = self._client.custom_query_range(self._query, *span, str(step_s))
        series = [np.array(one["values"], dtype=float) for one in answer]
        return sum(map(len, series)), sum(float(one[:, 1].sum()) for one in series)


CLIENTS = {"source": OurSource, "stock": StockClient}


def main(name: str, url: str, start_s: int, end_s: int, step_s: int) -> dict[str, float]:
    meter = Meter()
    client = CLIENTS[name](url)
    pieces = [
        client.read(from_s, min(from_s + client.chunk_s, end_s), step_s)
        for from_s in range(start_s, end_s, client.chunk_s)
    ]
    spent = meter.spent()
    return {
        **asdict(spent),
        "points": sum(points for points, _ in pieces),
        "sum": sum(total for _, total in pieces),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:3], *map(int, sys.argv[3:]))))
