"""A forecast in layer 1: it takes the place of the last day, and of nothing else."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.forecast.gate import Gate
from recommender.layers.forecasts import CODE_OF_GATE
from recommender.resources import GIB
from recommender.usage.quality import is_saturated
from tests.builders import policy
from tests.fleets import StatedFleet

LAYER = Layer.LIMITS
ROOM = 1.001 / 0.98
PREDICTS = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}}}
WITH_RISK = {"autoSetLimits": {"riskTarget": "1%", "prediction": {"enable": True}}}
RISK_ALONE = {"autoSetLimits": {"riskTarget": "1%"}}
USE = {
    "burst": (10.0, 4 * GIB),
    "last_three": (11.0, 4 * GIB),
    "limit_percentile": (9.0, 5 * GIB),
    "day_percentile": (30.0, 8 * GIB),
    "request_target": (1.0, GIB),
}


def fleet(config=PREDICTS, *, usage=None, **foreseen):
    return StatedFleet(
        policy(config), usage={**USE, **(usage or {})}, foreseen=foreseen, limit=(20.0, 16 * GIB)
    )


def target(made, resource=0):
    return float(made.decide().target_limit[0, resource])


def test_a_forecast_and_its_margin_take_the_place_of_the_last_day_and_lower_the_limit():
    made = fleet(limit=(20.0, np.nan))
    assert target(made) == pytest.approx(24.0)
    assert made.steps(LAYER)[Code.Forecast][1] == 20.0
    assert made.steps(LAYER)[Code.ForecastFloor] == pytest.approx((12.0, 24.0))
    assert Code.DayFloor not in made.steps(LAYER)


def test_a_forecast_also_raises_above_the_last_day():
    assert target(fleet(limit=(50.0, np.nan))) == pytest.approx(60.0)


def test_a_burst_above_the_forecast_counts():
    assert target(fleet(limit=(2.0, np.nan))) == pytest.approx(12.0)


def test_a_saturated_limit_is_raised_whatever_is_forecast():
    made = fleet(limit=(2.0, np.nan), usage={"is_saturated": (True, False)})
    assert target(made) == 30.0


@pytest.mark.parametrize(("gate", "code"), list(CODE_OF_GATE.items()))
def test_behind_a_closed_gate_the_last_day_counts_and_a_step_says_why(gate, code):
    made = fleet(limit=(50.0, np.nan), limit_gate=int(gate))
    assert target(made) == 30.0
    assert code in made.steps(LAYER)
    assert Code.DayFloor in made.steps(LAYER)


def test_each_gate_that_is_closed_to_who_asks_has_its_sentence():
    assert set(CODE_OF_GATE) == set(Gate) - {Gate.OPEN, Gate.NOT_ASKED}


def test_what_nobody_asks_for_changes_and_says_nothing():
    config = {"autoSetLimits": {"enable": True}}
    made, other = fleet(config, limit=50.0), fleet(config, limit_gate=int(Gate.YOUNG))
    assert (target(made), target(other)) == (30.0, 30.0)
    assert list(made.steps(LAYER)) == list(other.steps(LAYER))
    assert list(made.steps(LAYER)) == [Code.Burst, Code.Buffer, Code.DayFloor]


def test_an_open_gate_without_a_forecast_counts_for_nothing():
    assert target(fleet(limit=np.nan)) == 30.0


def test_with_coarse_steps_the_forecast_takes_the_place_of_the_1h_histogram_too():
    usage = {"step_s": 60, "limit_percentile": (40.0, GIB)}
    made = fleet(usage=usage, limit=(20.0, np.nan))
    assert target(made) == pytest.approx(24.0)
    assert made.steps(LAYER)[Code.LastSamples][1] == 20.0
    assert Code.CoarseSteps not in made.steps(LAYER)


def test_without_fresh_samples_the_forecast_with_its_margin_is_what_is_left():
    usage = {"burst": np.nan, "last_three": np.nan}
    assert target(fleet(usage=usage, limit=(20.0, np.nan))) == pytest.approx(24.0)


@pytest.mark.parametrize(
    ("forecast_bytes", "expected_bytes"), [(2 * GIB, 8 * GIB), (10 * GIB, 11 * GIB)]
)
def test_a_forecast_of_vram_only_raises(forecast_bytes, expected_bytes):
    made = fleet(limit=(np.nan, forecast_bytes))
    assert target(made, 1) == pytest.approx(expected_bytes)
    assert Code.RecentVram in made.steps(LAYER, 1)


# riskTarget


def test_with_a_risk_target_the_forecast_counts_without_margin():
    made = fleet(WITH_RISK, limit=(14.0, np.nan), limit_histogram=(19.0, np.nan))
    assert target(made) == pytest.approx(14.0 * ROOM)
    assert list(made.steps(LAYER)) == [Code.Forecast, Code.RiskTarget, Code.SaturationRoom]


def test_use_above_what_is_forecast_counts_with_a_risk_target_too():
    assert target(fleet(WITH_RISK, limit=(2.0, np.nan))) == pytest.approx(10.0 * ROOM)


@pytest.mark.parametrize(
    ("config", "gate"), [(WITH_RISK, Gate.NO_GAIN), (RISK_ALONE, Gate.HISTOGRAM)]
)
def test_where_no_forecast_counts_a_risk_is_that_of_the_calibrated_histogram(config, gate):
    made = fleet(config, limit=(14.0, np.nan), limit_histogram=(19.0, np.nan), limit_gate=int(gate))
    assert target(made) == pytest.approx(19.0 * ROOM)
    assert (Code.ForecastNoGain in made.steps(LAYER)) == (config is WITH_RISK)


def test_before_the_histogram_is_calibrated_a_risk_is_a_percentile():
    made = fleet(RISK_ALONE, usage={"limit_percentile": (13.0, GIB)}, limit_gate=6)
    assert target(made) == pytest.approx(13.0 * ROOM)


@pytest.mark.parametrize("tflops", [1.0, 4.0, 1000.0])
def test_use_at_the_quantile_of_a_risk_is_not_yet_saturated(tflops):
    made = fleet(WITH_RISK, limit=(tflops, np.nan), usage={"burst": tflops})
    limit = np.round(made.decide().target_limit[:1, 0], 3)
    unknown = np.full(1, np.nan)
    assert not is_saturated(np.array([tflops]), limit, unknown).any()


def test_a_risk_that_a_replay_states_for_vram_is_that_of_its_forecast():
    made = StatedFleet(
        policy(PREDICTS, risk_target=0.01),
        usage=USE,
        foreseen={"limit": (np.nan, 4.5 * GIB)},
        limit=(20.0, 16 * GIB),
    )
    assert target(made, 1) == 4.5 * GIB


@pytest.mark.parametrize("predicts", [True, False])
@pytest.mark.parametrize(("recent", "falls"), [(10.0, True), (11.0, False)])
def test_a_limit_falls_to_a_promised_risk_once_the_last_minutes_fit(predicts, recent, falls):
    """It has no margin: minutes below 90 % of it, as a margin leaves room for, never come."""
    asks = {"enable": True, "riskTarget": "1%", "prediction": {"enable": predicts}}
    steady = {"burst": (10.0, GIB), "last_three": (10.0, GIB), "recent_minutes": (recent, GIB)}
    amounts = {"limit": (10.5, np.nan), "limit_histogram": (10.5, np.nan)}
    made = fleet({"autoSetLimits": asks}, usage=steady, **amounts)
    assert (float(made.decide().next_limit[0, 0]) < 20.0) is falls
    assert (Code.NotCalm in made.steps(LAYER)) == (not falls)
