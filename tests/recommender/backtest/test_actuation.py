import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.backtest.actuation import InForce, put_in_force

NAN = float("nan")
positive = arrays(np.float64, 8, elements=st.floats(0.1, 100))


def in_force(amounts) -> InForce:
    return InForce(since_s=np.array([10, 20, 30]), amounts=np.array(amounts))


def test_a_raise_is_taken_at_once_and_a_small_decrease_is_not():
    after = put_in_force(np.array([10.1, 9.5, 8.0]), np.full(3, 10.0), 0.1)
    assert after.tolist() == [10.1, 10.0, 8.0]


def test_without_a_target_nothing_changes_and_a_first_target_is_always_taken():
    after = put_in_force(np.array([NAN, 3.0]), np.array([2.0, NAN]), 0.1)
    assert after.tolist() == [2.0, 3.0]


@given(positive, positive)
def test_what_is_in_force_is_never_below_a_target(target, current):
    assert (put_in_force(target, current, 0.1) >= target).all()


def test_an_amount_holds_from_its_time_until_the_next_one():
    held = in_force([[1.0], [2.0], [3.0]]).at(np.array([9, 10, 19, 20, 99]), np.array([0]))
    np.testing.assert_array_equal(held, np.float32([[NAN, 1.0, 1.0, 2.0, 3.0]]))


def test_workers_are_given_their_workloads_amounts():
    held = in_force([[1.0, 5.0]] * 3).at(np.array([10]), np.array([1, 0, 1]))
    assert held[:, 0].tolist() == [5.0, 1.0, 5.0]


def test_moves_within_a_percent_are_no_changes():
    assert in_force([[100.0], [100.5], [110.0]]).changes() == pytest.approx([1.0])


def test_a_first_amount_is_no_change():
    assert in_force([[NAN], [5.0], [5.0]]).changes() == pytest.approx([0.0])
