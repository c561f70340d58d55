import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.agent.simulator.laws.tensorfusion_go import (
    CODE_GAINS,
    HELM_GAINS,
    TensorFusionGo,
    price_by_threads,
)
from tests.autoscaler.agent.simulator.laws.token_law import Reading
from tests.autoscaler.agent.simulator.scripts import KERNEL_11_MS, Kernel

PERIOD_S = 0.5
RATIOS = st.floats(0, 1)


def reading(device_ratio: float) -> Reading:
    return Reading(device_ratio=device_ratio, worker_ratio=0.0)


def test_a_matrix_product_of_few_large_blocks_is_nearly_free():
    assert price_by_threads(KERNEL_11_MS) == pytest.approx(1.28, abs=0.005)


def test_above_two_million_threads_every_launch_costs_the_same():
    huge = Kernel(length_ns=1, blocks=20_000, threads_per_block=1024)
    assert price_by_threads(huge) == pytest.approx(10, abs=0.001)


def test_the_smallest_rate_of_the_chart_lets_69_percent_of_long_kernels_through():
    launches_per_s = HELM_GAINS.rate_range_per_s[0] / price_by_threads(KERNEL_11_MS)
    assert launches_per_s * KERNEL_11_MS.length_ns / 1e9 == pytest.approx(0.69, abs=0.01)


def test_an_idle_device_raises_the_rate_by_35_percent():
    law = TensorFusionGo(limit_ratio=0.5)
    law.refilled(0, reading(0), PERIOD_S)
    assert law.rate_per_s == pytest.approx(135)


def test_within_the_dead_band_the_rate_stays():
    law = TensorFusionGo(limit_ratio=0.5)
    law.refilled(0, reading(0.52), PERIOD_S)
    assert law.rate_per_s == 100


def test_a_limit_between_two_percents_is_the_higher_one():
    whole, between = TensorFusionGo(limit_ratio=0.5), TensorFusionGo(limit_ratio=0.501)
    for law in (whole, between):
        law.refilled(0, reading(0.475), PERIOD_S)
    assert whole.rate_per_s == 100
    assert between.rate_per_s > 100


def test_a_full_device_drains_tokens_down_to_the_reserve():
    law = TensorFusionGo(limit_ratio=0.5, rate_per_s=1000)
    assert law.refilled(0, reading(1), PERIOD_S) == pytest.approx(750 * 0.5 * 0.6)


@given(st.lists(RATIOS, min_size=1, max_size=60), RATIOS)
def test_the_rate_moves_within_its_slew_and_its_bounds(ratios: list[float], limit: float):
    law = TensorFusionGo(limit_ratio=limit)
    tokens = 0.0
    for ratio in ratios:
        before = law.rate_per_s
        tokens = law.refilled(tokens, reading(ratio), PERIOD_S)
        assert before * 0.7499 <= law.rate_per_s <= before * 1.3501
        assert CODE_GAINS.rate_range_per_s[0] * 0.75 <= law.rate_per_s <= 200_000
        assert tokens >= 0
