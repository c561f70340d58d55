"""How large a series usually is."""

import numpy as np
import pytest

from recommender.forecast.standing import Standing
from tests.recommender.forecast.series import growing

DAY = 24


def standing_of(top):
    """Return the standing after all blocks of ``[T, S]``."""
    standing = Standing.empty(top.shape[1])
    for past in growing(top):
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


def test_a_series_that_comes_later_stands_as_if_it_had_been_there_all_the_time():
    top = np.random.default_rng(3).gamma(2.0, 5.0, (9 * DAY, 3))
    top[40:60, 1] = np.nan
    always = standing_of(top[2 * DAY :])
    past = list(growing(top))[-1]
    later = Standing.caught_up(past, always.blocks)
    for name in ("day", "hours", "hour_tops"):
        np.testing.assert_allclose(getattr(later, name), getattr(always, name), rtol=1e-6)
    np.testing.assert_allclose(later.peak, always.peak, rtol=1e-6)
    np.testing.assert_array_equal(later.seen, always.seen)
