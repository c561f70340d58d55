import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.accounting.boundary import BoundaryGauge


def test_a_mean_begins_at_the_boundary():
    gauge = BoundaryGauge()
    gauge.add(100.0, 105.0, 0.9)
    gauge.add(105.0, 107.0, 0.2)

    assert gauge.mean(107.0) == pytest.approx(0.2)


def test_a_span_across_a_boundary_counts_on_both_sides():
    gauge = BoundaryGauge()
    gauge.add(104.0, 107.0, 0.6)
    gauge.add(107.0, 109.0, 0.1)

    assert gauge.mean(109.0) == pytest.approx((2 * 0.6 + 2 * 0.1) / 4)


def test_right_after_a_boundary_the_span_before_it_counts_as_well():
    gauge = BoundaryGauge()
    gauge.add(100.0, 105.0, 0.5)
    gauge.add(105.0, 105.1, 1.0)

    assert gauge.mean(105.1) == pytest.approx((5 * 0.5 + 0.1) / 5.1)
    assert gauge.mean(106.0) == pytest.approx(1.0)


def test_time_that_nobody_saw_is_left_out():
    gauge = BoundaryGauge()
    gauge.add(102.0, 103.0, 0.5)

    assert gauge.mean(104.9) == pytest.approx(0.5)


def test_nothing_is_shown_of_a_time_of_which_nothing_was_said():
    gauge = BoundaryGauge()
    gauge.add(100.0, 101.0, 0.5)
    gauge.note(100.0, 7.0)

    assert (gauge.mean(111.0), gauge.highest(111.0)) == (None, None)


def test_the_highest_amount_since_the_boundary_is_kept():
    gauge = BoundaryGauge()
    for at_s, amount in ((104.0, 9.0), (105.0, 3.0), (106.0, 5.0), (107.0, 4.0)):
        gauge.note(at_s, amount)

    assert (gauge.highest(105.5), gauge.highest(107.0)) == (9.0, 5.0)


def test_a_clock_that_goes_back_begins_anew():
    gauge = BoundaryGauge()
    gauge.add(1000.0, 1001.0, 0.9)
    gauge.add(100.0, 101.0, 0.2)

    assert gauge.mean(101.0) == pytest.approx(0.2)


@given(
    rates=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=120),
    begin_s=st.floats(1.7e9, 1.7e9 + 10),
)
def test_a_mean_lies_within_what_was_said(rates, begin_s):
    gauge, at_s = BoundaryGauge(), begin_s
    for rate in rates:
        gauge.add(at_s, at_s + 0.1, rate)
        at_s += 0.1

    assert min(rates) - 1e-6 <= gauge.mean(at_s) <= max(rates) + 1e-6
