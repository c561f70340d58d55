from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import Change, Guard, amounts
from autoscaler.scaling.guarding import came_late, guard_of, guarded, with_guards
from autoscaler.scaling.planning import PlannedChange
from recommender.resources import TFLOPS, VRAM
from recommender.state import CHANGES_KEPT, NEVER, empty_state
from tests.autoscaler.scaling.builders import START, view

RESOURCES = (TFLOPS, VRAM)
HOUR_S, DAY_S, WATCH_S = 3600, 86400, 1800
ROWS = 3

ages_s = st.integers(0, 2 * DAY_S) | st.integers(0, 2 * WATCH_S)


@st.composite
def watches(draw):
    """Return when an amount was lowered, and what was in force before; often nothing."""
    if draw(st.booleans()):
        return NEVER, np.nan
    return START - draw(ages_s), draw(st.floats(1.0, 100.0))


@st.composite
def states(draw):
    """Return a state of three workloads in the middle of their changes."""
    shape = (ROWS, len(RESOURCES))
    state = empty_state(np.array(["a", "b", "c"]), len(RESOURCES))
    columns = {}
    for kind in ("request", "limit"):
        seen = [draw(watches()) for _ in range(ROWS * len(RESOURCES))]
        columns[f"{kind}_decrease_s"] = np.array([s for s, _ in seen], np.int64).reshape(shape)
        columns[f"{kind}_before_decrease"] = np.array([b for _, b in seen]).reshape(shape)
    until = st.just(NEVER) | ages_s.map(lambda age_s: START + DAY_S - age_s)
    columns["no_decrease_until_s"] = np.array(
        [draw(until) for _ in range(ROWS * len(RESOURCES))], np.int64
    ).reshape(shape)
    changes = np.full((*shape, CHANGES_KEPT), NEVER)
    for row in np.ndindex(shape):
        ages = sorted(draw(st.lists(ages_s, max_size=CHANGES_KEPT)))
        changes[row][: len(ages)] = [START - age_s for age_s in ages]
    return replace(state, request_change_s=changes, **columns)


def _handed_over(state):
    """Return what a process that starts with nothing knows from the guards of another."""
    guards = guard_of(state, RESOURCES, START, range(ROWS))
    return with_guards(
        empty_state(state.uid, len(RESOURCES)), range(ROWS), guards, RESOURCES, START
    )


def _pending(state, kind):
    """Return where trouble was found in the watch of a decrease that still stands."""
    after_s = (
        state.no_decrease_until_s.astype(object)
        - DAY_S
        - getattr(state, f"{kind}_decrease_s").astype(object)
    )
    is_found = (after_s >= 0) & (after_s <= WATCH_S)
    return np.array(is_found, bool) & ~np.isnan(getattr(state, f"{kind}_before_decrease"))


def _watched(state, kind):
    is_running = START - getattr(state, f"{kind}_decrease_s") <= WATCH_S
    return is_running & ~np.isnan(getattr(state, f"{kind}_before_decrease"))


@given(states())
def test_no_pending_roll_back_is_forgotten(state):
    after = _handed_over(state)

    for kind in ("request", "limit"):
        pending = _pending(state, kind)
        before = f"{kind}_before_decrease"
        assert (_pending(after, kind) | ~pending).all()
        assert (getattr(after, before)[pending] == getattr(state, before)[pending]).all()


@given(states())
def test_every_watched_decrease_is_watched_as_long_or_rolled_back_at_once(state):
    after = _handed_over(state)

    for kind in ("request", "limit"):
        lasts = getattr(after, f"{kind}_decrease_s") >= getattr(state, f"{kind}_decrease_s")
        before = f"{kind}_before_decrease"
        watched = _watched(state, kind)
        assert (lasts | _pending(after, kind) | ~watched).all()
        assert (getattr(after, before)[watched] == getattr(state, before)[watched]).all()


@given(states())
def test_where_nothing_was_to_be_rolled_back_nothing_is(state):
    after = _handed_over(state)
    pending = _pending(state, "request") | _pending(state, "limit")
    calm = ~pending.any(axis=1)

    for kind in ("request", "limit"):
        assert not _pending(after, kind)[calm].any()


