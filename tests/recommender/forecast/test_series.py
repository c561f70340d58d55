"""Parts with a column per series: more of them, fewer, in another order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.series import append, keep
from recommender.forecast.sketches import BUCKETS, ErrorSketches
from recommender.forecast.standing import Standing


def standing_of(values):
    standing = Standing.empty(len(values), 12)
    standing.peak = np.array(values, float)
    standing.hour_tops = np.tile(np.array(values, float), (len(standing.hour_tops), 1))
    standing.blocks = 7
    return standing


@given(
    st.lists(st.floats(0, 9), min_size=1, max_size=6),
    st.lists(st.floats(0, 9), max_size=6),
    st.data(),
)
def test_series_that_are_added_and_left_out_keep_their_columns(own, others, data):
    part = standing_of(own)
    append(part, standing_of(others) if others else Standing.empty(0, 12))
    chosen = data.draw(st.permutations(range(len(own) + len(others))))
    keep(part, np.array(chosen, np.int64))
    expected = np.array([*own, *others])[list(chosen)]
    np.testing.assert_array_equal(expected, part.peak)
    np.testing.assert_array_equal(expected, part.hour_tops[3])
    assert part.blocks == 7


def test_the_columns_of_a_part_are_its_last_axis_whatever_comes_before():
    sketches, more = ErrorSketches.empty(2, 2), ErrorSketches.empty(2, 1)
    more.weights += 5.0
    append(sketches, more)
    assert sketches.weights[1, 2].tolist() == [0.0, 0.0, 5.0]
    keep(sketches, np.array([2]))
    assert sketches.weights.shape == (2, BUCKETS, 1)
