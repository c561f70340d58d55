"""The fleet's model learns quantiles, the same ones each time."""

import numpy as np
import pytest

from recommender.forecast.examples import ROWS_PER_BLOCK, Examples
from recommender.forecast.fleet_model import LEAST_ROWS, train
from recommender.forecast.lesson import OF_BLOCKS, OF_HOURS
from recommender.forecast.outcome import outcome_of


def rows(count, *, seed=0):
    """Return features of which the first says how large the outcome may be, and outcomes."""
    random = np.random.default_rng(seed)
    features = random.uniform(0.0, 1.0, (count, 3)).astype(np.float32)
    return features, features[:, :1] * random.uniform(0.0, 1.0, (count, 1))


def hours(count, *, seed=0):
    """Return the same features, and minutes ``[60, count]`` of hours of which it is true."""
    random = np.random.default_rng(seed)
    features = random.uniform(0.0, 1.0, (count, 3)).astype(np.float32)
    return features, features[:, 0] * random.uniform(0.0, 1.0, (60, count))


def test_so_many_outcomes_are_below_a_quantile_as_it_says():
    features, outcome = rows(20_000)
    model = train(features, outcome, OF_BLOCKS)
    assert model is not None
    new, came = rows(5_000, seed=9)
    covered = (came[:, 0] <= model.quantiles(new)).mean(axis=1)
    np.testing.assert_allclose(covered, OF_BLOCKS.levels, atol=0.015)


def test_of_hours_so_many_minutes_are_below_a_quantile_as_it_says():
    features, minutes = hours(5_000)
    model = train(features, OF_HOURS.of(outcome_of(minutes)), OF_HOURS)
    assert model is not None
    new, came = hours(2_000, seed=9)
    covered = (came <= model.quantiles(new)[:, None]).mean(axis=(1, 2))
    np.testing.assert_allclose(covered, OF_HOURS.levels, atol=0.015)


def test_quantiles_follow_what_they_are_told():
    features, outcome = rows(20_000)
    model = train(features, outcome, OF_BLOCKS)
    assert model is not None
    low, high = model.quantiles(np.array([[0.2, 0.5, 0.5], [0.9, 0.5, 0.5]], np.float32))[0]
    assert low == pytest.approx(0.18, abs=0.04)
    assert high == pytest.approx(0.81, abs=0.06)


def test_quantiles_never_cross():
    features, outcome = rows(2_000)
    model = train(features, outcome, OF_BLOCKS)
    assert model is not None
    assert (np.diff(model.quantiles(features), axis=0) >= 0).all()


def test_the_same_rows_make_the_same_model():
    features, outcome = rows(1_000)
    one, other = train(features, outcome, OF_BLOCKS), train(features, outcome, OF_BLOCKS)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.quantiles(features), other.quantiles(features))


def test_a_column_that_nobody_has_yet_is_no_obstacle():
    features, outcome = rows(1_000)
    features[:, 2] = np.nan
    assert train(features, outcome, OF_BLOCKS) is not None


def test_too_few_rows_make_no_model():
    features, outcome = rows(LEAST_ROWS)
    outcome[0] = np.nan
    assert train(features, outcome, OF_BLOCKS) is None


def test_examples_keep_some_rows_of_each_block_and_all_of_a_small_fleet():
    examples = Examples(24, OF_BLOCKS)
    examples.add(np.ones((1000, 2), np.float32), np.ones((1000, 1)))
    examples.add(np.ones((5, 2), np.float32), np.array([[1.0], [np.nan], [1.0], [1.0], [np.nan]]))
    features, outcome = examples.table()
    assert features.shape == (ROWS_PER_BLOCK + 3, 2)
    assert len(outcome) == ROWS_PER_BLOCK + 3


def test_examples_of_nothing_are_empty():
    features, outcome = Examples(24, OF_BLOCKS).table()
    assert len(features) == len(outcome) == 0


def test_examples_forget_what_is_older_than_two_weeks():
    examples = Examples(24, OF_BLOCKS)
    for block in range(24 * 14 + 1):
        examples.add(np.full((1, 1), block, np.float32), np.ones((1, 1)))
    assert examples.table()[0][0, 0] == 1.0
