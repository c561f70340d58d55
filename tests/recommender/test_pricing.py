import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender.errors import ContractError
from recommender.pricing import (
    Prices,
    gpus_needed,
    releasable_gpus,
    worker_cost_per_hour,
)

GIB = 2.0**30
PRICES = Prices(
    per_tflops_hour=0.01, per_vram_gib_hour=0.02, limit_over_request_ratio=0.5, per_gpu_hour=3.0
)
NOTHING_KNOWN = {
    "tflops_request": np.nan,
    "tflops_limit": np.nan,
    "vram_request_bytes": np.nan,
    "vram_limit_bytes": np.nan,
    "compute_share": np.nan,
    "vram_share": np.nan,
    "gpu_count": 1,
}
SMALL = NOTHING_KNOWN | {
    "tflops_request": 10.0,
    "tflops_limit": 30.0,
    "vram_request_bytes": 4 * GIB,
    "vram_limit_bytes": 8 * GIB,
    "compute_share": 0.1,
    "vram_share": 0.25,
}


def cost(prices, **amounts):
    costs = worker_cost_per_hour(prices=prices, **amounts)
    return costs.per_hour.tolist(), costs.is_estimated.tolist()


def test_requests_cost_their_price_and_limits_above_them_a_share_of_it():
    per_hour = 10 * 0.01 + 4 * 0.02 + 0.5 * (20 * 0.01 + 4 * 0.02)
    assert cost(PRICES, **SMALL) == (pytest.approx([per_hour]), [False])


def test_every_gpu_and_the_protection_against_eviction_are_charged():
    ((one,), _) = cost(PRICES, **SMALL)
    assert cost(PRICES, **SMALL | {"gpu_count": 4}) == (pytest.approx([4 * one]), [False])
    assert cost(PRICES, **SMALL, protection_factor=1.2)[0] == pytest.approx([1.2 * one])


def test_a_limit_that_is_not_set_charges_nothing_above_the_request():
    unset = SMALL | {"tflops_limit": np.nan, "vram_limit_bytes": np.nan}
    assert cost(PRICES, **unset) == (pytest.approx([10 * 0.01 + 4 * 0.02]), [False])


def test_without_prices_per_resource_the_larger_share_of_a_gpu_is_an_estimate():
    per_gpu = Prices(per_gpu_hour=3.0)
    assert cost(per_gpu, **SMALL) == ([3.0 * 0.25], [True])
    assert cost(per_gpu, **SMALL | {"gpu_count": 2}) == ([2 * 3.0 * 0.25], [True])
    assert cost(per_gpu, **SMALL | {"vram_share": np.nan}) == ([pytest.approx(0.3)], [True])


def test_a_worker_in_percent_of_a_gpu_is_estimated_even_where_tflops_have_a_price():
    in_percent = SMALL | {"tflops_request": np.nan, "tflops_limit": np.nan}
    assert cost(PRICES, **in_percent) == ([3.0 * 0.25], [True])


def test_an_unknown_price_or_amount_is_unknown_and_never_zero():
    per_hour, is_estimated = cost(Prices(), **SMALL)
    assert (np.isnan(per_hour).tolist(), is_estimated) == ([True], [False])
    per_hour, is_estimated = cost(PRICES, **NOTHING_KNOWN)
    assert (np.isnan(per_hour).tolist(), is_estimated) == ([True], [False])


def test_each_workload_may_have_its_own_prices():
    rows = Prices.of_rows([PRICES, None, Prices(per_gpu_hour=3.0)])
    per_hour, is_estimated = cost(rows, **SMALL)
    ((metered,), _) = cost(PRICES, **SMALL)
    np.testing.assert_array_equal(per_hour, [metered, np.nan, 0.75])
    assert is_estimated == [False, False, True]


amounts = hnp.arrays(np.float64, 5, elements=st.floats(0, 1e4))


@given(amounts, amounts, amounts, amounts)
def test_cost_is_linear_in_the_amounts(tflops, more_tflops, vram_gib, more_vram_gib):
    def metered(factor):
        return worker_cost_per_hour(
            prices=PRICES,
            **SMALL
            | {
                "tflops_request": factor * tflops,
                "tflops_limit": factor * (tflops + more_tflops),
                "vram_request_bytes": factor * vram_gib * GIB,
                "vram_limit_bytes": factor * (vram_gib + more_vram_gib) * GIB,
            },
        ).per_hour

    np.testing.assert_allclose(metered(2.0), 2.0 * metered(1.0), rtol=1e-12, atol=1e-12)


