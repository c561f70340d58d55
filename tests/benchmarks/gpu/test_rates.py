"""Rates from reports, and when a rate has settled."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.gpu.experiments.changes import settle_s
from tests.benchmarks.gpu.loads import NS, Report, rate_per_s

STEP_NS = NS // 50


def reports_of(per_s, until_s, *, from_s=0.0, ended=0, batch=1):
    """Return reports of a steady rate, in whole batches."""
    reports = []
    for at_ns in range(round(from_s * NS), round(until_s * NS), STEP_NS):
        done = per_s * (at_ns / NS - from_s)
        reports.append(Report(at_ns, ended + int(done / batch) * batch))
    return reports


def rates_of(reports):
    """Return how the rate between two times is asked for."""
    return partial(rate_per_s, reports)


@given(per_s=st.floats(20, 1e6), batch=st.integers(1, 50))
def test_a_steady_rate_is_read_within_two_reports_however_it_is_batched(per_s, batch):
    reports = reports_of(per_s, 20.0, batch=min(batch, max(int(per_s / 4), 1)))
    assert rate_per_s(reports, 0, 20 * NS) == pytest.approx(per_s, rel=0.05)


def test_who_does_nothing_has_a_rate_of_zero():
    assert rate_per_s([], 0, NS) == 0.0
    assert rate_per_s(reports_of(0.0, 1.0), 0, NS) == 0.0


def test_what_is_outside_the_window_does_not_count():
    slow = reports_of(100.0, 1.0)
    fast = reports_of(1000.0, 2.0, from_s=1.0, ended=100)
    assert rate_per_s(slow + fast, NS, 2 * NS) == pytest.approx(1000.0, rel=0.01)


def test_a_rate_that_is_right_at_once_has_settled_at_once():
    assert settle_s(rates_of(reports_of(500.0, 3.0)), 1000.0, 50, 0, 3 * NS) == 0.0


def test_a_rate_settles_when_its_last_wrong_quarter_of_a_second_is_over():
    late = reports_of(1000.0, 1.0) + reports_of(500.0, 3.0, from_s=1.0, ended=1000)
    assert 0.7 < settle_s(rates_of(late), 1000.0, 50, 0, 3 * NS) <= 1.02


def test_a_rate_that_stays_wrong_settles_in_none_of_the_time():
    assert settle_s(rates_of(reports_of(900.0, 3.0)), 1000.0, 50, 0, 3 * NS) > 2.7
