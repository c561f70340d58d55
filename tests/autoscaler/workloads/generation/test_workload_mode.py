"""Where the GPUs of a workload's pods are."""

import pytest

from autoscaler.api.names import MODE, WorkloadMode
from autoscaler.workloads.generation.workload_mode import mode_of
from tests.autoscaler.workloads.objects import worker, workload


def test_the_newest_pod_says_it():
    old = worker("a", metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    new = worker(
        "b",
        annotations={MODE: "remote"},
        metadata={"creationTimestamp": "2026-01-02T00:00:00Z"},
    )
    assert mode_of(workload(isLocalGPU=True), [new, old]) is WorkloadMode.REMOTE


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        ({}, None),
        ({"isLocalGPU": False}, WorkloadMode.REMOTE),
        ({"isLocalGPU": True}, WorkloadMode.EMBEDDED),
        ({"isLocalGPU": True, "noStandaloneWorkerMode": False}, WorkloadMode.STANDALONE),
        ({"isLocalGPU": True, "standaloneWorkerMode": True}, WorkloadMode.STANDALONE),
        ({"isLocalGPU": True, "standaloneWorkerMode": False}, WorkloadMode.EMBEDDED),
    ],
)
def test_without_pods_the_workload_says_it(spec, mode):
    assert mode_of(workload(**spec), []) is mode


def test_a_pod_whose_mode_cannot_be_read_does_not_say_it():
    assert mode_of(workload(isLocalGPU=False), [worker(annotations={MODE: "x"})]) == "remote"
