"""What the totals of quotas allow, read and checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.books.quota_totals import exceeded, read_totals
from autoscaler.workloads.books.quota_use import QuotaUse
from tests.autoscaler.workloads.entries import amounts, claim
from tests.autoscaler.workloads.objects import quota

NOTHING = QuotaUse()
AMOUNTS = st.builds(amounts, st.integers(0, 20), st.integers(0, 20))
USES = st.builds(QuotaUse, requests=AMOUNTS, limits=AMOUNTS, workers=st.integers(0, 20))


def totals(**total):
    return read_totals([quota("gold", total=total)])


def asked(tflops=0, gib=0, *, limits=None, workers=0):
    of_limits = amounts(tflops, gib) if limits is None else limits
    return QuotaUse(requests=amounts(tflops, gib), limits=of_limits, workers=workers)


def test_a_total_names_what_is_in_use_what_is_asked_and_what_is_allowed():
    error = exceeded(totals(requests={"tflops": 500}), asked(490), asked(20))
    assert error == (
        "GPUResourceQuota gold spec.total.requests.tflops: 490 in use and 20 more are above it; "
        "allowed: at most 500"
    )


def test_every_amount_that_is_exceeded_is_named():
    allowed = totals(requests={"vram": "8Gi"}, limits={"tflops": "500m"}, maxWorkers=0)
    assert exceeded(allowed, NOTHING, asked(1, 9, workers=1)) == (
        "GPUResourceQuota gold spec.total.requests.vram: 0 in use and 9Gi more are above it; "
        "allowed: at most 8Gi; "
        "GPUResourceQuota gold spec.total.limits.tflops: 0 in use and 1 more are above it; "
        "allowed: at most 500m; "
        "GPUResourceQuota gold spec.total.maxWorkers: 0 in use and 1 more are above it; "
        "allowed: at most 0"
    )


def test_a_total_is_reached_exactly():
    allowed = totals(requests={"tflops": 500, "vram": "8Gi"}, maxWorkers=3)
    use = asked(490, 4, workers=2)
    assert exceeded(allowed, use, asked(10, 4, workers=1)) == ""


def test_amounts_count_for_each_gpu_of_a_worker():
    added = QuotaUse.of(claim(tflops=20, gib=1, gpus=("gpu-1", "gpu-2", "gpu-3")))
    assert exceeded(totals(requests={"tflops": 60}), NOTHING, added) == ""
    assert "60 more" in exceeded(totals(requests={"tflops": 59}), NOTHING, added)


def test_several_quotas_bind_together_by_name():
    both = read_totals(
        [quota("b", total={"maxWorkers": 1}), quota("a", total={"requests": {"tflops": 1}})]
    )
    assert [total.quota for total in both] == ["a", "b"]
    error = exceeded(both, asked(1, workers=1), asked(1, workers=1))
    assert error.index("GPUResourceQuota a ") < error.index("GPUResourceQuota b ")


def test_what_does_not_grow_is_allowed_where_a_quota_was_lowered_below_what_is_in_use():
    allowed = totals(requests={"tflops": 5, "vram": "8Gi"})
    assert exceeded(allowed, asked(10, 4), asked(0, 4)) == ""
    assert exceeded(allowed, asked(10, 4), asked(-5, 4)) == ""
    assert "requests.tflops" in exceeded(allowed, asked(10, 4), asked(1, 4))


@pytest.mark.parametrize("spec", [{}, {"total": None}, {"total": {}}, {"single": {}}])
def test_a_quota_without_totals_allows_everything(spec):
    [total] = read_totals([quota("gold", **spec)])
    assert (total.maxima, total.problems, total.alert_threshold_percent) == ((), (), 95)
    assert exceeded([total], NOTHING, asked(10**6, 10**6, workers=10**6)) == ""


def test_null_sets_no_maximum():
    assert totals(requests={"tflops": None}, limits=None, maxWorkers=None)[0].maxima == ()


@pytest.mark.parametrize(
    ("total", "problem"),
    [
        (
            {"requests": {"tflops": "many"}},
            "spec.total.requests.tflops: 'many' is not valid; allowed: a Kubernetes quantity",
        ),
        (
            {"requests": {"tflops": -1}},
            "spec.total.requests.tflops: -1 is negative; allowed: 0 or more",
        ),
        ({"requests": "all"}, "spec.total.requests: must be a mapping, not a str"),
        ("all", "spec.total: must be a mapping, not a str"),
    ],
)
def test_a_maximum_that_cannot_be_read_allows_nothing_new_and_says_so(total, problem):
    read = read_totals([quota("gold", total=total)])
    error = exceeded(read, asked(10), asked(1))
    assert error.startswith(f"GPUResourceQuota gold {problem}")
    assert "nothing is added until it is corrected" in error
    assert exceeded(read, asked(10), NOTHING) == ""
    assert read[0].problems[0].startswith(problem)


@pytest.mark.parametrize("workers", ["3", -1, True, 1.5])
def test_a_number_of_workers_that_cannot_be_read_allows_no_more(workers):
    assert exceeded(totals(maxWorkers=workers), NOTHING, asked(workers=1)) == (
        f"GPUResourceQuota gold spec.total.maxWorkers: {workers!r} is not valid; allowed: a whole "
        "number, 0 or more; nothing is added until it is corrected"
    )


def test_only_the_part_that_cannot_be_read_is_closed():
    allowed = totals(requests={"tflops": "many", "vram": "8Gi"}, maxWorkers=3)
    assert exceeded(allowed, NOTHING, asked(0, 8, workers=1)) == ""


@pytest.mark.parametrize("threshold", [101, -1, "95", True])
def test_a_threshold_that_cannot_be_read_is_the_default_and_told(threshold):
    [total] = totals(alertThresholdPercent=threshold)
    assert total.alert_threshold_percent == 95
    problem = (
        f"spec.total.alertThresholdPercent: {threshold!r} is not valid; allowed: a whole number "
        "from 0 to 100; 95 counts until it is corrected"
    )
    assert total.problems == (problem,)


@given(USES, USES, USES)
def test_what_is_allowed_is_what_stays_within_every_maximum(most, use, added):
    read = totals(
        requests=most.requests.as_mapping(),
        limits=most.limits.as_mapping(),
        maxWorkers=most.workers,
    )
    after, limits = (use + added).by_field(), most.by_field()
    is_within = all(
        after[field] <= limits[field] or not amount for field, amount in added.by_field().items()
    )
    assert is_within == (exceeded(read, use, added) == "")


@given(USES, USES)
def test_uses_add_up(first, second):
    assert first == first + second - second
    assert first.fits_in(first + second)
