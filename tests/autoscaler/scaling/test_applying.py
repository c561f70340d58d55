from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.scaling.applying import Applied, history_entries, without_unapplied
from autoscaler.scaling.cluster import Change, Outcome, amounts
from autoscaler.scaling.planning import Effect, PlannedChange
from autoscaler.scaling.validating import Rejected, Rejection
from recommender.decision import Code, Layer
from recommender.resources import TFLOPS, VRAM
from recommender.state import NEVER, empty_state
from tests.autoscaler.scaling.builders import START

RESOURCES = (TFLOPS, VRAM)


def _plan(layer=Layer.LIMITS, resource="tflops", row=0, code=Code.Burst, **more):
    effect = Effect(
        layer=layer, resource=resource, before=80.0, after=100.0, reason="why", code=code, **more
    )
    change = Change(namespace="team", workload="chat", uid="u")
    return PlannedChange(row=row, change=change, effects=(effect,))


def _entry(plan, **outcome):
    applied = Applied(outcomes=((plan, Outcome(change=plan.change, **outcome)),))
    ((key, entry),) = history_entries(applied, (), START)
    assert key == ("team", "chat")
    return entry


def test_an_applied_change_is_told_with_its_reason():
    entry = _entry(_plan(), applied=True)

    assert (entry.time_s, entry.layer, entry.resource) == (START, "limits", "tflops")
    assert (entry.before, entry.after, entry.reason, entry.outcome) == (
        80.0,
        100.0,
        "why",
        "applied",
    )


def test_a_capped_change_is_told_with_what_was_set():
    entry = _entry(_plan(), applied=True, capped=amounts({"tflops": 90.0}), reason="card is full")

    assert (entry.after, entry.outcome) == (90.0, "capped: card is full")


def test_a_number_that_got_nothing_is_told_as_refused_though_others_of_its_change_were_applied():
    entry = _entry(_plan(), applied=True, capped=amounts({"tflops": 80.0}), reason="card is full")

    assert (entry.before, entry.after, entry.outcome) == (80.0, 100.0, "card is full")


def test_a_refused_change_is_told_with_the_clusters_reason():
    assert _entry(_plan(), applied=False, reason="quota").outcome == "quota"


def test_a_roll_back_is_told_as_one():
    assert _entry(_plan(code=Code.RolledBack), applied=True).outcome == "rolled back"


def test_an_amount_for_starting_workers_says_so():
    assert _entry(_plan(is_at_start=True), applied=True).reason == "at the next start: why"


def test_a_rejected_change_is_told_with_the_reason():
    rejected = Rejected(plan=_plan(), reason=Rejection.PAUSED)

    ((_, entry),) = history_entries(Applied(outcomes=()), [rejected], START)

    assert entry.outcome == "the workload was paused"


def _states():
    before = empty_state(np.array(["a", "b"]), 2)
    time_s, number = np.full((2, 2), START), np.full((2, 2), 7.0)
    after = replace(
        before,
        request_decrease_s=time_s,
        limit_decrease_s=time_s,
        limit_before_decrease=number,
        scaled_s=np.full((2, 8), START),
        budget_s=np.full(2, START),
        target_limit=number,
    )
    return before, after


def test_an_unapplied_change_of_one_number_is_undone_and_no_other():
    before, after = _states()

    state = without_unapplied(before, after, [_plan(row=1)], RESOURCES)

    assert state.limit_decrease_s.tolist() == [[START, START], [NEVER, START]]
    assert np.isnan(state.limit_before_decrease).tolist() == [[False, False], [True, False]]
    assert state.budget_s.tolist() == [START, NEVER]
    assert (state.request_decrease_s == START).all()
    assert (state.scaled_s == START).all()


def test_a_raise_that_was_not_made_is_forgotten_and_what_it_answered_stays_open():
    before, after = _states()
    after = replace(
        after, limit_raise_s=np.full((2, 2), START), last_limits_tick_s=np.full(2, START)
    )

    state = without_unapplied(before, after, [_plan(resource="vram_bytes", row=1)], RESOURCES)

    assert state.limit_raise_s.tolist() == [[START, START], [START, NEVER]]
    assert state.last_limits_tick_s.tolist() == [START, NEVER]


def test_targets_stay_although_nothing_was_written():
    before, after = _states()

    state = without_unapplied(before, after, [_plan()], RESOURCES)

    np.testing.assert_array_equal(state.target_limit, after.target_limit)


def test_an_unapplied_scaling_is_undone_also_when_the_window_grew():
    before, after = _states()
    grown = replace(after, scaled_s=np.full((2, 12), START), scaled_by=np.ones((2, 12)))

    state = without_unapplied(before, grown, [_plan(Layer.REPLICAS, "replicas")], RESOURCES)

    assert (state.scaled_s[0] == NEVER).all()
    assert np.isnan(state.scaled_by[0]).all()
    assert (state.scaled_s[1] == START).all()


@pytest.mark.parametrize("plans", [[], [_plan(is_at_start=True)]])
def test_without_unapplied_changes_of_running_workers_the_state_is_as_decided(plans):
    before, after = _states()

    state = without_unapplied(before, after, plans, RESOURCES)

    np.testing.assert_array_equal(state.limit_decrease_s, after.limit_decrease_s)
    np.testing.assert_array_equal(state.budget_s, after.budget_s)
