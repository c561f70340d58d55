import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import ContractError, InvalidValueError
from recommender.forecast.models import FITTED_BY_NAME
from recommender.forecast.named.fit import fit_forecast
from recommender.forecast.named.reason import Reason
from tests.recommender.forecast.named.series import DAY, daily, with_gaps

LEVELS = (0.1, 0.5, 0.9, 0.99)
MODELS = [name.value for name in FITTED_BY_NAME]


def forecast(history, *, model="ets", season=DAY, horizon=DAY, levels=LEVELS):
    return fit_forecast(
        history, model=model, season_blocks=season, horizon_blocks=horizon, levels=levels
    )


def share_of_change(error, series):
    """Return an error as a share of how much the series varies."""
    return float(np.mean(np.abs(error)) / np.std(series))


@pytest.mark.parametrize("model", MODELS)
def test_the_next_day_of_a_daily_wave_is_forecast(model):
    whole = daily(7)
    got = forecast(whole[:-DAY], model=model)
    assert got.reason is None
    assert share_of_change(got.mean - whole[-DAY:], whole) < 0.15


@pytest.mark.parametrize("model", MODELS)
def test_quantiles_cover_about_the_share_that_they_name(model):
    whole = daily(15)
    got = forecast(whole[:-DAY], model=model)
    covered = (whole[-DAY:] <= got.quantiles).mean(axis=1)
    assert covered == pytest.approx(LEVELS, abs=0.12)


@pytest.mark.parametrize("model", MODELS)
def test_gaps_take_little_from_a_forecast(model):
    whole = daily(7)
    got = forecast(with_gaps(whole[:-DAY]), model=model)
    assert share_of_change(got.mean - whole[-DAY:], whole) < 0.2


@pytest.mark.parametrize("model", MODELS)
def test_an_outage_of_hours_takes_little_from_a_forecast(model):
    whole = daily(7)
    history = whole[:-DAY].copy()
    history[3 * DAY : 3 * DAY + DAY // 3] = np.nan
    got = forecast(history, model=model)
    assert share_of_change(got.mean - whole[-DAY:], whole) < 0.2


@pytest.mark.parametrize("model", MODELS)
def test_a_horizon_need_not_be_whole_steps_or_seasons(model):
    assert forecast(daily(3), model=model, horizon=1).mean.shape == (1,)
    assert forecast(daily(3), model=model, horizon=DAY + 5).quantiles.shape == (4, DAY + 5)


@pytest.mark.parametrize("model", MODELS)
def test_hours_that_are_blocks_already_are_forecast_as_they_are(model):
    whole = daily(10, block_count=24)
    got = forecast(whole[:-24], model=model, season=24, horizon=24)
    assert share_of_change(got.mean - whole[-24:], whole) < 0.15


@pytest.mark.parametrize("model", MODELS)
def test_a_series_without_a_season_is_forecast_at_its_level(model):
    history = np.random.default_rng(0).normal(20, 1, 200)
    got = forecast(history, model=model, season=1, horizon=10)
    assert got.mean == pytest.approx(np.full(10, 20.0), abs=1.0)


@pytest.mark.parametrize("model", MODELS)
def test_nothing_below_zero_is_expected(model):
    history = np.maximum(daily(5, level=1.0, swing=4.0), 0.0)
    got = forecast(history, model=model)
    assert got.mean.min() >= 0
    assert got.quantiles.min() >= 0


@pytest.mark.parametrize("model", MODELS)
def test_no_warning_and_no_word_reaches_the_caller(model, capfd):
    idle_but_once = np.zeros(3 * DAY)
    idle_but_once[100] = 1e-3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for history in (daily(3), idle_but_once, np.arange(3.0 * DAY), daily(3) * 1e300):
            forecast(history, model=model)
    assert [str(each.message) for each in caught] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (np.array([]), Reason.TOO_SHORT),
        (np.full(5 * DAY, np.nan), Reason.TOO_SHORT),
        (daily(2)[:-1], Reason.TOO_SHORT),
        (np.concatenate([np.full(5 * DAY, np.nan), daily(1)]), Reason.TOO_SHORT),
        (np.zeros(5 * DAY), Reason.CONSTANT),
        (np.full(5 * DAY, 0.1), Reason.CONSTANT),
        (np.tile([1.0, 3.0], 3 * DAY), Reason.CONSTANT),
        (with_gaps(daily(5), 0.6), Reason.TOO_MANY_GAPS),
    ],
    ids=[
        "nothing", "only-gaps", "a-block-too-few", "young", "idle", "constant",
        "constant-by-the-hour", "mostly-gaps",
    ],
)  # fmt: skip
def test_what_cannot_be_forecast_has_a_reason_and_no_value(history, reason):
    got = forecast(history)
    assert got.reason is reason
    assert np.isnan(got.mean).all()
    assert np.isnan(got.quantiles).all()
    assert (got.mean.shape, got.quantiles.shape) == ((DAY,), (4, DAY))


def test_every_reason_is_a_sentence():
    assert [r for r in Reason if not (r.sentence[0].isupper() and r.sentence.endswith("."))] == []


@pytest.mark.parametrize("model", ["", "auto", "histogram", "gbm", "prophet"])
def test_a_model_that_is_not_fitted_by_name_is_refused(model):
    with pytest.raises(InvalidValueError, match="holt-winters"):
        forecast(daily(3), model=model)


@pytest.mark.parametrize(
    "wrong",
    [
        {"season": 0},
        {"horizon": 0},
        {"levels": ()},
        {"levels": (0.5, 1.0)},
        {"history": np.ones((3, 200))},
        {"history": np.array([1.0, np.inf])},
    ],
)
def test_shapes_and_numbers_outside_their_range_are_refused(wrong):
    with pytest.raises(ContractError, match="allowed"):
        forecast(**{"history": daily(3)} | wrong)


@given(scale=st.sampled_from([1e-6, 1e-3, 7.0, 1e9]), seed=st.integers(0, 50))
@settings(max_examples=8, deadline=None)
def test_the_unit_of_a_series_changes_its_forecast_by_that_unit_alone(scale, seed):
    history = daily(3, seed=seed)
    plain, scaled = forecast(history, horizon=8), forecast(history * scale, horizon=8)
    assert scaled.mean == pytest.approx(plain.mean * scale, rel=1e-4)


@given(
    seed=st.integers(0, 1000),
    share=st.floats(0, 0.4),
    noise=st.floats(0.01, 30),
    model=st.sampled_from(MODELS),
)
@settings(max_examples=15, deadline=None)
def test_a_forecast_is_complete_and_ordered_or_has_a_reason(seed, share, noise, model):
    got = forecast(with_gaps(daily(3, seed=seed, noise=noise), share), model=model, horizon=12)
    is_missing = np.isnan(got.quantiles)
    assert is_missing.all() == is_missing.any() == (got.reason is not None)
    assert got.reason is not None or (np.diff(got.quantiles, axis=0) >= 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_the_same_history_gives_the_same_forecast_to_the_bit(model):
    first, second = forecast(daily(4), model=model), forecast(daily(4), model=model)
    assert first.quantiles.tobytes() == second.quantiles.tobytes()
