"""Defects of other autoscalers for GPUs, each as a promise that the loop keeps.

Those of cron windows, rollouts, missing metrics and settings that change stand beside, in files of
their own.
"""

from __future__ import annotations

import numpy as np
import pytest

from recommender.decision import Code, Layer
from tests.scenarios.standing import (
    DAY,
    GIB,
    HOUR,
    MINUTE,
    START,
    Standing,
    amounts,
    configured,
    tflops,
    view,
    workers,
)

BOTH = ("auto-requests", "auto-limits")
SIZED = {"autoSetResources": {"enable": True, "targetResource": "compute"}}


def test_a_growing_worker_does_not_hide_the_memory_of_a_steady_one():
    limit = amounts({"tflops": 80.0, "vram_bytes": 40 * GIB})
    item = view("chat", "auto-requests", workers=2, limit=limit, stated_limit=limit)
    world = Standing(item)
    ts = np.arange(START, world.begin_s + HOUR, 15)
    world.use(20.0, 20.0, worker="chat-0")
    world.use(20.0, worker="chat-1")
    growing = np.linspace(4 * GIB, 5 * GIB, len(ts))
    world.source.add("vram_bytes", ts, growing, worker="chat-1")
    world.known()
    world.tick()

    assert world.ticks[-1].decisions.target_request[0, 1] >= 20 * GIB


def test_small_amounts_are_neither_rounded_to_whole_tflops_nor_never_updated():
    item = view(
        "chat",
        *BOTH,
        request=amounts({"tflops": 2.0, "vram_bytes": 10 * GIB}),
        stated_request=amounts({"tflops": 2.0, "vram_bytes": 10 * GIB}),
        limit=amounts({"tflops": 3.0, "vram_bytes": 16 * GIB}),
        stated_limit=amounts({"tflops": 3.0, "vram_bytes": 16 * GIB}),
    )
    world = Standing(item).use(2.3, 8.0).known()
    world.run(12 * MINUTE)
    request = world.view().request["tflops"]

    assert 2.3 * 1.15 <= request < 2.9
    assert request != round(request)


def test_what_is_not_targeted_is_neither_changed_nor_reserved():
    world = Standing(view(policy=configured(SIZED))).use(60.0, 15.9).known()
    world.run(25 * MINUTE)
    changed = {name for c in world.cluster.applied for name in {**c.request, **c.limit}}
    started = {name for c in world.cluster.applied for name in {**c.start_request, **c.start_limit}}

    assert changed == {"tflops"}
    assert started <= {"tflops"}


def test_a_limit_grows_alone_where_the_request_is_right():
    world = Standing(view("chat", *BOTH)).use(34.8, 8.0, length_s=0).known()
    world.tick()
    world.use(79.9, 8.0, begin_s=world.clock.now_s(), length_s=MINUTE)
    world.run(MINUTE, tick_s=15)

    assert world.view().limit["tflops"] > 80.0
    assert world.view().request["tflops"] == 40.0


@pytest.mark.parametrize("use", [300.0, 400.0])
def test_no_amount_is_more_than_one_gpu_has(use):
    item = view(
        "chat",
        *BOTH,
        stated_request=amounts({"tflops": 200.0, "vram_bytes": 10 * GIB}),
        request=amounts({"tflops": 200.0, "vram_bytes": 10 * GIB}),
        limit=tflops(250.0),
        card=amounts({"tflops": 312.0, "vram_bytes": 80 * GIB}),
    )
    world = Standing(item).use(use, 8.0).known()
    world.run(90 * MINUTE, tick_s=5 * MINUTE)

    assert world.view().request["tflops"] <= world.view().limit["tflops"] == 312.0


def test_an_amount_that_fits_on_no_gpu_is_not_asked_for_and_the_reason_is_told():
    item = view("chat", *BOTH, largest_placeable=tflops(50.0))
    world = Standing(item).use(70.0, 8.0).known()
    world.run(15 * MINUTE)

    assert world.view().request["tflops"] == 50.0
    assert Code.LargestPlaceable in world.code(Layer.REQUESTS)


