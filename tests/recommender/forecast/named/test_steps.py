import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.forecast.named.steps import STEPS_A_SEASON, blocks_a_step, filled, steps_of
from tests.recommender.forecast.named.series import DAY, daily, with_gaps

AMOUNTS = st.floats(0, 1e6) | st.just(float("nan"))


@pytest.mark.parametrize(
    ("season_blocks", "expected"),
    [(1, 1), (2, 1), (24, 1), (48, 2), (96, 4), (144, 6), (288, 12), (1440, 60), (29, 29)],
)
def test_a_day_is_cut_into_hours_and_a_shorter_season_stays(season_blocks, expected):
    assert blocks_a_step(season_blocks) == expected


@given(st.integers(1, 3000))
def test_steps_cut_a_season_into_equal_parts(season_blocks):
    group = blocks_a_step(season_blocks)
    assert season_blocks % group == 0
    assert season_blocks // group <= STEPS_A_SEASON


def test_steps_are_means_counted_back_from_now():
    steps = steps_of(daily(3)[:-2], DAY)
    newest = daily(3)[:-2][-4:].mean()
    assert steps.values[-1] * steps.scale == pytest.approx(newest)
    assert len(steps.blocks) == steps.blocks_a_step * len(steps.values)


def test_what_is_older_than_28_seasons_is_left_out():
    steps = steps_of(daily(30), DAY)
    assert len(steps.values) == 28 * 24


def test_blocks_keep_their_gaps_and_steps_have_none():
    steps = steps_of(with_gaps(daily(3), 0.4), DAY)
    assert np.isnan(steps.blocks).any()
    assert not np.isnan(steps.values).any()


def test_a_gap_takes_the_value_of_a_season_before_or_else_the_last():
    values = np.array([np.nan, 1.0, 2.0, np.nan, 4.0, np.nan, np.nan])
    assert filled(values, 3).tolist() == [1.0, 2.0, 2.0, 4.0, 2.0, 2.0]


@given(arrays(np.float64, st.integers(1, 40), elements=AMOUNTS), st.integers(1, 10), st.data())
def test_only_what_was_known_before_a_gap_fills_it(values, season, data):
    known = np.flatnonzero(~np.isnan(values))
    assume(len(known) > 0)
    cut = data.draw(st.integers(int(known[0]) + 1, len(values)))
    before = filled(values[:cut], season)
    assert filled(values, season)[: len(before)].tolist() == before.tolist()