@given(states())
def test_nothing_is_lowered_before_the_time(state):
    after = _handed_over(state)
    blocked = state.no_decrease_until_s > START

    assert (after.no_decrease_until_s >= state.no_decrease_until_s)[blocked].all()


@pytest.mark.parametrize("column", ["last_limits_tick_s", "answered_until_s"])
def test_what_was_answered_is_answered_by_nobody_again(column):
    state = empty_state(np.array(["a", "b", "c"]), len(RESOURCES))
    answered = np.array([START - 60, NEVER, START - DAY_S])

    after = _handed_over(replace(state, **{column: answered}))

    assert after.answered_until_s.tolist() == answered.tolist()


def test_answers_of_a_clock_ahead_of_ours_count_as_those_of_now():
    state = empty_state(np.array(["a"]), len(RESOURCES))
    after = with_guards(state, [0], [Guard(answered_until_s=START + 60)], RESOURCES, START)

    assert after.answered_until_s.tolist() == [START]


@given(states())
def test_whoever_was_changed_lately_stays_charged_to_the_budget_of_the_fleet(state):
    after = _handed_over(state)
    changed_s = state.request_change_s.max(axis=(1, 2))

    assert (after.budget_s >= changed_s).all()
    assert (after.budget_s <= START).all()


@given(states())
def test_no_change_of_the_day_is_forgotten(state):
    after = _handed_over(state)

    def of_the_day(one):
        return (one.request_change_s > START - DAY_S).sum(axis=2)

    assert (of_the_day(after) >= of_the_day(state)).all()


@given(states())
def test_what_was_handed_over_once_is_handed_over_whole_again(state):
    guards = guard_of(state, RESOURCES, START, range(ROWS))

    assert guard_of(_handed_over(state), RESOURCES, START, range(ROWS)) == guards


@given(states())
def test_guards_that_say_no_more_than_the_state_loosen_nothing(state):
    guards = guard_of(state, RESOURCES, START, range(ROWS))

    merged = with_guards(state, range(ROWS), guards, RESOURCES, START)

    assert (merged.no_decrease_until_s >= state.no_decrease_until_s).all()
    assert (merged.request_decrease_s >= state.request_decrease_s).all()
    assert (merged.limit_decrease_s >= state.limit_decrease_s).all()
    np.testing.assert_array_equal(merged.request_change_s, state.request_change_s)


def _state(**columns):
    return replace(empty_state(np.array(["a"]), 2), **columns)


def test_a_state_without_changes_has_an_empty_guard():
    assert guard_of(_state(), RESOURCES, START, [0]) == [Guard()]


def test_an_empty_guard_leaves_the_state_as_it_is():
    state = _state()

    assert with_guards(state, [0], [Guard()], RESOURCES, START) is state


def test_a_guard_names_what_was_in_force_and_until_when_it_is_watched():
    state = _state(
        request_decrease_s=np.array([[START - 60, NEVER]]),
        request_before_decrease=np.array([[40.0, np.nan]]),
        limit_decrease_s=np.array([[START - 30, NEVER]]),
        limit_before_decrease=np.array([[80.0, np.nan]]),
        request_change_s=np.array([[[START - 60, START - HOUR_S, NEVER, NEVER], [NEVER] * 4]]),
    )

    assert guard_of(state, RESOURCES, START, [0]) == [
        Guard(
            last_change_s=START - 60,
            changes=2,
            watched_until_s=START - 30 + WATCH_S,
            previous_request=amounts({"tflops": 40.0}),
            previous_limit=amounts({"tflops": 80.0}),
        )
    ]


def test_a_decrease_that_has_proved_itself_is_not_guarded():
    state = _state(
        limit_decrease_s=np.array([[START - WATCH_S - 1, NEVER]]),
        limit_before_decrease=np.array([[80.0, np.nan]]),
    )

    assert guard_of(state, RESOURCES, START, [0]) == [Guard()]


