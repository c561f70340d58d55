from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.usage.rings import TimeRing


def ring(length=4, rows=2):
    made = TimeRing(60, length, np.float32, np.nan)
    made.grow(rows)
    return made


def put(into, block, value, row=0):
    into.put(np.array([block]), np.array([row]), np.array([value]))


def test_a_new_ring_holds_nothing():
    made = ring()
    assert made.newest == -1
    assert made.window(0, 100).shape == (0, 2)


def test_blocks_are_read_oldest_first_wherever_they_lie():
    made = ring()
    for block in (7, 9, 8):
        put(made, block, float(block))
    assert made.window(7, 10)[:, 0].tolist() == [7.0, 8.0, 9.0]


def test_a_new_block_takes_the_place_of_the_one_a_ring_length_before():
    made = ring()
    put(made, 1, 1.0, row=0)
    put(made, 5, 5.0, row=1)
    assert made.window(0, 6)[:, 1].tolist() == [5.0]
    assert np.isnan(made.window(5, 6)[0, 0])


def test_blocks_that_the_ring_has_moved_past_are_left_out():
    made = ring()
    put(made, 10, 1.0)
    put(made, 6, 2.0)
    assert made.slots(np.array([6, 10])).tolist() == [-1, 2]
    assert made.window(0, 11)[:, 0].tolist() == [1.0]


def test_one_call_may_span_more_than_the_ring():
    made = ring()
    blocks = np.arange(100)
    made.put(blocks, np.zeros(100, np.int64), blocks.astype(np.float64))
    assert made.window(0, 100)[:, 0].tolist() == [96.0, 97.0, 98.0, 99.0]


@given(st.lists(st.integers(0, 12), max_size=8), st.lists(st.integers(0, 12), max_size=8))
def test_rows_that_come_later_are_as_if_they_had_always_been_there(early, late):
    grown, whole = ring(rows=1), ring(rows=3)
    for block in early:
        for made in (grown, whole):
            put(made, block, float(block))
    grown.grow(3)
    for block in late:
        for made in (grown, whole):
            put(made, block, float(block), row=2)

    np.testing.assert_array_equal(grown.window(0, 13), whole.window(0, 13))
    np.testing.assert_array_equal(grown.block, whole.block)


def test_a_row_that_is_emptied_holds_nothing_and_its_neighbours_keep_theirs():
    made = ring()
    for row in (0, 1):
        put(made, 3, 5.0, row=row)
    made.clear(np.array([0]))

    assert np.isnan(made.window(3, 4)[0, 0])
    assert made.window(3, 4)[0, 1] == 5.0


def test_a_window_before_the_epoch_holds_nothing():
    made = ring()
    put(made, 0, 1.0)
    assert made.window(-3, 0).shape == (0, 2)
    assert made.window(-3, 1)[:, 0].tolist() == [1.0]


def test_a_window_far_past_the_newest_block_still_reaches_what_is_held():
    made = ring()
    put(made, 3, 3.0)
    assert made.window(0, 1000)[:, 0].tolist() == [3.0]


def test_values_of_blocks_that_are_not_held_read_as_empty():
    made = TimeRing(300, 4, np.uint8, 0)
    made.grow(1)
    put(made, 3, 9)
    assert made.at(np.array([3, 7]), np.array([0, 0])).tolist() == [9, 0]


def test_growing_keeps_values_and_clearing_removes_one_row():
    made = ring(rows=1)
    put(made, 3, 3.0)
    made.grow(2)
    put(made, 3, 4.0, row=1)
    made.clear(np.array([0]))
    assert np.isnan(made.window(3, 4)[0, 0])
    assert made.window(3, 4)[0, 1] == 4.0


def test_no_blocks_need_no_slots():
    assert ring().slots(np.empty(0, np.int64)).tolist() == []


def test_what_is_added_to_one_place_twice_counts_twice():
    made = TimeRing(60, 4, np.uint8, 0)
    made.grow(2)
    for _ in range(2):
        made.add(np.array([7, 7, 8]), np.array([0, 0, 1]), np.array([2, 3, 0]))
    assert made.window(7, 9).tolist() == [[10, 0], [0, 0]]


def test_nothing_is_added_to_blocks_that_the_ring_has_moved_past():
    made = TimeRing(60, 4, np.uint8, 0)
    made.grow(1)
    made.add(np.array([10, 6]), np.array([0, 0]), np.array([1, 5]))
    assert made.window(0, 11).tolist() == [[1]]
