from __future__ import annotations

import numpy as np
import pytest

from recommender.usage.minutes import Minutes
from recommender.usage.plateau import Plateaus

LIMIT = 100.0


def follow(shares, *, limit=LIMIT, plateaus=None):
    """Follow one worker whose 1-minute maxima are these percentages; return its marks."""
    made = plateaus or Plateaus()
    if plateaus is None:
        made.grow(1)
        made.limit[:] = limit
    marks = []
    for i, share in enumerate(shares):
        top = np.array([share / 100.0 * LIMIT])
        made.update(
            Minutes(
                worker=np.array([0]),
                minute=np.array([i]),
                top=top,
                mean=top,
                is_saturated=np.array([False]),
            )
        )
        marks.append(bool(made.is_opaque[0]))
    return marks


def test_a_constant_fraction_of_the_limit_is_opaque_after_ten_minutes():
    assert follow([90.0] * 12) == [False] * 9 + [True] * 3


def test_small_wobble_is_still_a_plateau():
    assert follow([90.0, 90.4, 89.9, 90.3] * 3)[-1]


def test_use_that_jitters_below_its_limit_is_not_opaque():
    shares = np.random.default_rng(5).uniform(96.0, 99.0, 1440)
    assert not any(follow(shares))


def test_a_steady_model_far_below_the_limit_is_not_opaque():
    assert follow([60.0] * 60) == [False] * 60


def test_growth_of_several_percent_a_minute_is_not_opaque():
    assert not any(follow(np.arange(50.0, 100.0, 2.0)))


def test_a_jump_clears_the_mark():
    assert follow([90.0] * 11 + [60.0, 60.0]) == [False] * 9 + [True, True, False, False]


def test_slow_growth_clears_the_mark_once_it_has_moved_by_five_percent_of_the_limit():
    marks = follow(np.arange(85.0, 92.0, 0.08))
    cleared = [i for i, mark in enumerate(marks) if i > 9 and not mark]
    first = 85.0 + 0.08 * cleared[0]
    assert 90.0 < first < 91.0


def test_a_mark_outlasts_a_raised_limit():
    plateaus = Plateaus()
    plateaus.grow(1)
    plateaus.limit[:] = LIMIT
    follow([90.0] * 12, plateaus=plateaus)
    plateaus.limit[:] = 1.2 * LIMIT
    assert follow([90.0] * 30, plateaus=plateaus) == [True] * 30


def test_without_a_known_limit_nothing_is_opaque():
    assert not any(follow([90.0] * 30, limit=np.nan))


@pytest.mark.parametrize("minutes", [2, 64, 300])
def test_a_history_at_once_marks_like_one_minute_after_the_other(minutes):
    at_once = Plateaus()
    at_once.grow(1)
    at_once.limit[:] = LIMIT
    top = np.full(minutes, 90.0)
    at_once.update(
        Minutes(
            worker=np.zeros(minutes, np.int64),
            minute=np.arange(minutes)[::-1],
            top=top,
            mean=top,
            is_saturated=np.zeros(minutes, np.bool_),
        )
    )
    assert bool(at_once.is_opaque[0]) is follow(top)[-1]


def test_a_cleared_worker_is_like_a_new_one():
    plateaus = Plateaus()
    plateaus.grow(1)
    plateaus.limit[:] = LIMIT
    follow([90.0] * 12, plateaus=plateaus)
    plateaus.clear(np.array([0]))
    fresh = Plateaus()
    fresh.grow(1)
    for name, column in vars(fresh).items():
        assert np.array_equal(getattr(plateaus, name), column, equal_nan=column.dtype == float)
