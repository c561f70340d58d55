from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import SourceUnavailableError, UsageError
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.observing import FleetState
from recommender.decision import Code, Layer
from recommender.errors import CheckpointError
from recommender.policy.model import Mode
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR = 3600
CHAT = ("team", "chat")


def _loop(*views, mode=Mode.APPLY, hours=2, use=76.0, metrics=("tflops",)):
    """Return a loop whose workload used ``use`` TFLOPS for some hours, and its parts."""
    source, clock = ListSource(*metrics), VirtualClock(START + hours * HOUR)
    for ts in range(START, START + hours * HOUR, 15):
        source.put("tflops", ts, use)
    cluster = StandingCluster(*(views or [view("chat", "auto-limits")]))
    loop = Loop(cluster, source, clock, UsageModel((TFLOPS, VRAM)), LoopSettings(mode=mode))
    read_history(loop, START)
    return loop, cluster, source, clock


def _state_equal(one, other):
    assert one.keys == other.keys
    for item in fields(one.state):
        np.testing.assert_array_equal(
            getattr(one.state, item.name), getattr(other.state, item.name), err_msg=item.name
        )


def test_a_decision_is_applied_and_told_in_the_history():
    loop, cluster, _, _ = _loop()

    tick = loop.tick()

    (change,) = cluster.applied
    assert change.limit["tflops"] > 80.0
    assert tick.errors == {}
    (entry,) = loop.records.history_of(CHAT)
    assert (entry.resource, entry.layer, entry.outcome) == ("tflops", "limits", "applied")
    assert (entry.before, entry.after) == (80.0, change.limit["tflops"])
    assert "TFLOPS" in entry.reason
    assert loop.records.counts == {"ticks": 1, "applied": 1}


def test_by_default_the_loop_recommends_and_changes_nothing():
    loop, cluster, _, _ = _loop(mode=LoopSettings().mode)

    tick = loop.tick()

    assert cluster.applied == []
    assert len(tick.planned) == 1
    assert loop.records.history_of(CHAT) == ()


def test_a_change_that_is_only_recommended_is_not_remembered_as_made():
    loop, _, _, clock = _loop(mode=Mode.RECOMMEND, use=20.0)

    loop.tick()
    first = loop.fleet.state
    clock.advance_to(clock.now_s() + 60)
    loop.tick()

    assert (loop.fleet.state.limit_decrease_s < 0).all()
    assert (loop.fleet.state.budget_s < 0).all()
    assert (first.limit_anchor_s < 0).all()


def test_a_refused_change_leaves_what_is_in_force_and_is_told():
    loop, cluster, _, _ = _loop(use=20.0)
    cluster.refusal = "the quota of namespace team is used up"

    loop.tick()

    (entry,) = loop.records.history_of(CHAT)
    assert entry.outcome == "the quota of namespace team is used up"
    assert loop.records.counts["refused"] == 1
    assert (loop.fleet.state.limit_decrease_s < 0).all()


def test_an_applied_decrease_is_watched():
    loop, _, _, clock = _loop(use=20.0)

    loop.tick()

    assert loop.fleet.state.limit_decrease_s[0, 0] == clock.now_s()


def test_layers_are_due_when_their_period_has_passed():
    loop, _, _, clock = _loop()

    first = loop.due()
    loop.tick()
    at_once = loop.due()
    clock.advance_to(clock.now_s() + 15)
    soon = loop.due()
    clock.advance_to(clock.now_s() + 585)

    assert first == frozenset(Layer)
    assert at_once == frozenset()
    assert soon == {Layer.LIMITS, Layer.REPLICAS}
    assert loop.due() == frozenset(Layer)


def test_without_a_source_old_samples_are_judged_and_the_error_is_counted():
    loop, _, source, clock = _loop()
    source.down = {"tflops"}
    clock.advance_to(clock.now_s() + 900)

    tick = loop.tick()

    assert "tflops cannot be read" in str(tick.errors["collect"])
    assert tick.decisions.is_stale[0, 0]
    assert loop.records.counts["error collect CollectionError"] == 1


