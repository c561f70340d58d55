"""An exporter process as small as it can be: it shows the workers that a JSON file describes.

``python -m tests.components.exporter --port-file FILE --state FILE``.  The file is read at every
scrape, so a test changes what is measured by writing it anew; a worker that is no longer in it
vanishes from the next scrape, as on a node.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tests.components.worker_metrics import LABELS, WORKER_METRICS, WorkerMetric

METRIC_OF = {metric.name: metric for metric in WORKER_METRICS}


def write_state(path: Path, workers: Sequence[Mapping[str, Any]]) -> None:
    """Write what is shown from the next scrape on, in one step.

    Each worker is ``{"labels": {...}, "values": {series name: value}}``, with ``"at_s"`` where its
    samples have a stamp of their own.  Raises ``ValueError`` for a label or series that workers do
    not have.
    """
    for worker in workers:
        unknown = {*worker["labels"]} ^ {*LABELS} | {*worker["values"]} - {*METRIC_OF}
        if unknown:
            raise ValueError(f"labels or series that a worker lacks or does not have: {unknown}")
    _replace(path, json.dumps(workers))


class WorkerCollector(Collector):
    """Reads the file and shows what it says."""

    def __init__(self, state_file: Path) -> None:
        self._state_file = state_file

    def collect(self) -> Iterator[Metric]:
        """Yield a family for every series that a worker has."""
        workers = json.loads(self._state_file.read_text(encoding="utf-8"))
        for metric in WORKER_METRICS:
            family = _family(metric)
            for worker in workers:
                value = worker["values"].get(metric.name)
                if value is not None:
                    own = [worker["labels"][label] for label in LABELS]
                    family.add_metric(
                        [*own, *metric.labels.values()], value, timestamp=worker.get("at_s")
                    )
            if family.samples:
                yield family


def main() -> None:
    """Serve until the process is ended; the port is written when it listens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    registry = CollectorRegistry()
    registry.register(WorkerCollector(options.state))
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    _replace(options.port_file, str(server.server_port))
    thread.join()


def _family(metric: WorkerMetric) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, "A series of a worker.", labels=[*LABELS, *metric.labels])


def _replace(path: Path, text: str) -> None:
    """Write a file so that no reader sees half of it."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    main()
