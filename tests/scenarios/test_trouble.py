from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.errors import AutoscalerError
from autoscaler.simulate.cluster import SimulatedCluster
from recommender.decision import Code
from tests.autoscaler.scaling.histories import read_history
from tests.scenarios.days import CHAT, START, Days, course, workload

ALL = ("auto-requests", "auto-limits", "auto-replicas")


def test_without_metrics_no_worker_is_taken_away():
    load = course((0, 200, 8), (1, 10, 8))
    days = Days(workload(load, "auto-replicas", replicas=4), length_h=6).until(1)
    before = days.view().replicas

    days.cluster.metrics.is_down = True
    days.until(3)

    assert days.view().replicas == before
    assert days.loop.records.counts["error collect CollectionError"] == 120


def test_without_metrics_a_limit_goes_back_to_the_last_safe_one():
    days = Days(workload(course((0, 20, 8)), "auto-limits", amounts=(10, 80, 10, 16)), length_h=6)
    days.until(0.6)
    lowered = days.limit()

    days.cluster.metrics.is_down = True
    days.until(0.8)

    assert lowered < 80.0
    assert days.limit() == 80.0
    assert any("no fresh samples" in entry.reason for entry in days.entries())


def test_metrics_that_come_back_are_taken_up_again():
    days = Days(workload(course((0, 20, 8)), "auto-limits", amounts=(10, 80, 10, 16)), length_h=6)
    days.until(0.6)
    days.cluster.metrics.is_down = True
    days.until(0.8)
    days.cluster.metrics.is_down = False
    days.until(2)

    assert not days.ticks[-1].decisions.is_stale.any()
    assert days.limit() < 40.0


def test_a_workload_created_again_keeps_its_usage_and_loses_its_decision_state():
    days = Days(workload(course((0, 20, 8)), "auto-limits", amounts=(10, 80, 10, 16)), length_h=6)
    days.until(1)
    lowered, points = days.limit(), days.ticks[-1].observed.observation.usage.points[0, 0]
    was_watched = (days.loop.fleet.state.limit_decrease_s > 0).any()

    days.cluster.recreate(CHAT)
    again = days.limit()
    tick = days.step()
    state = tick.observed.fleet.state

    assert was_watched
    assert lowered < 40.0
    assert again == 80.0
    assert (state.limit_decrease_s < 0).all()
    assert tick.observed.observation.usage.points[0, 0] >= points
    assert tick.decisions.unknown_limit[0, 0] == 0


def test_a_decrease_that_does_harm_is_rolled_back_and_not_tried_again_for_a_day():
    jump = [(0.8 + minute / 60, 62 + 3 * max(0, minute - 2), 9) for minute in range(10)]
    load = course((0, 8, 9), *jump, (2, 8, 9))
    days = Days(workload(load, "auto-limits", amounts=(10, 120, 10, 16)), length_h=30)
    days.until(0.8)
    lowered = days.limit()

    days.until(12)

    outcomes = [entry.outcome for entry in days.entries()]
    assert lowered < 12.0
    assert outcomes.count("rolled back") == 1
    rolled_back = next(e for e in days.entries() if e.outcome == "rolled back")
    assert rolled_back.after == 120.0
    assert days.limit() >= 120.0
    later = [e for e in days.entries() if e.time_s > rolled_back.time_s and e.resource == "tflops"]
    assert all(entry.after >= entry.before for entry in later)


def test_a_paused_workload_is_left_alone_until_the_pause_ends():
    load = course((0, 20, 8), (1, 150, 8))
    days = Days(workload(load, *ALL, amounts=(20, 40, 10, 16)), length_h=3)
    days.until(0.5)
    days.cluster.pause(CHAT)
    days.step()
    before = (dict(days.view().limit), dict(days.view().request), days.view().replicas)
    days.until(1.5)
    during = (dict(days.view().limit), dict(days.view().request), days.view().replicas)

    days.cluster.pause(CHAT, is_paused=False)
    days.step()

    assert during == before
    assert days.limit() > before[0]["tflops"]


def test_a_raise_that_does_not_fit_is_capped_and_the_rest_of_the_fleet_goes_on():
    big = workload(course((0, 10, 8)), name="team/big", amounts=(250, 300, 30, 40))
    chat = workload(course((0, 100, 8)), "auto-requests", "auto-limits", amounts=(40, 120, 10, 16))
    days = Days(big, chat, cards=1, length_h=10).until(6)

    assert days.request() <= 62.0 + 1e-6
    assert days.loop.records.counts["applied"] > 0


class _CrashError(Exception):
    """The process dies."""


class _CrashingCluster(SimulatedCluster):
    crashes = False

    def apply(self, changes):
        if self.crashes and changes:
            raise _CrashError
        return super().apply(changes)