def test_without_a_cluster_samples_are_collected_and_nothing_is_decided():
    loop, cluster, source, clock = _loop()
    loop.tick()
    before = loop.fleet
    cluster.error = SourceUnavailableError("the API server does not answer")
    clock.advance_to(clock.now_s() + 60)
    source.put("tflops", clock.now_s() - 15, 50.0)
    accepted = loop.model.counts.accepted

    tick = loop.tick()

    assert tick.decisions is None
    assert loop.fleet is before
    assert loop.model.counts.accepted > accepted


def test_a_cluster_without_workloads_has_nothing_to_decide_and_keeps_what_was_known():
    loop, cluster, _, clock = _loop()
    loop.tick()
    fleet, views = loop.fleet, list(cluster.views)
    cluster.views.clear()
    clock.advance_to(clock.now_s() + 60)

    empty = loop.tick()
    cluster.views.extend(views)
    clock.advance_to(clock.now_s() + 60)
    again = loop.tick()

    assert (empty.decisions, empty.errors) == (None, {})
    _state_equal(FleetState(fleet.keys, again.observed.fleet.state), fleet)


def test_a_failed_apply_is_an_error_of_its_stage_and_no_change_is_remembered():
    loop, cluster, _, _ = _loop(use=20.0)

    def fail(changes):
        raise SourceUnavailableError("the API server does not answer")

    cluster.apply = fail

    tick = loop.tick()

    assert list(tick.errors) == ["apply"]
    assert (loop.fleet.state.limit_decrease_s < 0).all()


def test_a_workload_that_changes_between_decision_and_application_is_left_alone():
    loop, cluster, _, _ = _loop()
    moved = replace(cluster.views[0], limit=amounts({"tflops": 90.0, "vram_bytes": 16 * GIB}))
    cluster.reread = lambda keys: [moved]

    loop.tick()

    assert cluster.applied == []
    (entry,) = loop.records.history_of(CHAT)
    assert entry.outcome == "what is in force was changed by someone else"
    assert loop.records.counts["rejected IN_FORCE_CHANGED"] == 1


def test_the_order_of_a_snapshot_does_not_matter():
    loop, cluster, _, clock = _loop(view("chat", "auto-limits"), view("other", "auto-limits"))
    loop.tick()
    keys = loop.fleet.keys

    cluster.views.reverse()
    clock.advance_to(clock.now_s() + 15)
    loop.tick()

    assert loop.fleet.keys == keys


def test_a_preview_decides_and_leaves_no_trace():
    loop, cluster, _, _ = _loop()
    loop.tick(frozenset())
    before, counts = loop.fleet, dict(loop.records.counts)

    tick = loop.preview()

    assert len(tick.planned) == 1
    assert cluster.applied == []
    assert loop.fleet is before
    assert dict(loop.records.counts) == counts


def test_a_preview_right_after_a_tick_still_says_what_is_right():
    loop, _, _, _ = _loop()
    loop.tick()

    tick = loop.preview()

    assert Code.NotEvaluated not in tick.decisions.steps.counts()


def test_a_restored_loop_goes_on_as_if_it_had_not_stopped():
    loop, cluster, source, clock = _loop(use=30.0)
    for _ in range(5):
        loop.tick()
        clock.advance_to(clock.now_s() + 60)
        source.put("tflops", clock.now_s() - 30, 31.0)
    other_cluster = StandingCluster(*cluster.views)
    other = Loop(
        other_cluster, source, clock, UsageModel((TFLOPS, VRAM)), LoopSettings(mode=Mode.APPLY)
    )

    other.go_on_from(other.read_checkpoint(loop.checkpoint()))
    expected, found = loop.tick(), other.tick()

    assert [plan.change for plan in found.planned] == [plan.change for plan in expected.planned]
    _state_equal(other.fleet, loop.fleet)
    assert other.records.history_of(CHAT) == loop.records.history_of(CHAT)
    assert other.checkpoint() == loop.checkpoint()


