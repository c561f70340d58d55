"""Workers and workloads that come and go under the loop: zero replicas, rollouts, GPU models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.decision import Code
from tests.scenarios.standing import (
    HOUR,
    MINUTE,
    Standing,
    amounts,
    tflops,
    view,
    workers,
)

ALL = ("auto-requests", "auto-limits", "auto-replicas")


def points(world, row=0):
    return int(world.ticks[-1].observed.observation.usage.points[row, 0])


def replicas_asked_for(world):
    return [change.replicas for change in world.cluster.applied if change.replicas is not None]


def test_through_zero_replicas_usage_and_decisions_are_kept_and_nothing_is_changed():
    world = Standing(view("chat", *ALL, workers=1)).use(20.0, 8.0).known()
    world.run(10 * MINUTE)
    known, state = points(world), world.loop.fleet.state
    applied = len(world.cluster.applied)

    # without workers nobody says on which GPU model they ran
    world.set(replicas=0, stated_replicas=1, workers=(), gpu_model="")
    world.run(10 * MINUTE)
    at_zero = world.loop.fleet.state
    asleep = len(world.cluster.applied)
    decisions = world.ticks[-1].decisions
    world.set(replicas=1, workers=workers("chat-0"), gpu_model="A100")
    world.tick(after_s=15)

    assert applied > 0
    assert replicas_asked_for(world) == []
    assert decisions.unknown_replicas[0] == Code.ScaledToZero.number
    assert decisions.target_request[0, 0] > 20.0
    assert asleep == applied
    assert points(world) >= known
    assert (at_zero.request_change_s >= state.request_change_s).all()
    assert (world.loop.fleet.state.request_change_s >= at_zero.request_change_s).all()


def test_a_pause_of_decreases_outlives_zero_replicas():
    world = Standing(view("chat", "auto-requests")).use(20.0, 8.0, length_s=0).known()
    world.tick()
    lowered, moment_s = world.view().request["tflops"], world.clock.now_s()
    world.use(80.0, 8.0, begin_s=moment_s, length_s=HOUR).run(6 * MINUTE)
    rolled_back = world.view().request["tflops"]
    until_s = world.loop.fleet.state.no_decrease_until_s.copy()
    world.set(replicas=0, workers=(), gpu_model="")
    world.run(5 * MINUTE)
    world.set(replicas=1, workers=workers("chat-0"), gpu_model="A100")
    world.run(MINUTE)

    assert (lowered, rolled_back) == (32.0, 40.0)
    assert until_s[0, 0] > moment_s + 23 * HOUR
    np.testing.assert_array_equal(world.loop.fleet.state.no_decrease_until_s, until_s)


def rollout(*, surplus_use):
    """Return a world of two busy workers while two new ones load beside them."""
    world = Standing(view("chat", "auto-replicas", workers=2))
    for name in ("chat-0", "chat-1"):
        world.use(56.0, 8.0, worker=name)
    world.known().run(6 * MINUTE)
    begin_s = world.clock.now_s()
    for name in ("chat-2", "chat-3"):
        world.use(surplus_use, 8.0, worker=name, begin_s=begin_s)
    return world, begin_s


def test_new_workers_of_a_rollout_that_load_their_model_are_no_demand():
    world, begin_s = rollout(surplus_use=80.0)
    new = workers("chat-2", "chat-3", started_s=begin_s, ready_s=begin_s + 30, is_surplus=True)
    world.set(workers=(*world.view().workers, *new))
    world.run(6 * MINUTE)

    assert world.view().replicas == 2
    assert replicas_asked_for(world) == []


def test_new_workers_of_a_rollout_that_idle_do_not_take_the_old_ones_away():
    world, begin_s = rollout(surplus_use=1.0)
    new = workers("chat-2", "chat-3", started_s=begin_s, ready_s=begin_s + 30, is_surplus=True)
    world.set(workers=(*world.view().workers, *new))
    world.run(10 * MINUTE)

    assert replicas_asked_for(world) == []


def test_workers_that_terminate_are_no_demand_and_no_room():
    world, begin_s = rollout(surplus_use=70.0)
    leaving = workers("chat-2", "chat-3", is_surplus=True)
    world.set(workers=(*world.view().workers, *leaving))
    world.run(6 * MINUTE)

    assert begin_s < world.clock.now_s()
    assert replicas_asked_for(world) == []


def test_starting_workers_hold_back_the_next_ones_and_are_no_reason_to_shrink():
    world = Standing(view("chat", "auto-replicas", workers=2))
    for name in ("chat-0", "chat-1"):
        world.use(90.0, 8.0, worker=name)
    world.known()
    world.tick()
    first = world.view().replicas
    starting = workers("chat-2", "chat-3", started_s=world.clock.now_s(), ready_s=None)
    world.set(workers=(*world.view().workers, *starting[: first - 2]))
    world.run(10 * MINUTE)

    assert first == 4
    assert replicas_asked_for(world) == [4]


def test_pods_that_are_doubled_for_an_hour_do_not_dilute_what_a_worker_needs():
    world = Standing(view("chat", "auto-requests", workers=2))
    for name in ("chat-0", "chat-1"):
        world.use(40.0, 8.0, worker=name)
    world.known()
    world.tick()
    before = world.ticks[-1].decisions.target_request[0, 0]
    begin_s = world.clock.now_s()
    for name in ("chat-2", "chat-3"):
        world.use(0.5, 8.0, worker=name, begin_s=begin_s, length_s=HOUR)
    new = workers("chat-2", "chat-3", started_s=begin_s, ready_s=begin_s + 30, is_surplus=True)
    world.set(workers=(*world.view().workers, *new))
    world.run(HOUR, tick_s=5 * MINUTE)

    assert world.ticks[-1].decisions.target_request[0, 0] == before


def on(gpu_model, **more):
    return view("chat", *ALL, workers=1, uid="chat-1", gpu_model=gpu_model, **more)


def test_each_gpu_model_of_a_workload_is_sized_by_its_own_use_and_replicas_are_scaled_once():
    first = replace(on("A100", replicas=2), workers=workers("chat-a"))
    second = replace(on("H100", replicas=2), workers=workers("chat-h"))
    world = Standing(first, second)
    world.use(79.5, 8.0, worker="chat-a", gpu_model="A100")
    world.use(45.0, 8.0, worker="chat-h", gpu_model="H100")
    world.known()
    world.tick()
    world.run(6 * MINUTE)

    limits = [c.limit["tflops"] for c in world.cluster.applied if c.gpu_model == "A100" and c.limit]
    assert limits[0] > 80.0
    assert world.view(1).limit["tflops"] < 80.0
    assert [item.replicas for item in world.cluster.views] == [3, 3]
    assert replicas_asked_for(world) == [3]


def test_a_gpu_model_without_samples_holds_no_other():
    first = replace(on("A100"), workers=workers("chat-a"))
    second = replace(on("H100"), workers=workers("chat-h"), limit=tflops(80.0))
    world = Standing(first, second)
    world.use(79.5, worker="chat-a", gpu_model="A100")
    world.known()
    world.tick()

    assert world.view(0).limit["tflops"] > 80.0
    assert dict(world.view(1).limit) == {"tflops": 80.0}


def test_a_workload_made_anew_under_its_name_keeps_its_use_and_none_of_its_decisions():
    world = Standing(view("chat", "auto-requests", "auto-limits")).use(20.0, 8.0).known()
    world.run(30 * MINUTE)
    known, changed = points(world), world.loop.fleet.state.request_change_s.max()
    world.set(
        uid="team-chat-2",
        request=world.view().stated_request,
        limit=world.view().stated_limit,
        start_request=amounts(),
        start_limit=amounts(),
        guard=None,
    )
    tick = world.tick(after_s=60)

    assert changed > 0
    assert points(world) >= known
    assert (tick.observed.fleet.state.request_change_s < 0).all()
    assert (tick.observed.fleet.state.limit_decrease_s < 0).all()
    # its first evaluation does not wait for a turn, nor for a history
    assert tick.decisions.is_decided_request.all()
    assert tick.decisions.next_request[0, 0] < 40.0


def test_a_new_workload_is_evaluated_in_the_first_look_and_old_ones_in_their_turns():
    world = Standing(*(view(f"w{i}") for i in range(12)), days=0)
    looks = [world.tick(after_s=60).decisions.is_decided_request[:, 0] for _ in range(11)]
    world.cluster.views.append(view("late"))
    late = world.tick(after_s=60)

    assert looks[0].all()
    assert max(look.sum() for look in looks[1:]) <= 6
    assert np.sum(looks[1:]) == 12
    row = [v.workload for v in late.views].index("late")
    assert late.decisions.is_decided_request[row, 0]


def test_a_worker_that_starts_says_nothing_of_compute_until_it_is_ready():
    world = Standing(view("chat", "auto-limits", workers=1)).use(20.0, 8.0).known()
    world.tick()
    begin_s = world.clock.now_s()
    world.use(310.0, 8.0, worker="chat-1", begin_s=begin_s, length_s=10 * MINUTE)
    new = workers("chat-1", started_s=begin_s, ready_s=None)
    world.set(workers=(*world.view().workers, *new))
    world.run(8 * MINUTE)

    assert world.view().limit["tflops"] <= 80.0
