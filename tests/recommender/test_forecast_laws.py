"""Laws of forecasts in ``decide``: what they may move, what they never do."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.decide import decide
from recommender.decision import Code, Layer
from recommender.forecast.gate import Gate
from tests.builders import policy
from tests.fleets import BEGIN_S, GIB, StatedFleet
from tests.recommender.random_fleets import PREDICTS, codes_at, dues, fleets, is_equal, lived

foreseen_fleets = fleets(foresees=st.just(True))  # noqa: FBT003 - it is the value
CLOSED = [int(gate) for gate in Gate if gate is not Gate.OPEN]
GATES = ("limit_gate", "request_gate", "replica_gate")


def decided(fleet, due=frozenset(Layer), **foreseen):
    """Decide with some columns of the forecasts replaced; nothing takes force."""
    observation = fleet.observe()
    if observation.forecasts is not None:
        changed = replace(observation.forecasts, **foreseen)
        observation = replace(observation, forecasts=changed)
    return decide(observation, fleet.table, fleet.state, fleet.now_s, due)


def amounts(decisions):
    """Return everything but the steps."""
    return {
        item.name: getattr(decisions, item.name)
        for item in fields(decisions)
        if item.name != "steps"
    }


@settings(max_examples=60)
@given(foreseen_fleets, dues, st.sampled_from(CLOSED))
def test_behind_closed_gates_amounts_and_state_are_those_without_forecasts(fleet, due, gate):
    lived(fleet, due)
    nothing = np.full(fleet.shape, np.nan)
    closed = {name: np.full_like(getattr(fleet.observe().forecasts, name), gate) for name in GATES}
    uncalibrated = {
        name: np.where(
            np.isnan(rule.risk_target), getattr(fleet.observe().forecasts, name), nothing
        )
        for name, rule in (
            ("limit_histogram", fleet.table.limits),
            ("request_histogram", fleet.table.requests),
        )
    }
    with_closed, state = decided(fleet, due, **closed, **uncalibrated)
    fleet.foreseen = None
    without, state_without = decided(fleet, due)
    for name, value in amounts(without).items():
        assert is_equal(value, amounts(with_closed)[name]), name
    assert is_equal(state, state_without)


@settings(max_examples=60)
@given(foreseen_fleets, dues)
def test_whoever_does_not_ask_for_a_forecast_gets_the_steps_of_before(fleet, due):
    rules = {"requests": fleet.table.requests, "limits": fleet.table.limits,
             "replicas": fleet.table.replicas}  # fmt: skip
    fleet.table = replace(
        fleet.table,
        **{
            name: replace(rule, predicts=np.zeros_like(rule.predicts))
            for name, rule in rules.items()
        },
    )
    nothing = np.full(fleet.shape, np.nan)
    lived(fleet, due)
    one = decided(fleet, due, limit_histogram=nothing, request_histogram=nothing)
    fleet.foreseen = None
    other = decided(fleet, due)
    assert is_equal(one[0], other[0])
    assert is_equal(one[1], other[1])


@settings(max_examples=60)
@given(foreseen_fleets)
def test_a_forecast_never_takes_a_limit_below_its_request(fleet):
    decisions = lived(fleet, frozenset(Layer)).decide()
    request, limit = decisions.target_request, decisions.target_limit
    bound = np.fmin(fleet.table.limits.max_allowed, fleet.workloads.card)
    is_known = ~np.isnan(request) & ~np.isnan(limit)
    assert (limit >= np.fmin(request, bound))[is_known].all()
    assert (limit >= request)[is_known].all()


@settings(max_examples=60)
@given(foreseen_fleets)
def test_a_forecast_of_vram_only_raises_targets(fleet):
    lived(fleet, frozenset(Layer))
    decisions, _ = decided(fleet)
    vram_unknown = np.array([1.0, np.nan])
    seen = fleet.observe().forecasts
    without, _ = decided(
        fleet, limit=seen.limit * vram_unknown, request=seen.request * vram_unknown
    )
    for name in ("target_request", "target_limit"):
        value, other = getattr(decisions, name)[:, 1], getattr(without, name)[:, 1]
        assert np.array_equal(np.isnan(value), np.isnan(other))
        assert not (value < other).any()


@settings(max_examples=60)
@given(foreseen_fleets)
def test_a_forecast_of_replicas_only_raises_targets(fleet):
    lived(fleet, frozenset(Layer))
    decisions, _ = decided(fleet)
    without, _ = decided(fleet, replica_demand=np.full(fleet.shape[0], np.nan))
    value, other = decisions.target_replicas, without.target_replicas
    assert np.array_equal(np.isnan(value), np.isnan(other))
    assert not (value < other).any()


tflops = st.sampled_from([0.5, 1.0, 4.0, 5.0, 10.0, 80.0])
ages_s = st.sampled_from([-60, 0, 900, 3599, 3600, 10**6])


@st.composite
def begins(draw, rows=3):
    """Draw workloads whose use is known, at the begin of a part of the day or not."""

    def each(elements):
        return np.array(draw(st.lists(elements, min_size=rows, max_size=rows)))

    vram = np.full(rows, np.nan)
    return StatedFleet(
        *[policy({"autoSetRequests": PREDICTS})] * rows,
        usage={"request_target": (10.0, GIB), "request_upper": 80.0},
        foreseen={
            "request": np.stack([each(tflops), vram], axis=1),
            "segment": np.stack([each(st.one_of(tflops, st.just(np.nan))), vram], axis=1),
            "segment_since_s": BEGIN_S - each(ages_s)[:, None],
        },
        request=np.stack([each(tflops), np.full(rows, GIB)], axis=1),
    )


@given(begins(), st.sampled_from([60, 600, 3600]))
def test_a_planned_change_is_at_the_begin_of_a_part_of_the_day_and_comes_once(fleet, later_s):
    seen = fleet.observe().forecasts
    decisions = fleet.decide(applies=True)
    planned = codes_at(decisions, Layer.REQUESTS, Code.SegmentBegins, fleet.shape)
    age_s = fleet.now_s - seen.segment_since_s
    assert ((age_s >= 0) & (age_s < 3600) & ~np.isnan(seen.segment))[planned].all()
    assert (decisions.next_request == decisions.target_request)[planned].all()
    assert np.array_equal(planned, fleet.state.segment_change_s == fleet.now_s)
    fleet.now_s += later_s
    fleet.foreseen["request"] = 200.0
    again = codes_at(fleet.decide(), Layer.REQUESTS, Code.SegmentBegins, fleet.shape)
    assert not (again & planned).any()
