"""The state file of the process: what is gone on from, and when it is written."""

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import UsageError
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.running.checkpoints import READ_AT_ONCE_S, Checkpoints
from autoscaler.scaling.running.counts.tick_counts import CHECKPOINT, TickCounts
from autoscaler.sources.source import Metric
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR, DAY = 3600, 86400
NOW = START + 3 * HOUR


class World:
    """A loop with some hours of history, and its checkpoints."""

    def __init__(self, path, *, now_s=NOW, is_whole=True):
        self.source = ListSource("tflops", "vram_bytes")
        for ts in range(START, NOW, 60):
            self.source.put("tflops", ts, 20.0)
            self.source.put("vram_bytes", ts, 4e9)
        self.clock = VirtualClock(now_s)
        self.is_whole = is_whole
        self.counts = TickCounts()
        self.loop = Loop(
            StandingCluster(view("chat", "auto-limits")),
            self.source,
            self.clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(mode=Mode.APPLY),
        )
        self.checkpoints = Checkpoints(
            self.loop, path, self.counts, is_whole=lambda: self.is_whole, now_s=lambda: 7.0
        )

    def saved(self):
        read_history(self.loop, START)
        self.loop.tick()
        self.checkpoints.save()
        return self

    def begin(self):
        now_s = self.clock.now_s()
        return self.checkpoints.begin(now_s - 14 * DAY, now_s=now_s)


def test_without_a_state_the_history_is_read_beside_the_loop(tmp_path):
    world = World(tmp_path / "state")

    history = world.begin()

    assert (history.since_s, history.position) == (NOW - 14 * DAY, None)
    assert world.loop.fleet is None


def test_without_a_path_nothing_is_kept(tmp_path):
    world = World(None).saved()

    assert world.begin() is not None
    assert list(tmp_path.iterdir()) == []
    assert world.checkpoints.size_bytes is None


def test_a_state_of_a_moment_ago_is_gone_on_from_at_once(tmp_path):
    first = World(tmp_path / "state").saved()

    world = World(tmp_path / "state", now_s=NOW + READ_AT_ONCE_S)

    assert world.begin() is None
    assert world.loop.fleet.keys == first.loop.fleet.keys
    assert world.loop.records.history_of(("team", "chat")) == first.loop.records.history_of(
        ("team", "chat")
    )


def test_a_state_of_hours_ago_keeps_its_decisions_while_its_usage_is_read_on(tmp_path):
    first = World(tmp_path / "state").saved()

    world = World(tmp_path / "state", now_s=NOW + READ_AT_ONCE_S + 1)
    history = world.begin()

    assert history.position.read_until_s["tflops"] == NOW
    assert [key for key in history.model.workloads.keys if key] != []
    assert [key for key in world.loop.model.workloads.keys if key] == []
    assert world.loop.fleet.keys == first.loop.fleet.keys


def test_a_metric_that_is_joined_to_amounts_may_lag(tmp_path):
    world = World(tmp_path / "state")
    read_history(world.loop, START)
    world.source.put(Metric.THROTTLED_RATIO, START, 0.0)
    world.source.down.add(Metric.THROTTLED_RATIO)
    world.clock.advance_to(NOW + 2 * READ_AT_ONCE_S)
    world.loop.tick()
    world.checkpoints.save()

    again = World(tmp_path / "state", now_s=NOW + 2 * READ_AT_ONCE_S)

    assert again.begin() is None


def test_a_state_that_cannot_be_used_is_kept_aside(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"no state")

    assert World(path).begin().position is None
    assert (tmp_path / "state.unusable").read_bytes() == b"no state"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    world = World(tmp_path / "missing" / "state")

    with pytest.raises(UsageError, match="there is no folder"):
        world.begin()


def test_half_a_history_is_never_written(tmp_path):
    world = World(tmp_path / "state", is_whole=False).saved()
    before = list(tmp_path.iterdir())

    world.is_whole = True
    world.checkpoints.save()

    assert before == []
    assert world.checkpoints.size_bytes == (tmp_path / "state").stat().st_size
    assert world.checkpoints.saved_s == 7.0


def test_a_write_is_measured_and_so_is_its_error(tmp_path):
    folder = tmp_path / "states"
    folder.mkdir()
    world = World(folder / "state").saved()
    (folder / "state").unlink()
    folder.rmdir()

    with pytest.raises(UsageError):
        world.checkpoints.save()

    found = world.counts.snapshot()
    assert sum(found.stage_times[CHECKPOINT].buckets) == 2
    assert found.stage_errors == {(CHECKPOINT, "UsageError"): 1}
