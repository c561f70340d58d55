"""A process that starts again: its state is used where it can be, and else the history is read."""

from __future__ import annotations

import logging
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.clock import VirtualClock
from autoscaler.scaling import state_file
from autoscaler.scaling.collect.collecting import CollectionError
from autoscaler.scaling.loop import Loop, LoopSettings
from recommender.errors import CheckpointError
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, StandingCluster, view
from tests.autoscaler.scaling.measured import MinuteSource
from tests.autoscaler.scaling.running.starts import checkpoints_of, start

HOUR = 3600
RESOURCES = (TFLOPS, VRAM)
STAMPS = np.arange(START, START + 12 * HOUR, 15)
USE = np.random.default_rng(5).gamma(3.0, 12.0, len(STAMPS)).clip(0, 79)


class Fleet:
    """A cluster and a source that outlive the loops over them."""

    def __init__(self, hours=2.0):
        self.source = MinuteSource("tflops", "vram_bytes")
        self.source.add("tflops", STAMPS, USE)
        self.source.add("vram_bytes", STAMPS, USE * 1e8)
        self.cluster = StandingCluster(view("chat", "auto-limits", "auto-requests"))
        self.clock = VirtualClock(START + round(hours * HOUR))

    def loop(self, resources=RESOURCES):
        settings_ = LoopSettings(mode=Mode.APPLY)
        return Loop(self.cluster, self.source, self.clock, UsageModel(resources), settings_)

    def start(self, loop, path, since_s=START):
        views = self.cluster.snapshot()
        return start(loop, path, since_s, source=self.source, clock=self.clock, views=views)

    def move(self, loop, seconds, step_s=60):
        ticks = []
        end_s = self.clock.now_s() + seconds
        while self.clock.now_s() < end_s:
            self.clock.advance_to(self.clock.now_s() + step_s)
            ticks.append(loop.tick())
        return ticks

    def outage(self):
        self.source.down = set(self.source.metrics())


def _points(loop):
    return [store.points.tolist() for store in loop.model.stores]


def _assert_same_decisions(one, other):
    for item in fields(one):
        left, right = getattr(one, item.name), getattr(other, item.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=item.name)


def _saved(path, hours=2.0, minutes=30):
    fleet = Fleet(hours)
    loop = fleet.loop()
    fleet.start(loop, path)
    fleet.move(loop, minutes * 60)
    checkpoints_of(loop, path).save()
    return fleet, loop


def test_without_a_state_the_history_is_read(tmp_path):
    fleet = Fleet()
    loop = fleet.loop()

    assert not fleet.start(loop, tmp_path / "state")
    assert _points(loop) == [[118], [118]]


def test_of_a_state_only_what_came_since_is_read(tmp_path):
    fleet, _ = _saved(tmp_path / "state")
    ended_s = fleet.clock.now_s()
    fleet.clock.advance_to(ended_s + 300)
    fleet.source.reads.clear()
    loop = fleet.loop()

    assert fleet.start(loop, tmp_path / "state")
    loop.tick()

    assert fleet.source.spans("tflops") == [(ended_s - 120, ended_s + 300, 15)]


def test_a_restart_decides_as_if_the_process_had_gone_on(tmp_path):
    path = tmp_path / "state"
    fleet, steady = _saved(path)
    twin, _ = _saved(tmp_path / "twin")
    restarted = twin.loop()

    assert twin.start(restarted, tmp_path / "twin")
    for expected, found in zip(fleet.move(steady, HOUR), twin.move(restarted, HOUR), strict=True):
        _assert_same_decisions(expected.decisions, found.decisions)
    assert twin.cluster.applied == fleet.cluster.applied
    assert twin.cluster.applied


def test_a_gap_between_two_processes_is_filled(tmp_path):
    fleet, steady = _saved(tmp_path / "state")
    twin, _ = _saved(tmp_path / "twin")
    fleet.move(steady, 3 * HOUR)
    twin.clock.advance_to(fleet.clock.now_s())
    restarted = twin.loop()

    twin.start(restarted, tmp_path / "twin")

    assert _points(restarted) == _points(steady)
    for store, again in zip(steady.model.stores, restarted.model.stores, strict=True):
        np.testing.assert_array_equal(store.limits.weights, again.limits.weights)
        np.testing.assert_allclose(
            again.requests.weights, store.requests.weights, rtol=1e-6, atol=1e-9
        )


