import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.live.viewing.quota_room import Worker, quota_room
from recommender.policy.resolve import resolve
from tests.autoscaler.scaling.live.live_objects import A100, GIB, RESOURCES, quota

CARD = amounts({"tflops": 100.0, "vram_bytes": 80 * GIB})
REQUEST = amounts({"tflops": 10.0, "vram_bytes": 4 * GIB})
LIMIT = amounts({"tflops": 20.0, "vram_bytes": 8 * GIB})
PERCENT = {"requests": {"compute": "10"}, "limits": {"compute": "20"}}


def stated(resources=None):
    spec = {"resources": resources or RESOURCES, "gpuModel": A100}
    return resolve(workload=spec).stated


def worker(**fields):
    defaults = {
        "stated": stated(),
        "card": CARD,
        "request": REQUEST,
        "start_request": REQUEST,
        "start_limit": LIMIT,
        "count": 1,
        "placed": 1,
        "gpu_count": 1,
    }
    return Worker(**{**defaults, **fields})


def request(*quotas, **fields):
    return dict(quota_room(quotas, worker(**fields)).request)


def replicas(*quotas, **fields):
    return quota_room(quotas, worker(**fields)).replicas


def total(used=None, **sides):
    return quota(total=sides, used=used)


def test_without_a_quota_nothing_bounds():
    assert (request(), replicas()) == ({}, None)


def test_the_smallest_maximum_of_one_worker_counts():
    low = quota("a", single={"maxRequests": {"tflops": "30"}})
    high = quota("b", single={"maxRequests": {"tflops": "50", "vram": "20Gi"}})
    assert request(low, high) == {"tflops": 30.0, "vram_bytes": 20 * GIB}


def test_a_maximum_in_percent_is_that_share_of_the_card_that_quotas_mean():
    share = quota(single={"maxRequests": {"compute": "50"}})
    assert request(share, stated=stated(PERCENT)) == {"tflops": 50.0}


def test_what_is_left_of_a_total_goes_to_all_workers_that_grow():
    left = total({"requests": {"tflops": "40"}}, requests={"tflops": "100"})
    assert request(left) == {"tflops": 70.0}
    assert request(left, count=2) == {"tflops": 40.0}
    assert request(left, count=2, gpu_count=3) == {"tflops": 20.0}


def test_a_total_that_is_exceeded_takes_nothing_away():
    over = total({"requests": {"tflops": "140"}}, requests={"tflops": "100"})
    assert request(over) == {"tflops": 10.0}
    assert replicas(over, placed=3) == 3


def test_a_total_of_which_no_use_is_known_yet_is_all_there():
    assert request(total(requests={"vram": "20Gi"})) == {"vram_bytes": 24 * GIB}


def test_the_smaller_of_a_total_and_a_single_maximum_counts():
    both = quota(
        single={"maxRequests": {"tflops": "60"}},
        total={"requests": {"tflops": "100"}},
        used={"requests": {"tflops": "90"}},
    )
    assert request(both) == {"tflops": 20.0}


def test_workers_are_bounded_by_their_number():
    assert replicas(total({"workers": 3}, maxWorkers=5), placed=2) == 4


def test_workers_are_bounded_by_what_a_further_one_requests():
    left = total({"requests": {"tflops": "60"}}, requests={"tflops": "100"})
    assert replicas(left, placed=2) == 6
    assert replicas(left, placed=2, gpu_count=3) == 3


def test_workers_are_bounded_by_what_a_further_one_may_use():
    left = total({"limits": {"tflops": "50"}}, limits={"tflops": "100"})
    assert replicas(left, placed=2) == 4
    assert replicas(left, placed=2, start_limit=amounts()) == 2


def test_a_total_of_limits_bounds_no_request():
    assert request(total(limits={"tflops": "100"})) == {}


@pytest.mark.parametrize("sides", [{"requests": {"tflops": "many"}}, {"requests": {"tflops": -1}}])
def test_a_total_that_cannot_be_read_allows_nothing_more(sides):
    assert request(total(**sides)) == {"tflops": 10.0}
    assert replicas(total(**sides), placed=2) == 2


def test_a_single_maximum_that_cannot_be_read_allows_nothing_more():
    assert request(quota(single={"maxRequests": {"vram": "x"}})) == dict(REQUEST)


def test_a_number_of_workers_that_cannot_be_read_allows_no_further_one():
    assert replicas(total(maxWorkers="many"), placed=2) == 2


@given(
    most=st.integers(0, 500),
    used=st.integers(0, 500),
    count=st.integers(0, 6),
    gpu_count=st.integers(1, 4),
)
def test_growing_to_what_is_allowed_never_exceeds_a_total(most, used, count, gpu_count):
    left = total({"requests": {"tflops": str(used)}}, requests={"tflops": str(most)})
    found = quota_room([left], worker(count=count, placed=count, gpu_count=gpu_count))
    growth = (found.request["tflops"] - REQUEST["tflops"]) * count * gpu_count
    further = (found.replicas - count) * REQUEST["tflops"] * gpu_count
    assert 0.0 <= growth <= max(0, most - used) + 1e-9
    assert 0.0 <= further <= max(0, most - used)
