from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import ApiUnavailableError, ThrottledError, UsageError
from autoscaler.kube.write_budget import (
    LOWEST_SHARE,
    LOWEST_SLOW_SHARE,
    URGENT_PER_OTHER,
    WriteBudget,
)
from tests.autoscaler.kube.steady_clock import SteadyClock

QUICK_S = 0.005


def budget_at(rate_per_s=200.0, **others):
    clock = SteadyClock()
    return WriteBudget(rate_per_s, monotonic_s=clock, wait=clock.wait, **others), clock


def write_for(budget, clock, seconds, latency_s=QUICK_S):
    """Write as fast as is allowed; return the number of writes."""
    end_s = clock.now_s + seconds
    written = 0
    while clock.now_s < end_s:
        if not budget.take(end_s - clock.now_s):
            clock.now_s = end_s
            break
        budget.observed(latency_s, was_throttled=False)
        written += 1
    return written


def test_a_burst_goes_at_once_and_then_the_rate_holds():
    budget, clock = budget_at(200.0)
    start_s = clock.now_s
    assert all(budget.take(0) for _ in range(200))
    assert not budget.take(0)
    assert clock.now_s == start_s
    assert write_for(budget, clock, 10.0) == pytest.approx(2000, abs=2)


def test_a_write_that_would_wait_too_long_is_refused_at_once():
    budget, clock = budget_at(2.0)
    assert (budget.take(0), budget.take(0)) == (True, True)
    start_s = clock.now_s
    assert not budget.take(0.4)
    assert clock.now_s == start_s
    assert budget.take(0.6)
    assert clock.now_s - start_s == pytest.approx(0.5)
    assert budget.snapshot().refused == 1


def test_an_answer_429_halves_the_rate_and_calm_brings_it_back():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 5.0)
    budget.observed(QUICK_S, was_throttled=True)
    assert budget.snapshot().rate_per_s == 100.0
    write_for(budget, clock, 5.0)
    assert 100.0 < budget.snapshot().rate_per_s < 200.0
    write_for(budget, clock, 10.0)
    assert budget.snapshot().rate_per_s == 200.0


def test_many_answers_429_of_one_moment_are_one_sign():
    budget, _ = budget_at(200.0)
    for _ in range(50):
        budget.observed(QUICK_S, was_throttled=True)
    assert budget.snapshot().rate_per_s == 100.0
    assert budget.snapshot().throttled == 50


def test_nothing_is_allowed_for_as_long_as_the_server_asks():
    budget, clock = budget_at(200.0)
    start_s = clock.now_s
    budget.observed(QUICK_S, was_throttled=True, retry_after_s=7.0)
    assert budget.snapshot().paused_s == 7.0
    assert not budget.take(6.9)
    assert clock.now_s == start_s
    assert budget.take(7.1)
    assert clock.now_s - start_s == pytest.approx(7.0)
    assert budget.snapshot().rate_per_s == 100.0  # a pause is no calm


def test_a_server_that_asks_for_an_hour_is_asked_again_after_a_minute():
    budget, _ = budget_at()
    budget.observed(QUICK_S, was_throttled=True, retry_after_s=3600.0)
    assert budget.snapshot().paused_s == 60.0


def test_a_server_that_becomes_slow_is_written_to_less():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 10.0, latency_s=0.02)
    assert budget.snapshot().rate_per_s == 200.0
    assert budget.snapshot().baseline_s == 0.02
    write_for(budget, clock, 5.0, latency_s=0.2)
    assert budget.snapshot().rate_per_s < 120.0
    write_for(budget, clock, 30.0, latency_s=0.02)
    assert budget.snapshot().rate_per_s == 200.0


def test_a_server_that_is_always_slow_is_not_punished_for_it():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 60.0, latency_s=0.3)
    assert budget.snapshot().rate_per_s == 200.0


def test_a_server_that_stays_slower_is_the_new_normal_after_a_minute():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 10.0, latency_s=0.02)
    write_for(budget, clock, 120.0, latency_s=0.2)
    assert budget.snapshot().rate_per_s == 200.0


def test_three_milliseconds_in_place_of_one_are_no_overload():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 5.0, latency_s=0.001)
    write_for(budget, clock, 5.0, latency_s=0.02)
    assert budget.snapshot().rate_per_s == 200.0


def test_the_rate_never_falls_below_its_floor():
    budget, clock = budget_at(200.0)
    for _ in range(100):
        budget.observed(QUICK_S, was_throttled=True)
        clock.wait(1.0)
    assert budget.snapshot().rate_per_s >= 200.0 * LOWEST_SHARE
    assert budget.take(1.0)


def test_a_slow_server_that_does_not_ask_to_wait_is_still_written_to_at_a_quarter():
    budget, clock = budget_at(200.0)
    write_for(budget, clock, 10.0, latency_s=0.02)
    for step in range(1, 40):
        write_for(budget, clock, 1.0, latency_s=0.02 * 4**step)
    assert budget.snapshot().rate_per_s == 200.0 * LOWEST_SLOW_SHARE


