"""What may be written of a limit now: fast up, calm and slow down, bounds of the statement."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.layers.limits import SATURATION_ROOM
from recommender.policy.model import Buffer, Mode
from recommender.policy.table import policy_table
from recommender.resources import GIB
from recommender.state import NEVER
from tests.builders import ENROLLED, policy
from tests.fleets import BEGIN_S, StatedFleet

LAYER = Layer.LIMITS
PROMISED = {"autoSetLimits": {"enable": True, "riskTarget": "1%"}}
RESOURCES = {"autoSetResources": {"enable": True, "targetResource": "all"}}


def fleet(burst, limit, *, config=None, request=1.0, usage=None, factor=1.0, **columns):
    """Return a workload whose TFLOPS limit wants ``burst`` after calm minutes."""
    config = {"autoSetLimits": ENROLLED["autoSetLimits"]} if config is None else config
    use = {
        "burst": (burst, np.nan), "limit_percentile": 1.0, "request_target": (1.0, np.nan),
        "recent_minutes": (0.5, np.nan),
    }  # fmt: skip
    return StatedFleet(
        policy(config, buffer=Buffer(factor)),
        usage={**use, **(usage or {})},
        request=(request, np.nan),
        limit=(limit, np.nan),
        **columns,
    )


def next_limit(made, **usage):
    return float(made.decide(**usage).next_limit[0, 0])


@pytest.mark.parametrize(("burst", "expected"), [(11.0, 10.0), (11.1, 12.0), (9.0, 10.0)])
def test_differences_within_the_ignored_range_change_nothing(burst, expected):
    assert next_limit(fleet(burst, 10.0)) == expected


def test_the_smallest_raise_is_a_fifth():
    made = fleet(11.5, 10.0)
    assert next_limit(made) == 12.0
    assert made.steps(LAYER)[Code.SmallestRaise] == (11.5, 12.0)


def test_the_smallest_raise_ends_at_card_and_max_allowed():
    assert next_limit(fleet(11.5, 10.0, card=(11.7, np.nan))) == 11.7
    config = {"autoSetLimits": {"enable": True, "maxAllowed": {"tflops": "11.6"}}}
    assert next_limit(fleet(11.5, 10.0, config=config)) == 11.6


@pytest.mark.parametrize(
    ("quantile", "expected"), [(10.0, 10.0), (10.5, 10.5), (13.0, 13.0), (9.5, 10.0)]
)
def test_beside_a_promise_any_raise_is_made_and_a_small_lowering_is_not(quantile, expected):
    made = fleet(1.0, 10.0, config=PROMISED, usage={"limit_percentile": quantile / SATURATION_ROOM})
    assert next_limit(made) == pytest.approx(expected)


def test_beside_a_promise_the_smallest_raise_is_the_one_that_somebody_asks_for():
    config = {"autoSetLimits": {**PROMISED["autoSetLimits"], "scaleUpStep": 1.3}}
    usage = {"limit_percentile": 10.5 / SATURATION_ROOM}
    assert next_limit(fleet(1.0, 10.0, config=config, usage=usage)) == pytest.approx(13.0)


def test_a_limit_at_most_doubles_per_tick():
    made = fleet(75.0, 10.0)
    values = []
    for _ in range(4):
        values.append(made.decide(applies=True).next_limit[0, 0])
        made.now_s += 15
    assert values == [20.0, 40.0, 75.0, 75.0]
    assert Code.RaisePace not in made.steps(LAYER)


def test_a_saturated_limit_rises_by_half_at_once_and_is_urgent():
    made = fleet(10.0, 10.0, usage={"is_saturated": (True, False)})
    decisions = made.decide()
    assert decisions.next_limit[0, 0] == 15.0
    assert decisions.is_urgent.tolist() == [[True, False]]


@pytest.mark.parametrize(("stated_limit", "expected"), [(np.nan, 25.0), (20.0, 25.0), (40.0, 38.0)])
def test_a_limit_ends_at_five_times_the_stated_request_or_at_the_stated_limit(
    stated_limit, expected
):
    made = fleet(
        60.0, 19.0, request=3.0, stated_request=(5.0, np.nan), stated_limit=(stated_limit, np.nan)
    )
    assert next_limit(made) == expected


def test_a_limit_falls_by_20_percent_a_minute():
    made = fleet(2.0, 10.0)
    values = []
    for _ in range(9):
        values.append(made.decide(applies=True).next_limit[0, 0])
        made.now_s += 20
    assert values == pytest.approx([8.0] * 3 + [6.4] * 3 + [5.12] * 3)


@pytest.mark.parametrize(
    ("factor", "recent", "expected"),
    [
        (1.25, 7.19, 8.0),
        (1.25, 7.2, 10.0),
        (1.25, np.nan, 10.0),
        (1.0, 8.0, 8.0),  # without a margin, calm is what fits
        (1.0, 8.1, 10.0),
    ],
)
def test_a_limit_falls_only_after_minutes_below_90_percent_of_the_new_value(
    factor, recent, expected
):
    made = fleet(8.0 / factor, 10.0, factor=factor, usage={"recent_minutes": (recent, np.nan)})
    assert next_limit(made) == expected
    assert (Code.NotCalm in made.steps(LAYER)) is (expected == 10.0)


def test_a_raised_limit_stays_for_five_minutes():
    made = fleet(15.0, 10.0)
    assert made.decide(applies=True).next_limit[0, 0] == 15.0
    made.now_s += 280
    assert next_limit(made, burst=(5.0, np.nan)) == 15.0
    made.now_s += 20
    assert next_limit(made, burst=(5.0, np.nan)) == 12.0


def test_a_limit_is_evaluated_in_its_own_period_but_for_what_is_urgent():
    config = {"autoSetLimits": {"enable": True, "evaluationPeriod": "5m"}}
    made = fleet(15.0, 10.0, config=config)
    made.decide(applies=True)
    made.now_s += 300
    assert made.decide(applies=True).next_limit[0, 0] == 15.0
    made.now_s += 60
    assert next_limit(made, burst=(25.0, np.nan)) == 15.0
    assert made.steps(LAYER)[Code.NotEvaluated] == (25.0, 15.0)
    assert next_limit(made, burst=(15.0, np.nan), is_saturated=(True, False)) == 22.5
    made.now_s += 240
    assert next_limit(made, burst=(25.0, np.nan), is_saturated=(False, False)) == 25.0


def test_without_history_a_burst_raises_and_nothing_lowers():
    assert next_limit(fleet(15.0, 10.0, usage={"points": 3})) == 15.0
    assert next_limit(fleet(5.0, 10.0, usage={"points": 3})) == 10.0


def test_the_request_of_this_tick_wins():
    config = {**ENROLLED}
    made = fleet(2.0, 10.0, config=config, request=9.0, usage={"request_target": (18.0, np.nan)})
    decisions = made.decide()
    assert decisions.next_request[0, 0] == decisions.next_limit[0, 0] == 18.0


def test_the_request_wins_over_the_multiple_of_the_stated_request():
    made = fleet(
        2.0, 10.0, config=ENROLLED, request=9.0, stated_request=(2.0, np.nan),
        usage={"request_target": (15.0, np.nan)},
    )  # fmt: skip
    decisions = made.decide()
    assert decisions.next_request[0, 0] == decisions.next_limit[0, 0] == 15.0
    assert made.steps(LAYER)[Code.RequestWins] == (10.0, 15.0)


def test_a_request_that_is_only_recommended_does_not_hold_the_limit_up():
    made = fleet(8.0, 10.0, usage={"request_target": (30.0, np.nan)})
    decisions = made.decide()
    assert decisions.target_limit[0, 0] == 30.0
    assert decisions.next_limit[0, 0] == 8.0


def test_stale_samples_bring_back_the_limit_before_a_recent_decrease():
    made = fleet(2.0, 10.0)
    made.decide(applies=True)
    made.now_s += 600
    assert next_limit(made, last_sample_s=BEGIN_S) == 10.0
    assert made.steps(LAYER)[Code.SafeLimit][1] == 10.0


def test_stale_samples_change_nothing_without_a_recent_decrease():
    assert next_limit(fleet(2.0, 10.0), last_sample_s=BEGIN_S - 301) == 10.0


def test_a_relaxed_limit_stays_inside_max_allowed():
    made = fleet(2.0, 10.0)
    made.decide(applies=True)
    made.now_s += 600
    made.table.limits.max_allowed[:] = 9.0
    assert next_limit(made, last_sample_s=BEGIN_S) == 9.0


def vram_fleet(use, limit, **usage):
    return StatedFleet(
        policy({"autoSetLimits": ENROLLED["autoSetLimits"]}),
        usage={"burst": (np.nan, use), "limit_percentile": (np.nan, use), **usage},
        request=(np.nan, GIB),
        limit=(np.nan, limit),
    )


def test_vram_of_running_workers_is_not_lowered_and_waits_for_a_start():
    decisions = vram_fleet(2 * GIB, 16 * GIB).decide()
    assert decisions.next_limit[0, 1] == 16 * GIB
    assert decisions.start_limit[0, 1] == 2.5 * GIB


def test_a_vram_limit_at_the_next_start_is_not_below_the_recommended_request():
    decisions = vram_fleet(2 * GIB, 16 * GIB, request_target=(np.nan, 10 * GIB)).decide()
    assert decisions.start_limit[0, 1] == pytest.approx(11 * GIB)


def test_a_lower_vram_limit_needs_the_confidence_of_requests_also_at_a_start():
    for mode in ("apply", "initial"):
        made = vram_fleet(2 * GIB, 16 * GIB, points=1439)
        made.table = policy_table(
            [policy({"autoSetLimits": {"enable": True, "mode": mode}})], made.resources
        )
        assert made.decide().start_limit[0, 1] == 16 * GIB
        made.now_s += 15
        assert made.decide(points=1440).start_limit[0, 1] == 2.5 * GIB


def test_a_denial_stays_open_until_a_layer_that_acts_answers_it():
    made = vram_fleet(2 * GIB, 16 * GIB)
    made.set(is_paused=[True])
    made.decide()
    assert made.state.last_limits_tick_s[0] == NEVER
    made.set(is_paused=[False])
    made.decide()
    assert made.state.last_limits_tick_s[0] == made.now_s


def test_a_denial_of_a_workload_that_is_not_enrolled_is_answered_by_its_owner():
    made = StatedFleet(policy(), limit=(np.nan, 16 * GIB))
    for limit_gib, answered in ((16, False), (16, False), (20, True)):
        made.set(limit=(np.nan, limit_gib * GIB))
        made.decide()
        assert (made.state.last_limits_tick_s[0] == made.now_s) == answered


def test_a_denial_raises_the_limit_though_there_are_no_samples():
    made = vram_fleet(np.nan, 4 * GIB, new_denials=(0.0, 1.0), points=0, last_sample_s=-1)
    decisions = made.decide()
    assert decisions.next_limit[0, 1] == 5 * GIB
    assert decisions.is_urgent[0, 1]


def test_mode_initial_changes_starting_workers_only():
    config = {"autoSetLimits": {"enable": True, "mode": "initial"}}
    decisions = fleet(4.0, 20.0, config=config).decide()
    assert decisions.next_limit[0, 0] == 20.0
    assert decisions.start_limit[0, 0] == 4.0


def test_mode_recommend_changes_nothing():
    config = {"autoSetLimits": {"enable": True, "mode": Mode.RECOMMEND}}
    decisions = fleet(4.0, 20.0, config=config).decide()
    assert decisions.next_limit[0, 0] == decisions.start_limit[0, 0] == 20.0


@pytest.mark.parametrize(
    ("upper", "confidence", "expected"),
    [(15.0, 0.02, 15.0), (15.0, 0.019, 10.0), (9.0, 0.5, 9.0), (9.0, 0.49, 10.0)],
)
def test_an_upper_percentile_needs_the_confidence_of_requests(upper, confidence, expected):
    usage = {"request_upper": upper, "points": 1000 * confidence, "expected_points": 1000}
    made = fleet(99.0, 10.0, config=RESOURCES, usage=usage)
    made.table.limits.ignored_delta[:] = 0.0
    assert next_limit(made) == expected


def test_an_upper_percentile_that_was_too_low_is_not_lowered_again_at_once():
    usage = {"request_upper": 8.0, "saturated_minutes": 1.0, "recent_minutes": 7.9}
    assert next_limit(fleet(99.0, 12.0, config=RESOURCES, usage=usage)) == 12.0
    usage["saturated_minutes"] = 0.0
    assert next_limit(fleet(99.0, 12.0, config=RESOURCES, usage=usage)) == pytest.approx(9.6)


@pytest.mark.parametrize(("upper", "stated", "expected"), [(90.0, 6.0, 60.0), (4.0, 90.0, 9.0)])
def test_an_upper_percentile_is_bounded_by_multiples_of_the_stated_limit(upper, stated, expected):
    current = 50.0 if upper > 50 else 9.5
    made = fleet(
        1.0,
        current,
        config=RESOURCES,
        usage={"request_upper": upper},
        stated_limit=(stated, np.nan),
    )
    made.table.limits.ignored_delta[:] = 0.0
    assert next_limit(made) == expected


def test_rounding_to_what_the_api_carries_is_no_change():
    made = fleet(2.0, 10.0)
    made.decide(applies=True)
    made.set(limit=(8.001, np.nan))
    made.now_s += 20
    assert next_limit(made) == 8.001


def test_a_first_limit_is_a_decrease_and_needs_history_and_calm():
    assert next_limit(fleet(5.0, np.nan)) == 5.0
    assert np.isnan(next_limit(fleet(5.0, np.nan, usage={"points": 3})))
    assert np.isnan(next_limit(fleet(5.0, np.nan, usage={"recent_minutes": 5.1})))


def test_a_first_vram_limit_waits_for_a_start():
    decisions = vram_fleet(2 * GIB, np.nan).decide()
    assert np.isnan(decisions.next_limit[0, 1])
    assert decisions.start_limit[0, 1] == 2.5 * GIB
