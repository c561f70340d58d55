"""What is applied where only cron rules or an external scaler are enrolled."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.decision import Code, Layer
from recommender.layers.bounds import RESOLUTION_RATIO
from recommender.resources import GIB
from tests.builders import policy
from tests.fleets import BEGIN_S, StatedFleet

HOUR_S = 3600
EXTERNAL = {"externalScaler": {"enable": True, "url": "http://scaler.example"}}
MORNING = {
    "name": "morning",
    "enable": True,
    "start": "0 1 * * *",
    "end": "0 2 * * *",
    "desiredResources": {"requests": {"tflops": "90"}},
}
UNKNOWN_USE = {"points": 0, "last_sample_s": -1, "first_sample_s": -1}
IDLE = {"request_target": (2.0, 2 * GIB), "limit_percentile": (2.0, 2 * GIB), "burst": 2.0,
        "last_three": 2.0, "recent_minutes": 2.0, "day_percentile": (2.0, 2 * GIB)}  # fmt: skip


def fleet(config, *, usage=None, **columns):
    """Return a workload of 10/20 TFLOPS and 10/10 GiB, as stated."""
    stated = {
        "stated_request": (10.0, 10 * GIB),
        "stated_limit": (20.0, 10 * GIB),
        "card": (312.0, 80 * GIB),
        "replicas": np.array([2.0]),
        "stated_replicas": np.array([2.0]),
    }
    in_force = {"request": stated["stated_request"], "limit": stated["stated_limit"]}
    return StatedFleet(policy(config), usage=usage or IDLE, **{**stated, **in_force, **columns})


def day(made, *, begin_s=BEGIN_S, hours=3, step_s=600):
    """Return (request, limit, replicas) after each tick of the next hours."""
    values = []
    for made.now_s in range(begin_s, begin_s + hours * HOUR_S, step_s):
        made.decide(applies=True)
        values.append((
            float(made.workloads.request[0, 0]),
            float(made.workloads.limit[0, 0]),
            float(made.workloads.replicas[0]),
        ))  # fmt: skip
    return values


@pytest.mark.parametrize("usage", [IDLE, UNKNOWN_USE])
def test_a_cron_rule_alone_raises_in_its_window_and_gives_back_what_was_stated(usage):
    made = fleet({"cronScalingRules": [MORNING]}, usage=usage)
    quiet, busy = (10.0, 20.0, 2.0), (90.0, 90.0, 2.0)
    assert day(made) == [quiet] * 6 + [busy] * 6 + [quiet] * 6


def test_use_is_shown_and_not_followed():
    made = fleet({"cronScalingRules": [MORNING]})
    decisions = made.decide()
    assert decisions.target_request[0, 0] == pytest.approx(2.3)
    assert decisions.next_request[0, 0] == 10.0
    assert made.steps(Layer.REQUESTS)[Code.UseNotFollowed] == (pytest.approx(2.3), 10.0)


def test_saturation_raises_nothing_where_use_is_not_followed():
    made = fleet({"cronScalingRules": [MORNING]}, usage={**IDLE, "is_saturated": True})
    assert made.decide().next_limit[0, 0] == 20.0


def test_a_cron_rule_of_replicas_alone_scales_in_its_window_and_back():
    rule = {key: MORNING[key] for key in ("name", "enable", "start", "end")}
    made = fleet({"cronScalingRules": [{**rule, "desiredReplicas": 5}]})
    replicas = [values[2] for values in day(made, step_s=60)]
    assert replicas[:60] == [2.0] * 60
    assert max(replicas[60:120]) == replicas[119] == 5.0
    assert replicas[-1] == 2.0


@pytest.mark.parametrize("replicas", [0.0, np.nan])
def test_a_cron_rule_scales_nothing_that_is_at_zero_or_has_no_replicas(replicas):
    rule = {key: MORNING[key] for key in ("name", "enable", "start", "end")}
    made = fleet(
        {"cronScalingRules": [{**rule, "desiredReplicas": 5}]}, replicas=np.array([replicas])
    )
    made.now_s = BEGIN_S + HOUR_S
    np.testing.assert_equal(made.decide().next_replicas, [replicas])


@pytest.mark.parametrize("usage", [IDLE, UNKNOWN_USE])
@pytest.mark.parametrize("asked", [3.0, 11.0, 75.0])
def test_an_answer_alone_counts_at_once_as_it_is_up_and_down(asked, usage):
    made = fleet(
        EXTERNAL,
        usage=usage,
        external_request=(asked, np.nan),
        external_limit=(2 * asked, np.nan),
    )
    decisions = made.decide()
    assert decisions.next_request[0].tolist() == [asked, 10 * GIB]
    assert decisions.next_limit[0].tolist() == [2 * asked, 10 * GIB]


def test_without_an_answer_everything_stays_as_it_is():
    made = fleet(EXTERNAL, request=(50.0, 12 * GIB), limit=(60.0, 12 * GIB))
    decisions = made.decide()
    assert decisions.next_request[0].tolist() == [50.0, 12 * GIB]
    assert decisions.next_limit[0].tolist() == [60.0, 12 * GIB]


def test_an_answer_never_lowers_the_vram_of_running_workers():
    made = fleet(EXTERNAL, external_request=(np.nan, 4 * GIB), external_limit=(np.nan, 4 * GIB))
    decisions = made.decide()
    assert decisions.next_request[0, 1] == decisions.next_limit[0, 1] == 10 * GIB
    assert decisions.start_request[0, 1] == 4 * GIB


def test_after_a_cron_window_an_endpoint_without_an_answer_gets_back_what_it_had():
    made = fleet({**EXTERNAL, "cronScalingRules": [MORNING]}, request=(30.0, 10 * GIB))
    requests = [values[0] for values in day(made)]
    assert requests == [30.0] * 6 + [90.0] * 6 + [30.0] * 6


def test_the_edges_of_a_cron_window_are_neither_counted_nor_watched():
    made = fleet({"cronScalingRules": [MORNING]})
    day(made)
    assert (made.state.request_change_s[0, 0] < 0).all()
    assert made.state.request_decrease_s[0, 0] < 0
    assert np.isnan(made.state.request_before_cron[0, 0])


@pytest.mark.parametrize("config", [EXTERNAL, {"cronScalingRules": [MORNING]}])
def test_in_mode_recommend_nothing_is_changed(config):
    made = fleet({**config, "mode": "recommend"}, external_request=(50.0, np.nan))
    made.now_s = BEGIN_S + HOUR_S
    assert made.decide().next_request[0, 0] == 10.0


def test_in_mode_initial_only_starting_workers_get_what_is_asked_for():
    made = fleet({**EXTERNAL, "mode": "initial"}, external_request=(50.0, np.nan))
    decisions = made.decide()
    assert decisions.next_request[0, 0] == 10.0
    assert decisions.start_request[0, 0] == 50.0


def test_a_paused_workload_keeps_what_it_has():
    made = fleet(EXTERNAL, external_request=(50.0, np.nan), is_paused=np.array([True]))
    assert made.decide().next_request[0, 0] == 10.0


def test_a_decrease_that_did_harm_is_rolled_back_and_not_asked_for_again_within_a_day():
    made = fleet(EXTERNAL, external_request=(4.0, np.nan), external_limit=(4.0, np.nan))
    made.decide(applies=True)
    assert made.workloads.request[0, 0] == 4.0
    made.now_s += 600
    made.decide(applies=True, saturated_minutes=(8.0, 0.0))
    assert made.workloads.request[0, 0] == 10.0
    made.now_s += 3600
    made.decide(applies=True, saturated_minutes=0.0)
    assert made.workloads.request[0, 0] == 10.0


@given(
    asked=st.floats(0.001, 1000.0),
    limit=st.floats(0.001, 1000.0),
    in_force=st.floats(1.0, 300.0),
)
@example(asked=100.0, limit=1.0, in_force=100.125)
def test_whatever_an_endpoint_asks_for_stays_inside_the_bounds(asked, limit, in_force):
    made = fleet(
        EXTERNAL,
        external_request=(asked, np.nan),
        external_limit=(limit, np.nan),
        request=(in_force, 10 * GIB),
        limit=(in_force, 10 * GIB),
    )
    decisions = made.decide()
    request, limit = decisions.next_request[0, 0], decisions.next_limit[0, 0]
    assert 1.0 <= request <= limit <= 312.0
    # what is in force and no more than rounding away from its bound is not moved
    assert request <= 10 * 10.0 * (1 + RESOLUTION_RATIO)
