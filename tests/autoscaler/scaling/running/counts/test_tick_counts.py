"""Ticks, counted."""

from autoscaler.clock import VirtualClock
from autoscaler.errors import ApiUnavailableError, SourceUnavailableError
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.running.counts.tick_counts import (
    CHECKPOINT,
    CYCLE,
    ChangeDirection,
    DecisionMode,
    TickCounts,
)
from autoscaler.scaling.stage_times import APPLY, COLLECT, STAGES
from autoscaler.scaling.validating import Rejection
from recommender.decision import Code, Layer
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR = 3600
PERIODS = {Layer.REQUESTS: 60, Layer.LIMITS: 15, Layer.REPLICAS: 15}


class World:
    """A loop over one workload that is used up to its limit, and the counts of its ticks."""

    def __init__(self, *views, mode=Mode.APPLY):
        self.source, self.clock = ListSource("tflops"), VirtualClock(START + 2 * HOUR)
        for ts in range(START, START + 2 * HOUR, 15):
            self.source.put("tflops", ts, 79.0)
        self.cluster = StandingCluster(*(views or [view("chat", "auto-limits")]))
        self.loop = Loop(
            self.cluster,
            self.source,
            self.clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(mode=mode, period_s=PERIODS),
        )
        read_history(self.loop, START)
        self.counts = TickCounts(now_s=lambda: 5e8)

    def tick(self):
        tick = self.loop.tick()
        self.counts.add(tick, self.loop.mode)
        self.clock.advance_to(self.clock.now_s() + 15)
        return self.counts.snapshot()


def test_a_raise_is_counted_where_it_went_and_why():
    found = World().tick()

    assert found.ticks == 1
    assert found.applied["limits", ChangeDirection.UP] == 1
    assert sum(found.applied.values()) == 1
    assert found.decisions == {(Code.Burst.name, DecisionMode.APPLY): 1}


def test_what_is_only_recommended_is_counted_once_however_often_it_is_decided():
    world = World(mode=Mode.RECOMMEND)

    world.tick()
    found = world.tick()

    assert found.ticks == 2
    assert {mode for _, mode in found.decisions} == {DecisionMode.DRY_RUN}
    assert sum(found.decisions.values()) == 1
    assert sum(found.applied.values()) == 0


def test_a_recommended_request_is_counted_once_although_most_ticks_decide_nothing_about_it():
    world = World(view("chat", "auto-requests"), mode=Mode.RECOMMEND)

    found = [world.tick() for _ in range(50)][-1]

    assert sum(found.decisions.values()) == 1


def test_what_was_dropped_is_counted_by_its_reason():
    world = World()
    world.cluster.reread = lambda _keys: [view("chat", "auto-limits", is_paused=True)]

    found = world.tick()

    assert found.rejected[Rejection.PAUSED] == 1
    assert sum(found.rejected.values()) == 1


def test_what_the_cluster_does_not_take_is_counted():
    world = World()
    world.cluster.refusal = "no room"

    assert world.tick().refused == 1


def test_each_stage_is_measured_and_its_errors_are_counted():
    world = World()
    world.source.down.add("tflops")

    found = world.tick()

    assert {stage for stage, times in found.stage_times.items() if sum(times.buckets)} == {*STAGES}
    assert found.stage_errors == {(COLLECT, "CollectionError"): 1}
    assert found.stage_success_s == dict.fromkeys(set(STAGES) - {COLLECT}, 5e8)


def test_a_stage_that_fails_as_a_whole_is_an_error_of_applying():
    def fail(_changes):
        raise ApiUnavailableError("no answer")

    world = World()
    world.cluster.apply = fail

    found = world.tick()

    assert found.apply_errors == {"ApiUnavailableError": 1}
    assert found.stage_errors == {(APPLY, "ApiUnavailableError"): 1}


def test_what_comes_beside_a_tick_is_measured_too():
    counts = TickCounts(now_s=lambda: 7.0)

    counts.stage(CHECKPOINT, 0.2)
    counts.stage(CHECKPOINT, 0.1, SourceUnavailableError("no"))

    found = counts.snapshot()
    assert sum(found.stage_times[CHECKPOINT].buckets) == 2
    assert found.stage_errors == {(CHECKPOINT, "SourceUnavailableError"): 1}
    assert found.stage_success_s == {CHECKPOINT: 7.0}
    assert set(found.stage_times) == set(CYCLE)


def test_every_layer_and_direction_is_there_from_the_beginning():
    found = TickCounts().snapshot()

    assert set(found.applied) == {
        (layer, direction)
        for layer in ("requests", "limits", "replicas")
        for direction in ChangeDirection
    }
    assert set(found.rejected) == set(Rejection)
