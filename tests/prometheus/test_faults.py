"""A loop over a real server, with a proxy between them that misbehaves.

Each fault is met by a running loop.  It must go on, lose nothing that the server still has, and
show the fault in its metrics and to ``tfa check``.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import (
    AnswerError,
    ClockError,
    QueryRejectedError,
    QueryTimeoutError,
    SourceUnavailableError,
)
from autoscaler.findings import Status
from autoscaler.scaling.loop import Loop
from autoscaler.sources.prometheus.checks import check_source
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.telemetry.exposition import registry_of, render
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import StandingCluster, view
from tests.autoscaler.scaling.histories import read_history
from tests.components import http_faults as faults
from tests.components.fault_proxy import FaultProxy
from tests.components.fixtures import prometheus_with
from tests.components.histories import START_S

NOW_S = START_S + 26 * 3600
HISTORY_S = 6 * 3600
TICK_S = 90
FAULTY_TICKS = 2
"""Longer than a minute takes late samples."""
MIB = 2**20

FAULTS = {
    "silence": (faults.never, QueryTimeoutError, "timeout"),
    "trickle": (faults.trickle(), QueryTimeoutError, "timeout"),
    "cut in the body": (faults.cut(100), AnswerError, "bad_answer"),
    "reset in the body": (faults.cut(100, reset=True), SourceUnavailableError, "unavailable"),
    "hang-up": (faults.hang_up, SourceUnavailableError, "unavailable"),
    "503": (faults.replied(503, b"overloaded"), SourceUnavailableError, "unavailable"),
    "429": (faults.replied(429, b"slow down"), SourceUnavailableError, "unavailable"),
    "422": (
        faults.api_error(422, "execution", "query processing would load too many samples"),
        QueryRejectedError,
        "rejected",
    ),
    "wrong content type": (
        faults.replied(200, b"<title>Sign in</title>", "text/html"),
        AnswerError,
        "bad_answer",
    ),
    "gzip bomb": (faults.gzip_bomb(256 * MIB), AnswerError, "bad_answer"),
    "2 GB answer": (faults.announced(2 * 10**9), AnswerError, "bad_answer"),
    "no HTTP": (faults.no_http, AnswerError, "bad_answer"),
}


@pytest.fixture(scope="module")
def upstream(prometheus_binaries, history_text, tmp_path_factory) -> Iterator[str]:
    with prometheus_with(tmp_path_factory.mktemp("upstream"), history_text) as server:
        yield server.url


@pytest.fixture
def proxy(upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream) as between:
        yield between


class Autoscaler:
    """A loop of its own over one URL, and what can be seen of it."""

    def __init__(self, url: str) -> None:
        connection = Connection(
            url=url, query_timeout_s=0.5, connect_timeout_s=0.5, answer_bytes=64 * MIB
        )
        self.client = PrometheusClient(connection, wait=lambda _s: None)
        self.source = PrometheusSource(self.client, AGENT, peak_tflops=lambda _name: None)
        self.clock = VirtualClock(NOW_S)
        cluster = StandingCluster(
            view("chat", "auto-requests", namespace="serving", workers=2),
            view("train", "auto-requests", namespace="batch"),
        )
        self.loop = Loop(cluster, self.source, self.clock, UsageModel([TFLOPS, VRAM]))
        read_history(self.loop, NOW_S - HISTORY_S)

    def tick(self):
        self.clock.advance_to(self.clock.now_s() + TICK_S)
        return self.loop.tick()

    def metric(self, name: str) -> float:
        text = render(registry_of(source=self.client.counts.snapshot)).decode()
        found = re.search(rf"^tensorfusion_autoscaler_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found is not None, f"{name} is not exported"
        return float(found.group(1))

    def findings(self):
        return check_source(self.client, AGENT, clock=self.clock, since_s=HISTORY_S)

    def usage(self) -> dict[str, np.ndarray]:
        """Return everything that is kept of the workloads' usage."""
        kept = {}
        for store in self.loop.model.stores:
            name = store.resource.name
            kept |= {
                f"{name} requests": store.requests.weights,
                f"{name} limits": store.limits.weights,
                f"{name} blocks": store.blocks.top.values,
                f"{name} minutes": store.minute_top.values,
                f"{name} points": store.points,
            }
        return kept


