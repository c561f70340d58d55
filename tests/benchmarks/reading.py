"""Reading one metric of a whole history from a Prometheus: our source, or the stock client.

Run as ``python -m tests.benchmarks.reading CLIENT URL START_S END_S STEP_S`` in a process of its
own: it prints one line of JSON.  Both clients hand on what they have read piece by piece and let go
of it, and say how many points there were and their sum, so that it can be seen that both have read
the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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
STOCK_CHUNK_S = 7 * DAY_S
"""The longest whole days whose minutes a Prometheus gives in one answer."""
Piece = tuple[int, float]
"""Number of points, and their sum."""


def peak_tflops(name: str) -> float | None:
    model = find_gpu_model(name)
    return None if model is None else model.fp16_tflops


def source_at(url: str) -> PrometheusSource:
    """Return a source as the commands make it."""
    client = PrometheusClient(Connection(url=url))
    return PrometheusSource(client, AGENT, peak_tflops=peak_tflops)


def by_source(url: str, start_s: int, end_s: int, step_s: int) -> Iterator[Piece]:
    """Read day by day, as a history is collected."""
    source = source_at(url)
    for from_s in range(start_s, end_s, DAY_S):
        samples = source.read(Metric.TFLOPS, from_s, min(from_s + DAY_S, end_s), step_s)
        yield len(samples), float(samples.value.sum(dtype=np.float64))


def by_stock_client(url: str, start_s: int, end_s: int, step_s: int) -> Iterator[Piece]:
    """Read with the unchanged ``PrometheusConnect``, each series into arrays of floats."""
    client = PrometheusConnect(url=url)
    (name,) = AGENT.metrics[Metric.TFLOPS]
    for from_s in range(start_s, end_s, STOCK_CHUNK_S):
        last_s = min(from_s + STOCK_CHUNK_S, end_s) - step_s
        begin, last = (datetime.fromtimestamp(time_s, UTC) for time_s in (from_s, last_s))
        answer = client.custom_query_range(name.selector(), begin, last, str(step_s))
        series = [np.array(one["values"], dtype=float) for one in answer]
        yield sum(map(len, series)), sum(float(one[:, 1].sum()) for one in series)


CLIENTS = {"source": by_source, "stock": by_stock_client}


def main(client: str, url: str, start_s: int, end_s: int, step_s: int) -> dict[str, float]:
    meter = Meter()
    pieces = list(CLIENTS[client](url, start_s, end_s, step_s))
    spent = meter.spent()
    return {
        **asdict(spent),
        "points": sum(points for points, _ in pieces),
        "sum": sum(total for _, total in pieces),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:3], *map(int, sys.argv[3:]))))
