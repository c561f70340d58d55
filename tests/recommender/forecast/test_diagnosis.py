import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import ContractError
from recommender.forecast.diagnosis import Diagnosis, Regime, beyond_chance, diagnose
from recommender.forecast.named.reason import Reason
from tests.recommender.forecast.named.series import daily, with_gaps

BLOCK_S = 900
DAY = 96
DAY_S = 86_400
END_S = 20_000 * DAY_S
"""Midnight UTC."""


def of_one(series, *, end_s=END_S) -> Diagnosis:
    (found,) = diagnose(np.asarray(series)[:, None], block_s=BLOCK_S, end_s=end_s)
    return found


def noise(days, *, seed=0, level=20.0, size=1.0):
    return level + np.random.default_rng(seed).normal(0, size, days * DAY)


def on_workdays(days=21):
    """Return a wave that is there on five days of seven."""
    is_work = (np.arange(days * DAY) // DAY) % 7 < 5
    return np.where(is_work, daily(days), 5.0) + noise(days, level=0.0, size=0.3)


def stepped(at_day, before=10.0, after=30.0, days=10):
    series = noise(days, level=before)
    series[round(at_day * DAY) :] += after - before
    return series


def bursts(days=7):
    series = np.zeros(days * DAY)
    series[np.random.default_rng(0).random(len(series)) < 0.2] = 10.0
    return series


REGIMES = {
    Regime.STEADY: noise(10),
    Regime.DAILY: daily(10),
    Regime.WEEKLY: on_workdays(),
    Regime.INTERMITTENT: bursts(),
    Regime.TRENDING: noise(10) + np.linspace(0, 30, 10 * DAY),
    Regime.STEPPING: stepped(5),
}


@pytest.mark.parametrize("regime", Regime)
def test_a_regime_is_told_with_the_figure_that_it_rests_on(regime):
    found = of_one(REGIMES[regime])
    assert found.reason is None
    assert found.regime is regime
    assert found.figure is not None
    assert found.regime.rests_on


@pytest.mark.parametrize("regime", Regime)
def test_gaps_do_not_change_the_regime(regime):
    assert of_one(with_gaps(REGIMES[regime])).regime is regime


def test_many_series_are_diagnosed_as_each_alone():
    series = [each[-7 * DAY :] for each in REGIMES.values()]
    together = diagnose(np.stack(series, axis=1), block_s=BLOCK_S, end_s=END_S)
    alone = [of_one(each) for each in series]
    assert [(d.regime, d.figure, d.steps) for d in together] == [
        (d.regime, pytest.approx(d.figure), d.steps) for d in alone
    ]


def test_a_strong_day_is_near_one_and_noise_far_from_it():
    assert of_one(daily(10)).day_strength_ratio > 0.95
    assert of_one(noise(10)).day_strength_ratio < 0.3


def test_the_week_is_known_from_two_weeks_on():
    assert of_one(on_workdays(13)).week_strength_ratio is None
    assert of_one(on_workdays(14)).week_strength_ratio > 0.9


@pytest.mark.parametrize("days", [2, 3, 14])
def test_chance_makes_no_day_and_no_week(days):
    series = np.stack([noise(days, seed=seed) for seed in range(12)], axis=1)
    found = diagnose(series, block_s=BLOCK_S, end_s=END_S)
    assert {each.regime for each in found} == {Regime.STEADY}


@pytest.mark.parametrize("days", [2, 3, 14, 15, 21])
def test_one_busy_hour_makes_no_season(days):
    series = noise(days)
    series[DAY + 8 : DAY + 12] *= 5
    assert of_one(series).regime is Regime.STEADY


def test_one_busy_hour_in_two_weeks_makes_no_week_of_a_day():
    series = daily(14)
    series[DAY + 48 : DAY + 52] *= 2
    assert of_one(series).regime is Regime.DAILY


def test_the_strength_of_noise_is_nothing_beyond_chance():
    assert beyond_chance(0.5, 2) == 0.0
    assert beyond_chance(1.0, 2) == 1.0
    assert beyond_chance(0.7, 1) == 0.0


def test_the_shape_of_a_day_begins_at_midnight_utc():
    series = np.full(3 * DAY, 1.0)
    series[(np.arange(3 * DAY) % DAY) // 4 == 6] = 7.0
    expected = np.full(24, 0.8)
    expected[6] = 5.6
    assert of_one(series).day_shape == pytest.approx(expected)
    later_s = 5 * 3600
    assert of_one(series, end_s=END_S + later_s).day_shape == pytest.approx(np.roll(expected, 5))


def test_an_end_within_an_hour_and_a_day_keeps_the_hours_of_the_epoch():
    series = np.full(3 * DAY, 1.0)
    series[(np.arange(3 * DAY) % DAY) // 4 == 6] = 7.0
    cut = of_one(series[: -DAY // 2 - 3], end_s=END_S - (DAY // 2 + 3) * BLOCK_S)
    assert int(np.argmax(cut.day_shape)) == 6


def test_a_trend_is_told_per_day():
    series = daily(10, trend_per_day=2.0, level=30.0)
    assert of_one(series).trend_per_day == pytest.approx(2.0, rel=0.05)


def test_a_step_says_when_from_what_and_to_what():
    (step,) = of_one(stepped(5)).steps
    assert step.at_s == END_S - 5 * DAY_S
    assert (step.before, step.after) == pytest.approx((10.0, 30.0), abs=0.5)


def test_a_step_under_a_daily_wave_is_seen():
    series = daily(10)
    series[6 * DAY + DAY // 2 :] += 20.0
    (step,) = of_one(series).steps
    assert abs(step.at_s - (END_S - 3.5 * DAY_S)) <= 3 * 3600
    assert step.after - step.before == pytest.approx(20.0, abs=3.0)


def test_two_steps_come_oldest_first():
    series = stepped(3, 10.0, 40.0)
    series[7 * DAY :] -= 30.0
    assert [step.at_s for step in of_one(series).steps] == [END_S - 7 * DAY_S, END_S - 3 * DAY_S]


@pytest.mark.parametrize(
    "series", [noise(10), daily(10), REGIMES[Regime.TRENDING]], ids=["noise", "wave", "slope"]
)
def test_what_does_not_jump_has_no_step(series):
    assert of_one(series).steps == ()


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (np.full(10 * DAY, np.nan), Reason.TOO_SHORT),
        (noise(1), Reason.TOO_SHORT),
        (np.array([]), Reason.TOO_SHORT),
        (np.concatenate([np.full(9 * DAY, np.nan), noise(1)]), Reason.TOO_SHORT),
        (np.where(np.arange(10 * DAY) % DAY < DAY // 4, noise(10), np.nan), Reason.TOO_MANY_GAPS),
    ],
    ids=["gaps", "a-day", "nothing", "young", "a-quarter-of-each-day"],
)
def test_a_history_that_bears_no_figure_has_a_reason_alone(series, reason):
    found = of_one(series)
    assert found.reason is reason
    assert (found.regime, found.day_strength_ratio, found.day_shape) == (None, None, None)


@pytest.mark.parametrize(("level", "shape"), [(5.0, [1.0] * 24), (0.0, None)])
def test_a_constant_is_steady_and_has_no_season(level, shape):
    found = of_one(np.full(3 * DAY, level))
    assert (found.reason, found.regime, found.figure) == (Reason.CONSTANT, Regime.STEADY, 0.0)
    assert found.day_strength_ratio is None
    assert (None if found.day_shape is None else found.day_shape.tolist()) == shape


@pytest.mark.parametrize(
    "wrong", [{"block_s": 7}, {"block_s": 0}, {"block_s": 7200}, {"end_s": 100}]
)
def test_blocks_that_do_not_cut_hours_are_refused(wrong):
    arguments = {"block_s": BLOCK_S, "end_s": END_S} | wrong
    with pytest.raises(ContractError, match="a divisor of 3600 s"):
        diagnose(noise(3)[:, None], **arguments)


@given(
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
    days=st.integers(1, 15),
    size=st.floats(0, 100),
)
@settings(max_examples=25, deadline=None)
def test_a_diagnosis_is_in_range_or_has_a_reason_and_nobody_is_warned(seed, share, days, size):
    series = with_gaps(np.maximum(noise(days, seed=seed, size=size), 0), share, seed=seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = of_one(series)
    assert caught == []
    if found.reason is None:
        assert 0 <= found.day_strength_ratio <= 1
        assert np.isfinite(found.figure)


@given(scale=st.sampled_from([1e-6, 1e-3, 1e6, 1e12]), regime=st.sampled_from(Regime))
@settings(max_examples=12, deadline=None)
def test_the_unit_of_a_series_says_nothing_about_it(scale, regime):
    plain, scaled = of_one(REGIMES[regime]), of_one(REGIMES[regime] * scale)
    assert scaled.regime is plain.regime
    assert scaled.figure == pytest.approx(plain.figure, rel=1e-3)
