"""How large a series usually is."""

import numpy as np
import pytest

from recommender.forecast.standing import HOUR_LEVELS, Standing
from recommender.forecast.timing import Timing
from tests.recommender.forecast.series import HOURLY, growing

DAY = 24
SHORT = Timing(block_s=1200, lead=1)
"""Three blocks an hour."""


def standing_of(top, timing=HOURLY):
    """Return the standing after all blocks of ``[T, S]``."""
    standing = Standing.empty(top.shape[1], timing.hour)
    for past in growing(top, timing.block_s):
        standing.advance(past)
    return standing


def test_the_scale_is_what_busy_hours_use_and_not_one_spike():
    top = np.full((7 * DAY, 1), 10.0)
    top[50] = 90.0
    assert standing_of(top).scale[0] == pytest.approx(10.0)


def test_a_series_that_idles_is_measured_in_a_share_of_its_peak():
    top = np.zeros((3 * DAY, 1))
    top[5] = 100.0
    assert standing_of(top).scale[0] == pytest.approx(5.0, rel=0.2)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_series_without_use_has_a_scale(value):
    assert standing_of(np.full((30, 2), value)).scale.min() > 0


def test_a_forecast_may_say_more_of_what_is_new():
    young = standing_of(np.full((2, 1), 10.0)).ceiling(DAY)
    old = standing_of(np.full((7 * DAY, 1), 10.0)).ceiling(DAY)
    assert 18.0 < young[0] < 20.0
    assert old[0] == pytest.approx(12.5, rel=0.01)


@pytest.mark.parametrize("timing", [HOURLY, SHORT])
def test_a_series_that_comes_later_stands_as_if_it_had_been_there_all_the_time(timing):
    top = np.random.default_rng(3).gamma(2.0, 5.0, (9 * timing.day, 3))
    top[40:60, 1] = np.nan
    always = standing_of(top[2 * timing.day :], timing)
    past = list(growing(top, timing.block_s))[-1]
    later = Standing.caught_up(past, always.blocks)
    for name in ("day", "hours", "hour_tops"):
        np.testing.assert_allclose(getattr(later, name), getattr(always, name), rtol=1e-6)
    np.testing.assert_allclose(later.peak, always.peak, rtol=1e-6)
    np.testing.assert_array_equal(later.seen, always.seen)


@pytest.mark.parametrize("timing", [HOURLY, SHORT])
def test_the_level_of_a_series_is_that_of_its_hours_however_short_its_blocks_are(timing):
    top = np.random.default_rng(4).gamma(2.0, 5.0, (3 * timing.day, 4))
    of_hours = top.reshape(3 * DAY, timing.hour, 4).max(axis=1)
    levels = [np.quantile(of_hours, level, axis=0, method="nearest") for level in HOUR_LEVELS]
    np.testing.assert_allclose(standing_of(top, timing).hours, levels, rtol=1e-6)
