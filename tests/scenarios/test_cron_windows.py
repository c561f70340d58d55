"""Cron rules under the loop: on time, in their zone, and gone without a trace afterwards."""

from __future__ import annotations

import datetime as dt

from recommender.decision import Layer
from tests.scenarios.standing import (
    DAY,
    GIB,
    HOUR,
    MINUTE,
    START,
    Standing,
    amounts,
    configured,
    view,
)

STATED = {"tflops": 40.0, "vram_bytes": 10 * GIB}


def rule(name="day", start="0 9 * * *", end="0 17 * * *", zone="UTC", replicas=None, **requests):
    asks = {"requests": requests, "limits": requests} if requests else {}
    return {
        "name": name,
        "enable": True,
        "start": start,
        "end": end,
        "timeZone": zone,
        **({"desiredResources": asks} if asks else {}),
        **({} if replicas is None else {"desiredReplicas": replicas}),
    }


def ruled(*rules, enrolled=(), **more):
    return view(policy=configured({"cronScalingRules": list(rules)}, *enrolled), **more)


def test_rules_alone_need_neither_samples_nor_a_layer_and_end_on_time():
    world = Standing(ruled(rule(tflops="60")), days=0)
    seen = {}
    for minute in (0, 539, 540, 541, 1019, 1020):
        world.at(START + minute * MINUTE)
        seen[minute] = world.view().request["tflops"]

    assert seen == {0: 40.0, 539: 40.0, 540: 60.0, 541: 60.0, 1019: 60.0, 1020: 40.0}
    assert dict(world.view().request) == STATED
    assert world.view().limit["tflops"] == 80.0


def test_a_limit_of_a_rule_ends_with_its_window_too():
    world = Standing(ruled(rule(tflops="100")), days=0)
    limits = []
    for hour in (8, 9, 17):
        world.at(START + hour * HOUR)
        limits.append(world.view().limit["tflops"])

    assert limits == [80.0, 100.0, 80.0]


def test_of_overlapping_rules_each_number_is_the_larger_and_the_rest_stays_when_one_ends():
    early = rule("early", "0 8 * * *", "0 12 * * *", tflops="60")
    late = rule("late", "0 10 * * *", "0 14 * * *", tflops="50", vram="14Gi")
    world = Standing(ruled(early, late), days=0)
    seen = []
    for hour in (9, 11, 13, 15):
        world.at(START + hour * HOUR)
        seen.append((world.view().request["tflops"], world.view().request["vram_bytes"] / GIB))

    # VRAM that workers may hold is not taken away while they run
    assert seen == [(60.0, 10.0), (60.0, 14.0), (50.0, 14.0), (40.0, 14.0)]
    assert world.view().start_request["vram_bytes"] == 10 * GIB


def test_a_window_follows_its_own_zone_through_a_change_of_time():
    night = rule("night", "0 1 * * *", "0 4 * * *", "Europe/Berlin", tflops="60")
    world = Standing(ruled(night), days=0)
    lengths_h = {}
    for day in (28, 29, 30):
        midnight_s = int(dt.datetime(2026, 3, day - 1, 23, tzinfo=dt.UTC).timestamp())
        raised = []
        for minute in range(0, 300, 10):
            world.at(midnight_s + minute * MINUTE)
            raised.append(world.view().request["tflops"] == 60.0)
        lengths_h[day] = sum(raised) / 6

    # on the 29th the hour from two to three does not exist
    assert lengths_h == {28: 3.0, 29: 2.0, 30: 3.0}


def test_after_a_window_the_request_is_what_use_asks_for_and_no_change_was_spent():
    enrolled = ("auto-requests", "auto-limits")
    world = Standing(ruled(rule(tflops="60"), enrolled=enrolled), days=3)
    world.use(20.0, 8.0, length_s=DAY).known()
    world.at(world.begin_s + 8 * HOUR)
    before = world.view().request["tflops"]
    changes = (world.loop.fleet.state.request_change_s[0, 0] > 0).sum()
    world.at(world.begin_s + 9 * HOUR)
    during = world.view().request["tflops"]
    world.at(world.begin_s + 17 * HOUR)
    after = world.view().request["tflops"]

    assert during == 60.0
    assert after == before == 32.0
    assert (world.loop.fleet.state.request_change_s[0, 0] > 0).sum() == changes
    assert (world.loop.fleet.state.request_decrease_s[0, 0] < world.begin_s + 9 * HOUR).all()


def test_one_rule_that_cannot_be_read_costs_no_other():
    wrong = rule("wrong", start="61 * * * *", tflops="300")
    world = Standing(ruled(wrong, rule(tflops="60")), days=0)
    world.at(START + 10 * HOUR)

    assert world.view().request["tflops"] == 60.0


def test_a_rule_of_replicas_alone_scales_for_its_window():
    world = Standing(ruled(rule(replicas=3), workers=1), days=0)
    counts = []
    for hour in (8, 9, 16):
        world.at(START + hour * HOUR)
        counts.append(world.view().replicas)
    world.at(START + 17 * HOUR)
    world.run(10 * MINUTE)

    assert counts == [1, 3, 3]
    assert world.view().replicas == 1
    assert amounts(dict(world.view().request)) == STATED
    assert Layer.REPLICAS in world.ticks[-1].due
