"""The times of requests are those of who waits for the answer."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.benchmarks.latencies import at_rate, p50_p99

WORK_S = 0.05


def test_half_of_all_times_are_below_the_median_and_one_in_a_hundred_above_the_other():
    assert p50_p99(range(101)) == {"p50_s": 50, "p99_s": 99}


def test_all_are_asked_in_turn():
    asked = []
    with ThreadPoolExecutor(1) as executor:
        times_s = at_rate(
            [lambda: asked.append("a"), lambda: asked.append("b")] * 2,
            every_s=0.0,
            executor=executor,
        )
    assert asked == ["a", "b", "a", "b"]
    assert len(times_s) == 4


def test_who_has_to_wait_for_those_before_is_slower_by_as_much():
    with ThreadPoolExecutor(1) as executor:
        times_s = at_rate([lambda: time.sleep(WORK_S)] * 3, every_s=0.0, executor=executor)
    assert times_s[2] >= 3 * WORK_S


def test_a_failure_is_raised():
    with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError):
        at_rate([lambda: 1 / 0], every_s=0.0, executor=executor)
