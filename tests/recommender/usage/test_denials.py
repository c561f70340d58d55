from __future__ import annotations

import numpy as np

from recommender.usage.denials import Denials

NOW_S = 1_700_006_400


def log(*events):
    made = Denials()
    for row, ts, count in events:
        made.add(np.array([row]), np.array([ts]), np.array([float(count)]), now_s=ts + 20)
    return made


def since(denials, since_s, workloads=2):
    return denials.since(np.full(workloads, since_s), workloads).tolist()


def test_an_empty_log_has_no_denials():
    assert since(log(), 0) == [0.0, 0.0]


def test_events_at_or_after_the_time_count_per_workload():
    denials = log((0, 100, 2), (0, 200, 3), (1, 150, 1))
    assert since(denials, 150) == [3.0, 1.0]


def test_an_event_that_comes_again_counts_once_with_the_larger_count():
    assert since(log((0, 100, 2), (0, 100, 5), (0, 100, 1)), 0) == [5.0, 0.0]


def test_counts_that_are_no_positive_number_are_no_events():
    bad = (0.0, -3.0, float("nan"), float("inf"))
    assert since(log(*((0, 100 + i, count) for i, count in enumerate(bad))), 0) == [0.0, 0.0]


def test_folding_keeps_the_last_hour_exact_and_the_week_by_hours():
    hour = NOW_S - 86400
    denials = log(
        (0, NOW_S - 8 * 86400, 7), (0, hour + 10, 1), (0, hour + 20, 2), (0, NOW_S - 60, 4)
    )
    denials.fold(NOW_S)
    assert denials.ts.tolist() == [hour, NOW_S - 60]
    assert denials.count.tolist() == [3.0, 4.0]


def test_clearing_forgets_one_workload():
    denials = log((0, 100, 2), (1, 100, 3))
    denials.clear(np.array([0]))
    assert since(denials, 0) == [0.0, 3.0]


def test_an_event_is_new_from_its_arrival_on_however_late_it_came():
    denials = Denials()
    denials.add(np.array([0]), np.array([100]), np.array([2.0]), now_s=160)
    assert denials.new(np.array([150]), np.array([0]), 1).tolist() == [2.0]
    assert denials.new(np.array([160]), np.array([0]), 1).tolist() == [0.0]


def test_an_event_that_is_delivered_again_is_not_new_again():
    denials = Denials()
    for now_s in (115, 130):
        denials.add(np.array([0]), np.array([100]), np.array([2.0]), now_s=now_s)
    assert denials.new(np.array([115]), np.array([0]), 1).tolist() == [0.0]


def test_old_events_of_a_history_are_not_new():
    denials = Denials()
    denials.add(np.array([0, 0]), np.array([100, 900]), np.ones(2), now_s=1000)
    assert denials.new(np.array([0]), np.array([500]), 1).tolist() == [1.0]
