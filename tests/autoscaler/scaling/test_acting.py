from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.cluster import Guard
from autoscaler.scaling.collect.collecting import Collector
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.stage_times import STAGES
from autoscaler.scaling.validating import Rejection
from recommender.decision import Code, Layer
from recommender.policy.model import Mode
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.state import NEVER
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR_S = 3600
CHAT = ("team", "chat")
HELD = "HorizontalPodAutoscaler team/chat sets its replicas"


class World:
    """A loop over some workloads whose workers used ``tflops`` for some hours."""

    def __init__(self, *views, tflops=76.0, hours=2):
        self.source = ListSource("tflops", "vram_bytes", "vram_denied")
        self.clock = VirtualClock(START)
        self.cluster = StandingCluster(*views)
        self.use(tflops, hours * HOUR_S)
        self.loop = self.new_loop()
        read_history(self.loop, START)

    def use(self, tflops, for_s):
        end_s = self.clock.now_s() + for_s
        for item in self.cluster.views:
            labels = {"workload": item.workload, "worker": f"{item.workload}-0"}
            for ts in range(self.clock.now_s(), end_s, 15):
                self.source.put("tflops", ts, tflops, **labels)
                self.source.put("vram_bytes", ts, 8.0 * GIB, **labels)
        self.clock.advance_to(end_s)

    def new_loop(self, **more):
        return Loop(
            self.cluster,
            self.source,
            self.clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(mode=Mode.APPLY),
            **more,
        )


def _limits(world):
    return [dict(change.limit) for change in world.cluster.applied]


def _never_limited(loop):
    return (loop.fleet.state.limit_decrease_s == NEVER).all()


@pytest.mark.parametrize("hold", Hold)
def test_under_a_hold_raises_pass_and_decreases_are_told_and_undone(hold):
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.loop.hold = hold

    tick = world.loop.tick()

    assert world.cluster.applied == []
    assert [item.reason.value for item in tick.rejected] == [str(hold)]
    assert _never_limited(world.loop)
    assert (world.loop.fleet.state.budget_s == NEVER).all()
    assert world.loop.records.counts[f"rejected {hold.name}"] == 1
    assert [entry.outcome for entry in world.loop.records.history_of(CHAT)] == [str(hold)]


def test_a_raise_passes_every_hold():
    for hold in Hold:
        world = World(view("chat", "auto-limits"), tflops=76.0)
        world.loop.hold = hold

        tick = world.loop.tick()

        assert [limit["tflops"] > 80.0 for limit in _limits(world)] == [True]
        assert tick.held == ()


def test_what_was_held_is_decided_anew_when_the_hold_is_over():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.loop.hold = Hold.UNHEALTHY
    world.loop.tick()
    world.loop.hold = None
    world.use(20.0, 15)

    world.loop.tick()

    assert [limit["tflops"] < 80.0 for limit in _limits(world)] == [True]
    assert world.loop.fleet.state.limit_decrease_s[0, 0] == world.clock.now_s()


def test_a_raise_answers_a_refusal_also_where_a_decrease_beside_it_is_held():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.source.put("vram_denied", world.clock.now_s() - 15, 1.0, worker="chat-0")
    world.loop.hold = Hold.UNHEALTHY

    first = world.loop.tick()
    world.use(20.0, 15)
    second = world.loop.tick()

    assert [sorted(change.limit) for change in world.cluster.applied] == [["vram_bytes"]]
    assert {e.resource for item in first.held for e in item.plan.effects} == {"tflops"}
    assert {e.resource for plan in second.planned for e in plan.effects} == {"tflops"}


def test_a_hold_of_many_ticks_is_told_once_in_the_history():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.loop.hold = Hold.WARMING

    for _ in range(5):
        world.loop.tick()
        world.use(20.0 + np.random.default_rng(7).random(), 15)

    assert len(world.loop.records.history_of(CHAT)) == 1


