import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.agent.simulator.laws.hami import Hami
from tests.autoscaler.agent.simulator.laws.token_law import Reading

PERIOD_S = 0.12


def reading(worker_ratio: float) -> Reading:
    return Reading(device_ratio=1.0, worker_ratio=worker_ratio)


def test_near_the_limit_a_step_is_that_of_five_points():
    law = Hami(limit_ratio=0.5)
    law.refilled(0, reading(0.5), PERIOD_S)
    assert law.share_blocks == pytest.approx(132**2 * 2048 * 5 / 2560)


def test_the_linear_step_is_smaller_by_the_number_of_multiprocessors():
    squared, linear = Hami(limit_ratio=0.5), Hami(limit_ratio=0.5, is_linear=True)
    for law in (squared, linear):
        law.refilled(0, reading(0.3), PERIOD_S)
    assert squared.share_blocks == pytest.approx(132 * linear.share_blocks)


def test_far_from_the_limit_a_step_is_larger_than_its_distance():
    law = Hami(limit_ratio=0.1, is_linear=True)
    law.refilled(0, reading(0), PERIOD_S)
    assert law.share_blocks == pytest.approx(132 * 2048 * 10 / 2560 * 20 / 11)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 100))
def test_what_is_added_is_never_negative_and_never_more_than_the_pool(
    ratios: list[float], limit_percent: int
):
    law = Hami(limit_ratio=limit_percent / 100)
    pool = 2048 * 132 * 32
    tokens = 0.0
    for ratio in ratios:
        tokens = law.refilled(tokens - 1000, reading(ratio), PERIOD_S)
        assert 0 <= law.share_blocks <= pool
        assert tokens <= pool
