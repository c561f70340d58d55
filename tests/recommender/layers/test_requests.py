"""Targets of layer 3: sources, margins, floors, other recommenders, bounds."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.resources import COMPUTE_PERCENT, MIB, TFLOPS, VRAM, resource_named
from tests.builders import policy
from tests.fleets import BEGIN_S, GIB, StatedFleet

LAYER = Layer.REQUESTS
USE = {"request_target": (10.0, 4 * GIB), "request_lower": 5.0, "request_upper": 20.0}


def target(fleet, resource=0, **usage):
    return float(fleet.decide(**usage).target_request[0, resource])


def test_a_compute_request_is_the_percentile_and_15_percent():
    fleet = StatedFleet(policy(), usage=USE)
    assert target(fleet) == pytest.approx(11.5)
    assert fleet.steps(LAYER)[Code.Buffer] == pytest.approx((10.0, 11.5))


@pytest.mark.parametrize(
    ("peak_bytes", "expected_bytes"),
    [(4 * GIB, 4 * GIB + 512 * MIB), (20 * GIB, 22 * GIB), (5 * GIB, 5 * GIB + 512 * MIB)],
)
def test_the_vram_margin_is_the_larger_of_10_percent_and_512_mib(peak_bytes, expected_bytes):
    fleet = StatedFleet(policy(), usage={"request_target": (10.0, peak_bytes)})
    assert target(fleet, 1) == pytest.approx(expected_bytes)


def test_a_buffer_ratio_from_one_on_is_a_factor():
    fleet = StatedFleet(
        policy({"autoSetRequests": {"extraBufferRatio": "1.5"}}), usage={"request_target": 10.0}
    )
    assert target(fleet) == pytest.approx(15.0)


def test_a_risk_target_needs_no_margin_and_leaves_that_of_vram():
    fleet = StatedFleet(policy({"autoSetRequests": {"riskTarget": "1%"}}), usage=USE)
    assert target(fleet) == 10.0
    assert target(fleet, 1) == 4.5 * GIB
    assert Code.RiskTarget in fleet.steps(LAYER)


@pytest.mark.parametrize(
    ("config", "is_job", "code"),
    [
        (None, False, Code.LoadWeightedPercentile),
        (None, True, Code.Percentile),
        ({"autoSetRequests": {"percentileForAutoRequests": "0.9"}}, False, Code.Percentile),
        ({"autoSetResources": {"enable": True, "targetResource": "all"}}, False, Code.Percentile),
    ],
)
def test_only_the_default_percentile_of_serving_workloads_is_load_weighted(config, is_job, code):
    fleet = StatedFleet(policy(config, is_job=is_job), usage=USE)
    fleet.decide()
    assert next(iter(fleet.steps(LAYER))) is code


def test_vram_comes_from_hourly_peaks():
    fleet = StatedFleet(policy(), usage=USE)
    fleet.decide()
    assert next(iter(fleet.steps(LAYER, 1))) is Code.HourlyPeaks


def test_a_request_is_never_below_what_the_loaded_model_needs():
    fleet = StatedFleet(policy(), usage={**USE, "loaded_floor": (np.nan, 9 * GIB)})
    assert target(fleet, 1) == 9 * GIB
    assert fleet.steps(LAYER, 1)[Code.LoadedModelFloor] == (4.5 * GIB, 9 * GIB)


def test_a_loaded_model_alone_is_no_history():
    fleet = StatedFleet(policy(), usage={"loaded_floor": (np.nan, 9 * GIB)})
    assert np.isnan(target(fleet, 1))


def test_opaque_vram_keeps_what_is_in_force():
    fleet = StatedFleet(policy(), usage={**USE, "is_opaque": (False, True)}, request=(8, 16 * GIB))
    assert target(fleet, 1) == 16 * GIB
    assert Code.OpaqueVram in fleet.steps(LAYER, 1)


def test_vram_is_not_lowered_while_allocations_are_refused():
    fleet = StatedFleet(policy(), usage={**USE, "denials": (0.0, 1.0)}, request=(8, 16 * GIB))
    assert target(fleet, 1) == 16 * GIB
    assert Code.VramDenied in fleet.steps(LAYER, 1)


def test_own_and_external_recommendations_merge_per_number_by_maximum():
    fleet = StatedFleet(policy(), usage=USE, external_request=(9.0, 40 * GIB))
    decisions = fleet.decide()
    assert decisions.target_request[0] == pytest.approx([11.5, 40 * GIB])
    assert fleet.steps(LAYER, 1)[Code.ExternalRecommendation] == (4.5 * GIB, 40 * GIB)


def test_an_external_recommendation_stands_where_use_is_not_known():
    fleet = StatedFleet(policy(), external_request=(9.0, np.nan))
    decisions = fleet.decide()
    assert decisions.target_request[0, 0] == 9.0
    assert decisions.unknown_request[0].tolist() == [0, Code.NoPositiveSample.number]


CRON = {
    "name": "morning",
    "enable": True,
    "start": "0 0 * * *",
    "end": "0 8 * * *",
    "desiredResources": {"requests": {"tflops": "30", "vram": "6Gi"}},
}


def test_an_active_cron_rule_is_a_floor_of_both_resources():
    fleet = StatedFleet(policy({"cronScalingRules": [CRON]}), usage=USE)
    assert fleet.decide().target_request[0] == pytest.approx([30.0, 6 * GIB])
    assert fleet.steps(LAYER)[Code.CronFloor] == pytest.approx((11.5, 30.0))


def test_overlapping_cron_rules_merge_by_maximum():
    larger = {**CRON, "name": "b", "desiredResources": {"requests": {"tflops": "50"}}}
    smaller = {**CRON, "name": "c", "desiredResources": {"requests": {"tflops": "20"}}}
    config = {"cronScalingRules": [CRON, larger, smaller]}
    assert target(StatedFleet(policy(config), usage=USE)) == 50.0


def test_a_cron_rule_that_is_over_asks_for_nothing():
    fleet = StatedFleet(policy({"cronScalingRules": [CRON]}), usage=USE)
    fleet.now_s = BEGIN_S + 8 * 3600
    assert target(fleet) == pytest.approx(11.5)


def test_amounts_of_a_policy_say_nothing_in_another_unit():
    resources = (COMPUTE_PERCENT, VRAM, resource_named("duty"))
    config = {
        "cronScalingRules": [CRON],
        "autoSetRequests": {"minAllowed": {"tflops": "40"}, "maxAllowed": {"tflops": "60"}},
    }
    usage = {"request_target": (10.0, GIB, 70.0)}
    fleet = StatedFleet(policy(config), resources=resources, usage=usage)
    assert fleet.decide().target_request[0] == pytest.approx([11.5, 6 * GIB, 80.5])


@pytest.mark.parametrize(
    ("resources", "least"), [((TFLOPS, VRAM), (1.0, GIB)), ((COMPUTE_PERCENT, VRAM), (1.0, GIB))]
)
def test_no_request_is_below_one_tflops_one_percent_and_one_gib(resources, least):
    fleet = StatedFleet(
        policy(), resources=resources, usage={"request_target": (0.1, 1e7)}, request=(5.0, 2 * GIB)
    )
    assert tuple(fleet.decide().target_request[0]) == least
    assert fleet.steps(LAYER)[Code.Floor] == pytest.approx((0.115, 1.0))


@pytest.mark.parametrize(
    ("columns", "code", "after"),
    [
        ({"card": 8.0}, Code.CardCapacity, 8.0),
        ({"largest_placeable": 7.0}, Code.LargestPlaceable, 7.0),
        ({"quota": 6.0}, Code.QuotaCapped, 6.0),
    ],
)
def test_each_upper_bound_of_the_cluster_is_a_step_with_before_and_after(columns, code, after):
    fleet = StatedFleet(policy(), usage={"request_target": 10.0}, **columns)
    assert target(fleet) == after
    assert fleet.steps(LAYER)[code] == pytest.approx((11.5, after))


@pytest.mark.parametrize(
    ("bounds", "code", "after"),
    [
        ({"minAllowed": {"tflops": "20"}}, Code.MinAllowed, 20.0),
        ({"maxAllowed": {"tflops": "5"}}, Code.MaxAllowed, 5.0),
    ],
)
def test_the_allowed_range_bounds_the_target(bounds, code, after):
    fleet = StatedFleet(policy({"autoSetRequests": bounds}), usage=USE)
    assert target(fleet) == after
    assert fleet.steps(LAYER)[code] == pytest.approx((11.5, after))


def test_the_card_wins_over_min_allowed():
    config = {"autoSetRequests": {"minAllowed": {"tflops": "50"}}}
    assert target(StatedFleet(policy(config), usage=USE, card=(40.0, 80 * GIB))) == 40.0


@pytest.mark.parametrize("bound", ["quota", "largest_placeable"])
def test_an_exhausted_bound_stops_growth_and_takes_nothing_away(bound):
    fleet = StatedFleet(policy(), usage=USE, request=(8.0, 4 * GIB), **{bound: 0.0})
    assert fleet.decide().target_request[0].tolist() == [8.0, 4 * GIB]


def test_lower_and_upper_stand_around_the_target():
    decisions = StatedFleet(policy(), usage={**USE, "request_upper": (20.0, 1.0)}).decide()
    assert (decisions.lower_request <= decisions.target_request).all()
    assert (decisions.upper_request >= decisions.target_request).all()


@pytest.mark.parametrize(
    ("usage", "code"),
    [
        ({"points": 0, "request_target": np.nan}, Code.NoSamples),
        ({"points": 11}, Code.NotEnoughHistory),
        ({"first_sample_s": BEGIN_S - 1800}, Code.NotEnoughHistory),
        ({"request_target": np.nan}, Code.NoPositiveSample),
    ],
)
def test_a_row_without_a_value_says_why(usage, code):
    decisions = StatedFleet(policy(), usage={**USE, **usage}).decide()
    assert np.isnan(decisions.target_request).all()
    assert (decisions.unknown_request == code.number).all()


def test_half_an_hour_and_twelve_minutes_with_samples_are_enough():
    usage = {**USE, "points": 12, "first_sample_s": BEGIN_S - 1800 - 15}
    decisions = StatedFleet(policy(), usage=usage).decide()
    assert (decisions.unknown_request == 0).all()


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, 2879.75 / 2880),
        ({"first_sample_s": BEGIN_S - 86400, "last_sample_s": BEGIN_S}, 0.5),
        ({"points": 720}, 0.25),
        ({"first_sample_s": BEGIN_S - 10 * 86400, "expected_points": 14400, "points": 1440.5}, 0.5),
        ({"first_sample_s": BEGIN_S - 10 * 86400, "points": 99999}, 1.0),
    ],
)
def test_confidence_is_the_smaller_of_span_and_coverage(usage, expected):
    decisions = StatedFleet(policy(), usage={**USE, **usage}).decide()
    assert decisions.confidence == pytest.approx(np.full((1, 2), expected))
