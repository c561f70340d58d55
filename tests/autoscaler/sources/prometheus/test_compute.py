"""Of each device one metric: pure calls first, then a source that asks twice where it must."""

import numpy as np
import pytest

from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.compute import Compute, Part
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT, DCGM
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.sources.prometheus.reading import Piece
from autoscaler.sources.source import Metric
from tests.fakes.prometheus import FakePrometheus, served

END_S = 1_772_323_200
PEAKS = {"H100": 989.4}


def peak_tflops(labels):
    return PEAKS.get(labels.get("gpu_model", ""))


def device(worker, uuid="GPU-1", gpu_model="H100"):
    return {
        "namespace": "team",
        "workload": worker.partition("-")[0],
        "worker": worker,
        "uuid": uuid,
        "gpu_model": gpu_model,
    }


def part(metric, series):
    """Return one sample of each of so many series, under the agent's name."""
    piece = Piece(
        labels=({},) * series, series=np.arange(series), ts=np.zeros(series), value=np.ones(series)
    )
    return Part(metric, AGENT.metrics[metric][0], piece)


def factors(compute, metric, own, shares=()):
    """Return the factor of each device's sample, those of shares after the others."""
    parts = [part(metric, len(own))] + ([part(Metric.COMPUTE_PERCENT, len(shares))] * bool(shares))
    rows = [np.arange(len(own)), len(own) + np.arange(len(shares))]
    return compute.factors(metric, parts, [*own, *shares], rows[: len(parts)]).tolist()


@pytest.fixture
def compute():
    compute = Compute(AGENT, peak_tflops)
    compute.is_given_once = True
    return compute


def test_unless_it_is_asked_for_each_metric_is_given_as_the_server_has_it():
    compute = Compute(AGENT, peak_tflops)
    assert not compute.is_completed
    for metric in (Metric.TFLOPS, Metric.COMPUTE_PERCENT):
        assert factors(compute, metric, [device("chat-0")]) == [1.0]


def test_shares_are_tflops_of_devices_that_have_none(compute):
    own, other, unknown = device("a-0"), device("b-0"), device("c-0", gpu_model="")
    found = factors(compute, Metric.TFLOPS, [own], [own, other, unknown])
    np.testing.assert_array_equal(found, [1.0, np.nan, 9.894, np.nan])
    assert [compute.is_of_shares("team", name) for name in "abc"] == [False, True, False]


def test_percent_is_that_of_devices_that_are_in_no_other_metric(compute):
    own, other, unknown = device("a-0"), device("b-0"), device("c-0", gpu_model="")
    factors(compute, Metric.TFLOPS, [own], [own, other, unknown])
    found = factors(compute, Metric.COMPUTE_PERCENT, [own, other, unknown])
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.0])


def test_two_devices_of_one_worker_are_two(compute):
    one, two = device("a-0", "GPU-1"), device("a-0", "GPU-2")
    found = factors(compute, Metric.TFLOPS, [one], [one, two])
    np.testing.assert_array_equal(found, [1.0, np.nan, 9.894])


def test_devices_that_had_tflops_once_may_lose_them(compute):
    one = device("a-0")
    factors(compute, Metric.TFLOPS, [one])
    compute.forget_devices()
    assert factors(compute, Metric.TFLOPS, [], [one]) == [9.894]


def test_names_of_shares_need_no_second_question():
    compute = Compute(DCGM, peak_tflops)
    compute.is_given_once = True
    assert not compute.is_completed


@pytest.mark.parametrize("step_s", [15, 60])
def test_a_source_gives_each_devices_compute_once(step_s):
    server = FakePrometheus()
    ts = np.arange(END_S - 600, END_S, 15) + 0.25
    both, share, unknown = device("a-0"), device("b-0"), device("c-0", gpu_model="")
    server.add("tf_worker_compute_tflops", ts, 100.0, **both, method="sm_time")
    for one in (both, share, unknown):
        server.add("tf_worker_compute_percentage", ts, 50.0, **one)
    with served(server) as url:
        client = PrometheusClient(Connection(url=url))
        source = PrometheusSource(client, AGENT, peak_tflops=peak_tflops)
        source.give_compute_once()
        values = {
            metric: {
                samples.labels[row]["worker"]: set(samples.value[samples.series == row].tolist())
                for samples in (source.read(metric, END_S - 300, END_S, step_s),)
                for row in set(samples.series.tolist())
            }
            for metric in (Metric.TFLOPS, Metric.COMPUTE_PERCENT)
        }
        queries = [source.promql("tflops", "team", workload) for workload in "ab"]
        client.close()

    assert values == {
        Metric.TFLOPS: {"a-0": {100.0}, "b-0": {np.float32(494.7)}},
        Metric.COMPUTE_PERCENT: {"c-0": {50.0}},
    }
    assert ["percentage" in "".join(own) for own in queries] == [False, True]
