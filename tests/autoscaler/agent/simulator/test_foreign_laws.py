"""Foreign laws in the simulator do what is known of them; where they fail, they fail here too."""

import pytest

from tests.autoscaler.agent.simulator.comparison import (
    CONTESTS,
    FULL_CONTEST,
    KIND,
    LIMITS,
    MEASURED,
    alone,
    saturated,
    shares_of,
    under,
)
from tests.autoscaler.agent.simulator.scripts import KERNEL_1400_US, SECOND_NS

POINT = 0.01
GO, GO_HELM, RUST = "TensorFusion Go", "TensorFusion Go (Helm)", "TensorFusion Rust"
HAMI, HAMI_LINEAR = "HAMi", "HAMi (linear)"


@pytest.mark.parametrize("limit", LIMITS)
def test_the_chart_of_tensorfusion_starves_short_kernels_and_lets_long_ones_through(limit: float):
    of_5_us, of_20_us, _, of_11_ms = alone(GO_HELM, KIND, limit)
    assert of_5_us == pytest.approx(0.038, abs=POINT / 2)
    assert of_20_us == pytest.approx(0.033, abs=POINT / 2)
    assert of_11_ms >= 0.68


def test_the_rust_limiter_is_exact_at_small_limits():
    assert alone(RUST, KIND, 0.10) == pytest.approx([0.10] * 4, abs=2 * POINT)
    assert alone(RUST, KIND, 0.25) == pytest.approx([0.25] * 4, abs=3 * POINT)


def test_the_rust_limiter_holds_short_kernels_too_long_and_long_ones_too_little_at_half_a_card():
    of_5_us, of_20_us, of_1400_us, of_11_ms = alone(RUST, KIND, 0.5)
    assert of_5_us == pytest.approx(0.31, abs=2 * POINT)
    assert of_20_us == pytest.approx(0.27, abs=2 * POINT)
    assert of_1400_us > 0.6
    assert of_11_ms > 0.55


@pytest.mark.parametrize("limit", LIMITS)
def test_hami_limits_short_kernels_and_not_matrix_products(limit: float):
    of_5_us, of_20_us, of_1400_us, of_11_ms = alone(HAMI, KIND, limit)
    assert [of_5_us, of_20_us] == pytest.approx([limit] * 2, abs=5 * POINT)
    assert of_1400_us > 0.6
    assert of_11_ms > 0.97


def test_the_linear_step_of_hami_gives_short_kernels_less_than_half_of_their_limit():
    of_5_us, of_20_us, of_1400_us, _ = alone(HAMI_LINEAR, KIND, 0.5)
    assert of_5_us < 0.25
    assert of_20_us < 0.25
    assert of_1400_us == pytest.approx(0.5, abs=3 * POINT)


def test_hami_gives_neighbours_half_of_the_card_each_whatever_their_limits():
    assert shares_of(HAMI, KIND, FULL_CONTEST.tenants) == pytest.approx([0.5, 0.5], abs=3 * POINT)


def test_the_linear_step_of_hami_meets_the_limits_of_equal_neighbours():
    shares = shares_of(HAMI_LINEAR, KIND, FULL_CONTEST.tenants)
    assert shares == pytest.approx(FULL_CONTEST.limits, abs=2 * POINT)


def test_a_law_that_reads_the_device_starves_the_smaller_of_two_neighbours():
    smaller, larger = shares_of(GO, KIND, FULL_CONTEST.tenants)
    assert smaller < 0.02
    assert larger > 0.6


@pytest.mark.parametrize("law", [RUST, HAMI_LINEAR])
def test_laws_that_read_their_own_process_starve_it_where_nvml_cannot_tell_neighbours_apart(
    law: str,
):
    equal = CONTESTS[2]
    assert equal.limits == [0.25, 0.25]
    assert shares_of(law, KIND, equal.tenants) == pytest.approx([0.25] * 2, abs=4 * POINT)
    assert max(shares_of(law, MEASURED, equal.tenants)) < 0.1


@pytest.mark.parametrize(
    ("law", "after"), [(GO, 0.0), (RUST, 1.0)], ids=["tokens end", "limits end"]
)
def test_without_its_agent_a_worker_of_tensorfusion_hangs_or_is_free(law: str, after: float):
    with under(law, KIND, [saturated(KERNEL_1400_US, 0.3)]) as trial:
        trial.timeline.run_until(20 * SECOND_NS)
        trial.agent.end()
        shares = trial.shares_between(30 * SECOND_NS, 35 * SECOND_NS)
    assert shares == pytest.approx([after], abs=POINT)


def test_hami_needs_no_agent():
    with under(HAMI_LINEAR, KIND, [saturated(KERNEL_1400_US, 0.3)]) as trial:
        before = trial.shares_between(10 * SECOND_NS, 20 * SECOND_NS)
        trial.agent.end()
        after = trial.shares_between(20 * SECOND_NS, 30 * SECOND_NS)
    assert after == pytest.approx(before, abs=2 * POINT)