def shares(*rows):
    return np.array(rows, np.float64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("rows", "needed"),
    [
        ([], 0),
        ([(0.0, 0.0)], 1),
        ([(1.0, 0.1), (0.1, 1.0)], 2),
        ([(0.1, 0.1)] * 10, 1),
        ([(0.1, 0.1)] * 11, 2),
        ([(0.6, 0.1), (0.6, 0.1), (0.4, 0.1), (0.4, 0.1)], 2),
        ([(0.5, 0.2), (0.5, 0.3), (0.3, 0.5)], 2),
        ([(1.7, 0.1)], 1),
    ],
)
def test_workers_are_packed_on_both_resources(rows, needed):
    assert gpus_needed(shares(*rows)) == needed


def test_the_devices_of_one_worker_are_different_gpus():
    assert gpus_needed(shares((0.1, 0.1)), 8) == 8
    assert gpus_needed(shares((0.1, 0.1), (0.5, 0.5)), np.array([4, 1])) == 4
    assert gpus_needed(shares((0.6, 0.1), (0.6, 0.1)), 2) == 4


def test_freed_share_is_no_gpu_until_one_is_empty():
    current = shares(*[(0.5, 0.5)] * 4)
    assert releasable_gpus(current, 0.9 * current) == 0
    assert releasable_gpus(current, 0.5 * current) == 1


def test_what_better_packing_alone_would_free_is_not_counted():
    scattered = shares(*[(0.1, 0.1)] * 8)
    assert releasable_gpus(scattered, scattered) == 0


def test_a_recommendation_that_needs_more_gpus_releases_none():
    current = shares((0.2, 0.2), (0.2, 0.2))
    assert releasable_gpus(current, 4 * current) == 0


def test_workers_of_unknown_size_keep_their_gpus():
    current = shares((1.0, 1.0), (1.0, np.nan), (0.5, 0.5))
    recommended = shares((0.5, 0.5), (0.1, 0.1), (np.nan, 0.1))
    assert releasable_gpus(current, recommended) == 0
    current = shares((1.0, 1.0), (1.0, 1.0), (0.5, np.nan))
    assert releasable_gpus(current, 0.5 * current) == 1


@pytest.mark.parametrize("bad", [shares((-0.1, 0.1)), shares((np.inf, 0.1)), np.zeros(3)])
def test_shares_that_break_the_contract_are_refused(bad):
    with pytest.raises(ContractError):
        gpus_needed(bad)


def test_two_states_of_different_workers_cannot_be_compared():
    with pytest.raises(ContractError):
        releasable_gpus(np.zeros((2, 2)), np.zeros((3, 2)))


def test_a_worker_without_a_gpu_cannot_be_packed():
    with pytest.raises(ContractError):
        gpus_needed(np.zeros((1, 2)), 0)


def one_by_one(rows, counts):
    """First-fit decreasing without any shortcut."""
    order = sorted(
        zip(counts, rows, strict=True),
        key=lambda item: (-item[0], -max(item[1]), -sum(item[1]), item[1]),
    )
    free = []
    for count, row in order:
        left = count
        for gpu in free:
            if left and all(room + 1e-9 >= share for room, share in zip(gpu, row, strict=True)):
                gpu[:] = [room - share for room, share in zip(gpu, row, strict=True)]
                left -= 1
        free += [[1.0 - share for share in row] for _ in range(left)]
    return len(free)


eighths = st.integers(0, 8).map(lambda n: n / 8)
workers = st.lists(st.tuples(st.tuples(eighths, eighths), st.integers(1, 3)), max_size=25)


@given(workers)
def test_packing_equals_first_fit_decreasing_one_by_one(items):
    rows = [row for row, _ in items]
    counts = [count for _, count in items]
    packed = gpus_needed(shares(*rows), np.array(counts, np.int64))
    assert packed == one_by_one(rows, counts)
    devices = shares(*rows) * np.array(counts, np.float64)[:, None]
    assert packed >= devices.sum(axis=0).max(initial=0.0)
    assert packed <= sum(counts)