class _FlakyCluster(SimulatedCluster):
    def apply(self, changes):
        if changes and self.now_s % 300 == 0:
            raise AutoscalerError("the API server does not answer")
        return super().apply(changes)


def _pair(cluster):
    load = course((0, 20, 8), (1, 120, 8), (2, 20, 8), noise_ratio=0.05)
    item = workload(load, *ALL, amounts=(20, 60, 10, 16), replicas=2)
    return Days(item, length_h=4), Days(item, length_h=4, cluster=cluster)


def _without_policy(view):
    return replace(view, policy=None)


def test_a_crash_between_decision_and_application_changes_nothing_in_the_end():
    calm, crashing = _pair(_CrashingCluster)
    crashes = 0
    while calm.hours < 3:
        saved = crashing.loop.checkpoint() if calm.ticks else None
        calm.step()
        crashing.move()
        crashing.cluster.crashes = saved is not None and len(calm.ticks) % 7 == 0
        try:
            crashing.loop.tick()
        except _CrashError:
            crashes += 1
            crashing.cluster.crashes = False
            crashing.loop = crashing.new_loop()
            crashing.loop.go_on_from(crashing.loop.read_checkpoint(saved))
            crashing.loop.tick()
        assert _without_policy(crashing.view()) == _without_policy(calm.view())

    assert crashes > 0
    assert crashing.entries() == calm.entries()


def test_a_cluster_that_fails_now_and_then_is_brought_to_the_same_end():
    calm, flaky = _pair(_FlakyCluster)

    calm.until(3.9)
    flaky.until(3.9)

    assert flaky.loop.records.counts["error apply AutoscalerError"] > 0
    np.testing.assert_allclose(flaky.limit(), calm.limit(), rtol=0.15)
    assert flaky.view().replicas == calm.view().replicas


def test_a_service_on_contended_cards_keeps_its_workers():
    chat = workload(course((0, 400, 8)), "auto-replicas", replicas=4, amounts=(40, 200, 10, 16))
    neighbours = [
        workload(
            course((0, 5, 8), (0.5, 300, 8)),
            name=f"team/n{i}",
            amounts=(255, 312, 10, 16),
            is_shared_load=False,
        )
        for i in range(4)
    ]
    days = Days(chat, *neighbours, cards=4, length_h=3).until(0.5)
    before = days.view().replicas

    days.until(2)

    usage = days.ticks[-1].observed.observation.usage
    assert usage.is_saturated[0, 0]
    assert days.view().replicas == before >= 3


def test_a_limit_that_contended_cards_cannot_serve_stays_until_they_can():
    chat = workload(course((0, 400, 8)), "auto-limits", replicas=4, amounts=(40, 200, 10, 16))
    neighbours = [
        workload(
            course((0, 5, 8), (0.5, 300, 8), (2, 5, 8)),
            name=f"team/n{i}",
            amounts=(255, 312, 10, 16),
            is_shared_load=False,
        )
        for i in range(4)
    ]
    days = Days(chat, *neighbours, cards=4, length_h=3).until(0.6)
    before = days.limit()

    contended = days.until(2).limit()
    usage = days.ticks[-1].observed.observation.usage

    assert usage.is_saturated[0, 0]
    assert usage.saturated_share[0, 0] < 0.5 * before
    assert contended == before
    assert Code.Contended in days.ticks[-1].decisions.steps.counts()


def test_a_refused_allocation_is_answered_when_the_cluster_answers_again():
    class Deaf(SimulatedCluster):
        is_deaf = False

        def apply(self, changes):
            if self.is_deaf:
                raise AutoscalerError("the API server does not answer")
            return super().apply(changes)

    load = course((0, 20, 8), (2, 20, 17), (2.05, 20, 8))
    days = Days(workload(load, "auto-limits"), length_h=4, cluster=Deaf).until(1.9)
    days.cluster.is_deaf = True
    unanswered = days.until(2.2).limit("vram_bytes")
    days.cluster.is_deaf = False
    days.until(2.3)

    assert unanswered == 16 * 2**30
    assert days.limit("vram_bytes") >= 1.19 * unanswered


def test_restarts_without_a_state_do_not_answer_a_refusal_again():
    load = course((0, 20, 8), (1, 20, 17), (1.05, 20, 8))
    days = Days(workload(load, "auto-limits"), length_h=5).until(2)
    answered = days.limit("vram_bytes")
    for hours in (2.5, 3, 3.5):
        days.loop = days.new_loop()
        read_history(days.loop, START)
        days.until(hours)

    assert answered > 19 * 2**30
    assert days.limit("vram_bytes") == answered
