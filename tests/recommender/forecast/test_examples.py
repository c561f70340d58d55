"""What the fleet's model is trained on."""

import numpy as np

from recommender.forecast.examples import MOST_ROWS, ROWS_PER_BLOCK, Examples
from recommender.forecast.lesson import OF_BLOCKS

SERIES = 200


def examples_of(blocks, order=None):
    """Return the examples of some blocks; ``order`` is that of the series."""
    random = np.random.default_rng(1)
    examples = Examples(288, OF_BLOCKS)
    for _ in range(blocks):
        features = random.normal(size=(SERIES, 10)).astype(np.float32)
        outcome = random.gamma(2.0, 0.2, (SERIES, 1))
        picked = np.arange(SERIES) if order is None else order
        examples.add(features[picked], outcome[picked])
    return examples


def test_each_block_gives_some_of_its_series():
    assert examples_of(3).rows == 3 * ROWS_PER_BLOCK


def test_of_many_blocks_each_gives_fewer_and_none_is_left_out():
    examples = examples_of(MOST_ROWS // ROWS_PER_BLOCK + 10)
    sizes = {len(outcome) for _, outcome in examples.blocks}
    assert examples.rows <= MOST_ROWS
    assert sizes == {ROWS_PER_BLOCK // 2}


def test_which_rows_are_taken_does_not_depend_on_the_order_of_series():
    order = np.random.default_rng(2).permutation(SERIES)
    for own, other in zip(examples_of(20).table(), examples_of(20, order).table(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_two_weeks_of_a_fleet_fit():
    examples = examples_of(14 * 288 + 5)
    assert 0.5 * MOST_ROWS < examples.rows <= MOST_ROWS
    assert len(examples.blocks) == 14 * 288


def test_workloads_that_rest_and_differ_by_their_days_alone_are_drawn_whatever_their_order():
    features = np.zeros((SERIES, 10), np.float32)
    features[:, -1] = np.arange(SERIES)
    drawn = []
    for order in (np.arange(SERIES), np.random.default_rng(2).permutation(SERIES)):
        examples = Examples(288, OF_BLOCKS)
        examples.add(features[order], np.zeros((SERIES, 1)))
        drawn.append(examples.table()[0])
    np.testing.assert_array_equal(*drawn)
