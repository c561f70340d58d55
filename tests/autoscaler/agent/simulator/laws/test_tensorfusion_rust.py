import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.agent.simulator.laws.tensorfusion_rust import TensorFusionRust
from tests.autoscaler.agent.simulator.laws.token_law import Reading

PERIOD_S = 0.1


def reading(worker_ratio: float) -> Reading:
    return Reading(device_ratio=1.0, worker_ratio=worker_ratio)


def test_the_rate_follows_what_the_worker_draws():
    law = TensorFusionRust(limit_ratio=0.5, rate_per_s=1000)
    law.refilled(0, reading(0.5), PERIOD_S)
    law.refilled(law.last_tokens - 80, reading(0.5), PERIOD_S)
    assert law.rate_per_s == pytest.approx(800)


def test_twice_the_limit_more_than_halves_what_was_drawn():
    law = TensorFusionRust(limit_ratio=0.4, rate_per_s=1000)
    law.refilled(0, reading(0.8), PERIOD_S)
    law.refilled(law.last_tokens - 100, reading(0.8), PERIOD_S)
    assert law.rate_per_s == pytest.approx(400, rel=0.01)


def test_without_a_reading_the_rate_grows_by_what_is_missing():
    law = TensorFusionRust(limit_ratio=0.4, rate_per_s=100)
    law.refilled(0, reading(0), PERIOD_S)
    assert 120 <= law.rate_per_s <= 150


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
def test_rate_and_tokens_stay_within_their_bounds(moments: list[tuple[float, float]]):
    law = TensorFusionRust(limit_ratio=0.5)
    tokens = 0.0
    for ratio, drawn in moments:
        tokens = law.refilled(tokens * (1 - drawn), reading(ratio), PERIOD_S)
        assert 10 <= law.rate_per_s <= 100_000
        assert 0 <= tokens <= 200_000
