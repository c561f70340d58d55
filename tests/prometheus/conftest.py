"""The real servers of these tests, and a source on each."""

from collections.abc import Iterator

import pytest

from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from tests.components.fixtures import HistoryServer


@pytest.fixture
def source(history_server: HistoryServer) -> Iterator[PrometheusSource]:
    client = PrometheusClient(Connection(url=history_server.url))
    yield PrometheusSource(client, AGENT, peak_tflops=lambda _name: None)
    client.close()
