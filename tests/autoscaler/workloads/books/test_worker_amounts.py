"""What a worker's annotations say that it requests and may use."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import PREFIX
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.worker_amounts import (
    WorkerAmounts,
    limit_on,
    request_on,
    worker_amounts,
)
from autoscaler.workloads.errors import InvalidWorkerError
from recommender.amounts import ResourceAmounts
from tests.autoscaler.workloads.objects import GIB

CARD = GpuAmounts(microtflops=300_000_000, vram_bytes=80 * GIB)


def amounts(**values) -> WorkerAmounts:
    return worker_amounts(
        {f"{PREFIX}{key.replace('_', '-')}": text for key, text in values.items()}
    )


def side(tflops=None, percent=None, vram=None) -> ResourceAmounts:
    return ResourceAmounts(
        tflops=None if tflops is None else Decimal(tflops),
        compute_percent=None if percent is None else Decimal(percent),
        vram_bytes=None if vram is None else Decimal(vram),
    )


def test_amounts_are_read_as_users_spell_them():
    found = amounts(tflops_request=" 1500m ", vram_request="4Gi", vram_limit="8e9")
    assert found == (side("1.5", vram=4 * GIB), side(vram=8 * 10**9))
    assert amounts(compute_percent_limit="30%").limit == side(percent=30)


def test_a_request_that_nobody_states_is_the_limit():
    assert amounts(tflops_limit="20", vram_limit="1Gi").request == side("20", vram=GIB)
    assert amounts(compute_percent_limit="20", vram_request="1Gi").request == side(None, 20, GIB)


def test_zero_is_the_same_as_nothing():
    assert amounts(tflops_request="0", vram_request="1Gi").request == side(vram=GIB)


def test_nothing_stated_is_nothing():
    assert worker_amounts({}) == (side(), side())


def test_tflops_win_over_percent():
    found = amounts(tflops_request="10", compute_percent_limit="50")
    assert found == (side("10"), side())


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("vram_request", "4GB", "a quantity of bytes"),
        ("tflops_limit", "-1", "a quantity of TFLOPS"),
        ("compute_percent_request", "101", "from 0 to 100"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_value_and_what_is_allowed(key, text, allowed):
    with pytest.raises(InvalidWorkerError) as refused:
        amounts(**{key: text})
    words = (f"annotation {PREFIX}{key.replace('_', '-')}", repr(text), "allowed:", allowed)
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_limit_below_its_request_is_refused():
    with pytest.raises(InvalidWorkerError) as refused:
        amounts(vram_request="4Gi", vram_limit="2Gi")
    expected = (
        f"annotation {PREFIX}vram-limit: '2Gi' is not valid; allowed: at least the request (4Gi)"
    )
    assert expected == str(refused.value)


def test_percent_are_of_the_peak_of_the_card():
    found = amounts(compute_percent_request="10", compute_percent_limit="50", vram_request="1Gi")
    assert request_on(found, CARD) == GpuAmounts(microtflops=30_000_000, vram_bytes=GIB)
    assert limit_on(found, CARD) == GpuAmounts(microtflops=150_000_000, vram_bytes=80 * GIB)


def test_all_compute_without_a_word_of_vram_is_all_vram():
    whole = amounts(compute_percent_request="100")
    assert request_on(whole, CARD) == CARD
    assert limit_on(whole, CARD) == CARD
    stated = amounts(compute_percent_request="100", vram_limit="4Gi")
    assert request_on(stated, CARD).vram_bytes == 4 * GIB
    almost = amounts(compute_percent_request="99")
    assert request_on(almost, CARD).vram_bytes == 0


def test_a_worker_without_limits_may_use_all_of_its_card():
    assert limit_on(amounts(tflops_request="10", vram_request="1Gi"), CARD) == CARD


@given(
    st.sampled_from(("tflops", "compute-percent")),
    st.tuples(st.integers(1, 100), st.integers(1, 100)).map(sorted),
    st.tuples(st.integers(1, 80), st.integers(1, 80)).map(sorted),
)
def test_a_request_is_never_above_the_limit_on_any_card(unit, compute, vram_gib):
    found = worker_amounts(
        {
            f"{PREFIX}{unit}-request": str(compute[0]),
            f"{PREFIX}{unit}-limit": str(compute[1]),
            f"{PREFIX}vram-request": f"{vram_gib[0]}Gi",
            f"{PREFIX}vram-limit": f"{vram_gib[1]}Gi",
        }
    )
    assert request_on(found, CARD).fits_in(limit_on(found, CARD))
