"""Targets of layer 1: bursts, histograms, saturation, VRAM pressure, bounds."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.resources import GIB
from tests.builders import policy
from tests.fleets import BEGIN_S, StatedFleet

LAYER = Layer.LIMITS
USE = {
    "burst": (10.0, 4 * GIB),
    "last_three": (11.0, 4 * GIB),
    "limit_percentile": (9.0, 5 * GIB),
    "request_target": (1.0, GIB),
}


def fleet(config=None, *, limit=(20.0, 16 * GIB), **columns):
    usage = {**USE, **columns.pop("usage", {})}
    return StatedFleet(policy(config), usage=usage, limit=limit, **columns)


def target(made, resource=0, **usage):
    return float(made.decide(**usage).target_limit[0, resource])


def test_a_limit_is_the_burst_of_the_last_minute_and_20_percent():
    made = fleet()
    assert target(made) == pytest.approx(12.0)
    assert made.steps(LAYER)[Code.Burst][1] == 10.0
    assert made.steps(LAYER)[Code.Buffer] == pytest.approx((10.0, 12.0))


def test_a_buffer_ratio_is_the_users():
    assert target(fleet({"autoSetLimits": {"extraTFlopsBufferRatio": "0.5"}})) == 15.0


@pytest.mark.parametrize(
    ("last_three", "hour", "expected"), [(11.0, 9.0, 13.2), (11.0, 20.0, 24.0)]
)
def test_with_coarse_steps_it_is_the_larger_of_last_three_and_p99_of_the_hour(
    last_three, hour, expected
):
    made = fleet(usage={"step_s": 60, "last_three": last_three, "limit_percentile": hour})
    assert target(made) == pytest.approx(expected)
    assert Code.CoarseSteps in made.steps(LAYER)


def test_the_last_day_is_a_floor_without_margin():
    made = fleet(usage={"day_percentile": (30.0, np.nan)})
    assert target(made) == 30.0
    assert made.steps(LAYER)[Code.DayFloor] == pytest.approx((12.0, 30.0))


def test_a_saturated_limit_is_raised_by_half_at_once_without_margin_on_top():
    made = fleet(usage={"is_saturated": (True, False)})
    assert target(made) == 30.0
    assert made.steps(LAYER)[Code.Saturated] == pytest.approx((12.0, 30.0))


@pytest.mark.parametrize(
    ("share", "is_raised"), [(19.6, True), (19.5, False), (np.inf, True), (np.nan, True)]
)
def test_a_limit_that_the_gpu_cannot_serve_is_neither_raised_nor_lowered(share, is_raised):
    made = fleet(usage={"is_saturated": (True, False), "saturated_share": (share, np.nan)})
    assert target(made) == (30.0 if is_raised else 20.0)
    assert (Code.Contended in made.steps(LAYER)) != is_raised


def test_a_demand_above_one_and_a_half_times_the_limit_counts_for_more():
    assert target(fleet(usage={"is_saturated": True, "burst": (40.0, GIB)})) == pytest.approx(48.0)


def test_a_risk_target_takes_the_place_of_percentiles_and_margin():
    config = {"autoSetLimits": {"riskTarget": "1%"}}
    made = fleet(config, usage={"limit_percentile": 14.0, "day_percentile": 50.0})
    assert target(made) == pytest.approx(14.0 * 1.001 / 0.98)
    assert list(made.steps(LAYER)) == [Code.RiskTarget, Code.SaturationRoom]


def test_auto_set_resources_takes_the_upper_percentile():
    config = {"autoSetResources": {"enable": True, "targetResource": "all", "marginFraction": 0.1}}
    made = fleet(config, usage={"request_upper": (30.0, 6 * GIB), "day_percentile": 99.0})
    assert target(made) == pytest.approx(33.0)
    assert made.steps(LAYER)[Code.UpperPercentile][1] == 30.0


@pytest.mark.parametrize(
    ("limit_bytes", "use_bytes", "code", "expected_bytes"),
    [
        (16 * GIB, 0.9 * 16 * GIB, Code.VramPressure, 1.2 * 16 * GIB),
        (2 * GIB, 1.9 * GIB, Code.VramPressure, 3 * GIB),
        (16 * GIB, 0.89 * 16 * GIB, None, 1.1 * 0.89 * 16 * GIB),
    ],
)
def test_vram_rises_by_a_fifth_and_at_least_one_gib_from_90_percent_use(
    limit_bytes, use_bytes, code, expected_bytes
):
    usage = {"burst": (10.0, use_bytes), "limit_percentile": GIB}
    made = fleet(limit=(20.0, limit_bytes), usage=usage)
    assert target(made, 1) == pytest.approx(expected_bytes)
    assert code is None or code in made.steps(LAYER, 1)


def test_opaque_vram_is_kept_though_it_fills_the_limit():
    made = fleet(usage={"burst": (10.0, 15 * GIB), "is_opaque": (False, True)})
    assert target(made, 1) == 16 * GIB
    assert Code.OpaqueVram in made.steps(LAYER, 1)


def test_a_denial_raises_also_opaque_vram():
    made = fleet(usage={"is_opaque": (False, True), "new_denials": (0.0, 1.0)})
    decisions = made.decide()
    assert decisions.target_limit[0, 1] == pytest.approx(1.2 * 16 * GIB)
    assert made.steps(LAYER, 1)[Code.VramDenied] == pytest.approx((16 * GIB, 1.2 * 16 * GIB))


def test_a_limit_is_not_lowered_while_allocations_are_refused():
    made = fleet(usage={"denials": (0.0, 1.0)})
    decisions = made.decide()
    assert decisions.target_limit[0, 1] == 16 * GIB
    assert not decisions.is_urgent.any()


def test_a_vram_limit_is_not_below_what_the_loaded_model_needs():
    made = fleet(usage={"loaded_floor": (np.nan, 12 * GIB)})
    assert target(made, 1) == 12 * GIB


def test_own_external_and_cron_limits_merge_by_maximum():
    cron = {
        "name": "all-day", "enable": True, "start": "0 0 * * *", "end": "59 23 * * *",
        "desiredResources": {"limits": {"tflops": "70"}},
    }  # fmt: skip
    made = fleet({"cronScalingRules": [cron]}, external_limit=(50.0, 20 * GIB))
    assert made.decide().target_limit[0].tolist() == [70.0, 20 * GIB]
    assert made.steps(LAYER)[Code.ExternalRecommendation] == pytest.approx((12.0, 50.0))
    assert made.steps(LAYER)[Code.CronFloor] == (50.0, 70.0)


@pytest.mark.parametrize(
    ("config", "columns", "code", "expected"),
    [
        (None, {"card": 8.0}, Code.CardCapacity, 8.0),
        ({"maxAllowed": {"tflops": "9"}}, {}, Code.MaxAllowed, 9.0),
        ({"minAllowed": {"tflops": "19"}}, {}, Code.MinAllowed, 19.0),
    ],
)
def test_each_bound_is_a_step(config, columns, code, expected):
    made = fleet(config and {"autoSetLimits": config}, **columns)
    assert target(made) == expected
    assert made.steps(LAYER)[code] == pytest.approx((12.0, expected))


def test_a_recommended_limit_is_never_below_the_recommended_request():
    made = fleet(usage={"request_target": (40.0, GIB)})
    decisions = made.decide()
    assert decisions.target_limit[0, 0] == decisions.target_request[0, 0] == pytest.approx(46.0)
    assert made.steps(LAYER)[Code.RequestWins] == pytest.approx((12.0, 46.0))


def test_without_history_there_is_no_recommended_limit_and_a_reason():
    decisions = fleet(usage={"points": 3}).decide()
    assert np.isnan(decisions.target_limit).all()
    assert (decisions.unknown_limit == Code.NotEnoughHistory.number).all()


def test_a_layer_that_was_never_due_says_so():
    decisions = fleet(usage={"last_sample_s": BEGIN_S - 15}).decide(frozenset({Layer.REQUESTS}))
    assert (decisions.unknown_limit == Code.NotDecidedYet.number).all()
