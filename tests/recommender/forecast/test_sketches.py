"""Errors of an expert become quantiles that keep their promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.experts.base import Expected
from recommender.forecast.outcome import outcome_of
from recommender.forecast.sketches import FEW_SERIES, ErrorSketches, kept_of

DAY = 288
KEPT = kept_of(np.array([30.0 * DAY]), DAY)
"""Of a series that is no longer young."""


def expected(value=10.0, spread=1.0, series=1):
    """Return what one expert expects."""
    return Expected(value=np.full((1, series), value), spread=np.full((1, series), spread))


def taught(errors, *, series=1):
    """Return sketches that saw errors ``[n]`` of one series, or ``[n, S]``."""
    sketches = ErrorSketches.empty(1, series)
    for error in np.atleast_2d(np.asarray(errors, float).T).T:
        sketches.add(expected(series=series), outcome_of(10.0 + error[None]), KEPT)
    return sketches


def test_before_any_error_nothing_is_known():
    assert np.isnan(ErrorSketches.empty(1, 2).uppers(expected(series=2), [np.full(2, 0.9)])).all()


@pytest.mark.parametrize("level", [0.5, 0.9, 0.98])
def test_a_quantile_covers_as_many_outcomes_as_it_says(level):
    random = np.random.default_rng(3)
    sketches = taught(random.normal(size=2000))
    upper = sketches.uppers(expected(), [np.array([level])])
    covered = (10.0 + random.normal(size=20000) <= upper).mean()
    assert covered == pytest.approx(level, abs=0.03)


def test_the_unit_of_errors_is_the_spread_given_with_the_forecast():
    sketches = taught(np.random.default_rng(3).normal(size=500))
    level = np.array([0.9])
    narrow, wide = (sketches.uppers(expected(spread=s), [level]) - 10.0 for s in (1.0, 3.0))
    np.testing.assert_allclose(wide, 3.0 * narrow)


def test_experts_that_never_knew_anything_take_no_room():
    sketches, use = ErrorSketches.empty(0, 2), outcome_of(np.full((1, 2), 11.0))
    value = np.array([[10.0, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    several = Expected(value=value, spread=np.ones((3, 2)))
    sketches.add(several, use, KEPT)
    assert len(sketches.weights) == 1
    late = Expected(value=np.where([[True], [True], [False]], 10.0, value), spread=np.ones((3, 2)))
    sketches.add(late, use, KEPT)
    assert len(sketches.weights) == 2
    [upper] = sketches.uppers(late, [np.full(2, 0.9)])
    assert np.isnan(upper).tolist() == [[False, False], [False, False], [True, True]]


def test_newer_errors_count_more():
    then_calm = np.concatenate([np.full(4000, 5.0), np.full(4000, 1.0)])
    upper = taught(then_calm).uppers(expected(), [np.array([0.8])])
    assert upper < 12.0


def test_a_young_series_forgets_its_first_hours_sooner():
    blocks = np.array([1.0, DAY / 2, DAY, 16 * DAY, 60 * DAY])
    kept = kept_of(blocks, DAY)
    assert (np.diff(kept[:4]) > 0).all()
    assert kept[3] == kept[4]
    np.testing.assert_allclose(kept[[0, 2, 3]] ** [12.0, DAY / 4, 4 * DAY], 0.5)


def test_many_series_alike_are_what_one_is():
    errors, many = np.random.default_rng(3).normal(size=50), 2 * FEW_SERIES
    one = taught(errors).uppers(expected(), [np.array([0.9])])
    each = np.repeat(errors[:, None], many, axis=1)
    alike = taught(each, series=many).uppers(expected(series=many), [np.full(many, 0.9)])
    np.testing.assert_allclose(alike, np.broadcast_to(one, alike.shape), rtol=1e-12)


def test_a_new_series_is_as_uncertain_as_the_fleet():
    errors = np.full((400, 2), 4.0)
    errors[:, 1] = np.nan
    [[upper]] = taught(errors, series=2).uppers(expected(series=2), [np.full(2, 0.9)])
    assert upper[1] == pytest.approx(14.0, rel=0.05)
    assert upper[0] == pytest.approx(14.0, rel=0.05)


def test_minutes_of_one_block_count_as_one_error_together():
    together, single = ErrorSketches.empty(1, 1), ErrorSketches.empty(1, 1)
    together.add(expected(), outcome_of(np.array([[11.0], [11.0], [np.nan]])), KEPT)
    single.add(expected(), outcome_of(np.array([[11.0]])), KEPT)
    np.testing.assert_array_equal(together.weights, single.weights)


@given(
    errors=st.lists(st.floats(-100, 1000), min_size=1, max_size=30),
    levels=st.lists(st.floats(0.01, 0.9999), min_size=2, max_size=5),
)
def test_a_higher_level_is_never_a_lower_amount(errors, levels):
    sketches = taught(errors)
    wanted = [np.array([level]) for level in sorted(levels)]
    uppers = sketches.uppers(expected(), wanted).ravel().tolist()
    assert uppers == sorted(uppers)
    assert all(upper >= 0 for upper in uppers)
