from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import Change, amounts
from autoscaler.scaling.holding import Hold, held_back
from autoscaler.scaling.planning import Effect, PlannedChange
from autoscaler.scaling.validating import Rejection
from recommender.decision import Layer

FIELDS = {
    (Layer.REQUESTS, False): "request",
    (Layer.LIMITS, False): "limit",
    (Layer.REQUESTS, True): "start_request",
    (Layer.LIMITS, True): "start_limit",
}


def _effect(layer, before, after, *, resource="tflops", is_at_start=False):
    return Effect(
        layer=layer,
        resource=resource,
        before=before,
        after=after,
        reason=f"{resource} {before} to {after}",
        code=None,
        is_at_start=is_at_start,
    )


def _plan(*effects, row=0, is_urgent=False):
    """Return the change that consists of these effects."""
    fields = {name: {} for name in FIELDS.values()}
    replicas = None
    for effect in effects:
        if effect.layer is Layer.REPLICAS:
            replicas = int(effect.after)
        else:
            fields[FIELDS[effect.layer, effect.is_at_start]][effect.resource] = effect.after
    change = Change(
        namespace="team",
        workload=f"w{row}",
        uid="u",
        replicas=replicas,
        is_urgent=is_urgent,
        reason="; ".join(effect.reason for effect in effects),
        **{name: amounts(values) for name, values in fields.items()},
    )
    return PlannedChange(row=row, change=change, effects=tuple(effects))


RAISE = _effect(Layer.LIMITS, 80.0, 120.0)
LOWER = _effect(Layer.REQUESTS, 40.0, 30.0)
RAISE_AT_START = _effect(Layer.LIMITS, 8.0, 9.0, resource="vram_bytes", is_at_start=True)
LOWER_AT_START = _effect(Layer.LIMITS, 8.0, 7.0, resource="vram_bytes", is_at_start=True)
MORE_REPLICAS = _effect(Layer.REPLICAS, 2.0, 3.0, resource="replicas")
FEWER_REPLICAS = _effect(Layer.REPLICAS, 2.0, 1.0, resource="replicas")
FIRST_LIMIT = _effect(Layer.LIMITS, None, 80.0)


@pytest.mark.parametrize(
    ("effect", "passes_warming", "passes_unhealthy"),
    [
        (RAISE, True, True),
        (LOWER, False, False),
        (RAISE_AT_START, False, False),
        (LOWER_AT_START, False, False),
        (MORE_REPLICAS, True, False),
        (FEWER_REPLICAS, False, False),
        (FIRST_LIMIT, False, False),
    ],
)
def test_what_passes_a_hold(effect, passes_warming, passes_unhealthy):
    for hold, passes in ((Hold.WARMING, passes_warming), (Hold.UNHEALTHY, passes_unhealthy)):
        plan = _plan(effect)

        passing, held = held_back([plan], hold)

        assert (passing, [item.plan for item in held]) == (
            ((plan,), []) if passes else ((), [plan])
        )


def test_what_workers_start_with_rises_with_what_running_ones_have_while_the_history_is_read():
    rises = _effect(Layer.LIMITS, 8.0, 10.0, resource="vram_bytes")
    plan = _plan(rises, RAISE_AT_START)

    assert held_back([plan], Hold.WARMING) == ((plan,), ())
    [passing], [held] = held_back([plan], Hold.UNHEALTHY)
    assert (passing.effects, held.plan.effects) == ((rises,), (RAISE_AT_START,))


def test_a_change_is_split_into_what_passes_and_what_is_held():
    (passed,), (held,) = held_back([_plan(RAISE, LOWER, is_urgent=True)], Hold.UNHEALTHY)

    assert (dict(passed.change.limit), dict(passed.change.request)) == ({"tflops": 120.0}, {})
    assert (passed.change.is_urgent, passed.change.reason) == (True, RAISE.reason)
    assert (dict(held.plan.change.limit), dict(held.plan.change.request)) == ({}, {"tflops": 30.0})
    assert (held.plan.change.is_urgent, held.plan.change.reason) == (False, LOWER.reason)


@pytest.mark.parametrize(
    ("hold", "reason"),
    [(Hold.WARMING, Rejection.WARMING), (Hold.UNHEALTHY, Rejection.UNHEALTHY)],
)
def test_what_is_held_says_why(hold, reason):
    _, (held,) = held_back([_plan(LOWER)], hold)

    assert held.reason is reason
    assert str(hold) == str(reason)


effects = st.sampled_from(
    [RAISE, LOWER, RAISE_AT_START, LOWER_AT_START, MORE_REPLICAS, FEWER_REPLICAS, FIRST_LIMIT]
)
plans = st.lists(st.lists(effects, min_size=1, max_size=3, unique=True), max_size=5).map(
    lambda lists: [_plan(*some, row=row) for row, some in enumerate(lists)]
)


def _effects(some):
    return Counter((plan.row, effect) for plan in some for effect in plan.effects)


@given(plans, st.sampled_from(Hold))
def test_nothing_is_lost_and_the_order_stays(all_of_them, hold):
    passing, held = held_back(all_of_them, hold)

    assert _effects(passing) + _effects(item.plan for item in held) == _effects(all_of_them)
    rows = [plan.row for plan in passing]
    assert rows == sorted(rows)


@given(plans, st.sampled_from(Hold))
def test_only_raises_pass_and_no_part_is_empty(all_of_them, hold):
    passing, held = held_back(all_of_them, hold)

    assert all(effect.is_raise for plan in passing for effect in plan.effects)
    assert all(plan.effects for plan in [*passing, *(item.plan for item in held)])


@given(plans)
def test_what_passes_an_unhealthy_process_passes_a_warming_one(all_of_them):
    unhealthy, _ = held_back(all_of_them, Hold.UNHEALTHY)
    warming, _ = held_back(all_of_them, Hold.WARMING)

    assert _effects(unhealthy) <= _effects(warming)