def test_an_idle_service_gives_compute_back_and_keeps_the_memory_that_it_holds():
    world = Standing(view("chat", *BOTH)).use(0.0, 9.0, length_s=2 * DAY).known()
    world.run(DAY, tick_s=10 * MINUTE)

    assert world.view().request["tflops"] < 20.0
    assert world.view().request["vram_bytes"] == 10 * GIB
    assert 9 * 1.1 * GIB <= world.view().start_limit["vram_bytes"] < 16 * GIB


def test_a_request_changes_at_most_four_times_in_a_day_and_then_rests():
    rng = np.random.default_rng(3)
    world = Standing(view("chat", *BOTH))
    ts = np.arange(START, world.begin_s + DAY, 60)
    world.source.add("tflops", ts, 25 + 20 * np.sin(ts / 7000.0) + rng.gamma(2.0, 2.0, len(ts)))
    world.use(None, 8.0, length_s=DAY)
    world.known()
    world.run(DAY, tick_s=5 * MINUTE)

    assert 0 < sum("tflops" in c.request for c in world.cluster.applied) <= 4


def test_nothing_that_is_not_known_is_written():
    world = Standing(view("new", *BOTH, "auto-replicas"), days=0)
    world.use(1.0, 1.0, workload="new", worker="new-0", begin_s=START, length_s=HOUR)
    world.run(20 * MINUTE)
    early = list(world.cluster.applied)
    world.run(30 * MINUTE)
    values = [
        value
        for change in world.cluster.applied
        for part in (change.request, change.limit, change.start_request, change.start_limit)
        for value in part.values()
    ]

    assert all(not change.request and change.replicas is None for change in early)
    assert all(np.isfinite(value) and value > 0 for value in values)


def test_vertical_and_horizontal_scaling_do_not_drive_each_other():
    world = Standing(view("chat", *BOTH, "auto-replicas", workers=2))
    for name in ("chat-0", "chat-1"):
        world.use(56.0, 8.0, worker=name, length_s=DAY)
    world.known().run(DAY, tick_s=5 * MINUTE)

    # amounts moved, and replicas, which follow the stated limit, did not
    assert world.view().limit["tflops"] != 80.0
    assert world.view().replicas == 2


def test_what_was_decided_says_the_number_before_each_bound_and_after():
    world = Standing(view("chat", *BOTH)).use(20.0, 8.0).known()
    world.tick()
    steps = list(world.ticks[-1].decisions.steps.of(0, Layer.REQUESTS, 0))
    [key] = world.ticks[-1].observed.fleet.keys
    [record] = world.loop.records.decisions_of(key)

    assert [step.code for step in steps] == [
        Code.LoadWeightedPercentile,
        Code.Buffer,
        Code.LowerPace,
    ]
    assert steps[1].before == steps[0].after
    recorded = [item.step for item in record.steps if (item.layer, item.resource) == (0, 0)]
    assert str(recorded) == str(steps)


def test_a_reason_is_the_same_from_one_look_to_the_next():
    world = Standing(view("chat", *BOTH, is_paused=True)).use(20.0, 8.0).known()
    world.run(30 * MINUTE)
    [key] = world.ticks[-1].observed.fleet.keys

    assert len(world.loop.records.decisions_of(key)) <= 2


def test_refused_allocations_raise_the_limit_once_for_each_and_not_for_each_look():
    world = Standing(view("chat", *BOTH)).use(20.0, 8.0).known()
    world.tick()
    world.source.add("vram_denied", [world.clock.now_s() + 15], 1.0)
    world.run(20 * MINUTE, tick_s=15)

    assert world.view().limit["vram_bytes"] == pytest.approx(1.2 * 16 * GIB, abs=2**20)


def test_several_workers_of_one_pod_name_are_one_worker_again():
    world = Standing(view("chat", "auto-replicas", workers=1)).use(40.0, 8.0).known()
    world.tick()
    world.set(workers=workers("chat-0", started_s=world.clock.now_s(), ready_s=None))
    world.run(2 * MINUTE)
    world.set(workers=workers("chat-0", started_s=world.begin_s, ready_s=world.begin_s + 60))
    world.run(10 * MINUTE)

    assert world.view().replicas == 1
    assert len({key for key in world.loop.model.workers.keys if key is not None}) == 1