def test_the_mode_may_change_between_ticks():
    world = World(view("chat", "auto-limits"), tflops=76.0)
    world.loop.mode = Mode.RECOMMEND
    recommended = world.loop.tick()
    before = list(world.cluster.applied)
    world.loop.mode = Mode.APPLY
    world.use(76.0, 15)

    world.loop.tick()

    assert (len(recommended.planned), before) == (1, [])
    assert len(world.cluster.applied) == 1


def test_held_replicas_are_decided_and_neither_planned_nor_remembered():
    world = World(view("chat", "auto-replicas", replicas_held=HELD), tflops=79.0)

    tick = world.loop.tick()

    assert tick.decisions.next_replicas.tolist() == [2.0]
    assert (tick.planned, world.cluster.applied) == ((), [])
    assert (world.loop.fleet.state.scaled_s == NEVER).all()


def test_amounts_are_applied_beside_held_replicas():
    chat = view("chat", "auto-limits", "auto-replicas", replicas_held=HELD)
    world = World(chat, tflops=79.0)

    world.loop.tick()

    assert [sorted(limit) for limit in _limits(world)] == [["tflops"]]


def test_a_change_carries_the_guard_that_it_leaves():
    world = World(view("chat", "auto-limits"), tflops=20.0)

    world.loop.tick()

    (change,) = world.cluster.applied
    assert dict(change.guard.previous_limit) == {"tflops": 80.0}
    assert change.guard.watched_until_s == world.clock.now_s() + 1800


def test_the_guard_of_a_split_change_knows_nothing_of_what_was_held():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.source.put("vram_denied", world.clock.now_s() - 15, 1.0, worker="chat-0")
    world.loop.hold = Hold.UNHEALTHY

    world.loop.tick()

    (change,) = world.cluster.applied
    assert (dict(change.guard.previous_limit), change.guard.watched_until_s) == ({}, None)


@pytest.mark.parametrize("is_known", [True, False])
def test_after_a_fail_over_a_harmful_decrease_is_taken_back_by_what_its_guard_says(is_known):
    world = World(view("chat", "auto-requests"), tflops=10.0, hours=30)
    world.loop.tick()
    lowered = world.cluster.views[0].request["tflops"]
    world.loop = world.new_loop()
    read_history(world.loop, START)
    if not is_known:
        world.cluster.views[0] = replace(world.cluster.views[0], guard=None)
    world.use(80.0, 300)

    world.loop.tick()

    assert lowered == pytest.approx(32.0)
    is_taken_back = world.cluster.views[0].request["tflops"] == 40.0
    outcomes = [entry.outcome for entry in world.loop.records.history_of(CHAT)]
    assert (is_taken_back, "rolled back" in outcomes) == (is_known, is_known)


def test_after_a_fail_over_changes_of_the_day_still_count():
    world = World(view("chat", "auto-requests"), tflops=10.0, hours=30)
    tired = Guard(last_change_s=world.clock.now_s() - HOUR_S, changes=4)
    world.cluster.views[0] = replace(world.cluster.views[0], guard=tired)

    tick = world.loop.tick()

    assert Code.ChangesPerDay in tick.decisions.steps.counts()
    assert world.cluster.applied == []


def test_a_new_workload_of_a_fleet_that_is_known_begins_with_its_guard():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.loop.tick()
    guard = world.cluster.views[0].guard
    lowered = world.cluster.views[0].limit
    world.cluster.views.append(view("other", "auto-limits", guard=guard, limit=lowered))
    world.use(20.0, 15)

    world.loop.tick()

    assert [key[1] for key in world.loop.fleet.keys] == ["chat", "other"]
    assert world.loop.fleet.state.limit_before_decrease[:, 0].tolist() == [80.0, 80.0]


def test_a_workload_that_was_created_anew_has_no_guard_of_the_old_one():
    world = World(view("chat", "auto-limits"), tflops=20.0)
    world.loop.tick()
    world.cluster.views[0] = view("chat", uid="team-chat-2")
    world.use(20.0, 15)

    world.loop.tick()

    assert np.isnan(world.loop.fleet.state.limit_before_decrease).all()


