"""What a gated worker asks for."""

from decimal import Decimal

import pytest

from autoscaler.api.names import (
    GPU_COUNT,
    GPU_INDICES,
    GPU_MODEL,
    POOL_LABEL,
    PREFIX,
    QOS,
    VENDOR,
)
from autoscaler.workloads.errors import InvalidWorkerError
from autoscaler.workloads.nodes.volumes import VolumeTerm
from autoscaler.workloads.placement.demand import demand_of
from recommender.amounts import ResourceAmounts
from tests.autoscaler.workloads.objects import GIB, worker


def demand(**annotations):
    return demand_of(worker(annotations=annotations), ())


def test_a_worker_says_who_it_is_and_what_it_requests():
    found = demand_of(worker("web-1", workload="web", pool="p"), ())
    assert (found.namespace, found.pod, found.workload, found.pool) == ("team", "web-1", "web", "p")
    assert found.uid == "uid-of-pod-web-1"
    assert found.request == ResourceAmounts(tflops=Decimal(10), vram_bytes=Decimal(4 * GIB))
    assert found.limit == ResourceAmounts(tflops=Decimal(20), vram_bytes=Decimal(8 * GIB))
    assert (found.count, found.indices, found.model, found.vendor) == (1, (), "", "")
    assert found.qos == "medium"


def test_the_spellings_of_users_are_understood():
    found = demand(**{GPU_COUNT: " 2 ", QOS: " HIGH", GPU_MODEL: " a100 ", VENDOR: "Nvidia "})
    assert (found.count, found.qos, found.model, found.vendor) == (2, "high", "a100", "Nvidia")


def test_blank_annotations_are_the_same_as_none():
    found = demand(**{GPU_COUNT: " ", QOS: "", GPU_MODEL: "", VENDOR: " ", GPU_INDICES: " "})
    assert found == demand()


def test_the_pool_is_that_of_the_label_which_admission_wrote():
    found = demand_of(worker(pool="p", annotations={f"{PREFIX}gpupool": " p "}), ())
    assert found.pool == "p"


def test_indices_say_how_many_gpus_there_are():
    found = demand(**{GPU_INDICES: "3, 0", GPU_COUNT: "1"})
    assert (found.count, found.indices) == (2, (3, 0))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (GPU_COUNT, "0"),
        (GPU_COUNT, "two"),
        (GPU_COUNT, "129"),
        (QOS, "urgent"),
        (GPU_INDICES, "0,0"),
        (GPU_INDICES, "-1"),
        (GPU_INDICES, "0,,1"),
        (GPU_INDICES, ",".join(map(str, range(129)))),
        (f"{PREFIX}vram-limit", "much"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_is_allowed(key, text):
    with pytest.raises(InvalidWorkerError) as refused:
        demand(**{key: text})
    words = (f"annotation {key}", text[:40], "; allowed: ")
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_worker_without_the_labels_of_admission_is_refused():
    with pytest.raises(InvalidWorkerError, match=POOL_LABEL):
        demand_of(worker(labels={POOL_LABEL: ""}), ())


def test_what_is_asked_of_the_node_comes_along():
    volumes = (VolumeTerm(claim="data", terms=()),)
    needs = demand_of(worker(requests={"cpu": "2"}, nodeSelector={"zone": "a"}), volumes).needs
    assert needs.requests.amounts == {"cpu": 2000}
    assert (needs.selector, needs.affinity, needs.volumes) == ({"zone": "a"}, None, volumes)
