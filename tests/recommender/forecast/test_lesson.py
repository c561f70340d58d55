"""What the fleet's model is taught of a block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recommender.forecast.experts.boosting import BOOSTING
from recommender.forecast.lesson import OF_BLOCKS, OF_HOURS, lesson_of
from recommender.forecast.outcome import outcome_of
from recommender.forecast.timing import Timing

LESSONS = pytest.mark.parametrize("lesson", [OF_BLOCKS, OF_HOURS], ids=["blocks", "hours"])


def test_of_a_few_minutes_the_highest_is_taught():
    minutes = np.array([[1.0, 5.0], [3.0, np.nan], [2.0, np.nan]])
    assert OF_BLOCKS.of(outcome_of(minutes)).tolist() == [[3.0], [5.0]]


def test_of_an_hour_one_minute_of_each_quarter_is_taught():
    minutes = np.random.default_rng(3).permutation(np.arange(60.0))[:, None]
    [taught] = OF_HOURS.of(outcome_of(minutes))
    assert np.diff(taught).tolist() == [15.0] * 3
    assert taught[0] < 15


def test_each_minute_of_an_hour_is_taught_as_often_as_any_other():
    minutes = np.arange(60.0)[:, None] + 100.0 * np.arange(6000)
    taught = OF_HOURS.of(outcome_of(minutes)) % 100
    times = np.bincount(taught.astype(np.int64).ravel(), minlength=60)
    np.testing.assert_allclose(times, 6000 * 4 / 60, rtol=0.25)


def test_of_an_hour_with_one_sample_that_one_is_taught():
    assert OF_HOURS.of(outcome_of(np.array([[7.0]]))).tolist() == [[7.0] * 4]


@LESSONS
def test_where_nothing_was_measured_nothing_is_taught(lesson):
    taught = lesson.of(outcome_of(np.array([[np.nan, 2.0, np.nan]])))
    assert np.isnan(taught[[0, 2]]).all()
    assert (taught[1] == 2.0).all()


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 60), st.integers(1, 4)),
        elements=st.floats(0, 1e6) | st.just(np.nan),
    )
)
def test_what_is_taught_of_an_hour_are_minutes_of_it_in_their_order(minutes):
    taught = OF_HOURS.of(outcome_of(minutes))
    for column, outcomes in zip(minutes.T, taught, strict=True):
        known = column[~np.isnan(column)]
        assert len(known) == 0 or set(outcomes) <= set(known)
        assert np.isnan(outcomes).all() == (len(known) == 0)
        assert (np.diff(outcomes[~np.isnan(outcomes)]) >= 0).all()


@LESSONS
def test_what_is_taught_does_not_depend_on_the_order_of_series(lesson):
    random = np.random.default_rng(4)
    minutes, order = random.gamma(2.0, 0.2, (60, 20)), random.permutation(20)
    taught, other = (lesson.of(outcome_of(each)) for each in (minutes, minutes[:, order]))
    assert taught.shape == (20, lesson.outcomes)
    assert taught[order].tolist() == other.tolist()


@LESSONS
def test_there_is_a_quantile_for_each_expert_and_one_above(lesson):
    assert len(lesson.levels) == len(BOOSTING) + 1
    assert list(lesson.levels) == sorted(lesson.levels)


@pytest.mark.parametrize(
    ("block_s", "lesson"), [(300, OF_BLOCKS), (600, OF_BLOCKS), (3600, OF_HOURS)]
)
def test_hours_are_taught_by_their_minutes(block_s, lesson):
    assert lesson_of(Timing(block_s=block_s, lead=1)) is lesson
