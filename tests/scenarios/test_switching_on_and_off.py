"""Enrolment, modes, pauses and settings that change while the loop runs."""

from __future__ import annotations

from recommender.decision import Code, Layer
from tests.scenarios.standing import (
    DAY,
    GIB,
    HOUR,
    MINUTE,
    Standing,
    amounts,
    configured,
    policy,
    view,
    workers,
)

BOTH = ("auto-requests", "auto-limits")


def test_mode_initial_touches_no_running_worker_and_sizes_those_that_start():
    config = {"mode": "initial", "autoSetRequests": {"enable": True}}
    config["autoSetLimits"] = {"enable": True}
    world = Standing(view(policy=configured(config))).use(20.0, 4.0).known()
    world.run(30 * MINUTE)
    running, starting = dict(world.view().request), dict(world.view().start_request)
    limits = dict(world.view().limit), dict(world.view().start_limit)
    # a worker starts with what was stated for it
    world.set(
        request=amounts({**running, **starting}),
        limit=amounts({**limits[0], **limits[1]}),
        workers=workers("chat-9"),
    )
    world.use(20.0, 4.0, worker="chat-9", begin_s=world.clock.now_s())
    before = len(world.cluster.applied)
    world.run(30 * MINUTE)

    assert running == dict(world.view().stated_request)
    assert limits[0] == dict(world.view().stated_limit)
    assert 20.0 < starting["tflops"] < 40.0
    assert 4 * GIB < starting["vram_bytes"] < 10 * GIB
    assert all(not change.request and not change.limit for change in world.cluster.applied)
    assert len(world.cluster.applied) == before


def test_what_is_not_enrolled_any_more_is_left_alone_and_goes_on_when_it_is_again():
    world = Standing(view("chat", *BOTH)).use(20.0, 8.0, length_s=2 * DAY).known()
    world.run(30 * MINUTE)
    changed = (world.loop.fleet.state.request_change_s > 0).sum()
    world.set(policy=policy())
    before = len(world.cluster.applied)
    world.run(HOUR, tick_s=5 * MINUTE)
    meanwhile = len(world.cluster.applied)
    # the stated amounts were put in force by whoever un-enrolled it
    world.set(request=world.view().stated_request, limit=world.view().stated_limit)
    world.run(MINUTE)
    world.set(policy=policy(*BOTH))
    world.run(15 * MINUTE)

    assert changed == 1
    assert meanwhile == before
    assert world.view().request["tflops"] == 32.0
    assert world.view().limit["tflops"] < 80.0


def test_only_the_layer_that_is_enrolled_no_more_rests():
    world = Standing(view("chat", *BOTH)).use(20.0, 8.0).known()
    world.set(policy=policy("auto-limits"))
    world.run(15 * MINUTE)

    assert dict(world.view().request) == dict(world.view().stated_request)
    assert world.view().limit["tflops"] < 80.0


def lowered():
    """Return a world whose request was just lowered, and whose workers now reach their limit."""
    world = Standing(view("chat", "auto-requests")).use(20.0, 8.0, length_s=0).known()
    world.tick()
    assert world.view().request["tflops"] == 32.0
    world.use(80.0, 8.0, begin_s=world.clock.now_s(), length_s=2 * HOUR)
    return world


def test_a_pause_holds_back_a_roll_back_that_is_due_and_its_end_brings_it():
    world = lowered()
    world.set(is_paused=True)
    world.run(15 * MINUTE)
    paused = world.view().request["tflops"]
    world.set(is_paused=False)
    tick = world.tick(after_s=MINUTE)

    assert paused == 32.0
    assert world.view().request["tflops"] == 40.0
    assert tick.planned[0].effects[0].code is Code.RolledBack


def test_a_roll_back_does_not_wait_for_the_turn_of_its_workload():
    world = lowered()
    moment_s = world.clock.now_s()
    while world.view().request["tflops"] < 40.0:
        world.tick(after_s=15)

    assert world.clock.now_s() - moment_s <= 6 * MINUTE


def test_a_pause_of_one_workload_is_none_of_another():
    world = Standing(view("chat", *BOTH, is_paused=True), view("other", *BOTH))
    for name in ("chat", "other"):
        world.use(20.0, 8.0, workload=name, worker=f"{name}-0")
    world.known().run(15 * MINUTE)

    assert dict(world.view(0).request) == dict(world.view(0).stated_request)
    assert dict(world.view(0).limit) == dict(world.view(0).stated_limit)
    assert world.view(1).request["tflops"] < 40.0


def test_settings_that_change_count_from_the_next_look():
    config = {"autoSetRequests": {"enable": True, "evaluationPeriod": "1d"}}
    world = Standing(view(policy=configured(config))).use(39.0, 8.0, length_s=DAY).known()
    world.run(2 * MINUTE)
    before = world.view().request["tflops"]
    bounded = {"enable": True, "evaluationPeriod": "1m", "maxAllowed": {"tflops": "34"}}
    world.set(policy=configured({"autoSetRequests": bounded}))
    world.run(2 * MINUTE)

    assert before > 40.0
    assert world.view().request["tflops"] < before


def test_a_shorter_history_throws_no_usage_away():
    def of(period):
        return configured({"autoSetRequests": {"enable": True, "aggregationPeriod": period}})

    world = Standing(view(policy=of("2d"))).use(30.0, 8.0).known()
    world.tick()
    before = world.ticks[-1].decisions.target_request[0].tolist()
    world.set(policy=of("7d"))
    world.run(2 * MINUTE)
    after = world.ticks[-1].decisions.target_request[0].tolist()

    assert after == before
    assert world.ticks[-1].decisions.unknown_request[0, 0] == 0


def test_a_period_of_a_user_counts_down_to_the_looks_of_the_loop():
    config = {"autoSetRequests": {"enable": True, "evaluationPeriod": "2m"}}
    world = Standing(view(policy=configured(config))).use(20.0, 8.0).known()
    turns = [world.tick(after_s=60).decisions.is_decided_request[0, 0] for _ in range(9)]

    assert turns[0]
    assert sum(turns[1:]) == 4
    assert Layer.REQUESTS in world.ticks[-1].due
