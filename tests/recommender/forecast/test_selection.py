"""Who costs least lately counts most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.outcome import outcome_of
from recommender.forecast.selection import Losses, shares_of

LEVEL = 0.9
DAY = 24


def judged(losses, uppers, outcome, *, asked=LEVEL):
    """Let outcomes ``[n, S]`` come of the same forecasts ``[E, S]`` each time."""
    series = outcome.shape[1]
    for came in outcome:
        losses.add(
            uppers,
            (uppers[0], uppers.mean(axis=0)),
            outcome_of(came[None]),
            level=np.full(series, LEVEL),
            asked=np.full(series, asked),
            scale=np.ones(series),
            day=DAY,
        )
    return losses


def shares(losses):
    """Return how much each expert counts where all do."""
    costs = losses.costs()
    return shares_of(costs, np.ones(costs.shape, np.bool_))


def test_before_any_outcome_all_count_alike():
    np.testing.assert_allclose(shares(Losses.empty(4, 2)), 0.25)


def test_who_is_nearer_to_the_quantile_counts_more():
    outcome = np.random.default_rng(1).uniform(0.0, 1.0, (200, 1))
    uppers = np.array([[0.9], [0.2], [3.0]])
    share = shares(judged(Losses.empty(3, 1), uppers, outcome))[:, 0]
    assert share[0] > 0.9
    assert share.sum() == 1.0


def test_what_cannot_be_judged_changes_nothing():
    losses = judged(Losses.empty(2, 1), np.array([[1.0], [2.0]]), np.full((5, 1), 1.5))
    before = shares(losses)
    judged(losses, np.array([[1.0], [np.nan]]), np.full((5, 1), 1.5))
    judged(losses, np.array([[1.0], [2.0]]), np.full((5, 1), np.nan))
    np.testing.assert_array_equal(shares(losses), before)
    np.testing.assert_array_equal(losses.windows, [5.0])


def test_a_series_without_a_past_follows_the_fleet():
    outcome = np.full((100, 2), 1.0)
    outcome[:, 1] = np.nan
    uppers = np.array([[1.0, 1.0], [2.0, 2.0]])
    share = shares(judged(Losses.empty(2, 2), uppers, outcome))
    assert share[0, 1] > 0.9


def test_those_who_count_are_compared_among_themselves():
    # The first one knew that the workload rests, and the others are off by far more than it.
    uppers = np.array([[0.0], [0.1], [0.2]])
    costs = judged(Losses.empty(3, 1), uppers, np.zeros((50, 1))).costs()
    counts = np.array([[False], [True], [True]])

    share = shares_of(costs, counts)[:, 0]

    assert share[0] == 0.0
    assert share[1] > share[2]
    assert share.sum() == 1.0
    np.testing.assert_array_equal(shares_of(costs, np.zeros((3, 1), np.bool_)), 0.0)


@given(
    uppers=st.lists(st.floats(0, 100), min_size=2, max_size=5),
    outcome=st.lists(st.floats(0, 100), min_size=1, max_size=8),
)
def test_shares_are_a_whole(uppers, outcome):
    column = np.array(uppers)[:, None]
    share = shares(judged(Losses.empty(len(uppers), 1), column, np.array(outcome)[:, None]))
    np.testing.assert_allclose(share.sum(axis=0), 1.0)
    assert (share >= 0).all()


@pytest.mark.parametrize(
    ("asked", "half_life_days"),
    [(0.95, 1.0), (0.98, 1.0), (0.995, 2.083), (0.9965, 2.976), (0.999, 4.0), (1.0, 4.0)],
)
def test_the_rarer_a_minute_above_is_the_longer_it_is_remembered(asked, half_life_days):
    came = np.full((1, 1), 2.0)
    losses = judged(Losses.empty(1, 1), np.ones((1, 1)), came, asked=asked)
    [[first]] = losses.experts
    uppers = np.full((1, 1), 2.0)
    judged(losses, uppers, np.full((DAY, 1), 2.0), asked=asked)
    assert losses.experts[0, 0] / first == pytest.approx(0.5 ** (1 / half_life_days), rel=1e-3)