@pytest.fixture
def scaler(proxy) -> Iterator[Autoscaler]:
    scaler = Autoscaler(proxy.url)
    yield scaler
    scaler.client.close()


@pytest.fixture(scope="module")
def untroubled(upstream) -> Iterator[dict[str, np.ndarray]]:
    """Give the usage of a loop that ticked as often and met no fault."""
    scaler = Autoscaler(upstream)
    for _ in range(1 + FAULTY_TICKS + 2):
        scaler.tick()
    yield scaler.usage()
    scaler.client.close()


def assert_same_usage(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_survived_shown_and_made_good(name, proxy, scaler, untroubled):
    fault, error, outcome = FAULTS[name]
    assert scaler.tick().errors == {}
    counted = f'source_queries_total{{outcome="{outcome}"}}'
    before = scaler.metric(counted)

    proxy.misbehave(fault)
    for _ in range(FAULTY_TICKS):
        tick = scaler.tick()
        assert {type(e) for e in tick.collected.errors.values()} == {error}
        assert tick.decisions is not None
    assert scaler.metric(counted) > before
    failed = [finding for finding in scaler.findings() if finding.status is Status.FAILED]
    assert len(failed) == 1
    assert failed[0].next_step

    proxy.heal()
    for _ in range(2):
        assert scaler.tick().errors == {}
    assert_same_usage(scaler.usage(), untroubled)


def test_a_server_that_refuses_connections_is_survived_shown_and_made_good(
    proxy, scaler, untroubled
):
    scaler.tick()
    proxy.refuse()
    for _ in range(FAULTY_TICKS):
        errors = scaler.tick().collected.errors
        assert {type(error) for error in errors.values()} == {SourceUnavailableError}
    assert "refused" in scaler.findings()[0].text
    proxy.accept()
    for _ in range(2):
        assert scaler.tick().errors == {}
    assert_same_usage(scaler.usage(), untroubled)


def test_a_partial_answer_is_used_and_shown_as_partial(proxy, scaler):
    proxy.misbehave(faults.warned("store gateway 3 is away"))
    tick = scaler.tick()
    assert tick.errors == {}
    assert tick.collected.is_partial
    assert "store gateway 3 is away" in " ".join(tick.collected.warnings)
    assert scaler.metric("source_partial_total") > 0
    partial = next(finding for finding in scaler.findings() if finding.check == "partial")
    assert partial.status is Status.WARNING
    assert "store gateway 3 is away" in partial.text


def test_a_clock_ahead_of_the_server_s_stops_reading_and_loses_nothing(proxy, scaler, untroubled):
    scaler.tick()
    proxy.misbehave(faults.skewed(NOW_S - 3600))
    for _ in range(FAULTY_TICKS):
        errors = scaler.tick().collected.errors
        assert {type(error) for error in errors.values()} == {ClockError}
    assert "1 h" in str(next(iter(errors.values())))
    proxy.heal()
    for _ in range(2):
        assert scaler.tick().errors == {}
    assert_same_usage(scaler.usage(), untroubled)


def test_a_server_whose_clock_is_ahead_is_read_and_found(proxy, scaler):
    proxy.misbehave(faults.skewed(NOW_S + 3600))
    assert scaler.tick().errors == {}
    clock = next(finding for finding in scaler.findings() if finding.check == "clock")
    assert clock.status is Status.FAILED


def test_a_fault_of_one_query_is_repeated_and_never_seen(proxy, scaler):
    proxy.misbehave(faults.replied(503, b"starting"), times=1)
    assert scaler.tick().errors == {}
    assert scaler.metric("source_query_retries_total") == 1


def test_values_that_are_no_numbers_are_counted_and_change_nothing(proxy, scaler):
    def without_numbers(body: bytes) -> bytes:
        return re.sub(rb',"[0-9.e+-]+"\]', b',"NaN"]', body)

    last_s = scaler.loop.model.stores[0].last_sample_s.tolist()
    proxy.misbehave(faults.rewritten(without_numbers))
    assert scaler.tick().errors == {}
    assert scaler.loop.model.counts.not_finite > 0
    assert scaler.loop.model.stores[0].last_sample_s.tolist() == last_s
