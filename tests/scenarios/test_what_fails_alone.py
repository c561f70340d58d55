"""Errors cost what they touch: one metric, one recommender, one worker, one workload."""

from __future__ import annotations

from autoscaler.scaling.cluster import Outcome
from recommender.decision import Code, Layer
from tests.scenarios.standing import (
    GIB,
    HOUR,
    MINUTE,
    Standing,
    StandingCluster,
    amounts,
    configured,
    tflops,
    view,
    workers,
)

BOTH = ("auto-requests", "auto-limits")
ENDPOINT = {"enable": True, "url": "https://scaler.example/ask"}


def test_a_metric_that_cannot_be_read_holds_no_other():
    world = Standing(view("chat", *BOTH)).use(79.5, 8.0).known()
    world.source.down = {"vram_bytes"}
    world.run(20 * MINUTE)
    vram = world.view().limit["vram_bytes"], world.view().request["vram_bytes"]

    assert "collect" in world.ticks[-1].errors
    assert world.view().limit["tflops"] > 80.0
    assert world.view().request["tflops"] > 40.0
    assert vram == (16 * GIB, 10 * GIB)


def test_what_samples_are_joined_to_may_fail_without_them():
    world = Standing(view("chat", *BOTH)).use(79.5, 8.0).known()
    world.source.down = {"throttled_ratio", "vram_denied"}
    world.run(12 * MINUTE)

    assert world.view().limit["tflops"] > 80.0


def test_an_endpoint_that_does_not_answer_leaves_the_own_recommendation_in_force():
    config = {"autoSetRequests": {"enable": True}, "externalScaler": ENDPOINT}
    world = Standing(view(policy=configured(config))).use(20.0, 8.0).known()
    world.run(15 * MINUTE)

    assert world.view().request["tflops"] == 32.0


def test_an_answer_counts_per_number_and_the_larger_limit_is_not_lost():
    config = {"autoSetRequests": {"enable": True}, "autoSetLimits": {"enable": True}}
    item = view(
        policy=configured({**config, "externalScaler": ENDPOINT}),
        external_request=tflops(50.0),
        external_limit=tflops(60.0),
    )
    world = Standing(item).use(70.0, 8.0).known()
    world.run(15 * MINUTE)

    # the own request is larger, and so is the own limit: neither follows the other's winner
    assert world.view().request["tflops"] > 70.0
    assert world.view().limit["tflops"] >= world.view().request["tflops"]
    world.set(external_limit=tflops(150.0))
    world.run(15 * MINUTE)
    assert world.view().limit["tflops"] >= 150.0
    assert world.view().request["tflops"] < 90.0
    world.set(external_request=tflops(95.0))
    world.run(HOUR, tick_s=5 * MINUTE)
    assert world.view().request["tflops"] == 95.0


def test_an_endpoint_alone_is_followed_up_and_down_without_any_sample():
    world = Standing(view(policy=configured({"externalScaler": ENDPOINT})), days=0)
    seen = []
    for asked in (55.0, 30.0, None):
        world.set(external_request=amounts() if asked is None else tflops(asked))
        world.run(2 * MINUTE)
        seen.append(world.view().request["tflops"])

    assert seen == [55.0, 30.0, 30.0]


def fleet_of_four(*reporting):
    world = Standing(view("chat", "auto-replicas", workers=4))
    for name in reporting:
        world.use(5.0, 8.0, worker=name, length_s=2 * HOUR)
    return world.known()


def test_while_half_of_the_workers_say_nothing_none_is_taken_away():
    world = fleet_of_four("chat-0", "chat-1").run(20 * MINUTE)
    before = world.view().replicas
    codes = world.code(Layer.REPLICAS, -1)
    for name in ("chat-2", "chat-3"):
        world.use(5.0, 8.0, worker=name, begin_s=world.clock.now_s(), length_s=HOUR)
    world.run(20 * MINUTE)

    assert before == 4
    assert Code.MissingMetrics in codes
    assert world.view().replicas < 4


def test_samples_that_end_take_nothing_away():
    world = Standing(view("chat", *BOTH, "auto-replicas", workers=2))
    for name in ("chat-0", "chat-1"):
        world.use(50.0, 8.0, worker=name, length_s=10 * MINUTE)
    world.known().run(10 * MINUTE)
    before = world.view()
    world.run(2 * HOUR, tick_s=5 * MINUTE)
    after = world.view()

    assert world.ticks[-1].decisions.is_stale.all()
    assert after.replicas == before.replicas
    assert after.request["tflops"] >= before.request["tflops"]
    assert after.limit["tflops"] >= before.limit["tflops"]
    assert after.limit["vram_bytes"] >= before.limit["vram_bytes"]


class Refusing(StandingCluster):
    """Refuses changes of one workload."""

    refused = "bad"

    def apply(self, changes):
        return [
            Outcome(change=change, applied=False, reason="the quota is used up")
            if change.workload == self.refused
            else super(Refusing, self).apply([change])[0]
            for change in changes
        ]


def test_a_workload_that_the_cluster_refuses_costs_no_other_and_is_tried_in_the_next_look():
    world = Standing(view("bad", *BOTH), view("chat", *BOTH), cluster=Refusing)
    for name in ("bad", "chat"):
        world.use(20.0, 8.0, workload=name, worker=f"{name}-0")
    world.known().run(2 * MINUTE)
    refused = world.view(0).request["tflops"], world.view(1).request["tflops"]
    world.cluster.refused = ""
    world.run(2 * MINUTE)

    assert refused == (40.0, 32.0)
    assert world.view(0).request["tflops"] == 32.0


def test_series_of_workers_that_are_gone_are_no_demand():
    world = Standing(view("chat", "auto-replicas", workers=1)).use(40.0, 8.0)
    for name in ("gone-1", "gone-2"):
        world.use(80.0, 8.0, worker=name)
    world.set(workers=workers("chat-0"))
    world.known().run(10 * MINUTE)

    assert world.view().replicas == 1
