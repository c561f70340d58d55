"""Decisions as answers to an upstream operator's questions."""

import pytest

from autoscaler.scaling.applying import Applied
from autoscaler.scaling.cluster import Change, Outcome, amounts
from autoscaler.scaling.external.protocol import Question
from autoscaler.scaling.live.upstream.cluster import FRESH_S, UpstreamCluster
from autoscaler.scaling.loop import Tick
from autoscaler.scaling.planning import PlannedChange
from recommender.decision import Layer
from tests.autoscaler.scaling.live.deciding import tick as decided
from tests.autoscaler.scaling.live.upstream.upstream_world import (
    A100,
    UpstreamWorld,
    gpu,
    switches,
    worker,
    workload,
)

QUESTION = Question(namespace="team", workload="chat")
ALL = frozenset(Layer)


class World:
    """A cluster of one workload, and a loop that a test plays."""

    def __init__(self):
        self.now_s = 0.0
        self.upstream = UpstreamWorld(worker(auto_limits="true"), workload(), gpu())
        self.cluster = UpstreamCluster(self.upstream.views, monotonic_s=lambda: self.now_s)

    def tick(self, *changes, evaluated=ALL):
        views = self.cluster.snapshot()
        outcomes = self.cluster.apply(changes)
        pairs = tuple(
            (PlannedChange(row=0, change=change, effects=()), outcome)
            for change, outcome in zip(changes, outcomes, strict=True)
        )
        applied = Applied(outcomes=pairs)
        self.cluster.show(decided(views, now_s=0, applied=applied, evaluated=evaluated))
        return outcomes

    def told(self):
        reply = self.cluster.answer(QUESTION)
        return reply.reason, dict(reply.request), dict(reply.limit)


def change(*, request=None, limit=None, start_request=None, replicas=None, model=A100):
    return Change(
        namespace="team",
        workload="chat",
        uid="uid-of-chat",
        gpu_model=model,
        request=amounts(request),
        limit=amounts(limit),
        start_request=amounts(start_request),
        replicas=replicas,
        reason="a reason",
    )


RAISE = change(limit={"tflops": 120.0})
TOLD = ("MoreNeeded", {"tflops": 40.0}, {"tflops": 120.0})


def test_a_decision_is_told_until_it_is_in_force():
    world = World()
    assert [outcome.applied for outcome in world.tick(RAISE)] == [True]
    assert world.told() == TOLD
    world.upstream.put(worker(tflops_limit="120"))
    world.tick()
    assert world.told() == ("NoScalingNeeded", {}, {})


def test_the_same_decision_again_is_no_other_one_and_is_told_still():
    world = World()
    world.tick(RAISE)
    [outcome] = world.tick(RAISE)
    assert (outcome.applied, outcome.reason.partition(";")[0]) == (False, "published already")
    assert world.told() == TOLD


def test_what_an_evaluated_layer_does_not_ask_for_again_is_withdrawn():
    world = World()
    world.upstream.put(worker(auto_limits="true", auto_requests="true"))
    world.tick(RAISE, change(request={"tflops": 60.0}))
    world.tick(evaluated={Layer.LIMITS})
    assert world.told() == ("MoreNeeded", {"tflops": 60.0}, {"tflops": 80.0})
    world.tick(evaluated={Layer.REQUESTS})
    assert world.told() == ("NoScalingNeeded", {}, {})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (switches(mode="recommend"), "RecommendOnly"),
        (switches(mode="apply", paused="true"), "NoScalingNeeded"),
        (worker(auto_limits="true", paused="true"), "NoScalingNeeded"),
        (worker(), "NoScalingNeeded"),
    ],
)
def test_what_is_paused_not_enrolled_or_only_recommended_is_told_no_more(changed, reason):
    world = World()
    world.tick(RAISE)
    world.upstream.put(changed)
    world.tick(evaluated=())
    assert world.told() == (reason, {}, {})


def test_a_tick_that_could_decide_nothing_withdraws_nothing():
    world = World()
    world.tick(RAISE)
    world.cluster.show(Tick(now_s=0, due=ALL))
    assert world.told() == TOLD


def test_before_the_first_tick_and_long_after_the_last_one_nothing_is_asked_for():
    world = World()
    assert world.told() == ("NotDeciding", {}, {})
    world.tick(RAISE)
    world.now_s = FRESH_S
    assert world.told() == TOLD
    world.now_s = FRESH_S + 1
    assert world.told() == ("NotDeciding", {}, {})


def test_a_workload_that_is_gone_is_unknown_and_nothing_of_it_is_kept():
    world = World()
    world.tick(RAISE)
    world.upstream.remove(worker())
    world.tick()
    assert world.told() == ("UnknownWorkload", {}, {})


def test_replicas_are_refused():
    world = World()
    [outcome] = world.tick(change(replicas=3))
    assert outcome == Outcome(
        change=change(replicas=3),
        applied=False,
        reason="an upstream operator is asked for amounts only",
    )


def test_amounts_at_a_start_are_decided_once_and_told_to_nobody():
    world = World()
    world.tick(change(start_request={"vram_bytes": 5.0}))
    [view] = world.cluster.reread([("team", "chat")])
    assert dict(view.start_request) == {"vram_bytes": 5.0}
    assert world.told() == ("NoScalingNeeded", {}, {})
    world.tick()
    assert dict(world.cluster.snapshot()[0].start_request) == {"vram_bytes": 5.0}


@pytest.mark.parametrize("keys", [[], [("team", "gone")]])
def test_a_look_at_nobody_finds_nobody(keys):
    assert World().cluster.reread(keys) == []