def test_a_source_that_is_down_at_the_start_leaves_the_state_in_use(tmp_path):
    fleet, before = _saved(tmp_path / "state")
    fleet.outage()
    fleet.clock.advance_to(fleet.clock.now_s() + 60)
    loop = fleet.loop()

    assert fleet.start(loop, tmp_path / "state")
    tick = loop.tick()

    assert isinstance(tick.errors["collect"], CollectionError)
    assert _points(loop) == _points(before)
    assert tick.decisions is not None


def _unusable(path):
    """Return reasons and files that cannot be used, by name."""
    data = path.read_bytes()
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    return {
        "damaged": bytes(broken),
        "no checkpoint": data[:20],
        "no checkpoint of this program": b"PK\x03\x04" + bytes(100),
    }


@pytest.mark.parametrize("reason", ["damaged", "no checkpoint", "no checkpoint of this program"])
def test_a_file_that_cannot_be_used_is_kept_aside_told_and_replaced(tmp_path, caplog, reason):
    path = tmp_path / "state"
    fleet, before = _saved(path)
    content = _unusable(path)[reason]
    path.write_bytes(content)
    loop = fleet.loop()

    with caplog.at_level(logging.WARNING, logger="autoscaler.scaling"):
        assert not fleet.start(loop, path)

    assert (tmp_path / "state.unusable").read_bytes() == content
    assert _points(loop) == _points(before)
    (told,) = caplog.messages
    assert str(path) in told
    assert reason in told


def test_a_state_of_other_resources_is_not_used(tmp_path, caplog):
    fleet, _ = _saved(tmp_path / "state")

    assert not fleet.start(fleet.loop((VRAM,)), tmp_path / "state")
    assert "checkpoint of other resources: tflops, vram_bytes" in caplog.text


def test_a_state_that_ends_before_the_wanted_history_is_not_used(tmp_path, caplog):
    fleet, _ = _saved(tmp_path / "state")
    since_s = fleet.clock.now_s() + HOUR
    fleet.clock.advance_to(since_s + 2 * HOUR)

    assert not fleet.start(fleet.loop(), tmp_path / "state", since_s)
    assert "it ends 3 h ago, before the history of 2 h that is wanted" in caplog.text


@pytest.mark.parametrize(("hours", "is_used"), [(4.45, True), (4.0, False)])
def test_a_state_from_the_future_is_not_used_and_a_clock_may_differ_a_little(
    tmp_path, hours, is_used
):
    _saved(tmp_path / "state", hours=4)
    early = Fleet(hours)

    assert early.start(early.loop(), tmp_path / "state") is is_used


def test_a_state_from_before_anything_was_read_is_not_used(tmp_path, caplog):
    fleet = Fleet()
    checkpoints_of(fleet.loop(), tmp_path / "state").save()

    assert not fleet.start(fleet.loop(), tmp_path / "state")
    assert "nothing had been read when it was written" in caplog.text


def test_a_damaged_byte_anywhere_is_noticed(tmp_path):
    _, loop = _saved(tmp_path / "state", minutes=1)
    data = state_file.load(tmp_path / "state")

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, len(data) - 1), st.integers(1, 255))
    def check(where, change):
        damaged = bytearray(data)
        damaged[where] ^= change
        with pytest.raises(CheckpointError):
            loop.read_checkpoint(bytes(damaged))

    check()


def test_a_file_that_was_cut_anywhere_is_noticed(tmp_path):
    _, loop = _saved(tmp_path / "state", minutes=1)
    data = state_file.load(tmp_path / "state")

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, len(data) - 1))
    def check(length):
        with pytest.raises(CheckpointError):
            loop.read_checkpoint(data[:length])

    check()
