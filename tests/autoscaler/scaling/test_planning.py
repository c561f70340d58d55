from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.collect.series import SeriesIndex
from autoscaler.scaling.differing import held_scalings
from autoscaler.scaling.observing import Observer
from autoscaler.scaling.planning import Effect, change_with, plan_changes, rounded
from autoscaler.scaling.reasons import decisive_steps
from recommender.decision import Code, Decisions, Layer, Step, StepLog
from recommender.resources import GIB, MIB, TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, policy, view

ALL = frozenset(Layer)
AUTO = ("auto-requests", "auto-limits", "auto-replicas")


def _decided(*views, due=ALL, **columns):
    """Return what was observed, and decisions that keep it, but for ``columns``."""
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
        "unknown_request": np.zeros((len(views), 2), np.int16),
        "unknown_limit": np.zeros((len(views), 2), np.int16),
        "due": due,
        "steps": StepLog().table(),
    }
    arrays = {
        name: value if name == "steps" else np.array(value) for name, value in columns.items()
    }
    return observed, Decisions(**(unknown | kept | arrays))


def _plan(*views, due=ALL, **columns):
    """Plan from decisions that keep everything, but for ``columns`` ([W, R] or [W])."""
    return plan_changes(views, *_decided(*views, due=due, **columns))


def test_amounts_in_force_need_no_change():
    assert _plan(view("chat", *AUTO)) == []