def test_a_checkpoint_that_others_went_on_from_is_completed_by_their_guards():
    world = World(view("chat", "auto-limits"), tflops=70.0)
    world.loop.tick()
    checkpoint = world.loop.checkpoint()
    other = world.new_loop()
    other.go_on_from(other.read_checkpoint(checkpoint))
    world.use(20.0, 2 * HOUR_S)
    other.tick()
    guard = world.cluster.views[0].guard

    world.loop.go_on_from(world.loop.read_checkpoint(checkpoint))
    world.loop.tick(frozenset())

    assert guard.watched_until_s == world.clock.now_s() + 1800
    state = world.loop.fleet.state
    assert state.limit_decrease_s[0, 0] == world.clock.now_s()
    assert state.limit_before_decrease[0, 0] == guard.previous_limit["tflops"]


def test_a_remembered_workload_is_not_overruled_by_its_guard():
    world = World(view("chat", "auto-limits"), tflops=76.0)
    world.loop.tick()
    stale = replace(world.cluster.views[0].guard, no_decrease_until_s=world.clock.now_s() + HOUR_S)
    world.cluster.views[0] = replace(world.cluster.views[0], guard=stale)
    world.use(76.0, 15)

    world.loop.tick()

    assert (world.loop.fleet.state.no_decrease_until_s == NEVER).all()


def test_a_tick_says_how_long_each_stage_took():
    seconds = iter(range(1000))
    world = World(view("chat", "auto-limits"))
    loop = world.new_loop(monotonic_s=lambda: float(next(seconds)))
    read_history(loop, START)

    tick = loop.tick()

    assert tick.stages_s == dict.fromkeys(STAGES, 1.0)


def test_a_stage_that_failed_or_did_not_run_is_told_by_its_time_and_its_absence():
    world = World(view("chat", "auto-limits"))
    world.cluster.error = SourceUnavailableError("the API server does not answer")

    tick = world.loop.tick()

    assert list(tick.stages_s) == ["snapshot", "collect"]
    assert list(tick.errors) == ["snapshot"]


def test_usage_that_was_read_elsewhere_takes_the_place_of_the_last_minutes():
    world = World(view("chat", "auto-limits", "auto-requests"), tflops=30.0, hours=6)
    loop = world.new_loop()
    loop.hold = Hold.WARMING
    loop.tick()
    before, history = loop.fleet.state, loop.records.histories()
    model = UsageModel((TFLOPS, VRAM))
    collector = Collector(world.source, model)
    collector.want(START)
    collector.see(world.cluster.snapshot())
    collector.bootstrap(START, world.clock.now_s())
    poor = loop.evidence().span_s.max()

    loop.swap_usage(model, collector.position())
    loop.hold = None
    after = loop.fleet.state
    world.use(30.0, 15)
    world.source.reads.clear()
    tick = loop.tick(frozenset(Layer))

    assert loop.model is model
    assert after.target_limit is before.target_limit
    assert (after.request_evaluated_s < 0).all()
    assert loop.records.histories().keys() >= history.keys()
    assert poor <= 600 < 5 * HOUR_S < loop.evidence().span_s.max()
    assert all(start_s > START + 5 * HOUR_S for _, start_s, _, _ in world.source.reads)
    assert tick.errors == {}
    assert np.isfinite(tick.decisions.target_request[0, 0])


def test_two_gpu_models_of_one_workload_are_sized_on_their_own():
    views = [
        view("chat", "auto-limits", gpu_model="A100"),
        view("chat", "auto-limits", gpu_model="H100", workers=0, replicas=1),
    ]
    world = World(*views, tflops=20.0)
    for ts in range(START, world.clock.now_s(), 15):
        world.source.put("tflops", ts, 79.0, worker="chat-9", gpu_model="H100")

    world.loop = world.new_loop()
    read_history(world.loop, START)
    world.loop.tick()

    changed = {change.gpu_model: change.limit["tflops"] for change in world.cluster.applied}
    assert changed["A100"] < 80.0 < changed["H100"]
    assert [item.limit["tflops"] for item in world.cluster.views] == [
        changed["A100"],
        changed["H100"],
    ]
    assert Rejection.MOVED not in {e.outcome for e in world.loop.records.history_of(CHAT)}
