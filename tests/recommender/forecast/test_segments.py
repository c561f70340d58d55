"""Up to four levels a day, as cheap as any, and none where they save little."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.forecast.segments import HOURS, MOST_SEGMENTS, daily_segments

DAY_AND_NIGHT = np.where((np.arange(HOURS) >= 8) & (np.arange(HOURS) < 20), 10.0, 2.0)
# no difference of levels is the price of a segment, so that no two partitions are as cheap
hours = st.one_of(st.just(np.nan), st.sampled_from([0.0, 1.0, 2.0, 5.0, 9.0, 97.3]))
profiles = st.integers(1, 4).flatmap(
    lambda series: arrays(np.float64, (HOURS, series), elements=hours)
)


def cost(profile):
    """Sum of the levels over the hours; one level all day where there are no segments."""
    level = daily_segments(profile).level
    return np.where(np.isnan(level), np.fmax.reduce(profile, axis=0), level).sum(axis=0)


def test_day_and_night_are_two_segments_the_second_over_midnight():
    found = daily_segments(DAY_AND_NIGHT[:, None])
    assert found.level[:, 0].tolist() == DAY_AND_NIGHT.tolist()
    assert np.flatnonzero(found.edge[:, 0]).tolist() == [8, 20]


def test_days_that_are_level_have_no_segments():
    found = daily_segments(np.linspace(9.6, 10.0, HOURS)[:, None])
    assert np.isnan(found.level).all()
    assert not found.edge.any()


@pytest.mark.parametrize(("night", "is_worth_it"), [(6.9, True), (7.1, False)])
def test_segments_must_save_a_tenth_of_one_level_for_all_day(night, is_worth_it):
    profile = np.full((HOURS, 1), 10.0)
    profile[:8] = night  # eight hours of seven tenths are a tenth of the day
    assert daily_segments(profile).edge.any() == is_worth_it


def test_an_hour_that_is_not_known_may_be_the_highest_of_all():
    profile = DAY_AND_NIGHT.copy()
    profile[2:5] = np.nan
    assert (daily_segments(profile[:, None]).level[2:5, 0] == 10.0).all()


def test_days_of_which_nothing_is_known_have_no_segments():
    assert np.isnan(daily_segments(np.full((HOURS, 2), np.nan)).level).all()


@given(profiles)
def test_no_hour_is_above_its_level(profile):
    level = daily_segments(profile).level
    assert not (profile > level).any()


@given(profiles)
def test_a_day_has_at_most_four_edges_and_levels_change_there_only(profile):
    found = daily_segments(profile)
    assert (found.edge.sum(axis=0) <= MOST_SEGMENTS).all()
    changes = (found.level != np.roll(found.level, 1, axis=0)) & ~np.isnan(found.level)
    assert np.array_equal(changes, found.edge)


@given(profiles)
def test_a_day_has_segments_all_day_or_none(profile):
    is_known = ~np.isnan(daily_segments(profile).level)
    assert (is_known.all(axis=0) | ~is_known.any(axis=0)).all()


@pytest.mark.parametrize(("level", "is_worth_it"), [(0.5, True), (0.6, False)])
def test_a_segment_of_one_hour_must_save_a_fiftieth_of_the_day(level, is_worth_it):
    profile = DAY_AND_NIGHT.copy()
    profile[20] = 10.0 * level  # a fiftieth of the day are 4.8
    assert daily_segments(profile[:, None]).edge[[20, 21], 0].tolist() == [is_worth_it, True]


@given(profiles, st.integers(0, HOURS - 1))
def test_it_does_not_matter_when_the_day_begins(profile, shift):
    assert cost(np.roll(profile, shift, axis=0)).tolist() == pytest.approx(
        cost(profile).tolist(), nan_ok=True
    )


@given(profiles)
def test_series_do_not_see_one_another(profile):
    together = daily_segments(profile).level
    for column in range(profile.shape[1]):
        alone = daily_segments(profile[:, [column]]).level[:, 0]
        assert np.array_equal(together[:, column], alone, equal_nan=True)


def price_of(segments, profile):
    return 0.02 * HOURS * profile.max() * segments


def cheapest(profile):
    """Try all partitions of one day."""
    best = HOURS * profile.max() + price_of(1, profile)
    for count in range(2, MOST_SEGMENTS + 1):
        for cuts in combinations(range(HOURS), count):
            turned = np.roll(profile, -cuts[0])
            begins = np.array(cuts) - cuts[0]
            lasts = np.diff([*begins, HOURS])
            levels = np.maximum.reduceat(turned, begins)
            best = min(best, float((levels * lasts).sum()) + price_of(count, profile))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_no_other_partition_is_cheaper(seed):
    draw = np.random.default_rng(seed)
    profile = draw.gamma(0.5, size=HOURS).round(seed)  # the coarser, the more ties
    found = daily_segments(profile[:, None])
    total = found.level.sum() + price_of(found.edge.sum(), profile)
    assert total == pytest.approx(cheapest(profile))
