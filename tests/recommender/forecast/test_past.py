"""Use in blocks, counted back from now."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.errors import ContractError
from recommender.forecast.past import Past, average, deviation, highest, quantiles, rings_of
from recommender.forecast.timing import Timing
from tests.recommender.forecast.series import past_of

NAN = np.nan
TOP = np.array([[1.0, 10.0], [2.0, NAN], [3.0, 30.0]])


def past(top=TOP, block_s=3600):
    return past_of(top, block_s)


def test_a_lag_counts_back_from_the_newest_block():
    assert [past().lag(n)[0] for n in (0, 1, 2)] == [3.0, 2.0, 1.0]


def test_the_latest_mean_is_of_the_last_minutes_and_else_of_the_newest_block():
    np.testing.assert_array_equal(past().latest_mean(), past().last_means(1)[0])
    known = replace(past(), latest=np.array([7.0, NAN]))
    np.testing.assert_array_equal(known.latest_mean(), [7.0, past().last_means(1)[0, 1]])
    np.testing.assert_array_equal(known.of(np.array([0])).latest_mean(), [7.0])


@pytest.mark.parametrize("lag", [3, 100, -1])
def test_what_was_not_measured_is_not_a_number(lag):
    assert np.isnan(past().lag(lag)).all()


def test_several_lags_are_what_each_is_alone():
    wanted = np.array([2, 0, 1, 3, 100, -1])
    few = past(np.tile(TOP, 2)).of(np.array([3, 0]))
    for each in (past(), few, replace(few, reach=np.array([1, 3]))):
        alone = [each.lag(ago) for ago in wanted.tolist()]
        np.testing.assert_array_equal(each.lags(wanted), alone)


def test_the_last_blocks_are_the_same_where_the_ring_begins_again():
    use = np.arange(2 * 200.0).reshape(200, 2)
    np.testing.assert_array_equal(past(use).last(150), use[-150:])
    np.testing.assert_array_equal(past(use).last(20), use[-20:])


def test_the_last_blocks_end_some_blocks_ago():
    np.testing.assert_array_equal(past().last(2, ago=1), TOP[:2])
    np.testing.assert_array_equal(past().last(100), TOP)
    assert past().last(2, ago=100).shape == (0, 2)


def test_blocks_in_which_nobody_was_measured_are_there_and_not_known():
    top, mean = rings_of(3600, 1)
    for block in (1, 3, 4, 7):
        top.set(block, np.array([float(block)]))
    seen = Past(top=top, mean=mean, block=8)
    assert np.nan_to_num(seen.last(6)[:, 0]).tolist() == [3, 4, 0, 0, 7, 0]
    assert np.nan_to_num(seen.last(4, ago=1)[:, 0]).tolist() == [4, 0, 0, 7]
    few = replace(seen, reach=np.array([3]))
    assert np.nan_to_num(few.last(6)[:, 0]).tolist() == [0, 0, 0, 0, 7, 0]


def test_a_day_and_an_hour_are_counted_in_blocks():
    assert (past(block_s=300).day, past(block_s=300).hour) == (288, 12)
    assert (past(block_s=21600).day, past(block_s=21600).hour) == (4, 1)


def test_statistics_leave_out_what_was_not_measured():
    np.testing.assert_array_equal(highest(TOP), [3.0, 30.0])
    np.testing.assert_array_equal(average(TOP), [2.0, 20.0])
    np.testing.assert_allclose(deviation(TOP), [np.sqrt(2 / 3), 10.0])
    np.testing.assert_array_equal(quantiles(TOP, (0.0, 0.5, 1.0))[:, 0], [1.0, 2.0, 3.0])


def test_statistics_of_nothing_are_not_numbers():
    nothing = np.full((2, 1), NAN)
    for value in (highest(nothing), average(nothing), quantiles(nothing, (0.5,))):
        assert np.isnan(value).all()
    assert np.isnan(quantiles(np.empty((0, 3)), (0.5,))).all()


@pytest.mark.parametrize(("block_s", "lead"), [(7, 1), (0, 1), (300, 0)])
def test_a_timing_that_cannot_be_is_refused(block_s, lead):
    with pytest.raises(ContractError):
        Timing(block_s=block_s, lead=lead)


def test_the_time_before_the_first_use_of_any_series_is_told_apart():
    use = np.full((10, 3), np.nan)
    use[4:, 1] = 1.0
    use[7:, 0] = 1.0
    past = past_of(use)
    chosen = [
        past.of(np.array(which, np.int64)).blocks_since_use() for which in ([0, 1, 2], [0], [2], [])
    ]
    assert chosen == [6, 3, 0, 0]
    assert past.blocks_since_use() == 6