def test_a_decision_becomes_one_change_of_amounts_and_one_of_replicas():
    of_amounts, of_replicas = _plan(
        view("chat", *AUTO),
        next_request=[[50.0, 10 * GIB]],
        next_limit=[[100.0, 20 * GIB]],
        start_request=[[50.0, 10 * GIB]],
        start_limit=[[100.0, 20 * GIB]],
        next_replicas=[3.0],
    )

    change = of_amounts.change
    assert dict(change.request) == {"tflops": 50.0}
    assert dict(change.limit) == {"tflops": 100.0, "vram_bytes": 20 * GIB}
    assert dict(change.start_request) == dict(change.start_limit) == {}
    assert change.replicas is None
    assert (change.uid, change.gpu_model) == ("team-chat-1", "A100")
    assert [(e.layer, e.resource, e.before, e.after) for e in of_amounts.effects] == [
        (Layer.REQUESTS, "tflops", 40.0, 50.0),
        (Layer.LIMITS, "tflops", 80.0, 100.0),
        (Layer.LIMITS, "vram_bytes", 16 * GIB, 20 * GIB),
    ]
    assert of_replicas.change.replicas == 3
    assert dict(of_replicas.change.request) == dict(of_replicas.change.limit) == {}
    assert [(e.layer, e.before, e.after) for e in of_replicas.effects] == [
        (Layer.REPLICAS, 1.0, 3.0)
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
    plans = _plan(
        view("chat", *AUTO),
        due=frozenset({Layer.LIMITS}),
        next_request=[[50.0, 12 * GIB]],
        next_limit=[[100.0, 16 * GIB]],
        next_replicas=[2.0],
    )

    assert {e.layer for plan in plans for e in plan.effects} == {Layer.LIMITS}


def test_a_difference_below_what_a_quantity_resolves_is_no_change():
    assert _plan(view("chat", *AUTO), next_limit=[[80.0 - 1e-9, 16 * GIB - 10]]) == []


def test_no_value_leaves_what_is_in_force():
    assert _plan(view("chat", *AUTO), next_limit=[[np.nan, np.nan]], next_replicas=[np.nan]) == []


def test_a_lower_vram_amount_is_for_starting_workers_only():
    (plan,) = _plan(view("chat", *AUTO), start_limit=[[80.0, 12 * GIB]])

    assert dict(plan.change.limit) == {}
    assert dict(plan.change.start_limit) == {"vram_bytes": 12 * GIB}
    assert [(e.is_at_start, e.before) for e in plan.effects] == [(True, 16 * GIB)]


def test_what_starting_workers_get_already_is_not_stated_again():
    stated = view("chat", *AUTO, start_limit=amounts({"vram_bytes": 12 * GIB}))

    assert _plan(stated, start_limit=[[80.0, 12 * GIB]]) == []


def test_a_stated_start_amount_is_taken_back_when_it_no_longer_holds():
    stated = view("chat", *AUTO, start_limit=amounts({"vram_bytes": 12 * GIB}))

    (plan,) = _plan(stated)

    assert dict(plan.change.start_limit) == {"vram_bytes": 16 * GIB}
    assert [(e.before, e.is_raise) for e in plan.effects] == [(12 * GIB, True)]


def test_a_start_amount_that_no_step_made_has_a_reason_too():
    stated = view("chat", *AUTO, start_limit=amounts({"vram_bytes": 12 * GIB}))
    columns = {"start_limit": [[80.0, 16 * GIB]]}

    (plan,) = _plan(stated, **columns)
    (unknown,) = _plan(stated, unknown_limit=[[0, Code.NoSamples.number]], **columns)

    assert plan.change.reason == "as running workers have it"
    assert unknown.change.reason == "as running workers have it: no usable sample"


def test_a_raise_that_reaches_starting_workers_too_is_stated_once():
    (plan,) = _plan(
        view("chat", *AUTO), next_limit=[[100.0, 16 * GIB]], start_limit=[[100.0, 16 * GIB]]
    )

    assert dict(plan.change.start_limit) == {}


def test_urgent_changes_come_first_then_raises_then_decreases_and_amounts_before_replicas():
    plans = _plan(
        *(view(name, *AUTO, workers=2) for name in ("lower", "raise", "urgent")),
        next_limit=[[60.0, 16 * GIB], [90.0, 16 * GIB], [120.0, 16 * GIB]],
        next_replicas=[1.0, 2.0, 3.0],
        is_urgent=[[False, False], [False, False], [True, False]],
    )

    assert [(plan.change.workload, plan.is_of_replicas) for plan in plans] == [
        ("urgent", False),
        ("raise", False),
        ("urgent", True),
        ("lower", False),
        ("lower", True),
    ]
    assert [plan.change.is_urgent for plan in plans] == [True, False, False, False, False]


def test_held_replicas_are_not_planned_and_are_told_apart():
    views = [
        view("free", *AUTO),
        view("held", *AUTO, replicas_held="HorizontalPodAutoscaler team/held sets its replicas"),
    ]
    wanted = {"next_replicas": [2.0, 2.0], "next_limit": [[100.0, 16 * GIB]] * 2}

    plans = _plan(*views, **wanted)

    assert [plan.change.workload for plan in plans if plan.is_of_replicas] == ["free"]
    assert [plan.change.workload for plan in plans if not plan.is_of_replicas] == ["free", "held"]
    assert held_scalings(views, *_decided(*views, **wanted)).tolist() == [False, True]


def test_two_gpu_models_of_a_workload_have_changes_of_their_own_and_its_replicas_one():
    plans = _plan(
        view("chat", *AUTO),
        view("chat", *AUTO, gpu_model="H100"),
        next_limit=[[100.0, 16 * GIB], [120.0, 16 * GIB]],
        next_replicas=[2.0, 2.0],
    )

    assert [(p.change.gpu_model, dict(p.change.limit), p.change.replicas) for p in plans] == [
        ("A100", {"tflops": 100.0}, None),
        ("H100", {"tflops": 120.0}, None),
        ("A100", {}, 2),
    ]


@pytest.mark.parametrize(
    ("layer", "before", "after", "expected"),
    [
        (Layer.LIMITS, 80.0, 90.0, True),
        (Layer.LIMITS, 80.0, 70.0, False),
        (Layer.LIMITS, None, 90.0, False),
        (Layer.REQUESTS, None, 90.0, True),
        (Layer.REPLICAS, 2.0, 3.0, True),
    ],
)
def test_a_first_limit_takes_away_and_a_first_request_gives(layer, before, after, expected):
    effect = Effect(layer=layer, resource="", before=before, after=after, reason="", code=None)

    assert effect.is_raise == expected


def test_a_part_of_a_change_has_the_numbers_and_reasons_of_its_effects():
    (plan,) = _plan(
        view("chat", *AUTO),
        next_request=[[30.0, 10 * GIB]],
        start_request=[[30.0, 10 * GIB]],
        next_limit=[[100.0, 16 * GIB]],
        start_limit=[[100.0, 12 * GIB]],
        is_urgent=[[True, False]],
    )

    def part(*effects):
        change = change_with(plan.change, effects)
        numbers = (change.request, change.limit, change.start_request, change.start_limit)
        return [dict(number) for number in numbers], change.is_urgent

    lowered, raised, at_start = sorted(plan.effects, key=lambda e: (e.is_at_start, e.layer))
    assert change_with(plan.change, plan.effects) == plan.change
    assert part(lowered) == ([{"tflops": 30.0}, {}, {}, {}], False)
    assert part(raised) == ([{}, {"tflops": 100.0}, {}, {}], True)
    assert part(at_start) == ([{}, {}, {}, {"vram_bytes": 12 * GIB}], False)


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


def test_a_forecast_in_place_of_the_last_day_is_the_cause_of_a_change():
    steps = [
        Step(Code.Forecast, np.nan, 20.0, np.nan),
        Step(Code.Burst, np.nan, 10.0, np.nan),
        Step(Code.Buffer, 10.0, 12.0, np.nan),
        Step(Code.ForecastFloor, 12.0, 24.0, np.nan),
    ]

    assert decisive_steps(steps, 24.0) == [steps[3]]


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
