"""What placed pods hold, read from pods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import COMPONENT, GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, PREFIX
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.reading_claims import claim_of, whole_claim_of
from autoscaler.workloads.errors import InvalidWorkerError
from tests.autoscaler.workloads.entries import amounts, card
from tests.autoscaler.workloads.objects import placed, worker


def found_in(*cards):
    return {each.name: each for each in cards}.get


def held(amounts_in_force, *cards, gpus=("GPU-1",), **annotations):
    pod = placed(gpus=gpus, amounts=amounts_in_force, annotations=annotations)
    claim = claim_of(pod, found_in(*(cards or (card(),))))
    return claim.request, claim.limit


def test_a_placed_worker_holds_what_is_in_force_of_each_of_its_gpus():
    pod = placed("w", gpus=("GPU-2", "GPU-1"), workload="train", qos="high")
    assert claim_of(pod, found_in(card("gpu-1"), card("gpu-2"))) == Claim(
        uid="uid-of-pod-w",
        namespace="team",
        pod="w",
        workload="train",
        pool="pool",
        qos="high",
        gpus=("gpu-2", "gpu-1"),
        request=amounts(10, 4),
        limit=amounts(20, 8),
    )


@pytest.mark.parametrize(
    "pod",
    [
        worker(),
        placed(phase="Succeeded"),
        placed(phase="Failed"),
        placed(labels={COMPONENT: "client"}),
        placed(gpus=()),
    ],
)
def test_what_is_no_placed_worker_holds_nothing(pod):
    assert claim_of(pod, found_in(card())) is None
    assert whole_claim_of(pod, found_in(card())) is None


def test_a_pod_that_is_being_deleted_still_holds_its_gpus():
    pod = placed(metadata={"deletionTimestamp": "2026-01-02T00:00:00Z"})
    assert claim_of(pod, found_in(card())) is not None


def test_percent_are_of_the_peak_of_the_card_and_a_limit_that_is_not_stated_is_all_of_it():
    shares = {"compute-percent-request": "25", "vram-request": "4Gi"}
    assert held(shares) == (amounts(25, 4), amounts(100, 80))


def test_percent_are_of_the_written_peak_where_the_card_is_not_there():
    shares = {"compute-percent-request": "25", "vram-request": "4Gi"}
    peaks = {GPU_PEAK_TFLOPS: "200", GPU_PEAK_VRAM: str(2**30 * 40)}
    assert held(shares, card("gpu-9"), **peaks) == (amounts(50, 4), amounts(200, 40))


@pytest.mark.parametrize("peak", ["", "a lot", "-1", "NaN", "Infinity"])
def test_a_written_peak_that_is_no_number_counts_as_none(peak):
    request, limit = held(
        {"compute-percent-request": "25", "vram-request": "4Gi"},
        card("gpu-9"),
        **{GPU_PEAK_TFLOPS: peak, GPU_PEAK_VRAM: peak},
    )
    assert (amounts(0, 4), amounts(0, 4)) == (request, limit)


def test_a_whole_gpu_without_a_word_of_vram_holds_all_of_it():
    assert held({"compute-percent-request": "100"}) == (amounts(100, 80), amounts(100, 80))


def test_on_cards_that_differ_the_largest_amount_counts_for_each():
    request, _ = held(
        {"compute-percent-request": "50", "vram-request": "1Gi"},
        card("gpu-1", tflops=100),
        card("gpu-2", tflops=300),
        gpus=("GPU-1", "GPU-2"),
    )
    assert amounts(150, 1) == request


def test_a_gpu_that_is_named_twice_counts_once():
    pod = placed(annotations={GPU_IDS: "GPU-1, gpu-1"})
    assert claim_of(pod, found_in(card())).gpus == ("gpu-1",)


def test_amounts_that_cannot_be_read_are_told_by_annotation_and_value():
    pod = placed(annotations={f"{PREFIX}vram-request": "4 gigs"})
    with pytest.raises(InvalidWorkerError, match=r"vram-request: '4 gigs' is not valid; allowed: "):
        claim_of(pod, found_in(card()))


def test_a_pod_that_cannot_be_read_holds_all_that_may_be_requested_of_its_gpus():
    pod = placed(annotations={f"{PREFIX}vram-request": "4 gigs"})
    claim = whole_claim_of(pod, found_in(card(oversold=2)))
    assert (amounts(200, 80), amounts(200, 80)) == (claim.request, claim.limit)


def test_a_pod_that_cannot_be_read_holds_the_written_peak_of_a_card_that_is_not_there():
    pod = placed(annotations={f"{PREFIX}vram-request": "4 gigs"})
    assert whole_claim_of(pod, found_in()).request == amounts(100, 80)


@given(st.integers(1, 100), st.integers(1, 2000))
def test_percent_are_never_counted_as_less_than_they_are(percent, peak_tflops):
    request, _ = held(
        {"compute-percent-request": str(percent), "vram-request": "1Gi"}, card(tflops=peak_tflops)
    )
    exact = percent * peak_tflops * 10_000
    assert exact <= request.microtflops <= exact + 1


@pytest.mark.parametrize("peak", ["1e999999", "1e9999999999", "9" * 100_000, "NaN", "-1", "much"])
@pytest.mark.parametrize("key", [GPU_PEAK_TFLOPS, GPU_PEAK_VRAM])
def test_a_peak_that_nobody_could_have_measured_costs_no_more_than_another_one(key, peak):
    pod = placed(annotations={key: peak})

    assert claim_of(pod, found_in()).request == amounts(10, 4)
