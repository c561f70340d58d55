import copy
from dataclasses import dataclass

import pytest

from autoscaler.agent.workers.from_pods import worker_of
from autoscaler.errors import InputError

GIB = 1024**3


@dataclass(frozen=True)
class Card:
    tflops: float = 1000.0
    vram_bytes: int = 80 * GIB


CARDS = {"GPU-a": Card(), "GPU-b": Card()}
POD = {
    "metadata": {
        "uid": "u1",
        "namespace": "team",
        "name": "serve-0",
        "labels": {
            "tensor-fusion.ai/component": "worker",
            "tensor-fusion.ai/workload": "serve",
            "tensor-fusion.ai/gpupool": "main",
        },
        "annotations": {
            "tensor-fusion.ai/gpu-ids": "GPU-a,GPU-b",
            "tensor-fusion.ai/qos": "high",
            "tensor-fusion.ai/tflops-request": "100",
            "tensor-fusion.ai/tflops-limit": "250500m",
            "tensor-fusion.ai/vram-request": "8Gi",
            "tensor-fusion.ai/vram-limit": "16Gi",
        },
    },
    "spec": {"nodeName": "node-1"},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


def _pod(*, phase="Running", without=(), **annotations):
    pod = copy.deepcopy(POD)
    pod["status"]["phase"] = phase
    stated = pod["metadata"]["annotations"]
    stated |= {
        f"tensor-fusion.ai/{key.replace('_', '-')}": text for key, text in annotations.items()
    }
    for key in without:
        del stated[f"tensor-fusion.ai/{key}"]
    return pod


def test_a_worker_has_what_is_in_force_in_its_annotations():
    worker = worker_of(POD, CARDS)

    assert (worker.uid, worker.key, worker.name) == ("u1", ("team", "serve"), "serve-0")
    assert (worker.pool, worker.qos, worker.qos_rank) == ("main", "high", 2)
    assert worker.uuids == ("GPU-a", "GPU-b")
    assert (worker.tflops_request, worker.tflops_limit) == (100.0, 250.5)
    assert (worker.vram_request_bytes, worker.vram_limit_bytes) == (8 * GIB, 16 * GIB)
    assert worker.is_ready


def test_shares_are_parts_of_the_card():
    worker = worker_of(POD, CARDS)

    assert worker.request_share(Card()) == 0.1
    assert worker.limit_share(Card()) == 0.2505
    assert worker.limit_share(Card(tflops=125.0)) == 1.0
    assert worker.limit_share(Card(tflops=0.0)) == 1.0


def test_percent_are_of_the_card():
    worker = worker_of(_pod(compute_percent_request="5", compute_percent_limit="30"), CARDS)

    assert (worker.tflops_request, worker.tflops_limit) == (50.0, 300.0)


def test_what_nobody_stated_is_no_request_and_the_whole_card():
    stated = ("qos", "tflops-request", "tflops-limit", "vram-request", "vram-limit")

    worker = worker_of(_pod(without=stated), CARDS)

    assert (worker.qos, worker.tflops_request, worker.vram_request_bytes) == ("medium", 0.0, 0)
    assert (worker.tflops_limit, worker.vram_limit_bytes) == (1000.0, 80 * GIB)


def test_a_worker_is_served_before_its_containers_start():
    assert worker_of(_pod(phase="Pending"), CARDS) is not None


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_not_served(phase):
    assert worker_of(_pod(phase=phase), CARDS) is None


def test_a_pod_without_gpus_or_of_another_component_is_not_served():
    other = _pod()
    other["metadata"]["labels"]["tensor-fusion.ai/component"] = "client"

    assert worker_of(_pod(without=["gpu-ids"]), CARDS) is None
    assert worker_of(other, CARDS) is None
    assert worker_of({"metadata": {"name": "x"}}, CARDS) is None


def test_a_pod_that_is_about_to_go_is_served_and_not_ready():
    leaving = _pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert not worker_of(leaving, CARDS).is_ready


def test_a_gpu_that_stands_twice_counts_once():
    assert worker_of(_pod(gpu_ids="GPU-a, GPU-a,"), CARDS).uuids == ("GPU-a",)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"gpu_ids": "GPU-a,GPU-z"}, "gpu-ids: 'GPU-z' is not valid; allowed: GPU-a, GPU-b"),
        ({"tflops_limit": "12 TF"}, "tflops-limit: '12 TF' is not valid; allowed: a Kubernetes"),
        ({"tflops_limit": "0"}, "tflops-limit: '0' is not valid; allowed: a quantity, above 0"),
        ({"vram_request": "-1"}, "vram-request: '-1' is not valid; allowed: a quantity, 0 or more"),
        ({"compute_percent_limit": "101"}, "'101' is not valid; .* above 0 and at most 100"),
        ({"qos": "best"}, "qos: 'best' is not valid; allowed: low, medium, high, critical"),
    ],
)
def test_what_cannot_be_read_names_the_pod_the_value_and_what_is_allowed(stated, message):
    with pytest.raises(InputError, match=f"^pod team/serve-0: annotation .*{message}"):
        worker_of(_pod(**stated), CARDS)
