from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.collect.series import SeriesIndex
from autoscaler.scaling.observing import Observer
from autoscaler.scaling.planning import StartAmounts, plan_changes, rounded
from autoscaler.scaling.reasons import decisive_steps
from recommender.decision import Code, Decisions, Layer, Step, StepLog
from recommender.resources import GIB, MIB, TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, policy, view

ALL = frozenset(Layer)
AUTO = ("auto-requests", "auto-limits", "auto-replicas")


def _plan(*views, start=None, due=ALL, **columns):
    """Plan from decisions that keep everything, but for ``columns`` ([W, R] or [W])."""
    model = UsageModel((TFLOPS, VRAM))
    observed = Observer(model, SeriesIndex(model)).observe(views, None, START)
    workloads = observed.observation.workloads
    unknown = dict.fromkeys((item.name for item in fields(Decisions)), np.array([]))
    kept = {
        "next_request": workloads.request,
        "next_limit": workloads.limit,
        "start_request": workloads.request,
        "start_limit": workloads.limit,
        "next_replicas": workloads.replicas,
        "is_urgent": np.zeros((len(views), 2), bool),
        "due": due,
        "steps": StepLog().table(),
    }
    arrays = {
        name: value if name == "steps" else np.array(value) for name, value in columns.items()
    }
    decisions = Decisions(**(unknown | kept | arrays))
    return plan_changes(views, observed, decisions, start or StartAmounts(), START)


def test_amounts_in_force_need_no_change():
    assert _plan(view("chat", *AUTO)) == []


def test_a_decision_becomes_one_change_with_all_its_numbers():
    (plan,) = _plan(
        view("chat", *AUTO),
        next_request=[[50.0, 10 * GIB]],
        next_limit=[[100.0, 20 * GIB]],
        start_request=[[50.0, 10 * GIB]],
        start_limit=[[100.0, 20 * GIB]],
        next_replicas=[3.0],
    )

    change = plan.change
    assert dict(change.request) == {"tflops": 50.0}
    assert dict(change.limit) == {"tflops": 100.0, "vram_bytes": 20 * GIB}
    assert dict(change.start_request) == dict(change.start_limit) == {}
    assert change.replicas == 3
    assert (change.uid, change.decided_s) == ("team-chat-1", START)
    assert [(e.layer, e.resource, e.before, e.after) for e in plan.effects] == [
        (Layer.REQUESTS, "tflops", 40.0, 50.0),
        (Layer.LIMITS, "tflops", 80.0, 100.0),
        (Layer.LIMITS, "vram_bytes", 16 * GIB, 20 * GIB),
        (Layer.REPLICAS, "replicas", 1.0, 3.0),
    ]


@pytest.mark.parametrize(
    ("enrolled", "expected"),
    [
        ((), []),
        (("auto-requests",), [Layer.REQUESTS]),
        (("auto-limits",), [Layer.LIMITS]),
        (("auto-replicas",), [Layer.REPLICAS]),
    ],
)
def test_only_enrolled_layers_are_changed(enrolled, expected):
    plans = _plan(
        view("chat", *enrolled),
        next_request=[[50.0, 12 * GIB]],
        next_limit=[[100.0, 20 * GIB]],
        next_replicas=[2.0],
    )

    assert sorted({e.layer for plan in plans for e in plan.effects}) == expected


def test_layers_that_were_not_due_are_not_changed():
    (plan,) = _plan(
        view("chat", *AUTO),
        due=frozenset({Layer.LIMITS}),
        next_request=[[50.0, 12 * GIB]],
        next_limit=[[100.0, 16 * GIB]],
        next_replicas=[2.0],
    )

    assert {e.layer for e in plan.effects} == {Layer.LIMITS}
    assert plan.change.replicas is None


def test_a_difference_below_what_a_quantity_resolves_is_no_change():
    assert _plan(view("chat", *AUTO), next_limit=[[80.0 - 1e-9, 16 * GIB - 10]]) == []


def test_no_value_leaves_what_is_in_force():
    assert _plan(view("chat", *AUTO), next_limit=[[np.nan, np.nan]], next_replicas=[np.nan]) == []


def test_a_lower_vram_for_starting_workers_is_stated_once():
    start = StartAmounts()
    lower = {"start_limit": [[80.0, 12 * GIB]]}

    (plan,) = _plan(view("chat", *AUTO), start=start, **lower)
    start.note(plan.change)
    again = _plan(view("chat", *AUTO), start=start, **lower)

    assert dict(plan.change.limit) == {}
    assert dict(plan.change.start_limit) == {"vram_bytes": 12 * GIB}
    assert plan.effects[0].is_at_start
    assert again == []


def test_a_stated_start_amount_is_taken_back_when_it_no_longer_holds():
    start = StartAmounts()
    (plan,) = _plan(view("chat", *AUTO), start=start, start_limit=[[80.0, 12 * GIB]])
    start.note(plan.change)

    (back,) = _plan(view("chat", *AUTO), start=start)

    assert dict(back.change.start_limit) == {"vram_bytes": 16 * GIB}


def test_urgent_changes_come_first_then_raises_then_decreases():
    names = ("lower", "raise", "urgent")
    plans = _plan(
        *(view(name, *AUTO) for name in names),
        next_limit=[[60.0, 16 * GIB], [90.0, 16 * GIB], [120.0, 16 * GIB]],
        is_urgent=[[False, False], [False, False], [True, False]],
    )

    assert [plan.change.workload for plan in plans] == ["urgent", "raise", "lower"]
    assert [plan.change.is_urgent for plan in plans] == [True, False, False]


def test_mode_initial_reaches_starting_workers_only():
    profile = {"autoScalingConfig": {"mode": "initial", "autoSetRequests": {"enable": True}}}
    item = view("chat", policy=policy(profile=profile))

    (plan,) = _plan(item, next_request=[[30.0, 10 * GIB]], start_request=[[30.0, 10 * GIB]])

    assert dict(plan.change.request) == {}
    assert dict(plan.change.start_request) == {"tflops": 30.0}


def test_the_reason_names_the_cause_and_what_bound_the_amount():
    steps = [
        Step(Code.Burst, np.nan, 30.0, np.nan),
        Step(Code.Buffer, 30.0, 36.0, np.nan),
        Step(Code.MaxAllowed, 36.0, 35.0, np.nan),
        Step(Code.RequestWins, 35.0, 40.0, np.nan),
    ]

    assert decisive_steps(steps, 40.0) == [steps[0], steps[3]]


def test_a_turn_is_the_cause_of_a_change():
    steps = [
        Step(Code.Percentile, np.nan, 8.0, 0.95),
        Step(Code.VramDenied, 8.0, 12.0, np.nan),
    ]

    assert decisive_steps(steps, 12.0) == [steps[1]]


@given(st.floats(0.001, 1e4))
def test_tflops_are_rounded_up_to_milli_and_stay_when_read_again(value):
    result = rounded("tflops", value)

    assert value * (1 - 2e-6) <= result <= value + 0.00101
    assert rounded("tflops", result) == result


@given(st.floats(MIB, 1e12))
def test_vram_is_rounded_up_to_whole_mib_and_stays_when_read_again(value):
    result = rounded("vram_bytes", value)

    assert result % MIB == 0
    assert value * (1 - 2e-6) <= result < value + MIB
    assert rounded("vram_bytes", result) == result
