"""What may be written of a request now: enrolment, trust, bounds, pace, starts, cron windows."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.policy.model import Buffer, Mode
from recommender.resources import MIB
from tests.builders import ENROLLED, policy
from tests.fleets import BEGIN_S, GIB, StatedFleet

LAYER = Layer.REQUESTS
HOUR_S = 3600
OWN_VALUE = {"buffer": Buffer(1.0)}


def fleet(raw, request, *, config=None, limit=1e9, **columns):
    """Return a workload whose TFLOPS request wants ``raw``; VRAM has nothing."""
    made = policy({**ENROLLED, **(config or {})}, **OWN_VALUE)
    return StatedFleet(
        made,
        usage={"request_target": (raw, np.nan)},
        request=(request, np.nan),
        limit=(limit, np.nan),
        **columns,
    )


def next_request(made, **usage):
    return float(made.decide(**usage).next_request[0, 0])


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.INITIAL])
def test_running_workers_keep_their_request_unless_the_mode_is_apply(mode):
    made = StatedFleet(
        policy(is_enrolled=True, mode=mode), usage={"request_target": 5.0}, request=10.0
    )
    assert made.decide().next_request.tolist() == [[10.0, 10.0]]


def test_a_workload_that_is_not_enrolled_gets_a_target_and_keeps_its_request():
    made = StatedFleet(policy(), usage={"request_target": 5.0}, request=(10.0, np.nan))
    decisions = made.decide()
    assert decisions.target_request[0, 0] == pytest.approx(5.75)
    assert decisions.next_request[0, 0] == decisions.start_request[0, 0] == 10.0
    assert np.isnan(decisions.next_request[0, 1])


def test_mode_initial_gives_the_target_to_starting_workers_at_once():
    made = StatedFleet(
        policy(is_enrolled=True, mode=Mode.INITIAL, **OWN_VALUE),
        usage={"request_target": (2.0, 2 * GIB)},
        request=(20.0, 20 * GIB),
    )
    assert made.decide().start_request[0].tolist() == [2.0, 2 * GIB]


@pytest.mark.parametrize(
    ("confidence", "raw", "expected"),
    [(0.02, 12.0, 12.0), (0.019, 12.0, 10.0), (0.5, 8.0, 8.0), (0.49, 8.0, 10.0)],
)
def test_a_request_rises_from_little_confidence_and_falls_from_much(confidence, raw, expected):
    made = fleet(raw, 10.0)
    assert next_request(made, points=1000 * confidence, expected_points=1000) == expected
    assert (Code.LowConfidence in made.steps(LAYER)) is (expected == 10.0)


def test_nothing_changes_within_the_initial_delay():
    made = fleet(30.0, 10.0, config={"autoSetRequests": {"enable": True}})
    made.table.requests.initial_delay_s[:] = 3 * 86400
    assert next_request(made) == 10.0


def test_stale_samples_keep_the_request():
    made = fleet(30.0, 10.0)
    decisions = made.decide(last_sample_s=BEGIN_S - 301)
    assert decisions.is_stale[0, 0]
    assert decisions.next_request[0, 0] == 10.0
    assert made.steps(LAYER)[Code.StaleMetrics] == (30.0, 10.0)


def test_with_steps_of_ten_minutes_samples_are_stale_after_three_steps():
    made = fleet(20.0, 10.0)
    assert next_request(made, step_s=600, last_sample_s=BEGIN_S - 1800) == 20.0
    assert next_request(fleet(20.0, 10.0), step_s=600, last_sample_s=BEGIN_S - 1801) == 10.0


@pytest.mark.parametrize(("raw", "expected"), [(11.0, 10.0), (11.1, 11.1), (9.0, 10.0), (8.9, 8.9)])
def test_a_difference_within_the_threshold_is_no_change(raw, expected):
    assert next_request(fleet(raw, 10.0)) == expected


@pytest.mark.parametrize(
    ("raw", "stated", "expected"),
    [(300.0, 10.0, 100.0), (1.0, 100.0, 10.0), (300.0, np.nan, 160.0)],
)
def test_ratio_bounds_count_from_the_stated_value_and_bound_next_only(raw, stated, expected):
    made = fleet(raw, 80.0 if raw > 80.0 else 12.0, stated_request=(stated, np.nan))
    decisions = made.decide()
    assert decisions.target_request[0, 0] == raw
    assert decisions.next_request[0, 0] == expected
    assert (Code.RatioBound in made.steps(LAYER)) is not np.isnan(stated)


def test_a_lower_ratio_bound_gives_way_to_max_allowed():
    config = {"autoSetRequests": {"enable": True, "maxAllowed": {"tflops": "5"}}}
    made = fleet(4.0, 6.0, config=config, stated_request=(100.0, np.nan))
    assert next_request(made) == 5.0


def hours_of(made, hours, *, step_s=HOUR_S):
    """Return the requests in force after each decision."""
    values = []
    for _ in range(0, hours * HOUR_S, step_s):
        made.decide(applies=True)
        values.append(float(made.workloads.request[0, 0]))
        made.now_s += step_s
    return values


def test_a_request_doubles_at_most_every_hour():
    values = hours_of(fleet(75.0, 10.0), 4, step_s=600)
    assert values == [10.0 * 2] * 6 + [40.0] * 6 + [75.0] * 12


def test_a_request_falls_by_at_most_20_percent_in_six_hours():
    values = hours_of(fleet(2.0, 10.0), 24)
    assert values == pytest.approx([8.0] * 6 + [6.4] * 6 + [5.12] * 6 + [4.096] * 6)


def test_four_changes_in_a_day_are_enough():
    made = fleet(1000.0, 10.0)
    assert hours_of(made, 24) == [20.0, 40.0, 80.0] + [160.0] * 21
    assert made.steps(LAYER)[Code.ChangesPerDay] == (1000.0, 160.0)
    assert hours_of(made, 1) == [320.0]


@pytest.mark.parametrize(
    ("used", "expected"), [(np.nan, 20.0), (9.0, 20.0), (30.0, 60.0), (40.0, 75.0), (1e4, 75.0)]
)
def test_a_raise_goes_to_twice_what_the_last_hour_used_at_once(used, expected):
    made = fleet(75.0, 10.0)
    assert next_request(made, hour_mean=(used, np.nan)) == expected
    assert (Code.RaisePace in made.steps(LAYER)) is (expected < 75.0)


def test_a_request_of_nothing_rises_with_use():
    made = fleet(75.0, 0.0)
    assert next_request(made) == 0.0
    made.now_s += 600
    assert next_request(made, hour_mean=(40.0, np.nan)) == 75.0


def test_what_was_used_allows_no_more_than_the_target_and_lowers_nothing():
    assert next_request(fleet(15.0, 10.0), hour_mean=(100.0, np.nan)) == 15.0
    assert next_request(fleet(5.0, 10.0), hour_mean=(100.0, np.nan)) == 8.0


def test_vram_in_use_above_the_request_is_reserved_however_many_changes_it_takes():
    made = StatedFleet(
        policy(is_enrolled=True, **OWN_VALUE), request=(np.nan, 10 * GIB), limit=(np.nan, 60 * GIB)
    )
    for used in (12, 14, 16, 18, 21, 24):
        use = {"request_target": (np.nan, used * GIB), "resident_peak": (np.nan, used * GIB)}
        assert made.decide(applies=True, **use).next_request[0, 1] == used * GIB
        made.now_s += HOUR_S
    use["resident_peak"] = (np.nan, 23 * GIB)
    use["request_target"] = (np.nan, 30 * GIB)
    assert made.decide(applies=True, **use).next_request[0, 1] == 24 * GIB


def test_a_change_that_was_not_applied_is_no_change():
    made = fleet(75.0, 10.0)
    for _ in range(6):
        assert next_request(made) == 20.0
        made.now_s += 600
    assert (made.state.request_change_s[0, 0] > 0).tolist() == [True, False, False, False]


def test_a_change_that_comes_into_force_a_moment_later_is_one():
    made = fleet(75.0, 10.0)
    assert next_request(made) == 20.0
    made.now_s += 30
    made.decide(frozenset())
    assert (made.state.request_change_s[0, 0] > 0).sum() == 1
    made.now_s += 1
    made.decide(frozenset())
    assert (made.state.request_change_s[0, 0] > 0).sum() == 0


def test_a_first_amount_that_was_not_applied_is_no_change():
    made = fleet(20.0, np.nan)
    for _ in range(6):
        assert next_request(made) == 20.0
        made.now_s += 600
    assert (made.state.request_change_s[0, 0] > 0).sum() == 1


def test_a_request_is_evaluated_in_its_own_period():
    config = {"autoSetRequests": {"enable": True, "evaluationPeriod": "6h"}}
    made = fleet(15.0, 10.0, config=config)
    made.decide(applies=True)
    made.now_s += 6 * 3600
    assert made.decide(applies=True).next_request[0, 0] == 15.0
    made.now_s += 3600
    assert next_request(made, request_target=(20.0, np.nan)) == 15.0
    assert Code.NotEvaluated in made.steps(LAYER)
    made.now_s += 5 * 3600
    assert next_request(made, request_target=(20.0, np.nan)) == 20.0


def test_workloads_that_begin_together_take_turns_in_one_period():
    rows = 300
    config = {"autoSetRequests": {"enable": True, "evaluationPeriod": "10m"}}
    made = StatedFleet(
        *[policy(config)] * rows, usage={"request_target": (10.0, np.nan)}, request=(11.5, np.nan)
    )
    turns = []
    for _ in range(31):
        turns.append(made.decide(applies=True).is_decided_request[:, 0])
        made.now_s += 60
    turns = np.array(turns)

    assert turns[0].all()
    assert turns[1:11].sum(axis=1).min() > rows / 20
    assert turns[1:11].sum(axis=1).max() < rows / 5
    assert (turns[1:11].sum(axis=0) == 1).all()
    assert (turns[11:21] == turns[1:11]).all()
    assert (turns[21:31] == turns[1:11]).all()


def test_what_the_budget_holds_back_is_evaluated_again_at_the_next_look():
    made = StatedFleet(
        *[policy({"autoSetRequests": {"enable": True}})] * 12,
        usage={"request_target": (20.0, np.nan)},
        request=(15.0, np.nan),
    )
    first = made.decide(applies=True)
    made.now_s += 600
    second = made.decide(applies=True)
    made.now_s += 60
    made.decide(applies=True)

    assert first.is_decided_request[:, 0].sum() == 5
    assert second.is_decided_request[:, 0].sum() == 10
    assert (made.workloads.request[:, 0] > 15.0).sum() == 10


@pytest.mark.parametrize("mode", [Mode.APPLY, Mode.INITIAL])
def test_between_evaluations_starting_workers_get_what_was_stated_last(mode):
    config = {
        "autoSetRequests": {"enable": True, "evaluationPeriod": "6h"},
        "autoSetLimits": {"enable": True, "evaluationPeriod": "6h"},
    }
    made = StatedFleet(
        policy(config, mode=mode),
        usage={"request_target": (np.nan, 4 * GIB), "limit_percentile": (np.nan, 4 * GIB)},
        request=(np.nan, 16 * GIB),
        limit=(np.nan, 16 * GIB),
    )
    first = made.decide()
    made.now_s += 3600
    second = made.decide()
    assert first.start_request[0, 1] < 16 * GIB
    assert second.start_request[0, 1] == first.start_request[0, 1]
    assert second.start_limit[0, 1] == first.start_limit[0, 1]


@pytest.mark.parametrize("seen", [{"saturated_minutes": (3.0, 0.0)}, {"hour_mean": (5.0, np.nan)}])
def test_a_jump_in_demand_is_followed_after_four_changes_of_a_day(seen):
    made = fleet(4.0, 10.0)
    for _ in range(4):
        made.now_s += 6 * HOUR_S
        made.decide(applies=True)
    made.now_s += 600
    stays = next_request(made, request_target=(9.0, np.nan), hour_mean=(4.0, np.nan))
    assert Code.ChangesPerDay in made.steps(LAYER)
    made.now_s += 600
    raised = next_request(made, request_target=(9.0, np.nan), **seen)
    assert stays < raised


def test_rounding_to_what_the_api_carries_is_no_change():
    made = fleet(2.0, 10.0)
    made.decide()
    made.set(request=(8.001, np.nan))  # 8 was decided
    made.now_s += 600
    assert next_request(made) == 8.001


def test_a_request_ends_at_the_limit_in_force_without_automatic_limits():
    made = fleet(40.0, 25.0, limit=30.0, config={"autoSetLimits": {"enable": False}})
    decisions = made.decide()
    assert decisions.target_request[0, 0] == 40.0
    assert decisions.next_request[0, 0] == decisions.start_request[0, 0] == 30.0
    assert made.steps(LAYER)[Code.LimitInForce] == (40.0, 30.0)


def test_a_request_ends_at_the_limit_while_limits_are_not_due():
    made = fleet(40.0, 25.0, limit=30.0)
    assert made.decide(frozenset({LAYER})).next_request[0, 0] == 30.0
    assert made.steps(LAYER)[Code.LimitNotDue] == (40.0, 30.0)


def test_limits_of_starting_workers_do_not_raise_what_runs():
    made = StatedFleet(
        policy(
            {
                "autoSetRequests": {"enable": True},
                "autoSetLimits": {"enable": True, "mode": "initial"},
            },
            **OWN_VALUE,
        ),
        usage={"request_target": (40.0, np.nan)},
        request=(25.0, np.nan),
        limit=(30.0, np.nan),
    )
    decisions = made.decide()
    assert decisions.next_request[0, 0] == decisions.next_limit[0, 0] == 30.0
    assert decisions.start_request[0, 0] == 40.0
    assert decisions.start_limit[0, 0] >= 40.0


def test_vram_of_running_workers_is_never_taken_away():
    made = StatedFleet(
        policy(is_enrolled=True),
        usage={"request_target": (np.nan, 2 * GIB)},
        request=(np.nan, 16 * GIB),
    )
    decisions = made.decide()
    assert decisions.next_request[0, 1] == 16 * GIB
    assert decisions.start_request[0, 1] == pytest.approx(0.8 * 16 * GIB)
    assert made.steps(LAYER, 1)[Code.ResidentPeak] == pytest.approx((12.8 * GIB, 16 * GIB))


def test_workers_that_start_with_less_vram_are_a_change_and_are_watched():
    made = StatedFleet(
        policy(is_enrolled=True),
        usage={"request_target": (np.nan, 2 * GIB)},
        request=(np.nan, 16 * GIB),
    )
    started = np.ceil(made.decide().start_request[0, 1] / MIB) * MIB
    made.set(request=(np.nan, started))
    made.now_s += 600
    decisions = made.decide()
    assert decisions.start_request[0, 1] == started  # 20 % in six hours, not per start
    assert made.state.request_decrease_s[0, 1] == made.now_s
    assert made.state.request_before_decrease[0, 1] == 16 * GIB


def test_a_paused_workload_keeps_everything():
    made = fleet(15.0, 10.0, limit=20.0, is_paused=[True])
    decisions = made.decide()
    assert decisions.next_request[0, 0] == 10.0
    assert decisions.next_limit[0, 0] == 20.0
    assert Code.Paused in made.steps(LAYER)


def test_a_pause_also_holds_what_its_bounds_would_move():
    made = fleet(15.0, 30.0, limit=20.0, stated_request=(1.0, np.nan), is_paused=[True])
    decisions = made.decide()
    assert decisions.next_request[0, 0] == 30.0
    assert decisions.next_limit[0, 0] == 20.0


def test_a_paused_workload_without_a_request_gets_none():
    assert np.isnan(next_request(fleet(40.0, np.nan, is_paused=[True])))


def test_a_pause_keeps_what_admission_gives():
    made = StatedFleet(
        policy(is_enrolled=True, mode=Mode.INITIAL, **OWN_VALUE),
        usage={"request_target": (5.0, 2 * GIB)},
        request=(10.0, 8 * GIB),
    )
    before = made.decide().start_request
    made.set(is_paused=np.array([True]))
    assert made.decide(request_target=(7.0, 7 * GIB)).start_request.tolist() == before.tolist()


def test_an_external_raise_needs_no_confidence_in_our_own_samples():
    made = fleet(np.nan, 10.0, external_request=(15.0, np.nan))
    assert next_request(made, points=0, last_sample_s=-1, first_sample_s=-1) == 15.0


def test_an_external_wish_alone_lowers_nothing():
    made = fleet(np.nan, 10.0, external_request=(5.0, np.nan))
    assert next_request(made, points=0, last_sample_s=-1, first_sample_s=-1) == 10.0


CRON = {
    "name": "morning",
    "enable": True,
    "start": "0 1 * * *",
    "end": "0 2 * * *",
    "desiredResources": {"requests": {"tflops": "90"}},
}


def cron_day(made, *, step_s=600):
    values = {}
    while made.now_s < BEGIN_S + 3 * HOUR_S:
        made.decide(applies=True)
        values[(made.now_s - BEGIN_S) // step_s] = float(made.workloads.request[0, 0])
        made.now_s += step_s
    return list(values.values())


def test_a_cron_window_raises_at_once_and_gives_back_at_once():
    made = fleet(10.0, 10.0, config={"cronScalingRules": [CRON]})
    assert cron_day(made) == [10.0] * 6 + [90.0] * 6 + [10.0] * 6
    assert (made.state.request_change_s[0, 0] < 0).all()
    assert made.state.request_decrease_s[0, 0] < 0


def test_a_cron_window_works_for_a_workload_without_history():
    made = fleet(np.nan, 10.0, config={"cronScalingRules": [CRON]})
    made.usage |= {"points": 0, "last_sample_s": -1, "first_sample_s": -1}
    assert cron_day(made) == [10.0] * 6 + [90.0] * 6 + [10.0] * 6


def test_after_a_cron_window_a_request_goes_back_no_further_than_use_asks():
    made = fleet(10.0, 10.0, config={"cronScalingRules": [CRON]})
    made.now_s = BEGIN_S + HOUR_S
    made.decide(applies=True)
    made.now_s = BEGIN_S + 2 * HOUR_S
    made.decide(applies=True, request_target=(40.0, np.nan))
    assert made.workloads.request[0, 0] == 40.0
    assert np.isnan(made.state.request_before_cron[0, 0])
