from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.usage.recent import RecentSamples

NOW_S = 1_700_006_400


def recent(*samples, workers=1):
    """Return samples of worker 0, given as (seconds before now, demand)."""
    made = RecentSamples()
    made.grow(workers)
    for age_s, demand in samples:
        put(made, NOW_S - age_s, demand)
    return made


def put(into, ts, demand, *, worker=0, saturated=False, share=np.nan):
    columns = np.array([worker]), np.array([ts]), np.array([demand]), np.array([saturated])
    into.remember(*columns, np.array([share]))
    return into.put(*columns)


def plain_burst(samples):
    """max(EWMA of 30 s + 3 sigma, highest of 60 s) by the definition."""
    held = [(age_s, value) for age_s, value in samples if age_s <= 120]
    if len(held) < 3:
        return math.nan
    weights = [math.exp(-age_s / 30.0) for age_s, _ in held]
    total = sum(weights)
    mean = sum(w * v for w, (_, v) in zip(weights, held, strict=True)) / total
    spread = sum(w * (v - mean) ** 2 for w, (_, v) in zip(weights, held, strict=True))
    highest = max((value for age_s, value in held if age_s <= 60), default=-math.inf)
    return max(mean + 3 * math.sqrt(spread / total), highest)


def test_burst_of_constant_use_is_that_use():
    assert recent(*((age, 8.0) for age in range(15, 121, 15))).burst(NOW_S)[0] == pytest.approx(8.0)


def test_one_peak_in_the_last_minute_counts_in_full():
    made = recent((75, 1.0), (60, 1.0), (45, 50.0), (30, 1.0), (15, 1.0))
    assert made.burst(NOW_S)[0] >= 50.0


def test_burst_needs_three_samples_in_two_minutes():
    assert np.isnan(recent((30, 1.0), (15, 1.0)).burst(NOW_S)[0])
    assert np.isnan(recent((300, 1.0), (30, 1.0), (15, 1.0)).burst(NOW_S)[0])


_ages = st.lists(
    st.integers(1, 60).map(lambda slot: slot * 5), min_size=1, max_size=24, unique=True
)


@given(_ages, st.data())
def test_burst_agrees_with_a_plain_computation(ages, data):
    samples = [(age, data.draw(st.floats(0.0, 1000.0, width=32))) for age in ages]
    made = recent(*sorted(samples, reverse=True))
    expected = plain_burst(samples)
    assert made.burst(NOW_S)[0] == pytest.approx(expected, rel=1e-3, abs=1e-3, nan_ok=True)


def test_the_last_three_samples_are_kept_whatever_their_distance():
    made = recent((9000, 1.0), (7000, 2.0), (4000, 3.0), (100, 4.0))
    assert made.last_three[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert made.last_sample_s.tolist() == [NOW_S - 100]


def test_samples_of_one_call_are_remembered_in_the_order_of_time():
    made = recent()
    ts = NOW_S - np.array([30, 120, 60, 90])
    demand, saturated = np.array([4.0, 1.0, 3.0, 2.0]), np.zeros(4, np.bool_)
    made.remember(np.zeros(4, np.int64), ts, demand, saturated, 10.0 * demand)
    assert made.last_three[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert made.last_share.tolist() == [40.0]


def test_the_share_of_the_newest_sample_is_kept():
    made = recent()
    for ts, share in ((60, 5.0), (30, 8.0), (45, 9.0)):
        put(made, NOW_S - ts, 1.0, share=share)
    assert made.last_share.tolist() == [8.0]
    put(made, NOW_S - 30, 1.0, share=np.nan)
    assert made.last_share.tolist() == [8.0]
    made.clear(np.array([0]))
    assert np.isnan(made.last_share).tolist() == [True]


def test_older_samples_do_not_displace_the_last_three():
    made = recent((60, 1.0), (30, 2.0), (45, 9.0))
    assert made.last_three[1:, 0].tolist() == [1.0, 2.0]


def test_the_newest_sample_grows_when_it_comes_again_larger():
    made = recent((30, 2.0), (15, 3.0))
    put(made, NOW_S - 15, 7.0, saturated=True)
    assert made.last_three[1:, 0].tolist() == [2.0, 7.0]
    assert made.last_is_saturated.tolist() == [True]
    put(made, NOW_S - 15, 1.0)
    assert made.last_three[1:, 0].tolist() == [2.0, 7.0]
    assert made.last_is_saturated.tolist() == [True]


def test_duplicates_are_counted_across_and_within_calls():
    made = recent((15, 1.0))
    ts = np.full(3, NOW_S - 30)
    assert put(made, NOW_S - 15, 2.0) == 1
    assert made.put(np.zeros(3, np.int64), ts, np.arange(3.0), np.zeros(3, np.bool_)) == 2


def test_highest_since_looks_at_its_window_only():
    made = recent((200, 9.0), (100, 4.0), (20, 2.0))
    assert made.highest_since(NOW_S - 120).tolist() == [4.0]
    assert made.highest_since(NOW_S - 300).tolist() == [9.0]
    assert np.isnan(made.highest_since(NOW_S - 10)[0])


def test_taking_out_removes_what_it_returns():
    made = recent((100, 4.0), (20, 2.0))
    worker, ts, demand, saturated = made.take_out(NOW_S - 120, NOW_S - 60)
    assert (worker.tolist(), ts.tolist(), demand.tolist()) == ([0], [NOW_S - 100], [4.0])
    assert saturated.tolist() == [False]
    assert made.samples_between(0, NOW_S)[1].tolist() == [NOW_S - 20]


def test_a_cleared_worker_is_like_a_new_one():
    made = recent((30, 1.0), (20, 2.0), (10, 3.0), workers=2)
    put(made, NOW_S - 10, 5.0, worker=1)
    made.clear(np.array([0]))
    assert np.isnan(made.highest_since(NOW_S - 300)[0])
    assert np.isnan(made.last_three[:, 0]).all()
    assert made.last_sample_s.tolist() == [-1, NOW_S - 10]
