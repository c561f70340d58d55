from __future__ import annotations

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import (
    AnswerError,
    QueryRejectedError,
    QueryTimeoutError,
    SourceUnavailableError,
)
from autoscaler.scaling.loop import Loop
from autoscaler.scaling.loop_snapshot import loop_snapshot
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history
from tests.autoscaler.scaling.measured import MinuteSource

HOUR_S = 3600


class FailingSource(MinuteSource):
    """Fails with ``error`` where a metric is down."""

    error = SourceUnavailableError("gone")

    def read(self, metric, start_s, end_s, step_s):
        if metric in self.down:
            raise self.error
        return super().read(metric, start_s, end_s, step_s)


@pytest.fixture
def source():
    source = FailingSource("tflops", "vram_bytes")
    stamps = range(START, START + HOUR_S + 300, 15)
    source.add("tflops", stamps, 20.0)
    source.add("vram_bytes", stamps, 8e9)
    return source


@pytest.fixture
def clock():
    return VirtualClock(START + HOUR_S)


@pytest.fixture
def loop(source, clock):
    return Loop(StandingCluster(view()), source, clock, UsageModel((TFLOPS, VRAM)))


def ticks(loop, clock, count):
    for _ in range(count):
        clock.advance_to(clock.now_s() + 15)
        loop.tick()


def test_a_new_loop_holds_nothing(loop):
    snapshot = loop_snapshot(loop)

    assert (snapshot.workloads, snapshot.workers) == (0, 0)
    assert set(snapshot.samples.values()) == {0}
    assert (snapshot.collect_errors, snapshot.collect_partial) == ({}, {})
    assert (snapshot.checkpoint_bytes, snapshot.checkpoint_saved_s) == (None, None)


def test_what_is_held_is_counted(loop):
    read_history(loop, START)
    snapshot = loop_snapshot(loop, checkpoint_bytes=4096, checkpoint_saved_s=12.5)

    assert (snapshot.workloads, snapshot.workers) == (1, 1)
    assert snapshot.samples["accepted"] > 100
    assert (snapshot.checkpoint_bytes, snapshot.checkpoint_saved_s) == (4096, 12.5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (QueryRejectedError("no"), "rejected"),
        (QueryTimeoutError("late"), "timeout"),
        (SourceUnavailableError("gone"), "unavailable"),
        (AnswerError("a login page"), "bad_answer"),
    ],
)
def test_failed_reads_are_counted_by_metric_and_kind(loop, source, clock, error, kind):
    source.error = error
    read_history(loop, START)
    source.down = {"tflops"}
    ticks(loop, clock, 3)
    source.down = set()
    ticks(loop, clock, 2)

    assert loop_snapshot(loop).collect_errors == {("tflops", kind): 3}


def test_reads_that_fail_in_the_first_tick_are_counted(loop, source):
    source.down = {"tflops", "vram_bytes"}
    loop.tick()

    expected = {("tflops", "unavailable"): 1, ("vram_bytes", "unavailable"): 1}
    assert loop_snapshot(loop).collect_errors == expected


def test_partial_answers_are_counted_by_metric(loop, source, clock):
    read_history(loop, START)
    source.partial = {"vram_bytes"}
    ticks(loop, clock, 2)

    assert loop_snapshot(loop).collect_partial == {"vram_bytes": 2}


def test_a_preview_counts_nothing(loop, source):
    source.down = {"tflops"}
    loop.preview()

    assert loop_snapshot(loop).collect_errors == {}


def test_a_snapshot_does_not_change_with_the_loop(loop, source, clock):
    read_history(loop, START)
    source.down = {"tflops"}
    before = loop_snapshot(loop)
    accepted = before.samples["accepted"]
    ticks(loop, clock, 2)

    assert (before.samples["accepted"], before.collect_errors) == (accepted, {})
    assert loop_snapshot(loop).samples["accepted"] > accepted
