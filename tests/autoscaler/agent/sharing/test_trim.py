import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.sharing.trim import (
    LEAST_K,
    MOST_K,
    SAMPLES,
    TRUSTED_RATIO,
    Trim,
    TrimSample,
)


def _sample(busy, charged):
    return TrimSample(busy_share=busy, charged_share=charged)


def _settled(error, bias=1.0, limit=0.5, looks=80):
    """Let a worker run alone with costs that are too high by a factor; return what it uses."""
    trim = Trim()
    for _ in range(looks):
        used = min(limit / (error * trim.k), 1.0)
        trim.observe(_sample(min(used * bias, 1.0), used * error))
    return limit / (error * trim.k)


@pytest.mark.parametrize("bias", [0.9, 1.0, 1.1])
@pytest.mark.parametrize("limit", [0.1, 0.25, 0.5, 0.75])
def test_exact_costs_give_exact_shares_however_wrong_the_driver_reads(limit, bias):
    assert _settled(1.0, bias, limit) == pytest.approx(limit, abs=0.01)


@pytest.mark.parametrize("error", [0.5, 0.8, 1.2, 1.25])
def test_wrong_costs_are_corrected_to_what_the_driver_can_tell(error):
    assert _settled(error, limit=0.25) == pytest.approx(0.25, rel=TRUSTED_RATIO + 0.03)


def test_costs_that_are_far_too_high_are_corrected_as_far_as_a_page_is_believed():
    assert _settled(2.0, limit=0.4) == pytest.approx(0.4 / (2.0 * LEAST_K))


def test_nothing_moves_beside_a_neighbour():
    trim = Trim(1.5)

    assert [trim.observe(None) for _ in range(3 * SAMPLES)] == [1.5] * (3 * SAMPLES)


def test_what_was_seen_before_a_neighbour_came_no_longer_counts():
    trim, too_few = Trim(), SAMPLES - 1
    for _ in range(too_few):
        trim.observe(_sample(0.9, 0.3))
    trim.observe(None)

    assert [trim.observe(_sample(0.9, 0.3)) for _ in range(too_few)] == [1.0] * too_few
    assert trim.observe(_sample(0.9, 0.3)) > 1.0


@pytest.mark.parametrize("late_samples", [1, 3, 6])
def test_a_figure_that_still_counts_a_neighbour_who_has_gone_moves_nothing(late_samples):
    trim = Trim()
    trim.observe(None)
    late = [_sample(1.0, 0.3)] * late_samples

    assert {trim.observe(sample) for sample in [*late, *[_sample(0.3, 0.3)] * 40]} == {1.0}


@pytest.mark.parametrize("k", [1.0, 1.3])
@pytest.mark.parametrize("late_samples", [1, 2, 5])
@pytest.mark.parametrize(("before", "after"), [(0.6, 0.3), (0.2, 0.6), (0.5, 0.05), (0.4, 0.3)])
def test_a_change_of_load_moves_nothing_however_late_the_driver_tells(
    before, after, late_samples, k
):
    """Costs are as wrong as the factor says; steps that pass for steady load move it by percent."""
    trim, shares = Trim(k), [before] * 30 + [after] * 60
    told, ratio = [before] * late_samples + shares, k * (1 + TRUSTED_RATIO) if k > 1.0 else 1.0
    samples = [_sample(busy * ratio, used) for busy, used in zip(told, shares, strict=False)]

    found = [trim.observe(sample) for sample in samples]

    assert found == [pytest.approx(k, rel=0.03)] * len(samples)
    assert found[-1] == pytest.approx(k)


def test_a_load_that_never_rests_moves_nothing():
    trim = Trim(1.2)
    for number in range(200):
        share = 0.6 if number // 5 % 2 else 0.2
        assert trim.observe(_sample(share, share)) == 1.2


def test_an_agent_that_starts_again_keeps_the_factor_until_load_was_steady():
    trim, samples = Trim(1.5), [_sample(0.5, 0.5)] * SAMPLES

    assert [trim.observe(sample) for sample in samples] == [1.5] * (SAMPLES - 1) + [1.0]


@pytest.mark.parametrize("kernels", [23.3, 30.4])
def test_kernels_that_fall_into_one_sample_or_the_next_are_a_steady_load(kernels):
    """Each part of the samples has one kernel more or less than the others."""
    trim = Trim()
    lumps = [int((i + 1) * kernels / 4) - int(i * kernels / 4) for i in range(200)]
    for lump in lumps:
        trim.observe(_sample(lump * 0.02 * 1.4, lump * 0.02))

    assert trim.k == pytest.approx(1.4 / (1 + TRUSTED_RATIO), rel=0.05)


@pytest.mark.parametrize(("busy", "charged"), [(0.0, 0.0), (0.01, 0.001), (0.5, 0.0)])
def test_nothing_moves_while_too_little_is_used_to_tell(busy, charged):
    trim = Trim()

    assert [trim.observe(_sample(busy, charged)) for _ in range(20)] == [1.0] * 20


@given(
    st.lists(
        st.builds(_sample, st.floats(0, 1), st.floats(0, 1e6)) | st.none(),
        min_size=SAMPLES,
        max_size=60,
    )
)
def test_the_factor_stays_within_its_bounds_whatever_a_page_says(samples):
    trim = Trim()

    assert all(LEAST_K <= trim.observe(sample) <= MOST_K for sample in samples)


def test_an_inflated_charge_gains_a_tenant_a_quarter_at_most():
    limit, trim = 0.3, Trim()
    for _ in range(100):
        trim.observe(_sample(0.3, 0.3 * 5))

    assert limit / trim.k <= 1.25 * limit
