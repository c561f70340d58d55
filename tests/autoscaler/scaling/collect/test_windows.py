from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.collect.windows import MOST_SAMPLES, PARTS_S, shorter_part_s, window_from

NOON = 1_767_571_200 + 12 * 3600
DAY = 86400


def _windows(begin_s, end_s, *, step_s=15, part_s=DAY):
    made = []
    while begin_s < end_s:
        made.append(window_from(begin_s, end_s, step_s=step_s, part_s=part_s))
        begin_s = made[-1].end_s
    return made


def test_what_is_recent_is_read_at_once_in_the_wanted_step():
    (window,) = _windows(NOON - 600, NOON)

    assert (window.start_s, window.end_s, window.step_s) == (NOON - 600, NOON, 15)
    assert not window.is_history


def test_a_history_is_read_by_minutes_up_to_midnight_and_then_its_end_as_it_is():
    windows = _windows(NOON - DAY - 90, NOON + 7)

    assert [(w.start_s - NOON, w.end_s - NOON, w.step_s) for w in windows] == [
        (-DAY - 120, -DAY // 2, 60),
        (-DAY // 2, -600, 60),
        (-600, 7, 15),
    ]
    assert [w.is_before_tail for w in windows] == [False, True, False]


def test_a_wanted_step_above_a_minute_is_the_step_of_the_history_too():
    windows = _windows(NOON - 7200, NOON, step_s=300)

    assert {w.step_s for w in windows} == {300}


@given(
    st.integers(0, 40 * DAY),
    st.integers(1, 20 * DAY),
    st.sampled_from(PARTS_S),
    st.sampled_from([5, 15, 30, 60, 300]),
)
def test_windows_cover_every_second_once(begin, length, part_s, step_s):
    begin_s, end_s = NOON + begin, NOON + begin + length

    windows = _windows(begin_s, end_s, part_s=max(part_s, 900), step_s=step_s)

    assert windows[-1].end_s == end_s
    assert not windows[-1].is_history
    for before, after in itertools.pairwise(windows):
        assert before.is_history
        assert before.end_s == after.start_s
        assert before.end_s - before.start_s <= part_s + max(60, step_s)
        assert before.end_s % max(60, step_s) == 0
    assert begin_s - max(60, step_s) < windows[0].start_s <= begin_s


def test_parts_become_shorter_where_they_bring_too_much_and_always_divide_a_day():
    (window,) = _windows(NOON - DAY, NOON - DAY // 2)[:1]
    length_s = window.end_s - window.start_s

    assert shorter_part_s(DAY, window, MOST_SAMPLES) == DAY
    assert shorter_part_s(DAY, window, 3 * MOST_SAMPLES) <= length_s // 3
    assert shorter_part_s(3600, window, 3 * MOST_SAMPLES) == 3600
    assert shorter_part_s(DAY, window, 10**6 * MOST_SAMPLES) == PARTS_S[-1]
    assert all(DAY % part_s == 0 for part_s in PARTS_S)