def test_what_is_not_urgent_leaves_half_of_the_bucket_to_what_is():
    budget, clock = budget_at(200.0)
    assert sum(budget.take(0, is_urgent=False) for _ in range(500)) == 100
    assert sum(budget.take(0) for _ in range(500)) == 100
    clock.wait(0.25)
    assert not budget.take(0, is_urgent=False)
    assert budget.take(0)


def test_what_is_not_urgent_gets_the_whole_rate_where_nothing_is_urgent():
    budget, clock = budget_at(200.0)
    start_s = clock.now_s
    assert sum(budget.take(60.0, is_urgent=False) for _ in range(1000)) == 1000
    assert clock.now_s - start_s == pytest.approx((1000 - 100) / 200.0, abs=0.01)


def test_what_is_not_urgent_stands_back_at_once_while_urgent_writes_are_under_way():
    budget, clock = budget_at(200.0)
    start_s = clock.now_s
    with budget.observing(is_urgent=True):
        assert budget.take(0.25, is_urgent=False)
        with budget.observing(is_urgent=True):
            assert not budget.take(0.25, is_urgent=False)
            assert budget.take(0)
    assert budget.take(0.25, is_urgent=False)
    assert clock.now_s == start_s
    assert budget.snapshot().refused == 1


def test_of_many_urgent_writes_each_eighth_is_followed_by_one_that_is_not():
    budget, _ = budget_at(200.0)
    with budget.observing(is_urgent=True), budget.observing(is_urgent=True):
        order = []
        for _ in range(3 * URGENT_PER_OTHER):
            assert budget.take(0)
            order.append(budget.take(0, is_urgent=False))

    assert order == [*[False] * (URGENT_PER_OTHER - 1), True] * 3


def test_urgent_writes_that_failed_are_no_longer_under_way():
    budget, _ = budget_at(200.0)
    for _ in range(3):
        with suppress(ApiUnavailableError), budget.observing(is_urgent=True):
            raise ApiUnavailableError("no answer")

    assert budget.take(0, is_urgent=False)


def test_a_budget_of_one_write_a_second_serves_what_is_not_urgent_too():
    budget, _ = budget_at(1.0)
    assert sum(budget.take(3.0, is_urgent=False) for _ in range(3)) == 3


def test_a_night_without_writes_costs_nothing_and_leaves_one_burst():
    budget, clock = budget_at(200.0)
    clock.wait(86_400.0 * 365)
    assert sum(budget.take(0) for _ in range(500)) == 200


def test_what_is_written_within_is_observed_whatever_it_raises():
    budget, clock = budget_at(200.0)
    with pytest.raises(ThrottledError), budget.observing():
        raise ThrottledError("wait", retry_after_s=3.0)
    assert budget.snapshot().paused_s == 3.0
    clock.wait(10.0)
    with suppress(ApiUnavailableError), budget.observing():
        clock.wait(0.3)
        raise ApiUnavailableError("gone")
    with budget.observing():
        clock.wait(0.1)
    clock.wait(1.0)
    assert budget.snapshot().baseline_s == pytest.approx(0.2)


@pytest.mark.parametrize("rate_per_s", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_not_above_zero_is_refused(rate_per_s):
    with pytest.raises(UsageError, match=r"write rate: .* allowed: any above 0"):
        WriteBudget(rate_per_s)


def test_threads_share_one_budget():
    clock = SteadyClock()
    budget = WriteBudget(100.0, monotonic_s=clock, wait=clock.wait)
    with ThreadPoolExecutor(8) as threads:
        allowed = sum(threads.map(lambda _: budget.take(0), range(400)))
    assert allowed == 100


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 3)),
        st.tuples(st.just("take"), st.floats(0, 2)),
        st.tuples(st.just("burst"), st.just(60)),
        st.tuples(st.just("latency"), st.floats(0, 2)),
        st.tuples(st.just("throttled"), st.floats(0, 5)),
    ),
    max_size=60,
)


@given(st.floats(0.5, 50), STEPS)
def test_no_window_holds_more_than_the_rate_and_one_burst(rate_per_s, steps):
    budget, clock = budget_at(rate_per_s)
    writes_s = []
    for what, number in steps:
        if what == "wait":
            clock.wait(number)
        elif what == "latency":
            budget.observed(number, was_throttled=False)
        elif what == "throttled":
            budget.observed(QUICK_S, was_throttled=True, retry_after_s=number)
        else:
            tries, timeout_s = (int(number), 0.0) if what == "burst" else (1, number)
            writes_s += [clock.now_s for _ in range(tries) if budget.take(timeout_s)]
    burst = max(rate_per_s, 1.0)
    for first, start_s in enumerate(writes_s):
        for last in range(first, len(writes_s)):
            window_s = writes_s[last] - start_s
            assert last - first + 1 <= rate_per_s * window_s + burst + 1e-3
    assert LOWEST_SHARE * rate_per_s <= budget.snapshot().rate_per_s <= rate_per_s