def test_changes_are_counted_in_the_day_before_the_last_one():
    days_s = [START - DAY_S, START - 2 * DAY_S + 1, START - 2 * DAY_S - 1, NEVER]
    state = _state(request_change_s=np.array([[days_s, [NEVER] * 4]]))

    (guard,) = guard_of(state, RESOURCES, START, [0])

    assert (guard.last_change_s, guard.changes) == (START - DAY_S, 2)


def test_a_guard_that_is_newer_than_the_state_counts_and_an_older_one_does_not():
    state = _state(request_change_s=np.array([[[START - HOUR_S, NEVER, NEVER, NEVER]] * 2]))
    newer = Guard(last_change_s=START - 60, changes=3)
    older = Guard(last_change_s=START - 2 * HOUR_S, changes=4)

    merged = with_guards(state, [0], [newer], RESOURCES, START).request_change_s

    assert merged[0, 0].tolist() == [START - 60] * 3 + [NEVER]
    kept = with_guards(state, [0], [older], RESOURCES, START).request_change_s
    np.testing.assert_array_equal(kept, state.request_change_s)


def test_times_of_a_clock_that_is_ahead_count_as_now():
    ahead_s = START + 10 * DAY_S
    guard = Guard(
        last_change_s=ahead_s,
        changes=1,
        watched_until_s=ahead_s,
        previous_limit=amounts({"tflops": 80.0}),
        no_decrease_until_s=ahead_s,
    )

    state = with_guards(_state(), [0], [guard], RESOURCES, START)

    assert state.request_change_s.max() == START
    assert state.limit_decrease_s.max() == START + 1
    assert state.no_decrease_until_s.max() == START + DAY_S


def test_an_amount_of_a_resource_that_is_not_sized_is_passed_over():
    guard = Guard(watched_until_s=START, previous_request=amounts({"mystery": 1.0}))

    state = with_guards(_state(), [0], [guard], RESOURCES, START)

    assert np.isnan(state.request_before_decrease).all()


@pytest.mark.parametrize("is_of_replicas", [False, True])
def test_amounts_carry_their_guard_and_replicas_carry_none(is_of_replicas):
    state = _state(no_decrease_until_s=np.array([[START + 60, NEVER]]))
    change = Change(
        namespace="team",
        workload="chat",
        uid="u",
        replicas=2 if is_of_replicas else None,
    )

    plan = PlannedChange(row=0, change=change, effects=())
    (plan,) = guarded([plan], [view("chat")], state, RESOURCES, START)

    expected = None if is_of_replicas else Guard(no_decrease_until_s=START + 60)
    assert plan.change.guard == expected


WATCHED = Guard(
    last_change_s=START - 60,
    changes=2,
    watched_until_s=START + 60,
    previous_request=amounts({"tflops": 50.0}),
)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        (WATCHED, WATCHED),
        (replace(WATCHED, watched_until_s=START), Guard(last_change_s=START - 60, changes=2)),
        (
            replace(WATCHED, last_change_s=START - DAY_S),
            replace(WATCHED, last_change_s=None, changes=0),
        ),
        (None, Guard()),
    ],
)
def test_a_guard_keeps_what_may_still_come_into_force(earlier, expected):
    change = Change(namespace="team", workload="chat", uid="u")
    state = empty_state(np.array(["u"]), len(RESOURCES))
    plan = PlannedChange(row=0, change=change, effects=())

    (plan,) = guarded([plan], [view("chat", guard=earlier)], state, RESOURCES, START)

    assert plan.change.guard == expected


@pytest.mark.parametrize(
    ("in_force", "guard", "expected"),
    [
        (40.0, WATCHED, True),
        (50.0, WATCHED, False),
        (40.0, replace(WATCHED, watched_until_s=START - 1), False),
        (40.0, None, False),
    ],
)
def test_a_decrease_in_force_that_the_state_forgot_came_late(in_force, guard, expected):
    seen = [view("chat", request=amounts({"tflops": in_force}), guard=guard)]
    forgotten = empty_state(np.array(["u"]), len(RESOURCES))
    known = replace(forgotten, request_decrease_s=np.full((1, len(RESOURCES)), START - 60))

    assert came_late(seen, forgotten, RESOURCES, START).tolist() == [expected]
    assert came_late(seen, known, RESOURCES, START).tolist() == [False]
