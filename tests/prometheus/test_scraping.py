"""A real exporter, scraped by a real server: what has just happened is read a moment later."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.sources.source import Metric
from tests.components.processes import until
from tests.components.servers import (
    scrape_config,
    show,
    start_exporter,
    start_prometheus,
)
from tests.components.worker_metrics import MEMORY_BYTES, TFLOPS, VRAM_DENIED
from tests.components.worker_series import worker_labels
from tests.prometheus.truth import of_samples

Show = Callable[..., None]


def worker(name: str, **values: float) -> dict:
    names = {"tflops": TFLOPS.name, "vram": MEMORY_BYTES.name, "denied": VRAM_DENIED.name}
    return {
        "labels": worker_labels("serving", "chat", name),
        "values": {names[key]: value for key, value in values.items()},
    }


@pytest.fixture
def scraped(prometheus_binaries: object, tmp_path: Path) -> Iterator[tuple[PrometheusSource, Show]]:
    """Give a source on a server that scrapes an exporter each second, and a way to change it."""
    exported = tmp_path / "exporter"
    with start_exporter(exported, [worker("chat-0", tflops=10.0, vram=2.0**30, denied=0.0)]) as one:
        config = scrape_config(one.url)
        with start_prometheus(tmp_path / "server", config=config) as server:
            client = PrometheusClient(Connection(url=server.url))
            source = PrometheusSource(client, AGENT, peak_tflops=lambda _name: None)
            yield source, lambda *workers: show(exported, workers)
            client.close()


def newest(source: PrometheusSource, metric: Metric) -> dict[str, float]:
    """Return each worker's last value of the last 30 s."""
    now_s = int(time.time()) + 1
    table = of_samples(source.read(metric, now_s - 30, now_s, 15))
    return {name: value for (name, _), value in sorted(table.items(), key=lambda item: item[0][1])}


def test_a_changed_use_is_read_at_the_next_scrape(scraped):
    source, show_workers = scraped
    until(lambda: newest(source, Metric.TFLOPS) == {"chat-0": 10.0}, what="the first scrape")
    show_workers(worker("chat-0", tflops=250.0))
    until(lambda: newest(source, Metric.TFLOPS) == {"chat-0": 250.0}, what="the changed value")


def test_a_worker_that_takes_the_place_of_another_is_a_worker_of_its_own(scraped):
    source, show_workers = scraped
    until(lambda: "chat-0" in newest(source, Metric.VRAM_BYTES), what="the first worker")
    show_workers(worker("chat-1", tflops=20.0, vram=3 * 2.0**30))
    until(lambda: "chat-1" in newest(source, Metric.VRAM_BYTES), what="the second worker")
    assert newest(source, Metric.VRAM_BYTES)["chat-1"] == 3 * 2.0**30


def test_refused_allocations_are_seen_over_a_restart_of_the_agent(scraped):
    source, show_workers = scraped

    def denied() -> float:
        now_s = int(time.time()) + 1
        return float(source.read(Metric.VRAM_DENIED, now_s - 60, now_s, 15).value.sum())

    until(lambda: "chat-0" in newest(source, Metric.TFLOPS), what="the first scrape")
    show_workers(worker("chat-0", tflops=10.0, denied=5.0))
    until(lambda: denied() == 5.0, what="five refused allocations")
    show_workers(worker("chat-0", tflops=10.0, denied=2.0))
    until(lambda: denied() == 7.0, what="two more after a restart")
