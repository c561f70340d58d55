"""A forecast in layer 3: in place of the percentile, held up by the part of the day."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.forecast.gate import Gate
from recommender.layers.forecasts import CODE_OF_GATE
from recommender.resources import GIB
from tests.builders import policy
from tests.fleets import StatedFleet

LAYER = Layer.REQUESTS
PREDICTS = {"autoSetRequests": {"enable": True, "prediction": {"enable": True}}}
WITH_RISK = {"autoSetRequests": {"riskTarget": "5%", "prediction": {"enable": True}}}
USE = {"request_target": (10.0, 8 * GIB), "request_lower": (4.0, GIB), "request_upper": 80.0}


def fleet(config=PREDICTS, **foreseen):
    return StatedFleet(policy(config), usage=USE, foreseen=foreseen, request=(20.0, 16 * GIB))


def target(made, resource=0):
    return float(made.decide().target_request[0, resource])


@pytest.mark.parametrize("forecast_tflops", [6.0, 30.0])
def test_a_forecast_takes_the_place_of_the_percentile(forecast_tflops):
    made = fleet(request=(forecast_tflops, np.nan))
    assert target(made) == pytest.approx(1.15 * forecast_tflops)
    assert made.steps(LAYER)[Code.Forecast][1] == forecast_tflops
    assert made.steps(LAYER)[Code.Buffer] == pytest.approx(
        (forecast_tflops, 1.15 * forecast_tflops)
    )
    assert Code.LoadWeightedPercentile not in made.steps(LAYER)


@pytest.mark.parametrize(("gate", "code"), list(CODE_OF_GATE.items()))
def test_behind_a_closed_gate_the_percentile_counts_and_a_step_says_why(gate, code):
    made = fleet(request=(30.0, np.nan), segment=50.0, request_gate=int(gate))
    assert target(made) == pytest.approx(11.5)
    assert {code, Code.LoadWeightedPercentile} <= set(made.steps(LAYER))


def test_what_nobody_asks_for_changes_nothing():
    assert target(fleet({}, request=30.0, segment=50.0)) == pytest.approx(11.5)


@pytest.mark.parametrize(
    ("forecast_bytes", "expected_bytes"), [(2 * GIB, 8.8 * GIB), (10 * GIB, 11 * GIB)]
)
def test_a_forecast_of_vram_only_raises(forecast_bytes, expected_bytes):
    made = fleet(request=(np.nan, forecast_bytes), segment=(np.nan, 60 * GIB))
    assert target(made, 1) == pytest.approx(expected_bytes)
    assert Code.HourlyPeaks in made.steps(LAYER, 1)


def test_it_is_not_below_the_highest_hour_of_this_part_of_the_day():
    made = fleet(request=(6.0, np.nan), segment=(9.0, np.nan))
    assert target(made) == 9.0
    assert made.steps(LAYER)[Code.SegmentFloor] == pytest.approx((6.9, 9.0))


def test_with_a_risk_target_the_forecast_decides_alone():
    made = fleet(WITH_RISK, request=(6.0, np.nan), segment=(9.0, np.nan))
    assert target(made) == 6.0
    assert list(made.steps(LAYER)) == [Code.Forecast, Code.RiskTarget]


@pytest.mark.parametrize("gate", [Gate.NO_GAIN, Gate.HISTOGRAM])
def test_where_no_forecast_counts_a_risk_is_that_of_the_calibrated_histogram(gate):
    made = fleet(WITH_RISK, request=6.0, request_histogram=(12.0, np.nan), request_gate=int(gate))
    assert target(made) == 12.0


def test_a_forecast_says_nothing_where_too_little_is_known():
    made = fleet(request=(30.0, np.nan))
    assert np.isnan(made.decide(points=3).target_request[0, 0])
    assert Code.Forecast not in made.steps(LAYER)