def test_a_tick_that_died_before_it_applied_gives_the_same_when_repeated():
    loop, cluster, _, _ = _loop(use=30.0)
    loop.tick(frozenset())
    saved, before = loop.checkpoint(), list(cluster.views)
    loop.tick(frozenset(Layer))
    once = list(cluster.views)

    loop.go_on_from(loop.read_checkpoint(saved))
    cluster.views[:] = before
    loop.tick(frozenset(Layer))

    assert once != before
    assert cluster.views == once


def test_the_loop_itself_has_no_mode_initial():
    with pytest.raises(UsageError, match="recommend, apply"):
        LoopSettings(mode=Mode.INITIAL)


@pytest.mark.parametrize("data", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_damaged_bytes_are_refused_and_the_loop_stays_as_it_is(data):
    loop, _, _, _ = _loop()
    loop.tick()
    model, fleet = loop.model, loop.fleet

    with pytest.raises(CheckpointError, match="checkpoint"):
        loop.go_on_from(loop.read_checkpoint(data))

    assert (loop.model, loop.fleet) == (model, fleet)


def test_a_checkpoint_for_other_resources_is_refused():
    loop, cluster, source, clock = _loop()
    loop.tick()
    other = Loop(cluster, source, clock, UsageModel((VRAM,)))

    with pytest.raises(CheckpointError):
        other.go_on_from(other.read_checkpoint(loop.checkpoint()))


def test_decisions_are_recorded_when_they_say_something_new():
    loop, _, source, clock = _loop(view("chat"))
    for _ in range(5):
        loop.tick(frozenset(Layer))
        clock.advance_to(clock.now_s() + 15)
        source.put("tflops", clock.now_s() - 15, 76.0)
    key = loop.fleet.keys[0]

    records = loop.records.decisions_of(key)

    assert len(records) == 1
    assert records[0].target_limit[0] > 80.0
    assert any(step.layer == Layer.LIMITS for step in records[0].steps)


def test_a_fleet_that_changes_records_only_what_is_new():
    loop, cluster, _, clock = _loop(view("chat", "auto-limits"))
    loop.tick()
    clock.advance_to(clock.now_s() + 15)
    loop.tick()
    before = len(loop.records.decisions_of(loop.fleet.keys[0]))
    cluster.views.append(view("another"))
    clock.advance_to(clock.now_s() + 15)
    loop.tick()

    assert [key[1] for key in loop.fleet.keys] == ["another", "chat"]
    assert len(loop.records.decisions_of(loop.fleet.keys[1])) == before
    assert len(loop.records.decisions_of(loop.fleet.keys[0])) == 1


def test_workloads_that_are_gone_for_two_weeks_are_forgotten():
    loop, cluster, source, clock = _loop(view("chat", "auto-limits"), view("job"), hours=1)
    source.put("tflops", clock.now_s() - 30, 5.0, workload="job", worker="job-0")
    loop.tick()
    job = next(key for key in loop.model.workloads.keys if key[1] == "job")
    cluster.views = [item for item in cluster.views if item.workload == "chat"]
    for days in (13, 2):
        clock.advance_to(clock.now_s() + days * 24 * HOUR)
        loop.tick()
        known = [key for key in loop.model.workloads.keys if key is not None]
        assert (job in known) == (days == 13)

    assert [key[1] for key in known] == ["chat"]
    assert loop.records.history_of(CHAT)


def test_rows_of_workers_that_are_long_gone_are_given_back():
    loop, cluster, source, clock = _loop(view("chat", workers=2), hours=1)
    loop.tick()
    cluster.views[0] = view("chat", workers=1)
    for _ in range(20):
        clock.advance_to(clock.now_s() + 600)
        source.put("tflops", clock.now_s() - 15, 76.0)
        loop.tick()

    workers = [key[1] for key in loop.model.workers.keys if key is not None]
    assert workers == ["chat-0"]
    assert loop.model.stores[0].recent.last_sample_s[0] == clock.now_s() - 15
