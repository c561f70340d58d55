"""A fleet that is known by its metrics alone, looked up now and then."""

from contextlib import closing
from types import MappingProxyType

import numpy as np
import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Change
from autoscaler.scaling.fleet.measured_cluster import (
    NOBODY,
    NOTHING_APPLIED,
    REFRESH_S,
    MeasuredCluster,
    fleet_reader,
)
from autoscaler.scaling.fleet.measured_fleet import MeasuredFleet
from autoscaler.scaling.fleet.measured_inventory import peaks_of
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from recommender.gpu_models import find_gpu_model
from tests.autoscaler.scaling.builders import START, view
from tests.fakes.prometheus import FakePrometheus, served


def fleet(*views):
    return MeasuredFleet(
        views=views,
        notes=(),
        report_notes=(),
        errors=(),
        without_usage=0,
        price_sources=MappingProxyType({}),
    )


class Server:
    """Answers who was measured."""

    def __init__(self, *views):
        self.views = views
        self.asked_s = []
        self.error = None

    def read(self, now_s):
        self.asked_s.append(now_s)
        if self.error is not None:
            raise self.error
        return fleet(*self.views)


@pytest.fixture
def server():
    return Server(view("chat"), view("other"))


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def cluster(server, clock):
    return MeasuredCluster(server.read, clock)


def names(cluster):
    return [each.workload for each in cluster.snapshot()]


def test_the_fleet_is_looked_up_once_a_minute(cluster, server, clock):
    for _ in range(9):
        assert names(cluster) == ["chat", "other"]
        clock.advance_to(clock.now_s() + REFRESH_S // 4)
    assert server.asked_s == [START, START + REFRESH_S, START + 2 * REFRESH_S]


def test_between_two_looks_the_views_are_the_same_objects(cluster):
    first, second = cluster.snapshot(), cluster.snapshot()
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_some_workloads_are_read_again_as_they_were(cluster):
    assert [each.workload for each in cluster.reread([("team", "other")])] == ["other"]


def test_a_server_that_does_not_answer_leaves_the_fleet_as_it_was(cluster, server, clock, caplog):
    names(cluster)
    server.error = SourceUnavailableError("connection refused")
    for _ in range(2):
        clock.advance_to(clock.now_s() + REFRESH_S)
        assert names(cluster) == ["chat", "other"]
    assert caplog.messages == ["who is measured cannot be looked up: connection refused"]
    server.error, server.views = None, (view("new"),)
    clock.advance_to(clock.now_s() + 15)
    assert names(cluster) == ["new"]


def test_without_any_look_up_there_is_no_fleet(cluster, server):
    server.error = SourceUnavailableError("connection refused")
    with pytest.raises(SourceUnavailableError):
        cluster.snapshot()
    server.error = None
    assert names(cluster) == ["chat", "other"]


def test_a_server_that_measured_nobody_is_told(cluster, server, caplog):
    server.views = ()
    assert cluster.snapshot() == ()
    assert caplog.messages == [NOBODY]


def test_nothing_is_applied(cluster):
    change = Change(namespace="team", workload="chat", uid="1", replicas=2)
    [outcome] = cluster.apply([change])
    assert (outcome.applied, outcome.reason) == (False, NOTHING_APPLIED)


NOW_S = 1_772_323_200
CHAT = {"namespace": "team", "workload": "chat", "worker": "chat-0", "gpu_model": "A100"}


def test_a_look_up_finds_who_was_measured_and_what_is_in_force():
    server = FakePrometheus()
    scrapes = np.arange(NOW_S - 3600, NOW_S, 15) + 0.25
    server.add("tf_worker_compute_tflops", scrapes, 30.0, method="sm_time", **CHAT)
    server.add("tf_worker_tflops_limit", scrapes, 80.0, **CHAT)
    with served(server) as url, closing(PrometheusClient(Connection(url=url))) as client:
        source = PrometheusSource(client, AGENT, peak_tflops=peaks_of({}, GpuModels()))
        read = fleet_reader(source, stated={}, gpu_models=GpuModels())
        [found] = MeasuredCluster(read, VirtualClock(NOW_S)).snapshot()
    assert (found.key, found.gpu_model) == (("team", "chat"), find_gpu_model("A100").name)
    assert dict(found.limit) == {"tflops": 80.0}
    assert found.card["tflops"] == 312.0
