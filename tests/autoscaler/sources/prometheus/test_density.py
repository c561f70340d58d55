"""How much there is to read: asked once, believed for a while."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.density import BELIEVED_S, Densities
from autoscaler.sources.prometheus.reading import Piece
from tests.components.fault_proxy import FaultProxy, Reply

DAY = (10 * DAY_S, 11 * DAY_S)


class Answering:
    """A server that answers every query with the same counts."""

    def __init__(self) -> None:
        self.counts: tuple[str, ...] = ()
        self.asked = 0

    def __call__(self, _seen) -> Reply:
        self.asked += 1
        values = [[60 * at, count] for at, count in enumerate(self.counts)]
        result = [{"metric": {}, "values": values}] if values else []
        data = {"resultType": "matrix", "result": result}
        return Reply(body=json.dumps({"status": "success", "data": data}).encode())


@pytest.fixture
def answering() -> Answering:
    return Answering()


@pytest.fixture
def densities(answering) -> Iterator[Densities]:
    with FaultProxy(answer=answering) as server:
        client = PrometheusClient(Connection(url=server.url))
        yield Densities(client)
        client.close()


def test_the_densest_window_counts(answering, densities):
    answering.counts = ("3", "40", "5")
    assert densities.series("tflops", "m", DAY) == 40
    assert densities.has_several_per_block("tflops", "m", DAY, 60)


def test_scrapes_a_minute_apart_give_one_sample_per_block(answering, densities):
    answering.counts = ("3", "11")
    assert not densities.has_several_per_block("tflops", "m", DAY, 60)


@pytest.mark.parametrize("counts", [(), ("NaN",), ("+Inf", "-Inf")])
def test_without_a_number_several_samples_are_assumed_and_asked_for_again(
    answering, densities, counts
):
    answering.counts = counts
    assert densities.series("tflops", "m", DAY) == 1
    assert densities.has_several_per_block("tflops", "m", DAY, 60)
    answering.counts = ("10",)
    assert not densities.has_several_per_block("tflops", "m", DAY, 60)


def test_what_is_no_number_is_left_out(answering, densities):
    answering.counts = ("NaN", "12", "+Inf")
    assert densities.series("tflops", "m", DAY) == 12


def test_the_number_of_series_is_known_from_the_last_answer(answering, densities):
    densities.note("tflops", 500)
    densities.note("tflops", 0)
    assert densities.series("tflops", "m", DAY) == 500
    assert answering.asked == 0


def test_the_distance_of_scrapes_is_believed_for_some_days(answering, densities):
    answering.counts = ("10",)
    assert not densities.has_several_per_block("tflops", "m", DAY, 60)
    answering.counts = ("40",)
    near = (DAY[0] + BELIEVED_S, DAY[1] + BELIEVED_S)
    assert not densities.has_several_per_block("tflops", "m", near, 60)
    far = (near[0] + 60, near[1] + 60)
    assert densities.has_several_per_block("tflops", "m", far, 60)
    assert answering.asked == 2


def test_metrics_and_lengths_of_blocks_are_looked_at_apart(answering, densities):
    answering.counts = ("10",)
    assert not densities.has_several_per_block("tflops", "m", DAY, 60)
    assert densities.has_several_per_block("tflops", "m", DAY, 300)
    assert not densities.has_several_per_block("tflops_pct", "m", DAY, 60)
    assert answering.asked == 3


def window_of(samples: int, series: int) -> Piece:
    return Piece(
        labels=({},) * series,
        series=np.arange(samples) % max(series, 1),
        ts=np.zeros(samples),
        value=np.zeros(samples),
    )


def test_how_far_to_look_back_for_a_counter_follows_its_scrapes(densities):
    assert densities.look_back_s("denied") == 300
    densities.learn("denied", window_of(samples=200, series=50), 60)
    assert densities.look_back_s("denied") == 60
    densities.learn("denied", window_of(samples=0, series=0), 60)
    assert densities.look_back_s("denied") == 60
    densities.learn("denied", window_of(samples=6000, series=50), 60)
    assert densities.look_back_s("denied") == 30
    densities.learn("denied", window_of(samples=50, series=50), 120)
    assert densities.look_back_s("denied") == 300


def test_how_many_samples_a_second_brings_is_learned_from_the_last_window(densities):
    assert densities.samples_per_s("tflops") == float("inf")
    densities.learn("tflops", window_of(samples=200, series=50), 100)
    assert densities.samples_per_s("tflops") == 2.0
